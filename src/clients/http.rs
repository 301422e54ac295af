//! Questions to HTTP servers nearby: plain HTTP/1.1, no redirects followed, everything bounded.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long one question may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read; a login page has some ten thousand.
const BODY_MAX: usize = 1 << 20;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text; empty after a change of protocols.
    pub body: String,
}

/// Asks for a path at an address such as `127.0.0.1:8069`. The error is a fragment for people.
pub async fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    match tokio::time::timeout(DEADLINE, ask(address, path, headers)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

async fn ask(address: &str, path: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let stream =
        TcpStream::connect(address).await.map_err(|err| format!("no connection to {address}: {err}"))?;
    let fail = |err: hyper::Error| format!("no answer from {address}: {err}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(fail)?;
    let driver = tokio::spawn(connection.with_upgrades());
    let mut request = Request::get(path);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("Host", address);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).map_err(|err| err.to_string())?;
    let response = sender.send_request(request).await.map_err(fail)?;
    let (parts, body) = response.into_parts();
    let body = match parts.status {
        StatusCode::SWITCHING_PROTOCOLS => String::new(),
        _ => {
            let bytes = to_bytes(Body::new(body), BODY_MAX)
                .await
                .map_err(|err| format!("its answer can't be read: {err}"))?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    driver.abort();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}
