//! RFC 9457 answers: what a client is told when a request gets no other answer.
//!
//! A rejection travels as an extension of an empty response; the envelope writes it out, because only there the request's id is known.
//! `status` is the one table from refusals to statuses.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_api::PersonRef;
use countersign_api::problem::{Missing, Problem};
use countersign_core::Refusal;

use super::names::{Known, missing};
use crate::engine::EngineError;

mod status;

/// What stands before the code in a problem's `type`: a name, not a link, so nothing has to be served there.
const TYPE: &str = "urn:countersign:problem:";

/// Why a request gets no other answer. Boxed, because answers are rarely problems.
#[derive(Clone, Debug)]
pub(super) struct Rejected {
    problem: Box<Problem>,
    after_seconds: Option<u32>,
}

/// What a problem says.
pub(super) struct Words<'a> {
    pub code: &'a str,
    pub detail: String,
    pub hint: &'a str,
}

impl Rejected {
    pub(super) fn new(status: StatusCode, words: Words<'_>) -> Self {
        let problem = Box::new(Problem {
            kind: format!("{TYPE}{}", words.code),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: words.detail,
            code: words.code.to_owned(),
            hint: words.hint.to_owned(),
            missing: Vec::new(),
            rules: Vec::new(),
            could: Vec::new(),
            request: None,
            request_id: None,
        });
        Self { problem, after_seconds: None }
    }

    /// When to try again.
    pub(super) fn after(self, seconds: u32) -> Self {
        Self { after_seconds: Some(seconds), ..self }
    }

    /// What is said for an answer that no handler of ours gave: no route, no such method on it, or none in time.
    pub(super) fn unrouted(status: StatusCode, method: &Method, headers: &HeaderMap) -> Self {
        let allowed = headers.get(header::ALLOW).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let hint = format!("allowed here: {allowed}");
        let words = match status {
            StatusCode::NOT_FOUND => Words {
                code: "not_found",
                detail: "there is nothing here".into(),
                hint: "see /openapi.json for what there is",
            },
            StatusCode::METHOD_NOT_ALLOWED => Words {
                code: "method_not_allowed",
                detail: format!("`{}` is not possible here", method.as_str().escape_debug()),
                hint: &hint,
            },
            StatusCode::REQUEST_TIMEOUT => Words {
                code: "request_timeout",
                detail: "the request took too long".into(),
                hint: "send the same request again, with the same `Idempotency-Key`",
            },
            _ => Words {
                code: "unexpected",
                detail: "the request was not understood".into(),
                hint: "see /openapi.json for the form",
            },
        };
        Self::new(status, words)
    }

    /// There is no such thing of this kind.
    pub(super) fn not_found(kind: &str, id: &str) -> Self {
        let detail = format!("there is no {kind} `{}`", id.escape_debug());
        let code = format!("{kind}_not_found");
        let words = Words { code: &code, detail, hint: "list them to see what there is" };
        Self::new(StatusCode::NOT_FOUND, words)
    }

    /// What the client sent is not what the field takes.
    pub(super) fn malformed(what: impl std::fmt::Display) -> Self {
        let words =
            Words { code: "malformed", detail: what.to_string(), hint: "see /openapi.json for the form" };
        Self::new(StatusCode::BAD_REQUEST, words)
    }

    /// The node cannot decide now, and why.
    pub(super) fn unavailable(why: String) -> Self {
        let words = Words { code: "unavailable", detail: why, hint: "nothing was changed; try again later" };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, words)
    }

    /// A refusal, with names for the people it speaks of.
    pub(super) fn refused(refusal: &Refusal, known: &Known) -> Self {
        let words = Words { code: refusal.code(), detail: refusal.to_string(), hint: refusal.hint() };
        let mut rejected = Self::new(status::of(refusal), words);
        rejected.problem.missing = missing(refusal.missing(), known);
        rejected
    }

    /// An engine's error, with names for the people a refusal speaks of.
    pub(super) fn failed(error: EngineError, known: &Known) -> Self {
        match error {
            EngineError::Refused(refusal) => Self::refused(&refusal, known),
            EngineError::IdempotencyMismatch => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Words {
                    code: "idempotency_mismatch",
                    detail: error.to_string(),
                    hint: "draw a new key for another request",
                },
            ),
            EngineError::Unverified(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Words {
                    code: "unverified",
                    detail: error.to_string(),
                    hint: "nothing was changed; look at the signers",
                },
            ),
            EngineError::Stale(why) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Words {
                    code: "stale",
                    detail: why,
                    hint: "nothing was changed; try again, and if it stays look at `/readyz` and the node's log",
                },
            ),
            EngineError::Unknown(why) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Words {
                    code: "outcome_unknown",
                    detail: why,
                    hint: "it may have happened: send the same request again with the same `Idempotency-Key`, or look before you send another",
                },
            ),
            EngineError::Unavailable(_) | EngineError::Stopped => Self::unavailable(error.to_string()),
        }
    }

    /// Adds which rules say so, and who could do it instead.
    pub(super) fn with_reasons(mut self, (rules, could): (Vec<String>, Vec<PersonRef>)) -> Self {
        (self.problem.rules, self.problem.could) = (rules, could);
        self
    }

    /// Says whose agreement is missing.
    pub(super) fn with_missing(mut self, missing: Vec<Missing>) -> Self {
        self.problem.missing = missing;
        self
    }

    /// Adds a ready-made body for asking.
    pub(super) fn with_request(mut self, request: serde_json::Value) -> Self {
        self.problem.request = Some(request);
        self
    }

    /// The same problem, but with `status` where it had `this` one.
    pub(super) fn instead_of(mut self, this: StatusCode, status: StatusCode) -> Self {
        if self.status() == this {
            self.problem.status = status.as_u16();
            self.problem.title = status.canonical_reason().unwrap_or("Error").to_owned();
        }
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The stable code.
    pub(super) fn code(&self) -> &str {
        &self.problem.code
    }

    /// What is wrong.
    pub(super) fn detail(&self) -> &str {
        &self.problem.detail
    }

    /// What it says, for an answer that is no problem itself.
    pub(super) fn into_problem(self) -> Problem {
        *self.problem
    }

    /// The problem as it goes out, under the id by which the node's log speaks of the request.
    pub(super) fn told(mut self, request_id: &str) -> Problem {
        self.problem.request_id = Some(request_id.to_owned());
        *self.problem
    }
}

impl From<EngineError> for Rejected {
    fn from(error: EngineError) -> Self {
        Self::failed(error, &Known::default())
    }
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Some(seconds) = self.after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
