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
use crate::id::{ApprovalId, CorrelationId, PermitId, PersonId, TokenId};
use crate::log::PolicyInForce;
use crate::person::Person;
use crate::policy::{Comment, Consent, Missing, Policy, Requirement};
use crate::sabotage::{self, Sabotage};
use crate::signature::{Signature, Signing};
use crate::state::State;
use crate::text::Name;
use crate::time::Time;

mod electorate;
mod fresh;
mod life;
mod refusal;
mod stranded;
#[cfg(test)]
mod tests;

use electorate::Electorate;
pub use fresh::Fresh;
pub(crate) use life::revoke_vote;
pub use life::{Escalated, Escalation, Outlook, VoteRevoked};
pub use refusal::Refusal;
pub use stranded::stranded;

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
    /// Whether they say why.
    pub commented: bool,
    /// In whose place, if not in one's own: somebody who delegated that to the voter.
    pub on_behalf: Option<PersonId>,
    /// The voter's signature under the request's statement.
    pub signature: Option<Signature>,
}

/// A vote without a signature.
impl From<ApprovalId> for Ballot {
    fn from(approval: ApprovalId) -> Self {
        Self { approval, commented: false, on_behalf: None, signature: None }
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
    /// Whose token asked, where a token did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonId>,
}

/// `approval.granted`, `approval.objected`, `approval.denied`: the actor of the entry voted. An objection is not enough to end the
/// request; the one that is is the denial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voted {
    /// The request as the voter saw it: salted SHA-256 of the parameters.
    pub parameters_sha256: Digest,
    /// Whether the voter says why they agree.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub commented: bool,
    /// In whose place, if not in their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<PersonId>,
    /// The voter's signature under the request's statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// By what the vote is fresh, where the rules want that and its signature does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Fresh>,
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
    /// The permit it gave, or was an exception for; none if it put a policy in force.
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
    /// Who asked, or whose token did.
    pub requester: PersonId,
    /// The token that asked, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
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
    /// Who disagreed, as long as that is not enough to end it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub objections: BTreeSet<PersonId>,
    /// Keys that signed votes which were taken back or replaced.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub signed_before: BTreeSet<Digest>,
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
    /// Only people count who are active, in a demanded group now, and neither the requester nor, where the rules say so, their author;
    /// for a vote in somebody's place both must. And only votes that are signed as the rules say, with a key that is in force now. What was
    /// agreed under a delegation stands when that ends.
    #[must_use]
    pub fn missing(&self, state: &State, policy: &PolicyInForce, requirement: &Requirement) -> Vec<Missing> {
        self.lacking(&Electorate::new(state, policy, (self.requester, requirement)))
    }

    fn lacking(&self, electorate: &Electorate<'_>) -> Vec<Missing> {
        let mut missing = self.unfilled(electorate);
        let could =
            |person: &PersonId| electorate.could_count(*person) && !self.is_involved(electorate, *person);
        for place in &mut missing {
            place.could = electorate.policy.members(&place.group).into_iter().filter(could).collect();
        }
        missing
    }

    /// The places of the quorum that are empty; none if it is met now.
    fn unfilled(&self, electorate: &Electorate<'_>) -> Vec<Missing> {
        electorate.requirement.unfilled(electorate.policy, &self.seated(electorate))
    }

    /// Everybody who disagrees once `voter` does, each human once.
    fn against(&self, policy: &Policy, voter: PersonId) -> BTreeSet<PersonId> {
        self.objections.iter().copied().chain([voter]).map(|person| policy.human(person)).collect()
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

    /// Whether who asked for it was not deactivated since.
    pub(crate) fn has_requester(&self, state: &State) -> bool {
        state.person(self.requester).is_some_and(Person::is_active)
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

    /// Whose seats are filled by the votes that count now.
    ///
    /// Nobody acts for two: if accounts turn out to be one human's after they voted, what one of them said in somebody else's place
    /// does not count beside the other's.
    fn seated(&self, electorate: &Electorate<'_>) -> BTreeSet<PersonId> {
        let standing: Vec<&Vote> = self.votes.iter().filter(|vote| electorate.lets_stand(vote)).collect();
        let acts_for_two = |vote: &Vote| {
            let mut others = standing.iter().filter(|other| other.person != vote.person);
            let shares =
                |other: &&Vote| [vote.person, vote.seat()].iter().any(|it| electorate.is_part_of(*it, other));
            vote.on_behalf.is_some() && others.any(shares)
        };
        standing.iter().filter(|vote| !acts_for_two(vote)).map(|vote| vote.seat()).collect()
    }

    /// Whether the human has voted by any account, or somebody did in their place, and that counts as signed.
    fn is_involved(&self, electorate: &Electorate<'_>, person: PersonId) -> bool {
        self.votes.iter().any(|vote| electorate.is_part_of(person, vote) && electorate.is_well_signed(vote))
    }

    /// Somebody disagrees, and takes back that they agreed or somebody did in their place: what was complete waits for its quorum again.
    fn object(&mut self, person: PersonId) {
        if self.votes.iter().any(|vote| vote.involves(person)) {
            self.drop_votes(|vote| vote.involves(person));
            self.approved = None;
        }
        self.objections.insert(person);
    }

    /// Somebody agrees, whatever they said before; a vote that stood there and did not count any more gives way to this one.
    fn agree(&mut self, vote: Vote) {
        self.objections.remove(&vote.person);
        self.drop_votes(|other| other.involves(vote.person) || other.involves(vote.seat()));
        self.votes.push(vote);
    }

    pub(crate) fn event(&self, cx: &Context, fact: Fact) -> Event {
        Event::new(cx, self.correlation, Some(&self.action.environment), fact)
    }
}

/// Whose agreement a request of this person would need, and who of them could give it.
pub(crate) fn wanted(state: &State, requirement: &Requirement, requester: PersonId) -> Vec<Missing> {
    let Some(in_force) = state.policy() else { return Vec::new() };
    let mut missing = requirement.unfilled(&in_force.policy, &BTreeSet::new());
    let electorate = Electorate::new(state, in_force, (requester, requirement));
    for place in &mut missing {
        let members = in_force.policy.members(&place.group);
        place.could = members.into_iter().filter(|person| electorate.could_count(*person)).collect();
    }
    missing
}

pub(crate) fn request(state: &State, cx: &Context, command: &Request) -> Result<Vec<Event>, Refusal> {
    let requester = state.principal(cx.actor).ok_or(Refusal::NotAPerson)?;
    let in_force = state.policy().ok_or(Refusal::NoRule)?;
    let requirement = in_force.policy.requirement(&command.action).ok_or(Refusal::NoRule)?;
    let active = state.person(requester).is_some_and(Person::is_active);
    if !(active && requirement.may_request(&in_force.policy, requester)) {
        return Err(Refusal::NotARequester);
    }
    if requirement.approval == Consent::NotRequired {
        return Err(Refusal::NotNeeded);
    }
    let electorate = Electorate::new(state, in_force, (requester, &requirement));
    let missing = requirement.unfilled(&in_force.policy, &electorate.everybody(cx.now));
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
        owner: cx.actor.token().map(|_| requester),
    };
    let fact = Fact::ApprovalRequested(ApprovalId(cx.first()), requested);
    Ok(Vec::from([Event::new(cx, cx.correlation, Some(&command.action.environment), fact)]))
}

/// What a vote rests on once the voter may vote at all.
struct Asked<'a> {
    approval: &'a Approval,
    policy: &'a PolicyInForce,
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
    let in_force = state.policy().ok_or(Refusal::NoRule)?;
    let seat = on_behalf.unwrap_or(voter);
    let mut acting = [voter, seat].into_iter();
    let self_approved = acting.any(|person| in_force.policy.are_one(person, approval.requester));
    let may_self_approve = self_approved && sabotage::is_active(Sabotage::SelfApproval);
    if self_approved && !may_self_approve {
        return Err(Refusal::SelfApproval);
    }
    let accounts = in_force.policy.accounts(approval.requester);
    let stands_in = |person: PersonId| state.is_delegate(voter, (person, cx.now));
    if matches!(voice, Voice::Agrees { .. }) && accounts.into_iter().any(stands_in) {
        return Err(Refusal::DelegateOfRequester);
    }
    let requirement = in_force.policy.requirement(&approval.action).ok_or(Refusal::NoRule)?;
    let electorate = Electorate::new(state, in_force, (approval.requester, &requirement));
    if electorate.is_author(voter) || electorate.is_author(seat) {
        return Err(Refusal::RuleAuthor);
    }
    if on_behalf.is_some_and(|person| !stands_in(person)) {
        return Err(Refusal::NotADelegate);
    }
    // A vote of somebody who has not claimed would count from the moment they do.
    let active = [voter, seat].iter().all(|person| state.person(*person).is_some_and(Person::is_active));
    if !(may_self_approve || active && requirement.may_approve(&in_force.policy, seat)) {
        return Err(Refusal::NotAnApprover);
    }
    if let Some(refusal) = approval.ended_refusal(cx.now) {
        return Err(refusal);
    }
    if !approval.has_requester(state) {
        return Err(Refusal::RequesterGone);
    }
    if requirement.digest() != approval.requirement_sha256 {
        return Err(Refusal::PolicyChanged);
    }
    Ok(Asked { approval, policy: in_force, requirement, voter })
}

pub(crate) fn approve(state: &State, cx: &Context, ballot: &Ballot) -> Result<Vec<Event>, Refusal> {
    let Ballot { approval: id, commented, on_behalf, signature } = ballot.clone();
    let Asked { approval, policy, requirement, voter } = asked(state, cx, (id, Voice::Agrees { on_behalf }))?;
    let electorate = Electorate::new(state, policy, (approval.requester, &requirement));
    let stuck = approval.unfillable(&electorate, cx.now);
    if !stuck.is_empty() {
        return Err(Refusal::Unsatisfiable(stuck));
    }
    let vote = Vote { person: voter, at: cx.now, on_behalf, signature: signature.clone() };
    let involved = |person| approval.is_involved(&electorate, person);
    if involved(voter) || involved(vote.seat()) {
        return Err(Refusal::AlreadyVoted);
    }
    if requirement.comment == Comment::Required && !commented {
        return Err(Refusal::CommentRequired);
    }
    if approval.unfilled(&electorate).is_empty() {
        return Err(Refusal::AlreadyApproved);
    }
    approval.is_signed(state, (&vote, requirement.signature))?;
    let fresh = approval.freshness((state, cx), (&vote, requirement.fresh_seconds))?;
    let voted =
        Voted { parameters_sha256: approval.parameters_sha256, commented, on_behalf, signature, fresh };
    let mut events = Vec::from([approval.event(cx, Fact::ApprovalGranted(id, voted))]);
    let mut after = approval.clone();
    after.agree(vote);
    if after.unfilled(&electorate).is_empty() {
        let approved_until = cx.now.plus_seconds(requirement.approved_seconds.get());
        events.push(approval.event(cx, Fact::ApprovalCompleted(id, Completed { approved_until })));
    }
    Ok(events)
}

pub(crate) fn deny(state: &State, cx: &Context, id: ApprovalId) -> Result<Vec<Event>, Refusal> {
    let Asked { approval, policy, requirement, voter } = asked(state, cx, (id, Voice::Disagrees))?;
    if approval.objections.contains(&voter) {
        return Err(Refusal::AlreadyVoted);
    }
    let parameters_sha256 = approval.parameters_sha256;
    let voted = Voted { parameters_sha256, commented: false, on_behalf: None, signature: None, fresh: None };
    let against = approval.against(&policy.policy, voter);
    let enough = against.len() >= usize::try_from(requirement.denials.get()).unwrap_or(usize::MAX);
    let fact = if enough { Fact::ApprovalDenied(id, voted) } else { Fact::ApprovalObjected(id, voted) };
    Ok(Vec::from([approval.event(cx, fact)]))
}

pub(crate) fn withdraw(state: &State, cx: &Context, id: ApprovalId) -> Result<Vec<Event>, Refusal> {
    let approval = state.approval(id).ok_or(Refusal::NotFound)?;
    let person = state.principal(cx.actor).ok_or(Refusal::NotAPerson)?;
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
                state.change::<Approval>(id, |approval| approval.agree(vote));
                fresh::spend(state, event, voted.fresh);
            }
        }
        Fact::ApprovalObjected(id, _) => {
            if let Some(person) = event.actor.person() {
                state.change::<Approval>(id, |approval| approval.object(person));
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
        Fact::ApprovalVoteRevoked(..) | Fact::ApprovalEscalated(..) => life::apply(state, event),
        Fact::ApprovalConsumed(id, Consumed { permit }) => end(state, id, End::Consumed { permit: *permit }),
        Fact::ApprovalRestored(id, _) => state.change::<Approval>(id, |approval| approval.ended = None),
        _ => {}
    }
}

fn requested_by(state: &mut State, event: &Event, (id, requested): (ApprovalId, &Requested)) {
    let Some(requester) = event.actor.person().or(requested.owner) else { return };
    let approval = Approval {
        id,
        requester,
        token: event.actor.token(),
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
        objections: BTreeSet::new(),
        signed_before: BTreeSet::new(),
        approved: None,
        ended: None,
        settled: false,
    };
    state.put(id, approval);
}
