//! Evidence: one self-contained file about a case, and everything an auditor needs to check it without network or server.
//!
//! Here the core (what events mean) and the ledger (what bytes prove) meet; neither knows the other. There is no IO: the server
//! collects what a bundle holds, the command line reads the file, and both use what is here.
//!
//! # Layout
//! - `decode`: from leaves to events
//! - `permit`: the document of a permit, and checking it without asking anybody
//! - `scope`: which entries a bundle is about
//! - `closure`: what these entries rest on
//! - `bundle`: the file: its content, and its form as a page that also reads as a report
//! - `verify`: what is checked, in which order, and how a lie is named
//! - `votes`: the cryptography of signed votes and voting keys
//! - `report`: the page, rendered from the bundle alone
#![deny(missing_docs)]

pub mod bundle;
pub mod closure;
pub mod decode;
pub mod permit;
pub mod report;
pub mod scope;
pub mod text;
pub mod verify;
pub mod votes;
