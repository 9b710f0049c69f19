//! NudgePay and its provider over real HTTP on free ports, with real SQLite files in temporary folders.
//!
//! `stage` starts programs and signs calls; every other module tests one promise.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod binary;
mod flow;
mod headers;
mod hooks;
mod links;
mod payouts;
mod promotion;
mod stage;
mod webhooks;
