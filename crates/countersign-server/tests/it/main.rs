//! The integration tests of the server, one module per area.

mod power;
mod secrets;
mod store;
