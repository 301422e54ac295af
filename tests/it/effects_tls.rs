//! An engine that listens on a port and knows its friends by their certificates: the real one, behind a TLS front.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::world::{World, text_of};

const COMPOSE: &str =
    "services:\n  one: {image: 'ipaictl/busybox:1', command: [/bin/pause], stop_grace_period: 1s}\n";

/// An authority, and certificates that it signed for `localhost` and for us.
struct Authority {
    folder: PathBuf,
}

impl Authority {
    fn new(folder: &Path) -> Authority {
        std::fs::create_dir_all(folder).unwrap();
        let authority = Authority { folder: folder.to_owned() };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "2",
            "-subj",
            "/CN=test authority",
        ]);
        authority.sign("server", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth");
        authority.sign("client", "extendedKeyUsage=clientAuth");
        authority
    }

    fn sign(&self, name: &str, extensions: &str) {
        let (key, request, certificate, text) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"), format!("{name}.ext"));
        std::fs::write(self.folder.join(&text), extensions).unwrap();
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &request,
            "-subj",
            &format!("/CN={name}"),
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            &text,
            "-out",
            &certificate,
        ]);
    }

    fn openssl(&self, arguments: &[&str]) {
        text_of(Command::new("openssl").args(arguments).current_dir(&self.folder));
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.folder.join(name)).unwrap()
    }

    /// Opens a port that lets in whoever has a certificate of this authority, and hands them to the engine.
    fn front(&self) -> u16 {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate("ca.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![self.certificate("server.pem")],
                PrivateKeyDer::from_pem_file(self.folder.join("server.key")).unwrap(),
            )
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        let Ok(mut tls) = acceptor.accept(stream).await else { return };
                        let mut engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut tls, &mut engine).await;
                    });
                }
            });
        });
        port
    }
}

fn host(world: &World, port: u16, ca: &str, certificate: &str, key: &str) {
    world.write(
        "desired-state/host.yaml",
        &format!(
            "apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {{name: local}}\nspec:\n  engine:\n    endpoint: tcp://localhost:{port}\n    \
             tls: {{caFrom: {{file: {ca}}}, certFrom: {{file: {certificate}}}, keyFrom: {{file: {key}}}}}\n"
        ),
    );
    world.commit("feat: an engine behind TLS");
}

#[test]
fn an_engine_behind_mutual_tls_is_kept_like_any_other() {
    let world = World::new("tls", COMPOSE);
    let authority = Authority::new(&world.path("ca"));
    let port = authority.front();
    host(
        &world,
        port,
        &authority.file("ca.pem"),
        &authority.file("client.pem"),
        &authority.file("client.key"),
    );
    world.apply();
    world.assert_in_sync();
    let doctor = world.run(&["doctor"]);
    assert!(doctor.out.contains(&format!("at tcp://localhost:{port}")), "{}", doctor.out);
}

#[test]
fn an_engine_that_we_must_not_trust_or_that_does_not_trust_us_is_unknown() {
    let world = World::new("notls", COMPOSE);
    let (authority, stranger) = (Authority::new(&world.path("ca")), Authority::new(&world.path("other")));
    let port = authority.front();
    let ours = |name: &str| authority.file(name);
    let unknown = |why: &str| {
        let said = world.run(&["diff"]);
        assert_eq!(said.code, 2, "{}{}", said.out, said.err);
        assert!(said.out.contains(why), "no `{why}` in:\n{}{}", said.out, said.err);
    };
    host(&world, port, &stranger.file("ca.pem"), &ours("client.pem"), &ours("client.key"));
    unknown("invalid peer certificate");
    host(&world, port, &ours("ca.pem"), &stranger.file("client.pem"), &stranger.file("client.key"));
    unknown("does not answer");
    host(&world, port, &ours("ca.pem"), &ours("client.pem"), &stranger.file("client.key"));
    unknown("don't fit together");
    host(&world, port, &ours("ca.pem"), &ours("client.pem"), "/nowhere/client.key");
    unknown("`tls.keyFrom` has no value");
}
