//! What a token request is answered: a token (RFC 8693, section 2.2.1), or one of OAuth's few errors (RFC 6749, section 5.2), with our code beside it.
//!
//! Nothing of it may be kept by anybody in between.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_api::oauth::{TokenError, TokenResponse};
use countersign_core::{Refusal, permit, token};

use super::super::envelope::{CHALLENGE, OwnWords};
use super::super::possession::USE_NONCE;
use super::super::problem::Rejected;
use crate::issuers::Unbelieved;

/// OAuth's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// Also for a subject token that is not accepted, whatever the reason (RFC 8693, section 2.2.2).
    InvalidRequest,
    InvalidClient,
    InvalidScope,
    InvalidTarget,
    /// RFC 9449, section 5.
    InvalidDpopProof,
    /// RFC 9449, section 8.
    UseDpopNonce,
    UnsupportedGrantType,
    /// The node cannot tell now, or too much that is wrong came from there.
    TemporarilyUnavailable,
}

impl Error {
    fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Why there is no token.
#[derive(Debug)]
pub(super) struct Denied {
    status: StatusCode,
    retry_after: Option<u32>,
    body: TokenError,
}

impl Denied {
    /// An error with its code, its words and a hint.
    pub(super) fn new(error: Error, (code, what, hint): (&str, &str, &str)) -> Self {
        let status = error.status();
        let body = TokenError {
            error: error.as_str().to_owned(),
            error_description: plain(what),
            code: code.to_owned(),
            hint: hint.to_owned(),
        };
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { status, retry_after, body }
    }

    /// The request is no token request.
    pub(super) fn malformed(what: &str) -> Self {
        Self::new(Error::InvalidRequest, ("malformed", what, "see RFC 8693, section 2.1, and /openapi.json"))
    }

    /// Too much that is wrong came from there.
    pub(super) fn waiting(seconds: u32) -> Self {
        let words = (
            "too_many_tokens",
            "too many tokens that are not accepted were sent from here, or from everywhere",
            "send another after the seconds that `Retry-After` says; one that is accepted does not wait",
        );
        let denied = Self::new(Error::TemporarilyUnavailable, words);
        Self { status: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(seconds), ..denied }
    }

    pub(super) fn unbelieved(why: &Unbelieved) -> Self {
        let error = match why {
            Unbelieved::Unavailable(_) => Error::TemporarilyUnavailable,
            _ => Error::InvalidRequest,
        };
        Self::new(error, (why.code(), &why.to_string(), why.hint()))
    }

    /// A refusal in OAuth's words; `named` where the request names what it wants as `audience`.
    pub(super) fn refused(refusal: &Refusal, named: bool) -> Self {
        let error = match refusal {
            Refusal::Token(refusal) => of_token(refusal, named),
            Refusal::Permit(permit::Refusal::Frozen(_)) => Error::InvalidTarget,
            _ => Error::InvalidRequest,
        };
        Self::new(error, (refusal.code(), &refusal.to_string(), refusal.hint()))
    }

    /// The stable code.
    pub(super) fn code(&self) -> &str {
        &self.body.code
    }

    /// Whether nothing was wrong with the request.
    pub(super) fn is_ours(&self) -> bool {
        self.status.is_server_error()
    }
}

fn of_token(refusal: &token::Refusal, named: bool) -> Error {
    use token::Refusal as R;
    match refusal {
        R::NoScope | R::TooMany | R::ScopeNotOffered(_) => Error::InvalidScope,
        R::WorkloadAmbiguous => Error::InvalidTarget,
        R::WorkloadUnknown if named => Error::InvalidTarget,
        _ => Error::InvalidRequest,
    }
}

impl From<Rejected> for Denied {
    fn from(rejected: Rejected) -> Self {
        let (status, problem) = (rejected.status(), rejected.into_problem());
        let ours = status.is_server_error();
        let error = match problem.code.as_str() {
            _ if ours => Error::TemporarilyUnavailable,
            USE_NONCE => Error::UseDpopNonce,
            code if code.starts_with("dpop_") => Error::InvalidDpopProof,
            _ => Error::InvalidRequest,
        };
        let denied = Self::new(error, (&problem.code, &problem.detail, &problem.hint));
        // A body that is too large or too slow has a status of its own.
        let own = [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if own { Self { status, ..denied } } else { denied }
    }
}

/// What `error_description` may consist of: visible ASCII and spaces, without `"` and `\`.
fn plain(text: &str) -> String {
    let replaced = |letter: char| match letter {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => letter,
        _ => '?',
    };
    text.chars().map(replaced).collect()
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let mut response = unkept((self.status, Json(self.body)).into_response());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        response.extensions_mut().insert(OwnWords);
        response
    }
}

/// A token, told once.
pub(super) struct Granted(pub TokenResponse);

impl IntoResponse for Granted {
    fn into_response(self) -> Response {
        unkept(Json(self.0).into_response())
    }
}

fn unkept(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
