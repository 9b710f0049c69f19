//! What the page shows: the state that the entries lead to, folded by `core::apply`, and the entries themselves.

use std::collections::BTreeMap;

use countersign_core::approval::Approval;
use countersign_core::break_glass::{BreakGlass, Opinion};
use countersign_core::id::PersonId;
use countersign_core::rotation::{Rotation, Task, TaskState};
use countersign_core::time::Time;
use countersign_core::{Actor, Fact, Item, State, Subject, apply};
use countersign_ledger::hash::Hash;
use serde_json::Value;

use crate::text::visible;
use crate::verify::{self, Case, Read};

/// Facts in a column.
pub(super) struct Card {
    pub title: String,
    pub status: String,
    pub facts: Vec<(&'static str, String)>,
    pub table: Table,
}

/// A table within a card; none if it has no rows.
#[derive(Default)]
pub(super) struct Table {
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// One entry.
pub(super) struct Row {
    pub index: u64,
    pub time: String,
    pub kind: String,
    pub actor: String,
    pub subject: String,
    pub data: String,
    pub details: String,
}

/// A policy that was put in force.
pub(super) struct Policy {
    pub entry: u64,
    pub sha256: String,
    pub name: String,
    pub how: String,
    pub text: String,
}

/// Everything the page shows of the entries.
pub(super) struct Content {
    pub cards: Vec<Card>,
    pub selected: Vec<Row>,
    pub rests_on: Vec<Row>,
    /// Entries that are only here to show that nothing was left out.
    pub others: usize,
    pub policies: Vec<Policy>,
    /// Names and whose they are.
    pub people: Vec<(String, String)>,
}

impl Content {
    pub(super) fn of(case: &Case<'_>) -> Result<Self, verify::Lie> {
        let matter = verify::closure(case)?;
        let people = People(case.names());
        let redacted = case.redactions();
        let mut state = State::default();
        let (mut selected, mut rests_on, mut others, mut shown) = (Vec::new(), Vec::new(), 0, Vec::new());
        for entry in &case.entries {
            let subject = entry.event.fact.subject();
            if !matter.contains(&subject) {
                others += 1;
                continue;
            }
            apply(&mut state, &entry.event);
            let row = row(entry, &people, redacted.get(&entry.view.index));
            if entry.selected {
                selected.push(row);
                if !shown.contains(&subject) {
                    shown.push(subject);
                }
            } else {
                rests_on.push(row);
            }
        }
        let bound = bound(case);
        let cards = shown.iter().filter_map(|subject| {
            let item = state.item(subject)?;
            card(subject, &item, (&people, &bound))
        });
        let (cards, policies) = (cards.collect(), policies(case, &people));
        let people = people.0.iter().map(|(id, name)| (visible(name), id.to_string())).collect();
        Ok(Self { cards, selected, rests_on, others, policies, people })
    }
}

/// Names of people, as far as they are known.
struct People(BTreeMap<PersonId, String>);

impl People {
    /// The name alone, where nobody else has it: the page lists whose it is.
    fn short(&self, actor: Actor) -> String {
        let name = actor.person().and_then(|person| self.0.get(&person));
        match name {
            Some(name) if self.0.values().filter(|other| *other == name).count() == 1 => visible(name),
            _ => self.actor(actor),
        }
    }

    fn person(&self, id: PersonId) -> String {
        match self.0.get(&id) {
            Some(name) => format!("{} ({id})", visible(name)),
            None => id.to_string(),
        }
    }

    fn actor(&self, actor: Actor) -> String {
        actor.person().map_or_else(|| actor.to_string(), |person| self.person(person))
    }
}

/// The details beside the first entry of each subject, as far as they are here.
fn bound(case: &Case<'_>) -> BTreeMap<Subject, Value> {
    let first = case.entries.iter().filter(|entry| entry.view.subject_seq == 1);
    let details = first.filter_map(|entry| {
        let details = serde_json::from_str(&entry.details?.body).ok()?;
        Some((entry.event.fact.subject(), details))
    });
    details.collect()
}

fn row(entry: &Read<'_>, people: &People, redacted: Option<&u64>) -> Row {
    let details = match (entry.details, entry.view.details_sha256, redacted) {
        (Some(details), ..) => visible(&details.body),
        (None, Some(_), Some(by)) => format!("redacted by entry {by}"),
        (None, Some(_), None) => "not in this bundle".to_owned(),
        (None, None, _) => String::new(),
    };
    Row {
        index: entry.view.index,
        time: entry.view.time.to_owned(),
        kind: entry.view.kind.to_owned(),
        actor: people.short(entry.event.actor),
        subject: entry.view.subject.to_owned(),
        data: visible(entry.view.data),
        details,
    }
}

fn card(
    subject: &Subject,
    item: &Item,
    (people, bound): (&People, &BTreeMap<Subject, Value>),
) -> Option<Card> {
    let (facts, table) = match item {
        Item::Approval(approval) => approved(approval, (people, bound.get(subject))),
        Item::Permit(permit) => {
            let started = permit.started.map(|(at, until)| format!("{at}, to be finished by {until}"));
            let facts = vec![
                ("action", permit.action.to_string()),
                ("executor", people.person(permit.executor)),
                ("reserved", permit.reserved_at.to_string()),
                ("started", started.unwrap_or_default()),
                ("ended", permit.ended_at.map(|at| at.to_string()).unwrap_or_default()),
                ("approval", permit.approval.map(|id| id.to_string()).unwrap_or_default()),
                ("break-glass", permit.break_glass.map(|id| id.to_string()).unwrap_or_default()),
            ];
            (facts, Table::default())
        }
        Item::Session(session) => {
            let facts = vec![
                ("person", people.person(session.person)),
                ("signed in by", session.method.as_str().to_owned()),
                ("opened", session.opened_at.to_string()),
                ("lives until", session.idle_until.to_string()),
                ("expires", session.expires_at.to_string()),
                ("ended", session.ended.map(|(_, at)| at.to_string()).unwrap_or_default()),
            ];
            (facts, Table::default())
        }
        Item::Token(token) => {
            let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
            let networks: Vec<String> = token.networks.iter().map(ToString::to_string).collect();
            let facts = vec![
                ("name", token.resource.to_string()),
                ("owner", people.person(token.owner)),
                ("environment", token.environment.to_string()),
                ("scopes", scopes.join(", ")),
                ("from", networks.join(", ")),
                ("issued", token.issued_at.to_string()),
                ("expires", token.expires_at.to_string()),
                ("exchanged from", token.parent.map(|id| id.to_string()).unwrap_or_default()),
                ("approval", token.approval.map(|id| id.to_string()).unwrap_or_default()),
                ("ended", token.ended.map(|(_, at)| at.to_string()).unwrap_or_default()),
            ];
            (facts, Table::default())
        }
        Item::BreakGlass(it) => broken(it, (people, bound.get(subject))),
        Item::Rotation(rotation) => rotated(rotation, people),
        Item::Secret(secret) => {
            let facts = vec![
                ("current version", secret.current.to_string()),
                ("highest version", secret.highest.to_string()),
                ("current since", secret.promoted_at.to_string()),
            ];
            (facts, Table::default())
        }
        Item::Incident(incident) => {
            let facts = vec![
                ("cause", incident.cause.as_str().to_owned()),
                ("about", incident.about.to_string()),
                ("opened", incident.opened_at.to_string()),
            ];
            (facts, Table::default())
        }
        Item::Log(_) | Item::Policy(_) | Item::Person(_) => return None,
    };
    let facts = facts.into_iter().filter(|(_, fact)| !fact.is_empty()).collect();
    Some(Card { title: format!("{} {subject}", item.kind()), status: item.status().to_owned(), facts, table })
}

fn approved(
    approval: &Approval,
    (people, bound): (&People, Option<&Value>),
) -> (Vec<(&'static str, String)>, Table) {
    let text = |name: &str| bound.and_then(|bound| bound.get(name));
    let rules: Vec<String> = approval.rules.iter().map(ToString::to_string).collect();
    let facts = vec![
        ("action", approval.action.to_string()),
        (
            "parameters",
            text("parameters").map_or("not in this bundle".to_owned(), |value| visible(&value.to_string())),
        ),
        ("requested by", people.person(approval.requester)),
        ("requested", approval.requested_at.to_string()),
        ("reason", text("reason").and_then(Value::as_str).map(visible).unwrap_or_default()),
        ("rules", rules.join(", ")),
        (
            "agreed",
            approval.approved.map(|(at, until)| format!("{at}, to be used by {until}")).unwrap_or_default(),
        ),
        ("ended", approval.ended.map(|(_, at)| at.to_string()).unwrap_or_default()),
    ];
    let votes = approval.votes.iter().map(|vote| vec![people.person(vote.person), vote.at.to_string()]);
    (facts, Table { head: vec!["agreed", "when"], rows: votes.collect() })
}

/// What was done without anybody's consent, and what became of the debt.
fn broken(
    it: &BreakGlass,
    (people, bound): (&People, Option<&Value>),
) -> (Vec<(&'static str, String)>, Table) {
    let text = |name: &str| bound.and_then(|bound| bound.get(name));
    let review = it.review.iter().map(|(group, count)| format!("{count} of {group}"));
    let verdict = it
        .settled
        .as_ref()
        .map(|(at, settled)| format!("{}, {}, {at}", settled.verdict.as_str(), settled.timeliness.as_str()));
    let owed = || format!("none yet: a debt, to be paid by {}", it.review_until);
    let facts = vec![
        ("action", it.action.to_string()),
        (
            "parameters",
            text("parameters").map_or("not in this bundle".to_owned(), |value| visible(&value.to_string())),
        ),
        ("by", people.person(it.person)),
        ("opened", it.opened_at.to_string()),
        ("reason", text("reason").and_then(Value::as_str).map(visible).unwrap_or_default()),
        ("signed with", it.signature.key_sha256.to_string()),
        ("permit", it.permit.to_string()),
        ("review", review.collect::<Vec<_>>().join(", ")),
        ("overdue since", it.overdue_at.map(|_| it.review_until.to_string()).unwrap_or_default()),
        ("verdict", verdict.unwrap_or_else(owed)),
    ];
    let opinion = |opinion: &Opinion| {
        vec![people.person(opinion.person), opinion.verdict.as_str().to_owned(), opinion.at.to_string()]
    };
    let rows = it.opinions.iter().map(opinion).collect();
    (facts, Table { head: vec!["reviewed", "verdict", "when"], rows })
}

fn rotated(rotation: &Rotation, people: &People) -> (Vec<(&'static str, String)>, Table) {
    let reached = rotation.reached.iter().map(|reached| format!("{} {}", reached.at, reached.stage.as_str()));
    let facts = vec![
        ("secret", rotation.secret.to_string()),
        ("versions", format!("{} to {}", rotation.from_version, rotation.to_version)),
        ("started by", people.person(rotation.started_by)),
        ("overlap", format!("{} s", rotation.overlap_seconds)),
        ("stages", reached.collect::<Vec<_>>().join("\n")),
    ];
    let task = |task: &Task| {
        let (state, at, took) = match task.state {
            TaskState::Waiting { .. } => ("waiting", None, None),
            TaskState::InFlight { .. } => ("under way", None, None),
            TaskState::Done { at, latency_us } => ("done", Some(at), Some(latency_us)),
        };
        vec![
            task.key.to_string(),
            state.to_owned(),
            task.attempts.to_string(),
            at.map(|at: Time| at.to_string()).unwrap_or_default(),
            took.map(|took| format!("{took} µs")).unwrap_or_default(),
        ]
    };
    let rows = rotation.tasks.iter().map(task).collect();
    (facts, Table { head: vec!["task", "state", "attempts", "when", "took"], rows })
}

fn policies(case: &Case<'_>, people: &People) -> Vec<Policy> {
    let policy = |entry: &Read<'_>| {
        let Fact::PolicyActivated(_, activated) = &entry.event.fact else { return None };
        let digest = Hash(activated.policy_sha256.0);
        let text: Value = serde_json::from_str(case.bundle.policies.get(&digest)?).ok()?;
        let how = match activated.approval {
            Some(approval) => format!("put in force by {} under {approval}", people.actor(entry.event.actor)),
            None => "the first policy, which nobody approved".to_owned(),
        };
        Some(Policy {
            entry: entry.view.index,
            sha256: digest.to_string(),
            name: activated.policy.as_ref().map(|policy| policy.name.to_string()).unwrap_or_default(),
            how,
            text: serde_json::to_string_pretty(&text)
                .ok()?
                .lines()
                .map(visible)
                .collect::<Vec<_>>()
                .join("\n"),
        })
    };
    case.entries.iter().filter_map(policy).collect()
}
