//! The auditor of meaning: follows what a log says, event by event, and names the first that must never be on record.
//!
//! Written from the design (section 4, "Authority") and the concept pages, with its own books and its own tables. It never looks at
//! [`crate::State`], asks [`crate::decide`] nothing and does not share the core's merging of rules or its seating of quorums, so that a
//! rule which is missing or wrong there is not missing or wrong here too. Whether bytes, order and signatures are genuine is the
//! ledger's business.
//!
//! # What it needs
//! Events in log order. All of them, or those of some subjects *with everything these rest on*: all about the log, the policy and the
//! people; of every approval, permit, secret and rotation that is named, all entries from the first; and every decision whole.
//! It never takes on trust what is absent: an event about something unknown is a breach.
//!
//! # What it does not see
//! Details (so not whether parameters in clear are those whose digest was approved), whether an outcome that was reported is true, and
//! the clock: times are the server's claim.
//!
//! # Layout
//! - `violation`: everything that can be wrong
//! - `owed`: which event must follow which at once; `deed`: what is done in the decision that uses its approval
//! - `roster` `demand` `quorum` `offer`: what the policy's text demands for an action, and what it offers for breaking the glass
//! - `freeze`: what must not begin while it holds; `register`: what was used once
//! - `genesis` `log` `sign_ins` `key` `person` `passkey` `means` `session` `token` `voting_key` `approval` `permit` `break_glass` `secret` `rotation` (with `stage`): one capability each

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::action::Action;
use crate::context::Actor;
use crate::delegation::Delegated;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, CorrelationId, PermitId, PersonId, RotationId};
use crate::policy::Policy;
use crate::secret::SecretKey;
use crate::state::Subject;
use crate::text::Name;
use crate::time::Time;

mod approval;
mod break_glass;
mod deed;
mod demand;
mod freeze;
mod genesis;
mod key;
mod log;
mod means;
mod offer;
mod owed;
mod passkey;
mod permit;
mod person;
mod quorum;
mod register;
mod roster;
mod rotation;
mod secret;
mod session;
mod sign_ins;
mod stage;
mod token;
mod violation;
mod voting_key;

use demand::Demand;
use owed::Owed;
pub use violation::{Breach, Violation};

/// Something, or what is wrong with it.
type Verdict<T = ()> = Result<T, Breach>;

fn must(holds: bool, otherwise: Breach) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Follows a log and keeps its own books. What is finished is forgotten, so they do not grow with the log but with its redactions.
#[derive(Clone, Debug, Default)]
pub struct Auditor {
    /// When, by whom and in which correlation the last event happened.
    last: Option<Moment>,
    /// What must come at once, the next at the end.
    owed: Vec<Owed>,
    keys: key::Keys,
    /// The key that signs permit documents.
    permit_key: Option<String>,
    /// Whether genesis may still adopt secrets.
    adopting: bool,
    /// Witnesses that were lost and are not back, and the correlation of their loss.
    lost_witnesses: BTreeMap<Name, CorrelationId>,
    /// What was told of sign-ins that failed.
    sign_ins: sign_ins::Told,
    policy: Option<InForce>,
    /// How many entries the last census counted.
    counted: u64,
    /// Entries whose details were deleted.
    redacted: BTreeSet<u64>,
    /// Everybody who was enrolled.
    people: BTreeMap<PersonId, person::Standing>,
    /// Every voting key there ever was, by its digest: none comes back.
    voting_keys: BTreeMap<Digest, voting_key::Key>,
    /// Who may agree in whose place, and when, by who is away.
    delegations: BTreeMap<PersonId, Delegated>,
    /// Every passkey for signing in there ever was.
    passkeys: passkey::Passkeys,
    means: means::Means,
    sessions: session::Sessions,
    tokens: token::Tokens,
    approvals: BTreeMap<ApprovalId, approval::Approval>,
    permits: BTreeMap<PermitId, permit::Permit>,
    glasses: break_glass::Glasses,
    secrets: BTreeMap<SecretKey, secret::Secret>,
    rotations: BTreeMap<RotationId, rotation::Rotation>,
    found: Option<Violation>,
}

/// What the events of one decision have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    at: Time,
    actor: Actor,
    correlation: CorrelationId,
}

impl Moment {
    fn of(event: &Event) -> Self {
        Self { at: event.at, actor: event.actor, correlation: event.correlation }
    }
}

#[derive(Clone, Debug)]
struct InForce {
    policy: Policy,
    sha256: Digest,
    /// Who asked for each rule that is independent of its author, as far as anybody did.
    authors: BTreeMap<Name, PersonId>,
}

impl Auditor {
    /// Follows the next event, with its policy resolved. After a violation nothing is followed any more: it is named again.
    ///
    /// # Errors
    /// The event must not be on record after those before it, or another had to come here.
    pub fn follow(&mut self, event: &Event) -> Result<(), Violation> {
        if let Some(found) = &self.found {
            return Err(found.clone());
        }
        self.next(event).inspect_err(|violation| self.found = Some(violation.clone()))
    }

    /// Follows the next event as the entry that counts as number `subject_seq` of its subject.
    ///
    /// What is finished is forgotten, so this number alone shows that something is begun again. Whether numbers have gaps is not checked here.
    ///
    /// # Errors
    /// As [`Auditor::follow`]; and where an entry does not begin its subject but is its first, or begins it but is not.
    pub fn follow_numbered(&mut self, event: &Event, subject_seq: u32) -> Result<(), Violation> {
        if self.found.is_none() && begins(&event.fact) != (subject_seq == 1) {
            self.found = Some(Violation::of(event, Breach::MisplacedBeginning));
        }
        self.follow(event)
    }

    /// The log ends here, as far as it was followed.
    ///
    /// # Errors
    /// Something was wrong, an event that had to come at once did not, or there was nothing at all.
    pub fn finish(&self) -> Result<(), Violation> {
        let nothing = Violation { subject: Subject::Log, kind: "log.created", breach: Breach::NoGenesis };
        match (&self.found, self.owed.last(), self.last) {
            (Some(found), ..) => Err(found.clone()),
            (None, Some(owed), _) => Err(owed.missing()),
            (None, None, None) => Err(nothing),
            (None, None, Some(_)) => Ok(()),
        }
    }

    /// How many approvals, permits and rotations are in the books: those under way, and permits of whose end nobody knows.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.approvals.len() + self.permits.len() + self.rotations.len()
    }

    fn next(&mut self, event: &Event) -> Result<(), Violation> {
        let of = |breach| Violation::of(event, breach);
        let moment = Moment::of(event);
        must(self.last.is_none_or(|last| event.at >= last.at), Breach::TimeBackwards).map_err(of)?;
        let owed = self.owed.pop();
        let comes = |owed: &Owed| {
            let decided = |last: Moment| match owed {
                // An exception belongs to the correlation of its own request.
                Owed::Excepted(_) | Owed::ExceptionRestored { .. } => {
                    (last.at, last.actor) == (moment.at, moment.actor)
                }
                _ => last == moment,
            };
            self.last.is_some_and(decided) && owed.is_met_by(event)
        };
        if let Some(owed) = owed.as_ref().filter(|owed| !comes(owed)) {
            return Err(owed.missing());
        }
        let begun = self.last.is_some() || matches!(event.fact, Fact::LogCreated(..));
        must(begun, Breach::NoGenesis).map_err(of)?;
        self.is_by_somebody(event).map_err(of)?;
        self.adopting &= matches!(event.fact, Fact::SecretAdopted(..)) && self.last == Some(moment);
        self.judge(event, owed.as_ref()).map_err(of)?;
        self.last = Some(moment);
        Ok(())
    }

    fn judge(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        match &event.fact {
            Fact::LogCreated(..) | Fact::PolicyActivated(..) => self.genesis(event, owed),
            Fact::LogKeyRotated(..) => self.key_rotated(event, owed.is_some()),
            Fact::LogCensusTaken(..)
            | Fact::LogPermitKeyNamed(..)
            | Fact::LogDetailsRedacted(..)
            | Fact::LogWitnessLost(..)
            | Fact::LogWitnessRegained(..) => self.log(event, owed),
            Fact::LogSignInsFailed(_, failed) => self.sign_ins_failed(event, failed),
            Fact::PersonEnrolled(..)
            | Fact::PersonClaimRenewed(..)
            | Fact::PersonClaimed(..)
            | Fact::PersonDeactivated(..)
            | Fact::PersonRefused(..)
            | Fact::PersonDelegated(..)
            | Fact::PersonDelegationEnded(..) => self.person(event, owed),
            Fact::PersonPasskeyAdded(..) | Fact::PersonPasskeyRemoved(..) => self.passkey(event),
            Fact::PersonPasswordSet(..)
            | Fact::PersonPasswordRemoved(..)
            | Fact::PersonRecoveryCodesRenewed(..)
            | Fact::PersonIdentityLinked(..)
            | Fact::PersonIdentityUnlinked(..) => self.means(event),
            Fact::SessionOpened(..)
            | Fact::SessionExtended(..)
            | Fact::SessionSteppedUp(..)
            | Fact::SessionEnded(..) => self.session(event, owed),
            Fact::TokenIssued(..) | Fact::TokenUsed(..) | Fact::TokenRevoked(..) | Fact::TokenExpired(..) => {
                self.token(event, owed)
            }
            Fact::PersonKeyEnrolled(..) | Fact::PersonKeyRevoked(..) => self.voting_key(event, owed),
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
            | Fact::ApprovalRestored(..) => self.approval(event, owed),
            Fact::PermitReserved(..)
            | Fact::PermitStarted(..)
            | Fact::PermitReleased(..)
            | Fact::PermitLapsed(..)
            | Fact::PermitSucceeded(..)
            | Fact::PermitFailed(..)
            | Fact::PermitUnknown(..)
            | Fact::PermitReportedLate(..)
            | Fact::PermitHeartbeat(..)
            | Fact::PermitReconciled(..) => self.permit(event, owed),
            Fact::BreakGlassOpened(..)
            | Fact::BreakGlassReviewed(..)
            | Fact::BreakGlassSettled(..)
            | Fact::BreakGlassOverdue(..) => self.break_glass(event, owed),
            Fact::SecretAdopted(..)
            | Fact::SecretReserved(..)
            | Fact::SecretPromoted(..)
            | Fact::SecretSettled(..) => self.secret(event, owed),
            Fact::RotationStarted(..)
            | Fact::RotationTaskAttempted(..)
            | Fact::RotationTaskSucceeded(..)
            | Fact::RotationTaskFailed(..)
            | Fact::RotationAdvanced(..)
            | Fact::RotationTurnedBack(..) => self.rotation(event, owed),
            Fact::IncidentOpened(..) => incident(event, owed),
        }
    }

    /// Who has not claimed cannot act. A token acts while it is worth something.
    fn is_by_somebody(&self, event: &Event) -> Verdict {
        let claims = matches!(event.fact, Fact::PersonClaimed(..));
        let active = event.actor.person().is_none_or(|person| self.is_active(person));
        must(claims || active, Breach::Unclaimed)?;
        let live = event.actor.token().is_none_or(|token| self.is_live(event, token));
        must(live, Breach::TokenNotLive)
    }

    fn in_force(&self) -> Verdict<&InForce> {
        self.policy.as_ref().ok_or(Breach::NoGenesis)
    }

    /// What the policy in force demands for the action.
    fn demand(&self, action: &Action) -> Verdict<Demand<'_>> {
        Demand::new(&self.in_force()?.policy, action)
    }

    /// Whether the person can act: only who has claimed can, until they are deactivated.
    fn is_active(&self, person: PersonId) -> bool {
        matches!(self.people.get(&person), Some(person::Standing::Active(_)))
    }
}

/// Incidents only ever come with what caused them.
fn incident(event: &Event, owed: Option<&Owed>) -> Verdict {
    let Some(Owed::Incident { environment, .. }) = owed else { return Err(Breach::Unprompted) };
    match environment {
        Some(environment) => is_of(event, environment),
        None => is_of_none(event),
    }
}

/// Whether the event begins what it is about.
fn begins(fact: &Fact) -> bool {
    match fact {
        Fact::PolicyActivated(_, activated) => activated.bootstrap,
        Fact::LogCreated(..)
        | Fact::PersonEnrolled(..)
        | Fact::SessionOpened(..)
        | Fact::TokenIssued(..)
        | Fact::ApprovalRequested(..)
        | Fact::PermitReserved(..)
        | Fact::BreakGlassOpened(..)
        | Fact::SecretAdopted(..)
        | Fact::RotationStarted(..)
        | Fact::IncidentOpened(..) => true,
        _ => false,
    }
}

fn by_node(event: &Event) -> Verdict {
    must(event.actor == Actor::Node, Breach::NotTheNode)
}

fn by_person(event: &Event) -> Verdict<PersonId> {
    event.actor.person().ok_or(Breach::NotAPerson)
}

/// The envelope names no environment.
fn is_of_none(event: &Event) -> Verdict {
    must(event.environment.is_none(), Breach::WrongEnvironment)
}

/// The envelope names this environment.
fn is_of(event: &Event, environment: &Name) -> Verdict {
    must(event.environment.as_ref() == Some(environment), Breach::WrongEnvironment)
}

/// The envelope names this correlation.
fn is_part_of(event: &Event, correlation: CorrelationId) -> Verdict {
    must(event.correlation == correlation, Breach::WrongCorrelation)
}
