//! Somebody on their way to a provider and back: what they wanted, kept by their own browser and marked by the node, which need not remember it. So nobody
//! fills a memory by beginning again and again, and every node of an address knows who comes back.
//!
//! The cookie alone is `SameSite=Lax`, since a browser comes back from another site. What goes to the provider (`state`, `nonce`, the verifier's digest) is
//! derived from the whole of it under the node's key, one word apart from each other: who knows one of them knows none of the others. That somebody came
//! back with it is in the ledger, so it signs in once.

use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::Digest;
use countersign_core::id::SessionId;
use countersign_core::once::Spent;
use countersign_core::text::Name;
use countersign_core::time::Time;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::super::super::Site;
use super::super::super::problem::Rejected;
use super::super::visit::{add, cookie, drawn};

const COOKIE: &str = "__Host-countersign-flow";

const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// How long somebody has to sign in at the provider, seconds.
const OPEN_SECONDS: u32 = 600;

/// By how much clocks of nodes may differ, seconds.
const SKEW_SECONDS: u32 = 60;

/// Longest page of ours that is gone on to, bytes: the whole must fit into a cookie.
const LONGEST_NEXT: usize = 1_024;

/// What they want there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Wish {
    /// To sign in, where somebody may have been signed in, and to see a page.
    SignIn { before: Option<SessionId>, next: String },
    /// To prove once more who they are, who are signed in.
    Again { session: SessionId },
    /// To be known by what the provider calls them.
    Link { session: SessionId },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    number: String,
    provider: Name,
    until_ms: i64,
    wish: Wish,
}

/// Somebody on their way.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    kept: Kept,
    cookie: String,
    pub state: String,
    pub nonce: String,
    /// The PKCE verifier.
    pub verifier: String,
}

impl Flow {
    /// Begins one.
    pub(super) fn begin(site: &Site, (provider, wish): (Name, Wish), now: Time) -> Result<Self, Rejected> {
        let wish = match wish {
            Wish::SignIn { before, next } if next.len() > LONGEST_NEXT => {
                Wish::SignIn { before, next: "/".to_owned() }
            }
            wish => wish,
        };
        let until_ms = now.plus_seconds(OPEN_SECONDS).as_millis();
        let kept = Kept { number: drawn::<16>()?, provider, until_ms, wish };
        let payload = serde_json::to_vec(&kept).map_err(|error| Rejected::unavailable(error.to_string()))?;
        Ok(Self::of(site, kept, &payload))
    }

    fn of(site: &Site, kept: Kept, payload: &[u8]) -> Self {
        let derived = |word: &[u8]| URL_SAFE_NO_PAD.encode(site.mark(&[b"sso", word, payload]).0);
        Self {
            kept,
            cookie: format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), derived(b"cookie")),
            state: derived(b"state"),
            nonce: derived(b"nonce"),
            verifier: derived(b"verifier"),
        }
    }

    /// The one that came back to this provider's address with this state, if it was begun in this browser and not too long ago.
    pub(super) fn returned(
        site: &Site,
        (headers, provider, state): (&HeaderMap, &Name, &str),
        now: Time,
    ) -> Option<Self> {
        let given = cookie(headers, COOKIE)?;
        let payload = URL_SAFE_NO_PAD.decode(given.split_once('.')?.0).ok()?;
        let marked = |word: &[u8]| URL_SAFE_NO_PAD.encode(site.mark(&[b"sso", word, &payload]).0);
        let is_ours = given.split_once('.')?.1.as_bytes().ct_eq(marked(b"cookie").as_bytes());
        if !bool::from(is_ours & state.as_bytes().ct_eq(marked(b"state").as_bytes())) {
            return None;
        }
        let kept: Kept = serde_json::from_slice(&payload).ok()?;
        let is_open = now.as_millis() < kept.until_ms && kept.provider == *provider;
        is_open.then(|| Self::of(site, kept, &payload))
    }

    pub(super) fn wish(&self) -> &Wish {
        &self.kept.wish
    }

    /// When it began, by the clock of the node where it did.
    pub(super) fn began_at(&self) -> Time {
        Time::from_millis(self.kept.until_ms - i64::from(OPEN_SECONDS) * 1_000)
    }

    /// That it was used.
    pub(super) fn spent(&self) -> Spent {
        let sha256 = Digest::of(&[b"countersign-sso-v1\n", self.state.as_bytes()].concat());
        Spent { sha256, until: Time::from_millis(self.kept.until_ms).plus_seconds(SKEW_SECONDS) }
    }

    /// The answer, with which the browser takes it along. Another one that it was on is over.
    pub(super) fn keep(&self, mut response: Response) -> Response {
        add(&mut response, &format!("{COOKIE}={}; Max-Age={OPEN_SECONDS}; {ATTRIBUTES}", self.cookie));
        response
    }
}

/// The answer to whoever came back: whatever came of it, they are not on their way any more.
pub(super) fn over(mut response: Response) -> Response {
    add(&mut response, &format!("{COOKIE}=; Max-Age=0; {ATTRIBUTES}"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PublicUrl;

    fn site(key: u8) -> Site {
        Site::new(PublicUrl::parse("https://countersign.example").unwrap(), [key; 32])
    }

    fn bringing(cookie: &str) -> HeaderMap {
        let line = format!("{COOKIE}={cookie}");
        HeaderMap::from_iter([(axum::http::header::COOKIE, line.parse().unwrap())])
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_begun_is_known_again_for_ten_minutes_by_its_cookie_its_state_and_its_provider_together() {
        let (site_1, now) = (site(1), Time::from_millis(1_000_000));
        let begin = || {
            let wish = Wish::SignIn { before: None, next: "/account".to_owned() };
            Flow::begin(&site_1, (name("corp"), wish), now).unwrap()
        };
        let (flow, other) = (begin(), begin());
        let returned = |site: &Site, cookie: &str, provider: &str, state: &str, now| {
            Flow::returned(site, (&bringing(cookie), &name(provider), state), now)
        };
        let back = returned(&site_1, &flow.cookie, "corp", &flow.state, now).expect("it is known");
        assert_eq!((back.kept.clone(), back.verifier.clone()), (flow.kept.clone(), flow.verifier.clone()));
        assert_eq!((back.began_at(), back.spent()), (now, flow.spent()));
        assert_ne!(flow.spent().sha256, other.spent().sha256);

        let last = now.plus_seconds(OPEN_SECONDS);
        let before = Time::from_millis(last.as_millis() - 1);
        assert!(returned(&site_1, &flow.cookie, "corp", &flow.state, before).is_some());
        assert!(returned(&site_1, &flow.cookie, "corp", &flow.state, last).is_none(), "too late");
        assert!(returned(&site(2), &flow.cookie, "corp", &flow.state, now).is_none(), "another node's");
        assert!(returned(&site_1, &flow.cookie, "other", &flow.state, now).is_none(), "another provider's");
        assert!(returned(&site_1, &flow.cookie, "corp", &other.state, now).is_none(), "another one's state");
        assert!(returned(&site_1, &other.cookie, "corp", &flow.state, now).is_none(), "another browser's");
        for odd in ["", ".", "AAAA", "AAAA.AAAA", &flow.cookie[1..], &format!("{}A", flow.cookie)] {
            assert!(returned(&site_1, odd, "corp", &flow.state, now).is_none(), "{odd}");
        }
        let words = [&flow.state, &flow.nonce, &flow.verifier];
        assert_eq!(std::collections::BTreeSet::from(words).len(), 3, "none tells another");
        assert!(words.iter().all(|word| !flow.cookie.contains(word.as_str())));
    }

    #[test]
    fn no_cookie_grows_beyond_what_browsers_keep() {
        let wish =
            Wish::SignIn { before: Some(SessionId(u128::MAX)), next: format!("/{}", "a".repeat(5_000)) };
        let flow =
            Flow::begin(&site(1), ("c".repeat(64).parse().unwrap(), wish), Time::from_millis(0)).unwrap();
        assert!(matches!(flow.wish(), Wish::SignIn { next, .. } if next == "/"));
        let wish = Wish::SignIn { before: Some(SessionId(u128::MAX)), next: "/".repeat(LONGEST_NEXT) };
        let flow =
            Flow::begin(&site(1), ("c".repeat(64).parse().unwrap(), wish), Time::from_millis(0)).unwrap();
        assert!(flow.cookie.len() + COOKIE.len() + ATTRIBUTES.len() < 3_000, "{}", flow.cookie.len());
    }
}
