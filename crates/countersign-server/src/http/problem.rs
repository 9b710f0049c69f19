//! RFC 9457 answers, and the one table from refusals to statuses.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_api::problem::Problem;
use countersign_core::policy::Missing;
use countersign_core::{Refusal, approval, log, permit, person, rotation};

use super::names::{Known, missing};
use crate::engine::EngineError;

/// Why a request gets no other answer. Boxed, because answers are rarely problems.
#[derive(Debug)]
pub(super) struct Rejected(Box<Problem>);

/// What a problem says.
pub(super) struct Words<'a> {
    pub code: &'a str,
    pub detail: String,
    pub hint: &'a str,
}

impl Rejected {
    pub(super) fn new(status: StatusCode, words: Words<'_>) -> Self {
        Self(Box::new(Problem {
            kind: format!("about:blank#{}", words.code),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: words.detail,
            code: words.code.to_owned(),
            hint: words.hint.to_owned(),
            missing: Vec::new(),
            request: None,
        }))
    }

    pub(super) fn no_such_route() -> Self {
        let words = Words {
            code: "not_found",
            detail: "there is nothing here".into(),
            hint: "see /openapi.json for what there is",
        };
        Self::new(StatusCode::NOT_FOUND, words)
    }

    /// There is no such thing of this kind.
    pub(super) fn not_found(kind: &str, id: &str) -> Self {
        let detail = format!("there is no {kind} `{}`", id.escape_debug());
        let code = format!("{kind}_not_found");
        Self::new(
            StatusCode::NOT_FOUND,
            Words { code: &code, detail, hint: "list them to see what there is" },
        )
    }

    /// What the client sent is not what the field takes.
    pub(super) fn malformed(what: impl std::fmt::Display) -> Self {
        let words =
            Words { code: "malformed", detail: what.to_string(), hint: "see /openapi.json for the form" };
        Self::new(StatusCode::BAD_REQUEST, words)
    }

    /// A refusal, with names for the people it speaks of.
    pub(super) fn refused(refusal: &Refusal, known: &Known) -> Self {
        let words = Words { code: refusal.code(), detail: refusal.to_string(), hint: refusal.hint() };
        let mut rejected = Self::new(status(refusal), words);
        rejected.0.missing = missing(missing_of(refusal), known);
        rejected
    }

    /// Adds a ready-made body for asking.
    pub(super) fn with_request(mut self, request: serde_json::Value) -> Self {
        self.0.request = Some(request);
        self
    }
}

impl From<EngineError> for Rejected {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Refused(refusal) => Self::refused(&refusal, &Known::default()),
            EngineError::IdempotencyMismatch => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Words {
                    code: "idempotency_mismatch",
                    detail: error.to_string(),
                    hint: "draw a new key for another request",
                },
            ),
            EngineError::Unavailable(_) | EngineError::Stopped => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Words {
                    code: "unavailable",
                    detail: error.to_string(),
                    hint: "nothing was changed; try again later",
                },
            ),
        }
    }
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(*self.0)).into_response()
    }
}

fn missing_of(refusal: &Refusal) -> &[Missing] {
    match refusal {
        Refusal::Approval(approval::Refusal::Unsatisfiable(missing))
        | Refusal::Permit(
            permit::Refusal::ApprovalRequired(missing) | permit::Refusal::ApprovalPending(missing),
        )
        | Refusal::Log(log::Refusal::ActivationUnsatisfiable(missing)) => missing,
        _ => &[],
    }
}

/// The table. Every refusal has a row; a new one does not compile without.
fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Log(refusal) => of_log(refusal),
        Refusal::Person(refusal) => match refusal {
            person::Refusal::NotTheNode | person::Refusal::UnknownClaim => StatusCode::FORBIDDEN,
            person::Refusal::UnknownPerson => StatusCode::NOT_FOUND,
            person::Refusal::CredentialInUse => StatusCode::CONFLICT,
        },
        Refusal::Approval(refusal) => of_approval(refusal),
        Refusal::Permit(refusal) => of_permit(refusal),
        Refusal::Rotation(refusal) => of_rotation(refusal),
    }
}

fn of_log(refusal: &log::Refusal) -> StatusCode {
    use log::Refusal as R;
    match refusal {
        R::AlreadyInitialised | R::NotInitialised => StatusCode::CONFLICT,
        R::Flawed(_) | R::UnknownMember(_) | R::NoActivationRule | R::ActivationUnsatisfiable(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

fn of_approval(refusal: &approval::Refusal) -> StatusCode {
    use approval::Refusal as R;
    match refusal {
        R::NotFound => StatusCode::NOT_FOUND,
        R::NotAPerson
        | R::SelfApproval
        | R::NotTheRequester
        | R::NoRule
        | R::NotARequester
        | R::NotAnApprover => StatusCode::FORBIDDEN,
        R::NotNeeded
        | R::Unsatisfiable(_)
        | R::Consumed
        | R::Denied
        | R::Withdrawn
        | R::Expired
        | R::PolicyChanged
        | R::AlreadyVoted
        | R::AlreadyApproved => StatusCode::CONFLICT,
    }
}

fn of_permit(refusal: &permit::Refusal) -> StatusCode {
    use permit::Refusal as R;
    match refusal {
        R::NotFound | R::ApprovalNotFound => StatusCode::NOT_FOUND,
        R::NotAPerson | R::NoRule | R::NotAnExecutor | R::NotTheExecutor => StatusCode::FORBIDDEN,
        R::ApprovalRequired(_) => StatusCode::PRECONDITION_REQUIRED,
        R::ActionMismatch
        | R::ParametersMismatch
        | R::ApprovalConsumed
        | R::ApprovalDenied
        | R::ApprovalWithdrawn
        | R::ApprovalExpired
        | R::PolicyChanged
        | R::ApprovalPending(_)
        | R::UseRotation
        | R::NotStarted
        | R::AlreadyStarted
        | R::Released
        | R::Lapsed
        | R::Closed
        | R::Unknown => StatusCode::CONFLICT,
    }
}

fn of_rotation(refusal: &rotation::Refusal) -> StatusCode {
    use rotation::Refusal as R;
    match refusal {
        R::NotFound => StatusCode::NOT_FOUND,
        R::NotTheRunner | R::NotAPerson | R::NotAnExecutor => StatusCode::FORBIDDEN,
        R::NotGoverned
        | R::NotAdopted
        | R::SecretBusy
        | R::ParametersMismatch
        | R::OverlapTooShort { .. }
        | R::Finished
        | R::AlreadyTurnedBack
        | R::PastRevocation
        | R::TaskNotDue => StatusCode::CONFLICT,
    }
}
