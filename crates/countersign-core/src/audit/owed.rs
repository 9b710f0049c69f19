//! What must follow at once: the events of one decision stand together, so each names the next.
//!
//! The auditor cannot see where a decision ends. It need not: what an event obliges to is the very next event, at the same time, by
//! the same actor, in the same correlation.

use super::deed::{Deed, kind_of};
use super::freeze::Excepted;
use super::violation::{Breach, Violation};
use crate::action::Action;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, BreakGlassId, PermitId, PersonId, RotationId};
use crate::incident::Cause;
use crate::permit::Outcome;
use crate::rotation::{TaskKey, TurnCause};
use crate::secret::SecretKey;
use crate::state::Subject;
use crate::text::Name;

/// An event that must come next.
#[derive(Clone, Debug)]
pub(super) enum Owed {
    /// Genesis goes on until there is a policy.
    FirstPolicy,
    /// The vote met the quorum.
    Completed(ApprovalId),
    /// The approval was consumed by a permit.
    Reserved { permit: PermitId, approval: ApprovalId, excepted: Option<Excepted> },
    /// Exceptions from freezes were used up for a permit.
    Excepted(Excepted),
    /// The approval was consumed by a policy.
    Activated { approval: ApprovalId, requester: PersonId },
    /// The approval was consumed by another key of the log.
    KeyRotated(ApprovalId),
    /// The approval was consumed by a redaction.
    Redacted(ApprovalId),
    /// The approval was consumed by something that is done at once.
    Deed { approval: ApprovalId, action: Action },
    /// The glass was broken, and gives a permit.
    GlassPermit { break_glass: BreakGlassId, permit: PermitId },
    /// Somebody notes that a review is overdue, because they do it now.
    Reviewed(BreakGlassId),
    /// Enough people have reviewed it.
    GlassSettled(BreakGlassId),
    /// The permit was given back.
    Restored { approval: ApprovalId, permit: PermitId },
    /// The same, for an exception that was used up with it.
    ExceptionRestored { exception: ApprovalId, permit: PermitId },
    /// The permit was started for a rotation, which takes a version of its secret.
    Version { rotation: RotationId, secret: SecretKey, permit: PermitId },
    /// The version was taken.
    Rotation { rotation: RotationId, secret: SecretKey, permit: PermitId },
    /// Something went wrong that must not end in silence.
    Incident { cause: Cause, about: Subject, environment: Option<Name> },
    /// The last attempt of a task failed, and there is a way back.
    TurnedBack { rotation: RotationId, task: TaskKey },
    /// The last task of the stage is done.
    Advanced(RotationId),
    /// Another version is current.
    Promoted { secret: SecretKey, rotation: RotationId, version: u32 },
    /// The rotation has ended and lets go.
    Settled { secret: SecretKey, rotation: RotationId, versions: Versions },
    /// The rotation has ended, and so does its permit.
    Concluded { permit: PermitId, outcome: Outcome },
    /// Somebody reports after the deadline: what they say, where something else is known.
    ReportedLate { permit: PermitId, outcome: Option<Outcome> },
}

/// What a rotation that has ended leaves behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Versions {
    pub current: u32,
    pub destroyed: u32,
}

impl Owed {
    /// Whether this is the event that was owed. What it says beyond that is checked where its kind is.
    pub(super) fn is_met_by(&self, event: &Event) -> bool {
        match (self, &event.fact) {
            (Self::FirstPolicy, Fact::PersonEnrolled(..) | Fact::PolicyActivated(..)) => true,
            (Self::Completed(id), Fact::ApprovalCompleted(of, _)) => id == of,
            (Self::Reserved { permit, approval, .. }, Fact::PermitReserved(of, reserved)) => {
                permit == of && reserved.approval == Some(*approval)
            }
            (Self::Activated { approval, .. }, Fact::PolicyActivated(_, activated)) => {
                activated.approval == Some(*approval)
            }
            (Self::GlassPermit { break_glass, permit }, Fact::PermitReserved(of, reserved)) => {
                permit == of && reserved.break_glass == Some(*break_glass)
            }
            (Self::Reviewed(id), Fact::BreakGlassReviewed(of, _))
            | (Self::GlassSettled(id), Fact::BreakGlassSettled(of, _)) => id == of,
            (Self::Excepted(excepted), Fact::ApprovalConsumed(_, consumed)) => {
                consumed.permit == Some(excepted.permit)
            }
            (Self::Excepted(excepted), Fact::PermitReserved(of, _)) => excepted.permit == *of,
            (Self::KeyRotated(id), Fact::LogKeyRotated(_, rotated)) => rotated.approval == *id,
            (Self::Redacted(id), Fact::LogDetailsRedacted(_, redacted)) => redacted.approval == *id,
            (Self::Deed { approval, action }, _) => {
                Deed::of(event).is_some_and(|it| it.approval == Some(*approval) && it.action == *action)
            }
            (
                Self::Restored { approval, permit } | Self::ExceptionRestored { exception: approval, permit },
                Fact::ApprovalRestored(of, restored),
            ) => approval == of && restored.permit == *permit,
            (Self::Version { secret, .. }, Fact::SecretReserved(of, _))
            | (Self::Promoted { secret, .. }, Fact::SecretPromoted(of, _))
            | (Self::Settled { secret, .. }, Fact::SecretSettled(of, _)) => secret == of,
            (Self::Rotation { rotation, .. }, Fact::RotationStarted(of, _)) => rotation == of,
            (Self::Incident { cause, about, .. }, Fact::IncidentOpened(_, opened)) => {
                *cause == opened.cause && *about == opened.about
            }
            (Self::TurnedBack { rotation, task }, Fact::RotationTurnedBack(of, turned)) => {
                rotation == of && matches!(&turned.cause, TurnCause::Exhausted { task: it } if task == it)
            }
            (Self::Advanced(id), Fact::RotationAdvanced(of, _)) => id == of,
            (
                Self::Concluded { permit, .. },
                Fact::PermitSucceeded(of, _)
                | Fact::PermitFailed(of, _)
                | Fact::PermitUnknown(of, _)
                | Fact::PermitReportedLate(of, _),
            )
            | (Self::ReportedLate { permit, .. }, Fact::PermitReportedLate(of, _)) => permit == of,
            _ => false,
        }
    }

    /// That it does not come.
    pub(super) fn missing(&self) -> Violation {
        let (subject, kind): (Subject, _) = match self {
            Self::FirstPolicy | Self::Activated { .. } => (Subject::Policy, "policy.activated"),
            Self::KeyRotated(_) => (Subject::Log, "log.key_rotated"),
            Self::Redacted(_) => (Subject::Log, "log.details_redacted"),
            // What it would have been about is named in the approval's action.
            Self::Deed { approval, action } => {
                ((*approval).into(), kind_of(action).unwrap_or("approval.consumed"))
            }
            Self::Completed(id) => ((*id).into(), "approval.completed"),
            Self::Reserved { permit, .. }
            | Self::GlassPermit { permit, .. }
            | Self::Excepted(Excepted { permit, .. }) => ((*permit).into(), "permit.reserved"),
            Self::Reviewed(id) => ((*id).into(), "break_glass.reviewed"),
            Self::GlassSettled(id) => ((*id).into(), "break_glass.settled"),
            Self::Restored { approval, .. } | Self::ExceptionRestored { exception: approval, .. } => {
                ((*approval).into(), "approval.restored")
            }
            Self::Version { secret, .. } => (secret.clone().into(), "secret.reserved"),
            Self::Rotation { rotation, .. } => ((*rotation).into(), "rotation.started"),
            Self::Incident { about, .. } => (about.clone(), "incident.opened"),
            Self::TurnedBack { rotation, .. } => ((*rotation).into(), "rotation.turned_back"),
            Self::Advanced(id) => ((*id).into(), "rotation.advanced"),
            Self::Promoted { secret, .. } => (secret.clone().into(), "secret.promoted"),
            Self::Settled { secret, .. } => (secret.clone().into(), "secret.settled"),
            Self::Concluded { permit, outcome: Outcome::Succeeded } => ((*permit).into(), "permit.succeeded"),
            Self::Concluded { permit, outcome: Outcome::Failed } => ((*permit).into(), "permit.failed"),
            Self::ReportedLate { permit, .. } => ((*permit).into(), "permit.reported_late"),
        };
        Violation { subject, kind, breach: Breach::Missing }
    }
}
