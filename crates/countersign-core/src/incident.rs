//! Incidents, first part: what must not end in silence gets an entry of its own and a place in a list.

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::domain::{Event, Fact};
use crate::id::{CorrelationId, IncidentId};
use crate::state::{State, Subject};
use crate::text::Name;
use crate::time::Time;

/// Why an incident was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A permit was neither confirmed nor failed by its deadline.
    PermitUnknown,
    /// A rotation cannot go on and there is no way back.
    RotationStuck,
    /// A rotation turned back by itself.
    RotationTurnedBack,
    /// Somebody acted without anybody's consent.
    BreakGlass,
    /// Nobody reviewed in time that somebody did.
    BreakGlassOverdue,
    /// A witness has not cosigned for longer than the node allows.
    WitnessLost,
    /// Sign-ins of one account, from one network or altogether failed too often.
    SignInFailures,
    /// Somebody signed in after they had.
    SignInAfterFailures,
}

impl Cause {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PermitUnknown => "permit-unknown",
            Self::RotationStuck => "rotation-stuck",
            Self::RotationTurnedBack => "rotation-turned-back",
            Self::BreakGlass => "break-glass",
            Self::BreakGlassOverdue => "break-glass-overdue",
            Self::WitnessLost => "witness-lost",
            Self::SignInFailures => "sign-in-failures",
            Self::SignInAfterFailures => "sign-in-after-failures",
        }
    }
}

/// `incident.opened`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Why.
    pub cause: Cause,
    /// About what.
    pub about: Subject,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The id.
    pub id: IncidentId,
    /// Why it was opened.
    pub cause: Cause,
    /// About what.
    pub about: Subject,
    /// When.
    pub opened_at: Time,
    /// What it belongs to.
    pub correlation: CorrelationId,
}

impl Incident {
    pub(crate) fn deadline(&self) -> Option<Time> {
        None
    }

    /// Nothing in this first part acts on an incident, so its record suffices.
    pub(crate) fn is_finished(&self) -> bool {
        true
    }
}

/// Where an incident belongs: the correlation and, if it has one, the environment of what it is about.
pub(crate) struct Setting<'a> {
    pub correlation: CorrelationId,
    pub environment: Option<&'a Name>,
}

pub(crate) fn open(cx: &Context, setting: &Setting<'_>, cause: Cause, about: Subject) -> Event {
    let fact = Fact::IncidentOpened(IncidentId(cx.second()), Opened { cause, about });
    Event::new(cx, setting.correlation, setting.environment, fact)
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    if let Fact::IncidentOpened(id, Opened { cause, about }) = &event.fact {
        let (opened_at, correlation) = (event.at, event.correlation);
        state.put(*id, Incident { id: *id, cause: *cause, about: about.clone(), opened_at, correlation });
    }
}
