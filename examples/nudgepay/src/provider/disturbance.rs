//! Failing, throttling and slowing down on demand: `POST /control`, and the layer that does it.
//!
//! Exactly the asked share of calls fails, evenly spread and counted rather than drawn, so that a test can
//! say which.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    body::Bytes,
    extract::{Request, State, rejection::BytesRejection},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::Provider;
use crate::answer::{self, Failure};

/// The slowest the API can be made, in milliseconds.
const MAX_LATENCY_MS: u64 = 10_000;

/// What goes wrong; everything is 0 at first, and what a call leaves out becomes 0 again.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Plan {
    /// Share of calls answered 503, 0 to 100.
    fail_rate_percent: u32,
    /// Share of calls answered 429, 0 to 100; a call that fails is not throttled too.
    throttle_rate_percent: u32,
    /// Added to every answer, 0 to 10,000.
    latency_ms: u64,
}

/// The plan in force and how many calls it has seen.
#[derive(Debug, Default)]
pub(super) struct Disturbance(Mutex<(Plan, u64)>);

impl Disturbance {
    fn set(&self, plan: Plan) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (plan, 0);
    }

    /// Counts one call and says how long it waits and whether it fails.
    fn next(&self) -> (Duration, Option<StatusCode>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (plan, calls) = *state;
        state.1 = calls + 1;
        let verdict = if is_hit(calls, plan.fail_rate_percent) {
            Some(StatusCode::SERVICE_UNAVAILABLE)
        } else if is_hit(calls, plan.throttle_rate_percent) {
            Some(StatusCode::TOO_MANY_REQUESTS)
        } else {
            None
        };
        (Duration::from_millis(plan.latency_ms), verdict)
    }
}

/// Whether call number `call`, from 0, is among the `percent` that are hit: exactly that many of every
/// hundred.
fn is_hit(call: u64, percent: u32) -> bool {
    let hits_before = |calls: u64| calls * u64::from(percent) / 100;
    hits_before(call + 1) > hits_before(call)
}

pub(super) async fn control(
    State(provider): State<Arc<Provider>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Plan>, Failure> {
    let plan: Plan = answer::parse(body)?;
    if plan.fail_rate_percent > 100 || plan.throttle_rate_percent > 100 || plan.latency_ms > MAX_LATENCY_MS {
        return Err(Failure::malformed("rates go from 0 to 100 percent and `latency_ms` from 0 to 10000"));
    }
    provider.disturbance.set(plan);
    Ok(Json(plan))
}

/// The layer around the API that applications use.
pub(super) async fn disturb(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let (latency, verdict) = provider.disturbance.next();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match verdict {
        None => next.run(request).await,
        Some(StatusCode::TOO_MANY_REQUESTS) => {
            let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "fewer calls, please");
            let mut response = failure.into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        Some(status) => Failure::new(status, "provider_unavailable", "failing on demand").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_asked_share_is_hit() {
        for percent in [0, 1, 33, 50, 99, 100] {
            let hits = (0..200).filter(|call| is_hit(*call, percent)).count();
            assert_eq!(hits, 2 * percent as usize, "{percent}");
        }
    }

    #[test]
    fn failing_comes_before_throttling() {
        let disturbance = Disturbance::default();
        assert_eq!(disturbance.next(), (Duration::ZERO, None));
        disturbance.set(Plan { fail_rate_percent: 50, throttle_rate_percent: 100, latency_ms: 7 });
        let verdicts: Vec<_> =
            (0..4).filter_map(|_| disturbance.next().1).map(|status| status.as_u16()).collect();
        assert_eq!(verdicts, [429, 503, 429, 503]);
    }
}
