//! What is done in the same decision as it is consented to, without a permit: which action each of these events is, and that the rules let
//! it be done.

use alloc::format;

use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_person, is_of, must};
use crate::action::{Action, Resource};
use crate::context::Actor;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, PersonId};
use crate::session::How;

/// An action that was done, and the approval it says it rests on.
pub(super) struct Deed {
    pub action: Action,
    pub approval: Option<ApprovalId>,
}

/// Where people and their keys are governed.
const CONTROL: &str = "control";

/// The verbs that are deeds, with the type of what they are done to, and the kind of event that says they were done.
const DEEDS: [(&str, &str, &str); 7] = [
    ("invite", "person", "person.enrolled"),
    ("deactivate", "person", "person.deactivated"),
    ("enroll", "voting-key", "person.key_enrolled"),
    ("revoke", "voting-key", "person.key_revoked"),
    ("revoke", "session", "session.ended"),
    ("issue", "service-token", "token.issued"),
    ("revoke", "service-token", "token.revoked"),
];

/// The kind of event that says the action was done, if it is such a deed.
pub(super) fn kind_of(action: &Action) -> Option<&'static str> {
    let (verb, of) = (action.verb.as_str(), action.resource.as_str().split('/').next());
    DEEDS.iter().find(|deed| deed.0 == verb && Some(deed.1) == of).map(|deed| deed.2)
}

fn to_person(verb: &str, kind: &str, person: PersonId) -> Option<Action> {
    Action::of([verb, &format!("{kind}/{person}"), CONTROL])
}

impl Deed {
    /// What the event did, if it is a deed of this kind.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let here = |verb: &str, resource: &Resource| {
            Action::of([verb, resource.as_str(), event.environment.as_ref()?.as_str()])
        };
        let (action, approval) = match &event.fact {
            Fact::TokenIssued(_, issued) if issued.parent.is_none() && issued.workload.is_none() => {
                (here("issue", &issued.resource), issued.approval)
            }
            Fact::TokenRevoked(_, revoked) => (here("revoke", &revoked.resource), revoked.approval),
            Fact::PersonEnrolled(person, enrolled) => {
                (to_person("invite", "person", *person), enrolled.approval)
            }
            Fact::PersonClaimRenewed(person, renewed) => {
                (to_person("invite", "person", *person), renewed.approval)
            }
            Fact::PersonDeactivated(person, deactivated) => {
                (to_person("deactivate", "person", *person), deactivated.approval)
            }
            Fact::PersonKeyEnrolled(person, enrolled) => {
                (to_person("enroll", "voting-key", *person), Some(enrolled.approval))
            }
            Fact::PersonKeyRevoked(person, revoked) => {
                (to_person("revoke", "voting-key", *person), revoked.approval)
            }
            // Whose it is ends it by right.
            Fact::SessionEnded(_, ended)
                if ended.how == How::Revoked
                    && (ended.approval.is_some() || event.actor != Actor::Person(ended.person)) =>
            {
                (to_person("revoke", "session", ended.person), ended.approval)
            }
            _ => return None,
        };
        Some(Self { action: action?, approval })
    }
}

impl Auditor {
    /// The event does what its approval, used just before, was for; or the rules demand none, let its actor do it, and no freeze holds it.
    pub(super) fn is_consented(&self, event: &Event, owed: Option<&Owed>) -> Verdict {
        let Deed { action, approval } = Deed::of(event).ok_or(Breach::OtherAction)?;
        is_of(event, &action.environment)?;
        if approval.is_some() {
            return must(owed.is_some(), Breach::Unprompted);
        }
        let person = by_person(event)?;
        let demand = self.demand(&action)?;
        must(demand.may_execute(person), Breach::NotAnExecutor)?;
        must(!demand.needs_consent(), Breach::ApprovalRequired)?;
        self.is_not_frozen(&action, event.at)
    }
}
