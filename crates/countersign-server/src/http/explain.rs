//! Why a permit is refused, in the policy's own words: which rules govern the action, and who could do it instead.
//!
//! What is missing of a quorum comes with the refusal itself. Here is what the policy in force says beside it; nothing is decided here.

use countersign_api::PersonRef;
use countersign_core::action::Action;
use countersign_core::id::PersonId;
use countersign_core::policy::{Policy, Requirement};
use countersign_core::{Command, Item, Refusal, State, Subject, action_of, permit};

use super::names::{Known, person};
use super::problem::Rejected;
use super::{App, lists};

/// A refusal of a command about a permit, with its reasons.
pub(super) fn refused(app: &App, known: &Known, (refusal, about): (&Refusal, About)) -> Rejected {
    let state = &app.engine.state();
    let rejected = Rejected::refused(refusal, known);
    let Refusal::Permit(refusal) = refusal else { return rejected };
    let Some(policy) = state.policy().map(|in_force| &in_force.policy) else { return rejected };
    let requirement = about.action.as_ref().and_then(|action| policy.requirement(action));
    let rules = requirement.iter().flat_map(|it| &it.rules).map(ToString::to_string).collect();
    let could = match (refusal, &requirement) {
        (permit::Refusal::NotTheExecutor, _) => about.executor.into_iter().collect(),
        (_, None) => Vec::new(),
        (_, Some(requirement)) => able(state, (policy, requirement), refusal),
    };
    let could: Vec<PersonRef> =
        could.into_iter().filter(|it| Some(*it) != about.asking).map(|it| person(it, known)).collect();
    rejected.with_reasons((rules, could))
}

/// What the refused command was about.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    action: Option<Action>,
    executor: Option<PersonId>,
    asking: Option<PersonId>,
}

impl About {
    /// What a command of this person speaks of. A permit that has ended is looked up in its record.
    pub(super) async fn of(app: &App, command: &Command, asking: Option<PersonId>) -> Result<Self, Rejected> {
        let named = match command {
            Command::StartPermit(id) | Command::ReleasePermit(id) | Command::KeepPermitAlive(id) => Some(*id),
            Command::FinishPermit(permit::Finish { permit, .. })
            | Command::ReconcilePermit(permit::Reconcile { permit, .. }) => Some(*permit),
            _ => None,
        };
        let Some(id) = named else {
            let action = action_of(&app.engine.state(), command);
            return Ok(Self { action, executor: None, asking });
        };
        let Some(Item::Permit(permit)) = lists::one(app, Subject::Permit(id)).await? else {
            return Ok(Self { asking, ..Self::default() });
        };
        Ok(Self { action: Some(permit.action), executor: Some(permit.executor), asking })
    }
}

/// Everybody who can act and whom the rules let do what was refused because of who asked.
fn able(
    state: &State,
    (policy, requirement): (&Policy, &Requirement),
    refusal: &permit::Refusal,
) -> Vec<PersonId> {
    let may = |person: PersonId| match refusal {
        permit::Refusal::NotAnExecutor => requirement.may_execute(policy, person),
        permit::Refusal::NotAReconciler | permit::Refusal::SelfReconciliation => {
            requirement.may_execute(policy, person) || requirement.may_approve(policy, person)
        }
        _ => false,
    };
    let claimed = state.people().filter(|(_, person)| person.is_claimed());
    claimed.map(|(id, _)| *id).filter(|id| may(*id)).collect()
}
