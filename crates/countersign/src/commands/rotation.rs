//! `countersign rotation …` and `secret …`

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use countersign_api::Page;
use countersign_api::rotation::{Rotation, Secret, StageReached, Task};
use countersign_client::Client;

use super::{Session, more, name};
use crate::cli::{Listed, Why};
use crate::failure::{Failure, Kind};
use crate::output::{Output, Table, fields, line};

/// How often a rotation is looked at while somebody watches it.
const EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Begin a rotation under a reserved permit.
    Start {
        /// The permit.
        #[arg(long, value_name = "ID")]
        permit: String,
    },
    /// Stop a rotation and restore what was before.
    Abort {
        id: String,
        #[command(flatten)]
        why: Why,
    },
    /// Rotations, newest first.
    List(Listed),
    /// One rotation: stages, hooks, links.
    Show { id: String },
    /// Follow a rotation to its end; succeeds only if it closes.
    Watch { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretVerb {
    /// Governed secrets.
    List(Listed),
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<ExitCode> {
    let client = session.client()?;
    let rotation = match verb {
        Verb::Start { permit } => client.start_rotation(&permit).await?,
        Verb::Abort { id, why } => client.abort_rotation(&id, &why.wire()).await?,
        Verb::List(listed) => {
            session.output.show(&client.rotations(&listed.listing()).await?, table)?;
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Show { id } => client.rotation(&id).await?,
        Verb::Watch { id } => {
            let rotation = watch(session.output, &client, &id).await?;
            if rotation.stage != "closed" {
                session.output.show(&rotation, show)?;
                let what = format!("the rotation ended as {}", rotation.stage);
                return Err(Failure::new(Kind::Refused, what).into());
            }
            rotation
        }
    };
    session.output.show(&rotation, show)?;
    Ok(ExitCode::SUCCESS)
}

/// Tells each stage as it is reached, until the last one.
async fn watch(output: Output, client: &Client, id: &str) -> anyhow::Result<Rotation> {
    let mut told = 0;
    loop {
        let rotation = client.rotation(id).await?;
        if !output.is_json() {
            for StageReached { stage, at, .. } in rotation.stages.iter().skip(told) {
                line(&format!("{at}  {stage}"))?;
            }
        }
        told = rotation.stages.len();
        if is_last(&rotation.stage) {
            return Ok(rotation);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether a rotation ends in this stage.
pub(crate) fn is_last(stage: &str) -> bool {
    matches!(stage, "closed" | "aborted" | "swapped-back")
}

pub(crate) async fn secrets(session: &Session, verb: SecretVerb) -> anyhow::Result<()> {
    let SecretVerb::List(listed) = verb;
    session.output.show(&session.client()?.secrets(&listed.listing()).await?, |page: &Page<Secret>| {
        let mut table =
            Table::new(["secret", "environment", "version", "since", "rotation"], "no secret is governed");
        for secret in &page.items {
            let rotation = secret.rotation.as_deref().unwrap_or_default();
            let version = secret.current.to_string();
            table.row([&secret.secret, &secret.environment, &version, &secret.promoted_at, rotation]);
        }
        table.render() + &more(page.next.as_ref())
    })
}

fn table(page: &Page<Rotation>) -> String {
    let mut table =
        Table::new(["id", "stage", "secret", "environment", "versions"], "there are no rotations");
    for rotation in &page.items {
        let versions = format!("{} to {}", rotation.from_version, rotation.to_version);
        table.row([&rotation.id, &rotation.stage, &rotation.secret, &rotation.environment, &versions]);
    }
    table.render() + &more(page.next.as_ref())
}

fn show(rotation: &Rotation) -> String {
    let hooks = rotation.hooks;
    let head = fields(&[
        ("id", rotation.id.clone()),
        ("secret", format!("{} in {}", rotation.secret, rotation.environment)),
        ("versions", format!("{} to {}", rotation.from_version, rotation.to_version)),
        ("stage", rotation.stage.clone()),
        ("overlap", format!("{} s", rotation.overlap_seconds)),
        ("hooks", format!("{} of {} acknowledged, {} failed", hooks.acknowledged, hooks.tried, hooks.failed)),
        ("turned back", rotation.turned_back.clone().unwrap_or_default()),
        ("started by", name(&rotation.started_by).to_owned()),
        ("policy", format!("{}, {} attempts", rotation.policy.sha256, rotation.policy.attempts)),
        ("approval", rotation.approval.clone().unwrap_or_default()),
        ("permit", rotation.permit.clone()),
        ("runbook", rotation.links.runbook.clone()),
        ("dashboard", rotation.links.dashboard.clone()),
    ]);
    format!("{head}\n{}\n{}", stages(&rotation.stages), tasks(&rotation.tasks))
}

fn stages(stages: &[StageReached]) -> String {
    let mut table = Table::new(["stage", "reached at", "lasted"], "");
    for stage in stages {
        let lasted = stage.duration_ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
        table.row([&stage.stage, &stage.at, &lasted]);
    }
    table.render()
}

fn tasks(tasks: &[Task]) -> String {
    let mut table = Table::new(["task", "with", "state", "attempts", "took", "last failure"], "");
    for task in tasks {
        let took = task.latency_us.map(|us| format!("{us} µs")).unwrap_or_default();
        let (with, failure) = (task.target.as_deref().unwrap_or("store"), task.failure.as_deref());
        table.row([
            &task.step,
            with,
            &task.state,
            &task.attempts.to_string(),
            &took,
            failure.unwrap_or_default(),
        ]);
    }
    table.render()
}
