//! The rotation runs through all its stages while genuine webhooks keep arriving; afterwards the old secret is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use countersign_api::permit::Permit;
use countersign_api::rotation::{Rotation, StageReached};

use super::quorum::OVERLAP_SECONDS;
use super::told::Told;
use crate::commands::rotation::is_last;
use crate::demo::cast::{APPLICATIONS, Cast, Who};
use crate::demo::witness::{Answer, Delivery, Witness};

/// The stages a rotation goes through when nothing goes wrong.
const STAGES: [&str; 9] = [
    "started",
    "pending-created",
    "distributed",
    "tested",
    "promoted",
    "overlap",
    "old-revoked",
    "old-proved-refused",
    "closed",
];

/// The stages during which webhooks are counted: `started` lasts only as long as a new value takes to be drawn.
const COUNTED: &[&str] = STAGES.split_at(1).1;

/// Genuine webhooks that each stage must have seen.
const AT_LEAST: usize = 20;

/// How long a rotation may take in all.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often the record is asked for.
const EVERY: Duration = Duration::from_millis(250);

pub(super) async fn play(cast: &Cast, told: &mut Told, permit: &Permit) -> anyhow::Result<Rotation> {
    let started = cast.client(Who::Ana)?.start_rotation(&permit.id).await?;
    let ended = tokio::time::timeout(PATIENCE, until_ended(cast, &started.id)).await;
    let rotation = ended.with_context(|| format!("the rotation did not end within {PATIENCE:?}"))??;
    let reached: Vec<&str> = rotation.stages.iter().map(|stage| stage.stage.as_str()).collect();
    told.same("the rotation runs through all stages", STAGES.join(" → "), reached.join(" → "))?;
    told.same(
        "both NudgePay instances acknowledge and hold only the new version",
        format!("{}; accepted versions 2 and 2", acknowledgements(&APPLICATIONS)),
        format!("{}; accepted versions {}", acknowledged(&rotation), accepted(&cast.witness).await?),
    )?;
    webhooks(cast, told, &rotation).await?;
    old_secret(&cast.witness, told).await?;
    let policy = cast.client(Who::Aud)?.policy().await?.sha256;
    record(told, &rotation, (permit, &policy))?;
    Ok(rotation)
}

/// Asks for the record, as its auditor, until the rotation has ended one way or the other.
async fn until_ended(cast: &Cast, id: &str) -> anyhow::Result<Rotation> {
    let aud = cast.client(Who::Aud)?;
    loop {
        let rotation = aud.rotation(id).await?;
        if is_last(&rotation.stage) {
            return Ok(rotation);
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn acknowledgements(targets: &[&str]) -> String {
    targets.iter().map(|target| format!("distribute {target} done")).collect::<Vec<_>>().join(", ")
}

fn acknowledged(rotation: &Rotation) -> String {
    let distributed = rotation.tasks.iter().filter(|task| task.step == "distribute");
    let one = |task: &countersign_api::rotation::Task| {
        format!("distribute {} {}", task.target.as_deref().unwrap_or("?"), task.state)
    };
    distributed.map(one).collect::<Vec<_>>().join(", ")
}

async fn accepted(witness: &Witness) -> anyhow::Result<String> {
    let list =
        |versions: &BTreeSet<u32>| versions.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
    Ok(witness.accepted_versions().await?.iter().map(list).collect::<Vec<_>>().join(" and "))
}

/// Genuine webhooks, counted by the provider that sent them, stage by stage as the record times them.
async fn webhooks(cast: &Cast, told: &mut Told, rotation: &Rotation) -> anyhow::Result<()> {
    let spans: Vec<Span<'_>> = spans(&rotation.stages)?;
    let ended = spans.last().context("a rotation without stages")?.from_ms;
    // The last stage has no end: it is counted until it has seen enough.
    let enough = async {
        loop {
            let deliveries = cast.witness.deliveries().await?;
            if deliveries.iter().filter(|delivery| delivery.sent_at_ms >= ended).count() >= 2 * AT_LEAST {
                return anyhow::Ok(deliveries);
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    let deliveries = tokio::time::timeout(PATIENCE, enough).await.context("the webhooks stopped")??;
    let counts: Vec<Count<'_>> = spans
        .iter()
        .filter(|span| COUNTED.contains(&span.stage))
        .map(|span| Count::of(span, &deliveries))
        .collect();
    let rejected: usize = counts.iter().map(|count| count.rejected).sum();
    let holds =
        rejected == 0 && counts.len() == COUNTED.len() && counts.iter().all(|count| count.sent >= AT_LEAST);
    let observed: Vec<String> = counts
        .iter()
        .map(|count| format!("{} of {} in {}", count.rejected, count.sent, count.stage))
        .collect();
    told.judged(
        "no genuine webhook is rejected during the whole rotation",
        (format!("0 of at least {AT_LEAST} in every stage"), observed.join(", ")),
        holds.into(),
    )
}

/// A stage and its time, Unix milliseconds.
struct Span<'a> {
    stage: &'a str,
    from_ms: i64,
    until_ms: i64,
}

fn spans(stages: &[StageReached]) -> anyhow::Result<Vec<Span<'_>>> {
    let begin = |stage: &StageReached| -> anyhow::Result<i64> {
        let at: countersign_core::time::Time = stage.at.parse().context("the time of a stage")?;
        Ok(at.as_millis())
    };
    let mut spans = Vec::with_capacity(stages.len());
    for stage in stages {
        let from_ms = begin(stage)?;
        let until_ms = stage.duration_ms.map_or(i64::MAX, |duration| from_ms + duration);
        spans.push(Span { stage: &stage.stage, from_ms, until_ms });
    }
    Ok(spans)
}

struct Count<'a> {
    stage: &'a str,
    sent: usize,
    rejected: usize,
}

impl<'a> Count<'a> {
    fn of(span: &Span<'a>, deliveries: &[Delivery]) -> Self {
        let within = |delivery: &&Delivery| (span.from_ms..span.until_ms).contains(&delivery.sent_at_ms);
        let sent = deliveries.iter().filter(within);
        let rejected = sent.clone().filter(|delivery| !delivery.is_accepted()).count();
        Self { stage: span.stage, sent: sent.count(), rejected }
    }
}

/// The provider still remembers the old secret and signs one more webhook with it, and one with the new.
async fn old_secret(witness: &Witness, told: &mut Told) -> anyhow::Result<()> {
    let say = |answers: Vec<Answer>| {
        let one = |answer: &Answer| {
            let status = answer.status.map_or("no answer".to_owned(), |status| status.to_string());
            format!("{status} {}", answer.code.as_deref().unwrap_or("accepted"))
        };
        answers.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let (old, new) = (say(witness.send_with(1).await?), say(witness.send_with(2).await?));
    told.same(
        "a webhook signed with the old secret is refused after the overlap, one with the new is not",
        "old: 400 signature_mismatch, 400 signature_mismatch; new: 200 accepted, 200 accepted",
        format!("old: {old}; new: {new}"),
    )
}

/// The record shows timings, hooks, links, policy, approval and permit.
fn record(told: &mut Told, rotation: &Rotation, (permit, policy): (&Permit, &str)) -> anyhow::Result<()> {
    let timed = rotation.stages.iter().filter(|stage| stage.duration_ms.is_some()).count();
    let overlap = rotation.stages.iter().find(|stage| stage.stage == "overlap");
    let overlap_ms = overlap.and_then(|stage| stage.duration_ms).unwrap_or_default();
    told.judged(
        "the record shows the time of each stage, and the overlap that was approved",
        (
            format!("{} stages timed, overlap at least {OVERLAP_SECONDS}000 ms", STAGES.len() - 1),
            format!("{timed} stages timed, overlap {overlap_ms} ms"),
        ),
        (timed == STAGES.len() - 1 && overlap_ms >= i64::from(OVERLAP_SECONDS) * 1000).into(),
    )?;
    let hooks = rotation.hooks;
    told.same(
        "the record shows the hooks",
        "2 of 2 hooks acknowledged, 0 failed",
        format!("{} of {} hooks acknowledged, {} failed", hooks.acknowledged, hooks.tried, hooks.failed),
    )?;
    told.same(
        "the record rests on the permit, the approval and the policy in force",
        rests_on(&permit.id, permit.approval.as_deref(), policy),
        rests_on(&rotation.permit, rotation.approval.as_deref(), &rotation.policy.sha256),
    )?;
    let links = &rotation.links;
    told.judged(
        "the record links to the runbook and to the dashboard at the rotation's own time",
        ("both links, the window around the rotation", format!("{} and {}", links.runbook, links.dashboard)),
        links_fit(rotation)?.into(),
    )
}

fn rests_on(permit: &str, approval: Option<&str>, policy: &str) -> String {
    format!("{permit}, {}, policy {policy}", approval.unwrap_or("no approval"))
}

fn links_fit(rotation: &Rotation) -> anyhow::Result<bool> {
    let spans = spans(&rotation.stages)?;
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { bail!("a rotation without stages") };
    let dashboard = &rotation.links.dashboard;
    let number = |name: &str| -> Option<i64> {
        let (_, rest) = dashboard.split_once(name)?;
        rest.split('&').next()?.parse().ok()
    };
    let window = number("from=").zip(number("to="));
    let around = window.is_some_and(|(from, to)| from <= first.from_ms && to >= last.from_ms);
    Ok(around && rotation.links.runbook.contains(&rotation.id))
}
