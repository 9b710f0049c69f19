//! The client against a real server in this process, which answers by script.
//!
//! `cfg(test)` always holds here; it tells the lints that a failed expectation is how a test speaks.

#[cfg(test)]
mod bound;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod scripted;
