//! All of it together: a company with its nodes, its people and its bad days, judged after every step.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::id::PersonId;
use countersign_core::log::Bootstrap;
use countersign_core::rotation::Stage;
use countersign_core::time::Time;
use countersign_core::voting_key::{EnrollKey, enrolment};
use countersign_core::{Actor, Command, Fact, approval};
use countersign_ledger::note::Ed25519Signer;
use countersign_server::engine::{Committed, EngineError, StartError, Submission};
use countersign_server::store::StoreError;

use crate::call::{Call, Wish};
use crate::dice::Dice;
use crate::disk::{Disk, Weather};
use crate::faults::{self, Fault};
use crate::judge::{Judge, Verdict};
use crate::node::{Outfit, Reply, Running};
use crate::outside::Outside;
use crate::people::{self, People, Wanted, claim_of, claiming, parameters, voting_key};
use crate::policy::{self, KEYED};
use crate::runner::{Errand, Runner};
use crate::time::{NodeClock, Timeline};

const ORIGIN: &str = "ledger.simulation.example";

/// How many steps a season has.
const SEASON: u64 = 400;

/// How long a client waits for an answer before it sends its request again, microseconds.
const PATIENCE: u64 = 5_000_000;

/// How often a client sends a request.
const TRIES: u32 = 6;

/// Steps between two looks at whether nodes show what the log says.
const COMPARE: u64 = 16;

/// How long the company is left in peace at the end, in steps of a tenth of a second.
const PEACE: u64 = 1_500;

/// What in a peaceful company is not overdue: nothing rests longer than this, milliseconds.
const OVERDUE_MS: i64 = 70_000;

/// A company that was simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// By which seed.
    pub seed: u64,
    /// Steps.
    pub steps: u64,
    /// Entries in its log.
    pub entries: u64,
    /// Root of its log, in hexadecimal.
    pub root: String,
    /// Milliseconds that passed in it.
    pub lived_ms: u64,
    /// Permits that were given.
    pub permits: u64,
    /// Rotations that ended.
    pub rotations: u64,
}

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// By which seed.
    pub seed: u64,
    /// In which step.
    pub step: u64,
    /// What.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, step {}: {}", self.seed, self.step, self.what)
    }
}

impl std::error::Error for Failure {}

/// Lives through so many steps of the company with this seed.
///
/// # Errors
/// Something that must never be, with the seed that leads there again.
pub fn simulate(seed: u64, steps: u64) -> Result<Run, Failure> {
    let mut step = 0;
    let lived = catch_unwind(AssertUnwindSafe(|| live(seed, (steps, &mut step))));
    let told = lived.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("a panic: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
    });
    told.map_err(|what| Failure { seed, step, what })
}

fn live(seed: u64, (steps, step): (u64, &mut u64)) -> Verdict<Run> {
    let mut world = World::founded(Dice::new(seed))?;
    while *step < steps {
        *step += 1;
        world.step(*step)?;
    }
    world.come_to_rest()?;
    let (entries, root) = (world.judge.size(), world.judge.root());
    let lived_ms = world.timeline.micros() / 1_000;
    let World { permits, rotations, .. } = world;
    Ok(Run { seed, steps, entries, root, lived_ms, permits, rotations })
}

/// Whoever waits for an answer of a node.
enum Whose {
    /// Nobody whom anything can go wrong for.
    Founder,
    Client(Box<Call>),
    Runner(Errand),
}

/// A place where a node runs, or is about to run again.
struct Place {
    outfit: Outfit,
    node: Option<Running<Whose>>,
    runner: Runner,
    /// When it starts again, microseconds since the beginning.
    back_at: u64,
}

struct World {
    dice: Dice,
    timeline: Timeline,
    disk: Disk,
    places: Vec<Place>,
    people: People,
    outside: Outside,
    judge: Judge,
    calls: Vec<Call>,
    sent: u64,
    permits: u64,
    rotations: u64,
}

impl World {
    /// Genesis is written in fair weather, everybody has claimed, and two have voting keys.
    fn founded(mut dice: Dice) -> Verdict<Self> {
        let timeline = Timeline::default();
        let disk = Disk::new(dice.split(), timeline.clone());
        let count = 8 + u128::from(dice.below(43));
        let signer = Ed25519Signer::from_seed(ORIGIN, [7; 32]).map_err(|error| error.to_string())?;
        let signer = Arc::new(signer);
        let nodes = 1 + dice.below(5);
        let place = |_| Place {
            outfit: Outfit { signer: Arc::clone(&signer), disk: disk.handle() },
            node: None,
            runner: Runner::default(),
            back_at: 0,
        };
        let places: Vec<Place> = (0..nodes).map(place).collect();
        let (people, outside) = (People::new(dice.split(), count), Outside::new(dice.split()));
        let policy = policy::drawn(&mut dice, count).map_err(|error| error.to_string())?;
        let mut world = Self {
            dice,
            timeline,
            disk,
            places,
            people,
            outside,
            judge: Judge::default(),
            calls: Vec::new(),
            sent: 0,
            permits: 0,
            rotations: 0,
        };
        world.start(0)?;
        let policy_sha256 = people::digest_of(&policy).ok_or("a policy without a text")?;
        let secret = "secret:webhook-signing/stripe@production".parse();
        let bootstrap = Bootstrap {
            origin: ORIGIN.into(),
            log_key: signer.vkey(),
            people: (1..=count).map(PersonId).map(|person| (person, claim_of(person))).collect(),
            policy,
            policy_sha256,
            secrets: secret.into_iter().collect(),
        };
        world.must(Actor::Node, Command::Bootstrap(bootstrap))?;
        for person in (1..=count).map(PersonId) {
            world.must(Actor::Node, claiming(person))?;
        }
        for person in KEYED {
            world.enroll(person)?;
        }
        Ok(world)
    }

    /// A voting key, by everybody's consent.
    fn enroll(&mut self, person: PersonId) -> Verdict {
        let (parameters_sha256, key) = (parameters(), voting_key(person));
        let action = enrolment(person).ok_or("no action")?;
        let request = Command::RequestApproval(approval::Request { action, parameters_sha256 });
        let committed = self.must(Actor::Person(PersonId(1)), request)?;
        let Some(Fact::ApprovalRequested(approval, _)) = committed.events.first().map(|event| &event.fact)
        else {
            return Err("no request".into());
        };
        let approval = *approval;
        for voter in [3, 4].map(PersonId) {
            self.must(voter.into(), Command::Approve(approval.into()))?;
        }
        let enroll = EnrollKey { person, key, approval, parameters_sha256 };
        self.must(Actor::Person(PersonId(1)), Command::EnrollKey(enroll)).map(drop)
    }

    /// Something at the beginning that goes well.
    fn must(&mut self, actor: Actor, command: Command) -> Verdict<Committed> {
        let said = format!("{command:?}");
        self.timeline.pass(Duration::from_millis(20));
        let node = self.places.first_mut().and_then(|place| place.node.as_mut()).ok_or("no node")?;
        node.take(Whose::Founder, Submission::new(actor, command));
        let answered = node.step(usize::MAX)?;
        self.judge_what_is_kept()?;
        match answered.into_iter().next() {
            Some((_, Ok(committed))) => Ok(committed),
            other => Err(format!("{said} at the beginning: {:?}", other.map(|(_, reply)| reply))),
        }
    }

    /// One step: time passes, things happen, people want things, nodes work, and all of it is judged.
    fn step(&mut self, step: u64) -> Verdict {
        self.pass();
        if step.is_multiple_of(SEASON) {
            self.disk.set(faults::season(&mut self.dice));
            self.outside.trouble = faults::trouble(&mut self.dice);
        }
        for place in 0..self.places.len() {
            if let Some(fault) = Fault::drawn(&mut self.dice) {
                self.befall(place, fault);
            }
        }
        for _ in 0..self.dice.below(4) {
            let all = self.people.want(self.judge.state(), self.timeline.now());
            all.into_iter().for_each(|wanted| self.send(wanted));
        }
        let at_most = if self.dice.in_a_thousand(200) { 1 } else { usize::MAX };
        self.work(at_most)?;
        if step.is_multiple_of(COMPARE) { self.compare() } else { Ok(()) }
    }

    /// Some time passes, mostly a little; now and then all of it until something is due.
    fn pass(&mut self) {
        let millis = match self.dice.below(100) {
            0..=79 => self.dice.below(300),
            80..=97 => self.dice.below(4_000),
            98 => {
                let due = self.judge.state().next_due().map_or(0, Time::as_millis);
                let wait = due.saturating_sub(self.timeline.now().as_millis());
                u64::try_from(wait).unwrap_or(0).min(3_600_000)
            }
            _ => 60_000 + self.dice.below(600_000),
        };
        self.timeline.pass(Duration::from_millis(millis));
    }

    /// Everything that nodes, runners, clients, the store and the world outside do now.
    fn work(&mut self, at_most: usize) -> Verdict {
        let now = self.timeline.micros();
        for number in 0..self.places.len() {
            self.recover(number, now)?;
        }
        self.disk.arrive();
        self.outside.arrive(now);
        self.deliver(now)?;
        // Whose turn it is first changes, as among processes.
        let first = self.dice.index(self.places.len());
        for turn in 0..self.places.len() {
            let number = (first + turn) % self.places.len();
            self.run(number, at_most)?;
        }
        Ok(())
    }

    fn befall(&mut self, number: usize, fault: Fault) {
        let now = self.timeline.micros();
        let later = |duration: Duration| now + u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let Some(place) = self.places.get_mut(number) else { return };
        match fault {
            Fault::Crash(down) => {
                place.node = None;
                place.back_at = later(down);
            }
            Fault::Restart => {
                if let Some(node) = place.node.take() {
                    node.finish();
                }
                place.back_at = later(Duration::from_millis(200));
            }
            Fault::Cut(off) => place.outfit.disk.cut(later(off)),
            Fault::Jump(by_ms) => {
                if let Some(node) = &place.node {
                    node.clock().jump(by_ms);
                }
                // Somebody notices, sets the clock right and starts the node again.
                place.back_at = later(Duration::from_secs(20));
            }
        }
        if place.node.is_none() {
            place.runner = Runner::default();
        }
    }

    /// Starts a node whose time has come.
    fn recover(&mut self, number: usize, now: u64) -> Verdict {
        let Some(place) = self.places.get_mut(number) else { return Ok(()) };
        let jumped = place.node.as_ref().is_some_and(Running::has_jumped);
        if jumped && place.back_at <= now {
            place.node = None;
            place.runner = Runner::default();
        }
        if place.node.is_none() && place.back_at <= now { self.start(number) } else { Ok(()) }
    }

    /// Starts a node, with a clock that is wrong by a little. What the store does not tell now it tells later.
    fn start(&mut self, number: usize) -> Verdict {
        let skew_ms = i64::try_from(self.dice.below(800)).unwrap_or(0) - 400;
        let clock = NodeClock::ahead(self.timeline.clone(), skew_ms);
        let back_at = self.timeline.micros() + 500_000;
        let Some(place) = self.places.get_mut(number) else { return Ok(()) };
        match Running::start(&place.outfit, clock, &mut self.dice) {
            Ok(node) => place.node = Some(node),
            Err(StartError::Store(StoreError::Unavailable(_))) => place.back_at = back_at,
            Err(error) => return Err(format!("node {number} does not start: {error}")),
        }
        Ok(())
    }

    fn send(&mut self, Wanted { acting, wish, after }: Wanted) {
        self.sent += 1;
        let at = self.timeline.micros() + u64::try_from(after.as_micros()).unwrap_or(0);
        let key = format!("request-{}", self.sent);
        self.calls.push(Call { key, acting, wish, sent: 0, at });
    }

    /// Requests arrive at some node, or do not, or do so twice; whoever hears nothing sends theirs again.
    fn deliver(&mut self, now: u64) -> Verdict {
        let due: Vec<Call> = self.calls.extract_if(.., |call| call.at <= now).collect();
        for mut call in due {
            call.sent += 1;
            call.at = now + PATIENCE + self.dice.below(PATIENCE);
            let copies = match self.dice.below(50) {
                0 => 0,
                1 => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let number = self.dice.index(self.places.len());
                self.arrive(number, &call)?;
            }
            if call.sent < TRIES && matches!(call.wish, Wish::Do(_)) {
                self.calls.push(call);
            }
        }
        Ok(())
    }

    /// A request at the door of a node.
    fn arrive(&mut self, number: usize, call: &Call) -> Verdict {
        let Some(node) = self.places.get_mut(number).and_then(|place| place.node.as_mut()) else {
            return Ok(());
        };
        if let Ok(true) = node.lets_in(call.acting) {
            self.judge.let_in(call.acting, self.timeline.micros())?;
            if let Some(submission) = call.submission() {
                if let Actor::Token(token) = call.acting.actor {
                    node.engine().count_use(token, (node.engine().now(), None));
                }
                self.judge.handed_in(call);
                node.take(Whose::Client(Box::new(call.clone())), submission);
            }
        }
        Ok(())
    }

    /// A node works once, and its runner with it if it is the one that should; what is kept is judged, and what was answered.
    fn run(&mut self, number: usize, at_most: usize) -> Verdict {
        let now = self.timeline.micros();
        // The first that runs performs effects; another one may believe for a while that it should.
        let first = self.places.iter().position(|place| place.node.is_some());
        let performs = first == Some(number) || self.dice.in_a_thousand(20);
        let Some(place) = self.places.get_mut(number) else { return Ok(()) };
        let Some(node) = &mut place.node else { return Ok(()) };
        if performs && node.engine().fresh().is_ok() {
            for (errand, submission) in place.runner.hand_in(node.engine(), now) {
                node.take(Whose::Runner(errand), submission);
            }
        }
        let answered = node.step(at_most).map_err(|why| format!("node {number}: {why}"))?;
        self.judge_what_is_kept()?;
        let now = self.timeline.micros();
        for (whose, reply) in answered {
            match whose {
                Whose::Founder => {}
                Whose::Client(call) => self.hear(&call, &reply)?,
                Whose::Runner(errand) => {
                    if let Some(place) = self.places.get_mut(number) {
                        place.runner.answered(errand, &reply, (&mut self.outside, now));
                    }
                }
            }
        }
        Ok(())
    }

    /// An answer, which may get lost on its way; what it says must be true all the same.
    fn hear(&mut self, call: &Call, reply: &Reply) -> Verdict {
        if let Ok(committed) = reply {
            self.judge.acknowledged(call, committed)?;
        }
        let unknown = matches!(reply, Err(EngineError::Unknown(_) | EngineError::Stopped));
        if !unknown {
            self.judge.told(call);
        }
        let again = unknown || matches!(reply, Err(EngineError::Unavailable(_)));
        if !again && !self.dice.in_a_thousand(30) {
            self.calls.retain(|waiting| waiting.key != call.key);
        }
        Ok(())
    }

    fn judge_what_is_kept(&mut self) -> Verdict {
        let now = self.timeline.micros();
        let happened = self.judge.follow(&mut self.disk.kept(), now)?;
        let happened = self.judge.events(happened).to_vec();
        for event in &happened {
            self.judge.ended(event, &self.outside)?;
            self.people.see(event);
            match &event.fact {
                Fact::PermitReserved(..) => self.permits += 1,
                Fact::RotationAdvanced(_, advanced) if ends(advanced.stage) => self.rotations += 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// What nodes show is what the log says.
    fn compare(&self) -> Verdict {
        for (number, place) in self.places.iter().enumerate() {
            if let Some(node) = &place.node {
                let (size, state) = node.engine().state_with_size();
                self.judge.shown(number, (size, &state))?;
            }
        }
        Ok(())
    }

    /// Nobody wants anything any more and nothing goes wrong: everything that is owed is done, and all nodes agree.
    fn come_to_rest(&mut self) -> Verdict {
        self.disk.set(Weather::FAIR);
        self.outside.trouble = 0;
        for number in 0..self.places.len() {
            self.befall(number, Fault::Crash(Duration::ZERO));
            self.befall(number, Fault::Cut(Duration::ZERO));
        }
        for _ in 0..PEACE {
            self.timeline.pass(Duration::from_millis(100));
            self.work(usize::MAX)?;
        }
        self.compare()?;
        self.judge.lasts(&self.outside)?;
        let late = self.timeline.now().plus_millis(-OVERDUE_MS);
        if let Some(subject) = self.judge.forgotten(late) {
            return Err(format!("the time of {subject} is long over, and nobody has written that down"));
        }
        for (number, place) in self.places.iter().enumerate() {
            let node = place.node.as_ref().ok_or_else(|| format!("node {number} does not run"))?;
            node.engine().fresh().map_err(|error| format!("node {number} lets nobody in: {error}"))?;
            if node.engine().size() != self.judge.size() {
                return Err(format!("node {number} shows {} entries", node.engine().size()));
            }
        }
        Ok(())
    }
}

fn ends(stage: Stage) -> bool {
    matches!(stage, Stage::Closed | Stage::Aborted | Stage::SwappedBack)
}
