//! Sign-ins that failed: whether they did nobody can tell from the log. Here such entries are few, about people there are, and not in silence.
//!
//! In any hour there are a dozen at most, and one about all others; an account is heard of once in a quarter of an hour, unless somebody gets in; the first of a
//! day about the same is an incident, and those after it are part of that.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of_none, is_part_of, must};
use crate::domain::Event;
use crate::id::{CorrelationId, PersonId};
use crate::incident::Cause;
use crate::log::sign_ins::{About, Failed};
use crate::state::Subject;
use crate::time::Time;

const QUARTER: u32 = 15 * 60;
const HOUR: u32 = 4 * QUARTER;
const DAY: u32 = 24 * HOUR;
const DOZEN: usize = 12;

/// An incident, and what came of it.
#[derive(Clone, Debug)]
struct Case {
    since: Time,
    correlation: CorrelationId,
    last: Time,
    broken_into: bool,
}

/// What was said of failures within a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// By whose account, or none for networks.
    cases: BTreeMap<Option<PersonId>, Case>,
    single: Vec<Time>,
    others: Vec<Time>,
}

impl Told {
    /// Lets go of what bounds nothing any more.
    fn forget(&mut self, now: Time) {
        self.cases.retain(|_, case| now < case.since.plus_seconds(DAY));
        for times in [&mut self.single, &mut self.others] {
            times.retain(|at| now < at.plus_seconds(HOUR));
        }
    }
}

impl Auditor {
    pub(super) fn sign_ins_failed(&mut self, event: &Event, failed: &Failed) -> Verdict {
        by_node(event)?;
        is_of_none(event)?;
        let (whose, least) = match failed.about {
            About::Account { person } => (Some(person), 20),
            About::Network {} => (None, 50),
            About::Others { left_out: 0 } => (None, 500),
            About::Others { left_out: 1.. } => (None, 1),
        };
        must(whose.is_none_or(|person| self.people.contains_key(&person)), Breach::UnknownPerson)?;
        self.sign_ins.forget(event.at);
        let case = self.sign_ins.cases.get(&whose).cloned();
        let broken_into = failed.succeeded_at.is_some();
        let first_break = broken_into && case.as_ref().is_none_or(|case| !case.broken_into);
        let failures = &failed.failures;
        let sum = u64::from(failures.passkey)
            + u64::from(failures.password)
            + u64::from(failures.sso)
            + u64::from(failures.claim);
        must(sum >= least || (first_break && case.is_some()), Breach::TooFewFailures)?;
        case.as_ref().map_or(Ok(()), |case| is_part_of(event, case.correlation))?;
        let others = matches!(failed.about, About::Others { .. });
        let ordered = failed.from <= failed.until && failed.until <= event.at;
        let within = |at| failed.from <= at && at <= failed.until && !others;
        must(ordered && failed.succeeded_at.is_none_or(within), Breach::WrongWindow)?;
        let rested = case.as_ref().is_none_or(|case| event.at >= case.last.plus_seconds(QUARTER));
        must(rested || first_break || whose.is_none(), Breach::ToldTooOften)?;
        let (times, most) =
            if others { (&mut self.sign_ins.others, 1) } else { (&mut self.sign_ins.single, DOZEN) };
        times.push(event.at);
        must(times.len() <= most, Breach::ToldTooOften)?;
        self.owe(case.is_none(), first_break, whose);
        let begun =
            Case { since: event.at, correlation: event.correlation, last: event.at, broken_into: false };
        let case = self.sign_ins.cases.entry(whose).or_insert(begun);
        case.last = event.at;
        case.broken_into |= broken_into;
        Ok(())
    }

    /// What begins, and what somebody got into, is an incident.
    fn owe(&mut self, begins: bool, first_break: bool, whose: Option<PersonId>) {
        let cause = match (first_break, begins) {
            (true, _) => Cause::SignInAfterFailures,
            (false, true) => Cause::SignInFailures,
            (false, false) => return,
        };
        let about = whose.map_or(Subject::Log, Subject::Person);
        self.owed.push(Owed::Incident { cause, about, environment: None });
    }
}
