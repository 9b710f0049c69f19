//! HTTP client of the Countersign API: one method per route, safe repetition, limits on what it believes.
//!
//! It decides nothing and prints nothing. What the answers mean is in `countersign-api`; proofs are checked by
//! `countersign-ledger`.
//!
//! # Layout
//! - `client`: the routes
//! - `transport`: one call: repetition, limits, problems
//! - `pages`: lists longer than a page
//! - `watch`: what happens to a request, as it happens
//! - `follow`: a log, followed from its public routes alone
//! - `guard`: checks permit documents without a server (feature `guard`)
//! - `heartbeat`: signs of life of a permit while its work goes on
//! - `layer`: a tower layer that guards the routes of an axum application (feature `tower`)
//! - `keys`: a checkpoint, believed because of a pinned key, across rotations
//! - `credential`: the secret its holder draws
//! - `possession`: the key that a token is bound to, and proofs of having it
//! - `durable`: what survives a power cut
//! - `error`: what can go wrong, by what the caller would do about it
#![deny(missing_docs)]

mod client;
mod credential;
mod durable;
mod error;
pub mod follow;
#[cfg(feature = "guard")]
pub mod guard;
mod heartbeat;
mod keys;
#[cfg(feature = "tower")]
pub mod layer;
mod pages;
mod possession;
mod transport;
mod watch;

pub use client::Client;
pub use countersign_api::Action;
pub use countersign_api::ledger::EntryListing;
pub use credential::{Claim, Credential};
pub use error::{ClientError, ErrorKind};
pub use keys::{Believed, TrustError};
pub use pages::{ApprovalListing, EvidenceScope, Listing, Pages};
pub use possession::ProofKey;
pub use transport::{MAX_ANSWER, Patience};
pub use watch::Watch;
