//! A rotation passes through two other people; every short cut is refused.

use std::collections::BTreeMap;

use anyhow::Context as _;
use countersign_api::approval::{Approval, RequestApproval};
use countersign_api::permit::{Permit, ReservePermit};
use countersign_api::{Action, Reason};
use countersign_client::{Client, ClientError};
use serde_json::{Value, json};

use super::told::Told;
use super::word;
use crate::demo::cast::{Cast, ENVIRONMENT, SECRET, Who};

/// How long old and new are both accepted, seconds.
pub(super) const OVERLAP_SECONDS: u32 = 3;

/// Attempts to use the one approval at the same moment.
const RACERS: usize = 16;

pub(super) fn action(verb: &str, resource: &str, environment: &str) -> Action {
    Action { verb: verb.to_owned(), resource: resource.to_owned(), environment: environment.to_owned() }
}

pub(super) fn rotate() -> Action {
    action("rotate", SECRET, ENVIRONMENT)
}

/// From Ana's request to the one permit.
pub(super) async fn rotation(cast: &Cast, told: &mut Told) -> anyhow::Result<Permit> {
    let ana = cast.client(Who::Ana)?;
    let request = RequestApproval {
        action: rotate(),
        parameters: parameters(OVERLAP_SECONDS),
        reason: Some("quarterly rotation".to_owned()),
    };
    let requested = ana.request_approval(&request).await?;
    told.same(
        &format!("Ana requests `rotate {SECRET} {ENVIRONMENT}`"),
        "pending, requested by Ana",
        format!("{}, requested by {}", requested.status, requested.requester.name.as_deref().unwrap_or("?")),
    )?;
    let id = requested.id.as_str();
    let own = ana.approve(id, &Reason::default()).await;
    told.same("Ana's own approval is refused", "self_approval", word(&own))?;
    let early = ana.reserve_permit(&reserve(id, OVERLAP_SECONDS)).await;
    told.same(
        "a permit before the quorum is refused, saying who could approve",
        "approval_pending, needs 2 of approvers: Ben, Chloe",
        missing(&early),
    )?;
    let approved = approve(cast, id).await?;
    told.same("Ben and Chloe approve", "approved by Ben, Chloe", voters(&approved))?;
    let changed = ana.reserve_permit(&reserve(id, OVERLAP_SECONDS + 1)).await;
    told.same("changing one parameter after approval is refused", "parameters_mismatch", word(&changed))?;
    race(ana, told, id).await
}

/// Sixteen attempts at once: one wins.
async fn race(ana: &Client, told: &mut Told, approval: &str) -> anyhow::Result<Permit> {
    let attempts: Vec<_> = (0..RACERS)
        .map(|_| {
            let (client, body) = (ana.clone(), reserve(approval, OVERLAP_SECONDS));
            tokio::spawn(async move { client.reserve_permit(&body).await })
        })
        .collect();
    let (mut words, mut won) = (BTreeMap::<String, usize>::new(), None);
    for attempt in attempts {
        let outcome = attempt.await.context("an attempt ended in a panic")?;
        *words.entry(word(&outcome)).or_default() += 1;
        won = won.or(outcome.ok());
    }
    let observed: Vec<String> = words.iter().map(|(word, count)| format!("{count} {word}")).collect();
    told.same(
        &format!("of {RACERS} concurrent reservations exactly one wins"),
        format!("{} approval_consumed, 1 done", RACERS - 1),
        observed.join(", "),
    )?;
    won.context("nobody got the permit")
}

/// Ben and Chloe agree; the request after the second vote.
pub(super) async fn approve(cast: &Cast, approval: &str) -> anyhow::Result<Approval> {
    let reason = Reason { reason: Some("checked".to_owned()) };
    cast.client(Who::Ben)?.approve(approval, &reason).await?;
    Ok(cast.client(Who::Chloe)?.approve(approval, &reason).await?)
}

pub(super) fn parameters(overlap_seconds: u32) -> Value {
    json!({ "overlap_seconds": overlap_seconds })
}

pub(super) fn reserve(approval: &str, overlap_seconds: u32) -> ReservePermit {
    ReservePermit {
        action: rotate(),
        parameters: parameters(overlap_seconds),
        approval: Some(approval.to_owned()),
        exceptions: Vec::new(),
        reason: None,
    }
}

pub(super) fn voters(approval: &Approval) -> String {
    let mut names: Vec<&str> =
        approval.votes.iter().map(|vote| vote.person.name.as_deref().unwrap_or("?")).collect();
    names.sort_unstable();
    format!("{} by {}", approval.status, names.join(", "))
}

/// The refusal's code and whose agreement it says is missing.
pub(super) fn missing<T>(attempt: &Result<T, ClientError>) -> String {
    let Err(ClientError::Problem(problem)) = attempt else { return word(attempt) };
    let groups = problem.missing.iter().map(|missing| {
        let mut names: Vec<&str> =
            missing.could.iter().map(|person| person.name.as_deref().unwrap_or("?")).collect();
        names.sort_unstable();
        format!("{} of {}: {}", missing.needed, missing.group, names.join(", "))
    });
    format!("{}, needs {}", problem.code, groups.collect::<Vec<_>>().join("; "))
}
