//! The binary as its users meet it: real processes, real files, real HTTP on loopback.
//!
//! `cfg(test)` always holds here; it tells the lints that a failed expectation is how a test speaks.

#[cfg(test)]
mod between;
#[cfg(test)]
mod bound;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod export;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod guarded;
#[cfg(test)]
mod guarded_run;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod log_key;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod node;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod store;
#[cfg(test)]
mod story;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod witness;
#[cfg(test)]
mod workloads;
