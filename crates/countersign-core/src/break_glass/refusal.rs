//! Why the glass is not broken, or a review not taken, in order of precedence: who, which rule, which credential, and the debts.

use alloc::vec::Vec;
use core::fmt;

use crate::catalogue::listed;
use crate::id::BreakGlassId;
use crate::policy::Missing;

/// Why the glass is not broken, or a review not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such thing to review.
    NotFound,
    /// Only people break the glass and review it.
    NotAPerson,
    /// No rule of the policy in force governs the action.
    NoRule,
    /// The rules for the action offer no break-glass.
    NotOffered,
    /// The person is in no group that may.
    NotAllowed,
    /// Whoever broke the glass does not review it.
    SelfReview,
    /// The person is in no group that reviews.
    NotAReviewer,
    /// It was reviewed by enough people.
    Settled,
    /// The person said so already.
    AlreadyReviewed,
    /// The key is not one of the person's own, in force.
    KeyNotInForce,
    /// The rules demand a key that lives in hardware.
    HardwareKeyRequired,
    /// There is no reason.
    ReasonRequired,
    /// The statement was signed too long ago, or by a clock that is wrong.
    StatementStale,
    /// The statement was used already, or is older than one that was.
    StatementUsed,
    /// Reviews are overdue, and nobody breaks the glass until they are done.
    Overdue {
        /// What was not reviewed in time.
        debts: Vec<BreakGlassId>,
        /// The places of their reviews that are still empty.
        missing: Vec<Missing>,
    },
    /// The people there are could not review it.
    Unreviewable(Vec<Missing>),
}

listed! { Refusal:
    NotFound, NotAPerson, NoRule, NotOffered, NotAllowed, SelfReview, NotAReviewer, Settled, AlreadyReviewed, KeyNotInForce,
    HardwareKeyRequired, ReasonRequired, StatementStale, StatementUsed, Overdue { debts: Vec::new(), missing: Vec::new() },
    Unreviewable(Vec::new()),
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "break_glass_not_found",
            Self::NotAPerson => "not_a_person",
            Self::NoRule => "no_rule",
            Self::NotOffered => "break_glass_not_offered",
            Self::NotAllowed => "break_glass_not_allowed",
            Self::SelfReview => "self_review",
            Self::NotAReviewer => "not_a_reviewer",
            Self::Settled => "break_glass_settled",
            Self::AlreadyReviewed => "already_reviewed",
            Self::KeyNotInForce => "voting_key_not_in_force",
            Self::HardwareKeyRequired => "hardware_key_required",
            Self::ReasonRequired => "reason_required",
            Self::StatementStale => "statement_stale",
            Self::StatementUsed => "statement_used",
            Self::Overdue { .. } => "break_glass_overdue",
            Self::Unreviewable(_) => "break_glass_unreviewable",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound => "list them with `countersign break-glass list`",
            Self::NotAPerson => "sign in as a person",
            Self::NoRule => "nothing happens without a rule: add one to the policy",
            Self::NotOffered => {
                "ask for approval, or activate a policy whose rules for it have `break_glass`"
            }
            Self::NotAllowed => "ask a member of the groups that `break_glass` names in the rules",
            Self::SelfReview => "somebody who had no part in it reviews it",
            Self::NotAReviewer => "ask a member of the review's groups",
            Self::Settled => "the verdict is on record and final",
            Self::AlreadyReviewed => "your word is on record; somebody else is needed",
            Self::KeyNotInForce => "sign with a voting key that is enrolled as yours",
            Self::HardwareKeyRequired => "sign with a key that lives in a security key and asks for a touch",
            Self::ReasonRequired => "say why: whoever reviews it will read that first",
            Self::StatementStale => "look at your clock and sign again: a statement is good for five minutes",
            Self::StatementUsed => "sign a new statement",
            Self::Overdue { .. } => {
                "the people under `missing` review the debts first: `countersign break-glass review`"
            }
            Self::Unreviewable(_) => "the people under `missing` must claim their credentials first",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "the glass was not broken under this id",
            Self::NotAPerson => "only people break the glass, and only people review it",
            Self::NoRule => "no rule of the policy in force governs this action",
            Self::NotOffered => "the rules for this action offer no break-glass",
            Self::NotAllowed => "you may not break the glass for this action",
            Self::SelfReview => "you broke the glass, so you do not review it",
            Self::NotAReviewer => "your review is not asked for",
            Self::Settled => "it was reviewed already",
            Self::AlreadyReviewed => "you have reviewed it already",
            Self::KeyNotInForce => "the key that signed is not yours, or is not in force",
            Self::HardwareKeyRequired => "the rules for this action ask for a key that lives in hardware",
            Self::ReasonRequired => "a reason is needed",
            Self::StatementStale => "what was signed is not of now",
            Self::StatementUsed => "what was signed was used before, or is older than what was",
            Self::Overdue { debts, .. } => return overdue(f, debts),
            Self::Unreviewable(_) => "the people there are could not review it",
        })
    }
}

/// Names the debts: whoever reads this at night must not look for them.
fn overdue(f: &mut fmt::Formatter<'_>, debts: &[BreakGlassId]) -> fmt::Result {
    f.write_str("nobody breaks the glass while a review is overdue")?;
    for (position, debt) in debts.iter().enumerate() {
        write!(f, "{}`{}`", if position == 0 { ": " } else { ", " }, debt)?;
    }
    Ok(())
}
