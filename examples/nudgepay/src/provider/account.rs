//! The one merchant account: registered endpoints, links waiting to be paid, and fresh ids. In memory.
//!
//! Ids carry random text of this run, so that a restarted provider never repeats an event id, which receivers
//! would take for a duplicate.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::Error;

/// The most endpoints registered at once.
const MAX_ENDPOINTS: usize = 16;

/// The most links waiting to be paid; the oldest is forgotten, as a link nobody pays.
const MAX_UNPAID: usize = 1000;

/// The merchant account.
#[derive(Debug)]
pub(super) struct Account {
    run: String,
    counter: AtomicU64,
    endpoints: Mutex<Vec<String>>,
    unpaid: Mutex<VecDeque<String>>,
}

/// No more endpoints can be registered.
#[derive(Debug)]
pub(super) struct TooManyEndpoints;

impl Account {
    pub(super) fn new() -> Result<Self, Error> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|_| Error::Randomness)?;
        let run = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { run, counter: AtomicU64::new(1), endpoints: Mutex::default(), unpaid: Mutex::default() })
    }

    /// A new id such as `plink_5f0c…_17`.
    pub(super) fn fresh(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.run, self.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// Registers an endpoint; registering it again changes nothing.
    pub(super) fn register(&self, endpoint: String) -> Result<(), TooManyEndpoints> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if endpoints.contains(&endpoint) {
            return Ok(());
        }
        if endpoints.len() == MAX_ENDPOINTS {
            return Err(TooManyEndpoints);
        }
        endpoints.push(endpoint);
        Ok(())
    }

    pub(super) fn endpoints(&self) -> Vec<String> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a link that someone will pay.
    pub(super) fn expect_payment(&self, link: String) {
        let mut unpaid = self.unpaid.lock().unwrap_or_else(PoisonError::into_inner);
        if unpaid.len() == MAX_UNPAID {
            unpaid.pop_front();
        }
        unpaid.push_back(link);
    }

    /// Takes the link that is paid next.
    pub(super) fn next_unpaid(&self) -> Option<String> {
        self.unpaid.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_kept_once_and_bounded() {
        let account = Account::new().unwrap();
        for _ in 0..2 {
            (0..MAX_ENDPOINTS).for_each(|n| account.register(format!("http://127.0.0.1:{n}/")).unwrap());
        }
        assert_eq!(account.endpoints().len(), MAX_ENDPOINTS);
        assert!(account.register("http://127.0.0.1:99/".to_owned()).is_err());
    }

    #[test]
    fn unpaid_links_are_paid_in_order_and_bounded() {
        let account = Account::new().unwrap();
        (0..=MAX_UNPAID).for_each(|n| account.expect_payment(format!("plink_{n}")));
        let paid: Vec<_> = std::iter::from_fn(|| account.next_unpaid()).collect();
        assert_eq!((paid.len(), paid.first().map(String::as_str)), (MAX_UNPAID, Some("plink_1")));
    }

    #[test]
    fn two_runs_never_share_an_id() {
        assert_ne!(Account::new().unwrap().fresh("evt"), Account::new().unwrap().fresh("evt"));
    }
}
