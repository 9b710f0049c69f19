//! The integration tests of the server, one module per area.
//!
//! `cfg(test)` always holds here; it tells the lints that a failed expectation is how a test speaks.

#[cfg(test)]
mod api;
#[cfg(test)]
#[path = "../../../countersign-ledger/tests/it/authenticator.rs"]
mod authenticator;
#[cfg(test)]
mod child;
#[cfg(test)]
mod config;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod fsck;
#[cfg(test)]
#[path = "../../../countersign-ledger/tests/it/keygen.rs"]
mod keygen;
#[cfg(test)]
mod moved_clock;
#[cfg(test)]
mod node;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod power;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod store;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod verification;
#[cfg(test)]
mod witness;
#[cfg(test)]
mod witnessing;
