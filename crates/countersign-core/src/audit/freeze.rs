//! Freezes: what they hold is not begun without an exception, and what an entry says of them is what the policy in force says.
//!
//! When a cron expression fires is asked of the calendar, which this auditor shares with the core. Which freezes are about an action, how
//! long a window is and what follows is written here anew.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::demand::means;
use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, must};
use crate::action::Action;
use crate::calendar::{self, Schedule, Zone};
use crate::freeze;
use crate::id::{ApprovalId, PermitId};
use crate::policy::{Freeze, ResourcePattern};
use crate::text::Name;
use crate::time::Time;

/// Exceptions that were used up for a permit that must follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excepted {
    pub permit: PermitId,
    pub environment: Name,
    pub from: BTreeMap<Name, ApprovalId>,
}

/// The freeze that an action is an exception from.
pub(super) fn excepted_from(action: &Action) -> Option<Name> {
    let freeze = action.resource.as_str().strip_prefix("freeze/")?;
    if action.verb.as_str() == "except" { freeze.parse().ok() } else { None }
}

fn is_about(freeze: &Freeze, action: &Action) -> bool {
    let resource = match &freeze.resource {
        ResourcePattern::Any => true,
        ResourcePattern::OfType(kind) => action.resource.as_str().split('/').next() == Some(kind.as_str()),
        ResourcePattern::Exactly(exactly) => *exactly == action.resource,
    };
    resource && means(&freeze.verb, &action.verb) && means(&freeze.environment, &action.environment)
}

/// Whether the freeze holds what it is about. One that does not say when always does.
fn holds(freeze: &Freeze, at: Time) -> bool {
    if let (Some(from), Some(until)) = (freeze.from, freeze.until) {
        return from <= at && at < until;
    }
    let (Some(cron), Some(seconds), Some(zone)) = (&freeze.cron, freeze.duration_seconds, &freeze.time_zone)
    else {
        return true;
    };
    let Some(zone) = Zone::named(zone) else { return true };
    let begun = Schedule { cron, zone: &zone }.last(at, seconds.get());
    begun.is_some_and(|begun| at < begun.plus_seconds(seconds.get()))
}

/// What the freezes of the policy in force say of an action at a moment.
struct Said<'a> {
    /// Those about the action, each with whether it holds.
    about: Vec<(&'a Freeze, bool)>,
}

impl Said<'_> {
    fn active(&self) -> BTreeSet<Name> {
        self.about.iter().filter(|(_, holds)| *holds).map(|(freeze, _)| freeze.name.clone()).collect()
    }

    fn is_recurring(&self, name: &Name) -> bool {
        self.about.iter().any(|(freeze, _)| freeze.name == *name && freeze.cron.is_some())
    }

    /// The entry names what was said. What another time zone database may have said otherwise has its own word.
    fn is_named(&self, named: Option<&freeze::Verdict>) -> Verdict {
        let Some(named) = named else { return must(self.about.is_empty(), Breach::OtherFreezes) };
        must(!self.about.is_empty(), Breach::OtherFreezes)?;
        let recurring = self.about.iter().any(|(freeze, _)| freeze.cron.is_some());
        must(named.tzdb.is_some() == recurring, Breach::OtherFreezes)?;
        let active = self.active();
        let mut differing = named.active.symmetric_difference(&active).peekable();
        must(
            differing.peek().is_none() || differing.all(|name| self.is_recurring(name)),
            Breach::OtherFreezes,
        )?;
        let elsewhere = named.tzdb.as_deref() != Some(calendar::tzdb());
        must(named.active == active, if elsewhere { Breach::OtherCalendar } else { Breach::OtherFreezes })
    }
}

impl Auditor {
    fn said(&self, action: &Action, at: Time) -> Verdict<Said<'_>> {
        let freezes = self.in_force()?.policy.freezes.iter();
        Ok(Said { about: freezes.filter(|it| is_about(it, action)).map(|it| (it, holds(it, at))).collect() })
    }

    /// What is done at once, without a permit, is held by no freeze.
    pub(super) fn is_not_frozen(&self, action: &Action, at: Time) -> Verdict {
        must(self.said(action, at)?.active().is_empty(), Breach::Frozen)
    }

    /// The entry names the freezes that hold the action, and of the exceptions `used` those from them; and they are enough.
    pub(super) fn passes_freezes(
        &self,
        (action, at): (&Action, Time),
        named: Option<&freeze::Verdict>,
        used: &BTreeMap<Name, ApprovalId>,
    ) -> Verdict {
        self.said(action, at)?.is_named(named)?;
        let nothing = freeze::Verdict::default();
        let named = named.unwrap_or(&nothing);
        let from_active = used.iter().filter(|(name, _)| named.active.contains(*name));
        must(from_active.eq(named.excepted.iter()), Breach::OtherFreezes)?;
        must(named.active.iter().all(|name| used.contains_key(name)), Breach::Frozen)
    }

    /// The exceptions that were used up just before, for this permit and its environment.
    pub(super) fn excepted(owed: Option<&Owed>, environment: &Name) -> Verdict<BTreeMap<Name, ApprovalId>> {
        match owed {
            Some(Owed::Excepted(excepted) | Owed::Reserved { excepted: Some(excepted), .. }) => {
                must(excepted.environment == *environment, Breach::OtherAction)?;
                Ok(excepted.from.clone())
            }
            _ => Ok(BTreeMap::new()),
        }
    }

    /// An exception is used up, maybe after others for the same permit: something must follow that needs it.
    pub(super) fn exception_used(
        &mut self,
        owed: Option<&Owed>,
        (id, permit): (ApprovalId, PermitId),
        (freeze, environment): (Name, Name),
    ) -> Verdict {
        let mut excepted = match owed {
            Some(Owed::Excepted(excepted)) => excepted.clone(),
            _ => Excepted { permit, environment: environment.clone(), from: BTreeMap::new() },
        };
        must(excepted.permit == permit, Breach::OtherPermit)?;
        must(excepted.environment == environment, Breach::OtherAction)?;
        must(excepted.from.insert(freeze, id).is_none(), Breach::OtherFreezes)?;
        self.owed.push(Owed::Excepted(excepted));
        Ok(())
    }
}
