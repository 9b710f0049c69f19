//! Breaking the glass: by somebody the rules let, under a signature of their own that is new, told to everybody, reviewed by others,
//! and never while a review is overdue.

use alloc::collections::{BTreeMap, BTreeSet};

use super::offer::is_met;
use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict as Judged, by_node, by_person, is_of, is_part_of, must, roster};
use crate::action::Action;
use crate::break_glass::{Opened, Overdue, Reviewed, STATEMENT_TOLERANCE_MS, Settled, Timeliness, Verdict};
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{BreakGlassId, CorrelationId, PersonId};
use crate::incident::Cause;
use crate::permit::Reserved;
use crate::signature::Signing;
use crate::state::Subject;
use crate::text::Name;
use crate::time::Time;

/// What was done without anybody's consent and is not reviewed yet.
#[derive(Clone, Debug)]
pub(super) struct Glass {
    person: PersonId,
    action: Action,
    parameters: Digest,
    correlation: CorrelationId,
    /// How many of whom must review it.
    review: BTreeMap<Name, u32>,
    review_until: Time,
    /// Who said what.
    words: BTreeMap<PersonId, Verdict>,
    is_noted_overdue: bool,
}

/// The debts, and the time in the last statement of everybody who ever made one.
#[derive(Clone, Debug, Default)]
pub(super) struct Glasses {
    open: BTreeMap<BreakGlassId, Glass>,
    signed: BTreeMap<PersonId, Time>,
}

impl Auditor {
    pub(super) fn break_glass(&mut self, event: &Event, owed: Option<&Owed>) -> Judged {
        let Subject::BreakGlass(id) = event.fact.subject() else { return Err(Breach::Unknown) };
        if let Fact::BreakGlassOpened(_, opened) = &event.fact {
            return self.glass_opened(event, (id, opened));
        }
        let glass = self.glasses.open.get(&id).ok_or(Breach::Unknown)?;
        is_part_of(event, glass.correlation)?;
        is_of(event, &glass.action.environment)?;
        match &event.fact {
            Fact::BreakGlassReviewed(_, reviewed) => self.glass_reviewed(event, (id, reviewed)),
            Fact::BreakGlassSettled(_, settled) => {
                must(owed.is_some(), Breach::Unprompted)?;
                must(*settled == said(glass, event.at), Breach::WrongVerdict)?;
                self.glasses.open.remove(&id);
                Ok(())
            }
            Fact::BreakGlassOverdue(_, overdue) => self.glass_overdue(event, (id, overdue)),
            _ => Err(Breach::Unknown),
        }
    }

    fn glass_opened(&mut self, event: &Event, (id, opened): (BreakGlassId, &Opened)) -> Judged {
        let person = by_person(event)?;
        is_of(event, &opened.action.environment)?;
        let demand = self.demand(&opened.action)?;
        let offer = demand.break_glass().ok_or(Breach::BreakGlassNotOffered)?;
        must(offer.is_to(person), Breach::BreakGlassNotAllowed)?;
        let signing = demand.signing().max(Signing::Required);
        self.is_well_signed(person, Some(&opened.signature), signing)?;
        let apart = opened.signed_at.as_millis().abs_diff(event.at.as_millis());
        must(apart <= STATEMENT_TOLERANCE_MS.unsigned_abs(), Breach::StatementStale)?;
        let last = self.glasses.signed.get(&person);
        must(last.is_none_or(|last| opened.signed_at > *last), Breach::StatementUsed)?;
        let is_due = |glass: &Glass| event.at >= glass.review_until;
        must(!self.glasses.open.values().any(is_due), Breach::ReviewOverdue)?;
        let policy = &self.in_force()?.policy;
        let is_other =
            |other: &&PersonId| !roster::are_one(policy, **other, person) && self.is_active(**other);
        let others = self.people.keys().filter(is_other);
        must(offer.is_reviewable_by(&others.copied().collect()), Breach::Unsatisfiable)?;
        let review = offer.review();
        let named: BTreeMap<Name, u32> =
            opened.review.iter().map(|(group, count)| (group.clone(), count.get())).collect();
        must(named == review, Breach::OtherReview)?;
        let review_until = event.at.plus_seconds(offer.review_seconds());
        must(opened.review_until == review_until, Breach::WrongDeadline)?;
        let glass = Glass {
            person,
            action: opened.action.clone(),
            parameters: opened.parameters_sha256,
            correlation: event.correlation,
            review,
            review_until,
            words: BTreeMap::new(),
            is_noted_overdue: false,
        };
        self.tell(Cause::BreakGlass, (id, &glass.action.environment));
        self.owed.push(Owed::GlassPermit { break_glass: id, permit: opened.permit });
        self.glasses.signed.insert(person, opened.signed_at);
        must(self.glasses.open.insert(id, glass).is_none(), Breach::BegunTwice)
    }

    /// Nothing of this kind ends in silence.
    fn tell(&mut self, cause: Cause, (id, environment): (BreakGlassId, &Name)) {
        let (about, environment) = (Subject::BreakGlass(id), Some(environment.clone()));
        self.owed.push(Owed::Incident { cause, about, environment });
    }

    /// The permit that comes with it: for the same, by the same person, for as long as the rules say at most.
    pub(super) fn reserved_through_glass(
        &self,
        event: &Event,
        (reserved, break_glass): (&Reserved, BreakGlassId),
    ) -> Judged<(u32, u32)> {
        let glass = self.glasses.open.get(&break_glass).ok_or(Breach::Unknown)?;
        must(glass.person == by_person(event)?, Breach::BreakGlassNotAllowed)?;
        must(reserved.approval.is_none(), Breach::Unprompted)?;
        must(glass.action == reserved.action, Breach::OtherAction)?;
        must(glass.parameters == reserved.parameters_sha256, Breach::OtherParameters)?;
        let demand = self.demand(&reserved.action)?;
        let offer = demand.break_glass().ok_or(Breach::BreakGlassNotOffered)?;
        let (seconds, most) = (demand.seconds(), offer.lifetime_seconds());
        Ok((seconds.start.min(most), seconds.work.min(most)))
    }

    fn glass_reviewed(&mut self, event: &Event, (id, reviewed): (BreakGlassId, &Reviewed)) -> Judged {
        let person = by_person(event)?;
        let opener = self.glasses.open.get(&id).ok_or(Breach::Unknown)?.person;
        let barred = self.stands_in_for_human(event, (person, opener));
        let policy = &self.policy.as_ref().ok_or(Breach::NoGenesis)?.policy;
        let glass = self.glasses.open.get_mut(&id).ok_or(Breach::Unknown)?;
        must(!roster::are_one(policy, glass.person, person), Breach::SelfReview)?;
        must(!barred, Breach::DelegateReviews)?;
        let theirs = roster::groups_of(policy, person);
        must(glass.review.keys().any(|group| theirs.contains(group)), Breach::NotAReviewer)?;
        let has_spoken = glass.words.keys().any(|other| roster::are_one(policy, *other, person));
        must(!has_spoken, Breach::AlreadyReviewed)?;
        must(glass.is_noted_overdue || event.at < glass.review_until, Breach::TooLate)?;
        glass.words.insert(person, reviewed.verdict);
        let glass = self.glasses.open.get(&id).ok_or(Breach::Unknown)?;
        let who: BTreeSet<PersonId> =
            glass.words.keys().copied().filter(|person| self.is_active(*person)).collect();
        if is_met(policy, &glass.review, &who) {
            self.owed.push(Owed::GlassSettled(id));
        }
        Ok(())
    }

    fn glass_overdue(&mut self, event: &Event, (id, overdue): (BreakGlassId, &Overdue)) -> Judged {
        let glass = self.glasses.open.get_mut(&id).ok_or(Breach::Unknown)?;
        must(!glass.is_noted_overdue, Breach::BegunTwice)?;
        must(event.at >= glass.review_until, Breach::TooEarly)?;
        must(overdue.review_until == glass.review_until, Breach::WrongDeadline)?;
        glass.is_noted_overdue = true;
        let environment = glass.action.environment.clone();
        // Silence is noticed by the node, or by who breaks it too late.
        if event.actor.person().is_some() {
            self.owed.push(Owed::Reviewed(id));
        } else {
            by_node(event)?;
        }
        self.tell(Cause::BreakGlassOverdue, (id, &environment));
        Ok(())
    }
}

/// What all words together come to.
fn said(glass: &Glass, at: Time) -> Settled {
    let blamed = glass.words.values().any(|word| *word == Verdict::Unjustified);
    let verdict = if blamed { Verdict::Unjustified } else { Verdict::Justified };
    let timeliness = if at < glass.review_until { Timeliness::InTime } else { Timeliness::Late };
    Settled { verdict, timeliness }
}
