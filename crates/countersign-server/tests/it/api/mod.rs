//! The HTTP API in process: what people do, what every route refuses, what bad input is told, and the contract it all keeps to.

mod access;
mod attempts;
mod break_glass;
mod contract;
mod coverage;
mod documents;
mod explain;
mod freezes;
mod harness;
mod headers;
mod hostile;
mod idempotency;
mod journeys;
mod keys;
mod life;
mod membership;
mod node;
mod pages;
mod passkeys;
mod permits;
mod redactions;
mod search;
mod signing;
mod ssh_key;
mod tiles;
mod transcript;
