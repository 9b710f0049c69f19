//! How long one decision takes, and what the number of rules, groups and live approvals does to it: the curve should be flat.
//!
//! Only the core's rules run, on one thread: no store, no HTTP. Each figure is the median of many decisions on one state. Prints one
//! JSON object per line. Run with `cargo bench -p countersign-server --bench decision`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::time::Instant;

use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, CorrelationId, PersonId};
use countersign_core::log::Bootstrap;
use countersign_core::policy::Policy;
use countersign_core::time::Time;
use countersign_core::{Actor, Command, Context, State, apply, approval, decide, permit, person};
use serde_json::{Value, json};

/// People in all; each group has four of them.
const PEOPLE: u32 = 200;

/// Decisions per figure.
const ROUNDS: usize = 4_001;

/// Rules, groups, live approvals.
const SIZES: [(u32, u32, u32); 6] = [
    (10, 10, 10),
    (100, 100, 1_000),
    (1_000, 1_000, 10_000),
    (10_000, 10, 10),
    (10, 10, 100_000),
    (10_000, 1_000, 100_000),
];

fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    for size in SIZES {
        curve(size);
    }
}

/// What was decided so far, and a clock that stands still.
struct World {
    state: State,
    fresh: u128,
}

impl World {
    fn cx(&mut self, actor: Actor) -> Context {
        self.fresh += 2;
        let now = Time::from_millis(1_795_428_000_000);
        Context {
            now,
            actor,
            session: None,
            correlation: CorrelationId(self.fresh),
            fresh: [self.fresh, self.fresh + 1],
        }
    }

    /// Decides and applies; the id that was given to what the command created.
    fn act(&mut self, actor: Actor, command: &Command) -> u128 {
        let cx = self.cx(actor);
        for event in decide(&self.state, &cx, command).expect("it is allowed") {
            apply(&mut self.state, &event);
        }
        cx.first()
    }

    /// The median of many decisions whose events nobody applies.
    fn median_ns(&mut self, actor: Actor, command: &Command) -> u128 {
        let cx = self.cx(actor);
        let mut took: Vec<u128> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                let decided = std::hint::black_box(decide(&self.state, &cx, std::hint::black_box(command)));
                let took = begun.elapsed().as_nanos();
                assert!(decided.is_ok(), "it is allowed");
                took
            })
            .collect();
        took.sort_unstable();
        took[ROUNDS / 2]
    }
}

fn curve((rules, groups, approvals): (u32, u32, u32)) {
    let mut world = begin(rules, groups);
    for number in 0..approvals {
        world.act(member(number % rules % groups, 0), &request(number % rules));
    }
    let (middle, group) = (rules / 2, rules / 2 % groups);
    let first = member(group, 0);
    let pending = ApprovalId(world.act(first, &request(middle)));
    let approved = ApprovalId(world.act(first, &request(middle)));
    for voter in [1, 2] {
        world.act(member(group, voter), &Command::Approve(approved.into()));
    }
    let reserve = |action: Action, approval| {
        Command::ReservePermit(permit::Reserve {
            action,
            parameters_sha256: Digest::of(b"parameters"),
            approval,
            exceptions: Vec::new(),
        })
    };
    for (what, actor, command) in [
        ("permit without approval", member(0, 0), reserve(action("ping", "probe/any"), None)),
        ("request for approval", first, request(middle)),
        ("vote", member(group, 1), Command::Approve(pending.into())),
        ("permit under approval", first, reserve(payout(middle), Some(approved))),
    ] {
        let ns = world.median_ns(actor, &command);
        println!(
            r#"{{"what":"{what}","rules":{rules},"groups":{groups},"live_approvals":{approvals},"p50_ns":{ns}}}"#
        );
    }
}

/// Genesis, and everybody has a credential.
fn begin(rules: u32, groups: u32) -> World {
    let mut world = World { state: State::default(), fresh: 1_000_000 };
    let people = (1..=PEOPLE).map(|number| PersonId(number.into()));
    let claim = |person: PersonId| Digest::of(format!("claim {person}").as_bytes());
    let bootstrap = Bootstrap {
        origin: "bench".into(),
        log_key: "key".into(),
        people: people.clone().map(|person| (person, claim(person))).collect(),
        policy: policy(rules, groups),
        policy_sha256: Digest::of(b"policy"),
        secrets: Vec::new(),
    };
    world.act(Actor::Node, &Command::Bootstrap(bootstrap));
    for person in people {
        let command = person::ClaimCredential {
            claim_sha256: claim(person),
            credential_sha256: Digest::of(format!("credential {person}").as_bytes()),
        };
        world.act(Actor::Node, &Command::ClaimCredential(command));
    }
    world
}

fn policy(rules: u32, groups: u32) -> Policy {
    let named = |group: u32| (0..4).map(|place| member_id(group, place)).collect::<Vec<_>>();
    let groups_of: serde_json::Map<String, Value> =
        (0..groups).map(|group| (format!("g-{group}"), json!(named(group)))).collect();
    let rule = |name: String, verb: &str, resource: String, own: Value| {
        let mut rule = json!({
            "name": name, "verb": verb, "resource": resource, "environment": "production",
            "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
        });
        rule.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
        rule
    };
    let asked = |group: String| json!({ "requesters": [group], "executors": [group], "approval": "required", "quorum": { group.clone(): 2 } });
    let mut every: Vec<Value> = (0..rules)
        .map(|number| {
            let group = format!("g-{}", number % groups);
            rule(format!("rule-{number}"), "override", format!("payout/p-{number}"), asked(group))
        })
        .collect();
    let free = json!({ "requesters": ["g-0"], "executors": ["g-0"], "approval": "not-required" });
    every.push(rule("ping".into(), "ping", "probe/any".into(), free));
    let mut activate = rule("activate".into(), "activate", "policy/main".into(), asked("g-0".into()));
    activate["environment"] = json!("control");
    every.push(activate);
    serde_json::from_value(json!({
        "name": "bench", "groups": groups_of, "access": { "read": ["g-0"] }, "rules": every,
    }))
    .expect("a policy")
}

fn member_id(group: u32, place: u32) -> PersonId {
    PersonId(((group * 4 + place) % PEOPLE + 1).into())
}

fn member(group: u32, place: u32) -> Actor {
    Actor::Person(member_id(group, place))
}

fn action(verb: &str, resource: &str) -> Action {
    Action {
        verb: verb.parse().expect("a verb"),
        resource: resource.parse().expect("a resource"),
        environment: "production".parse().expect("an environment"),
    }
}

fn payout(number: u32) -> Action {
    action("override", &format!("payout/p-{number}"))
}

fn request(number: u32) -> Command {
    let parameters_sha256 = Digest::of(b"parameters");
    Command::RequestApproval(approval::Request { action: payout(number), parameters_sha256 })
}
