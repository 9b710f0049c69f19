//! Counters in memory and `GET /metrics`, in the Prometheus text format.
//!
//! Written by hand, because there are two of them. Labels come from fixed lists and verified key versions
//! only, so nobody outside can grow the number of series.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{extract::State, http::header, response::IntoResponse};

use super::App;
use crate::Version;

/// The most key versions told apart; later ones are counted together.
const MAX_VERSIONS: usize = 64;

/// The application's counters.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    webhooks: BTreeMap<(&'static str, String), u64>,
    versions: Vec<Version>,
}

impl Metrics {
    /// Counts one webhook by what became of it; `version` is the key that verified it, if one did.
    pub(super) fn count_webhook(&self, outcome: &'static str, version: Option<Version>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let label = version.map_or_else(|| "none".to_owned(), |version| counts.label(version));
        *counts.webhooks.entry((outcome, label)).or_default() += 1;
    }

    fn render(&self, accepted_keys: usize) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from(
            "# HELP nudgepay_webhooks_total Webhooks by outcome and by the key version that verified them.\n\
             # TYPE nudgepay_webhooks_total counter\n",
        );
        for ((outcome, version), count) in &counts.webhooks {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "nudgepay_webhooks_total{{outcome=\"{outcome}\",key_version=\"{version}\"}} {count}"
            );
        }
        let _ = writeln!(
            text,
            "# HELP nudgepay_accepted_keys Key versions accepted now.\n\
             # TYPE nudgepay_accepted_keys gauge\nnudgepay_accepted_keys {accepted_keys}"
        );
        text
    }
}

impl Counts {
    fn label(&mut self, version: Version) -> String {
        if !self.versions.contains(&version) {
            if self.versions.len() == MAX_VERSIONS {
                return "other".to_owned();
            }
            self.versions.push(version);
        }
        version.to_string()
    }
}

pub(super) async fn show(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = app.metrics.render(app.keys.published().keys.len());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_bounded_whatever_versions_come() {
        let metrics = Metrics::default();
        for version in 1..1000 {
            metrics.count_webhook("accepted", Some(version));
        }
        metrics.count_webhook("signature_mismatch", None);
        let text = metrics.render(2);
        assert_eq!(text.lines().filter(|line| line.starts_with("nudgepay_webhooks_total{")).count(), 66);
        for line in [
            "nudgepay_webhooks_total{outcome=\"accepted\",key_version=\"64\"} 1",
            "nudgepay_webhooks_total{outcome=\"accepted\",key_version=\"other\"} 935",
            "nudgepay_webhooks_total{outcome=\"signature_mismatch\",key_version=\"none\"} 1",
            "nudgepay_accepted_keys 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
