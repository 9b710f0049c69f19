//! The log's own beginning, and the policy in force.
//!
//! Genesis is written once, into an empty log, and says so for ever (`bootstrap`). Every later policy passes through the quorum of
//! the policy it replaces. `census` counts entries per subject; `witness` says when a witness was lost and when it is back;
//! `sign_ins` tells of sign-ins that failed too often; `key` replaces the key that signs the log; `permit_key` names the one that signs permit documents.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::catalogue::listed;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::{ApprovalId, PersonId};
use crate::permit::AtOnce;
use crate::person::Enrolled;
use crate::policy::{Missing, Policy, Requirement, Rule};
use crate::secret::{Adopted, SecretKey};
use crate::state::{LogSubject, PolicySubject, State};
use crate::text::Name;
use crate::time::Time;

pub mod census;
pub mod key;
pub mod permit_key;
pub mod sign_ins;
pub mod witness;

/// Writes genesis.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The log's origin line, as checkpoints carry it.
    pub origin: String,
    /// The log's public key as a C2SP vkey.
    pub log_key: String,
    /// The first people and the SHA-256 of their one-time claims.
    pub people: Vec<(PersonId, Digest)>,
    /// The first policy.
    pub policy: Policy,
    /// SHA-256 of its canonical bytes.
    pub policy_sha256: Digest,
    /// Secrets whose present value the store was given, as version 1.
    pub secrets: Vec<SecretKey>,
}

/// Puts another policy in force.
#[derive(Clone, Debug)]
pub struct ActivatePolicy {
    /// The policy.
    pub policy: Policy,
    /// SHA-256 of its canonical bytes.
    pub policy_sha256: Digest,
    /// The approval of exactly this.
    pub approval: ApprovalId,
    /// Digest of the approved parameters, salted as the approval's are.
    pub parameters_sha256: Digest,
}

/// `log.created`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The log's origin line.
    pub origin: String,
    /// The log's public key as a vkey.
    pub log_key: String,
}

/// `policy.activated`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyActivated {
    /// SHA-256 of the policy's canonical bytes, which are kept as a blob.
    pub policy_sha256: Digest,
    /// The approval it rests on; none for the first policy.
    pub approval: Option<ApprovalId>,
    /// Whether this is the first policy, which nobody approved.
    pub bootstrap: bool,
    /// Who asked for it, where it has rules for which their author's agreement does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// The policy itself, resolved from the blob before the event is applied.
    #[serde(skip)]
    pub policy: Option<Policy>,
}

/// What is known of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The origin line.
    pub origin: String,
    /// The public key in force as a vkey.
    pub log_key: String,
    /// When genesis was written.
    pub created_at: Time,
    /// The last census, if one was taken.
    pub census: Option<census::LastCensus>,
    /// Witnesses that were lost and are not back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost_witnesses: BTreeMap<Name, witness::Missing>,
    /// What was told of sign-ins that failed, as far as it bounds what is told next.
    #[serde(default, skip_serializing_if = "sign_ins::Told::is_empty")]
    pub sign_ins: sign_ins::Told,
    /// Every key it ever had, the first one first.
    pub keys: Vec<key::Tenure>,
    /// The key that signs permit documents as a vkey, if the node has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit_key: Option<String>,
}

/// The policy in force and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInForce {
    /// The policy.
    pub policy: Policy,
    /// SHA-256 of its canonical bytes.
    pub sha256: Digest,
    /// The approval it rests on; none for the first policy.
    pub approval: Option<ApprovalId>,
    /// Whether nobody approved it.
    pub bootstrap: bool,
    /// Who asked for the policy that last changed each rule for which its author's agreement does not count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub authors: BTreeMap<Name, PersonId>,
    /// Since when.
    pub activated_at: Time,
}

impl PolicyInForce {
    /// Whose agreement does not count for what the requirement demands, because they are its rules' authors.
    #[must_use]
    pub fn authors_of(&self, requirement: &Requirement) -> BTreeSet<PersonId> {
        requirement.independent.iter().filter_map(|rule| self.authors.get(rule).copied()).collect()
    }
}

/// Whether it matters who asked for the policy.
fn has_author(policy: &Policy) -> bool {
    policy.rules.iter().any(|rule| rule.independent_of_author)
}

/// Who asked for each rule that is independent of its author, now that `policy` follows the one before: who asked for it before, as
/// long as not a word of it changes.
fn authors(
    before: Option<&PolicyInForce>,
    policy: &Policy,
    author: Option<PersonId>,
) -> BTreeMap<Name, PersonId> {
    let unchanged = |rule: &Rule| before.is_some_and(|before| before.policy.rules.contains(rule));
    let kept = |rule: &Rule| before.and_then(|before| before.authors.get(&rule.name).copied());
    let independent = policy.rules.iter().filter(|rule| rule.independent_of_author);
    independent
        .filter_map(|rule| Some((rule.name.clone(), if unchanged(rule) { kept(rule) } else { author }?)))
        .collect()
}

/// Why genesis or a policy is refused, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Genesis exists already.
    AlreadyInitialised,
    /// There is no genesis yet.
    NotInitialised,
    /// The policy contradicts itself; the first flaw.
    Flawed(String),
    /// A group names somebody who is not enrolled.
    UnknownMember(PersonId),
    /// The policy has no rule for its own replacement.
    NoActivationRule,
    /// The enrolled people could not meet the quorum for the policy's own replacement.
    ActivationUnsatisfiable(Vec<Missing>),
}

listed! { Refusal:
    AlreadyInitialised, NotInitialised, Flawed(String::new()), UnknownMember(PersonId(0)),
    NoActivationRule, ActivationUnsatisfiable(Vec::new()),
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyInitialised => "already_initialised",
            Self::NotInitialised => "not_initialised",
            Self::Flawed(_) => "policy_flawed",
            Self::UnknownMember(_) => "policy_unknown_member",
            Self::NoActivationRule => "policy_no_activation_rule",
            Self::ActivationUnsatisfiable(_) => "policy_activation_unsatisfiable",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::AlreadyInitialised => "use another data folder for another log",
            Self::NotInitialised => "run `countersign init` first",
            Self::Flawed(_) => "correct the policy file",
            Self::UnknownMember(_) => "name enrolled people by their ids, as `GET /admin/people` lists them",
            Self::NoActivationRule => "add a rule that matches `activate policy/main control`",
            Self::ActivationUnsatisfiable(_) => "lower the quorum of that rule or enlarge its groups",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyInitialised => f.write_str("the log has its genesis already"),
            Self::NotInitialised => f.write_str("the log has no genesis yet"),
            Self::Flawed(flaw) => write!(f, "the policy is flawed: {flaw}"),
            Self::UnknownMember(person) => write!(f, "the policy names `{person}`, who is not enrolled"),
            Self::NoActivationRule => f.write_str("the policy has no rule for its own replacement, so nobody could ever change it"),
            Self::ActivationUnsatisfiable(_) => {
                f.write_str("the enrolled people could not meet the quorum for replacing this policy, so nobody could ever change it")
            }
        }
    }
}

/// The action under which a policy is replaced: `activate policy/main control`.
#[must_use]
pub fn activation() -> Option<Action> {
    Action::of(["activate", "policy/main", "control"])
}

pub(crate) fn bootstrap(state: &State, cx: &Context, command: &Bootstrap) -> Result<Vec<Event>, Refusal> {
    if state.log().is_some() {
        return Err(Refusal::AlreadyInitialised);
    }
    let people = command.people.iter().map(|(person, _)| *person).collect();
    check(&command.policy, (&people, &people))?;
    let event = |environment: Option<&Name>, fact| Event::new(cx, cx.correlation, environment, fact);
    let created = Created { origin: command.origin.clone(), log_key: command.log_key.clone() };
    let mut events = Vec::from([event(None, Fact::LogCreated(LogSubject, created))]);
    events.extend(command.people.iter().map(|(person, claim)| {
        let (approval, claim_until) = (None, None);
        let enrolled = Enrolled { claim_sha256: *claim, bootstrap: true, approval, claim_until };
        event(None, Fact::PersonEnrolled(*person, enrolled))
    }));
    let activated = PolicyActivated {
        policy_sha256: command.policy_sha256,
        approval: None,
        bootstrap: true,
        author: None,
        policy: Some(command.policy.clone()),
    };
    events.push(event(None, Fact::PolicyActivated(PolicySubject, activated)));
    events.extend(
        command.secrets.iter().map(|key| {
            event(Some(&key.environment), Fact::SecretAdopted(key.clone(), Adopted { version: 1 }))
        }),
    );
    Ok(events)
}

pub(crate) fn activate(
    state: &State,
    cx: &Context,
    command: &ActivatePolicy,
) -> Result<Vec<Event>, domain::Refusal> {
    let action = activation().ok_or(Refusal::NoActivationRule)?;
    let used = AtOnce::check(state, cx, action, (command.approval, command.parameters_sha256))?;
    let requester = state.approval(command.approval).map(|approval| approval.requester);
    let enrolled = state.people().map(|(person, _)| *person).collect();
    let there = state.people().filter(|(_, person)| person.deactivated_at.is_none());
    check(&command.policy, (&enrolled, &there.map(|(person, _)| *person).collect()))?;
    let activated = PolicyActivated {
        policy_sha256: command.policy_sha256,
        approval: Some(command.approval),
        bootstrap: false,
        author: requester.filter(|_| has_author(&command.policy)),
        policy: Some(command.policy.clone()),
    };
    Ok(used.events(cx, Fact::PolicyActivated(PolicySubject, activated)))
}

/// A policy must be sound by itself, name only people who are or were enrolled, and be replaceable by those who are still there.
fn check(
    policy: &Policy,
    (enrolled, there): (&BTreeSet<PersonId>, &BTreeSet<PersonId>),
) -> Result<(), Refusal> {
    if let Some(flaw) = policy.flaws().first() {
        return Err(Refusal::Flawed(alloc::format!("{flaw}")));
    }
    if let Some(stranger) = policy.named().find(|person| !enrolled.contains(person)) {
        return Err(Refusal::UnknownMember(stranger));
    }
    let requirement =
        activation().and_then(|action| policy.requirement(&action)).ok_or(Refusal::NoActivationRule)?;
    if is_replaceable(policy, there) {
        return Ok(());
    }
    Err(Refusal::ActivationUnsatisfiable(requirement.unfilled(policy, there)))
}

/// Whether these people could replace the policy: one asks, others agree, somebody executes.
pub(crate) fn is_replaceable(policy: &Policy, people: &BTreeSet<PersonId>) -> bool {
    let Some(requirement) = activation().and_then(|action| policy.requirement(&action)) else { return false };
    let could_ask = |requester: &PersonId| {
        let others: BTreeSet<PersonId> =
            people.iter().copied().filter(|person| !policy.are_one(*person, *requester)).collect();
        requirement.may_request(policy, *requester) && requirement.unfilled(policy, &others).is_empty()
    };
    people.iter().any(could_ask) && people.iter().any(|person| requirement.may_execute(policy, *person))
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::LogCreated(_, Created { origin, log_key }) => {
            let (keys, lost_witnesses) = (key::first(state, event, log_key), BTreeMap::new());
            let (origin, log_key) = (origin.clone(), log_key.clone());
            state.set_log(Log {
                origin,
                log_key,
                created_at: event.at,
                census: None,
                lost_witnesses,
                sign_ins: sign_ins::Told::default(),
                keys,
                permit_key: None,
            });
        }
        Fact::LogKeyRotated(..) => key::apply(state, event),
        Fact::LogPermitKeyNamed(..) => permit_key::apply(state, event),
        Fact::LogCensusTaken(_, taken) => census::apply(state, *taken),
        // An unresolved policy leaves the one before in force; the engine resolves blobs before it applies.
        Fact::PolicyActivated(
            _,
            PolicyActivated { policy_sha256, approval, bootstrap, author, policy: Some(policy) },
        ) => {
            let authors = authors(state.policy(), policy, *author);
            state.set_policy(PolicyInForce {
                policy: policy.clone(),
                sha256: *policy_sha256,
                approval: *approval,
                bootstrap: *bootstrap,
                authors,
                activated_at: event.at,
            });
        }
        Fact::LogWitnessLost(..) | Fact::LogWitnessRegained(..) => witness::apply(state, event),
        Fact::LogSignInsFailed(..) => sign_ins::apply(state, event),
        _ => {}
    }
}
