//! What a caller is told instead of the handler's answer: RFC 9457 problems with the codes and the ready-made request of the node.

use std::error::Error;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_api::problem::Problem;

use crate::ClientError;

/// Why there is no permit: 428 with a request to be made, 403 with reasons, or 503 because nobody could be asked.
pub(super) fn not_permitted(error: ClientError) -> Response {
    match error {
        ClientError::Problem(problem) => match problem.status {
            428 => tell(StatusCode::PRECONDITION_REQUIRED, *problem),
            // Whatever the node says no to is forbidden to the caller, whoever of the two is at fault.
            400 | 403 | 404 | 409 | 422 => tell(StatusCode::FORBIDDEN, *problem),
            _ => unavailable(),
        },
        _ => unavailable(),
    }
}

/// The body is larger than what is taken in, or did not arrive.
pub(super) fn unreadable(error: &axum::Error, max_body: usize) -> Response {
    let mut cause: Option<&dyn Error> = Some(error);
    let mut too_large = false;
    while let Some(error) = cause {
        too_large |= error.to_string().contains("length limit exceeded");
        cause = error.source();
    }
    if too_large {
        let words = Words {
            code: "body_too_large",
            detail: format!("the body is larger than {max_body} bytes"),
            hint: "nothing was done; send less",
        };
        return problem(StatusCode::PAYLOAD_TOO_LARGE, words);
    }
    let words = Words {
        code: "malformed",
        detail: "the body did not arrive whole".to_owned(),
        hint: "nothing was done; send it again",
    };
    problem(StatusCode::BAD_REQUEST, words)
}

/// The header with the approval cannot be understood.
pub(super) fn ambiguous_approval() -> Response {
    let words = Words {
        code: "malformed",
        detail: "`Countersign-Approval` is given more than once, or is not plain text".to_owned(),
        hint: "name the one approval of exactly this",
    };
    problem(StatusCode::BAD_REQUEST, words)
}

/// A header with exceptions cannot be understood.
pub(super) fn ambiguous_exception() -> Response {
    let words = Words {
        code: "malformed",
        detail: "`Countersign-Exception` names nothing, or is not plain text".to_owned(),
        hint: "name the approvals of exceptions from the freezes that hold this, with commas between them",
    };
    problem(StatusCode::BAD_REQUEST, words)
}

/// Who could say whether it is allowed was not reached, or does not know the application. The caller learns no more than that.
fn unavailable() -> Response {
    let words = Words {
        code: "guard_unavailable",
        detail: "it could not be established whether this is allowed, so it was not done".to_owned(),
        hint: "try again later",
    };
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, words);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

struct Words {
    code: &'static str,
    detail: String,
    hint: &'static str,
}

fn problem(status: StatusCode, words: Words) -> Response {
    let Words { code, detail, hint } = words;
    let problem = Problem {
        kind: format!("urn:countersign:problem:{code}"),
        title: String::new(),
        status: status.as_u16(),
        detail,
        code: code.to_owned(),
        hint: hint.to_owned(),
        missing: Vec::new(),
        rules: Vec::new(),
        could: Vec::new(),
        request: None,
        request_id: None,
    };
    tell(status, problem)
}

fn tell(status: StatusCode, problem: Problem) -> Response {
    let title = status.canonical_reason().unwrap_or("Error").to_owned();
    let problem = Problem { title, status: status.as_u16(), ..problem };
    let mut response = (status, Json(problem)).into_response();
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
