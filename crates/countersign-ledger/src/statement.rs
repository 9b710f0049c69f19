//! What a person signs when they agree to a request: one canonical JSON text, the same for everybody who votes on it.
//!
//! ```text
//! {"_type":"countersign/approval-statement/v1","action":{"environment":…,"resource":…,"verb":…},"approval":"apr_…","parameters":{…},
//!  "parameters_salt":"…","parameters_sha256":"…","pending_until":"…","policy_sha256":"…","requester":"per_…",
//!  "requirement_sha256":"…","rules":[…]}
//! ```
//!
//! It is made of the entry `approval.requested` and its details, and of nothing else, by [`of_request`]. Server, voter and auditor use
//! this one function, so there is one text to sign. [`Statement::parse`] is for whoever receives it from somebody they need not trust.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest as _, Sha512};

use crate::details::commitment;
use crate::entry::EntryView;
use crate::hash::Hash;
use crate::json::{self, Object, Value};

/// What signatures of votes are for: the namespace given to `ssh-keygen -n`.
pub const NAMESPACE: &str = "approval@countersign";

/// The first member of every statement. Another form gets another number.
const TYPE: &str = "countersign/approval-statement/v1";

/// The kind of entry that begins a request.
const KIND: &str = "approval.requested";

/// What the entry's data give to the statement.
const FROM_DATA: [&str; 6] =
    ["action", "parameters_sha256", "pending_until", "policy_sha256", "requirement_sha256", "rules"];

/// What the entry's details give to the statement.
const FROM_DETAILS: [&str; 2] = ["parameters", "parameters_salt"];

/// Why there is no statement, or why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementError {
    /// The entry does not begin a request for approval.
    NotARequest,
    /// The details do not belong to the entry, or do not hold parameters and their salt.
    Details,
    /// The text is not the canonical form of strict JSON.
    NotCanonical,
    /// A member is missing, there is one too many, or one has another form.
    Member(&'static str),
    /// The digest is not that of these parameters under this salt.
    Parameters,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARequest => f.write_str("the entry does not begin a request for approval"),
            Self::Details => f.write_str("the details are not those of the request, or were redacted"),
            Self::NotCanonical => f.write_str("the statement is not canonical strict JSON"),
            Self::Member(name) => write!(f, "`{name}` of the statement is missing or has another form"),
            Self::Parameters => f.write_str("the digest in the statement is not that of its parameters"),
        }
    }
}

impl core::error::Error for StatementError {}

/// The bytes to sign, from the leaf that began the request and the details beside it.
///
/// # Errors
/// The leaf is of another kind, or the details are not the request's.
pub fn of_request(leaf: &[u8], details: &[u8]) -> Result<Vec<u8>, StatementError> {
    let entry = EntryView::parse(leaf).map_err(|_| StatementError::NotARequest)?;
    if entry.kind != KIND {
        return Err(StatementError::NotARequest);
    }
    let data = object(entry.data.as_bytes()).ok_or(StatementError::NotARequest)?;
    let details = object(details).ok_or(StatementError::Details)?;
    let mut members = Vec::from([
        ("_type".to_string(), Value::String(TYPE.to_string())),
        ("approval".to_string(), Value::String(entry.subject.to_string())),
        ("requester".to_string(), Value::String(entry.actor.to_string())),
    ]);
    for name in FROM_DATA {
        let value = data.get(name).ok_or(StatementError::NotARequest)?;
        members.push((name.to_string(), value.clone()));
    }
    for name in FROM_DETAILS {
        let value = details.get(name).ok_or(StatementError::Details)?;
        members.push((name.to_string(), value.clone()));
    }
    let object = Object::new(members).map_err(|_| StatementError::NotARequest)?;
    let bytes = Value::Object(object).to_canonical();
    Statement::parse(&bytes)?;
    Ok(bytes)
}

fn object(bytes: &[u8]) -> Option<Object> {
    match json::parse(bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// SHA-512 of the bytes: what a signature is over.
#[must_use]
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    Sha512::digest(bytes).into()
}

/// A statement, read strictly: it has these members and no others, and its digest is that of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What is to be done: verb, resource, environment.
    pub action: [String; 3],
    /// The request: `apr_…`.
    pub approval: String,
    /// With which arguments.
    pub parameters: Value,
    /// Their salted SHA-256, as the log has it.
    pub parameters_sha256: Hash,
    /// Until when the request can be agreed to.
    pub pending_until: String,
    /// The policy in force when it was made.
    pub policy_sha256: Hash,
    /// Who asked: `per_…`.
    pub requester: String,
    /// What the rules demanded together.
    pub requirement_sha256: Hash,
    /// The rules that matched.
    pub rules: Vec<String>,
}

impl Statement {
    /// Reads a statement.
    ///
    /// # Errors
    /// The bytes are not canonical, a member is missing, too many or of another form, or the digest is not that of the parameters.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        json::validate_canonical(bytes).map_err(|_| StatementError::NotCanonical)?;
        let members = Members(object(bytes).ok_or(StatementError::NotCanonical)?);
        if members.text("_type")? != TYPE {
            return Err(StatementError::Member("_type"));
        }
        let statement = Self {
            action: members.action()?,
            approval: members.text("approval")?,
            parameters: members.parameters()?,
            parameters_sha256: members.hash("parameters_sha256")?,
            pending_until: members.text("pending_until")?,
            policy_sha256: members.hash("policy_sha256")?,
            requester: members.text("requester")?,
            requirement_sha256: members.hash("requirement_sha256")?,
            rules: members.rules()?,
        };
        // With the type and the salt: what nobody reads could say anything.
        if members.0.len() != 1 + 1 + 9 {
            return Err(StatementError::Member("_"));
        }
        let salt = members.hash("parameters_salt")?;
        let digest = commitment(&salt.0, &statement.parameters.to_canonical());
        if digest == statement.parameters_sha256 { Ok(statement) } else { Err(StatementError::Parameters) }
    }
}

/// The members of a text that claims to be a statement.
struct Members(Object);

impl Members {
    fn text(&self, name: &'static str) -> Result<String, StatementError> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.map(ToString::to_string).ok_or(StatementError::Member(name))
    }

    fn hash(&self, name: &'static str) -> Result<Hash, StatementError> {
        self.text(name)?.parse().map_err(|_| StatementError::Member(name))
    }

    fn action(&self) -> Result<[String; 3], StatementError> {
        let action = self.0.get("action").and_then(Value::as_object).filter(|action| action.len() == 3);
        let action = action.ok_or(StatementError::Member("action"))?;
        let word = |name| {
            let word = action.get(name).and_then(Value::as_str);
            word.map(ToString::to_string).ok_or(StatementError::Member("action"))
        };
        Ok([word("verb")?, word("resource")?, word("environment")?])
    }

    fn parameters(&self) -> Result<Value, StatementError> {
        let parameters = self.0.get("parameters").filter(|value| value.as_object().is_some());
        parameters.cloned().ok_or(StatementError::Member("parameters"))
    }

    fn rules(&self) -> Result<Vec<String>, StatementError> {
        let Some(Value::Array(rules)) = self.0.get("rules") else {
            return Err(StatementError::Member("rules"));
        };
        let name = |rule: &Value| rule.as_str().map(ToString::to_string);
        rules.iter().map(name).collect::<Option<_>>().ok_or(StatementError::Member("rules"))
    }
}
