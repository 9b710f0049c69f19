//! What can go wrong with a call, sorted by what the caller would do about it.

use countersign_api::problem::Problem;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server says why not.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// Nobody answered. Whether the request took effect is not known, unless it can be repeated.
    #[error("cannot reach `{server}`")]
    Unreachable {
        /// The server, without any credential.
        server: String,
        /// What the network said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody answered, but not as this version of the API does.
    #[error("`{server}` answered {what}")]
    Unexpected {
        /// The server, without any credential.
        server: String,
        /// The HTTP status, if there was one.
        status: Option<u16>,
        /// What was wrong with the answer.
        what: String,
    },
    /// The client was given something it cannot work with.
    #[error("{0}")]
    Unusable(String),
}

/// Errors by what one would do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Correct the request or the settings.
    Malformed,
    /// Present a credential that somebody holds.
    NotSignedIn,
    /// The rules say no: read the hint.
    Refused,
    /// There is no such thing.
    NotFound,
    /// Try again later.
    Unavailable,
    /// Report it.
    Unexpected,
}

impl ClientError {
    /// What one would do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Problem(problem) => of_status(problem.status),
            Self::Unreachable { .. } => ErrorKind::Unavailable,
            // A gateway in between speaks for a server that does not.
            Self::Unexpected { status: Some(502..=504), .. } => ErrorKind::Unavailable,
            Self::Unexpected { .. } => ErrorKind::Unexpected,
            Self::Unusable(_) => ErrorKind::Malformed,
        }
    }

    /// Whether the server says that there is no such thing, in whichever form.
    pub(crate) fn is_not_found(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.status == 404,
            Self::Unexpected { status, .. } => *status == Some(404),
            Self::Unreachable { .. } | Self::Unusable(_) => false,
        }
    }

    /// The stable code, where the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

fn of_status(status: u16) -> ErrorKind {
    match status {
        400 | 405 | 413 | 415 | 422 => ErrorKind::Malformed,
        401 => ErrorKind::NotSignedIn,
        403 | 409 | 428 => ErrorKind::Refused,
        404 => ErrorKind::NotFound,
        429 | 502..=504 => ErrorKind::Unavailable,
        _ => ErrorKind::Unexpected,
    }
}
