//! Requests for approval.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Missing;
use crate::{Action, PersonRef};

/// Asks for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestApproval {
    /// What is to be done.
    pub action: Action,
    /// With which arguments: a JSON object without floats.
    pub parameters: serde_json::Value,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A person's signature under the request's statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VoteSignature {
    /// The fingerprint of the key that signed, as OpenSSH shows it: `SHA256:…`
    pub fingerprint: String,
    /// A line for `allowed_signers`, by which `ssh-keygen -Y verify` accepts the signature of an SSH key; it names the person by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_signer: Option<String>,
    /// The signature of an SSH key, armored as `ssh-keygen` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub armor: Option<String>,
    /// What a passkey signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<PasskeySignature>,
    /// SHA-512 of the statement.
    pub statement_sha512: String,
}

/// What a browser answers when it asks a passkey to sign: members of `PublicKeyCredential.toJSON()`, base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeySignature {
    /// Which passkey: `id`.
    pub credential_id: String,
    /// What the authenticator said: `response.authenticatorData`.
    pub authenticator_data: String,
    /// What the browser said of the page that asked: `response.clientDataJSON`.
    pub client_data_json: String,
    /// The signature over both: `response.signature`.
    pub signature: String,
}

/// One person's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Vote {
    /// Who.
    pub person: PersonRef,
    /// When.
    pub at: String,
    /// In whose place, if not in their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<PersonRef>,
    /// The signature, if the vote was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<VoteSignature>,
}

/// Agrees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// In whose place, if not in one's own: `per_…`, somebody who delegated that to whoever agrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<String>,
    /// Free text, kept as details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A signature under the request's statement by a voting key of whoever agrees, armored as
    /// `ssh-keygen -Y sign -n approval@countersign` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// In place of `signature`: what a passkey of whoever agrees signed with the SHA-256 of the request's statement as the challenge, and
    /// user verification required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<PasskeySignature>,
}

/// Who is told of a request on which nobody votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Escalation {
    /// From when on.
    pub at: String,
    /// Groups whose members are told.
    pub to: Vec<String>,
    /// When they were told, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<String>,
}

/// Why nothing can come of a request as things are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stuck {
    /// `unsatisfiable`: nobody there is could fill these places. `policy_changed`: the rules demand something else now.
    pub code: String,
    /// Places of the quorum that nobody there is could fill.
    pub missing: Vec<Missing>,
}

/// A request for approval as of now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// `apr_…`
    pub id: String,
    /// `pending`, `approved`, `consumed`, `denied`, `withdrawn` or `expired`.
    pub status: String,
    /// What is to be done.
    pub action: Action,
    /// With which arguments; absent in lists and after redaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<serde_json::Value>,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: String,
    /// Why; absent in lists and after redaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked.
    pub requester: PersonRef,
    /// The rules that matched.
    pub rules: Vec<String>,
    /// When it was requested.
    pub requested_at: String,
    /// When it expires by itself; absent once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How long ago whoever agrees may have proved who they are for exactly that; absent where nobody must, and once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_seconds: Option<u32>,
    /// How votes must be signed as of now: `required` or `hardware`; absent where they need not be, and once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Agreements so far.
    pub votes: Vec<Vote>,
    /// Who disagreed, as long as that is not enough to deny it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objections: Vec<PersonRef>,
    /// Whose agreement is still missing, and who could give it, those included who may in somebody's place.
    pub missing: Vec<Missing>,
    /// Why nothing can come of it as things are; absent if something can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
    /// Who is told if nobody votes, if the rules ask for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// The permit that consumed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<String>,
    /// What it belongs to.
    pub correlation: String,
}

/// An entry, as whoever watches is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Watched {
    /// The entry's index: the event's id.
    pub index: u64,
    /// The kind of event.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// When.
    pub time: String,
    /// Who: a person's id, or `node`.
    pub actor: String,
    /// The request as of now, where one request is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// One person's agreement to what another asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReciprocalVote {
    /// The request.
    pub approval: String,
    /// Who agreed; the other of the pair asked.
    pub by: PersonRef,
    /// When.
    pub at: String,
}

/// Two people who agreed to each other's requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reciprocal {
    /// The two.
    pub people: Vec<PersonRef>,
    /// Their agreements that have one in return within the window, the oldest first.
    pub votes: Vec<ReciprocalVote>,
}

/// Who agreed to each other's requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReciprocalReport {
    /// How far apart two agreements may be to count as one in return for the other.
    pub window_seconds: u32,
    /// How many requests were looked at, the newest first.
    pub looked_at: usize,
    /// Whether those were all.
    pub complete: bool,
    /// Pairs.
    pub items: Vec<Reciprocal>,
}
