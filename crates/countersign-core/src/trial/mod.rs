//! A trial: what people would be told under a policy, without a log, a server, or anything that lasts.
//!
//! Genesis is played with the policy, and then step by step what people ask, vote and do, each at its time: everything is decided and
//! applied as in earnest. Published vectors and the cases of `countersign policy test` are played here. People and what they make
//! go by names; parameters are a text whose digest stands for that of the salted parameters.
//!
//! # Layout
//! - `proof`: that whoever votes proves who they are
//! - `step`: what can be played, and what is seen
//! - `vector`: a published vector: a policy, steps, and what must be seen

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::approval::{self, Ballot};
use crate::context::{Actor, Context, Via};
use crate::delegation::Delegate;
use crate::digest::Digest;
use crate::domain::{self, Command, Event, apply, decide};
use crate::freeze::Exception;
use crate::id::{ApprovalId, CorrelationId, PermitId, PersonId};
use crate::log::{ActivatePolicy, Bootstrap};
use crate::permit::{Finish, Reserve};
use crate::person::{ClaimCredential, Deactivate};
use crate::policy::{Missing, Policy};
use crate::state::{State, Subject};
use crate::time::Time;

mod proof;
mod step;
#[cfg(test)]
mod tests;
mod vector;

pub use step::{Observed, ObservedEvent, ObservedMissing, Step, Verb, parse_action};
pub use vector::{Given, Outcome, Rejected, Vector};

/// A little world under a policy.
#[derive(Clone, Debug)]
pub struct Trial {
    state: State,
    people: BTreeMap<String, PersonId>,
    policies: BTreeMap<String, Policy>,
    made: BTreeMap<String, Subject>,
    fresh: u128,
}

/// A step cannot be played: it names something that is not there, or leaves something out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplayable(pub String);

impl fmt::Display for Unplayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Unplayable {}

/// Who is there, and what else a trial knows from the start.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// People by name.
    pub people: BTreeMap<String, PersonId>,
    /// Those of them who have no credential yet.
    pub unclaimed: BTreeSet<String>,
    /// Policies that can be put in force, by name.
    pub policies: BTreeMap<String, Policy>,
}

impl Trial {
    /// Begins under the policy.
    ///
    /// # Errors
    /// The policy could not be put in force with these people.
    pub fn begin(policy: &Policy, stage: Stage, at: Time) -> Result<Self, domain::Refusal> {
        Self::begin_with_events(policy, stage, at).map(|(trial, _)| trial)
    }

    /// Begins under the policy, and gives what happened at the beginning.
    ///
    /// # Errors
    /// The policy could not be put in force with these people.
    pub fn begin_with_events(
        policy: &Policy,
        stage: Stage,
        at: Time,
    ) -> Result<(Self, Vec<Event>), domain::Refusal> {
        let Stage { people, unclaimed, policies } = stage;
        let mut trial =
            Self { state: State::default(), people, policies, made: BTreeMap::new(), fresh: 1 << 64 };
        let people = trial.people.values().map(|person| (*person, claim_of(*person))).collect();
        let genesis = Bootstrap {
            origin: "trial".into(),
            log_key: "trial".into(),
            people,
            policy: policy.clone(),
            policy_sha256: digest_of(policy),
            secrets: Vec::new(),
        };
        let mut events = trial.submit(at, Actor::Node, &Command::Bootstrap(genesis))?;
        let claiming: Vec<PersonId> =
            trial.people.iter().filter(|(name, _)| !unclaimed.contains(*name)).map(|(_, id)| *id).collect();
        for person in claiming {
            events.extend(trial.submit(at, Actor::Node, &claiming_of(person))?);
        }
        Ok((trial, events))
    }

    /// The state as it is now.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Decides a command and applies what it comes to.
    ///
    /// # Errors
    /// As [`decide`].
    pub fn submit(
        &mut self,
        now: Time,
        actor: Actor,
        command: &Command,
    ) -> Result<Vec<Event>, domain::Refusal> {
        self.submit_via(now, (actor, None), command)
    }

    /// The same, by a session if by one.
    ///
    /// # Errors
    /// As [`decide`].
    pub fn submit_via(
        &mut self,
        now: Time,
        (actor, session): (Actor, Option<Via>),
        command: &Command,
    ) -> Result<Vec<Event>, domain::Refusal> {
        self.fresh += 3;
        let fresh = [self.fresh, self.fresh + 1];
        let cx = Context { now, actor, session, correlation: CorrelationId(self.fresh + 2), fresh };
        let events = decide(&self.state, &cx, command)?;
        for event in &events {
            apply(&mut self.state, event);
        }
        Ok(events)
    }

    /// Plays a step, and says what is seen.
    ///
    /// # Errors
    /// The step names something that is not there, or leaves something out.
    pub fn play(&mut self, step: &Step) -> Result<Observed, Unplayable> {
        let actor = if step.who == "node" { Actor::Node } else { Actor::Person(self.person(&step.who)?) };
        let command = self.command(step)?;
        let proves = step.fresh != Some(false);
        let via = proves.then(|| self.proved(step.at, (actor, &command))).flatten();
        match self.submit_via(step.at, (actor, via), &command) {
            Ok(events) => {
                if let (Some(label), Some(principal)) = (&step.label, Command::principal(&events)) {
                    self.made.insert(label.clone(), principal.fact.subject());
                }
                Ok(Observed { events: events.iter().map(ObservedEvent::of).collect(), ..Observed::default() })
            }
            Err(refusal) => Ok(Observed {
                refused: Some(refusal.code().to_string()),
                missing: refusal.missing().iter().map(|missing| self.named(missing)).collect(),
                ..Observed::default()
            }),
        }
    }

    /// The states of everything that was named, at a time.
    #[must_use]
    pub fn statuses(&self, now: Time) -> BTreeMap<String, String> {
        let status = |subject: &Subject| match subject {
            Subject::Approval(id) => self.state.approval(*id).map(|it| it.status_at(now).as_str()),
            Subject::Permit(id) => self.state.permit(*id).map(|it| it.status_at(now).as_str()),
            _ => None,
        };
        let named =
            |(label, subject): (&String, &Subject)| Some((label.clone(), status(subject)?.to_string()));
        self.made.iter().filter_map(named).collect()
    }

    /// The name of a person, or the id of one who has none.
    #[must_use]
    pub fn name(&self, person: PersonId) -> String {
        let named = self.people.iter().find(|(_, id)| **id == person);
        named.map_or_else(|| person.to_string(), |(name, _)| name.clone())
    }

    fn named(&self, missing: &Missing) -> ObservedMissing {
        let mut could: Vec<String> = missing.could.iter().map(|person| self.name(*person)).collect();
        could.sort();
        ObservedMissing { group: missing.group.to_string(), needed: missing.needed, could }
    }

    fn person(&self, name: &str) -> Result<PersonId, Unplayable> {
        self.people.get(name).copied().ok_or_else(|| Unplayable(format!("nobody is called `{name}`")))
    }

    fn command(&self, step: &Step) -> Result<Command, Unplayable> {
        let approval = || self.approval(step.approval.as_deref());
        let permit = || self.permit(step.permit.as_deref());
        Ok(match step.command {
            Verb::Claim => Command::ClaimCredential(self.claim(step)?),
            Verb::Request => Command::RequestApproval(approval::Request {
                action: step.action()?,
                parameters_sha256: step.parameters_sha256(),
            }),
            Verb::Approve => Command::Approve(self.ballot(step)?),
            Verb::Revoke => Command::RevokeVote(approval()?),
            Verb::Delegate => Command::Delegate(self.delegate(step)?),
            Verb::Undelegate => Command::EndDelegation,
            Verb::Deny => Command::Deny(approval()?),
            Verb::Withdraw => Command::Withdraw(approval()?),
            Verb::Reserve => Command::ReservePermit(Reserve {
                action: step.action()?,
                parameters_sha256: step.parameters_sha256(),
                approval: step.approval.as_ref().map(|label| self.approval(Some(label))).transpose()?,
                exceptions: self.exceptions(step)?,
            }),
            Verb::Start => Command::StartPermit(permit()?),
            Verb::Release => Command::ReleasePermit(permit()?),
            Verb::Finish => Command::FinishPermit(Finish { permit: permit()?, outcome: step.outcome()? }),
            Verb::Elapse => Command::Elapse(match &step.permit {
                Some(_) => Subject::Permit(permit()?),
                None => Subject::Approval(approval()?),
            }),
            Verb::Activate => Command::ActivatePolicy(self.activation(step)?),
            Verb::Deactivate => Command::DeactivatePerson(self.deactivation(step)?),
        })
    }

    fn ballot(&self, step: &Step) -> Result<Ballot, Unplayable> {
        let on_behalf = step.person.as_deref().map(|name| self.person(name)).transpose()?;
        let commented = step.commented.unwrap_or_default();
        Ok(Ballot { commented, on_behalf, ..self.approval(step.approval.as_deref())?.into() })
    }

    fn delegate(&self, step: &Step) -> Result<Delegate, Unplayable> {
        let left_out = || Unplayable("name the `person` who stands in, and `until` when".into());
        let to = self.person(step.person.as_deref().ok_or_else(left_out)?)?;
        Ok(Delegate { to, from: None, until: step.until.ok_or_else(left_out)? })
    }

    fn exceptions(&self, step: &Step) -> Result<Vec<Exception>, Unplayable> {
        let parameters_sha256 = step.excepted_sha256();
        let exception =
            |label: &String| Ok(Exception { approval: self.approval(Some(label))?, parameters_sha256 });
        step.exceptions.iter().map(exception).collect()
    }

    fn claim(&self, step: &Step) -> Result<ClaimCredential, Unplayable> {
        let person =
            step.person.as_deref().ok_or_else(|| Unplayable("name the `person` who claims".into()))?;
        match claiming_of(self.person(person)?) {
            Command::ClaimCredential(claim) => Ok(claim),
            _ => Err(Unplayable("a claim is no claim".into())),
        }
    }

    fn deactivation(&self, step: &Step) -> Result<Deactivate, Unplayable> {
        let person =
            step.person.as_deref().ok_or_else(|| Unplayable("name the `person` who has to go".into()))?;
        let approval = step.approval.as_ref().map(|label| self.approval(Some(label))).transpose()?;
        let under = approval.map(|approval| (approval, step.parameters_sha256()));
        Ok(Deactivate { person: self.person(person)?, under })
    }

    fn activation(&self, step: &Step) -> Result<ActivatePolicy, Unplayable> {
        let name = step.policy.as_deref().unwrap_or_default();
        let known = self.policies.get(name);
        let policy = known.ok_or_else(|| Unplayable(format!("there is no policy `{name}`")))?.clone();
        Ok(ActivatePolicy {
            policy_sha256: digest_of(&policy),
            policy,
            approval: self.approval(step.approval.as_deref())?,
            parameters_sha256: step.parameters_sha256(),
        })
    }

    /// What was given this name; a name that nothing has is an approval that does not exist.
    fn approval(&self, label: Option<&str>) -> Result<ApprovalId, Unplayable> {
        let label = label.ok_or_else(|| Unplayable("name the `approval`".into()))?;
        match self.made.get(label) {
            Some(Subject::Approval(id)) => Ok(*id),
            Some(other) => Err(Unplayable(format!("`{label}` is no approval but `{other}`"))),
            None => Ok(ApprovalId(0)),
        }
    }

    fn permit(&self, label: Option<&str>) -> Result<PermitId, Unplayable> {
        let label = label.ok_or_else(|| Unplayable("name the `permit`".into()))?;
        match self.made.get(label) {
            Some(Subject::Permit(id)) => Ok(*id),
            Some(other) => Err(Unplayable(format!("`{label}` is no permit but `{other}`"))),
            None => Ok(PermitId(0)),
        }
    }
}

fn claim_of(person: PersonId) -> Digest {
    Digest::of(format!("claim {person}").as_bytes())
}

fn claiming_of(person: PersonId) -> Command {
    let credential_sha256 = Digest::of(format!("credential {person}").as_bytes());
    Command::ClaimCredential(ClaimCredential { claim_sha256: claim_of(person), credential_sha256 })
}

/// Stands for the SHA-256 of a policy's canonical bytes, which are not the core's to write.
fn digest_of(policy: &Policy) -> Digest {
    Digest::of(policy.name.as_str().as_bytes())
}
