//! Verifies a permit document without asking anybody: who signed it, that its entry is in the log, that it is for exactly this, now, and,
//! where a roster is pinned, that people agreed.

use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::time::Time;
use countersign_core::{Event, Fact};
use countersign_ledger::dsse::{DsseError, Envelope};
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::json;
use countersign_ledger::note::VerifierKey;
use countersign_ledger::proof::ProofFile;
use serde_json::Value;

use super::{FormError, Leave, PAYLOAD_TYPE, Roster, Statement, quorum};
use crate::decode;

/// How far clocks may differ: a roster cannot have been exported later than this from now.
const SKEW_SECONDS: u32 = 300;

/// What whoever checks has pinned, from elsewhere than the node.
#[derive(Clone, Copy, Debug)]
pub struct Pins<'a> {
    /// Keys that may have signed the document; several while one replaces another.
    pub permit_keys: &'a [VerifierKey],
    /// The log: its origin line.
    pub log: &'a str,
    /// Keys that may have signed the log's checkpoint.
    pub log_keys: &'a [VerifierKey],
    /// Policy and voting keys, and how old they may be, seconds.
    pub roster: Option<(&'a Roster, u32)>,
}

/// What the leave must be for. What is none is not checked.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What is about to be done.
    pub action: Option<&'a Action>,
    /// With which arguments.
    pub parameters: Option<&'a Value>,
    /// By whom.
    pub executor: Option<PersonId>,
    /// When.
    pub now: Time,
}

/// A document that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it gives leave for.
    pub leave: Leave,
    /// The index of its entry in the log.
    pub index: u64,
    /// How much of the quorum was shown.
    pub quorum: Quorum,
}

/// What is shown of people's agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// The pinned rules ask for nobody's agreement.
    NotRequired,
    /// These people have signed, and they are enough by the pinned rules.
    Signed(Vec<PersonId>),
    /// Only the server says so; and why no more is shown.
    ServersWord(&'static str),
}

/// Why a document is not to be acted on, in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It is no envelope, or no pinned key has signed it.
    #[error("{0}")]
    Envelope(DsseError),
    /// What is signed is no permit of this version.
    #[error("{0}")]
    Form(FormError),
    /// The log does not say so.
    #[error("the log does not show this permit: {0}")]
    Log(String),
    /// The entry says something else than the document.
    #[error("the log's entry and the document differ in `{0}`")]
    Differs(&'static str),
    /// It is for another action.
    #[error("the permit is for another action")]
    Action,
    /// It is for other parameters.
    #[error("the permit is for other parameters")]
    Parameters,
    /// It is somebody else's.
    #[error("the permit is `{0}`'s")]
    Executor(PersonId),
    /// It is too late to begin.
    #[error("the permit had to be started before {0}")]
    TooLate(Time),
    /// The roster is older than it may be, or of the future.
    #[error("the pinned roster is of {0}: export and check a new one")]
    StaleRoster(Time),
    /// The roster is of another log.
    #[error("the pinned roster is of the log `{0}`")]
    OtherLog(String),
    /// The pinned policy governs no such action.
    #[error("no rule of the pinned policy governs this action")]
    NoRule,
    /// The rules were others than the pinned ones.
    #[error("the permit was given under other rules than the pinned ones")]
    OtherRules,
    /// The executor may not execute this, by the pinned policy.
    #[error("the pinned policy does not let its executor do this")]
    NotAnExecutor,
    /// The pinned rules demand an approval, and there is none.
    #[error("the pinned rules demand an approval, and the permit names none")]
    NoApproval,
    /// What was signed is not of this permit.
    #[error("what people signed: {0}")]
    Statement(String),
    /// A signature does not hold.
    #[error("the signature in the name of `{0}` does not hold")]
    Signature(PersonId),
    /// Too few have signed.
    #[error("the rules demand signed votes, and those that hold do not meet the quorum")]
    Quorum,
}

impl Untrusted {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Envelope(_) => "permit_unsigned",
            Self::Form(_) => "permit_malformed",
            Self::Log(_) => "permit_not_in_log",
            Self::Differs(_) => "permit_differs_from_log",
            Self::Action => "action_mismatch",
            Self::Parameters => "parameters_mismatch",
            Self::Executor(_) => "not_the_executor",
            Self::TooLate(_) => "permit_lapsed",
            Self::StaleRoster(_) => "roster_stale",
            Self::OtherLog(_) => "roster_of_another_log",
            Self::NoRule => "no_rule",
            Self::OtherRules => "policy_changed",
            Self::NotAnExecutor => "not_an_executor",
            Self::NoApproval => "approval_required",
            Self::Statement(_) => "statement_mismatch",
            Self::Signature(_) => "signature_invalid",
            Self::Quorum => "quorum_not_signed",
        }
    }
}

/// Verifies a document: the bytes of its envelope as JSON.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(envelope: &[u8], pins: &Pins<'_>, wanted: &Wanted<'_>) -> Result<Verified, Untrusted> {
    let envelope = Envelope::parse(envelope).map_err(Untrusted::Envelope)?;
    let (payload, _) = envelope.open(PAYLOAD_TYPE, pins.permit_keys).map_err(Untrusted::Envelope)?;
    let leave = Statement::parse(payload).map_err(Untrusted::Form)?.predicate;
    let index = in_log(&leave, pins)?;
    fits(&leave, wanted)?;
    let quorum = match pins.roster {
        None => Quorum::ServersWord("no roster is pinned"),
        Some((roster, max_age)) => {
            is_fresh(roster, max_age, wanted.now)?;
            if roster.log != pins.log {
                return Err(Untrusted::OtherLog(roster.log.escape_debug().to_string()));
            }
            quorum::judge(&leave, roster)?
        }
    };
    Ok(Verified { leave, index, quorum })
}

/// The entry is where the proof says, and says what the document says.
fn in_log(leave: &Leave, pins: &Pins<'_>) -> Result<u64, Untrusted> {
    let absent = |error: &dyn std::fmt::Display| Untrusted::Log(error.to_string());
    if leave.log != pins.log {
        return Err(Untrusted::Log(format!("it is of the log `{}`", leave.log.escape_debug())));
    }
    let proof: ProofFile = leave.entry.proof.parse().map_err(|error| absent(&error))?;
    let leaf = leave.entry.leaf.as_bytes();
    proof.verify(leaf_hash(leaf), pins.log, pins.log_keys).map_err(|error| absent(&error))?;
    let view = EntryView::parse(leaf).map_err(|error| absent(&error))?;
    let event = decode::event(&view).map_err(|error| absent(&error))?;
    if view.index != proof.index {
        return Err(Untrusted::Differs("index"));
    }
    same(leave, &event).map(|()| proof.index)
}

fn same(leave: &Leave, event: &Event) -> Result<(), Untrusted> {
    let Fact::PermitReserved(id, reserved) = &event.fact else { return Err(Untrusted::Differs("kind")) };
    let approval = leave.approvals.first().map(|agreement| agreement.approval);
    let told: [(&'static str, bool); 9] = [
        ("permit", *id == leave.permit),
        ("executor", event.actor.person() == Some(leave.executor)),
        ("action", reserved.action == leave.action),
        ("parameters_sha256", reserved.parameters_sha256 == leave.parameters_sha256),
        ("requirement_sha256", reserved.requirement_sha256 == leave.requirement_sha256),
        ("approvals", reserved.approval == approval),
        ("reserved_at", event.at == leave.reserved_at),
        ("start_by", reserved.start_by == leave.start_by),
        ("work_seconds", reserved.work_seconds == leave.work_seconds),
    ];
    match told.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(Untrusted::Differs(what)),
        None => Ok(()),
    }
}

/// It is leave for exactly what is wanted, by whom and when.
fn fits(leave: &Leave, wanted: &Wanted<'_>) -> Result<(), Untrusted> {
    if wanted.action.is_some_and(|action| *action != leave.action) {
        return Err(Untrusted::Action);
    }
    if let Some(parameters) = wanted.parameters {
        let canonical = json::to_canonical(parameters).map_err(|_| Untrusted::Parameters)?;
        if Digest::salted(&leave.parameters_salt.0, &canonical) != leave.parameters_sha256 {
            return Err(Untrusted::Parameters);
        }
    }
    if wanted.executor.is_some_and(|executor| executor != leave.executor) {
        return Err(Untrusted::Executor(leave.executor));
    }
    if wanted.now >= leave.start_by { Err(Untrusted::TooLate(leave.start_by)) } else { Ok(()) }
}

fn is_fresh(roster: &Roster, max_age: u32, now: Time) -> Result<(), Untrusted> {
    let at = roster.exported_at;
    let fresh = now < at.plus_seconds(max_age) && at <= now.plus_seconds(SKEW_SECONDS);
    if fresh { Ok(()) } else { Err(Untrusted::StaleRoster(at)) }
}
