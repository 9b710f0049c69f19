//! A review as one table: a row for the log, and one for each person, right, token, thing a token may do, and stale thing. No field is a formula to a spreadsheet.

use countersign_api::PersonRef;
use countersign_api::review::{AccessReview, ReviewedGrant, ReviewedToken};

use crate::export::format::{defused, quoted};

const COLUMNS: [&str; 16] = [
    "section",
    "person_id",
    "person",
    "status",
    "what",
    "rule",
    "verb",
    "resource",
    "environment",
    "group",
    "through",
    "uses",
    "last_used_at",
    "since",
    "token",
    "until",
];

type Row = [String; COLUMNS.len()];

/// The whole table, with its header.
pub(super) fn written(review: &AccessReview) -> String {
    let header = COLUMNS.map(ToOwned::to_owned);
    let rows = [header, log(review)].into_iter().chain(people(review)).chain(rights(review));
    let rows = rows.chain(tokens(review)).chain(grants(review)).chain(stale(review));
    rows.map(|row| row.map(|field| quoted(&defused(&field))).join(",") + "\r\n").collect()
}

fn row(section: &str, person: Option<&PersonRef>) -> Row {
    let mut row = Row::default();
    section.clone_into(&mut row[0]);
    if let Some(person) = person {
        person.id.clone_into(&mut row[1]);
        row[2] = person.name.clone().unwrap_or_default();
    }
    row
}

/// What the review was made of: `what` is the origin, `rule` the policy, `resource` the root, `uses` the number of entries.
fn log(review: &AccessReview) -> Row {
    let AccessReview { log, policy, from, until, environment, .. } = review;
    let mut row = row("log", None);
    row[4].clone_from(&log.origin);
    row[5].clone_from(&policy.name);
    row[7].clone_from(&log.root);
    row[8] = environment.clone().unwrap_or_default();
    row[11] = log.size.to_string();
    row[12].clone_from(until);
    row[13].clone_from(from);
    row
}

fn people(review: &AccessReview) -> impl Iterator<Item = Row> {
    review.people.iter().map(|it| {
        let mut row = row("person", Some(&it.person));
        row[3].clone_from(&it.status);
        row[9] = it.groups.join(" ");
        row[11] = it.entries.to_string();
        row[12] = it.last_entry_at.clone().unwrap_or_default();
        row[13].clone_from(&it.enrolled_at);
        row
    })
}

fn rights(review: &AccessReview) -> impl Iterator<Item = Row> {
    review.rights.iter().map(|it| {
        let mut row = row("right", Some(&it.person));
        let words = [&it.status, &it.right, &it.rule, &it.verb, &it.resource, &it.environment, &it.group];
        for (field, word) in row[3..].iter_mut().zip(words) {
            field.clone_from(word);
        }
        row[10] = it.through.join(" ");
        row[11] = it.uses.map(|uses| uses.to_string()).unwrap_or_default();
        row[12] = it.last_used_at.clone().unwrap_or_default();
        row
    })
}

fn tokens(review: &AccessReview) -> impl Iterator<Item = Row> {
    review.tokens.iter().map(|it| {
        let mut row = row("token", Some(&it.owner));
        row[4] = format!("{} {}", it.id, it.scopes.join(" "));
        row[7].clone_from(&it.resource);
        row[8].clone_from(&it.environment);
        row[10] = it.workload.clone().unwrap_or_default();
        row[11] = it.uses.to_string();
        row[12] = it.last_used_at.clone().unwrap_or_default();
        row[13].clone_from(&it.issued_at);
        row[14].clone_from(&it.id);
        row[15].clone_from(&it.expires_at);
        row
    })
}

/// What tokens may do: `status` is whether people must agree first, `through` the scope, `until` the end of the token.
fn grants(review: &AccessReview) -> impl Iterator<Item = Row> {
    review.tokens.iter().flat_map(granted).map(|(token, it)| {
        let mut row = row("grant", Some(&token.owner));
        let words = [
            &it.approval,
            &it.right,
            &it.rule,
            &it.verb,
            &it.resource,
            &it.environment,
            &it.group,
            &it.scope,
        ];
        for (field, word) in row[3..].iter_mut().zip(words) {
            field.clone_from(word);
        }
        row[13].clone_from(&token.issued_at);
        row[14].clone_from(&token.id);
        row[15].clone_from(&token.expires_at);
        row
    })
}

/// Each with its token.
fn granted(token: &ReviewedToken) -> impl Iterator<Item = (&ReviewedToken, &ReviewedGrant)> {
    token.grants.iter().map(move |grant| (token, grant))
}

fn stale(review: &AccessReview) -> impl Iterator<Item = Row> {
    review.stale.iter().map(|it| {
        let mut row = row("stale", Some(&it.person));
        row[3].clone_from(&it.kind);
        row[4].clone_from(&it.what);
        row[13] = it.since.clone().unwrap_or_default();
        row
    })
}
