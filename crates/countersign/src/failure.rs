//! Errors as people and scripts meet them: what went wrong, why, what to do, and an exit code by kind.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use countersign_client::{ClientError, ErrorKind};
use countersign_evidence::permit::Untrusted;
use countersign_evidence::verify::Unverified;
use countersign_server::config::ConfigError;
use countersign_server::evidence::ExportError;
use countersign_server::node::NodeError;
use countersign_server::store::StoreError;
use countersign_server::verification::VerificationError;
use countersign_server::witness::WitnessError;
use serde_json::json;

use crate::output::{Unwritable, visible};

/// What kind of error it was, as the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody foresaw it: 1.
    Unexpected,
    /// The rules say no: 3.
    Refused,
    /// There is no credential, or nobody holds it: 4.
    NotSignedIn,
    /// The server or the store does not answer now: 5.
    Unavailable,
    /// What was verified is not what it should be: 6.
    Unverified,
    /// There is no such thing: 7.
    NotFound,
    /// The input or the configuration is wrong: 8.
    Malformed,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Unexpected => 1,
            Self::Refused => 3,
            Self::NotSignedIn => 4,
            Self::Unavailable => 5,
            Self::Unverified => 6,
            Self::NotFound => 7,
            Self::Malformed => 8,
        }
    }

    /// The code in JSON, where the server or the verification gave no better one.
    fn word(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Refused => "refused",
            Self::NotSignedIn => "not_signed_in",
            Self::Unavailable => "unavailable",
            Self::Unverified => "unverified",
            Self::NotFound => "not_found",
            Self::Malformed => "malformed",
        }
    }
}

/// The exit codes, for the help.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 done, 1 unexpected, 2 usage, 3 refused by the rules, 4 not signed in, \
5 unavailable, 6 verification failed, 7 not found, 8 malformed input or configuration; `approval wait` ends with 10 denied, 11 expired, 12 withdrawn";

/// An error this program itself found, with advice.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    what: String,
    hint: Option<String>,
    /// Whether what was printed says it all.
    told: bool,
    /// The exit code, where it is not the kind's.
    exit: Option<u8>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None, told: false, exit: None }
    }

    /// Says nothing more: only the exit code is left.
    pub(crate) fn told(self) -> Self {
        Self { told: true, ..self }
    }

    /// Ends with this exit code instead: that of a command which was run.
    pub(crate) fn exit(self, code: u8) -> Self {
        Self { exit: Some(code), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// Tells the error on standard error, or as JSON on standard output, and gives the exit code.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    if error.downcast_ref().is_some_and(Unwritable::is_closed) {
        return ExitCode::SUCCESS;
    }
    if error.downcast_ref().is_some_and(|failure: &Failure| failure.told) {
        return code(error);
    }
    let written = if json { as_json(error) } else { as_text(error) };
    // Where even the error cannot be written, the exit code still speaks.
    drop(written);
    code(error)
}

fn code(error: &anyhow::Error) -> ExitCode {
    let given = error.downcast_ref().and_then(|failure: &Failure| failure.exit);
    ExitCode::from(given.unwrap_or_else(|| kind(error).code()))
}

fn as_json(error: &anyhow::Error) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(ClientError::Problem(problem)) = error.downcast_ref() {
        return writeln!(out, "{}", serde_json::to_string(problem)?);
    }
    let (code, index) = named(error).unwrap_or((kind(error).word().into(), None));
    let document =
        json!({ "code": code, "detail": format!("{error:#}"), "hint": hint(error), "index": index });
    writeln!(out, "{document}")
}

/// The stable code of what a verification found, and the entry it is about.
fn named(error: &anyhow::Error) -> Option<(Cow<'_, str>, Option<u64>)> {
    if let Some(Unverified { lie, .. }) = error.downcast_ref() {
        return Some((lie.code.as_str().into(), lie.entry));
    }
    if let Some(untrusted) = error.downcast_ref::<Untrusted>() {
        return Some((untrusted.code().into(), None));
    }
    error.downcast_ref().map(|error: &VerificationError| (error.code(), error.index()))
}

fn as_text(error: &anyhow::Error) -> std::io::Result<()> {
    let mut out = std::io::stderr().lock();
    writeln!(out, "error: {}", visible(&error.to_string()))?;
    for cause in error.chain().skip(1) {
        writeln!(out, "  because: {}", visible(&cause.to_string()))?;
    }
    if let Some(ClientError::Problem(problem)) = error.downcast_ref() {
        for missing in &problem.missing {
            let names = missing.could.iter().map(|person| person.name.as_deref().unwrap_or(&person.id));
            let names = names.collect::<Vec<_>>().join(", ");
            writeln!(out, "  needs {} more of {}: {}", missing.needed, missing.group, visible(&names))?;
        }
        if !problem.rules.is_empty() {
            writeln!(out, "  by the rules: {}", visible(&problem.rules.join(", ")))?;
        }
        let could = problem.could.iter().map(|person| person.name.as_deref().unwrap_or(&person.id));
        let could = could.collect::<Vec<_>>().join(", ");
        if !could.is_empty() {
            writeln!(out, "  possible for: {}", visible(&could))?;
        }
        writeln!(out, "  code: {}", visible(&problem.code))?;
    }
    match hint(error) {
        Some(hint) => writeln!(out, "hint: {}", visible(&hint)),
        None => Ok(()),
    }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(Failure { hint, .. }) = error.downcast_ref() {
        return hint.clone();
    }
    match error.downcast_ref()? {
        ClientError::Problem(problem) => Some(problem.hint.clone()),
        ClientError::Unreachable { .. } => {
            Some("start the server, or name another one with `--server`".into())
        }
        _ => None,
    }
}

/// The kind of an error, whatever context it was given.
pub(crate) fn kind(error: &anyhow::Error) -> Kind {
    for cause in error.chain() {
        if let Some(Failure { kind, .. }) = cause.downcast_ref() {
            return *kind;
        }
        if let Some(error) = cause.downcast_ref::<ClientError>() {
            return of_client(error);
        }
        if let Some(error) = cause.downcast_ref::<VerificationError>() {
            return match error {
                VerificationError::Store(StoreError::Unavailable(_)) => Kind::Unavailable,
                _ => Kind::Unverified,
            };
        }
        if cause.is::<Unverified>() || cause.is::<Untrusted>() {
            return Kind::Unverified;
        }
        if let Some(error) = cause.downcast_ref::<ExportError>() {
            return match error {
                ExportError::Nothing(_) => Kind::NotFound,
                ExportError::TooMuch => Kind::Malformed,
                ExportError::Unsigned => Kind::Unavailable,
                ExportError::Store(error) => of_store(error),
            };
        }
        if let Some(error) = cause.downcast_ref::<StoreError>() {
            return of_store(error);
        }
        if cause.is::<ConfigError>() {
            return Kind::Malformed;
        }
        if let Some(error) = cause.downcast_ref::<NodeError>() {
            return of_node(error);
        }
        if let Some(error) = cause.downcast_ref::<WitnessError>() {
            return match error {
                WitnessError::Folder { .. } | WitnessError::Listen { .. } => Kind::Unavailable,
                WitnessError::Reference(_) | WitnessError::Key(_) => Kind::Malformed,
            };
        }
    }
    Kind::Unexpected
}

fn of_client(error: &ClientError) -> Kind {
    match error.kind() {
        ErrorKind::Malformed => Kind::Malformed,
        ErrorKind::NotSignedIn => Kind::NotSignedIn,
        ErrorKind::Refused => Kind::Refused,
        ErrorKind::NotFound => Kind::NotFound,
        ErrorKind::Unavailable => Kind::Unavailable,
        ErrorKind::Unexpected => Kind::Unexpected,
    }
}

fn of_store(error: &StoreError) -> Kind {
    match error {
        StoreError::Unavailable(_) | StoreError::Unknown(_) => Kind::Unavailable,
        StoreError::Corrupt(_) => Kind::Unverified,
        StoreError::Conflict { .. } => Kind::Unexpected,
    }
}

fn of_node(error: &NodeError) -> Kind {
    match error {
        NodeError::Store(error) => of_store(error),
        NodeError::Folder { .. } | NodeError::Listen { .. } | NodeError::Unsigned(_) => Kind::Unavailable,
        _ => Kind::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_found_behind_whatever_context_it_was_given() {
        let refused = anyhow::Error::new(Failure::new(Kind::Refused, "no")).context("while asking");
        assert_eq!(kind(&refused), Kind::Refused);
        let store = StoreError::Unavailable("locked".into());
        assert_eq!(kind(&anyhow::Error::new(store).context("opening")), Kind::Unavailable);
        assert_eq!(kind(&anyhow::Error::new(VerificationError::Unsigned)), Kind::Unverified);
        assert_eq!(kind(&anyhow::anyhow!("who knows")), Kind::Unexpected);
    }
}
