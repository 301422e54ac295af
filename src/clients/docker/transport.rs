//! Carries requests to an engine over connections that stay open for the next request.
//!
//! A pass asks an engine some thirty things within milliseconds; opening a connection for each would cost as much as
//! the answers. Every answer names the engine's version, so nobody has to ask for it.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::BollardRequest;
use hyper::Uri;
use hyper::header::{HeaderMap, SERVER};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// How long an unused connection is kept: for the requests of one pass, not until the next one, when the engine may have
/// been restarted.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// Unused connections that are kept; as many as questions are under way at once.
const IDLE_CONNECTIONS_MAX: usize = 8;
/// How long opening a connection may take: some round trips to a far machine.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
/// The API client's own deadline, beyond every one of ours: those decide.
const TRANSPORT_DEADLINE_SECONDS: u64 = 2 * 60 * 60;
/// The address in the requests' lines; where they go is the connector's business.
const ADDRESS: &str = "http://engine";

/// Where an engine listens.
#[derive(Clone)]
pub(super) enum Listener {
    /// A socket of this machine.
    Socket(PathBuf),
    /// A port that speaks TLS and knows us by a certificate.
    Tls {
        /// `host:port`.
        address: String,
        /// The name that its certificate has to be for.
        name: ServerName<'static>,
        /// Whom we trust, and who we are.
        connector: TlsConnector,
    },
}

/// What an engine says of itself in every answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Version {
    /// Such as `20.10.24`; empty until it is known.
    pub engine: String,
    /// The newest API that it speaks, such as `(1, 41)`.
    pub api: (u32, u32),
}

/// What the last answer said.
pub(super) type Seen = Arc<Mutex<Version>>;

/// A client of the API over connections to a listener, and what its answers tell.
pub(super) fn client(listener: Listener) -> Result<(bollard::Docker, Seen), bollard::errors::Error> {
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .build(Connector(listener));
    let seen = Seen::default();
    let notes = Arc::clone(&seen);
    let transport = move |request: BollardRequest| {
        let (answer, notes) = (client.request(request), Arc::clone(&notes));
        async move {
            let answer = answer.await.map_err(bollard::errors::Error::from)?;
            if let Some(version) = version(answer.headers()) {
                *notes.lock().expect("no holder of this lock panics") = version;
            }
            Ok(answer)
        }
    };
    let api = bollard::Docker::connect_with_custom_transport(
        transport,
        Some(ADDRESS),
        TRANSPORT_DEADLINE_SECONDS,
        bollard::API_DEFAULT_VERSION,
    )?;
    Ok((api, seen))
}

/// Reads `Api-Version: 1.41` and `Server: Docker/20.10.24 (linux)`.
fn version(headers: &HeaderMap) -> Option<Version> {
    let api = headers.get("api-version")?.to_str().ok()?;
    let server = headers.get(SERVER)?.to_str().ok()?;
    let engine = server.split(' ').next()?.split_once('/')?.1;
    Some(Version { engine: engine.to_owned(), api: parse_api_version(api) })
}

/// Reads `1.41`; a part that is no number counts as 0.
pub(super) fn parse_api_version(text: &str) -> (u32, u32) {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    (major.parse().unwrap_or_default(), minor.parse().unwrap_or_default())
}

/// Opens connections to one listener, whatever the request's address says.
#[derive(Clone)]
struct Connector(Listener);

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let listener = self.0.clone();
        Box::pin(async move {
            tokio::time::timeout(CONNECT_DEADLINE, open(listener))
                .await
                .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        })
    }
}

async fn open(listener: Listener) -> std::io::Result<Stream> {
    let stream: Box<dyn Bytes> = match listener {
        Listener::Socket(path) => Box::new(UnixStream::connect(path).await?),
        Listener::Tls { address, name, connector } => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(connector.connect(name, stream).await?)
        }
    };
    Ok(Stream(TokioIo::new(stream)))
}

/// Bytes in both directions.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// One connection to an engine.
struct Stream(TokioIo<Box<dyn Bytes>>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_tells_the_version_of_its_engine() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let docker = headers(&[("api-version", "1.41"), ("server", "Docker/20.10.24+dfsg1 (linux)")]);
        let known = Version { engine: "20.10.24+dfsg1".to_owned(), api: (1, 41) };
        assert_eq!(version(&docker), Some(known));
        assert_eq!(version(&headers(&[("server", "nginx")])), None);
        assert_eq!(version(&headers(&[("api-version", "1.41"), ("server", "nginx")])), None);
    }
}
