//! One opening of the glass, under another policy than the one it was decided under.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::judge::{ALLOWED, Change, Changes, seconds};
use crate::action::Action;
use crate::break_glass::Refusal;
use crate::id::PersonId;
use crate::policy::{Breakable, Policy, Quorum, Requirement, unfilled};
use crate::time::Time;

/// The glass was broken.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub person: PersonId,
    pub action: Action,
    pub at: Time,
    pub review: Quorum,
    pub review_until: Time,
}

pub(super) fn opening(policy: &Policy, it: &Opening) -> Vec<Change> {
    let mut changes = Changes::default();
    let requirement = policy.requirement(&it.action);
    let offer = match offered(policy, (requirement.as_ref(), it)) {
        Ok(offer) => offer,
        Err(refusal) => {
            changes.compare("break_glass", &ALLOWED, &refusal.code());
            return changes.0;
        }
    };
    changes.compare("review", &spoken(&it.review), &spoken(&offer.review));
    changes.compare("review_seconds", &seconds(it.at, it.review_until), &offer.review_seconds);
    changes.0
}

/// What the policy alone says: keys, statements and debts are as they were.
fn offered<'a>(
    policy: &Policy,
    (requirement, it): (Option<&'a Requirement>, &Opening),
) -> Result<&'a Breakable, Refusal> {
    let offer = requirement.ok_or(Refusal::NoRule)?.break_glass.as_ref().ok_or(Refusal::NotOffered)?;
    if !offer.may_break(policy, it.person) {
        return Err(Refusal::NotAllowed);
    }
    let others = policy.everybody().into_iter().filter(|other| !policy.are_one(*other, it.person)).collect();
    let missing = unfilled(policy, &offer.review, &others);
    if missing.is_empty() { Ok(offer) } else { Err(Refusal::Unreviewable(missing)) }
}

fn spoken(quorum: &Quorum) -> String {
    quorum.iter().map(|(group, count)| format!("{count} of {group}")).collect::<Vec<_>>().join(", ")
}
