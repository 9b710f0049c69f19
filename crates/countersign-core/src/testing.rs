//! What the core's tests share: four people, one policy, a clock that only moves when told, and a world that decides and applies.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::action::Action;
use crate::digest::Digest;
use crate::domain::{Command, Effect, Event, Fact, Refusal, apply, decide, due};
use crate::id::{ApprovalId, CorrelationId, PermitId, PersonId, RotationId};
use crate::log::Bootstrap;
use crate::policy::Policy;
use crate::secret::SecretKey;
use crate::state::State;
use crate::time::Time;
use crate::{Actor, Context, Via, approval, permit, person};

pub(crate) const ANA: PersonId = PersonId(1);
pub(crate) const BEN: PersonId = PersonId(2);
pub(crate) const CHLOE: PersonId = PersonId(3);
pub(crate) const AUD: PersonId = PersonId(4);
pub(crate) const DAN: PersonId = PersonId(5);

/// Ana and Dan may ask and execute; Ben, Chloe and Ana are approvers; Aud may only look.
pub(crate) const POLICY: &str = r#"{
  "name": "test",
  "groups": {
    "engineers": ["per_00000000000000000000000000000001", "per_00000000000000000000000000000005"],
    "approvers": ["per_00000000000000000000000000000001", "per_00000000000000000000000000000002", "per_00000000000000000000000000000003"],
    "auditors": ["per_00000000000000000000000000000004"]
  },
  "access": { "read": ["engineers", "approvers", "auditors"] },
  "rules": [
    { "name": "activate", "verb": "activate", "resource": "policy/main", "environment": "control",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "rotate", "verb": "rotate", "resource": "webhook-signing/stripe", "environment": "production",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "payout", "verb": "override", "resource": "payout/limit", "environment": "production",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "ping", "verb": "ping", "resource": "probe/any", "environment": "production",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "not-required",
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 }
  ],
  "secrets": [
    { "resource": "webhook-signing/stripe", "environment": "production", "scheme": "stripe",
      "consumers": ["nudgepay-a", "nudgepay-b"], "signer": "provider", "min_overlap_seconds": 5, "dwell_ms": 1000,
      "attempts": 3, "runbook": "https://runbooks.example/{secret}", "dashboard": "https://grafana.example/?from={from_ms}&to={to_ms}" }
  ]
}"#;

pub(crate) fn policy() -> Policy {
    serde_json::from_str(POLICY).unwrap()
}

pub(crate) fn action(verb: &str, resource: &str, environment: &str) -> Action {
    Action {
        verb: verb.parse().unwrap(),
        resource: resource.parse().unwrap(),
        environment: environment.parse().unwrap(),
    }
}

pub(crate) fn payout() -> Action {
    action("override", "payout/limit", "production")
}

pub(crate) fn rotate() -> Action {
    action("rotate", "webhook-signing/stripe", "production")
}

pub(crate) fn parameters() -> Digest {
    Digest::of(b"parameters")
}

pub(crate) fn secret() -> SecretKey {
    SecretKey {
        resource: "webhook-signing/stripe".parse().unwrap(),
        environment: "production".parse().unwrap(),
    }
}

/// A state, everything that led to it, and a clock.
#[derive(Clone)]
pub(crate) struct World {
    pub state: State,
    pub events: Vec<Event>,
    pub now: Time,
    fresh: u128,
}

impl World {
    /// Genesis is written and everybody has a credential.
    pub(crate) fn new() -> Self {
        Self::with(policy())
    }

    pub(crate) fn with(policy: Policy) -> Self {
        let mut world = Self::unclaimed(policy);
        for person in [ANA, BEN, CHLOE, AUD, DAN] {
            world.claim(person);
        }
        world
    }

    /// Genesis is written and everybody still has their claim.
    pub(crate) fn unclaimed(policy: Policy) -> Self {
        let now = Time::from_millis(1_795_428_000_000);
        let mut world = Self { state: State::default(), events: Vec::new(), now, fresh: 1000 };
        let people = [ANA, BEN, CHLOE, AUD, DAN];
        let bootstrap = Bootstrap {
            origin: "ledger.test".into(),
            log_key: "key".into(),
            people: people.map(|person| (person, Digest::of(format!("claim {person}").as_bytes()))).to_vec(),
            policy_sha256: Digest::of(b"policy"),
            policy,
            secrets: Vec::from([secret()]),
        };
        world.run(Actor::Node, &Command::Bootstrap(bootstrap)).unwrap();
        world
    }

    pub(crate) fn claim(&mut self, person: PersonId) {
        let claim = person::ClaimCredential {
            claim_sha256: Digest::of(format!("claim {person}").as_bytes()),
            credential_sha256: Digest::of(format!("credential {person}").as_bytes()),
        };
        self.run(Actor::Node, &Command::ClaimCredential(claim)).unwrap();
    }

    /// Decides and applies; the facts it caused.
    pub(crate) fn run(&mut self, actor: Actor, command: &Command) -> Result<Vec<Fact>, Refusal> {
        self.run_via((actor, None), command)
    }

    fn run_via(
        &mut self,
        (actor, session): (Actor, Option<Via>),
        command: &Command,
    ) -> Result<Vec<Fact>, Refusal> {
        self.fresh += 3;
        let fresh = [self.fresh, self.fresh + 1];
        let cx = Context { now: self.now, actor, session, correlation: CorrelationId(self.fresh + 2), fresh };
        let events = decide(&self.state, &cx, command)?;
        for event in &events {
            apply(&mut self.state, event);
        }
        self.events.extend(events.iter().cloned());
        Ok(events.into_iter().map(|event| event.fact).collect())
    }

    /// What the command comes to, in words: the kinds of its events, or the refusal's code.
    pub(crate) fn says(&mut self, actor: impl Into<Actor>, command: &Command) -> String {
        self.says_via((actor, None), command)
    }

    /// The same, by a session if by one.
    pub(crate) fn says_via(
        &mut self,
        (actor, session): (impl Into<Actor>, Option<Via>),
        command: &Command,
    ) -> String {
        match self.run_via((actor.into(), session), command) {
            Ok(facts) => facts.iter().map(Fact::kind).collect::<Vec<_>>().join(" "),
            Err(refusal) => refusal.code().to_string(),
        }
    }

    pub(crate) fn later(&mut self, millis: i64) {
        self.now = self.now.plus_millis(millis);
    }

    pub(crate) fn requested(&mut self, action: Action) -> ApprovalId {
        let request = approval::Request { action, parameters_sha256: parameters() };
        let facts = self.run(Actor::Person(ANA), &Command::RequestApproval(request)).unwrap();
        match facts.first() {
            Some(Fact::ApprovalRequested(id, _)) => *id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn approved(&mut self, action: Action) -> ApprovalId {
        let id = self.requested(action);
        for person in [BEN, CHLOE] {
            self.run(Actor::Person(person), &Command::Approve(id.into())).unwrap();
        }
        id
    }

    pub(crate) fn reserved(&mut self, action: Action) -> PermitId {
        let approval = self.approved(action.clone());
        let reserve = permit::Reserve {
            action,
            parameters_sha256: parameters(),
            approval: Some(approval),
            exceptions: Vec::new(),
        };
        let facts = self.run(Actor::Person(ANA), &Command::ReservePermit(reserve)).unwrap();
        match facts.last() {
            Some(Fact::PermitReserved(id, _)) => *id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn rotating(&mut self) -> RotationId {
        let permit = self.reserved(rotate());
        let start = crate::rotation::Start {
            permit,
            parameters_sha256: parameters(),
            parameters: crate::rotation::Parameters { overlap_seconds: 5 },
        };
        let facts = self.run(Actor::Person(ANA), &Command::StartRotation(start)).unwrap();
        match facts.last() {
            Some(Fact::RotationStarted(id, _)) => *id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn due(&self) -> Vec<Effect> {
        due(&self.state, self.now, 100)
    }

    /// Replaying everything that happened gives the live state.
    pub(crate) fn assert_replays(&self) {
        let mut replayed = State::default();
        for event in &self.events {
            apply(&mut replayed, event);
        }
        assert_eq!(replayed, self.state);
    }
}
