//! Reconciliation: somebody else than the executor looks what really happened, and says so, once. The permit stays unknown: what nobody
//! reported in time is never reported as success.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Outcome, Refusal, Status};
use crate::context::Context;
use crate::domain::{Event, Fact};
use crate::id::{PermitId, PersonId};
use crate::person::Person;
use crate::state::State;
use crate::time::Time;

/// Says how the work of a permit that is unknown really ended.
#[derive(Clone, Copy, Debug)]
pub struct Reconcile {
    /// The permit.
    pub permit: PermitId,
    /// What was found.
    pub outcome: Outcome,
}

/// `permit.reconciled`: the actor of the entry has looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// What was found.
    pub outcome: Outcome,
}

/// What somebody found out about a permit that is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// What was found.
    pub outcome: Outcome,
    /// Who looked.
    pub by: PersonId,
    /// When they said so.
    pub at: Time,
}

pub(crate) fn reconcile(state: &State, cx: &Context, command: &Reconcile) -> Result<Vec<Event>, Refusal> {
    let permit = state.permit(command.permit).ok_or(Refusal::NotFound)?;
    let person = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    let in_force = state.policy().ok_or(Refusal::NoRule)?;
    let requirement = in_force.policy.requirement(&permit.action).ok_or(Refusal::NoRule)?;
    let policy = &in_force.policy;
    let active = state.person(person).is_some_and(Person::is_active);
    if !active || !(requirement.may_execute(policy, person) || requirement.may_approve(policy, person)) {
        return Err(Refusal::NotAReconciler);
    }
    if policy.are_one(permit.executor, person) {
        return Err(Refusal::SelfReconciliation);
    }
    // Silence counts once the log says so, which the node sees to at once: then there is an incident to answer to.
    if permit.status != Status::Unknown {
        return Err(Refusal::NotUnknown);
    }
    if permit.reconciled.is_some() {
        return Err(Refusal::AlreadyReconciled);
    }
    let reconciled = Reconciled { outcome: command.outcome };
    Ok(Vec::from([permit.event(cx, Fact::PermitReconciled(permit.id, reconciled))]))
}
