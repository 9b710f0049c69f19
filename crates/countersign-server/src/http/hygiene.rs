//! What every answer tells a browser, so that it does with it no more than is meant: run only our scripts, frame nothing, keep nothing.
//!
//! It is said to everybody and of everything: whoever opens an answer of the API in a browser shall be as safe as on a page.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Where scripts and styles of the pages are. Their names change with their bytes.
pub(super) const ASSETS: &str = "/static/";

/// Two years, as browsers' lists ask for.
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// What is the same for all.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "camera=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-create=(self), \
             publickey-credentials-get=(self)",
        ),
    ),
];

/// What is told to browsers beside the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hygiene {
    /// They may come in clear.
    Lenient,
    /// They shall never come in clear again.
    Strict,
}

impl Hygiene {
    /// Adds it to an answer.
    pub(super) fn add(self, headers: &mut HeaderMap, (whose, status): (Whose, StatusCode)) {
        for (name, value) in ALWAYS {
            headers.insert(name, value);
        }
        if self == Self::Strict {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
        }
        // A tile that is not there yet will be: nobody may remember that it was not.
        if !(whose == Whose::Everybodys && status.is_success()) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

/// Whose an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Anybody on the way may keep it.
    Everybodys,
    /// Nobody may.
    Somebodys,
}

impl Whose {
    /// The log is public as a whole, and so is what pages are made with. All else is somebody's.
    pub(super) fn at(path: &str) -> Self {
        if path.starts_with("/ledger/") || path.starts_with(ASSETS) {
            Self::Everybodys
        } else {
            Self::Somebodys
        }
    }
}
