//! Providers at which people sign in: where to send their browser, and what the provider says of them when they come back (OpenID Connect Core 1.0,
//! authorization code flow, always with PKCE by S256).
//!
//! Nothing is remembered here of anybody under way. A provider is asked by a few at a time; whoever comes beyond that is told so at once, and waits
//! for nobody.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_core::id::SessionId;
use countersign_core::text::Name;
use countersign_core::time::Time;
use reqwest::{Client, Url};
use tokio::sync::Semaphore;

use super::cache::Cache;
use super::endpoints::Endpoints;
use super::exchange::{self, Asking};
use super::id_token::{ExpectedIdToken, SignedInAs};
use super::source::Source;
use super::{Jws, Unbelieved};
use crate::config::ProviderConfig;
use crate::outgoing;
use crate::secrets::SecretValue;

/// How long redeeming a code may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Codes redeemed at once at one provider.
const AT_ONCE: usize = 32;

/// ID tokens kept for the end of their sessions, and the longest of them, bytes.
const MOST_HINTS: usize = 2_048;
const LONGEST_HINT: usize = 4_096;

/// Why nobody was signed in by a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// It does not answer, or not as a provider does.
    #[error("the provider cannot be used now: {0}")]
    Unavailable(String),
    /// Too many are being signed in.
    #[error("too many people are being signed in by this provider at this moment")]
    Busy,
    /// It does not take the code, or not from us.
    #[error("the provider does not take what it gave out: `{0}`")]
    Refused(String),
    /// Its word is not believed.
    #[error("the provider's ID token is not believed: {0}")]
    Unbelieved(Unbelieved),
}

impl From<Unbelieved> for Failed {
    fn from(why: Unbelieved) -> Self {
        match why {
            Unbelieved::Unavailable(why) => Self::Unavailable(why),
            why => Self::Unbelieved(why),
        }
    }
}

/// What a browser is sent to the provider with.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where it comes back to.
    pub redirect_uri: &'a str,
    /// What it brings back.
    pub state: &'a str,
    /// What the ID token must name.
    pub nonce: &'a str,
    /// The PKCE verifier, which stays here; its digest travels.
    pub verifier: &'a str,
    /// Since when the person must have proved who they are, where it is to be proved anew.
    pub anew_since: Option<Time>,
}

/// What the browser brought back.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// What it was sent with.
    pub asked: Asked<'a>,
    /// The code.
    pub code: &'a str,
}

/// A session that was ended by whoever held it.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// Which.
    pub session: SessionId,
    /// Where they come back to.
    pub redirect_uri: &'a str,
}

/// One provider.
#[derive(Debug)]
pub struct Provider {
    config: ProviderConfig,
    secret: Option<SecretValue>,
    cache: Cache,
    client: Client,
    places: Semaphore,
}

/// The providers of a node.
#[derive(Debug, Default)]
pub struct Providers {
    each: BTreeMap<Name, Provider>,
    /// The ID tokens by which the last sessions opened, which a provider likes to see when they end. Without one it asks whoever signs out.
    hints: Mutex<BTreeMap<SessionId, String>>,
}

impl Providers {
    /// Nobody is asked for anything yet.
    ///
    /// # Errors
    /// This machine cannot call anybody.
    pub fn new(
        configured: &BTreeMap<Name, ProviderConfig>,
        mut secrets: BTreeMap<Name, SecretValue>,
    ) -> Result<Self, String> {
        let each = configured.iter().map(|(name, config)| {
            let provider = Provider {
                config: config.clone(),
                secret: secrets.remove(name),
                cache: Cache::new(Source::discovered(&config.issuer, &config.spelling)?),
                client: outgoing::client(std::iter::once(&config.issuer), PATIENCE)?,
                places: Semaphore::new(AT_ONCE),
            };
            Ok((name.clone(), provider))
        });
        Ok(Self { each: each.collect::<Result<_, String>>()?, hints: Mutex::default() })
    }

    /// The provider of this name.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<&Provider> {
        self.each.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Provider)> {
        self.each.iter()
    }

    /// Keeps by what a session opened, for its end. Only in memory, only so many, and only what fits into an address.
    pub fn remember(&self, session: SessionId, id_token: String) {
        if id_token.len() > LONGEST_HINT {
            return;
        }
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        hints.insert(session, id_token);
        if hints.len() > MOST_HINTS {
            hints.pop_first();
        }
    }

    /// Where whoever held the session goes to sign out of this provider, too, if there is such a place.
    pub async fn leave(&self, name: &Name, ended: &Ended<'_>, now: Time) -> Option<Url> {
        let hint = self.hints.lock().unwrap_or_else(PoisonError::into_inner).remove(&ended.session);
        let provider = self.get(name)?;
        let mut url = provider.endpoints(now).await.ok()?.end_session?;
        let mut query = url.query_pairs_mut();
        if let Some(hint) = hint {
            query.append_pair("id_token_hint", &hint);
        }
        query
            .append_pair("client_id", &provider.config.client_id)
            .append_pair("post_logout_redirect_uri", ended.redirect_uri);
        drop(query);
        Some(url)
    }
}

impl Provider {
    /// What people call it.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.config.title
    }

    /// What it is called in its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.config.spelling
    }

    /// Where a browser is sent to sign in.
    ///
    /// # Errors
    /// The provider does not say where.
    pub async fn begin(&self, asked: &Asked<'_>, now: Time) -> Result<Url, Failed> {
        let endpoints = self.endpoints(now).await?;
        let mut url = endpoints.authorization;
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", asked.redirect_uri)
            .append_pair("scope", &self.config.scopes.join(" "))
            .append_pair("state", asked.state)
            .append_pair("nonce", asked.nonce)
            .append_pair("code_challenge", &exchange::challenge(asked.verifier))
            .append_pair("code_challenge_method", "S256");
        if asked.anew_since.is_some() {
            query.append_pair("prompt", "login").append_pair("max_age", "0");
        } else if let Some(seconds) = self.config.max_age_seconds {
            query.append_pair("max_age", &seconds.to_string());
        }
        drop(query);
        Ok(url)
    }

    /// Whether an answer is this provider's, by what it calls itself in it (RFC 9207): one that always does so must, and nobody may be somebody else.
    ///
    /// # Errors
    /// The provider does not say whether it does.
    pub async fn is_its_own(&self, named: Option<&str>, now: Time) -> Result<bool, Failed> {
        match named {
            Some(named) => Ok(named == self.config.spelling),
            None => Ok(!self.endpoints(now).await?.names_itself),
        }
    }

    /// Who has signed in there, once the code is redeemed, and the ID token that says so.
    ///
    /// # Errors
    /// Why nobody has, as far as we believe.
    pub async fn finish(&self, answered: &Answered<'_>, now: Time) -> Result<(SignedInAs, String), Failed> {
        let _place = self.places.try_acquire().map_err(|_| Failed::Busy)?;
        let endpoints = self.endpoints(now).await?;
        let asking = Asking { config: &self.config, secret: self.secret.as_ref(), endpoints: &endpoints };
        let tokens = exchange::redeem(&self.client, &asking, answered).await?;
        let oldest =
            |seconds: NonZeroU32| Time::from_millis(now.as_millis() - i64::from(seconds.get()) * 1_000);
        let expected = ExpectedIdToken {
            issuer: &self.config.spelling,
            client_id: &self.config.client_id,
            nonce: answered.asked.nonce,
            access_token: tokens.access_token.as_deref(),
            proved_since: answered.asked.anew_since.or(self.config.max_age_seconds.map(oldest)),
        };
        let jws = Jws::parse(&tokens.id_token)?;
        let published = self.cache.published(Some(jws.key_id()), now).await?;
        let who = jws.verify_id_token(&published.keys, (&expected, now))?;
        Ok((who, tokens.id_token))
    }

    async fn endpoints(&self, now: Time) -> Result<Endpoints, Failed> {
        let published = self.cache.published(None, now).await?;
        published.endpoints.clone().map_err(Failed::Unavailable)
    }
}
