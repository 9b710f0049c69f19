//! Issuers of tokens that are not ours: CI systems, clusters, identity providers. Whether a token is genuine, and what it says.
//!
//! What a token is good for is decided elsewhere. Nothing that a token names is called or believed: not `jku`, not `jwk`, not an issuer that is
//! not configured. A forged token costs at most one look at its issuer's keys in half a minute, whoever sends how many, and a genuine one
//! waits for none of them.
//!
//! # Layout
//! - `jws`: a token taken apart, and whether a key signed it
//! - `keys`: an issuer's keys
//! - `claims`: for whom and when the token of a job is good
//! - `id_token`: whether the word of a provider on who signed in is what was asked for
//! - `provider`: where people are sent to sign in; `exchange`: a code for that word; `endpoints`: where all that is
//! - `possession`: proofs that whoever sends a request has a key
//! - `source`: where keys come from; `cache`: for how long they are believed

use std::collections::BTreeMap;

use countersign_core::text::Name;
use countersign_core::time::Time;

use crate::config::IssuerConfig;

mod cache;
mod claims;
mod endpoints;
mod exchange;
mod id_token;
mod jws;
mod keys;
mod possession;
mod provider;
mod source;
#[cfg(test)]
mod tests;

use cache::Cache;
pub use claims::{Expected, Verified};
pub use id_token::{ExpectedIdToken, SignedInAs};
pub use jws::{Jws, MAX_TOKEN};
pub use keys::KeySet;
pub use possession::{About, FRESH_SECONDS, Possession, verify as verify_possession};
pub use provider::{Answered, Asked, Ended, Failed, Provider, Providers};

/// Why a token is not believed, with a stable code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbelieved {
    /// It is no token of this kind.
    #[error("it is no signed JSON Web Token: {0}")]
    Malformed(&'static str),
    /// It is signed in a way that is not accepted, or not at all.
    #[error("it is signed by an algorithm that is not accepted here")]
    Algorithm,
    /// Its header demands something that is not understood.
    #[error("its header demands or names something that is not accepted here: `{0}`")]
    Header(&'static str),
    /// Its issuer is none of the configured.
    #[error("its issuer is not known here")]
    UnknownIssuer,
    /// Its issuer has no such key.
    #[error("its issuer has no key of this name")]
    UnknownKey,
    /// The key of that name did not sign it.
    #[error("its signature does not hold")]
    Signature,
    /// A claim is missing or of another form.
    #[error("its claim `{0}` is missing or of another form")]
    Claim(&'static str),
    /// It is for somebody else, or also for somebody else.
    #[error("it is not for this audience alone")]
    Audience,
    /// It demands a proof of possession.
    #[error("it demands the proof of a key (`cnf`), which is not checked here")]
    Bound,
    /// It answers another question.
    #[error("it was not made for this sign-in")]
    Nonce,
    /// It does not say that the person has just proved who they are.
    #[error("by its word it is too long since the person proved who they are")]
    NotProved,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not begun.
    #[error("it is not good yet, or issued in the future")]
    NotYet,
    /// Its issuer's keys are not at hand.
    #[error("the keys of its issuer are not at hand: {0}")]
    Unavailable(String),
}

impl Unbelieved {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::Header(_) => "token_header",
            Self::UnknownIssuer => "token_issuer_unknown",
            Self::UnknownKey => "token_key_unknown",
            Self::Signature => "token_signature",
            Self::Claim(_) => "token_claim",
            Self::Audience => "token_audience",
            Self::Bound => "token_bound",
            Self::Nonce => "token_nonce",
            Self::NotProved => "token_not_proved",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet",
            Self::Unavailable(_) => "issuer_unavailable",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Header(_) => "send the token as its issuer gave it out",
            Self::Algorithm => "RS256, ES256 and EdDSA are accepted",
            Self::UnknownIssuer => "name it in `countersign.toml`, exactly as it stands in `iss`",
            Self::UnknownKey => "if its issuer has just changed keys, send it again in half a minute",
            Self::Signature => "get another token from its issuer",
            Self::Claim(_) => "`iss`, `aud`, `exp` and `jti` are necessary; see docs/guides/workloads.md",
            Self::Audience => {
                "ask its issuer for a token with the audience that `countersign.toml` names, and no other"
            }
            Self::Bound => "ask its issuer for a token that is not bound to a key",
            Self::Nonce => "begin to sign in once more",
            Self::NotProved => {
                "prove yourself to the provider when it asks; see `max_age_seconds` in docs/guides/single-sign-on.md"
            }
            Self::Expired => "get a fresh one, and see that clocks are right",
            Self::NotYet => "see that clocks are right",
            Self::Unavailable(_) => "nothing was changed; try again later",
        }
    }
}

/// The issuers of a node.
#[derive(Debug, Default)]
pub struct Issuers {
    each: BTreeMap<String, Issuer>,
}

#[derive(Debug)]
struct Issuer {
    config: IssuerConfig,
    cache: Cache,
}

impl Issuers {
    /// Nobody is asked for keys yet.
    ///
    /// # Errors
    /// This machine cannot call anybody.
    pub fn new(configured: &BTreeMap<Name, IssuerConfig>) -> Result<Self, String> {
        let each = configured.values().map(|config| {
            let cache = Cache::new(source::Source::of(config)?);
            Ok((config.spelling.clone(), Issuer { config: config.clone(), cache }))
        });
        Ok(Self { each: each.collect::<Result<_, String>>()? })
    }

    /// Whether tokens of this issuer could be believed.
    #[must_use]
    pub fn knows(&self, issuer: &str) -> bool {
        self.each.contains_key(issuer)
    }

    /// What a genuine token says.
    ///
    /// # Errors
    /// Why it is not believed.
    pub async fn verify(&self, token: &str, now: Time) -> Result<Verified, Unbelieved> {
        let jws = Jws::parse(token)?;
        let issuer = self.each.get(jws.claimed_issuer()?).ok_or(Unbelieved::UnknownIssuer)?;
        let expected = Expected { issuer: &issuer.config.spelling, audience: &issuer.config.audience };
        // What would not be accepted from its issuer either is not worth a look at the keys.
        jws.is_acceptable(&expected, now)?;
        let published = issuer.cache.published(Some(jws.key_id()), now).await?;
        jws.verify(&published.keys, (&expected, now))
    }
}
