//! `/healthz`, `/readyz` and `/metrics`; each answers at once from what the serve loop wrote down.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::daemon::vitals::Vitals;
use crate::telemetry::Metrics;

#[derive(Clone)]
struct Asked {
    vitals: Arc<Vitals>,
    metrics: Metrics,
}

/// The routes over a controller's state.
pub fn router(vitals: Arc<Vitals>, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(numbers))
        .with_state(Asked { vitals, metrics })
}

async fn healthz(State(asked): State<Asked>) -> Response {
    verdict(asked.vitals.unhealthy().into_iter().collect())
}

async fn readyz(State(asked): State<Asked>) -> Response {
    verdict(asked.vitals.unready().into_iter().map(str::to_owned).collect())
}

/// `ok`, or 503 with one line a reason.
fn verdict(reasons: Vec<String>) -> Response {
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    if reasons.is_empty() {
        (StatusCode::OK, plain, "ok\n".to_owned()).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, plain, reasons.join("\n") + "\n").into_response()
    }
}

async fn numbers(State(asked): State<Asked>) -> Response {
    asked.vitals.publish(Instant::now());
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, asked.metrics.render()).into_response()
}
