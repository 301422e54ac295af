//! A listener that slow or many clients can't exhaust.
//!
//! 1. Loopback addresses only, as nothing here asks who is there.
//! 2. One request a connection; its head has to arrive within `HEAD_TIMEOUT`, and all is over after `CONNECTION_TIMEOUT`.
//! 3. At most `CONNECTIONS_MAX` at once; one more is closed at once, so that it does not wait for the slow ones.
//! 4. Bodies are refused: no route has a use for one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long a request's head may take; a client on the same machine needs a millisecond.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may last altogether, so that a client that reads slowly lets go too.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at once: more than a flood of slow clients usually brings, at about 10 KiB each.
const CONNECTIONS_MAX: usize = 1000;
/// The buffer of a connection; bounds a request's head.
const BUFFER_BYTES_MAX: usize = 16 << 10;
/// The pause after a failed accept (too many open files), so that it is not tried in a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Others could reach it, and nothing asks who they are.
    #[error(
        "refusing to listen on `{0}`: this version has no authentication, so only loopback addresses are allowed"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("failed to listen on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        err: io::Error,
    },
}

/// Binds to a loopback address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, WebError> {
    if !address.ip().is_loopback() {
        return Err(WebError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|err| WebError::Bind { address, err })
}

/// Answers until it is told to stop.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let router = router.layer(middleware::from_fn(refuse_bodies));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(err) => {
                    tracing::debug!(%err, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            drop(stream);
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(BUFFER_BYTES_MAX)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Errors are the client's: it went away, was too slow or spoke no HTTP.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
            drop(place);
        });
    }
}

async fn refuse_bodies(request: Request, next: Next) -> Response {
    use axum::body::HttpBody as _;
    if request.body().is_end_stream() {
        next.run(request).await
    } else {
        StatusCode::PAYLOAD_TOO_LARGE.into_response()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn started() -> (SocketAddr, CancellationToken) {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/healthz", axum::routing::get(|| async { "ok\n" }));
        tokio::spawn(serve(listener, router, stop.clone()));
        (address, stop)
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn an_address_that_others_can_reach_is_refused() {
        for address in ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"] {
            assert!(
                matches!(bind(address.parse().unwrap()).await, Err(WebError::NotLoopback(_))),
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn a_get_is_answered_and_the_connection_closed() {
        let (address, _stop) = started().await;
        let answer = ask(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
        assert!(ask(address, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(ask(address, "POST /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 405"));
    }

    #[tokio::test]
    async fn a_body_and_an_endless_head_are_refused() {
        let (address, _stop) = started().await;
        let body = "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
        assert!(ask(address, body).await.starts_with("HTTP/1.1 413"));
        let head = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
        assert!(!ask(address, &head).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn many_slow_clients_do_not_keep_a_real_one_waiting() {
        let (address, _stop) = started().await;
        let mut slow = Vec::new();
        for _ in 0..200 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /healthz HT").await.unwrap();
            slow.push(stream);
        }
        let asked = tokio::time::timeout(
            Duration::from_secs(1),
            ask(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
        );
        assert!(asked.await.unwrap().starts_with("HTTP/1.1 200"));
    }
}
