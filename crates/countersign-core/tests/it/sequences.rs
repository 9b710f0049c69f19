//! No sequence of commands yields a permit without the quorum: millions of random steps by seed, in worlds with random policies.
//!
//! Two judges that know nothing of `decide` look at every event: the auditor, and a model that counts people by Hall's theorem and
//! compares rules by their text. Worlds are small and many, so that rare turns come often. `COUNTERSIGN_STEPS` says how many steps,
//! `COUNTERSIGN_SEED` where to begin; a failure prints the seed of its world.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId, PersonId, SessionId};
use countersign_core::log::ActivatePolicy;
use countersign_core::once::Spent;
use countersign_core::passkey::{AddPasskey, NewPasskey};
use countersign_core::permit::{Finish, Outcome, Reserve};
use countersign_core::person::Person;
use countersign_core::policy::Policy;
use countersign_core::session::{Method, Open, StepUp};
use countersign_core::time::Time;
use countersign_core::trial::{Stage, Trial};
use countersign_core::{Actor, Auditor, Command, Effect, Event, Subject, Via, Violation, approval, due};
use serde_json::{Value, json};

use crate::model::Model;

/// Steps in the suite; a long run asks for millions.
const STEPS: u64 = 100_000;

/// Steps in one world.
const WORLD: u64 = 400;

const PEOPLE: u128 = 8;

const ACTIONS: [&str; 4] = [
    "override payout/limit production",
    "override payout/big production",
    "ping probe/any production",
    "activate policy/main control",
];

/// `SplitMix64` (Steele, Lea, Flood 2014): enough for choosing, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.roll() % 100 < percent
    }

    /// Mostly somebody recent: what is long over only says so.
    fn recent<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let from = if self.chance(80) { of.len().saturating_sub(3) } else { 0 };
        (!of.is_empty()).then(|| of[from + self.below(of.len() - from)])
    }
}

fn person(number: usize) -> PersonId {
    PersonId(u128::try_from(number).unwrap() + 1)
}

fn action(text: &str) -> Action {
    let words: Vec<&str> = text.split(' ').collect();
    Action {
        verb: words[0].parse().unwrap(),
        resource: words[1].parse().unwrap(),
        environment: words[2].parse().unwrap(),
    }
}

/// A policy in which everything that matters is drawn; it may be one that cannot be put in force.
fn policy(dice: &mut Dice) -> Policy {
    let mut members = |least: usize| -> Vec<PersonId> {
        let mut people: Vec<PersonId> = (0..8).filter(|_| dice.chance(45)).map(person).collect();
        (0..least).for_each(|number| people.push(person(number)));
        people
    };
    let groups = json!({ "engineers": members(2), "approvers": members(4), "risk": members(1) });
    let mut rules = vec![rule(dice, "activate", ("activate", "policy/main", "control"))];
    rules[0]["approval"] = "required".into();
    rules[0]["quorum"] = json!({ "approvers": 1 + dice.below(2) });
    rules[0]["requesters"] = json!(["engineers"]);
    rules[0]["executors"] = json!(["engineers"]);
    for number in 0..1 + dice.below(4) {
        let resource = dice.one(&["payout/limit", "payout/big", "payout/*", "*"]);
        let environment = dice.one(&["production", "production", "*"]);
        let name = format!("rule-{number}");
        rules.push(rule(dice, &name, ("override", resource, environment)));
    }
    if dice.chance(70) {
        rules.push(rule(dice, "ping", ("ping", "probe/any", "production")));
    }
    let read = json!({ "read": ["engineers"] });
    serde_json::from_value(json!({ "name": "drawn", "groups": groups, "access": read, "rules": rules }))
        .unwrap()
}

fn rule(dice: &mut Dice, name: &str, (verb, resource, environment): (&str, &str, &str)) -> Value {
    let mut groups = || dice.one(&[&["engineers"][..], &["engineers", "approvers"], &["approvers"]]);
    let (requesters, executors) = (groups(), groups());
    let quorum = match dice.below(6) {
        0 | 1 => json!({ "approvers": 2 }),
        2 => json!({ "approvers": 1 }),
        3 => json!({ "approvers": 1, "risk": 1 }),
        4 => json!({ "approvers": 2, "risk": 1, "engineers": 1 }),
        _ => Value::Null,
    };
    let mut rule = json!({
        "name": name, "verb": verb, "resource": resource, "environment": environment, "patterns": true,
        "requesters": requesters, "executors": executors, "approval": "required",
        "pending_seconds": 1 + dice.below(200), "approved_seconds": 1 + dice.below(200),
        "start_seconds": 1 + dice.below(40), "work_seconds": 1 + dice.below(40),
    });
    match quorum {
        Value::Null => rule["approval"] = "not-required".into(),
        quorum => {
            rule["quorum"] = quorum;
            if dice.chance(25) {
                rule["fresh_seconds"] = (1 + dice.below(10)).into();
            }
        }
    }
    rule
}

/// A world under way, and those who judge it.
struct World {
    dice: Dice,
    trial: Trial,
    now: Time,
    auditor: Auditor,
    model: Model,
    approvals: Vec<ApprovalId>,
    permits: Vec<PermitId>,
    /// By which session each person acts, if they do.
    sessions: BTreeMap<PersonId, SessionId>,
    /// How many secrets and challenges were drawn.
    drawn_secrets: u64,
    /// Policies that were asked for, by the digest of their text, which is what is agreed to.
    drawn: BTreeMap<ApprovalId, Policy>,
    reserved: u64,
}

impl World {
    /// A world by its number; none if the policy that was drawn for it cannot be put in force.
    fn new(seed: u64) -> Option<Self> {
        let mut dice = Dice(seed);
        let policy = policy(&mut dice);
        let people: BTreeMap<String, PersonId> =
            (1..=PEOPLE).map(|id| (id.to_string(), PersonId(id))).collect();
        let unclaimed = ["8".to_owned()].into();
        let now = Time::from_millis(1_795_428_000_000);
        let stage = Stage { people, unclaimed, ..Stage::default() };
        let (trial, events) = Trial::begin_with_events(&policy, stage, now).ok()?;
        let mut world = Self {
            dice,
            trial,
            now,
            auditor: Auditor::default(),
            model: Model::default(),
            approvals: Vec::new(),
            permits: Vec::new(),
            sessions: BTreeMap::new(),
            drawn_secrets: 0,
            drawn: BTreeMap::new(),
            reserved: 0,
        };
        world.judge(&events);
        Some(world)
    }

    fn judge(&mut self, events: &[Event]) {
        let looks_away = crate::sabotage::auditor_looks_away();
        for event in events {
            if !looks_away {
                content(self.auditor.follow(event));
            }
            self.model.see(event);
        }
        if !looks_away {
            content(self.auditor.finish());
        }
    }

    fn step(&mut self) {
        self.wait();
        let actor = match self.dice.below(60) {
            0 => Actor::Node,
            // Those who are always engineers, and those who are always approvers, get furthest.
            number @ 1..=20 => Actor::Person(person(number % 2)),
            number @ 21..=40 => Actor::Person(person(number % 4)),
            number => Actor::Person(person(number % 8)),
        };
        let Some((actor, command)) = self.command(actor) else { return };
        // Whoever has no credential cannot act at all, so the server never lets them get here; their vote is refused all the same.
        let votes = matches!(command, Command::Approve(_) | Command::Deny(_));
        if !votes && !self.has_credential(actor) {
            return;
        }
        let via = if votes { self.via(actor) } else { None };
        let Ok(events) = self.trial.submit_via(self.now, (actor, via), &command) else { return };
        self.judge(&events);
        for event in &events {
            match (event.fact.subject(), event.fact.kind()) {
                (Subject::Approval(id), "approval.requested") => self.approvals.push(id),
                (Subject::Permit(id), "permit.reserved") => {
                    self.permits.push(id);
                    self.reserved += 1;
                }
                _ => {}
            }
        }
    }

    /// By which session somebody votes, mostly having proved who they are, and mostly for that request.
    fn via(&mut self, actor: Actor) -> Option<Via> {
        let person = actor.person().filter(|_| self.dice.chance(80) && self.has_credential(actor))?;
        let key = NewPasskey {
            key: "a passkey".into(),
            key_sha256: Digest::of(format!("passkey of {person}").as_bytes()),
            public_key_sha256: Digest::of(format!("public key of {person}").as_bytes()),
            synced: false,
        };
        let key_sha256 = key.key_sha256;
        let held = self.sessions.get(&person).copied();
        let held = held.filter(|id| self.trial.state().live_session(*id, self.now).is_ok());
        let session = match held {
            Some(session) => session,
            None => self.signed_in(person, key)?,
        };
        let mut asked = || Digest::of(self.dice.one(&["this", "this", "this", "that"]).as_bytes());
        let (proved, via) = (asked(), Via { session, request_sha256: asked() });
        if self.dice.chance(80) {
            let spent = Spent { sha256: self.secret(), until: self.now.plus_seconds(60) };
            let method = Method::Passkey { key_sha256 };
            let step_up = StepUp { method, request_sha256: proved, spent: Some(spent) };
            self.happens(person, (Some(via), &Command::StepUp(step_up)))?;
        }
        Some(via)
    }

    fn signed_in(&mut self, person: PersonId, passkey: NewPasskey) -> Option<SessionId> {
        let session_sha256 = self.secret();
        let method = Method::Credential {};
        let open = Open { person, method, session_sha256, replaces: None, spent: None };
        let events = self.happens(person, (None, &Command::OpenSession(open)))?;
        let Some(Subject::Session(session)) = events.first().map(|event| event.fact.subject()) else {
            return None;
        };
        self.sessions.insert(person, session);
        if self.trial.state().person(person).is_some_and(|it| it.passkeys.is_empty()) {
            let via = Some(Via { session, request_sha256: session_sha256 });
            self.happens(person, (via, &Command::AddPasskey(AddPasskey { passkey })));
        }
        Some(session)
    }

    fn secret(&mut self) -> Digest {
        self.drawn_secrets += 1;
        Digest::of(format!("secret {}", self.drawn_secrets).as_bytes())
    }

    /// What it comes to, judged; nothing if it is refused.
    fn happens(&mut self, person: PersonId, (via, command): (Option<Via>, &Command)) -> Option<Vec<Event>> {
        let events = self.trial.submit_via(self.now, (Actor::Person(person), via), command).ok()?;
        self.judge(&events);
        Some(events)
    }

    fn has_credential(&self, actor: Actor) -> bool {
        actor.person().is_none_or(|id| self.trial.state().person(id).is_some_and(Person::is_active))
    }

    fn wait(&mut self) {
        match self.dice.below(40) {
            0..=20 => {}
            21..=34 => self.now = self.now.plus_millis(1 + i64::try_from(self.dice.below(3_000)).unwrap()),
            35..=37 => self.now = self.trial.state().next_due().map_or(self.now, |due| due.max(self.now)),
            // Just before a deadline.
            38 => {
                let due = self.trial.state().next_due().map_or(self.now, |due| due.plus_millis(-1));
                self.now = due.max(self.now);
            }
            _ => self.now = self.now.plus_millis(30_000),
        }
    }

    fn command(&mut self, actor: Actor) -> Option<(Actor, Command)> {
        let approval = self.dice.recent(&self.approvals);
        let permit = self.dice.recent(&self.permits);
        let command = match self.dice.below(100) {
            0..=8 => return self.request(actor),
            9..=44 => Command::Approve(approval?.into()),
            45 => self.deny(approval?),
            46 => Command::Withdraw(approval?),
            47..=74 => self.reserve(approval),
            75..=79 => Command::StartPermit(permit?),
            80..=84 => Command::ReleasePermit(permit?),
            85..=88 => {
                let outcome = if self.dice.chance(50) { Outcome::Succeeded } else { Outcome::Failed };
                Command::FinishPermit(Finish { permit: permit?, outcome })
            }
            89..=93 => self.activate(approval?)?,
            94 => return Some((Actor::Node, crate::stage::claiming(PersonId(PEOPLE)))),
            _ => match due(self.trial.state(), self.now, 1).into_iter().next()? {
                Effect::Elapse(subject) => return Some((Actor::Node, Command::Elapse(subject))),
                Effect::Task(_) => return None,
            },
        };
        // Whoever holds the permit gets further with it than anybody else.
        let holder =
            permit.and_then(|id| self.trial.state().permit(id)).map(|permit| Actor::Person(permit.executor));
        let own =
            matches!(command, Command::StartPermit(_) | Command::ReleasePermit(_) | Command::FinishPermit(_));
        Some((if own && self.dice.chance(70) { holder.unwrap_or(actor) } else { actor }, command))
    }

    #[expect(clippy::unused_self, reason = "what a denial takes is drawn here too, once it takes something")]
    fn deny(&mut self, approval: ApprovalId) -> Command {
        Command::Deny(approval)
    }

    fn request(&mut self, actor: Actor) -> Option<(Actor, Command)> {
        let action = action(self.dice.one(&ACTIONS));
        let next = policy(&mut self.dice);
        let parameters_sha256 =
            if action.verb.as_str() == "activate" { text_digest(&next) } else { self.parameters() };
        let request = approval::Request { action, parameters_sha256 };
        let before = self.approvals.len();
        let request = self.has_credential(actor).then_some(Command::RequestApproval(request))?;
        let events = self.trial.submit(self.now, actor, &request).ok()?;
        self.judge(&events);
        for event in &events {
            if let Subject::Approval(id) = event.fact.subject() {
                self.approvals.push(id);
                self.drawn.insert(id, next.clone());
            }
        }
        assert_eq!(self.approvals.len(), before + 1);
        None
    }

    fn parameters(&mut self) -> Digest {
        Digest::of(self.dice.one(&["100 to A", "100 to A", "100 to A", "100 to B"]).as_bytes())
    }

    fn reserve(&mut self, approval: Option<ApprovalId>) -> Command {
        let asked = approval.and_then(|id| self.trial.state().approval(id));
        let own = asked
            .map(|asked| (asked.action.clone(), asked.parameters_sha256))
            .filter(|_| self.dice.chance(92));
        let (action, parameters_sha256) =
            own.unwrap_or_else(|| (action(self.dice.one(&ACTIONS)), self.parameters()));
        let approval = approval.filter(|_| self.dice.chance(92));
        Command::ReservePermit(Reserve { action, parameters_sha256, approval, exceptions: Vec::new() })
    }

    fn activate(&mut self, approval: ApprovalId) -> Option<Command> {
        let policy = match self.drawn.get(&approval) {
            Some(asked) if self.dice.chance(90) => asked.clone(),
            _ => policy(&mut self.dice),
        };
        let policy_sha256 = text_digest(&policy);
        let parameters_sha256 = policy_sha256;
        Some(Command::ActivatePolicy(ActivatePolicy { policy, policy_sha256, approval, parameters_sha256 }))
    }
}

/// The auditor has nothing to say.
fn content(verdict: Result<(), Violation>) {
    if let Err(found) = verdict {
        panic!("the auditor objects: {}: {found}", found.code());
    }
}

fn text_digest(policy: &Policy) -> Digest {
    Digest::of(&serde_json::to_vec(policy).unwrap())
}

fn asked(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.replace('_', "").parse().unwrap())
}

#[test]
fn no_sequence_of_commands_yields_a_permit_without_the_quorum() {
    let (steps, first) = (asked("COUNTERSIGN_STEPS", STEPS), asked("COUNTERSIGN_SEED", 1));
    let (mut played, mut seed, mut permits, mut on_approvals) = (0, first, 0, 0);
    crate::sabotage::obey();
    while played < steps {
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(seed)?;
            (0..WORLD).for_each(|_| world.step());
            Some((world.reserved, world.model.on_approvals))
        }));
        match run {
            Ok(Some((reserved, used))) => {
                permits += reserved;
                on_approvals += used;
                played += WORLD;
            }
            Ok(None) => {}
            Err(panic) => {
                eprintln!("the world of COUNTERSIGN_SEED={seed} goes wrong");
                resume_unwind(panic);
            }
        }
        seed += 1;
    }
    println!(
        "{played} steps in the worlds {first} to {}: {permits} permits, {on_approvals} on approvals",
        seed - 1
    );
    assert!(
        on_approvals > steps / 200 && permits > on_approvals,
        "too little happens: {permits} permits, {on_approvals} on approvals"
    );
}
