//! Follows events and complains about what must never be on record: an independent oracle for [`countersign_core::decide`].
//!
//! Written from the design (section 4, "Authority") with its own bookkeeping and its own table of stages. It never looks at the
//! core's state, so a rule that is missing in `decide` or wrong in `apply` is not missing or wrong here too.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId, PersonId, RotationId};
use countersign_core::incident::Cause;
use countersign_core::policy::{Policy, Rule};
use countersign_core::secret::SecretKey;
use countersign_core::time::Time;
use countersign_core::{Actor, Event, Fact, Subject, approval, permit, rotation};

use crate::quorum::{demands_consent, governing, is_in_each, is_met};
use crate::stage;

/// What is wrong, or nothing.
pub(crate) type Verdict = Result<(), String>;

fn must(holds: bool, otherwise: impl Into<String>) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

#[derive(Clone)]
struct Approval {
    requester: PersonId,
    action: Action,
    parameters: Digest,
    rules: Vec<Rule>,
    votes: BTreeSet<PersonId>,
    deadline: Time,
    status: &'static str,
    consumed_by: Option<PermitId>,
}

#[derive(Clone)]
struct Permit {
    executor: PersonId,
    deadline: Time,
    work_seconds: u32,
    status: &'static str,
    rotation: Option<RotationId>,
}

#[derive(Clone, Default)]
struct Secret {
    highest: u32,
    current: u32,
    holder: Option<RotationId>,
}

#[derive(Clone)]
struct Task {
    attempts: u32,
    done: bool,
    not_before: Time,
}

#[derive(Clone)]
struct Rotation {
    started: rotation::Started,
    by: PersonId,
    stage: &'static str,
    since: Time,
    turned_back: bool,
    /// By stage, step and target.
    tasks: BTreeMap<(&'static str, String), Task>,
}

/// Stage, what it owes (`*` to each consumer, `!` to the signer), how long it rests, and where it leads.
#[rustfmt::skip]
const STAGES: [(&str, &[&str], &str, &str); 13] = [
    ("started",            &["create-pending"],        "",        "pending-created"),
    ("pending-created",    &["distribute*"],           "dwell",   "distributed"),
    ("distributed",        &["test*"],                 "dwell",   "tested"),
    ("tested",             &["switch!", "promote"],    "dwell",   "promoted"),
    ("promoted",           &[],                        "dwell",   "overlap"),
    ("overlap",            &["revoke-old*"],           "overlap", "old-revoked"),
    ("old-revoked",        &["prove-refused*"],        "dwell",   "old-proved-refused"),
    ("old-proved-refused", &["destroy-old"],           "dwell",   "closed"),
    ("aborting",           &["withdraw-new*"],         "",        "withdrawn"),
    ("withdrawn",          &["delete-new"],            "",        "aborted"),
    ("swapping-back",      &["switch-back!", "demote"], "",       "switched-back"),
    ("switched-back",      &["withdraw-new*"],         "overlap", "new-withdrawn"),
    ("new-withdrawn",      &["delete-new"],            "",        "swapped-back"),
];

fn is_last(stage: &str) -> bool {
    matches!(stage, "closed" | "aborted" | "swapped-back")
}

/// Everything the auditor remembers.
#[derive(Clone, Default)]
pub(crate) struct Auditor {
    policy: Option<Policy>,
    /// Whether each enrolled person has claimed.
    claimed: BTreeMap<PersonId, bool>,
    approvals: BTreeMap<ApprovalId, Approval>,
    permits: BTreeMap<PermitId, Permit>,
    secrets: BTreeMap<SecretKey, Secret>,
    rotations: BTreeMap<RotationId, Rotation>,
    /// Entries so far, and how many of them the last census counted.
    entries: u64,
    counted: u64,
    last: Time,
}

impl Auditor {
    /// Follows the events of one decision, in order.
    pub(crate) fn follow(&mut self, decision: &[Event]) -> Verdict {
        for (index, event) in decision.iter().enumerate() {
            must(event.at >= self.last, "time runs backwards")?;
            self.last = event.at;
            let before = index.checked_sub(1).and_then(|before| decision.get(before));
            self.one(event, before).map_err(|what| format!("{}: {what}", event.fact.kind()))?;
            self.entries += 1;
        }
        self.complete(decision)
    }

    fn one(&mut self, event: &Event, before: Option<&Event>) -> Verdict {
        match &event.fact {
            Fact::LogCreated(..) => must(self.policy.is_none(), "a second genesis"),
            Fact::LogCensusTaken(_, taken) => {
                must(event.actor == Actor::Node, "not by the node")?;
                must(taken.size > self.counted, "no newer than the one before")?;
                must(taken.size <= self.entries, "of entries that are not there yet")?;
                self.counted = taken.size;
                Ok(())
            }
            Fact::PolicyActivated(_, activated) => {
                must(activated.bootstrap == self.policy.is_none(), "a second genesis")?;
                let consumed = before.is_some_and(|event| {
                    matches!(&event.fact, Fact::ApprovalConsumed(id, consumed)
                        if Some(*id) == activated.approval && consumed.permit.is_none())
                });
                let approval = activated.approval.and_then(|id| self.approvals.get(&id));
                let meant = approval.is_some_and(|approval| approval.action.to_string() == stage::ACTIVATE);
                must(activated.bootstrap || consumed && meant, "put in force without an approval")?;
                self.policy.clone_from(&activated.policy);
                Ok(())
            }
            Fact::PersonEnrolled(id, _) => must(self.claimed.insert(*id, false).is_none(), "enrolled twice"),
            Fact::PersonClaimed(id, _) => {
                must(self.claimed.insert(*id, true) == Some(false), "claimed twice, or not enrolled")
            }
            Fact::PersonRefused(id, _) => must(self.claimed.contains_key(id), "about nobody"),
            Fact::ApprovalRequested(..) => self.requested(event),
            fact if fact.kind().starts_with("approval.") => self.approval(event),
            Fact::PermitReserved(id, reserved) => self.reserved(event, before, (*id, reserved)),
            fact if fact.kind().starts_with("permit.") => self.permit(event),
            fact if fact.kind().starts_with("secret.") => self.secret(event),
            Fact::RotationStarted(..) => self.rotation_started(event),
            fact if fact.kind().starts_with("rotation.") => self.rotation(event),
            Fact::IncidentOpened(_, opened) => match (opened.cause, &opened.about) {
                (Cause::PermitUnknown, Subject::Permit(id)) => must(
                    self.permits.get(id).is_some_and(|permit| permit.status == "unknown"),
                    "nothing is unknown",
                ),
                (_, Subject::Rotation(id)) => must(self.rotations.contains_key(id), "about nothing"),
                _ => Err("about the wrong thing".into()),
            },
            _ => Err("not audited".into()),
        }
    }

    /// What must come together in one decision.
    fn complete(&self, decision: &[Event]) -> Verdict {
        let has = |wanted: &dyn Fn(&Fact) -> bool| decision.iter().any(|event| wanted(&event.fact));
        for event in decision {
            match &event.fact {
                Fact::PermitUnknown(id, _) => must(
                    has(
                        &|fact| matches!(fact, Fact::IncidentOpened(_, opened) if opened.about == Subject::Permit(*id)),
                    ),
                    "a permit ends in silence without an incident",
                )?,
                Fact::ApprovalConsumed(approval, approval::Consumed { permit }) => must(
                    has(&|fact| match fact {
                        Fact::PermitReserved(reserved, _) => Some(*reserved) == *permit,
                        Fact::PolicyActivated(_, activated) => activated.approval == Some(*approval),
                        _ => false,
                    }),
                    "an approval is consumed for nothing",
                )?,
                Fact::RotationAdvanced(id, rotation::Advanced { stage }) if stage.is_last() => {
                    let rotation = &self.rotations[id];
                    let permit = rotation.started.permit;
                    let good = stage.as_str() == "closed";
                    must(
                        has(&|fact| match fact {
                            Fact::PermitSucceeded(of, _) => *of == permit && good,
                            Fact::PermitFailed(of, _) => *of == permit && !good,
                            Fact::PermitReportedLate(of, late) => {
                                *of == permit && (late.outcome == permit::Outcome::Succeeded) == good
                            }
                            _ => false,
                        }),
                        "a rotation ends and its permit does not",
                    )?;
                    let secret = &self.secrets[&rotation.started.secret];
                    must(secret.holder.is_none(), "a rotation ends and keeps its secret")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn in_force(&self, action: &Action) -> Result<(&Policy, Vec<&Rule>), String> {
        let policy = self.policy.as_ref().ok_or("no policy is in force")?;
        let rules = governing(policy, action);
        if rules.is_empty() { Err("no rule governs this".into()) } else { Ok((policy, rules)) }
    }

    fn is_active(&self, person: PersonId) -> bool {
        self.claimed.get(&person) == Some(&true)
    }

    fn requested(&mut self, event: &Event) -> Verdict {
        let Fact::ApprovalRequested(id, requested) = &event.fact else { return Ok(()) };
        let requester = event.actor.person().ok_or("not by a person")?;
        let (policy, rules) = self.in_force(&requested.action)?;
        must(
            is_in_each(policy, requester, rules.iter().map(|rule| &rule.requesters)),
            "by somebody who may not ask",
        )?;
        must(demands_consent(&rules), "nobody's consent is demanded")?;
        let pending = rules.iter().map(|rule| rule.pending_seconds.get()).min().unwrap_or(0);
        must(requested.pending_until == event.at.plus_seconds(pending), "waits for too long")?;
        let approval = Approval {
            requester,
            action: requested.action.clone(),
            parameters: requested.parameters_sha256,
            rules: rules.into_iter().cloned().collect(),
            votes: BTreeSet::new(),
            deadline: requested.pending_until,
            status: "pending",
            consumed_by: None,
        };
        must(self.approvals.insert(*id, approval).is_none(), "requested twice")
    }

    /// Whether the people who agreed are enough, as of now.
    fn is_agreed(&self, approval: &Approval) -> Result<bool, String> {
        let (policy, rules) = self.in_force(&approval.action)?;
        let counts = |person: &PersonId| *person != approval.requester && self.is_active(*person);
        let voters = approval.votes.iter().copied().filter(counts).collect();
        Ok(is_met(policy, &rules, &voters))
    }

    fn approval(&mut self, event: &Event) -> Verdict {
        let Subject::Approval(id) = event.fact.subject() else { return Err("about the wrong thing".into()) };
        let approval = self.approvals.get(&id).ok_or("about nothing")?;
        let open = matches!(approval.status, "pending" | "approved");
        let (policy, rules) = self.in_force(&approval.action)?;
        let unchanged = rules.iter().copied().eq(approval.rules.iter());
        let voter = || -> Result<PersonId, String> {
            let voter = event.actor.person().ok_or("not by a person")?;
            must(voter != approval.requester, "a vote by the requester")?;
            must(self.is_active(voter), "a vote by somebody who has not claimed")?;
            let asked = rules
                .iter()
                .flat_map(|rule| rule.quorum.keys())
                .any(|group| policy.groups.get(group).is_some_and(|members| members.contains(&voter)));
            must(asked, "a vote by somebody who is not asked")?;
            must(open && event.at < approval.deadline, "a vote on what has ended")?;
            must(unchanged, "a vote under other rules")?;
            Ok(voter)
        };
        let (mut status, mut deadline, mut vote) = (approval.status, approval.deadline, None);
        match &event.fact {
            Fact::ApprovalGranted(..) => {
                vote = Some(voter()?);
                must(!approval.votes.contains(&voter()?), "a second vote")?;
            }
            Fact::ApprovalDenied(..) => {
                voter()?;
                status = "denied";
            }
            Fact::ApprovalCompleted(_, completed) => {
                must(open && self.is_agreed(approval)?, "completed without its quorum")?;
                (status, deadline) = ("approved", completed.approved_until);
            }
            Fact::ApprovalWithdrawn(..) => {
                must(event.actor == Actor::Person(approval.requester), "withdrawn by somebody else")?;
                must(open && event.at < approval.deadline, "withdrawn after its end")?;
                status = "withdrawn";
            }
            Fact::ApprovalExpired(..) => {
                must(open && event.at >= approval.deadline, "expired before its deadline")?;
                status = "expired";
            }
            Fact::ApprovalConsumed(_, consumed) => {
                self.consumed(event, approval)?;
                let consumed_by = consumed.permit;
                self.approvals.entry(id).and_modify(|approval| approval.consumed_by = consumed_by);
                status = "consumed";
            }
            Fact::ApprovalRestored(_, restored) => {
                let by = Some(restored.permit);
                must(
                    approval.status == "consumed" && approval.consumed_by == by,
                    "restored by another permit",
                )?;
                let released =
                    self.permits.get(&restored.permit).is_some_and(|permit| permit.status == "released");
                must(released, "restored although its permit was not given back")?;
                status = if self.is_agreed(approval)? { "approved" } else { "pending" };
            }
            _ => return Err("not audited".into()),
        }
        self.approvals.entry(id).and_modify(|approval| {
            (approval.status, approval.deadline) = (status, deadline);
            approval.votes.extend(vote);
        });
        Ok(())
    }

    fn consumed(&self, event: &Event, approval: &Approval) -> Verdict {
        let (policy, rules) = self.in_force(&approval.action)?;
        must(approval.status != "consumed", "consumed twice")?;
        let open = matches!(approval.status, "pending" | "approved");
        must(open && event.at < approval.deadline, "consumed after its end")?;
        must(rules.iter().copied().eq(approval.rules.iter()), "consumed under other rules")?;
        must(self.is_agreed(approval)?, "consumed without its quorum")?;
        let executor = event.actor.person().ok_or("not by a person")?;
        let executors = rules.iter().map(|rule| &rule.executors);
        must(is_in_each(policy, executor, executors), "not by an executor")
    }

    fn reserved(
        &mut self,
        event: &Event,
        before: Option<&Event>,
        (id, reserved): (PermitId, &permit::Reserved),
    ) -> Verdict {
        let executor = event.actor.person().ok_or("not by a person")?;
        let (policy, rules) = self.in_force(&reserved.action)?;
        must(is_in_each(policy, executor, rules.iter().map(|rule| &rule.executors)), "not by an executor")?;
        if demands_consent(&rules) {
            let approval = reserved.approval.ok_or("without an approval")?;
            let consumed = before.is_some_and(|event| {
                matches!(&event.fact, Fact::ApprovalConsumed(of, consumed)
                    if *of == approval && consumed.permit == Some(id))
            });
            must(consumed, "without consuming its approval")?;
            let approval = &self.approvals[&approval];
            must(approval.action == reserved.action, "for another action than was approved")?;
            must(
                approval.parameters == reserved.parameters_sha256,
                "for other parameters than were approved",
            )?;
        }
        let start = rules.iter().map(|rule| rule.start_seconds.get()).min().unwrap_or(0);
        must(reserved.start_by == event.at.plus_seconds(start), "waits for too long")?;
        let permit = Permit {
            executor,
            deadline: reserved.start_by,
            work_seconds: reserved.work_seconds,
            status: "reserved",
            rotation: None,
        };
        must(self.permits.insert(id, permit).is_none(), "reserved twice")
    }

    fn permit(&mut self, event: &Event) -> Verdict {
        let Subject::Permit(id) = event.fact.subject() else { return Err("about the wrong thing".into()) };
        let permit = self.permits.get_mut(&id).ok_or("about nothing")?;
        let (in_time, before) = (event.at < permit.deadline, permit.status);
        let by_holder = match permit.rotation {
            None => event.actor == Actor::Person(permit.executor),
            Some(_) => event.actor == Actor::Node,
        };
        let (allowed, after) = match &event.fact {
            Fact::PermitStarted(_, started) => {
                permit.deadline = event.at.plus_seconds(permit.work_seconds);
                must(started.finish_by == permit.deadline, "may work for too long")?;
                permit.rotation = started.rotation;
                let by_executor = event.actor == Actor::Person(permit.executor);
                (before == "reserved" && in_time && by_executor, "started")
            }
            Fact::PermitReleased(..) => (before == "reserved" && in_time && by_holder, "released"),
            Fact::PermitLapsed(..) => (before == "reserved" && !in_time, "lapsed"),
            Fact::PermitSucceeded(..) => (before == "started" && in_time && by_holder, "succeeded"),
            Fact::PermitFailed(..) => (before == "started" && in_time && by_holder, "failed"),
            Fact::PermitUnknown(..) => (before == "started" && !in_time, "unknown"),
            Fact::PermitReportedLate(..) => (before == "unknown" && by_holder, "unknown"),
            _ => return Err("not audited".into()),
        };
        permit.status = after;
        must(allowed, format!("from {before}, in time: {in_time}, by {}", event.actor))
    }

    fn secret(&mut self, event: &Event) -> Verdict {
        let Subject::Secret(key) = event.fact.subject() else { return Err("about the wrong thing".into()) };
        let secret = self.secrets.entry(key).or_default();
        match &event.fact {
            Fact::SecretAdopted(_, adopted) => {
                must(secret.highest == 0 && adopted.version == 1, "adopted twice")?;
                (secret.highest, secret.current) = (1, 1);
            }
            Fact::SecretReserved(_, reserved) => {
                must(secret.holder.is_none(), "held by two rotations")?;
                must(reserved.version > secret.highest, "a version number is used again")?;
                secret.highest = reserved.version;
                secret.holder = Some(reserved.rotation);
            }
            Fact::SecretPromoted(_, promoted) => {
                must(secret.holder == Some(promoted.rotation), "promoted by another rotation")?;
                secret.current = promoted.version;
            }
            Fact::SecretSettled(_, settled) => {
                must(secret.holder == Some(settled.rotation), "settled by another rotation")?;
                must(settled.version == secret.current, "another version is current")?;
                must(settled.destroyed != settled.version, "what is current was destroyed")?;
                secret.holder = None;
            }
            _ => return Err("not audited".into()),
        }
        Ok(())
    }

    fn rotation_started(&mut self, event: &Event) -> Verdict {
        let Fact::RotationStarted(id, started) = &event.fact else { return Ok(()) };
        let by = event.actor.person().ok_or("not by a person")?;
        let permit = self.permits.get(&started.permit).ok_or("without a permit")?;
        must(
            permit.status == "started" && permit.rotation == Some(*id),
            "its permit was not started for it",
        )?;
        let secret = self.secrets.get(&started.secret).ok_or("of no secret")?;
        must(
            secret.holder == Some(*id) && secret.highest == started.to_version,
            "it does not hold the secret",
        )?;
        let governed = self.policy.iter().flat_map(|policy| &policy.secrets);
        let governed = governed.into_iter().find(|secret| secret.resource == started.secret.resource);
        let least = governed.ok_or("of a secret that is not governed")?.min_overlap_seconds.get();
        must(started.overlap_seconds >= least, "the overlap is too short")?;
        let mut rotation = Rotation {
            started: started.clone(),
            by,
            stage: "started",
            since: event.at,
            turned_back: false,
            tasks: BTreeMap::new(),
        };
        rotation.enter("started", event.at);
        must(self.rotations.insert(*id, rotation).is_none(), "started twice")
    }

    fn rotation(&mut self, event: &Event) -> Verdict {
        let Subject::Rotation(id) = event.fact.subject() else { return Err("about the wrong thing".into()) };
        let may_execute = |person: PersonId, action: &Action| {
            self.in_force(action).is_ok_and(|(policy, rules)| {
                is_in_each(policy, person, rules.iter().map(|rule| &rule.executors))
            })
        };
        let executes =
            event.actor.person().is_some_and(|person| may_execute(person, &stage::action(stage::ROTATE)));
        let rotation = self.rotations.get_mut(&id).ok_or("about nothing")?;
        if let Fact::RotationTurnedBack(_, turned) = &event.fact {
            let ordered = turned.cause == rotation::TurnCause::Ordered;
            let by_starter = event.actor == Actor::Person(rotation.by);
            must(!ordered || by_starter || executes, "turned back by somebody who may not")?;
            return rotation.turn_back(event.at, turned);
        }
        match &event.fact {
            Fact::RotationTaskAttempted(_, task) => {
                must(event.actor == Actor::Node, "not by the runner")?;
                rotation.attempted(event.at, task)
            }
            Fact::RotationTaskSucceeded(_, done) => {
                must(event.actor == Actor::Node, "not by the runner")?;
                let task = rotation.open(&done.task)?;
                must(!task.done && (1..=task.attempts).contains(&done.attempt), "was not attempted")?;
                task.done = true;
                Ok(())
            }
            Fact::RotationTaskFailed(_, failed) => {
                must(event.actor == Actor::Node, "not by the runner")?;
                let task = rotation.open(&failed.task)?;
                must(!task.done && task.attempts == failed.attempt, "was not attempted")?;
                must(failed.retry_at > event.at, "is tried again at once")?;
                task.not_before = failed.retry_at;
                Ok(())
            }
            Fact::RotationAdvanced(_, advanced) => rotation.advance(event.at, advanced),
            _ => Err("not audited".into()),
        }
    }
}

impl Rotation {
    fn row(&self) -> Option<&'static (&'static str, &'static [&'static str], &'static str, &'static str)> {
        STAGES.iter().find(|row| row.0 == self.stage)
    }

    fn rested(&self) -> Time {
        match self.row().map_or("", |row| row.2) {
            "overlap" => self.since.plus_seconds(self.started.overlap_seconds),
            "dwell" => self.since.plus_millis(i64::from(self.started.dwell_ms)),
            _ => self.since,
        }
    }

    fn enter(&mut self, stage: &'static str, at: Time) {
        (self.stage, self.since) = (stage, at);
        let not_before = self.rested();
        for step in self.row().map_or(&[][..], |row| row.1) {
            let targets: Vec<String> = match (step.strip_suffix('*'), step.strip_suffix('!')) {
                (Some(step), _) => {
                    self.started.consumers.iter().map(|name| format!("{step}/{name}")).collect()
                }
                (_, Some(step)) => vec![format!("{step}/{}", self.started.signer)],
                _ => vec![(*step).to_owned()],
            };
            for target in targets {
                self.tasks.insert((stage, target), Task { attempts: 0, done: false, not_before });
            }
        }
    }

    fn open(&mut self, key: &rotation::TaskKey) -> Result<&mut Task, String> {
        let stage = self.stage;
        self.tasks.get_mut(&(stage, key.to_string())).ok_or(format!("`{key}` is not owed in `{stage}`"))
    }

    fn attempted(&mut self, at: Time, attempted: &rotation::TaskAttempted) -> Verdict {
        let task = self.open(&attempted.task)?;
        must(!task.done, "was done already")?;
        must(attempted.attempt == task.attempts + 1, "is not the next attempt")?;
        must(at >= task.not_before, "before its time")?;
        task.attempts = attempted.attempt;
        Ok(())
    }

    fn advance(&mut self, at: Time, advanced: &rotation::Advanced) -> Verdict {
        let row = self.row().ok_or("after the last stage")?;
        must(advanced.stage.as_str() == row.3, format!("from {} to {}", row.0, advanced.stage.as_str()))?;
        must(at >= self.rested(), "before its time")?;
        let stage = self.stage;
        must(self.tasks.iter().all(|((of, _), task)| *of != stage || task.done), "with tasks undone")?;
        self.enter(row.3, at);
        Ok(())
    }

    fn has_attempted(&self, steps: &[&str]) -> bool {
        self.tasks.iter().any(|((_, key), task)| {
            task.attempts > 0 && steps.iter().any(|step| key.split('/').next() == Some(step))
        })
    }

    fn turn_back(&mut self, at: Time, turned: &rotation::TurnedBack) -> Verdict {
        must(!self.turned_back && !is_last(self.stage), "there is nothing to turn back")?;
        must(!self.has_attempted(&["revoke-old"]), "the old key may be gone already")?;
        let signed = self.has_attempted(&["switch", "promote"]);
        let to = if signed { "swapping-back" } else { "aborting" };
        must(turned.stage.as_str() == to, "the wrong way back")?;
        if let rotation::TurnCause::Exhausted { task } = &turned.cause {
            let limit = self.started.attempts;
            must(self.open(task)?.attempts >= limit, "a task was not tried as often as the policy says")?;
        }
        self.turned_back = true;
        self.enter(to, at);
        Ok(())
    }
}
