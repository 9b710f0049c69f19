//! Nonces for proofs of possession (RFC 9449, sections 8 and 9). A proof names one that this node gave out lately, so it is worth nothing at
//! another node, nor here after a restart, whatever is remembered of proofs there.
//!
//! Nothing is kept of what was given out: it is the mark of a stretch of time under a key that the node draws when it starts and tells nobody.

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::time::Time;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::problem::Rejected;
use super::random;
use crate::config::ProofNonce;
use crate::mac::mac;

/// How long the same nonce is given out, milliseconds. It holds for as long again, so that nobody gets one that is about to end.
const STRETCH_MS: i64 = 300_000;

/// Bytes of a nonce: nobody guesses 128 bits.
const BYTES: usize = 16;

/// Gives nonces out and knows them again.
pub(super) enum Nonces {
    /// Nobody needs one.
    Waived,
    /// There was no randomness when the node started: whoever needs one is told so.
    Lost,
    /// With a key of its own.
    Given(Zeroizing<[u8; 32]>),
}

impl Nonces {
    pub(super) fn draw(wanted: ProofNonce) -> Self {
        let Ok(key) = random::bytes::<32>() else { return Self::Lost };
        match wanted {
            ProofNonce::Demanded => Self::Given(key),
            ProofNonce::Waived => Self::Waived,
        }
    }

    /// The one that is given out now.
    pub(super) fn current(&self, now: Time) -> Option<HeaderValue> {
        let Self::Given(key) = self else { return None };
        HeaderValue::from_str(&of(key, stretch(now))).ok()
    }

    /// Whether a proof that names this nonce, or none, is of this node and not long ago.
    pub(super) fn admit(&self, nonce: Option<&str>, now: Time) -> Result<bool, Rejected> {
        let key = match self {
            Self::Waived => return Ok(true),
            Self::Lost => return Err(Rejected::unavailable("the node has no randomness for nonces".into())),
            Self::Given(key) => key,
        };
        let (nonce, stretch) = (nonce.unwrap_or_default().as_bytes(), stretch(now));
        let is = |stretch: i64| of(key, stretch).as_bytes().ct_eq(nonce);
        Ok(bool::from(is(stretch) | is(stretch.saturating_sub(1))))
    }
}

fn of(key: &[u8; 32], stretch: i64) -> String {
    let mark = mac(key, &[&stretch.to_be_bytes()]);
    URL_SAFE_NO_PAD.encode(mark.get(..BYTES).unwrap_or(&mark))
}

fn stretch(now: Time) -> i64 {
    now.as_millis().div_euclid(STRETCH_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_holds_where_it_was_given_out_and_for_a_while() {
        let [here, there] = [(); 2].map(|()| Nonces::draw(ProofNonce::Demanded));
        let at = |ms: i64| Time::from_millis(1_800_000_000_000 + ms);
        let given = |nonces: &Nonces, ms: i64| nonces.current(at(ms)).unwrap().to_str().unwrap().to_owned();
        let nonce = given(&here, 0);
        assert_eq!((nonce.len(), given(&here, STRETCH_MS - 1)), (22, nonce.clone()));
        let holds = |nonces: &Nonces, nonce: &str, ms: i64| nonces.admit(Some(nonce), at(ms)).unwrap();
        assert!(holds(&here, &nonce, 0) && holds(&here, &nonce, 2 * STRETCH_MS - 1));
        assert!(!holds(&here, &nonce, 2 * STRETCH_MS), "it ends");
        assert!(!holds(&here, &nonce, -1), "not before it was given out");
        assert!(!holds(&there, &nonce, 0), "another node knows nothing of it");
        for other in ["", "A", &nonce[1..], &format!("{nonce}A")] {
            assert!(!holds(&here, other, 0), "{other}");
        }
        assert!(!here.admit(None, at(0)).unwrap());
        assert_ne!(given(&here, STRETCH_MS), nonce);
        let waived = Nonces::draw(ProofNonce::Waived);
        assert!(waived.admit(None, at(0)).unwrap() && waived.current(at(0)).is_none());
        assert_eq!(
            Nonces::Lost.admit(None, at(0)).map_err(|why| why.code().to_owned()),
            Err("unavailable".to_owned())
        );
    }
}
