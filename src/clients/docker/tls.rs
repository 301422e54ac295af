//! Mutual TLS to an engine: who is trusted, and who we are. PEM texts in memory, never files.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_rustls::TlsConnector;

use super::transport::Listener;

/// What it takes to be let in by an engine that listens on a port.
#[derive(Clone)]
pub struct EngineTls {
    /// The authority's certificate in PEM; nobody else's are trusted, those of the system neither.
    pub ca: SecretString,
    /// Our certificate in PEM, with its chain.
    pub certificate: SecretString,
    /// Our key in PEM.
    pub key: SecretString,
}

impl EngineTls {
    fn texts(&self) -> [&str; 3] {
        [&self.ca, &self.certificate, &self.key].map(|text| text.expose_secret())
    }
}

impl PartialEq for EngineTls {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

impl fmt::Debug for EngineTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineTls")
    }
}

/// The listener at `host:port`; or what is wrong with it, as a fragment that follows the endpoint.
pub(super) fn listener(address: &str, tls: &EngineTls) -> Result<Listener, String> {
    let address = address.trim_end_matches('/');
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let (host, _) = address
        .rsplit_once(':')
        .filter(|(host, port)| !host.is_empty() && is_port(port))
        .ok_or("is not `tcp://machine:port`")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| "names no machine".to_owned())?;
    let connector = TlsConnector::from(Arc::new(config(tls)?));
    Ok(Listener::Tls { address: address.to_owned(), name, connector })
}

fn config(tls: &EngineTls) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca, "caFrom")? {
        roots.add(certificate).map_err(|err| format!("has a `tls.caFrom` that is no authority: {err}"))?;
    }
    let key = PrivateKeyDer::from_pem_slice(tls.key.expose_secret().as_bytes())
        .map_err(|_| "has a `tls.keyFrom` that holds no private key in PEM".to_owned())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| format!("can't be reached by TLS: {err}"))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&tls.certificate, "certFrom")?, key)
        .map_err(|err| format!("has a `tls.certFrom` and `tls.keyFrom` that don't fit together: {err}"))
}

fn certificates(text: &SecretString, field: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.expose_secret().as_bytes()).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("has a `tls.{field}` that holds no certificate in PEM")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_named() {
        let text = |text: &str| SecretString::from(text.to_owned());
        let tls = EngineTls { ca: text("x"), certificate: text("x"), key: text("secret-key-text") };
        let wrong = |address: &str| listener(address, &tls).err().unwrap();
        assert_eq!(wrong("machine:2376"), "has a `tls.caFrom` that holds no certificate in PEM");
        for address in ["machine", "machine:0", ":2376", "machine:port", "a b:2376"] {
            assert!(
                wrong(address).starts_with("is not") || wrong(address).starts_with("names no"),
                "{address}"
            );
        }
        assert!(!wrong("machine:2376").contains("secret-key-text"));
    }
}
