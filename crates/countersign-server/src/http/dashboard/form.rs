//! What a form sends: from our own pages only, bounded, each field known and given once, with the token of whose form it is and of which.
//!
//! Three things keep other sites from sending our forms, and each would do: cookies do not come with what they begin, browsers say where a
//! request comes from, and nobody else knows the token.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as Unfit, MapDeserializer};
use subtle::ConstantTimeEq as _;

use super::super::body::{self, plainly};
use super::super::problem::{Rejected, Words};
use super::super::{App, Site};

const TOKEN: &str = "token";

/// What came, from a page of ours; the token is still to be looked at.
pub(super) struct Posted {
    path: String,
    fields: Vec<(String, String)>,
}

impl FromRequest<App> for Posted {
    type Rejection = Rejected;

    async fn from_request(request: Request, app: &App) -> Result<Self, Rejected> {
        is_ours(request.headers(), app.site()?)?;
        is_form(request.headers())?;
        let path = request.uri().path().to_owned();
        let bytes = body::whole(request.into_body()).await?;
        let fields = serde_urlencoded::from_bytes(&bytes).map_err(Rejected::malformed)?;
        Ok(Self { path, fields })
    }
}

impl Posted {
    /// The fields, if the form was given to this holder.
    pub(super) fn read<T: DeserializeOwned>(self, app: &App, holder: &str) -> Result<T, Rejected> {
        let Self { path, fields } = self;
        let (tokens, fields): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| name == TOKEN);
        let expected = token(app, holder, &path);
        let is_it = |given: &str| bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
        match tokens.as_slice() {
            [(_, given)] if is_it(given) => {}
            _ => return Err(stale()),
        }
        let fields = MapDeserializer::<_, Unfit>::new(fields.into_iter());
        T::deserialize(fields).map_err(|error| Rejected::malformed(plainly(&error.to_string())))
    }
}

/// A form without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// The token of a form that is sent to this path.
pub(super) fn token(app: &App, holder: &str, path: &str) -> String {
    let mark = app.site.as_ref().map(|site| site.mark(&[b"form", holder.as_bytes(), path.as_bytes()]));
    mark.map(|mark| URL_SAFE_NO_PAD.encode(mark.0)).unwrap_or_default()
}

/// Something that says something.
pub(super) fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.trim().is_empty())
}

pub(super) fn stale() -> Rejected {
    let words = Words {
        code: "form_stale",
        detail: "the form is not one that you were given here and now".into(),
        hint: "go back, load the page again, and send it once more",
    };
    Rejected::new(StatusCode::FORBIDDEN, words)
}

/// Browsers say of every request what began it. The origin alone would not do: pages that tell nobody where people come from send `null`.
fn is_ours(headers: &HeaderMap, site: &Site) -> Result<(), Rejected> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = header("origin");
    let is_fine = match (header("sec-fetch-site"), origin) {
        (Some("same-origin"), None | Some("null")) => true,
        (Some("same-origin") | None, Some(origin)) => origin == site.origin(),
        _ => false,
    };
    if is_fine {
        return Ok(());
    }
    let words = Words {
        code: "cross_site",
        detail: format!("this was sent from a page that is none of `{}`", site.origin()),
        hint: "open the page there and send the form from it",
    };
    Err(Rejected::new(StatusCode::FORBIDDEN, words))
}

fn is_form(headers: &HeaderMap) -> Result<(), Rejected> {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(());
    }
    let words = Words {
        code: "unsupported_media_type",
        detail: "a form is what is taken here".into(),
        hint: "programs use the API: see /openapi.json",
    };
    Err(Rejected::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words))
}
