//! Which live requests the policy in force leaves behind: for whoever has just changed it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::electorate::Electorate;
use super::{Approval, Refusal};
use crate::id::ApprovalId;
use crate::log::PolicyInForce;
use crate::policy::Requirement;
use crate::state::State;
use crate::time::Time;

/// Live requests of which nothing can come as things are, and why: the rules for their action demand something else now
/// (`policy_changed`), there are none any more (`no_rule`), or the people there are could never meet the quorum (`unsatisfiable`).
///
/// Requests for the same action are many, so what it demands is worked out once for all of them.
#[must_use]
pub fn stranded(state: &State, now: Time) -> Vec<(ApprovalId, Refusal)> {
    let Some(in_force) = state.policy() else { return Vec::new() };
    let live: Vec<&Approval> =
        state.approvals_newest_first().filter(|approval| approval.ended_refusal(now).is_none()).collect();
    let mut demands = BTreeMap::new();
    for approval in &live {
        let demand = || in_force.policy.requirement(&approval.action).map(|it| (it.digest(), it));
        demands.entry(&approval.action).or_insert_with(demand);
    }
    let mut electorates = BTreeMap::new();
    let mut stranded = Vec::new();
    for approval in live {
        let refusal = match demands.get(&approval.action).and_then(Option::as_ref) {
            None => Some(Refusal::NoRule),
            Some((digest, _)) if *digest != approval.requirement_sha256 => Some(Refusal::PolicyChanged),
            Some((_, requirement)) => electorates
                .entry((&approval.action, approval.requester))
                .or_insert_with(|| unsatisfiable((state, now), in_force, (approval, requirement)))
                .clone(),
        };
        stranded.extend(refusal.map(|refusal| (approval.id, refusal)));
    }
    stranded
}

fn unsatisfiable(
    (state, now): (&State, Time),
    in_force: &PolicyInForce,
    (approval, requirement): (&Approval, &Requirement),
) -> Option<Refusal> {
    let everybody = Electorate::new(state, in_force, (approval.requester, requirement)).everybody(now);
    let missing = requirement.unfilled(&in_force.policy, &everybody);
    (!missing.is_empty()).then_some(Refusal::Unsatisfiable(missing))
}
