//! Why a permit is refused, in order of precedence: who, which rule, which approval, and the permit's own state.

use alloc::vec::Vec;
use core::fmt;

use super::Status;
use crate::catalogue::listed;
use crate::freeze::Held;
use crate::id::ApprovalId;
use crate::policy::Missing;

/// Why a permit is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such permit.
    NotFound,
    /// Only people hold permits in this version.
    NotAPerson,
    /// No rule of the policy in force governs the action.
    NoRule,
    /// The person may not execute this action.
    NotAnExecutor,
    /// Somebody else holds the permit.
    NotTheExecutor,
    /// The person is in none of the rules' groups of executors and approvers.
    NotAReconciler,
    /// Who did the work does not say what became of it.
    SelfReconciliation,
    /// The action needs an approval and none was named.
    ApprovalRequired(Vec<Missing>),
    /// The approval does not exist.
    ApprovalNotFound,
    /// The approval is for another action.
    ActionMismatch,
    /// The approval is for other parameters.
    ParametersMismatch,
    /// The approval was used already.
    ApprovalConsumed,
    /// The request was denied.
    ApprovalDenied,
    /// The request was withdrawn.
    ApprovalWithdrawn,
    /// The approval has expired.
    ApprovalExpired,
    /// Who asked for it was deactivated.
    RequesterGone,
    /// The rules that govern it demand something else now.
    PolicyChanged,
    /// The quorum is not met as of now.
    ApprovalPending(Vec<Missing>),
    /// There is no such exception.
    ExceptionNotFound(ApprovalId),
    /// The exception is from no freeze that holds the action now, or is the second from the same one.
    ExceptionUnused(ApprovalId),
    /// The rules do not let the person use an exception from this freeze.
    ExceptionNotYours(ApprovalId),
    /// The exception is for another use.
    ExceptionMismatch(ApprovalId),
    /// The exception cannot be used any more, and why.
    ExceptionEnded(ApprovalId, &'static str),
    /// The quorum of the exception is not met as of now.
    ExceptionPending(Vec<Missing>),
    /// Freezes hold the action.
    Frozen(Vec<Held>),
    /// An exception from a freeze is used with the permit it is for.
    UseException,
    /// The rotation of a governed secret is executed by `rotation start`.
    UseRotation,
    /// The permit was not started.
    NotStarted,
    /// The permit was started already.
    AlreadyStarted,
    /// The permit was given back.
    Released,
    /// The permit was not started in time.
    Lapsed,
    /// The outcome is on record.
    Closed,
    /// Nobody reported in time.
    Unknown,
    /// The permit is not unknown.
    NotUnknown,
    /// Somebody found out already.
    AlreadyReconciled,
}

listed! { Refusal:
    NotFound, NotAPerson, NoRule, NotAnExecutor, NotTheExecutor, NotAReconciler, SelfReconciliation, ApprovalRequired(Vec::new()),
    ApprovalNotFound, ActionMismatch, ParametersMismatch, ApprovalConsumed, ApprovalDenied,
    ApprovalWithdrawn, ApprovalExpired, RequesterGone, PolicyChanged, ApprovalPending(Vec::new()), ExceptionNotFound(ApprovalId(0)), ExceptionUnused(ApprovalId(0)),
    ExceptionNotYours(ApprovalId(0)), ExceptionMismatch(ApprovalId(0)), ExceptionEnded(ApprovalId(0), "has expired"),
    ExceptionPending(Vec::new()), Frozen(Vec::new()), UseException, UseRotation,
    NotStarted, AlreadyStarted, Released, Lapsed, Closed, Unknown, NotUnknown, AlreadyReconciled,
}

impl Refusal {
    pub(super) fn of_ended(status: Status) -> Self {
        match status {
            Status::Released => Self::Released,
            Status::Lapsed => Self::Lapsed,
            Status::Unknown => Self::Unknown,
            Status::Reserved => Self::NotStarted,
            Status::Started => Self::AlreadyStarted,
            Status::Succeeded | Status::Failed => Self::Closed,
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "permit_not_found",
            Self::NotAPerson => "not_a_person",
            Self::NoRule => "no_rule",
            Self::NotAnExecutor => "not_an_executor",
            Self::NotTheExecutor => "not_the_executor",
            Self::ApprovalRequired(_) => "approval_required",
            Self::ApprovalNotFound => "approval_not_found",
            Self::ActionMismatch => "action_mismatch",
            Self::ParametersMismatch => "parameters_mismatch",
            Self::ApprovalConsumed => "approval_consumed",
            Self::ApprovalDenied => "approval_denied",
            Self::ApprovalWithdrawn => "approval_withdrawn",
            Self::ApprovalExpired => "approval_expired",
            Self::RequesterGone => "requester_gone",
            Self::PolicyChanged => "policy_changed",
            Self::ApprovalPending(_) => "approval_pending",
            Self::ExceptionNotFound(_) => "exception_not_found",
            Self::ExceptionUnused(_) => "exception_unused",
            Self::ExceptionNotYours(_) => "exception_not_yours",
            Self::ExceptionMismatch(_) => "exception_mismatch",
            Self::ExceptionEnded(..) => "exception_ended",
            Self::ExceptionPending(_) => "exception_pending",
            Self::Frozen(_) => "frozen",
            Self::UseException => "use_exception",
            Self::UseRotation => "use_rotation",
            Self::NotStarted => "permit_not_started",
            Self::AlreadyStarted => "permit_already_started",
            Self::Released => "permit_released",
            Self::Lapsed => "permit_lapsed",
            Self::Closed => "permit_closed",
            Self::NotAReconciler => "not_a_reconciler",
            Self::SelfReconciliation => "self_reconciliation",
            Self::Unknown => "permit_unknown",
            Self::NotUnknown => "permit_not_unknown",
            Self::AlreadyReconciled => "permit_already_reconciled",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound => "list permits with `countersign permit list`",
            Self::NotAPerson => "sign in as a person",
            Self::NoRule => "nothing happens without a rule: add one to the policy",
            Self::NotAnExecutor => "ask a member of the rule's executor groups",
            Self::NotTheExecutor => "only the person who reserved the permit can use it",
            Self::ApprovalRequired(_) => "request approval first: `countersign approval request`",
            Self::ApprovalNotFound => "list requests with `countersign approval list`",
            Self::ActionMismatch | Self::ParametersMismatch => {
                "an approval is for exactly one action and its parameters: use those, or make a new request"
            }
            Self::ApprovalConsumed
            | Self::ApprovalDenied
            | Self::ApprovalWithdrawn
            | Self::ApprovalExpired
            | Self::RequesterGone
            | Self::PolicyChanged => "make a new request",
            Self::ApprovalPending(_) => "wait for the people named under `missing`",
            Self::ExceptionNotFound(_) => "list requests with `countersign approval list`",
            Self::ExceptionUnused(_) => "leave it out: what is not needed is not used up",
            Self::ExceptionNotYours(_) => "ask a member of the executor groups of the rule for the exception",
            Self::ExceptionMismatch(_) | Self::ExceptionEnded(..) => {
                "request an exception for exactly this use"
            }
            Self::ExceptionPending(_) => "wait for the people named under `missing`",
            Self::Frozen(_) => {
                "wait until it is over, or request `except freeze/NAME ENVIRONMENT` with the parameter `approval` and name it under `exceptions`"
            }
            Self::UseException => "name it under `exceptions` when you reserve the permit it is for",
            Self::UseRotation => {
                "start it with `countersign rotation start --permit`; the rotation reports the outcome"
            }
            Self::NotStarted => "start the permit first",
            Self::AlreadyStarted => "report the outcome of the work under way",
            Self::Released | Self::Lapsed => "reserve another permit",
            Self::Closed => "a permit is good for one execution",
            Self::NotAReconciler => "ask a member of the rule's groups of executors and approvers",
            Self::SelfReconciliation => "somebody else who may execute or approve this has to look",
            Self::Unknown => {
                "let somebody else find out what really happened: `countersign permit reconcile`"
            }
            Self::NotUnknown => "only the executor says how the work ended, while there is time",
            Self::AlreadyReconciled => "what was found is on record: `countersign permit show`",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::ExceptionNotFound(id) => return write!(f, "there is no such exception: `{id}`"),
            Self::ExceptionUnused(id) => {
                return write!(
                    f,
                    "the exception `{id}` is from no freeze that holds this action now, or from one that another exception is from"
                );
            }
            Self::ExceptionNotYours(id) => return write!(f, "you may not use the exception `{id}`"),
            Self::ExceptionMismatch(id) => return write!(f, "the exception `{id}` is for another use"),
            Self::ExceptionEnded(id, why) => return write!(f, "the exception `{id}` {why}"),
            Self::Frozen(held) => return frozen(f, held),
            Self::ExceptionPending(_) => "the quorum of an exception is not met",
            Self::UseException => "an exception from a freeze is no work of its own",
            Self::NotFound => "there is no such permit",
            Self::NotAPerson => "only people hold permits",
            Self::NoRule => "no rule of the policy in force governs this action",
            Self::NotAnExecutor => "you may not execute this action",
            Self::NotTheExecutor => "somebody else holds this permit",
            Self::ApprovalRequired(_) => "this action needs an approval",
            Self::ApprovalNotFound => "there is no such approval",
            Self::ActionMismatch => "the approval is for another action",
            Self::ParametersMismatch => "the approval is for other parameters",
            Self::ApprovalConsumed => "the approval was used already",
            Self::ApprovalDenied => "the request was denied",
            Self::ApprovalWithdrawn => "the request was withdrawn",
            Self::ApprovalExpired => "the approval has expired",
            Self::RequesterGone => "who asked for it was deactivated",
            Self::PolicyChanged => "the rules for this action have changed since it was requested",
            Self::ApprovalPending(_) => "the quorum is not met",
            Self::UseRotation => "the rotation of a governed secret reports its own start and outcome",
            Self::NotStarted => "the permit was not started",
            Self::AlreadyStarted => "the permit was started already",
            Self::Released => "the permit was given back",
            Self::Lapsed => "the permit was not started in time",
            Self::Closed => "the outcome is on record already",
            Self::NotAReconciler => "you may not say what became of this",
            Self::SelfReconciliation => "who did the work cannot be the one who finds out what became of it",
            Self::Unknown => "nobody reported in time, so the outcome is unknown",
            Self::NotUnknown => "the outcome of this permit is not unknown",
            Self::AlreadyReconciled => "somebody found out already what became of it",
        };
        f.write_str(words)
    }
}

/// Which freezes hold, and until when.
fn frozen(f: &mut fmt::Formatter<'_>, held: &[Held]) -> fmt::Result {
    f.write_str("this action is frozen")?;
    for (position, Held { name, until }) in held.iter().enumerate() {
        write!(f, "{} by `{name}` ", if position == 0 { "" } else { " and" })?;
        match until {
            Some(until) => write!(f, "until {until}")?,
            None => f.write_str("for as long as this node does not know its time zone")?,
        }
    }
    Ok(())
}
