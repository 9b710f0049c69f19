//! Evidence bundles of a real log: collected, verified, and bent in every way a forger could think of.

mod damage;
pub(crate) mod fixture;
mod journeys;
mod keys;
mod sessions;
