//! What the API counts, under names and labels that no request can add to.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "countersign_http_requests_total";
const SECONDS: &str = "countersign_http_request_seconds";
const EXCHANGES: &str = "countersign_token_exchanges_total";
const CLAIMS: &str = "countersign_claims_refused_total";
const SIGN_INS: &str = "countersign_sign_ins_refused_total";
const HOOK: &str = "countersign_hook_seconds";
const SIGNING: &str = "countersign_checkpoint_seconds";
const BATCH: &str = "countersign_engine_batch_commands";
const REVOCATION: &str = "countersign_revocation_seconds";

/// Upper bounds of the latency histogram, seconds: a read takes under a millisecond, a durable append some.
const SECONDS_BUCKETS: [f64; 10] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Upper bounds of the histogram of calls to endpoints, seconds: other people's services, up to the runner's patience.
const HOOK_BUCKETS: [f64; 8] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0];

/// Upper bounds of the histogram of signing a checkpoint and keeping it, seconds: a key in memory takes a sync of the disk, one behind a
/// network some tens of milliseconds more.
const SIGNING_BUCKETS: [f64; 8] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Upper bounds of the histogram of how long a revocation took to have effect, seconds: up to the stated bound, and beyond it.
const REVOCATION_BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Upper bounds of the histogram of commands per commit.
const BATCH_BUCKETS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 512.0];

/// The process's one recorder, installed by whoever asks first.
///
/// A process that brought another recorder keeps counting into that one, and `/metrics` stays empty.
pub fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed: `/metrics` shows nothing");
        }
        handle
    };
    HANDLE.get_or_init(install).clone()
}

/// Buckets cannot be empty, which is the only thing the builder could object to.
fn builder() -> PrometheusBuilder {
    let exact = |name: &str| Matcher::Full(name.to_owned());
    let seconds = PrometheusBuilder::new().set_buckets_for_metric(exact(SECONDS), &SECONDS_BUCKETS);
    let both = seconds.and_then(|builder| builder.set_buckets_for_metric(exact(BATCH), &BATCH_BUCKETS));
    let three = both.and_then(|builder| builder.set_buckets_for_metric(exact(HOOK), &HOOK_BUCKETS));
    let all = three.and_then(|builder| builder.set_buckets_for_metric(exact(SIGNING), &SIGNING_BUCKETS));
    let all = all.and_then(|builder| builder.set_buckets_for_metric(exact(REVOCATION), &REVOCATION_BUCKETS));
    all.unwrap_or_else(|_| PrometheusBuilder::new())
}

/// Answers by route, method and status. Each counter is found by its labels once, and then kept here: finding it costs far more than counting.
#[derive(Default)]
pub(super) struct Counts(ArcSwap<HashMap<Box<str>, Arc<Route>>>);

impl Counts {
    /// Counts one answer. `route` is a template of the contract, so there are only so many.
    pub(super) fn answered(&self, route: &str, (method, status): (&Method, StatusCode), took: Duration) {
        let known = self.0.load();
        match known.get(route) {
            Some(counted) => counted.answered(route, (method, status), took),
            None => self.remember(route).answered(route, (method, status), took),
        }
    }

    fn remember(&self, route: &str) -> Arc<Route> {
        let new = Arc::<Route>::default();
        self.0.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.entry(route.into()).or_insert_with(|| Arc::clone(&new));
            known
        });
        // Two that met a route first at the same time count in one place all the same: the recorder knows it by its labels.
        new
    }
}

/// The counters of one route, by method.
#[derive(Default)]
struct Route([OnceLock<Counted>; METHODS.len()]);

struct Counted {
    seconds: Histogram,
    by_class: [OnceLock<Counter>; CLASSES.len()],
}

impl Route {
    fn answered(&self, route: &str, (method, status): (&Method, StatusCode), took: Duration) {
        let (which, class) = (method_of(method), class_of(status));
        let (Some(counted), Some(method)) = (self.0.get(which), METHODS.get(which)) else { return };
        let counted = counted.get_or_init(|| Counted {
            seconds: metrics::histogram!(SECONDS, "route" => route.to_owned(), "method" => *method),
            by_class: [const { OnceLock::new() }; CLASSES.len()],
        });
        counted.seconds.record(took.as_secs_f64());
        if let (Some(counter), Some(class)) = (counted.by_class.get(class), CLASSES.get(class)) {
            let labels = || metrics::counter!(REQUESTS, "route" => route.to_owned(), "method" => *method, "status" => *class);
            counter.get_or_init(labels).increment(1);
        }
    }
}

/// Counts one refused claim. `code` is one of a few that no request can add to.
pub(super) fn claim_refused(code: &str) {
    metrics::counter!(CLAIMS, "code" => code.to_owned()).increment(1);
}

/// Counts one exchange of tokens, by `granted` or the code of why not, of which there are only a few.
pub(super) fn tokens_exchanged(code: &str) {
    metrics::counter!(EXCHANGES, "outcome" => code.to_owned()).increment(1);
}

/// Counts one sign-in that was refused.
pub(super) fn sign_in_refused(why: &'static str) {
    metrics::counter!(SIGN_INS, "why" => why).increment(1);
}

/// Names of methods; clients may invent methods, so only the usual ones have their own.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

fn method_of(method: &Method) -> usize {
    let named = METHODS.iter().position(|name| *name == method.as_str());
    named.unwrap_or(METHODS.len() - 1)
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

fn class_of(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).saturating_sub(1).min(CLASSES.len() - 1)
}
