//! Why something about a rotation is refused, in order of precedence.

use core::fmt;

use crate::catalogue::listed;

/// Why something about a rotation is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such rotation.
    NotFound,
    /// Only the node's runner attempts and reports tasks.
    NotTheRunner,
    /// Only people abort rotations.
    NotAPerson,
    /// The person may not execute this rotation, so may not abort it either.
    NotAnExecutor,
    /// The permit's action is not a rotation of a governed secret.
    NotGoverned,
    /// The secret has no present value on record.
    NotAdopted,
    /// Another rotation holds the secret.
    SecretBusy,
    /// The permit is for other parameters.
    ParametersMismatch,
    /// The overlap is shorter than the policy allows.
    OverlapTooShort {
        /// The shortest the policy allows, seconds.
        min_seconds: u32,
    },
    /// The rotation could not end before its permit's deadline.
    OverlapTooLong {
        /// How long the work may take, seconds.
        work_seconds: u32,
    },
    /// The rotation has ended.
    Finished,
    /// It is on its way back already.
    AlreadyTurnedBack,
    /// The old key is being revoked: there is only the way forward.
    PastRevocation,
    /// The task is not owed now, or this attempt is not the next one.
    TaskNotDue,
}

listed! { Refusal:
    NotFound, NotTheRunner, NotAPerson, NotAnExecutor, NotGoverned, NotAdopted, SecretBusy,
    ParametersMismatch, OverlapTooShort { min_seconds: 0 }, OverlapTooLong { work_seconds: 0 }, Finished, AlreadyTurnedBack,
    PastRevocation, TaskNotDue,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "rotation_not_found",
            Self::NotTheRunner => "not_the_runner",
            Self::NotAPerson => "not_a_person",
            Self::NotAnExecutor => "not_an_executor",
            Self::NotGoverned => "secret_not_governed",
            Self::NotAdopted => "secret_not_adopted",
            Self::SecretBusy => "secret_busy",
            Self::ParametersMismatch => "parameters_mismatch",
            Self::OverlapTooShort { .. } => "overlap_too_short",
            Self::OverlapTooLong { .. } => "overlap_too_long",
            Self::Finished => "rotation_finished",
            Self::AlreadyTurnedBack => "rotation_turned_back",
            Self::PastRevocation => "rotation_past_revocation",
            Self::TaskNotDue => "task_not_due",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound => "list rotations with `countersign rotation list`",
            Self::NotTheRunner | Self::TaskNotDue => "tasks are the runner's business",
            Self::NotAPerson => "sign in as a person",
            Self::NotAnExecutor => "ask a member of the rule's executor groups",
            Self::NotGoverned => "add the secret to the policy, and reserve the permit for the verb `rotate`",
            Self::NotAdopted => "give its present value to `countersign init --secret`",
            Self::SecretBusy => "wait for the rotation under way, or abort it",
            Self::ParametersMismatch => "use the parameters that were approved, or make a new request",
            Self::OverlapTooShort { .. } => "ask for a longer overlap in a new request",
            Self::OverlapTooLong { .. } => {
                "ask for a shorter overlap in a new request, or give the rule a longer `work_seconds`"
            }
            Self::Finished | Self::AlreadyTurnedBack => "look at the record: `countersign rotation show`",
            Self::PastRevocation => "let it go on, or rotate again afterwards",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such rotation",
            Self::NotTheRunner => "only the node's runner attempts and reports tasks",
            Self::NotAPerson => "only people abort rotations",
            Self::NotAnExecutor => "you may not execute this rotation, so you may not abort it either",
            Self::NotGoverned => "the permit is not for the rotation of a governed secret",
            Self::NotAdopted => "the secret has no present value on record",
            Self::SecretBusy => "another rotation holds the secret",
            Self::ParametersMismatch => "the permit is for other parameters",
            Self::OverlapTooShort { min_seconds } => {
                return write!(f, "the policy demands an overlap of at least {min_seconds} s");
            }
            Self::OverlapTooLong { work_seconds } => {
                return write!(
                    f,
                    "with this overlap the rotation could not end within the {work_seconds} s its permit allows"
                );
            }
            Self::Finished => "the rotation has ended",
            Self::AlreadyTurnedBack => "the rotation is on its way back already",
            Self::PastRevocation => "the old key is being revoked: there is only the way forward",
            Self::TaskNotDue => "the task is not due, or this is not its next attempt",
        })
    }
}
