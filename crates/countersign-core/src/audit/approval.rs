//! Approvals: who asked for what, who agreed, and that each is used once, by people and rules that count at that moment.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::deed::kind_of;
use super::demand::Demand;
use super::freeze::excepted_from;
use super::genesis::is_activation;
use super::key::is_handing_over;
use super::log::is_redaction;
use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, by_person, is_of, is_part_of, must, roster};
use crate::action::Action;
use crate::approval::{Consumed, Escalated, Escalation, Requested, VoteRevoked, Voted};
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, CorrelationId, PermitId, PersonId};
use crate::signature::Sha512;
use crate::state::Subject;
use crate::time::Time;

/// An approval that is under way, or whose permit may still give it back.
#[derive(Clone, Debug)]
pub(super) struct Approval {
    pub action: Action,
    pub parameters: Digest,
    requester: PersonId,
    requirement: Digest,
    correlation: CorrelationId,
    /// Who agreed, and how.
    votes: BTreeMap<PersonId, Vote>,
    /// Who disagreed, as long as that was not enough.
    objections: BTreeSet<PersonId>,
    /// What those who signed signed: the same for all.
    statement: Option<Sha512>,
    /// Keys that signed a vote on it, also one that was taken back.
    keys: BTreeSet<Digest>,
    /// When the quorum must be met, and when a complete one must be used.
    pending_until: Time,
    deadline: Time,
    is_complete: bool,
    /// Who is to be told when nobody votes in time; nothing once they were.
    escalation: Option<Escalation>,
    consumed_by: Option<PermitId>,
}

/// A vote: in whose place, mostly in one's own, and with which key if it was signed.
#[derive(Clone, Copy, Debug)]
struct Vote {
    seat: PersonId,
    key: Option<Digest>,
}

impl Approval {
    /// The event belongs to it and it is under way.
    fn is_open(&self, event: &Event) -> Verdict {
        is_part_of(event, self.correlation)?;
        is_of(event, &self.action.environment)?;
        must(self.consumed_by.is_none(), Breach::AlreadyConsumed)
    }

    fn is_in_time(&self, event: &Event) -> Verdict {
        must(event.at < self.deadline, Breach::TooLate)
    }
}

impl Auditor {
    pub(super) fn approval(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        let Subject::Approval(id) = event.fact.subject() else { return Err(Breach::Unknown) };
        match &event.fact {
            Fact::ApprovalRequested(_, requested) => self.requested(event, (id, requested)),
            Fact::ApprovalGranted(_, voted) => self.granted(event, (id, voted)),
            Fact::ApprovalCompleted(_, completed) => {
                must(owed.is_some(), Breach::Unprompted)?;
                self.completed(event, (id, completed.approved_until))
            }
            Fact::ApprovalVoteRevoked(_, revoked) => self.vote_revoked(event, (id, revoked)),
            Fact::ApprovalEscalated(_, escalated) => self.escalated(event, (id, escalated)),
            Fact::ApprovalObjected(_, voted) => self.objected(event, (id, voted)),
            Fact::ApprovalDenied(_, voted) => {
                must(self.disagrees(event, (id, voted))?, Breach::NotDeniedYet)?;
                self.forget_approval(id)
            }
            Fact::ApprovalWithdrawn(..) => {
                let approval = self.open(event, id)?;
                must(self.acting(event, &approval.action)? == approval.requester, Breach::NotTheRequester)?;
                approval.is_in_time(event)?;
                self.forget_approval(id)
            }
            Fact::ApprovalExpired(_, expired) => {
                let approval = self.open(event, id)?;
                by_node(event)?;
                must(event.at >= approval.deadline, Breach::TooEarly)?;
                must(expired.deadline == approval.deadline, Breach::WrongDeadline)?;
                self.forget_approval(id)
            }
            Fact::ApprovalConsumed(_, consumed) => self.consumed(event, owed, (id, consumed)),
            Fact::ApprovalRestored(_, restored) => {
                must(owed.is_some(), Breach::Unprompted)?;
                let approval = self.approvals.get_mut(&id).ok_or(Breach::Unknown)?;
                is_part_of(event, approval.correlation)?;
                is_of(event, &approval.action.environment)?;
                must(approval.consumed_by == Some(restored.permit), Breach::OtherPermit)?;
                approval.consumed_by = None;
                Ok(())
            }
            _ => Err(Breach::Unknown),
        }
    }

    /// An approval that the event belongs to and that is under way.
    fn open(&self, event: &Event, id: ApprovalId) -> Verdict<&Approval> {
        let approval = self.approvals.get(&id).ok_or(Breach::Unknown)?;
        approval.is_open(event)?;
        Ok(approval)
    }

    fn forget_approval(&mut self, id: ApprovalId) -> Verdict {
        self.approvals.remove(&id).map(drop).ok_or(Breach::Unknown)
    }

    fn requested(&mut self, event: &Event, (id, requested): (ApprovalId, &Requested)) -> Verdict {
        let action = &requested.action;
        let requester = self.acting(event, action)?;
        Self::names_owner(event, (requested.owner, requester))?;
        is_of(event, &action.environment)?;
        let demand = self.demand(action)?;
        must(demand.may_request(requester), Breach::NotARequester)?;
        must(demand.needs_consent(), Breach::ConsentNotNeeded)?;
        let able = |person: &&PersonId| {
            let barred = self.stands_in_for_human(event, (**person, requester));
            !barred && self.could_sign(**person, demand.signing())
        };
        let able = self.counting(&demand, (self.people.keys().filter(able), requester))?;
        must(demand.is_met(&able), Breach::Unsatisfiable)?;
        must(requested.policy_sha256 == self.in_force()?.sha256, Breach::OtherPolicy)?;
        must(requested.rules == demand.names(), Breach::OtherRules)?;
        must(requested.requirement_sha256 == demand.digest(), Breach::OtherRequirement)?;
        let deadline = event.at.plus_seconds(demand.seconds().pending);
        must(requested.pending_until == deadline, Breach::WrongDeadline)?;
        let told = |(after, to)| Escalation { at: event.at.plus_seconds(after), to };
        must(requested.escalation == demand.escalation().map(told), Breach::WrongEscalation)?;
        let approval = Approval {
            action: action.clone(),
            parameters: requested.parameters_sha256,
            requester,
            requirement: requested.requirement_sha256,
            correlation: event.correlation,
            votes: BTreeMap::new(),
            objections: BTreeSet::new(),
            statement: None,
            keys: BTreeSet::new(),
            pending_until: deadline,
            deadline,
            is_complete: false,
            escalation: requested.escalation.clone(),
            consumed_by: None,
        };
        must(self.approvals.insert(id, approval).is_none(), Breach::BegunTwice)
    }

    /// Of these people those who count: they are active, did not ask, and are not the author of a rule that is independent of theirs,
    /// by whatever account.
    fn counting<'a>(
        &self,
        demand: &Demand<'_>,
        (people, requester): (impl Iterator<Item = &'a PersonId>, PersonId),
    ) -> Verdict<BTreeSet<PersonId>> {
        let policy = &self.in_force()?.policy;
        let authors = self.authors(demand)?;
        let counts = |person: &PersonId| {
            self.is_active(*person)
                && ![requester].iter().chain(&authors).any(|it| roster::are_one(policy, *it, *person))
        };
        Ok(people.copied().filter(counts).collect())
    }

    /// The authors whose agreement does not count for what is demanded.
    fn authors(&self, demand: &Demand<'_>) -> Verdict<BTreeSet<PersonId>> {
        let authors = &self.in_force()?.authors;
        Ok(demand.independent().into_iter().filter_map(|rule| authors.get(rule).copied()).collect())
    }

    /// Whether the person stands in for the human at this moment, by whatever account that is away.
    pub(super) fn stands_in_for_human(
        &self,
        event: &Event,
        (delegate, person): (PersonId, PersonId),
    ) -> bool {
        let policy = self.policy.as_ref().map(|in_force| &in_force.policy);
        let theirs = |account: &&PersonId| policy.is_some_and(|it| roster::are_one(it, **account, person));
        self.people.keys().filter(theirs).any(|account| self.stands_in(event, (delegate, *account)))
    }

    /// Whether those who agreed are enough, as of now.
    fn is_agreed(&self, demand: &Demand<'_>, approval: &Approval) -> Verdict<bool> {
        Ok(demand.is_met(&self.seats(demand, approval)?))
    }

    /// The seats of those who agreed and count now, as do those in whose place they did.
    fn seats(&self, demand: &Demand<'_>, approval: &Approval) -> Verdict<BTreeSet<PersonId>> {
        let involved = approval.votes.iter().flat_map(|(voter, vote)| [voter, &vote.seat]);
        let count = self.counting(demand, (involved, approval.requester))?;
        let stands = |(voter, vote): &(&PersonId, &Vote)| {
            count.contains(voter)
                && count.contains(&vote.seat)
                && self.counts_as_signed(**voter, vote.key.as_ref(), demand.signing())
        };
        let standing: Vec<(PersonId, PersonId)> =
            approval.votes.iter().filter(stands).map(|(voter, vote)| (*voter, vote.seat)).collect();
        // Accounts that were linked after they voted: nobody acts for two.
        let policy = &self.in_force()?.policy;
        let meet = |(voter, seat): (PersonId, PersonId), (other, theirs): (PersonId, PersonId)| {
            let one = |a, b| roster::are_one(policy, a, b);
            voter != other
                && (one(voter, other) || one(voter, theirs) || one(seat, other) || one(seat, theirs))
        };
        let alone = |vote: &&(PersonId, PersonId)| {
            vote.0 == vote.1 || !standing.iter().any(|other| meet(**vote, *other))
        };
        Ok(standing.iter().filter(alone).map(|(_, seat)| *seat).collect())
    }

    /// Whether the human has a part in a vote, with a signature that counts now if one is needed or was given.
    fn has_vote(&self, approval: &Approval, person: PersonId, demand: &Demand<'_>) -> bool {
        let policy = self.policy.as_ref().map(|in_force| &in_force.policy);
        let is_one = |other: PersonId| policy.is_some_and(|it| roster::are_one(it, other, person));
        let theirs = |(voter, vote): &(&PersonId, &Vote)| is_one(**voter) || is_one(vote.seat);
        approval
            .votes
            .iter()
            .filter(theirs)
            .any(|(voter, vote)| self.counts_as_signed(*voter, vote.key.as_ref(), demand.signing()))
    }

    /// Whether those who agreed, and everybody who still can, are enough.
    fn could_be_agreed(&self, event: &Event, approval: &Approval) -> Verdict<bool> {
        let demand = self.unchanged(approval)?;
        let able = |person: &&PersonId| {
            let barred = self.stands_in_for_human(event, (**person, approval.requester));
            !barred
                && !self.has_vote(approval, **person, &demand)
                && self.could_sign(**person, demand.signing())
        };
        let mut best = self.counting(&demand, (self.people.keys().filter(able), approval.requester))?;
        best.extend(self.seats(&demand, approval)?);
        Ok(demand.is_met(&best))
    }

    /// What the rules demand now, which must be what they demanded when it was asked for.
    fn unchanged(&self, approval: &Approval) -> Verdict<Demand<'_>> {
        let demand = self.demand(&approval.action)?;
        must(demand.digest() == approval.requirement, Breach::PolicyChanged)?;
        Ok(demand)
    }

    /// What agreeing and disagreeing have in common.
    fn voter(&self, event: &Event, (id, voted): (ApprovalId, &Voted)) -> Verdict<PersonId> {
        let voter = by_person(event)?;
        let approval = self.open(event, id)?;
        must(self.is_active(approval.requester), Breach::RequesterGone)?;
        let seat = voted.on_behalf.unwrap_or(voter);
        let policy = &self.in_force()?.policy;
        let is_either = |it: PersonId| [voter, seat].iter().any(|other| roster::are_one(policy, *other, it));
        must(!is_either(approval.requester), Breach::SelfApproval)?;
        must(seat == voter || self.stands_in(event, (voter, seat)), Breach::NotADelegate)?;
        let demand = self.unchanged(approval)?;
        must(!self.authors(&demand)?.into_iter().any(is_either), Breach::RuleAuthor)?;
        must(demand.is_asked(seat), Breach::NotAnApprover)?;
        approval.is_in_time(event)?;
        must(voted.parameters_sha256 == approval.parameters, Breach::OtherParameters)?;
        Ok(voter)
    }

    /// Whether enough people disagree with this one to end it; each says so once, for themselves.
    fn disagrees(&self, event: &Event, (id, voted): (ApprovalId, &Voted)) -> Verdict<bool> {
        must(voted.on_behalf.is_none(), Breach::NotADelegate)?;
        let voter = self.voter(event, (id, voted))?;
        let approval = self.open(event, id)?;
        must(!approval.objections.contains(&voter), Breach::AlreadyVoted)?;
        let policy = &self.in_force()?.policy;
        let against = approval.objections.iter().chain([&voter]).map(|it| roster::human(policy, *it));
        let against = u32::try_from(against.collect::<BTreeSet<_>>().len()).unwrap_or(u32::MAX);
        Ok(against >= self.unchanged(approval)?.denials())
    }

    /// Not enough: it goes on, without the agreement of who now disagrees, or was given in their place.
    fn objected(&mut self, event: &Event, (id, voted): (ApprovalId, &Voted)) -> Verdict {
        must(!self.disagrees(event, (id, voted))?, Breach::Denied)?;
        let voter = by_person(event)?;
        let approval = self.approvals.get_mut(&id).ok_or(Breach::Unknown)?;
        approval.objections.insert(voter);
        let before = approval.votes.len();
        approval.votes.retain(|other, vote| *other != voter && vote.seat != voter);
        if approval.votes.len() < before {
            (approval.deadline, approval.is_complete) = (approval.pending_until, false);
        }
        Ok(())
    }

    fn granted(&mut self, event: &Event, (id, voted): (ApprovalId, &Voted)) -> Verdict {
        let voter = self.voter(event, (id, voted))?;
        let signature = voted.signature.as_ref();
        let approval = self.open(event, id)?;
        let demand = self.unchanged(approval)?;
        let barred = self.stands_in_for_human(event, (voter, approval.requester));
        must(!barred, Breach::DelegateOfRequester)?;
        let seat = voted.on_behalf.unwrap_or(voter);
        let part = |person| self.has_vote(approval, person, &demand);
        must(!part(voter) && !part(seat), Breach::AlreadyVoted)?;
        must(voted.commented || !demand.wants_comment(), Breach::NoComment)?;
        must(!self.is_agreed(&demand, approval)?, Breach::AlreadyApproved)?;
        self.is_well_signed(voter, signature, demand.signing())?;
        let statement = signature.map(|signature| signature.statement_sha512);
        let other = approval.statement.is_some_and(|before| statement.is_some_and(|it| it != before));
        must(!other, Breach::OtherStatement)?;
        must(self.could_be_agreed(event, approval)?, Breach::Unsatisfiable)?;
        let fresh = demand.fresh();
        self.is_fresh(event, (voter, voted), (fresh, &approval.keys))?;
        self.proof_used(voted.fresh.map(|fresh| fresh.session));
        if let Some(approval) = self.approvals.get_mut(&id) {
            approval.objections.remove(&voter);
            approval
                .votes
                .retain(|other, vote| ![voter, seat].contains(other) && ![voter, seat].contains(&vote.seat));
            approval.votes.insert(voter, Vote { seat, key: signature.map(|signature| signature.key_sha256) });
            approval.statement = approval.statement.or(statement);
            approval.keys.extend(signature.map(|signature| signature.key_sha256));
        }
        let approval = self.open(event, id)?;
        if self.is_agreed(&self.unchanged(approval)?, approval)? {
            self.owed.push(Owed::Completed(id));
        }
        Ok(())
    }

    fn vote_revoked(&mut self, event: &Event, (id, revoked): (ApprovalId, &VoteRevoked)) -> Verdict {
        let voter = by_person(event)?;
        let approval = self.open(event, id)?;
        must(approval.votes.contains_key(&voter), Breach::NotVoted)?;
        approval.is_in_time(event)?;
        let mut after = approval.clone();
        after.votes.remove(&voter);
        let enough = match self.demand(&after.action) {
            Ok(demand) => self.is_agreed(&demand, &after)?,
            Err(_) => false,
        };
        must(revoked.reopened == (after.is_complete && !enough), Breach::WrongReopening)?;
        if revoked.reopened {
            (after.deadline, after.is_complete) = (after.pending_until, false);
        }
        self.approvals.insert(id, after);
        Ok(())
    }

    fn escalated(&mut self, event: &Event, (id, escalated): (ApprovalId, &Escalated)) -> Verdict {
        by_node(event)?;
        let approval = self.open(event, id)?;
        let escalation = approval.escalation.as_ref().ok_or(Breach::WrongEscalation)?;
        must(escalated.to == escalation.to, Breach::WrongEscalation)?;
        let silent = approval.votes.is_empty() && approval.objections.is_empty();
        must(silent && !approval.is_complete, Breach::AlreadyVoted)?;
        must(event.at >= escalation.at, Breach::TooEarly)?;
        approval.is_in_time(event)?;
        if let Some(approval) = self.approvals.get_mut(&id) {
            approval.escalation = None;
        }
        Ok(())
    }

    fn completed(&mut self, event: &Event, (id, approved_until): (ApprovalId, Time)) -> Verdict {
        let approval = self.open(event, id)?;
        let deadline = event.at.plus_seconds(self.unchanged(approval)?.seconds().approved);
        must(approved_until == deadline, Breach::WrongDeadline)?;
        if let Some(approval) = self.approvals.get_mut(&id) {
            (approval.deadline, approval.is_complete) = (deadline, true);
        }
        Ok(())
    }

    fn consumed(
        &mut self,
        event: &Event,
        owed: Option<&Owed>,
        (id, consumed): (ApprovalId, &Consumed),
    ) -> Verdict {
        let approval = self.open(event, id)?;
        let executor = self.acting(event, &approval.action)?;
        must(self.is_active(approval.requester), Breach::RequesterGone)?;
        let demand = self.unchanged(approval)?;
        must(demand.may_execute(executor), Breach::NotAnExecutor)?;
        approval.is_in_time(event)?;
        must(self.is_agreed(&demand, approval)?, Breach::QuorumNotMet)?;
        let (action, requester) = (approval.action.clone(), approval.requester);
        let freeze = excepted_from(&action);
        if let Some(approval) = self.approvals.get_mut(&id) {
            approval.consumed_by = consumed.permit;
        }
        match (consumed.permit, freeze) {
            (Some(permit), Some(freeze)) => {
                self.exception_used(owed, (id, permit), (freeze, action.environment))
            }
            (Some(permit), None) => {
                let excepted = match owed {
                    Some(Owed::Excepted(excepted)) => Some(excepted.clone()),
                    _ => None,
                };
                self.owed.push(Owed::Reserved { permit, approval: id, excepted });
                Ok(())
            }
            (None, _) => {
                self.is_not_frozen(&action, event.at)?;
                let owed = match &action {
                    action if is_activation(action) => Owed::Activated { approval: id, requester },
                    action if is_handing_over(action) => Owed::KeyRotated(id),
                    action if is_redaction(action) => Owed::Redacted(id),
                    action => {
                        must(kind_of(action).is_some(), Breach::OtherAction)?;
                        Owed::Deed { approval: id, action: action.clone() }
                    }
                };
                self.owed.push(owed);
                self.forget_approval(id)
            }
        }
    }
}
