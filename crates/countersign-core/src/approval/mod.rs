//! Approvals: one request for one action with one set of parameters, the votes on it, and what became of it.
//!
//! Votes are append-only and come from the authenticated actor. Whether the quorum is met is derived from the votes, the policy and
//! the roster each time it matters; the stored `approved_at` is bookkeeping. Deadlines are compared here, not by a timer.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, CorrelationId, PermitId, PersonId};
use crate::person::Person;
use crate::policy::{Consent, Missing, Policy, Requirement};
use crate::sabotage::{self, Sabotage};
use crate::signature::{Signature, Signing};
use crate::state::State;
use crate::text::Name;
use crate::time::Time;

mod life;
mod refusal;
#[cfg(test)]
mod tests;

pub(crate) use life::revoke_vote;
pub use life::{Escalated, Escalation, Outlook, VoteRevoked};
pub use refusal::Refusal;

/// Asks for approval.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is to be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: Digest,
}

/// Agrees.
#[derive(Clone, Debug)]
pub struct Ballot {
    /// To which request.
    pub approval: ApprovalId,
    /// In whose place, if not in one's own: somebody who delegated that to the voter.
    pub on_behalf: Option<PersonId>,
    /// The voter's signature under the request's statement.
    pub signature: Option<Signature>,
}

/// A vote without a signature.
impl From<ApprovalId> for Ballot {
    fn from(approval: ApprovalId) -> Self {
        Self { approval, on_behalf: None, signature: None }
    }
}

/// `approval.requested`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// What is to be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: Digest,
    /// Identifies what the matching rules demanded together.
    pub requirement_sha256: Digest,
    /// The rules that matched.
    pub rules: BTreeSet<Name>,
    /// The policy then in force; informational.
    pub policy_sha256: Digest,
    /// Until when the quorum may be reached.
    pub pending_until: Time,
    /// When somebody else is told if nobody votes, if the rules ask for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
}

/// `approval.granted`, `approval.denied`: the actor of the entry voted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voted {
    /// The request as the voter saw it: salted SHA-256 of the parameters.
    pub parameters_sha256: Digest,
    /// In whose place, if not in their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<PersonId>,
    /// The voter's signature under the request's statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// `approval.completed`: the quorum is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// Until when a permit may be reserved on it.
    pub approved_until: Time,
}

/// `approval.withdrawn`: the requester took it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {}

/// `approval.expired`: bookkeeping for a deadline that has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// The deadline.
    pub deadline: Time,
}

/// `approval.consumed`: it was used, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumed {
    /// The permit it gave; none if it put a policy in force.
    pub permit: Option<PermitId>,
}

/// `approval.restored`: the permit was given back before anything began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The permit that was given back.
    pub permit: PermitId,
}

/// The state of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Waits for its quorum.
    Pending,
    /// Has had its quorum; it is checked again at use.
    Approved,
    /// Used.
    Consumed,
    /// Somebody disagreed.
    Denied,
    /// The requester took it back.
    Withdrawn,
    /// A deadline passed.
    Expired,
}

impl Status {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Consumed => "consumed",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// One person's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub person: PersonId,
    /// When.
    pub at: Time,
    /// In whose place, if not in their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<PersonId>,
    /// Their signature under the request's statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl Vote {
    /// Whether the vote is signed as strongly as this, and, if it is signed at all, with a key of the voter that is in force now.
    fn is_well_signed(&self, state: &State, signing: Signing) -> bool {
        let Some(signature) = &self.signature else { return signing.is_met_by(None) };
        let key = state.person(self.person).and_then(|person| person.voting_key(&signature.key_sha256));
        key.is_some_and(|key| signing.is_met_by(Some(key.algorithm)))
    }

    /// Whose seat it fills: a delegate has that of the person they stand in for.
    #[must_use]
    pub fn seat(&self) -> PersonId {
        self.on_behalf.unwrap_or(self.person)
    }

    /// Whether the person is part of it, as the one who voted or as the one in whose place.
    #[must_use]
    pub fn involves(&self, person: PersonId) -> bool {
        self.person == person || self.seat() == person
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum End {
    /// Used, by a permit or to put a policy in force.
    Consumed {
        /// The permit.
        permit: Option<PermitId>,
    },
    /// Somebody disagreed.
    Denied {
        /// Who.
        by: PersonId,
    },
    /// The requester took it back.
    Withdrawn,
    /// A deadline passed.
    Expired,
}

/// A request for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The id.
    pub id: ApprovalId,
    /// Who asked.
    pub requester: PersonId,
    /// What is to be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: Digest,
    /// Identifies what the matching rules demanded together when it was requested.
    pub requirement_sha256: Digest,
    /// The rules that matched.
    pub rules: BTreeSet<Name>,
    /// What it belongs to.
    pub correlation: CorrelationId,
    /// When it was requested.
    pub requested_at: Time,
    /// Until when the quorum may be reached.
    pub pending_until: Time,
    /// When somebody else is told if nobody votes, if the rules ask for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// When somebody else was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated_at: Option<Time>,
    /// Agreements, in order.
    pub votes: Vec<Vote>,
    /// When the quorum was last completed, and until when it may be used.
    pub approved: Option<(Time, Time)>,
    /// How it ended, and when.
    pub ended: Option<(End, Time)>,
    /// Whether its permit can no longer give it back.
    pub settled: bool,
}

impl Approval {
    /// The state as stored: deadlines are not looked at.
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.ended, self.approved) {
            (Some((End::Consumed { .. }, _)), _) => Status::Consumed,
            (Some((End::Denied { .. }, _)), _) => Status::Denied,
            (Some((End::Withdrawn, _)), _) => Status::Withdrawn,
            (Some((End::Expired, _)), _) => Status::Expired,
            (None, Some(_)) => Status::Approved,
            (None, None) => Status::Pending,
        }
    }

    /// The state at `now`: what was not ended in time has expired.
    #[must_use]
    pub fn status_at(&self, now: Time) -> Status {
        if self.deadline().is_some_and(|deadline| now >= deadline) { Status::Expired } else { self.status() }
    }

    /// When it expires by itself, unless it has ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let until = self.approved.map_or(self.pending_until, |(_, until)| until);
        self.ended.is_none().then_some(until)
    }

    pub(crate) fn is_finished(&self) -> bool {
        match self.ended {
            None => false,
            Some((End::Consumed { permit }, _)) => permit.is_none() || self.settled,
            Some(_) => true,
        }
    }

    /// What is still missing for the quorum, and who could supply it. Empty if the quorum is met now.
    ///
    /// Only people count who are active, in a demanded group now, and not the requester; for a vote in somebody's place both must. And only
    /// votes that are signed as the rules say, with a key that is in force now. What was agreed under a delegation stands when that ends.
    #[must_use]
    pub fn missing(&self, state: &State, policy: &Policy, requirement: &Requirement) -> Vec<Missing> {
        let voters = self.seated(state, requirement);
        let could = |person: &PersonId| {
            let signs = state.person(*person).is_some_and(|person| person.can_sign(requirement.signature));
            signs && self.counts(state, *person) && !self.is_involved(state, requirement, *person)
        };
        let mut missing = requirement.unfilled(policy, &voters);
        for place in &mut missing {
            let members = policy.groups.get(&place.group).into_iter().flatten();
            place.could = members.copied().filter(could).collect();
        }
        missing
    }

    /// Why nothing can be done with it any more at `now`, if so.
    fn ended_refusal(&self, now: Time) -> Option<Refusal> {
        match self.status_at(now) {
            Status::Pending | Status::Approved => None,
            Status::Consumed => Some(Refusal::Consumed),
            Status::Denied => Some(Refusal::Denied),
            Status::Withdrawn => Some(Refusal::Withdrawn),
            Status::Expired => Some(Refusal::Expired),
        }
    }

    /// Whether the vote's signature may stand: by a key of the voter that is in force, as strong as demanded, and over the same statement
    /// as those before it. There is one statement for all voters.
    fn is_signed(&self, state: &State, (vote, signing): (&Vote, Signing)) -> Result<(), Refusal> {
        let Some(signature) = &vote.signature else {
            return if signing.is_met_by(None) { Ok(()) } else { Err(Refusal::SignatureRequired(signing)) };
        };
        let key = state.person(vote.person).and_then(|person| person.voting_key(&signature.key_sha256));
        let key = key.ok_or(Refusal::KeyNotInForce)?;
        if !signing.is_met_by(Some(key.algorithm)) {
            return Err(Refusal::SignatureRequired(signing));
        }
        let mut signed = self.votes.iter().filter_map(|vote| vote.signature.as_ref());
        if signed.any(|other| other.statement_sha512 != signature.statement_sha512) {
            return Err(Refusal::OtherStatement);
        }
        Ok(())
    }

    /// Whether the person counts for the quorum, whatever they said.
    fn counts(&self, state: &State, person: PersonId) -> bool {
        let other = person != self.requester || sabotage::is_active(Sabotage::SelfApproval);
        other && state.person(person).is_some_and(Person::is_claimed)
    }

    /// The votes that count now.
    fn standing(&self, state: &State, requirement: &Requirement) -> impl Iterator<Item = &Vote> {
        self.votes.iter().filter(move |vote| {
            let both = self.counts(state, vote.person) && self.counts(state, vote.seat());
            both && vote.is_well_signed(state, requirement.signature)
        })
    }

    /// Whose seats are filled by the votes that count now.
    fn seated(&self, state: &State, requirement: &Requirement) -> BTreeSet<PersonId> {
        self.standing(state, requirement).map(Vote::seat).collect()
    }

    /// Whether the person has voted, or somebody did in their place, and that counts as signed.
    fn is_involved(&self, state: &State, requirement: &Requirement, person: PersonId) -> bool {
        let mut theirs = self.votes.iter().filter(|vote| vote.involves(person));
        theirs.any(|vote| vote.is_well_signed(state, requirement.signature))
    }

    /// Counts a vote; one that stood there and did not count any more gives way to it.
    fn count(&mut self, vote: Vote) {
        self.votes.retain(|other| !other.involves(vote.person) && !other.involves(vote.seat()));
        self.votes.push(vote);
    }

    fn event(&self, cx: &Context, fact: Fact) -> Event {
        Event::new(cx, self.correlation, Some(&self.action.environment), fact)
    }
}

/// Whose agreement a request of this person would need, and who of them could give it.
pub(crate) fn wanted(state: &State, requirement: &Requirement, requester: PersonId) -> Vec<Missing> {
    let Some(in_force) = state.policy() else { return Vec::new() };
    let mut missing = requirement.unfilled(&in_force.policy, &BTreeSet::new());
    for place in &mut missing {
        let could = |person: &PersonId| {
            let claimed = state.person(*person).is_some_and(Person::is_claimed);
            *person != requester && claimed && in_force.policy.is_member(&place.group, *person)
        };
        place.could = state.people().map(|(id, _)| *id).filter(could).collect();
    }
    missing
}

pub(crate) fn request(state: &State, cx: &Context, command: &Request) -> Result<Vec<Event>, Refusal> {
    let requester = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    let in_force = state.policy().ok_or(Refusal::NoRule)?;
    let requirement = in_force.policy.requirement(&command.action).ok_or(Refusal::NoRule)?;
    if !requirement.may_request(&in_force.policy, requester) {
        return Err(Refusal::NotARequester);
    }
    if requirement.approval == Consent::NotRequired {
        return Err(Refusal::NotNeeded);
    }
    let delegate = state.delegate_of(requester, cx.now);
    let barred = |id: PersonId| id == requester || delegate == Some(id);
    let signs = |person: &Person| person.is_claimed() && person.can_sign(requirement.signature);
    let everybody_else = state.people().filter(|(id, person)| !barred(**id) && signs(person));
    let missing = requirement.unfilled(&in_force.policy, &everybody_else.map(|(id, _)| *id).collect());
    if !missing.is_empty() {
        return Err(Refusal::Unsatisfiable(missing));
    }
    let requested = Requested {
        action: command.action.clone(),
        parameters_sha256: command.parameters_sha256,
        requirement_sha256: requirement.digest(),
        escalation: Escalation::of(&requirement, cx.now),
        rules: requirement.rules,
        policy_sha256: in_force.sha256,
        pending_until: cx.now.plus_seconds(requirement.pending_seconds.get()),
    };
    let fact = Fact::ApprovalRequested(ApprovalId(cx.first()), requested);
    Ok(Vec::from([Event::new(cx, cx.correlation, Some(&command.action.environment), fact)]))
}

/// What a vote rests on once the voter may vote at all.
struct Asked<'a> {
    approval: &'a Approval,
    policy: &'a Policy,
    requirement: Requirement,
    voter: PersonId,
}

/// What somebody has to say.
#[derive(Clone, Copy)]
enum Voice {
    Agrees { on_behalf: Option<PersonId> },
    Disagrees,
}

/// The checks that agreeing and disagreeing have in common.
///
/// A delegate of the requester may disagree: otherwise a requester could silence whoever is about to, by delegating to them.
fn asked<'a>(state: &'a State, cx: &Context, (id, voice): (ApprovalId, Voice)) -> Result<Asked<'a>, Refusal> {
    let approval = state.approval(id).ok_or(Refusal::NotFound)?;
    let voter = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    let on_behalf = match voice {
        Voice::Agrees { on_behalf } => on_behalf,
        Voice::Disagrees => None,
    };
    let self_approved = [Some(voter), on_behalf].contains(&Some(approval.requester));
    let may_self_approve = self_approved && sabotage::is_active(Sabotage::SelfApproval);
    if self_approved && !may_self_approve {
        return Err(Refusal::SelfApproval);
    }
    if matches!(voice, Voice::Agrees { .. }) && state.is_delegate(voter, (approval.requester, cx.now)) {
        return Err(Refusal::DelegateOfRequester);
    }
    let in_force = state.policy().ok_or(Refusal::NoRule)?;
    let requirement = in_force.policy.requirement(&approval.action).ok_or(Refusal::NoRule)?;
    if on_behalf.is_some_and(|person| !state.is_delegate(voter, (person, cx.now))) {
        return Err(Refusal::NotADelegate);
    }
    let seat = on_behalf.unwrap_or(voter);
    // A vote of somebody who has not claimed would count from the moment they do.
    let active = [voter, seat].iter().all(|person| state.person(*person).is_some_and(Person::is_claimed));
    if !(may_self_approve || active && requirement.may_approve(&in_force.policy, seat)) {
        return Err(Refusal::NotAnApprover);
    }
    if let Some(refusal) = approval.ended_refusal(cx.now) {
        return Err(refusal);
    }
    if requirement.digest() != approval.requirement_sha256 {
        return Err(Refusal::PolicyChanged);
    }
    Ok(Asked { approval, policy: &in_force.policy, requirement, voter })
}

pub(crate) fn approve(state: &State, cx: &Context, ballot: &Ballot) -> Result<Vec<Event>, Refusal> {
    let Ballot { approval: id, on_behalf, signature } = ballot.clone();
    let Asked { approval, policy, requirement, voter } = asked(state, cx, (id, Voice::Agrees { on_behalf }))?;
    let stuck = approval.unfillable(state, (policy, &requirement), cx.now);
    if !stuck.is_empty() {
        return Err(Refusal::Unsatisfiable(stuck));
    }
    let vote = Vote { person: voter, at: cx.now, on_behalf, signature: signature.clone() };
    let involved = |person| approval.is_involved(state, &requirement, person);
    if involved(voter) || involved(vote.seat()) {
        return Err(Refusal::AlreadyVoted);
    }
    if approval.missing(state, policy, &requirement).is_empty() {
        return Err(Refusal::AlreadyApproved);
    }
    approval.is_signed(state, (&vote, requirement.signature))?;
    let voted = Voted { parameters_sha256: approval.parameters_sha256, on_behalf, signature };
    let mut events = Vec::from([approval.event(cx, Fact::ApprovalGranted(id, voted))]);
    let mut after = approval.clone();
    after.count(vote);
    if after.missing(state, policy, &requirement).is_empty() {
        let approved_until = cx.now.plus_seconds(requirement.approved_seconds.get());
        events.push(approval.event(cx, Fact::ApprovalCompleted(id, Completed { approved_until })));
    }
    Ok(events)
}

pub(crate) fn deny(state: &State, cx: &Context, id: ApprovalId) -> Result<Vec<Event>, Refusal> {
    let approval = asked(state, cx, (id, Voice::Disagrees))?.approval;
    let voted = Voted { parameters_sha256: approval.parameters_sha256, on_behalf: None, signature: None };
    Ok(Vec::from([approval.event(cx, Fact::ApprovalDenied(id, voted))]))
}

pub(crate) fn withdraw(state: &State, cx: &Context, id: ApprovalId) -> Result<Vec<Event>, Refusal> {
    let approval = state.approval(id).ok_or(Refusal::NotFound)?;
    let person = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    if person != approval.requester {
        return Err(Refusal::NotTheRequester);
    }
    if let Some(refusal) = approval.ended_refusal(cx.now) {
        return Err(refusal);
    }
    Ok(Vec::from([approval.event(cx, Fact::ApprovalWithdrawn(id, Withdrawn {}))]))
}

pub(crate) fn elapse(state: &State, cx: &Context, id: ApprovalId) -> Vec<Event> {
    let Some(approval) = state.approval(id) else { return Vec::new() };
    let expired = |deadline| approval.event(cx, Fact::ApprovalExpired(id, Expired { deadline }));
    let overdue = approval.deadline().filter(|deadline| cx.now >= *deadline);
    // What has expired is nobody's to look at any more.
    overdue.map(expired).or_else(|| approval.escalated(cx)).into_iter().collect()
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    let end = |state: &mut State, id: &ApprovalId, end: End| {
        state.change::<Approval>(id, |approval| approval.ended = Some((end, event.at)));
    };
    match &event.fact {
        Fact::ApprovalRequested(id, requested) => requested_by(state, event, (*id, requested)),
        Fact::ApprovalGranted(id, voted) => {
            if let Some(person) = event.actor.person() {
                let (at, on_behalf, signature) = (event.at, voted.on_behalf, voted.signature.clone());
                let vote = Vote { person, at, on_behalf, signature };
                state.change::<Approval>(id, |approval| approval.count(vote));
            }
        }
        Fact::ApprovalCompleted(id, Completed { approved_until }) => {
            state.change::<Approval>(id, |approval| approval.approved = Some((event.at, *approved_until)));
        }
        Fact::ApprovalDenied(id, _) => {
            if let Some(by) = event.actor.person() {
                end(state, id, End::Denied { by });
            }
        }
        Fact::ApprovalWithdrawn(id, _) => end(state, id, End::Withdrawn),
        Fact::ApprovalExpired(id, _) => end(state, id, End::Expired),
        Fact::ApprovalConsumed(id, Consumed { permit }) => end(state, id, End::Consumed { permit: *permit }),
        Fact::ApprovalVoteRevoked(..) | Fact::ApprovalEscalated(..) => life::apply(state, event),
        Fact::ApprovalRestored(id, _) => state.change::<Approval>(id, |approval| approval.ended = None),
        _ => {}
    }
}

fn requested_by(state: &mut State, event: &Event, (id, requested): (ApprovalId, &Requested)) {
    let Some(requester) = event.actor.person() else { return };
    let approval = Approval {
        id,
        requester,
        action: requested.action.clone(),
        parameters_sha256: requested.parameters_sha256,
        requirement_sha256: requested.requirement_sha256,
        rules: requested.rules.clone(),
        correlation: event.correlation,
        requested_at: event.at,
        pending_until: requested.pending_until,
        escalation: requested.escalation.clone(),
        escalated_at: None,
        votes: Vec::new(),
        approved: None,
        ended: None,
        settled: false,
    };
    state.put(id, approval);
}
