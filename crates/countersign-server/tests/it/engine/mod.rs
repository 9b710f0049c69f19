//! The engine over real stores: what is acknowledged is durable, one of many wins, a repeated request is harmless, a restart
//! changes nothing, and a store that fails before or after persisting never makes it lie.

mod censuses;
mod clocks;
mod failover;
mod faults;
pub(crate) mod fixture;
mod journeys;
pub(crate) mod keys;
pub(crate) mod overlay;
mod postgres;
mod races;
mod readers;
pub(crate) mod redaction;
mod signing;
