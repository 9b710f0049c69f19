//! Commands, events, effects and refusals of all capabilities, one line each, and the functions that hand them on.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::action::Action;
use crate::context::{Actor, Context};
use crate::digest::Digest;
use crate::id::{
    ApprovalId, BreakGlassId, CorrelationId, IncidentId, PermitId, PersonId, RotationId, SessionId, TokenId,
};
use crate::log::{census, key, permit_key, sign_ins, witness};
use crate::policy::Missing;
use crate::sabotage::{self, Sabotage};
use crate::state::{LogSubject, PolicySubject, State, Subject};
use crate::text::Name;
use crate::time::Time;
use crate::{
    approval, break_glass, delegation, identity, incident, log, passkey, password, permit, person, policy,
    redaction, rotation, secret, session, token, voting_key,
};

/// What somebody wants to happen.
#[derive(Clone, Debug)]
pub enum Command {
    /// Write genesis. Only into an empty log.
    Bootstrap(log::Bootstrap),
    /// Put another policy in force.
    ActivatePolicy(log::ActivatePolicy),
    /// Write a count of entries per subject down.
    TakeCensus(census::TakeCensus),
    /// Put another key in force for the log.
    RotateLogKey(key::RotateLogKey),
    /// Name the key that signs permit documents.
    NamePermitKey(permit_key::NamePermitKey),
    /// Delete the details of some entries.
    RedactDetails(redaction::RedactDetails),
    /// Replace a one-time claim by a credential of one's own.
    ClaimCredential(person::ClaimCredential),
    /// Replace a one-time claim by a way to sign in, and sign in.
    ClaimBy(person::ClaimBy),
    /// Invite somebody.
    InvitePerson(person::Invite),
    /// End that somebody belongs.
    DeactivatePerson(person::Deactivate),
    /// Give whoever asks another passkey for signing in.
    AddPasskey(passkey::AddPasskey),
    /// Take one of their passkeys out of force.
    RemovePasskey(passkey::RemovePasskey),
    /// Give whoever asks a password.
    SetPassword(password::SetPassword),
    /// Take their password out of force.
    RemovePassword(password::RemovePassword),
    /// Replace their recovery codes.
    RenewRecoveryCodes(password::RenewRecoveryCodes),
    /// Link an identity at a provider to whoever asks.
    LinkIdentity(identity::LinkIdentity),
    /// Take one of their identities away.
    UnlinkIdentity(identity::UnlinkIdentity),
    /// Sign somebody in.
    OpenSession(session::Open),
    /// Note that a session was used.
    ExtendSession(session::Extend),
    /// Prove once more who acts, for one request.
    StepUp(session::StepUp),
    /// Sign somebody out.
    EndSession(session::End),
    /// Issue a service token to whoever asks.
    IssueToken(token::Issue),
    /// Exchange the token that acts for a narrower one.
    ExchangeToken(token::Exchange),
    /// Exchange the token of a workload, issued elsewhere, for a service token.
    ExchangeWorkload(token::ExchangeWorkload),
    /// Take a token out of force.
    RevokeToken(token::Revoke),
    /// Write down how often a token was used.
    NoteUse(token::NoteUse),
    /// Give a person a voting key.
    EnrollKey(voting_key::EnrollKey),
    /// Take a voting key out of force.
    RevokeKey(voting_key::RevokeKey),
    /// Let somebody else agree in one's place for a while.
    Delegate(delegation::Delegate),
    /// End one's own delegation before its time.
    EndDelegation,
    /// Write down what a person was refused.
    NoteRefusals(person::NoteRefusals),
    /// Ask for approval of one action with one set of parameters.
    RequestApproval(approval::Request),
    /// Agree.
    Approve(approval::Ballot),
    /// Disagree, finally.
    Deny(ApprovalId),
    /// Take one's own vote back.
    RevokeVote(ApprovalId),
    /// Take one's own request back.
    Withdraw(ApprovalId),
    /// Get leave to execute one action now.
    ReservePermit(permit::Reserve),
    /// Begin the work.
    StartPermit(PermitId),
    /// Give back a permit that was not started; its approval can be used again.
    ReleasePermit(PermitId),
    /// Say how the work ended.
    FinishPermit(permit::Finish),
    /// Say that the work goes on.
    KeepPermitAlive(PermitId),
    /// Say what became of the work of a permit that is unknown.
    ReconcilePermit(permit::Reconcile),
    /// Act without anybody's consent.
    BreakGlass(break_glass::Open),
    /// Say whether that was right.
    ReviewBreakGlass(break_glass::Review),
    /// Begin a rotation under a reserved permit.
    StartRotation(rotation::Start),
    /// Stop a rotation and restore what was before.
    AbortRotation(RotationId),
    /// The runner is about to perform a task.
    AttemptTask(rotation::Attempt),
    /// The runner says how a task went.
    ReportTask(rotation::Report),
    /// The node says how a witness fares.
    ReportWitness(witness::ReportWitness),
    /// The node says that sign-ins failed too often.
    NoteFailedSignIns(sign_ins::NoteFailures),
    /// A deadline passed or a dwell ended: write down what follows.
    Elapse(Subject),
}

impl Command {
    /// Which of the events it caused the command is mainly about: the one that carries the details and names what was made.
    #[must_use]
    pub fn principal(events: &[Event]) -> Option<&Event> {
        let made = |event: &&Event| {
            matches!(
                event.fact,
                Fact::BreakGlassOpened(..)
                    | Fact::BreakGlassReviewed(..)
                    | Fact::PermitReserved(..)
                    | Fact::PermitReconciled(..)
                    | Fact::RotationStarted(..)
                    | Fact::PolicyActivated(..)
                    | Fact::LogKeyRotated(..)
                    | Fact::LogDetailsRedacted(..)
                    | Fact::PersonEnrolled(_, person::Enrolled { bootstrap: false, .. })
                    | Fact::PersonClaimRenewed(..)
                    | Fact::PersonDeactivated(..)
                    | Fact::SessionOpened(..)
                    | Fact::TokenIssued(..)
                    | Fact::TokenRevoked(..)
                    | Fact::PersonKeyEnrolled(..)
                    | Fact::PersonKeyRevoked(..)
            )
        };
        events.iter().find(made).or_else(|| events.first())
    }
}

/// What the world still owes us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Submit [`Command::Elapse`] for the subject. No IO.
    Elapse(Subject),
    /// Perform a rotation's task.
    Task(rotation::Due),
}

macro_rules! facts {
    ($($kind:literal => $variant:ident($subject:ty, $payload:ty),)*) => {
        /// What happened, to whom or what.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fact {
            $(#[doc = concat!("`", $kind, "`")] $variant($subject, $payload),)*
        }

        impl Fact {
            /// Every kind of event this version can read and write.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// The stable name of this kind of event.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(..) => $kind,)* }
            }

            /// What the event is about.
            #[must_use]
            pub fn subject(&self) -> Subject {
                match self { $(Self::$variant(subject, _) => Subject::from(subject.clone()),)* }
            }

            /// Reads the `data` of an entry.
            ///
            /// # Errors
            /// The kind is unknown to this version, the subject is not of the kind's type, or the data do not fit.
            pub fn decode<'de, D: Deserializer<'de>>(
                kind: &str,
                subject: &str,
                data: D,
            ) -> Result<Self, DecodeError<D::Error>> {
                match kind {
                    $($kind => {
                        let subject = subject.parse().map_err(|_| DecodeError::Subject(subject.to_string()))?;
                        <$payload>::deserialize(data).map(|data| Self::$variant(subject, data)).map_err(DecodeError::Data)
                    })*
                    _ => Err(DecodeError::UnknownKind(kind.to_string())),
                }
            }
        }

        /// Serialises the payload alone: the entry's `data`.
        impl Serialize for Fact {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(_, payload) => payload.serialize(serializer),)* }
            }
        }
    };
}

facts! {
    "log.created" => LogCreated(LogSubject, log::Created),
    "log.census_taken" => LogCensusTaken(LogSubject, census::Taken),
    "log.witness_lost" => LogWitnessLost(LogSubject, witness::Lost),
    "log.witness_regained" => LogWitnessRegained(LogSubject, witness::Regained),
    "log.sign_ins_failed" => LogSignInsFailed(LogSubject, sign_ins::Failed),
    "log.key_rotated" => LogKeyRotated(LogSubject, key::Rotated),
    "log.permit_key_named" => LogPermitKeyNamed(LogSubject, permit_key::Named),
    "log.details_redacted" => LogDetailsRedacted(LogSubject, redaction::DetailsRedacted),
    "policy.activated" => PolicyActivated(PolicySubject, log::PolicyActivated),
    "person.enrolled" => PersonEnrolled(PersonId, person::Enrolled),
    "person.claim_renewed" => PersonClaimRenewed(PersonId, person::ClaimRenewed),
    "person.claimed" => PersonClaimed(PersonId, person::Claimed),
    "person.deactivated" => PersonDeactivated(PersonId, person::Deactivated),
    "person.key_enrolled" => PersonKeyEnrolled(PersonId, voting_key::KeyEnrolled),
    "person.key_revoked" => PersonKeyRevoked(PersonId, voting_key::KeyRevoked),
    "person.passkey_added" => PersonPasskeyAdded(PersonId, passkey::PasskeyAdded),
    "person.passkey_removed" => PersonPasskeyRemoved(PersonId, passkey::PasskeyRemoved),
    "person.password_set" => PersonPasswordSet(PersonId, password::PasswordSet),
    "person.password_removed" => PersonPasswordRemoved(PersonId, password::PasswordRemoved),
    "person.recovery_codes_renewed" => PersonRecoveryCodesRenewed(PersonId, password::RecoveryCodesRenewed),
    "person.identity_linked" => PersonIdentityLinked(PersonId, identity::IdentityLinked),
    "person.identity_unlinked" => PersonIdentityUnlinked(PersonId, identity::IdentityUnlinked),
    "person.refused" => PersonRefused(PersonId, person::Refused),
    "person.delegated" => PersonDelegated(PersonId, delegation::Delegated),
    "person.delegation_ended" => PersonDelegationEnded(PersonId, delegation::Ended),
    "session.opened" => SessionOpened(SessionId, session::Opened),
    "session.extended" => SessionExtended(SessionId, session::Extended),
    "session.stepped_up" => SessionSteppedUp(SessionId, session::SteppedUp),
    "session.ended" => SessionEnded(SessionId, session::Ended),
    "token.issued" => TokenIssued(TokenId, token::Issued),
    "token.used" => TokenUsed(TokenId, token::Used),
    "token.revoked" => TokenRevoked(TokenId, token::Revoked),
    "token.expired" => TokenExpired(TokenId, token::Expired),
    "approval.requested" => ApprovalRequested(ApprovalId, approval::Requested),
    "approval.granted" => ApprovalGranted(ApprovalId, approval::Voted),
    "approval.vote_revoked" => ApprovalVoteRevoked(ApprovalId, approval::VoteRevoked),
    "approval.escalated" => ApprovalEscalated(ApprovalId, approval::Escalated),
    "approval.completed" => ApprovalCompleted(ApprovalId, approval::Completed),
    "approval.objected" => ApprovalObjected(ApprovalId, approval::Voted),
    "approval.denied" => ApprovalDenied(ApprovalId, approval::Voted),
    "approval.withdrawn" => ApprovalWithdrawn(ApprovalId, approval::Withdrawn),
    "approval.expired" => ApprovalExpired(ApprovalId, approval::Expired),
    "approval.consumed" => ApprovalConsumed(ApprovalId, approval::Consumed),
    "approval.restored" => ApprovalRestored(ApprovalId, approval::Restored),
    "permit.reserved" => PermitReserved(PermitId, permit::Reserved),
    "permit.started" => PermitStarted(PermitId, permit::Started),
    "permit.released" => PermitReleased(PermitId, permit::Ended),
    "permit.lapsed" => PermitLapsed(PermitId, permit::Ended),
    "permit.succeeded" => PermitSucceeded(PermitId, permit::Ended),
    "permit.failed" => PermitFailed(PermitId, permit::Ended),
    "permit.unknown" => PermitUnknown(PermitId, permit::Ended),
    "permit.reported_late" => PermitReportedLate(PermitId, permit::ReportedLate),
    "permit.heartbeat" => PermitHeartbeat(PermitId, permit::Heartbeat),
    "permit.reconciled" => PermitReconciled(PermitId, permit::Reconciled),
    "break_glass.opened" => BreakGlassOpened(BreakGlassId, break_glass::Opened),
    "break_glass.reviewed" => BreakGlassReviewed(BreakGlassId, break_glass::Reviewed),
    "break_glass.settled" => BreakGlassSettled(BreakGlassId, break_glass::Settled),
    "break_glass.overdue" => BreakGlassOverdue(BreakGlassId, break_glass::Overdue),
    "secret.adopted" => SecretAdopted(secret::SecretKey, secret::Adopted),
    "secret.reserved" => SecretReserved(secret::SecretKey, secret::Reserved),
    "secret.promoted" => SecretPromoted(secret::SecretKey, secret::Promoted),
    "secret.settled" => SecretSettled(secret::SecretKey, secret::Settled),
    "rotation.started" => RotationStarted(RotationId, rotation::Started),
    "rotation.task_attempted" => RotationTaskAttempted(RotationId, rotation::TaskAttempted),
    "rotation.task_succeeded" => RotationTaskSucceeded(RotationId, rotation::TaskSucceeded),
    "rotation.task_failed" => RotationTaskFailed(RotationId, rotation::TaskFailed),
    "rotation.advanced" => RotationAdvanced(RotationId, rotation::Advanced),
    "rotation.turned_back" => RotationTurnedBack(RotationId, rotation::TurnedBack),
    "incident.opened" => IncidentOpened(IncidentId, incident::Opened),
}

/// Why an entry could not be read.
#[derive(Debug)]
pub enum DecodeError<E> {
    /// This version does not know the kind: it must stop, not guess.
    UnknownKind(String),
    /// The subject is not of the type the kind is about.
    Subject(String),
    /// The data do not fit the kind.
    Data(E),
}

impl<E: fmt::Display> fmt::Display for DecodeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind(kind) => write!(f, "unknown kind of event `{kind}`"),
            Self::Subject(subject) => write!(f, "`{subject}` is not what this kind of event is about"),
            Self::Data(error) => write!(f, "the data do not fit: {error}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for DecodeError<E> {}

/// One thing that happened, with all that the entry's envelope says and the store does not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// Who caused it.
    pub actor: Actor,
    /// What it belongs to.
    pub correlation: CorrelationId,
    /// The environment it concerns, if one.
    pub environment: Option<Name>,
    /// What.
    pub fact: Fact,
}

impl Event {
    pub(crate) fn new(
        cx: &Context,
        correlation: CorrelationId,
        environment: Option<&Name>,
        fact: Fact,
    ) -> Self {
        Self { at: cx.now, actor: cx.actor, correlation, environment: environment.cloned(), fact }
    }

    /// The blob this event refers to and `apply` needs resolved, if any.
    #[must_use]
    pub fn unresolved(&self) -> Option<Digest> {
        match &self.fact {
            Fact::PolicyActivated(_, activated) if activated.policy.is_none() => {
                Some(activated.policy_sha256)
            }
            _ => None,
        }
    }

    /// Supplies the policy that [`Event::unresolved`] asked for.
    pub fn resolve(&mut self, resolved: policy::Policy) {
        if let Fact::PolicyActivated(_, activated) = &mut self.fact {
            activated.policy = Some(resolved);
        }
    }
}

/// Why a command does not happen. Each capability lists its refusals in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// About genesis or policy.
    Log(log::Refusal),
    /// About censuses.
    Census(census::Refusal),
    /// About the log's key.
    Key(key::Refusal),
    /// About the key that signs permit documents.
    PermitKey(permit_key::Refusal),
    /// About credentials.
    Person(person::Refusal),
    /// About passkeys for signing in.
    Passkey(passkey::Refusal),
    /// About passwords.
    Password(password::Refusal),
    /// About identities at providers.
    Identity(identity::Refusal),
    /// About sessions.
    Session(session::Refusal),
    /// About service tokens.
    Token(token::Refusal),
    /// About voting keys.
    VotingKey(voting_key::Refusal),
    /// About delegations.
    Delegation(delegation::Refusal),
    /// About requests and votes.
    Approval(approval::Refusal),
    /// About permits.
    Permit(permit::Refusal),
    /// About breaking the glass.
    BreakGlass(break_glass::Refusal),
    /// About rotations.
    Rotation(rotation::Refusal),
    /// About witnesses.
    Witness(witness::Refusal),
    /// About counts of failed sign-ins.
    SignIns(sign_ins::Refusal),
    /// About redactions.
    Redaction(redaction::Refusal),
}

macro_rules! refusals {
    ($($variant:ident($module:ident),)*) => {
        $(impl From<$module::Refusal> for Refusal {
            fn from(refusal: $module::Refusal) -> Self {
                Self::$variant(refusal)
            }
        })*

        impl Refusal {
            /// One example of every refusal there is, with the capability that gives it, in order of precedence.
            pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
                let all = [].into_iter();
                $(let all = all.chain(
                    $module::Refusal::ALL.iter().map(|refusal| (stringify!($module), Self::$variant(refusal.clone()))),
                );)*
                all
            }

            /// The capability that gives it.
            #[must_use]
            pub fn capability(&self) -> &'static str {
                match self { $(Self::$variant(..) => stringify!($module),)* }
            }

            /// The stable code.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self { $(Self::$variant(refusal) => refusal.code(),)* }
            }

            /// What to do about it.
            #[must_use]
            pub fn hint(&self) -> &'static str {
                match self { $(Self::$variant(refusal) => refusal.hint(),)* }
            }
        }

        impl fmt::Display for Refusal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$variant(refusal) => fmt::Display::fmt(refusal, f),)* }
            }
        }
    };
}

refusals! {
    Log(log), Key(key), PermitKey(permit_key), Census(census), Person(person), Passkey(passkey), Password(password), Identity(identity), Session(session), Token(token), VotingKey(voting_key), Delegation(delegation),
    Approval(approval), Permit(permit), BreakGlass(break_glass), Rotation(rotation), Witness(witness), SignIns(sign_ins),
    Redaction(redaction),
}

impl core::error::Error for Refusal {}

impl Refusal {
    /// Whose agreement is missing, where that is the reason.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        match self {
            Self::Approval(approval::Refusal::Unsatisfiable(missing))
            | Self::Permit(
                permit::Refusal::ApprovalRequired(missing)
                | permit::Refusal::ApprovalPending(missing)
                | permit::Refusal::ExceptionPending(missing),
            )
            | Self::BreakGlass(
                break_glass::Refusal::Overdue { missing, .. } | break_glass::Refusal::Unreviewable(missing),
            )
            | Self::Log(log::Refusal::ActivationUnsatisfiable(missing)) => missing,
            _ => &[],
        }
    }
}

/// Whether the command may happen, and what happens then. Changes nothing.
///
/// # Errors
/// The first refusal in the capability's order of precedence.
pub fn decide(state: &State, cx: &Context, command: &Command) -> Result<Vec<Event>, Refusal> {
    person::is_there(state, cx)?;
    session::is_live(state, cx)?;
    token::admit(state, cx, command)?;
    match command {
        Command::Bootstrap(bootstrap) => log::bootstrap(state, cx, bootstrap).map_err(Into::into),
        Command::ActivatePolicy(activate) => log::activate(state, cx, activate),
        Command::TakeCensus(take) => census::take(state, cx, take).map_err(Into::into),
        Command::RotateLogKey(rotate) => key::rotate(state, cx, rotate),
        Command::NamePermitKey(name) => permit_key::name(state, cx, name),
        Command::RedactDetails(redact) => redaction::redact(state, cx, redact),
        Command::ClaimCredential(claim) => person::claim(state, cx, claim).map_err(Into::into),
        Command::ClaimBy(claim) => person::claim_by(state, cx, claim),
        Command::AddPasskey(add) => passkey::add(state, cx, add),
        Command::RemovePasskey(remove) => passkey::remove(state, cx, remove),
        Command::SetPassword(set) => password::set(state, cx, set),
        Command::RemovePassword(_) => password::remove(state, cx),
        Command::RenewRecoveryCodes(renew) => password::renew(state, cx, renew),
        Command::LinkIdentity(link) => identity::link(state, cx, link),
        Command::UnlinkIdentity(unlink) => identity::unlink(state, cx, unlink),
        Command::OpenSession(open) => session::open(state, cx, open).map_err(Into::into),
        Command::ExtendSession(extend) => session::extend(state, cx, extend).map_err(Into::into),
        Command::StepUp(step_up) => session::step_up(state, cx, step_up).map_err(Into::into),
        Command::EndSession(end) => session::end(state, cx, end),
        Command::InvitePerson(invite) => person::invite(state, cx, invite),
        Command::DeactivatePerson(deactivate) => person::deactivate(state, cx, deactivate),
        Command::IssueToken(issue) => token::issue(state, cx, issue),
        Command::ExchangeToken(exchange) => token::exchange(state, cx, exchange).map_err(Into::into),
        Command::ExchangeWorkload(exchange) => token::exchange_workload(state, cx, exchange),
        Command::RevokeToken(revoke) => token::revoke(state, cx, revoke),
        Command::NoteUse(note) => token::note_use(state, cx, note).map_err(Into::into),
        Command::EnrollKey(enroll) => voting_key::enroll(state, cx, enroll),
        Command::RevokeKey(revoke) => voting_key::revoke(state, cx, revoke),
        Command::Delegate(delegate) => delegation::delegate(state, cx, delegate).map_err(Into::into),
        Command::EndDelegation => delegation::end(state, cx).map_err(Into::into),
        Command::NoteRefusals(note) => person::note_refusals(state, cx, note).map_err(Into::into),
        Command::RequestApproval(request) => approval::request(state, cx, request).map_err(Into::into),
        Command::Approve(ballot) => approval::approve(state, cx, ballot).map_err(Into::into),
        Command::Deny(id) => approval::deny(state, cx, *id).map_err(Into::into),
        Command::RevokeVote(id) => approval::revoke_vote(state, cx, *id).map_err(Into::into),
        Command::Withdraw(id) => approval::withdraw(state, cx, *id).map_err(Into::into),
        Command::ReservePermit(reserve) => permit::reserve(state, cx, reserve),
        Command::StartPermit(id) => permit::start(state, cx, *id).map_err(Into::into),
        Command::ReleasePermit(id) => permit::release(state, cx, *id).map_err(Into::into),
        Command::FinishPermit(finish) => permit::finish(state, cx, finish).map_err(Into::into),
        Command::KeepPermitAlive(id) => permit::beat(state, cx, *id).map_err(Into::into),
        Command::ReconcilePermit(reconcile) => permit::reconcile(state, cx, reconcile).map_err(Into::into),
        Command::BreakGlass(open) => break_glass::open(state, cx, open).map_err(Into::into),
        Command::ReviewBreakGlass(review) => break_glass::review(state, cx, review).map_err(Into::into),
        Command::StartRotation(start) => rotation::start(state, cx, start),
        Command::AbortRotation(id) => rotation::abort(state, cx, *id).map_err(Into::into),
        Command::AttemptTask(attempt) => rotation::attempt(state, cx, attempt).map_err(Into::into),
        Command::ReportTask(report) => rotation::report(state, cx, report).map_err(Into::into),
        Command::ReportWitness(report) => witness::report(state, cx, report),
        Command::NoteFailedSignIns(note) => sign_ins::note(state, cx, note),
        Command::Elapse(subject) => Ok(elapse(state, cx, subject)),
    }
}

/// What follows from time having passed for the subject; nothing if nothing does.
fn elapse(state: &State, cx: &Context, subject: &Subject) -> Vec<Event> {
    match subject {
        Subject::Person(id) => delegation::elapse(state, cx, *id),
        Subject::Session(id) => session::elapse(state, cx, *id),
        Subject::Token(id) => token::elapse(state, cx, *id),
        Subject::Approval(id) => approval::elapse(state, cx, *id),
        Subject::Permit(id) => permit::elapse(state, cx, *id),
        Subject::BreakGlass(id) => break_glass::elapse(state, cx, *id),
        Subject::Rotation(id) => rotation::elapse(state, cx, *id),
        Subject::Log | Subject::Policy | Subject::Secret(_) | Subject::Incident(_) => Vec::new(),
    }
}

/// Makes it so. Never refuses: it happened.
pub fn apply(state: &mut State, event: &Event) {
    state.count(&event.fact.subject());
    match &event.fact {
        Fact::LogCreated(..)
        | Fact::LogKeyRotated(..)
        | Fact::LogPermitKeyNamed(..)
        | Fact::LogCensusTaken(..)
        | Fact::PolicyActivated(..)
        | Fact::LogWitnessLost(..)
        | Fact::LogWitnessRegained(..)
        | Fact::LogSignInsFailed(..) => log::apply(state, event),
        // Details are never in the state, so deleting them leaves it as it is.
        Fact::LogDetailsRedacted(..) => {}
        Fact::PersonKeyEnrolled(..) | Fact::PersonKeyRevoked(..) => voting_key::apply(state, event),
        Fact::PersonEnrolled(..)
        | Fact::PersonClaimRenewed(..)
        | Fact::PersonClaimed(..)
        | Fact::PersonDeactivated(..)
        | Fact::PersonRefused(..) => person::apply(state, event),
        Fact::PersonPasskeyAdded(..) | Fact::PersonPasskeyRemoved(..) => passkey::apply(state, event),
        Fact::PersonPasswordSet(..)
        | Fact::PersonPasswordRemoved(..)
        | Fact::PersonRecoveryCodesRenewed(..) => password::apply(state, event),
        Fact::PersonIdentityLinked(..) | Fact::PersonIdentityUnlinked(..) => identity::apply(state, event),
        Fact::SessionOpened(..)
        | Fact::SessionExtended(..)
        | Fact::SessionSteppedUp(..)
        | Fact::SessionEnded(..) => session::apply(state, event),
        Fact::TokenIssued(..) | Fact::TokenUsed(..) | Fact::TokenRevoked(..) | Fact::TokenExpired(..) => {
            token::apply(state, event);
        }
        Fact::PersonDelegated(..) | Fact::PersonDelegationEnded(..) => delegation::apply(state, event),
        Fact::ApprovalRequested(..)
        | Fact::ApprovalGranted(..)
        | Fact::ApprovalVoteRevoked(..)
        | Fact::ApprovalEscalated(..)
        | Fact::ApprovalCompleted(..)
        | Fact::ApprovalObjected(..)
        | Fact::ApprovalDenied(..)
        | Fact::ApprovalWithdrawn(..)
        | Fact::ApprovalExpired(..)
        | Fact::ApprovalConsumed(..)
        | Fact::ApprovalRestored(..) => approval::apply(state, event),
        Fact::PermitReserved(..)
        | Fact::PermitStarted(..)
        | Fact::PermitReleased(..)
        | Fact::PermitLapsed(..)
        | Fact::PermitSucceeded(..)
        | Fact::PermitFailed(..)
        | Fact::PermitUnknown(..)
        | Fact::PermitReportedLate(..)
        | Fact::PermitHeartbeat(..)
        | Fact::PermitReconciled(..) => permit::apply(state, event),
        Fact::BreakGlassOpened(..)
        | Fact::BreakGlassReviewed(..)
        | Fact::BreakGlassSettled(..)
        | Fact::BreakGlassOverdue(..) => break_glass::apply(state, event),
        Fact::SecretAdopted(..)
        | Fact::SecretReserved(..)
        | Fact::SecretPromoted(..)
        | Fact::SecretSettled(..) => secret::apply(state, event),
        Fact::RotationStarted(..)
        | Fact::RotationTaskAttempted(..)
        | Fact::RotationTaskSucceeded(..)
        | Fact::RotationTaskFailed(..)
        | Fact::RotationAdvanced(..)
        | Fact::RotationTurnedBack(..) => rotation::apply(state, event),
        Fact::IncidentOpened(..) => incident::apply(state, event),
    }
}

/// What the world owes us at `now`, the longest overdue first, at most `limit` effects.
#[must_use]
pub fn due(state: &State, now: Time, limit: usize) -> Vec<Effect> {
    let mut effects = Vec::new();
    for subject in state.overdue(now) {
        if effects.len() >= limit {
            break;
        }
        match subject {
            Subject::Rotation(id) => effects.extend(rotation::due(state, now, *id)),
            Subject::Permit(_) if sabotage::is_active(Sabotage::DroppedEffect) => {}
            other => effects.push(Effect::Elapse(other.clone())),
        }
    }
    effects.truncate(limit);
    effects
}

/// The action the command speaks of, directly or through the live subject it names.
#[must_use]
pub fn action_of(state: &State, command: &Command) -> Option<Action> {
    let of_permit = |id: &PermitId| state.permit(*id).map(|permit| permit.action.clone());
    match command {
        Command::RequestApproval(approval::Request { action, .. })
        | Command::ReservePermit(permit::Reserve { action, .. })
        | Command::BreakGlass(break_glass::Open { action, .. }) => Some(action.clone()),
        Command::ReviewBreakGlass(review) => {
            state.break_glass(review.break_glass).map(|it| it.action.clone())
        }
        Command::ActivatePolicy(_) => log::activation(),
        Command::RotateLogKey(_) => key::rotation(),
        Command::InvitePerson(invite) => person::invitation(invite.person),
        Command::DeactivatePerson(deactivate) => person::deactivation(deactivate.person),
        Command::IssueToken(issue) => token::issuing(&issue.resource, &issue.environment),
        Command::RevokeToken(revoke) => {
            state.token(revoke.token).and_then(|token| token::revocation(&token.resource, &token.environment))
        }
        Command::EndSession(end) => {
            state.session(end.session).and_then(|session| session::revocation(session.person))
        }
        Command::EnrollKey(enroll) => voting_key::enrolment(enroll.person),
        Command::RevokeKey(revoke) => voting_key::revocation(revoke.person),
        Command::RedactDetails(_) => redaction::action(),
        Command::Approve(approval::Ballot { approval: id, .. })
        | Command::Deny(id)
        | Command::RevokeVote(id)
        | Command::Withdraw(id) => state.approval(*id).map(|approval| approval.action.clone()),
        Command::StartPermit(id) | Command::ReleasePermit(id) | Command::KeepPermitAlive(id) => of_permit(id),
        Command::FinishPermit(permit::Finish { permit, .. })
        | Command::ReconcilePermit(permit::Reconcile { permit, .. })
        | Command::StartRotation(rotation::Start { permit, .. }) => of_permit(permit),
        Command::AbortRotation(id) => state.rotation(*id).and_then(|rotation| of_permit(&rotation.permit)),
        Command::Bootstrap(_)
        | Command::TakeCensus(_)
        | Command::NamePermitKey(_)
        | Command::ClaimCredential(_)
        | Command::ClaimBy(_)
        | Command::AddPasskey(_)
        | Command::RemovePasskey(_)
        | Command::SetPassword(_)
        | Command::RemovePassword(_)
        | Command::RenewRecoveryCodes(_)
        | Command::LinkIdentity(_)
        | Command::UnlinkIdentity(_)
        | Command::OpenSession(_)
        | Command::ExtendSession(_)
        | Command::StepUp(_)
        | Command::Delegate(_)
        | Command::EndDelegation
        | Command::ExchangeToken(_)
        | Command::ExchangeWorkload(_)
        | Command::NoteRefusals(_)
        | Command::NoteUse(_)
        | Command::AttemptTask(_)
        | Command::ReportTask(_)
        | Command::ReportWitness(_)
        | Command::NoteFailedSignIns(_)
        | Command::Elapse(_) => None,
    }
}

/// Subjects the command needs that are not in memory; the engine fetches them from their records, until none is missing or none can be found.
#[must_use]
pub fn missing(state: &State, command: &Command) -> Vec<Subject> {
    let named = match command {
        Command::Approve(approval::Ballot { approval: id, .. })
        | Command::Deny(id)
        | Command::RevokeVote(id)
        | Command::Withdraw(id) => Some(Subject::Approval(*id)),
        Command::ReservePermit(permit::Reserve { approval, exceptions, .. }) => {
            let excepted = exceptions.iter().map(|exception| exception.approval);
            let named = approval.iter().copied().chain(excepted).map(Subject::Approval);
            return named.flat_map(|subject| state.absent(subject)).collect();
        }
        Command::ActivatePolicy(log::ActivatePolicy { approval, .. })
        | Command::RotateLogKey(key::RotateLogKey { approval, .. })
        | Command::EnrollKey(voting_key::EnrollKey { approval, .. })
        | Command::RedactDetails(redaction::RedactDetails { approval, .. }) => {
            Some(Subject::Approval(*approval))
        }
        Command::RevokeToken(token::Revoke { token, under }) => {
            let approval = under.map(|(approval, _)| Subject::Approval(approval));
            let named = [Subject::Token(*token)].into_iter().chain(approval);
            return named.flat_map(|subject| state.absent(subject)).collect();
        }
        Command::EndSession(session::End { session, under }) => {
            let approval = under.map(|(approval, _)| Subject::Approval(approval));
            let named = [Subject::Session(*session)].into_iter().chain(approval);
            return named.flat_map(|subject| state.absent(subject)).collect();
        }
        Command::InvitePerson(person::Invite { under, .. })
        | Command::IssueToken(token::Issue { under, .. })
        | Command::DeactivatePerson(person::Deactivate { under, .. })
        | Command::RevokeKey(voting_key::RevokeKey { under, .. }) => {
            under.map(|(approval, _)| Subject::Approval(approval))
        }
        Command::StartPermit(id)
        | Command::ReleasePermit(id)
        | Command::KeepPermitAlive(id)
        | Command::ReconcilePermit(permit::Reconcile { permit: id, .. })
        | Command::FinishPermit(permit::Finish { permit: id, .. })
        | Command::StartRotation(rotation::Start { permit: id, .. }) => Some(Subject::Permit(*id)),
        Command::ReviewBreakGlass(review) => Some(Subject::BreakGlass(review.break_glass)),
        Command::NoteUse(note) => Some(Subject::Token(note.token)),
        Command::AbortRotation(id) => Some(Subject::Rotation(*id)),
        Command::AttemptTask(rotation::Attempt { rotation, .. })
        | Command::ReportTask(rotation::Report { rotation, .. }) => Some(Subject::Rotation(*rotation)),
        Command::Elapse(subject) => Some(subject.clone()),
        Command::Bootstrap(_)
        | Command::TakeCensus(_)
        | Command::NamePermitKey(_)
        | Command::ClaimCredential(_)
        | Command::ClaimBy(_)
        | Command::AddPasskey(_)
        | Command::RemovePasskey(_)
        | Command::SetPassword(_)
        | Command::RemovePassword(_)
        | Command::RenewRecoveryCodes(_)
        | Command::LinkIdentity(_)
        | Command::UnlinkIdentity(_)
        | Command::OpenSession(_)
        | Command::ExtendSession(_)
        | Command::StepUp(_)
        | Command::Delegate(_)
        | Command::EndDelegation
        | Command::ExchangeToken(_)
        | Command::ExchangeWorkload(_)
        | Command::NoteRefusals(_)
        | Command::ReportWitness(_)
        | Command::NoteFailedSignIns(_)
        | Command::BreakGlass(_)
        | Command::RequestApproval(_) => None,
    };
    named.into_iter().flat_map(|subject| state.absent(subject)).collect()
}
