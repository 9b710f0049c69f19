//! What can be played in a trial, and what is seen then. These are the steps of published vectors.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Unplayable;
use crate::action::Action;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::permit::Outcome;
use crate::time::Time;

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// `person` replaces their one-time claim by a credential.
    Claim,
    /// Asks for approval of `action` with `parameters`.
    Request,
    /// Agrees to `approval`, in the place of `person` where one is named.
    Approve,
    /// Disagrees with `approval`.
    Deny,
    /// Takes the vote on `approval` back.
    Revoke,
    /// Lets `person` agree in one's place, until `until`.
    Delegate,
    /// Ends that before its time.
    Undelegate,
    /// Takes `approval` back.
    Withdraw,
    /// Asks for leave to execute `action` with `parameters` now, on `approval` where one is named.
    Reserve,
    /// Begins the work of `permit`.
    Start,
    /// Gives `permit` back.
    Release,
    /// Says how the work of `permit` ended: `outcome`.
    Finish,
    /// The node notes that a deadline of `approval` or `permit` has passed.
    Elapse,
    /// Puts `policy` in force on `approval`.
    Activate,
    /// Ends that `person` belongs, on `approval` where one is named.
    Deactivate,
}

/// What somebody does, and when. Which of the fields count depends on the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When.
    pub at: Time,
    /// Who: the name of a person, or `node`.
    pub who: String,
    /// What.
    pub command: Verb,
    /// Verb, resource and environment, with a space between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// With which arguments: any text, compared exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// The approval, by the name a step before gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Exceptions from freezes to use, by the names steps before gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
    /// The permit, by the name a step before gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<String>,
    /// The policy, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The person, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// How the work ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Whether whoever agrees says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commented: Option<bool>,
    /// Whether whoever agrees has just proved who they are, for exactly that: they have, unless this is `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<bool>,
    /// The name that is given to what the step makes.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What must be seen.
    #[serde(default)]
    pub expect: Observed,
}

impl Step {
    pub(super) fn action(&self) -> Result<Action, Unplayable> {
        let text = self.action.as_deref().ok_or_else(|| Unplayable("name the `action`".into()))?;
        parse_action(text)
    }

    pub(super) fn parameters_sha256(&self) -> Digest {
        Digest::of(self.parameters.as_deref().unwrap_or_default().as_bytes())
    }

    /// What exceptions from freezes must have been asked for with: the name of the approval, or what is done without one.
    pub(super) fn excepted_sha256(&self) -> Digest {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let use_of = self.approval.clone();
        let parameters =
            use_of.unwrap_or_else(|| format!("{} {}", text(&self.action), text(&self.parameters)));
        Digest::of(parameters.as_bytes())
    }

    pub(super) fn outcome(&self) -> Result<Outcome, Unplayable> {
        self.outcome.ok_or_else(|| Unplayable("name the `outcome`".into()))
    }
}

/// Reads an action from its three words.
///
/// # Errors
/// They are not three, or one of them is not what it should be.
pub fn parse_action(text: &str) -> Result<Action, Unplayable> {
    let odd = |what: String| Unplayable(format!("action `{text}`: {what}"));
    let words: Vec<&str> = text.split(' ').collect();
    let &[verb, resource, environment] = words.as_slice() else {
        return Err(odd("three words are needed: verb, resource and environment".to_owned()));
    };
    Ok(Action {
        verb: verb.parse().map_err(|error| odd(format!("{error}")))?,
        resource: resource.parse().map_err(|error| odd(format!("{error}")))?,
        environment: environment.parse().map_err(|error| odd(format!("{error}")))?,
    })
}

/// What a step comes to: events, or a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// What happened, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ObservedEvent>,
    /// The code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Whose agreement is missing, where that is the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<ObservedMissing>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedEvent {
    /// The kind of event.
    pub kind: String,
    /// The deadline it sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl ObservedEvent {
    pub(super) fn of(event: &Event) -> Self {
        let until = match &event.fact {
            Fact::ApprovalRequested(_, requested) => Some(requested.pending_until),
            Fact::ApprovalCompleted(_, completed) => Some(completed.approved_until),
            Fact::PermitReserved(_, reserved) => Some(reserved.start_by),
            Fact::PermitStarted(_, started) => Some(started.finish_by),
            _ => None,
        };
        Self { kind: event.fact.kind().to_string(), until }
    }
}

/// A group that has not yet agreed enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedMissing {
    /// The group.
    pub group: String,
    /// How many more of its members are needed.
    pub needed: u32,
    /// Who could still agree, by name, sorted.
    #[serde(default)]
    pub could: Vec<String>,
}
