//! Which entries a bundle is about: every filter that is set must match.

use std::collections::BTreeMap;
use std::fmt;

use countersign_core::action::Resource;
use countersign_core::id::CorrelationId;
use countersign_core::text::Name;
use countersign_core::time::Time;
use countersign_core::{Actor, Event, Fact, Subject};
use serde::{Deserialize, Serialize};

/// Filters over entries. Without any it is the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Everything of one cause: a request, what it led to, and the incidents on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<CorrelationId>,
    /// About one subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Caused by one actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// About subjects that concern one resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// In one environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// Of one kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl Scope {
    /// Whether the scope is one subject and nothing else, so that a count of that subject's entries says whether all are there.
    #[must_use]
    pub fn is_one_subject(&self) -> bool {
        self.subject.is_some() && Self { subject: None, ..self.clone() } == Self::default()
    }

    /// Whether the event is in the scope. `resources` must have [seen](Resources::see) it and all entries of its subject before it.
    #[must_use]
    pub fn holds(&self, event: &Event, resources: &Resources) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        let subject = event.fact.subject();
        is(self.correlation.as_ref(), Some(&event.correlation))
            && is(self.actor.as_ref(), Some(&event.actor))
            && is(self.environment.as_ref(), event.environment.as_ref())
            && is(self.resource.as_ref(), resources.of(&subject))
            && is(self.subject.as_ref(), Some(&subject))
            && self.kind.as_deref().is_none_or(|kind| kind == event.fact.kind())
            && self.from.is_none_or(|from| event.at >= from)
            && self.until.is_none_or(|until| event.at < until)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filters = [
            ("correlation", self.correlation.map(|id| id.to_string())),
            ("subject", self.subject.as_ref().map(Subject::to_string)),
            ("actor", self.actor.map(|actor| actor.to_string())),
            ("resource", self.resource.as_ref().map(Resource::to_string)),
            ("environment", self.environment.as_ref().map(Name::to_string)),
            ("kind", self.kind.clone()),
            ("from", self.from.map(|time| time.to_string())),
            ("until", self.until.map(|time| time.to_string())),
        ];
        let mut set = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).peekable();
        if set.peek().is_none() {
            return f.write_str("the whole log");
        }
        for (position, (name, value)) in set.enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

/// Which resource a subject concerns: said by the entry it begins with, and remembered for those that follow.
#[derive(Clone, Debug, Default)]
pub struct Resources(BTreeMap<Subject, Resource>);

impl Resources {
    /// Learns from an event; events come in the order of the log.
    pub fn see(&mut self, event: &Event) {
        let resource = match &event.fact {
            Fact::ApprovalRequested(_, requested) => Some(&requested.action.resource),
            Fact::PermitReserved(_, reserved) => Some(&reserved.action.resource),
            Fact::RotationStarted(_, started) => Some(&started.secret.resource),
            Fact::SecretAdopted(key, _) => Some(&key.resource),
            Fact::IncidentOpened(_, opened) => self.0.get(&opened.about),
            _ => None,
        };
        if let Some(resource) = resource.cloned() {
            self.0.insert(event.fact.subject(), resource);
        }
    }

    /// The resource the subject concerns, as far as is known.
    #[must_use]
    pub fn of(&self, subject: &Subject) -> Option<&Resource> {
        self.0.get(subject)
    }
}
