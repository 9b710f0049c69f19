//! The form of a permit document: an in-toto Statement v1 whose predicate is ours.
//!
//! It is read strictly, although in-toto lets readers pass over what they do not know: a document that carries leave to act must not
//! hold a condition that its reader does not understand. What was read must write itself back byte for byte.

use countersign_core::action::Action;
use countersign_core::approval::Vote;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId, PersonId};
use countersign_core::time::Time;
use countersign_ledger::json::{self, JsonError};
use serde::{Deserialize, Serialize};

/// The media type of the envelope's payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The form of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What the predicate is. Another form gets another number.
pub const PREDICATE_TYPE: &str = "urn:countersign:permit:v1";

/// An in-toto Statement v1 about one permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    kind: String,
    /// The permit and the SHA-256 of salt and parameters.
    subject: [Named; 1],
    /// [`PREDICATE_TYPE`].
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// Leave to act.
    pub predicate: Leave,
}

/// What a statement is about: in-toto's `ResourceDescriptor` with one digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    digest: Sha256,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sha256 {
    sha256: Digest,
}

/// Leave to execute one action with one set of parameters, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// The permit.
    pub permit: PermitId,
    /// What may be done.
    pub action: Action,
    /// SHA-256 of salt and canonical parameters.
    pub parameters_sha256: Digest,
    /// The salt, so that the executor can check the parameters at hand.
    pub parameters_salt: Digest,
    /// Who may do it.
    pub executor: PersonId,
    /// The approvals it rests on, each with its votes as they were when the permit was reserved; none where nobody has to agree.
    pub approvals: Vec<Agreement>,
    /// What the rules demanded together.
    pub requirement_sha256: Digest,
    /// The policy in force when it was reserved.
    pub policy_sha256: Digest,
    /// When it was reserved.
    pub reserved_at: Time,
    /// Until when it may be started.
    pub start_by: Time,
    /// How long the work may take once started, seconds.
    pub work_seconds: u32,
    /// The log: its origin line.
    pub log: String,
    /// The entry that gives the leave.
    pub entry: Entry,
}

/// One approval, as the permit found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// The request.
    pub approval: ApprovalId,
    /// Who asked.
    pub requester: PersonId,
    /// Who agreed, each with their signature if they signed.
    pub votes: Vec<Vote>,
    /// What they signed, if anybody did: the text with the parameters in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

/// An entry of the log and the proof that it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its exact bytes; an entry is text.
    pub leaf: String,
    /// A C2SP tlog-proof: the inclusion proof and the log's checkpoint.
    pub proof: String,
}

/// Why a payload is no permit document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// It is not strict JSON in the one right form.
    #[error("the statement is not canonical strict JSON: {0}")]
    Json(JsonError),
    /// It is JSON of another form: a member is missing, unknown or of another type.
    #[error("the statement has another form: {0}")]
    Form(String),
    /// It is a statement of another kind.
    #[error("the statement is `{0}`, not a permit of this version")]
    Kind(String),
    /// It says one thing in one place and another in another.
    #[error("the statement's subject is not the permit it speaks of")]
    Subject,
}

impl Statement {
    /// The statement that gives this leave.
    #[must_use]
    pub fn of(leave: Leave) -> Self {
        let digest = Sha256 { sha256: leave.parameters_sha256 };
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            subject: [Named { name: leave.permit.to_string(), digest }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: leave,
        }
    }

    /// The bytes to put into an envelope.
    ///
    /// # Errors
    /// It has no canonical form.
    pub fn to_payload(&self) -> Result<Vec<u8>, FormError> {
        json::to_canonical(self).map_err(FormError::Json)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Any [`FormError`]; also for a member that this version does not know, wherever it is.
    pub fn parse(payload: &[u8]) -> Result<Self, FormError> {
        json::validate_canonical(payload).map_err(FormError::Json)?;
        let statement: Self =
            serde_json::from_slice(payload).map_err(|error| FormError::Form(error.to_string()))?;
        for (is, right) in [(&statement.kind, STATEMENT_TYPE), (&statement.predicate_type, PREDICATE_TYPE)] {
            if is != right {
                return Err(FormError::Kind(is.escape_debug().to_string()));
            }
        }
        let [Named { name, digest }] = &statement.subject;
        let leave = &statement.predicate;
        if *name != leave.permit.to_string() || digest.sha256 != leave.parameters_sha256 {
            return Err(FormError::Subject);
        }
        // Some parts are read by the core, which passes over members it does not know: they would be missing here.
        if statement.to_payload()? == payload {
            Ok(statement)
        } else {
            Err(FormError::Form("a member that this version does not know".to_owned()))
        }
    }
}
