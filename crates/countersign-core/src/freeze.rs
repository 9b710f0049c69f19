//! Freezes at the moment of use: what they stop, and the exceptions that let one action pass.
//!
//! While a freeze of the policy in force holds an action, nothing of it is begun: no permit is reserved, none that waits is started.
//! What was started goes on, and reports and gives back as ever. An exception is an approval of its own, of the action
//! `except freeze/NAME ENVIRONMENT` with parameters that name one use; the reservation uses it up, and a permit
//! that is given back unstarted gives it back.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::approval::{self, Status};
use crate::calendar;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, PermitId};
use crate::permit::{Demand, Refusal};
use crate::policy::{Policy, Standing};
use crate::sabotage::{self, Sabotage};
use crate::state::State;
use crate::text::Name;
use crate::time::Time;

/// An exception that is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The approval of it.
    pub approval: ApprovalId,
    /// Digest of the parameters that it must have been approved for, salted as the approval's are.
    pub parameters_sha256: Digest,
}

/// A freeze that holds an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The freeze.
    pub name: Name,
    /// Until when, as far as that is known.
    pub until: Option<Time>,
}

/// What the freezes said of an action that happened all the same. Only written where a freeze of the policy is about the action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Those that held it.
    pub active: BTreeSet<Name>,
    /// The exceptions from them: the approvals that were used up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excepted: BTreeMap<Name, ApprovalId>,
    /// The release of the time zone database, where one of the freezes about the action comes again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tzdb: Option<String>,
}

/// What the freezes of a policy say of an action at a moment.
pub(crate) struct Weather {
    pub held: Vec<Held>,
    tzdb: Option<String>,
}

impl Weather {
    /// Nothing if no freeze is about the action.
    pub(crate) fn of(policy: &Policy, action: &Action, at: Time) -> Option<Self> {
        let mut about = policy.freezes.iter().filter(|freeze| freeze.matches(action)).peekable();
        about.peek()?;
        let mut weather = Self { held: Vec::new(), tzdb: None };
        for freeze in about {
            if freeze.is_recurring() {
                weather.tzdb = Some(calendar::tzdb().to_string());
            }
            let until = match freeze.standing(at) {
                Standing::Inactive => continue,
                Standing::Active(window) => Some(window.until),
                Standing::Unclear => None,
            };
            weather.held.push(Held { name: freeze.name.clone(), until });
        }
        Some(weather)
    }

    /// What goes on record; exceptions from other freezes are none of it.
    fn verdict(self, excepted: BTreeMap<Name, ApprovalId>) -> Verdict {
        let active: BTreeSet<Name> = self.held.into_iter().map(|held| held.name).collect();
        let excepted = excepted.into_iter().filter(|(name, _)| active.contains(name)).collect();
        Verdict { active, excepted, tzdb: self.tzdb }
    }
}

/// The action under which somebody is excepted from a freeze: `except freeze/NAME ENVIRONMENT`.
#[must_use]
pub fn exception(freeze: &Name, environment: &Name) -> Option<Action> {
    Action::of(["except", &format!("freeze/{freeze}"), environment.as_str()])
}

/// Whether the action is an exception from a freeze: it is used with a permit, never by one of its own.
#[must_use]
pub fn is_exception(action: &Action) -> bool {
    action.verb.as_str() == "except" && action.resource.as_str().starts_with("freeze/")
}

/// Lets an action pass that nothing holds, or that is excepted from everything that does, with exceptions that are all needed.
pub(crate) fn pass(state: &State, cx: &Context, demand: &Demand<'_>) -> Result<Option<Verdict>, Refusal> {
    let in_force = state.policy().ok_or(Refusal::NoRule)?;
    let weather = Weather::of(&in_force.policy, demand.action, cx.now);
    let held = weather.as_ref().map(|weather| weather.held.as_slice()).unwrap_or_default();
    let mut excepted = BTreeMap::new();
    for used in demand.exceptions {
        let name = meant(state, (demand.action, held), used)?;
        if excepted.contains_key(name) {
            return Err(Refusal::ExceptionUnused(used.approval));
        }
        usable(state, cx, used)?;
        excepted.insert(name.clone(), used.approval);
    }
    let holding: Vec<Held> = held.iter().filter(|held| !excepted.contains_key(&held.name)).cloned().collect();
    if holding.is_empty() || sabotage::is_active(Sabotage::FreezeIgnored) {
        Ok(weather.map(|weather| weather.verdict(excepted)))
    } else {
        Err(Refusal::Frozen(holding))
    }
}

/// The freeze that an exception is from, if it holds the action.
fn meant<'a>(
    state: &State,
    (action, held): (&Action, &'a [Held]),
    used: &Exception,
) -> Result<&'a Name, Refusal> {
    let approval = state.approval(used.approval).ok_or(Refusal::ExceptionNotFound(used.approval))?;
    let from = |held: &&Held| exception(&held.name, &action.environment).as_ref() == Some(&approval.action);
    held.iter().find(from).map(|held| &held.name).ok_or(Refusal::ExceptionUnused(used.approval))
}

/// Everything that is checked of an approval at its use is checked of an exception.
fn usable(state: &State, cx: &Context, used: &Exception) -> Result<(), Refusal> {
    let Exception { approval: id, parameters_sha256 } = *used;
    let approval = state.approval(id).ok_or(Refusal::ExceptionNotFound(id))?;
    if sabotage::is_active(Sabotage::ExceptionTwice) && approval.status_at(cx.now) == Status::Consumed {
        return Ok(());
    }
    let demand = Demand { action: &approval.action, parameters_sha256, approval: Some(id), exceptions: &[] };
    crate::permit::agreed(state, cx, &demand).map(drop).map_err(|refusal| match refusal {
        Refusal::NoRule | Refusal::NotAnExecutor => Refusal::ExceptionNotYours(id),
        Refusal::ParametersMismatch => Refusal::ExceptionMismatch(id),
        Refusal::ApprovalPending(missing) => Refusal::ExceptionPending(missing),
        Refusal::ApprovalConsumed => Refusal::ExceptionEnded(id, "was used already"),
        Refusal::ApprovalDenied => Refusal::ExceptionEnded(id, "was denied"),
        Refusal::ApprovalWithdrawn => Refusal::ExceptionEnded(id, "was withdrawn"),
        Refusal::ApprovalExpired => Refusal::ExceptionEnded(id, "has expired"),
        Refusal::RequesterGone => {
            Refusal::ExceptionEnded(id, "was asked for by somebody who was deactivated")
        }
        Refusal::PolicyChanged => Refusal::ExceptionEnded(id, "was asked for under other rules"),
        other => other,
    })
}

/// That the exceptions are used up by a permit, each in the correlation of its own request.
pub(crate) fn used_up(
    state: &State,
    cx: &Context,
    (verdict, permit): (Option<&Verdict>, PermitId),
) -> Vec<Event> {
    let excepted = verdict.into_iter().flat_map(|verdict| verdict.excepted.values());
    let consumed = |id: &ApprovalId| {
        let approval = state.approval(*id)?;
        let fact = Fact::ApprovalConsumed(*id, approval::Consumed { permit: Some(permit) });
        Some(Event::new(cx, approval.correlation, Some(&approval.action.environment), fact))
    };
    excepted.filter_map(consumed).collect()
}

/// That the exceptions of a permit can be used again, each in the correlation of its own request.
pub(crate) fn given_back(state: &State, cx: &Context, permit: &crate::permit::Permit) -> Vec<Event> {
    let excepted = permit.freezes.iter().flat_map(|verdict| verdict.excepted.values());
    let restored = |id: &ApprovalId| {
        let fact = Fact::ApprovalRestored(*id, approval::Restored { permit: permit.id });
        Some(state.approval(*id)?.event(cx, fact))
    };
    excepted.filter_map(restored).collect()
}

/// Lets a permit start that nothing holds now but what it was excepted from when it was reserved. Who broke the glass passes every freeze.
pub(crate) fn start(
    state: &State,
    cx: &Context,
    permit: &crate::permit::Permit,
) -> Result<Option<Verdict>, Refusal> {
    let in_force = state.policy().ok_or(Refusal::NoRule)?;
    if permit.break_glass.is_some() {
        return Ok(None);
    }
    let Some(weather) = Weather::of(&in_force.policy, &permit.action, cx.now) else { return Ok(None) };
    let excepted = permit.freezes.as_ref().map(|verdict| verdict.excepted.clone()).unwrap_or_default();
    let holding: Vec<Held> =
        weather.held.iter().filter(|held| !excepted.contains_key(&held.name)).cloned().collect();
    if holding.is_empty() { Ok(Some(weather.verdict(excepted))) } else { Err(Refusal::Frozen(holding)) }
}
