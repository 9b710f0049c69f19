//! Whether enough people have signed, by a pinned roster: what a server cannot make up, whatever keys it holds.

use std::collections::BTreeSet;

use countersign_core::approval::Vote;
use countersign_core::id::PersonId;
use countersign_core::policy::{Consent, Requirement};
use countersign_ledger::statement::{self, NAMESPACE};

use crate::votes;

use super::{Agreement, Leave, Quorum, Roster, Untrusted};

/// What the pinned roster says of the leave and of those who agreed.
pub(super) fn judge(leave: &Leave, roster: &Roster) -> Result<Quorum, Untrusted> {
    let requirement = roster.policy.requirement(&leave.action).ok_or(Untrusted::NoRule)?;
    if requirement.digest() != leave.requirement_sha256 {
        return Err(Untrusted::OtherRules);
    }
    if !requirement.may_execute(&roster.policy, leave.executor) {
        return Err(Untrusted::NotAnExecutor);
    }
    if requirement.approval == Consent::NotRequired {
        return Ok(Quorum::NotRequired);
    }
    // The approval itself comes first; others are of what stands in its way.
    let agreement = leave.approvals.first().ok_or(Untrusted::NoApproval)?;
    let signed = signers(leave, agreement, (roster, &requirement))?;
    if requirement.unfilled(&roster.policy, &signed).is_empty() {
        return Ok(Quorum::Signed(signed.into_iter().collect()));
    }
    if !requirement.signature.is_not_required() {
        return Err(Untrusted::Quorum);
    }
    Ok(Quorum::ServersWord("the rules do not ask for signed votes"))
}

/// Everybody whose signature holds, with a key that the roster gives them, under a statement of exactly this leave.
fn signers(
    leave: &Leave,
    agreement: &Agreement,
    (roster, requirement): (&Roster, &Requirement),
) -> Result<BTreeSet<PersonId>, Untrusted> {
    let Some(text) = &agreement.statement else { return Ok(BTreeSet::new()) };
    bound(leave, agreement, (text, requirement))?;
    let mut signed = BTreeSet::new();
    for vote in agreement.votes.iter().filter(|vote| vote.signature.is_some()) {
        // A signature that is there and does not hold is a forgery, not an absence.
        let other = !roster.policy.are_one(vote.person, agreement.requester);
        if holds(vote, text, (roster, requirement))? && other {
            signed.insert(vote.person);
        }
    }
    Ok(signed)
}

/// The statement speaks of this leave and of nothing else.
fn bound(
    leave: &Leave,
    agreement: &Agreement,
    (text, requirement): (&str, &Requirement),
) -> Result<(), Untrusted> {
    let statement = statement::Statement::parse(text.as_bytes())
        .map_err(|error| Untrusted::Statement(error.to_string()))?;
    let action = &leave.action;
    let words = [action.verb.as_str(), action.resource.as_str(), action.environment.as_str()];
    let same = statement.action.iter().map(String::as_str).eq(words)
        && statement.approval == agreement.approval.to_string()
        && statement.requester == agreement.requester.to_string()
        && statement.parameters_sha256.0 == leave.parameters_sha256.0
        && statement.requirement_sha256.0 == requirement.digest().0;
    if same { Ok(()) } else { Err(Untrusted::Statement("it is of another request".to_owned())) }
}

/// Whether the vote is signed by a key that the roster gives the voter, and one that is strong enough. Somebody else's key, or one that
/// was revoked since, counts for nothing; what does not hold at all is refused.
fn holds(vote: &Vote, text: &str, (roster, requirement): (&Roster, &Requirement)) -> Result<bool, Untrusted> {
    let forged = || Untrusted::Signature(vote.person);
    let Some(kept) = &vote.signature else { return Ok(false) };
    let key = votes::check_signature(kept, NAMESPACE).map_err(|_| forged())?;
    votes::check_statement(kept, text.as_bytes()).map_err(|_| forged())?;
    Ok(requirement.signature.is_met_by(Some(key.algorithm())) && roster.has(vote.person, &key))
}
