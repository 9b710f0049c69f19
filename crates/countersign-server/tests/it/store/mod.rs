//! The store contract on every backend, and what is peculiar to one of them.

mod contract;
mod copy;
pub(crate) mod faulty;
pub(crate) mod fixture;
mod memory;
pub(crate) mod postgres;
pub(crate) mod proxy;
mod scrub;
mod sqlite;
