//! Browsers in which somebody signed in with their password before. They are counted by themselves, so that whoever tries passwords elsewhere keeps
//! nobody waiting where they always come from, also behind a proxy that makes one network of everybody.
//!
//! Such a browser has a cookie that the node marked for this account and this very password; it signs nobody in. Stolen, it is good for a few tries more.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::super::super::problem::Rejected;
use super::super::super::{App, Site};
use super::super::visit::{bits, cookie, drawn, keep};
use crate::sign_in::verifiers::Account;

const COOKIE: &str = "__Host-countersign-known";

/// For how long a browser is known that does not come again, seconds: 90 days.
const KNOWN_SECONDS: u32 = 90 * 24 * 3_600;

/// What a browser shows of where somebody signed in before: a number and its mark.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct KnownBrowser(Option<(String, String)>);

impl<S: Sync> FromRequestParts<S> for KnownBrowser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let shown = cookie(&parts.headers, COOKIE).and_then(|shown| shown.split_once('.'));
        let shown = shown.filter(|(number, _)| bits::<16>(number).is_some());
        Ok(Self(shown.map(|(number, mark)| (number.to_owned(), mark.to_owned()))))
    }
}

impl KnownBrowser {
    /// Its number, if it is one in which this account's password signed in.
    pub(super) fn number(&self, app: &App, account: &Account) -> Option<&str> {
        let (number, shown) = self.0.as_ref()?;
        let expected = mark(app.site.as_deref()?, account, number);
        bool::from(expected.as_bytes().ct_eq(shown.as_bytes())).then_some(number)
    }
}

/// The answer to whoever signed in by their password just now.
pub(super) fn remember(app: &App, account: &Account, response: Response) -> Result<Response, Rejected> {
    let number = drawn::<16>()?;
    let value = format!("{number}.{}", mark(app.site()?, account, &number));
    Ok(keep(response, (COOKIE, &value), KNOWN_SECONDS))
}

fn mark(site: &Site, account: &Account, number: &str) -> String {
    let person = account.person().to_string();
    let verifier = account.verifier_sha256();
    URL_SAFE_NO_PAD
        .encode(site.mark(&[b"known-browser", person.as_bytes(), &verifier.0, number.as_bytes()]).0)
}
