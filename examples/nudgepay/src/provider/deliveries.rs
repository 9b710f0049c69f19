//! The log of every webhook sent by the flow and what was answered, and `GET /deliveries`.
//!
//! The first answer is what counts: nothing is sent twice, so a rejected delivery stays visible as one. The
//! log is a ring of the latest 100,000. Numbers are given on completion, so a reader who asks *after n*
//! misses none.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{Query, State},
};
use serde::{Deserialize, Serialize};

use super::Provider;
use crate::{Version, answer::Failure};

/// How many deliveries are kept.
const KEPT: usize = 100_000;

/// The largest page.
const MAX_LIMIT: usize = 10_000;

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Answer {
    /// The HTTP status; none when there was no answer.
    pub(super) status: Option<u16>,
    /// The error code in a refusal, or `timeout` or `network_error` without an answer.
    pub(super) code: Option<String>,
}

/// One webhook and its outcome. Times are milliseconds since 1970 by this program's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Delivery {
    pub(super) event: String,
    pub(super) sent_at_ms: u64,
    pub(super) answered_at_ms: u64,
    pub(super) endpoint: String,
    pub(super) worker: u16,
    pub(super) key_version: Version,
    #[serde(flatten)]
    pub(super) answer: Answer,
}

#[derive(Debug, Serialize)]
struct Numbered {
    seq: u64,
    #[serde(flatten)]
    delivery: Delivery,
}

/// The delivery log.
#[derive(Debug, Default)]
pub(super) struct Deliveries(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    kept: VecDeque<Delivery>,
    /// How many were recorded before the oldest one kept.
    forgotten: u64,
}

impl Deliveries {
    pub(super) fn record(&self, delivery: Delivery) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.kept.len() == KEPT {
            ring.kept.pop_front();
            ring.forgotten += 1;
        }
        ring.kept.push_back(delivery);
    }

    fn page(&self, asked: &Asked) -> Page {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = usize::try_from(asked.after.saturating_sub(ring.forgotten)).unwrap_or(usize::MAX);
        let first = asked.after.max(ring.forgotten) + 1;
        let deliveries: Vec<_> = (first..)
            .zip(ring.kept.iter().skip(skip).take(asked.limit.min(MAX_LIMIT)))
            .map(|(seq, delivery)| Numbered { seq, delivery: delivery.clone() })
            .collect();
        let next = deliveries.last().map_or(asked.after, |last| last.seq);
        Page { deliveries, next, forgotten: ring.forgotten }
    }
}

/// `?after=<seq>&limit=<count>`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    after: u64,
    #[serde(default = "default_limit")]
    limit: usize,
}

fn default_limit() -> usize {
    1000
}

#[derive(Debug, Serialize)]
pub(super) struct Page {
    deliveries: Vec<Numbered>,
    /// What to ask `after` for the following page.
    next: u64,
    /// Deliveries up to this number are no longer kept.
    forgotten: u64,
}

pub(super) async fn list(
    State(provider): State<Arc<Provider>>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Page>, Failure> {
    let Query(asked) =
        asked.map_err(|_| Failure::malformed("only whole numbers `after` and `limit` are taken"))?;
    Ok(Json(provider.deliveries.page(&asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(event: usize) -> Delivery {
        Delivery {
            event: format!("evt_{event}"),
            sent_at_ms: 1,
            answered_at_ms: 2,
            endpoint: "http://127.0.0.1:1/".to_owned(),
            worker: 0,
            key_version: 1,
            answer: Answer { status: Some(200), code: None },
        }
    }

    #[track_caller]
    fn check(log: &Deliveries, after: u64, limit: usize, expect: (&[u64], u64)) {
        let page = log.page(&Asked { after, limit });
        let numbers: Vec<_> = page.deliveries.iter().map(|found| found.seq).collect();
        assert_eq!((numbers.as_slice(), page.next), expect);
    }

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let log = Deliveries::default();
        check(&log, 0, 10, (&[], 0));
        (1..=5).for_each(|event| log.record(delivery(event)));
        check(&log, 0, 2, (&[1, 2], 2));
        check(&log, 2, 10, (&[3, 4, 5], 5));
        check(&log, 5, 10, (&[], 5));
        check(&log, 99, 10, (&[], 99));
        assert_eq!(log.page(&Asked { after: 3, limit: 1 }).deliveries[0].delivery.event, "evt_4");
    }

    #[test]
    fn the_log_keeps_the_latest_and_says_what_it_forgot() {
        let log = Deliveries::default();
        (1..=KEPT + 3).for_each(|event| log.record(delivery(event)));
        check(&log, 0, 2, (&[4, 5], 5));
        let page = log.page(&Asked { after: 4, limit: 1 });
        assert_eq!((page.forgotten, page.deliveries[0].delivery.event.as_str()), (3, "evt_5"));
    }
}
