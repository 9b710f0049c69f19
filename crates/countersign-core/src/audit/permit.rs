//! Permits: leave for one action with the parameters that were approved, in time, by the one person who holds it; no silence at the end.

use alloc::collections::BTreeMap;

use super::freeze::excepted_from;
use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, by_person, is_of, is_part_of, must, roster};
use crate::action::Action;
use crate::context::Actor;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, CorrelationId, PermitId, PersonId, RotationId};
use crate::incident::Cause;
use crate::permit::{Heartbeat, Outcome, Reserved, Started};
use crate::policy::GovernedSecret;
use crate::secret::SecretKey;
use crate::state::Subject;
use crate::text::Name;
use crate::time::Time;

/// A permit that is under way, or of whose end nobody knows.
#[derive(Clone, Debug)]
pub(super) struct Permit {
    pub action: Action,
    pub executor: PersonId,
    pub work_seconds: u32,
    /// How often its executor must say that the work goes on, where the rules ask for that.
    heartbeat: Option<u32>,
    approval: Option<ApprovalId>,
    correlation: CorrelationId,
    /// When it must be started; once it is, when its outcome must be reported.
    deadline: Time,
    /// When its executor last said that the work goes on, while that is asked for.
    beaten_at: Option<Time>,
    state: State,
    rotation: Option<RotationId>,
    /// Whether the rotation it was started for said, late, how it ended.
    told: bool,
    reconciled: bool,
    /// Whether the glass was broken for it, so that no freeze holds it.
    breaks_glass: bool,
    /// The freezes it was excepted from, and by what.
    excepted: BTreeMap<Name, ApprovalId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reserved,
    Started,
    Unknown,
}

impl Permit {
    /// The event comes while it is in this state.
    fn is(&self, state: State) -> Verdict {
        must(self.state == state, Breach::WrongState)
    }

    /// When silence ends it: at its deadline, or when a sign of life that the rules ask for does not come.
    fn ends(&self) -> Time {
        let beat = self.beaten_at.zip(self.heartbeat).map(|(at, seconds)| at.plus_seconds(seconds));
        beat.map_or(self.deadline, |beat| beat.min(self.deadline))
    }

    fn is_in_time(&self, event: &Event) -> Verdict {
        must(event.at < self.ends(), Breach::TooLate)
    }

    fn is_overdue(&self, event: &Event) -> Verdict {
        must(event.at >= self.ends(), Breach::TooEarly)
    }

    /// Who acts holds it, by themselves or by a token of theirs that is for it.
    fn by_executor(&self, acting: Verdict<PersonId>) -> Verdict {
        match acting {
            Err(Breach::NotAPerson) => Err(Breach::NotTheExecutor),
            acting => must(acting? == self.executor, Breach::NotTheExecutor),
        }
    }

    /// Who says how the work ended: the executor, or the rotation at its end, which owes it.
    fn by_holder(&self, event: &Event, owed: Option<&Owed>, acting: Verdict<PersonId>) -> Verdict {
        match (self.rotation, owed) {
            (None, _) => self.by_executor(acting),
            (Some(_), Some(_)) => by_node(event),
            (Some(_), None) => Err(Breach::UseRotation),
        }
    }
}

impl Auditor {
    pub(super) fn permit(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        let Subject::Permit(id) = event.fact.subject() else { return Err(Breach::Unknown) };
        if let Fact::PermitReserved(_, reserved) = &event.fact {
            return self.reserved(event, owed, (id, reserved));
        }
        let permit = self.permits.get(&id).ok_or(Breach::Unknown)?;
        is_part_of(event, permit.correlation)?;
        is_of(event, &permit.action.environment)?;
        match &event.fact {
            Fact::PermitStarted(_, started) => self.started(event, (id, started)),
            Fact::PermitReleased(..) => {
                permit.is(State::Reserved)?;
                permit.by_executor(self.acting(event, &permit.action))?;
                permit.is_in_time(event)?;
                let (approval, excepted) = (permit.approval, permit.excepted.clone());
                self.permits.remove(&id);
                // What comes first is owed last.
                let exceptions = excepted.into_values().rev();
                self.owed
                    .extend(exceptions.map(|exception| Owed::ExceptionRestored { exception, permit: id }));
                self.owed.extend(approval.map(|approval| Owed::Restored { approval, permit: id }));
                Ok(())
            }
            Fact::PermitLapsed(..) => {
                permit.is(State::Reserved)?;
                by_node(event)?;
                permit.is_overdue(event)?;
                self.spend(id);
                self.permits.remove(&id);
                Ok(())
            }
            Fact::PermitSucceeded(..) => self.ended(event, owed, (id, Outcome::Succeeded)),
            Fact::PermitFailed(..) => self.ended(event, owed, (id, Outcome::Failed)),
            Fact::PermitUnknown(..) => self.unknown(event, owed, id),
            Fact::PermitReportedLate(_, late) => self.reported_late(event, owed, (id, late.outcome)),
            Fact::PermitHeartbeat(_, beat) => self.beaten(event, (id, beat)),
            Fact::PermitReconciled(..) => self.reconciled(event, id),
            _ => Err(Breach::Unknown),
        }
    }

    /// The person who does this to the permit: by themselves, or by a token of theirs.
    fn acting_on(&self, event: &Event, id: PermitId) -> Verdict<PersonId> {
        let permit = self.permits.get(&id).ok_or(Breach::Unknown)?;
        self.acting(event, &permit.action)
    }

    fn reserved(
        &mut self,
        event: &Event,
        owed: Option<&Owed>,
        (id, reserved): (PermitId, &Reserved),
    ) -> Verdict {
        let executor = self.acting(event, &reserved.action)?;
        is_of(event, &reserved.action.environment)?;
        let demand = self.demand(&reserved.action)?;
        if let Some(break_glass) = reserved.break_glass {
            must(owed.is_some(), Breach::Unprompted)?;
            let seconds = self.reserved_through_glass(event, (reserved, break_glass))?;
            return self.reserved_for(event, (id, reserved), (seconds, owed));
        }
        must(demand.may_execute(executor), Breach::NotAnExecutor)?;
        match reserved.approval {
            Some(approval) => {
                must(matches!(owed, Some(Owed::Reserved { .. })), Breach::Unprompted)?;
                let approval = self.approvals.get(&approval).ok_or(Breach::Unknown)?;
                must(approval.action == reserved.action, Breach::OtherAction)?;
                must(approval.parameters == reserved.parameters_sha256, Breach::OtherParameters)?;
            }
            None => must(!demand.needs_consent(), Breach::ApprovalRequired)?,
        }
        let seconds = demand.seconds();
        self.reserved_for(event, (id, reserved), ((seconds.start, seconds.work), owed))
    }

    /// The permit names what the rules demand, and lives as long as it should: seconds to start it, and to do the work.
    fn reserved_for(
        &mut self,
        event: &Event,
        (id, reserved): (PermitId, &Reserved),
        ((start, work), owed): ((u32, u32), Option<&Owed>),
    ) -> Verdict {
        let executor = self.acting(event, &reserved.action)?;
        Self::names_owner(event, (reserved.owner, executor))?;
        let demand = self.demand(&reserved.action)?;
        let demanded_heartbeat = demand.seconds().heartbeat;
        must(reserved.requirement_sha256 == demand.digest(), Breach::OtherRequirement)?;
        let deadline = event.at.plus_seconds(start);
        must(reserved.start_by == deadline, Breach::WrongDeadline)?;
        must(reserved.work_seconds == work, Breach::WrongDeadline)?;
        let heartbeat = reserved.heartbeat_seconds.map(core::num::NonZero::get);
        must(heartbeat == demanded_heartbeat, Breach::WrongDeadline)?;
        let excepted = Self::excepted(owed, &reserved.action.environment)?;
        must(excepted_from(&reserved.action).is_none(), Breach::OtherAction)?;
        // Who breaks the glass passes every freeze; everybody else needs an exception from each.
        match reserved.break_glass {
            None => {
                self.passes_freezes((&reserved.action, event.at), reserved.freezes.as_ref(), &excepted)?;
            }
            Some(_) => must(reserved.freezes.is_none(), Breach::OtherFreezes)?,
        }
        let named = reserved.freezes.as_ref().map_or(0, |verdict| verdict.excepted.len());
        must(named == excepted.len(), Breach::OtherFreezes)?;
        let permit = Permit {
            action: reserved.action.clone(),
            executor,
            work_seconds: work,
            heartbeat,
            approval: reserved.approval,
            correlation: event.correlation,
            deadline,
            beaten_at: None,
            state: State::Reserved,
            rotation: None,
            told: false,
            reconciled: false,
            breaks_glass: reserved.break_glass.is_some(),
            excepted,
        };
        must(self.permits.insert(id, permit).is_none(), Breach::BegunTwice)
    }

    /// The policy's word on the secret that the action rotates, if it is one.
    pub(super) fn governed(&self, action: &Action) -> Verdict<Option<&GovernedSecret>> {
        let mut secrets = self.in_force()?.policy.secrets.iter();
        let meant = |secret: &&GovernedSecret| {
            action.verb.as_str() == "rotate"
                && secret.resource == action.resource
                && secret.environment == action.environment
        };
        Ok(secrets.find(meant))
    }

    fn started(&mut self, event: &Event, (id, started): (PermitId, &Started)) -> Verdict {
        let permit = self.permits.get(&id).ok_or(Breach::Unknown)?;
        permit.is(State::Reserved)?;
        permit.by_executor(self.acting(event, &permit.action))?;
        permit.is_in_time(event)?;
        let deadline = event.at.plus_seconds(permit.work_seconds);
        must(started.finish_by == deadline, Breach::WrongDeadline)?;
        // A rotation reports its tasks, each in time, so nothing else is asked of it.
        let heartbeat = permit.heartbeat.filter(|_| started.rotation.is_none());
        let next_by = heartbeat.map(|seconds| event.at.plus_seconds(seconds));
        must(started.next_by == next_by, Breach::WrongDeadline)?;
        if permit.breaks_glass {
            must(started.freezes.is_none(), Breach::OtherFreezes)?;
        } else {
            self.passes_freezes((&permit.action, event.at), started.freezes.as_ref(), &permit.excepted)?;
        }
        match (started.rotation, self.governed(&permit.action)?) {
            (None, Some(_)) => return Err(Breach::UseRotation),
            (Some(_), None) => return Err(Breach::NotGoverned),
            (Some(rotation), Some(secret)) => {
                let (resource, environment) = (secret.resource.clone(), secret.environment.clone());
                let secret = SecretKey { resource, environment };
                self.owed.push(Owed::Version { rotation, secret, permit: id });
            }
            (None, None) => {}
        }
        self.spend(id);
        if let Some(permit) = self.permits.get_mut(&id) {
            (permit.state, permit.deadline, permit.rotation) = (State::Started, deadline, started.rotation);
            permit.beaten_at = heartbeat.map(|_| event.at);
        }
        Ok(())
    }

    /// The permit can no longer give back what was used up with it, so that is over.
    fn spend(&mut self, id: PermitId) {
        let Some(permit) = self.permits.get(&id) else { return };
        for approval in permit.approval.iter().chain(permit.excepted.values()) {
            self.approvals.remove(approval);
        }
    }

    fn ended(&mut self, event: &Event, owed: Option<&Owed>, (id, outcome): (PermitId, Outcome)) -> Verdict {
        let permit = self.permits.get(&id).ok_or(Breach::Unknown)?;
        permit.is(State::Started)?;
        permit.by_holder(event, owed, self.acting(event, &permit.action))?;
        permit.is_in_time(event)?;
        let other = matches!(owed, Some(Owed::Concluded { outcome: it, .. }) if *it != outcome);
        must(!other, Breach::WrongOutcome)?;
        self.permits.remove(&id);
        Ok(())
    }

    fn unknown(&mut self, event: &Event, owed: Option<&Owed>, id: PermitId) -> Verdict {
        let acting = self.acting_on(event, id);
        let permit = self.permits.get_mut(&id).ok_or(Breach::Unknown)?;
        permit.is(State::Started)?;
        permit.is_overdue(event)?;
        // Silence is noticed by the node, or by who breaks it too late.
        let report = match (owed, event.actor) {
            (Some(Owed::Concluded { outcome, .. }), Actor::Node) => Some(Some(*outcome)),
            (None, Actor::Node) => None,
            (None, Actor::Person(_) | Actor::Token(_)) => {
                permit.by_holder(event, None, acting)?;
                Some(None)
            }
            _ => return Err(Breach::NotTheNode),
        };
        permit.state = State::Unknown;
        let environment = permit.action.environment.clone();
        self.owed.extend(report.map(|outcome| Owed::ReportedLate { permit: id, outcome }));
        self.owed.push(Owed::Incident {
            cause: Cause::PermitUnknown,
            about: id.into(),
            environment: Some(environment),
        });
        Ok(())
    }

    fn reported_late(
        &mut self,
        event: &Event,
        owed: Option<&Owed>,
        (id, outcome): (PermitId, Outcome),
    ) -> Verdict {
        let acting = self.acting_on(event, id);
        let permit = self.permits.get_mut(&id).ok_or(Breach::Unknown)?;
        must(!permit.told, Breach::Unknown)?;
        permit.is(State::Unknown)?;
        permit.by_holder(event, owed, acting)?;
        let known = match owed {
            Some(Owed::Concluded { outcome, .. }) => Some(*outcome),
            Some(Owed::ReportedLate { outcome, .. }) => *outcome,
            _ => None,
        };
        must(known.is_none_or(|known| known == outcome), Breach::WrongOutcome)?;
        // A rotation says once how it ended. A person may report again: each report is evidence.
        permit.told = permit.rotation.is_some();
        Ok(())
    }

    /// Signs of life come from the executor, in time, and at most three in the time that one lasts.
    fn beaten(&mut self, event: &Event, (id, beat): (PermitId, &Heartbeat)) -> Verdict {
        let acting = self.acting_on(event, id);
        let permit = self.permits.get_mut(&id).ok_or(Breach::Unknown)?;
        permit.is(State::Started)?;
        permit.by_executor(acting)?;
        let (at, seconds) = permit.beaten_at.zip(permit.heartbeat).ok_or(Breach::Unprompted)?;
        permit.is_in_time(event)?;
        let third = i64::from(seconds) * 1000 / 3;
        must(event.at >= at.plus_millis(third), Breach::TooEarly)?;
        must(beat.next_by == event.at.plus_seconds(seconds), Breach::WrongDeadline)?;
        permit.beaten_at = Some(event.at);
        Ok(())
    }

    /// What became of it is said once, by somebody else whom the rules ask.
    fn reconciled(&mut self, event: &Event, id: PermitId) -> Verdict {
        let person = by_person(event)?;
        let permit = self.permits.get(&id).ok_or(Breach::Unknown)?;
        let demand = self.demand(&permit.action)?;
        must(demand.may_execute(person) || demand.is_asked(person), Breach::NotAReconciler)?;
        let policy = &self.in_force()?.policy;
        must(!roster::are_one(policy, permit.executor, person), Breach::SelfReconciliation)?;
        permit.is(State::Unknown)?;
        must(!permit.reconciled, Breach::AlreadyReconciled)?;
        if let Some(permit) = self.permits.get_mut(&id) {
            permit.reconciled = true;
        }
        Ok(())
    }
}
