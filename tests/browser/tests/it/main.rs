//! What people do with a browser, in a real Chromium in front of a real node.
//!
//! `cfg(test)` always holds here; it tells the lints that a failed expectation is how a test speaks.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod sso;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod voting;
