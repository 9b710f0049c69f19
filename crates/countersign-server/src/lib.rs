//! Everything of Countersign that touches the world.
//!
//! # Layout
//! - `config`: the node's file and the policy's file, read strictly
//! - `clock`: the only clock
//! - `durable`: small files that must not be lost
//! - `mac`: HMAC-SHA256
//! - `outgoing`: HTTP clients for calling out
//! - `engine`: the only write path: load → decide → append → apply → publish
//! - `genesis`: the first entries of a log
//! - `store`: where the ledger lives: memory, SQLite, PostgreSQL
//! - `cluster`: a PostgreSQL of one's own, for the demo and for tests
//! - `secrets`: values of governed secrets, sealed
//! - `sign_in`: passwords, codes by time and recovery codes
//! - `search`: finding entries: an index derived from the log
//! - `verification`: a stored log, walked from its first entry to its last and held against its checkpoints
//! - `fsck`: a whole store checked, everything that is wrong named
//! - `evidence`: collects bundles for auditors
//! - `reached`: under which addresses the node is reached
//! - `issuers`: issuers of tokens that are not ours, their keys, and whether a token is genuine
//! - `review`: who may do what, who did, and what is stale
//! - `http`: the API, one file per capability
//! - `runner`: performs what the state owes the world and reports outcomes as commands
//! - `witnessing`: asks the log's witnesses to cosign its checkpoints
//! - `witness`: a witness of our own, which cosigns other logs' checkpoints
//! - `node`: puts the parts together into one running server

pub mod clock;
pub mod cluster;
pub mod config;
pub mod durable;
pub mod engine;
pub mod evidence;
pub mod fsck;
pub mod genesis;
pub mod http;
pub mod issuers;
mod mac;
pub mod node;
mod outgoing;
pub mod reached;
pub mod review;
pub mod runner;
pub mod search;
pub mod secrets;
pub mod sign_in;
pub mod store;
pub mod verification;
pub mod witness;
pub mod witnessing;
