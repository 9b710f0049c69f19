//! What passkeys sign, and forms for passwords carry: random bytes with an end, marked by the node for one purpose, so that it knows them again without remembering them.
//!
//! That each is used once is seen to by the core, which keeps what was spent in the ledger: so a second node knows it, too.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::Digest;
use countersign_core::once::Spent;
use countersign_core::time::Time;
use subtle::ConstantTimeEq as _;

use super::super::problem::{Rejected, Words};
use super::super::{Site, random};

/// How long somebody has to find their passkey, seconds.
const OPEN_SECONDS: u32 = 300;

/// How long somebody has to find an authenticator app and to think of a password, seconds.
const LONG_SECONDS: u32 = 1_800;

/// By how much clocks of nodes may differ, seconds: for so much longer it is remembered that one was used.
const SKEW_SECONDS: u32 = 60;

const NONCE: usize = 16;
const END: usize = NONCE + 8;
const WHOLE: usize = END + 32;

/// What a challenge is for, and for whom and what exactly. One for another purpose is none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    /// To sign in, by whoever was given the form.
    SignIn(&'a str),
    /// To make a passkey with this claim.
    Claim(&'a Digest),
    /// To make another passkey, in this session.
    Add(&'a str),
    /// To make a passkey for voting, in this session.
    Vote(&'a str),
    /// To prove oneself once more, in this session, for this request.
    StepUp(&'a str, &'a [u8]),
    /// To choose a password, by whoever was given the form: in this session, or with this claim.
    Password(&'a str),
}

impl Purpose<'_> {
    fn open_seconds(self) -> u32 {
        match self {
            Self::Password(_) => LONG_SECONDS,
            Self::SignIn(_) | Self::Claim(_) | Self::Add(_) | Self::Vote(_) | Self::StepUp(..) => {
                OPEN_SECONDS
            }
        }
    }
}

/// A challenge that the node gave out and that has not ended.
#[derive(Debug)]
pub(super) struct Challenge {
    pub bytes: Vec<u8>,
    pub spent: Spent,
}

/// A fresh challenge.
pub(super) fn issue(site: &Site, purpose: Purpose<'_>, now: Time) -> Result<String, Rejected> {
    let nonce = random::bytes::<NONCE>()?;
    let until = now.plus_seconds(purpose.open_seconds()).as_millis().to_be_bytes();
    let head = [nonce.as_slice(), &until].concat();
    let mark = mark(site, purpose, &head);
    Ok(URL_SAFE_NO_PAD.encode([head.as_slice(), &mark].concat()))
}

/// A challenge that came back.
pub(super) fn open(
    site: &Site,
    purpose: Purpose<'_>,
    (text, now): (&str, Time),
) -> Result<Challenge, Rejected> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == WHOLE).ok_or_else(stale)?;
    let (head, given) = bytes.split_at_checked(END).ok_or_else(stale)?;
    if !bool::from(mark(site, purpose, head).ct_eq(given)) {
        return Err(stale());
    }
    let until = head.last_chunk().map(|until| Time::from_millis(i64::from_be_bytes(*until)));
    let until = until.filter(|until| now < *until).ok_or_else(stale)?;
    let sha256 = Digest::of(&[b"countersign-challenge-v1\n", bytes.as_slice()].concat());
    Ok(Challenge { spent: Spent { sha256, until: until.plus_seconds(SKEW_SECONDS) }, bytes })
}

fn mark(site: &Site, purpose: Purpose<'_>, head: &[u8]) -> [u8; 32] {
    let (word, whose, what): (&[u8], &[u8], &[u8]) = match purpose {
        Purpose::SignIn(holder) => (b"sign-in", holder.as_bytes(), b""),
        Purpose::Claim(claim) => (b"claim", &claim.0, b""),
        Purpose::Add(holder) => (b"add", holder.as_bytes(), b""),
        Purpose::Vote(holder) => (b"vote", holder.as_bytes(), b""),
        Purpose::StepUp(holder, request) => (b"step-up", holder.as_bytes(), request),
        Purpose::Password(holder) => (b"password", holder.as_bytes(), b""),
    };
    site.mark(&[b"challenge", word, whose, what, head]).0
}

fn stale() -> Rejected {
    let words = Words {
        code: "challenge_stale",
        detail: "what was sent is not what this page asked for, or it took longer than the page is good for"
            .into(),
        hint: "load the page again and try once more",
    };
    Rejected::new(StatusCode::FORBIDDEN, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PublicUrl;

    fn site(key: u8) -> Site {
        Site::new(PublicUrl::parse("https://countersign.example").unwrap(), [key; 32])
    }

    #[test]
    fn a_challenge_is_good_for_one_purpose_and_a_few_minutes() {
        let (now, site) = (Time::from_millis(1_000), site(1));
        let claim = Digest([1; 32]);
        let purposes = [
            Purpose::SignIn("a"),
            Purpose::SignIn("b"),
            Purpose::Claim(&claim),
            Purpose::Add("a"),
            Purpose::Vote("a"),
            Purpose::StepUp("a", b"x"),
            Purpose::StepUp("a", b"y"),
            Purpose::StepUp("b", b"x"),
            Purpose::Password("a"),
            Purpose::Password("b"),
        ];
        for (at, purpose) in purposes.into_iter().enumerate() {
            let text = issue(&site, purpose, now).unwrap();
            for (other_at, other) in purposes.into_iter().enumerate() {
                let opened = open(&site, other, (&text, now));
                assert_eq!(opened.is_ok(), at == other_at, "{purpose:?} as {other:?}");
            }
            let last = now.plus_seconds(purpose.open_seconds());
            let before = Time::from_millis(last.as_millis() - 1);
            assert!(open(&site, purpose, (&text, before)).is_ok());
            assert!(open(&site, purpose, (&text, last)).is_err());
        }
    }

    #[test]
    fn nobody_else_makes_one_and_no_bit_of_it_can_be_changed() {
        let (now, purpose) = (Time::from_millis(1_000), Purpose::SignIn("a"));
        let text = issue(&site(1), purpose, now).unwrap();
        assert!(open(&site(2), purpose, (&text, now)).is_err());
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(open(&site(1), purpose, (&URL_SAFE_NO_PAD.encode(changed), now)).is_err(), "{at}");
        }
        for odd in ["", "AAAA", &text[1..], &format!("{text}AA")] {
            assert!(open(&site(1), purpose, (odd, now)).is_err(), "{odd}");
        }
        let again = issue(&site(1), purpose, now).unwrap();
        assert_ne!(text, again);
        let spent = |text: &str| open(&site(1), purpose, (text, now)).unwrap().spent;
        assert_ne!(spent(&text).sha256, spent(&again).sha256);
        assert_eq!(spent(&text).until, now.plus_seconds(OPEN_SECONDS + SKEW_SECONDS));
    }
}
