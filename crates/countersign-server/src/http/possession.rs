//! Tokens that are bound to a key (DPoP, RFC 9449): each request shows anew that its sender has the key, and each proof is good once.
//!
//! Proofs are remembered in memory, by this node alone: for as long as they could be used, as many as have a place, and no more of one token than its share.
//! Only who has a live token and its key gets as far as being remembered. At another node, and after a restart, a proof is not known; there its nonce
//! does not hold (`nonces`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use countersign_core::digest::Digest;
use countersign_core::id::TokenId;
use countersign_core::time::Time;

use super::App;
use super::problem::{Rejected, Words};
use crate::issuers::{About, Possession, Unbelieved, verify_possession};
use crate::reached::Reached;

/// Carries a proof.
pub(super) const PROOF: HeaderName = HeaderName::from_static("dpop");

/// Carries the nonce that proofs name from now on.
pub(super) const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The code of a proof that would hold if it named a nonce of the node's (RFC 9449, section 8).
pub(super) const USE_NONCE: &str = "use_dpop_nonce";

/// Proofs remembered at once, of all tokens and of one: five hundred requests a second with each.
const MOST: usize = 1 << 20;
const MOST_OF_ONE: usize = 1 << 16;

/// A request, as far as a proof is about it.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

impl Line<'_> {
    /// Whether a proof comes with it.
    pub(super) fn has_proof(&self) -> bool {
        self.headers.contains_key(&PROOF)
    }

    /// The possession that the request proves; with a token, that of who sends it with exactly this one.
    pub(super) fn proven(&self, token: Option<&str>, app: &App) -> Result<Possession, Rejected> {
        let mut proofs = self.headers.get_all(&PROOF).iter();
        let proof = proofs.next().filter(|_| proofs.next().is_none()).and_then(|proof| proof.to_str().ok());
        let proof = proof
            .ok_or_else(|| refused("dpop_proof_required", "the request does not have one `DPoP` proof"))?;
        let (reached, now) = (&*app.reached, app.engine.now());
        let about = About { method: self.method.as_str(), reached, path: self.uri.path(), token };
        let proven = verify_possession(proof, (&about, now)).map_err(|why| unproven(&why, reached))?;
        named(app, proven.nonce.as_deref(), now)?;
        Ok(proven)
    }
}

#[derive(Debug, Default)]
struct Remembered {
    ends: BTreeSet<(Time, Digest, TokenId)>,
    ids: BTreeSet<Digest>,
    of_one: BTreeMap<TokenId, usize>,
}

impl Remembered {
    fn forget(&mut self, now: Time) {
        while let Some(first) = self.ends.first().copied().filter(|(until, ..)| *until <= now) {
            self.ends.remove(&first);
            self.ids.remove(&first.1);
            if let Some(count) = self.of_one.get_mut(&first.2) {
                *count -= 1;
                if *count == 0 {
                    self.of_one.remove(&first.2);
                }
            }
        }
    }
}

/// Proofs that were used and could be used again.
#[derive(Debug, Default)]
pub(super) struct Proofs(Mutex<Remembered>);

impl Proofs {
    /// Uses a proof up.
    pub(super) fn spend(&self, proof: &Possession, (token, now): (TokenId, Time)) -> Result<(), Rejected> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.forget(now);
        if known.ids.contains(&proof.id) {
            return Err(refused("dpop_proof_used", "the proof was used before"));
        }
        let share = known.of_one.get(&token).copied().unwrap_or(0);
        if share >= MOST_OF_ONE || known.ids.len() >= MOST {
            return Err(Rejected::unavailable("too many proofs of possession are remembered".to_owned()));
        }
        known.ids.insert(proof.id);
        known.ends.insert((proof.until, proof.id, token));
        *known.of_one.entry(token).or_default() += 1;
        Ok(())
    }
}

/// The token is bound to a key, and whoever sends it has not shown it.
pub(super) fn needed() -> Rejected {
    refused("dpop_proof_required", "the token is bound to a key, whose possession each request proves")
}

/// A key was shown, but not the one that the token is bound to.
pub(super) fn other_key() -> Rejected {
    refused("dpop_proof_invalid", "the proof is by another key than the one that the token is bound to")
}

fn unproven(why: &Unbelieved, reached: &Reached) -> Rejected {
    let where_to = match why {
        Unbelieved::Claim("htu") => format!("; the node is reached at {reached} (`public_url`)"),
        _ => String::new(),
    };
    refused("dpop_proof_invalid", &format!("the `DPoP` proof does not hold: {why}{where_to}"))
}

/// Whether the proof names a nonce of this node's, where it must.
fn named(app: &App, nonce: Option<&str>, now: Time) -> Result<(), Rejected> {
    if app.nonces.admit(nonce, now)? {
        return Ok(());
    }
    let words = Words {
        code: USE_NONCE,
        detail: "the `DPoP` proof names no nonce that this node gave out lately".into(),
        hint: "send the request again, with a fresh proof that has `nonce` from the header `DPoP-Nonce` of this answer",
    };
    Err(Rejected::new(StatusCode::UNAUTHORIZED, words))
}

fn refused(code: &str, detail: &str) -> Rejected {
    let hint = "send `Authorization: DPoP TOKEN` and a fresh `DPoP` proof of exactly this request (RFC 9449, section 4)";
    Rejected::new(StatusCode::UNAUTHORIZED, Words { code, detail: detail.to_owned(), hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(number: u8, until: i64) -> Possession {
        let digest = Digest([number; 32]);
        Possession { jkt: Digest([0; 32]), id: digest, until: Time::from_millis(until), nonce: None }
    }

    #[test]
    fn a_proof_is_good_once_for_as_long_as_it_could_be_used() {
        let proofs = Proofs::default();
        let spend = |number, now| proofs.spend(&proof(number, 100), (TokenId(1), Time::from_millis(now)));
        assert!(spend(1, 0).is_ok() && spend(2, 0).is_ok());
        assert_eq!(spend(1, 99).map_err(|why| why.code().to_owned()), Err("dpop_proof_used".to_owned()));
        assert!(spend(3, 100).is_ok());
        let known = proofs.0.lock().unwrap();
        assert_eq!((known.ids.len(), known.ends.len(), known.of_one[&TokenId(1)]), (1, 1, 1));
    }
}
