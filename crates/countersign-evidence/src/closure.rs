//! What entries rest on: the subjects their data name, and so on until nothing new is named.
//!
//! An approval rests on the policy and the roster, a permit on its approval, a rotation on its permit and its secret. Without all of
//! these nobody could judge whether what happened was allowed, so a bundle holds them whole.

use std::collections::BTreeSet;

use countersign_core::session::{Method, Opened};
use countersign_core::token::Issued;
use countersign_core::{
    Event, Fact, Subject, identity, passkey, password, person, session, token, voting_key,
};

/// What every judgement rests on: the log's own facts and the policies.
pub const ALWAYS: [Subject; 2] = [Subject::Log, Subject::Policy];

/// The subjects an event names besides its own: whoever judges the event needs their entries too.
#[must_use]
pub fn named(event: &Event) -> BTreeSet<Subject> {
    let mut named = of_fact(&event.fact);
    named.extend(event.actor.person().map(Subject::Person));
    named.extend(event.actor.token().map(Subject::Token));
    named.remove(&event.fact.subject());
    named
}

#[expect(clippy::too_many_lines, reason = "a table of all kinds")]
fn of_fact(fact: &Fact) -> BTreeSet<Subject> {
    match fact {
        // Its groups decide who could vote; whether they had claimed by then is in their own entries.
        Fact::PolicyActivated(_, activated) => {
            let members = activated.policy.iter().flat_map(countersign_core::policy::Policy::named);
            members.map(Subject::Person).chain(activated.approval.map(Subject::Approval)).collect()
        }
        Fact::LogDetailsRedacted(_, redacted) => BTreeSet::from([Subject::Approval(redacted.approval)]),
        Fact::PersonEnrolled(_, person::Enrolled { approval, .. })
        | Fact::PersonClaimRenewed(_, person::ClaimRenewed { approval, .. })
        | Fact::PersonDeactivated(_, person::Deactivated { approval })
        | Fact::PersonKeyRevoked(_, voting_key::KeyRevoked { approval, .. })
        | Fact::SessionEnded(_, session::Ended { approval, .. })
        | Fact::TokenRevoked(_, token::Revoked { approval, .. }) => {
            approval.map(Subject::Approval).into_iter().collect()
        }
        Fact::PersonKeyEnrolled(_, enrolled) => BTreeSet::from([Subject::Approval(enrolled.approval)]),
        Fact::LogKeyRotated(_, rotated) => BTreeSet::from([Subject::Approval(rotated.approval)]),
        Fact::PersonDelegated(_, delegated) => BTreeSet::from([Subject::Person(delegated.to)]),
        Fact::PersonDelegationEnded(_, ended) => BTreeSet::from([Subject::Person(ended.to)]),
        Fact::ApprovalGranted(_, voted) | Fact::ApprovalDenied(_, voted) => {
            let by = voted.fresh.map(|fresh| Subject::Session(fresh.session));
            voted.on_behalf.map(Subject::Person).into_iter().chain(by).collect()
        }
        Fact::PersonPasskeyAdded(_, added) => added.session.map(Subject::Session).into_iter().collect(),
        Fact::PersonPasskeyRemoved(_, passkey::PasskeyRemoved { session, .. }) => {
            BTreeSet::from([Subject::Session(*session)])
        }
        Fact::PersonPasswordSet(_, set) => set.session.map(Subject::Session).into_iter().collect(),
        Fact::PersonPasswordRemoved(_, password::PasswordRemoved { session })
        | Fact::PersonRecoveryCodesRenewed(_, password::RecoveryCodesRenewed { session, .. })
        | Fact::PersonIdentityLinked(_, identity::IdentityLinked { session, .. })
        | Fact::PersonIdentityUnlinked(_, identity::IdentityUnlinked { session, .. }) => {
            BTreeSet::from([Subject::Session(*session)])
        }
        Fact::SessionOpened(_, opened) => of_session(opened),
        Fact::TokenIssued(_, issued) => of_token(issued),
        Fact::ApprovalConsumed(_, consumed) => consumed.permit.map(Subject::Permit).into_iter().collect(),
        Fact::ApprovalRestored(_, restored) => BTreeSet::from([Subject::Permit(restored.permit)]),
        Fact::PermitReserved(_, reserved) => {
            let exceptions = reserved.freezes.iter().flat_map(|verdict| verdict.excepted.values().copied());
            let approvals = reserved.approval.into_iter().chain(exceptions).map(Subject::Approval);
            approvals.chain(reserved.break_glass.map(Subject::BreakGlass)).collect()
        }
        Fact::BreakGlassOpened(_, opened) => BTreeSet::from([Subject::Permit(opened.permit)]),
        Fact::PermitStarted(_, started) => started.rotation.map(Subject::Rotation).into_iter().collect(),
        Fact::SecretReserved(_, reserved) => BTreeSet::from([Subject::Rotation(reserved.rotation)]),
        Fact::SecretPromoted(_, promoted) => BTreeSet::from([Subject::Rotation(promoted.rotation)]),
        Fact::SecretSettled(_, settled) => BTreeSet::from([Subject::Rotation(settled.rotation)]),
        Fact::RotationStarted(_, started) => {
            BTreeSet::from([Subject::Permit(started.permit), Subject::Secret(started.secret.clone())])
        }
        Fact::IncidentOpened(_, opened) => BTreeSet::from([opened.about.clone()]),
        Fact::LogCreated(..)
        | Fact::LogCensusTaken(..)
        | Fact::LogWitnessLost(..)
        | Fact::LogWitnessRegained(..)
        | Fact::LogSignInsFailed(..)
        | Fact::LogPermitKeyNamed(..)
        | Fact::PersonClaimed(..)
        | Fact::PersonRefused(..)
        | Fact::SessionExtended(..)
        | Fact::SessionSteppedUp(..)
        | Fact::TokenUsed(..)
        | Fact::TokenExpired(..)
        | Fact::ApprovalRequested(..)
        | Fact::ApprovalVoteRevoked(..)
        | Fact::ApprovalEscalated(..)
        | Fact::ApprovalCompleted(..)
        | Fact::ApprovalObjected(..)
        | Fact::ApprovalWithdrawn(..)
        | Fact::ApprovalExpired(..)
        | Fact::PermitReleased(..)
        | Fact::PermitLapsed(..)
        | Fact::PermitSucceeded(..)
        | Fact::PermitFailed(..)
        | Fact::PermitUnknown(..)
        | Fact::PermitReportedLate(..)
        | Fact::PermitHeartbeat(..)
        | Fact::PermitReconciled(..)
        | Fact::BreakGlassReviewed(..)
        | Fact::BreakGlassSettled(..)
        | Fact::BreakGlassOverdue(..)
        | Fact::SecretAdopted(..)
        | Fact::RotationTaskAttempted(..)
        | Fact::RotationTaskSucceeded(..)
        | Fact::RotationTaskFailed(..)
        | Fact::RotationAdvanced(..)
        | Fact::RotationTurnedBack(..) => BTreeSet::new(),
    }
}

/// Whose it is, what it was exchanged from, and the approval it rests on.
fn of_token(issued: &Issued) -> BTreeSet<Subject> {
    let parent = issued.parent.map(Subject::Token);
    let approval = issued.approval.map(Subject::Approval);
    [Some(Subject::Person(issued.owner)), parent, approval].into_iter().flatten().collect()
}

/// Whose it is, and what it was handed on from. The one whose place it takes has ended, and matters no more.
fn of_session(opened: &Opened) -> BTreeSet<Subject> {
    let from = match &opened.method {
        Method::HandedOn { session } => Some(Subject::Session(*session)),
        _ => None,
    };
    [Some(Subject::Person(opened.person)), from].into_iter().flatten().collect()
}

/// Subjects to be visited, each once, until none is left.
#[derive(Clone, Debug, Default)]
pub struct Closure {
    visited: BTreeSet<Subject>,
    waiting: BTreeSet<Subject>,
}

impl Closure {
    /// Begins with what [every judgement rests on](ALWAYS) and these subjects.
    pub fn of(subjects: impl IntoIterator<Item = Subject>) -> Self {
        Self { visited: BTreeSet::new(), waiting: subjects.into_iter().chain(ALWAYS).collect() }
    }

    /// The next subject whose entries must be looked at with [`Closure::see`].
    pub fn take(&mut self) -> Option<Subject> {
        let next = self.waiting.pop_first()?;
        self.visited.insert(next.clone());
        Some(next)
    }

    /// Follows what one event of a visited subject names.
    pub fn see(&mut self, event: &Event) {
        self.waiting.extend(named(event).into_iter().filter(|subject| !self.visited.contains(subject)));
    }

    /// All subjects, once nothing is left to visit.
    #[must_use]
    pub fn subjects(self) -> BTreeSet<Subject> {
        self.visited
    }
}
