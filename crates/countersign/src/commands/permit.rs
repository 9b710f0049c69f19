//! `countersign permit …`

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use countersign_api::Page;
use countersign_api::freeze::Verdict;
use countersign_api::permit::{
    FinishPermit, Outcome, Permit, ReconcilePermit, Reconciliation, ReservePermit,
};

use super::{Session, more, name, spoken};
use crate::cli::{Action, Listed, Why};
use crate::output::{Table, fields};
use crate::parameters::Parameters;

mod document;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Get leave to execute one action now, with exactly the parameters that were approved.
    Reserve {
        #[command(flatten)]
        action: Action,
        #[command(flatten)]
        parameters: Parameters,
        /// The approval to use, where the rules demand one.
        #[arg(long, value_name = "ID")]
        approval: Option<String>,
        /// An exception from a freeze that holds the action; once for each such freeze.
        #[arg(long = "exception", value_name = "ID")]
        exceptions: Vec<String>,
        #[command(flatten)]
        why: Why,
    },
    /// Begin the work.
    Start {
        id: String,
        #[command(flatten)]
        why: Why,
    },
    /// Give a permit back that was not started.
    Release {
        id: String,
        #[command(flatten)]
        why: Why,
    },
    /// Say how the work ended.
    Finish {
        id: String,
        outcome: Ended,
        #[command(flatten)]
        why: Why,
    },
    /// Say that the work goes on, where the rules ask for signs of life.
    Heartbeat {
        id: String,
        #[command(flatten)]
        why: Why,
    },
    /// Say what became of the work of somebody else's permit that is unknown.
    Reconcile {
        id: String,
        outcome: Ended,
        /// How it was found out.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Permits, newest first.
    List {
        #[command(flatten)]
        listed: Listed,
        /// Only those that are unknown and of which nobody has said what became of them.
        #[arg(long)]
        unreconciled: bool,
    },
    /// One permit.
    Show { id: String },
    /// Fetch the document of a permit, which an executor checks without asking anybody.
    Document {
        id: String,
        /// The file to write; one that exists is not overwritten.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print policy and voting keys, for executors to pin: look at them before you do.
    Roster,
    /// Check the document of a permit, offline: who signed it, that it is in the log, for what and until when, and who agreed.
    Verify(document::Verify),
}

/// How the work ended.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Ended {
    /// It was done.
    Succeeded,
    /// It was not done, or was undone.
    Failed,
}

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Succeeded => Self::Succeeded,
            Ended::Failed => Self::Failed,
        }
    }
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Verify(verify) => document::verify(session, &verify),
        Verb::Document { id, out } => document::fetch(session, &id, out.as_deref()).await,
        Verb::Roster => document::roster(session).await,
        online => call(session, online).await,
    }
}

async fn call(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    let permit = match verb {
        Verb::Reserve { action, parameters, approval, exceptions, why } => {
            let (action, parameters, reason) = (action.wire(), parameters.read()?, why.reason);
            client.reserve_permit(&ReservePermit { action, parameters, approval, exceptions, reason }).await?
        }
        Verb::Start { id, why } => client.start_permit(&id, &why.wire()).await?,
        Verb::Release { id, why } => client.release_permit(&id, &why.wire()).await?,
        Verb::Finish { id, outcome, why } => {
            let finish = FinishPermit { outcome: outcome.into(), reason: why.reason, report: None };
            client.finish_permit(&id, &finish).await?
        }
        Verb::Heartbeat { id, why } => client.keep_permit_alive(&id, &why.wire()).await?,
        Verb::Reconcile { id, outcome, reason } => {
            let reconciliation = ReconcilePermit { outcome: outcome.into(), reason };
            client.reconcile_permit(&id, &reconciliation).await?
        }
        Verb::List { listed, unreconciled: false } => {
            super::break_glass::banner(session, &client).await?;
            return session.output.show(&client.permits(&listed.listing()).await?, table);
        }
        Verb::List { listed, unreconciled: true } => {
            return session.output.show(&client.unreconciled_permits(&listed.listing()).await?, table);
        }
        Verb::Show { id } => client.permit(&id).await?,
        Verb::Document { .. } | Verb::Roster | Verb::Verify(_) => return Ok(()),
    };
    session.output.show(&permit, show)
}

fn table(page: &Page<Permit>) -> String {
    let mut table = Table::new(["id", "status", "action", "executor", "reserved at"], "there are no permits");
    for permit in &page.items {
        let action = spoken(&permit.action);
        table.row([&permit.id, &permit.status, &action, name(&permit.executor), &permit.reserved_at]);
    }
    table.render() + &more(page.next.as_ref())
}

/// What somebody else found out.
fn found(reconciled: &Reconciliation) -> String {
    let Reconciliation { outcome, by, at } = reconciled;
    let outcome = format!("{outcome:?}").to_lowercase();
    format!("{outcome}, as {} found out at {at}", name(by))
}

fn show(permit: &Permit) -> String {
    let given = |value: &Option<String>| value.clone().unwrap_or_default();
    let late = permit.late.map(|outcome| format!("{outcome:?}").to_lowercase());
    fields(&[
        ("id", permit.id.clone()),
        ("status", permit.status.clone()),
        ("action", spoken(&permit.action)),
        ("digest", permit.parameters_sha256.clone()),
        ("executor", name(&permit.executor).to_owned()),
        ("approval", given(&permit.approval)),
        ("break-glass", given(&permit.break_glass)),
        ("reserved at", permit.reserved_at.clone()),
        ("start by", permit.start_by.clone()),
        ("started at", given(&permit.started_at)),
        ("finish by", given(&permit.finish_by)),
        ("next sign of life by", given(&permit.next_by)),
        ("ended at", given(&permit.ended_at)),
        ("reported late", late.unwrap_or_default()),
        ("reconciled", permit.reconciled.as_ref().map(found).unwrap_or_default()),
        ("rotation", given(&permit.rotation)),
        ("excepted from", permit.freezes.as_ref().map(excepted).unwrap_or_default()),
    ])
}

fn excepted(verdict: &Verdict) -> String {
    verdict.excepted.iter().map(|(freeze, id)| format!("{freeze} by {id}")).collect::<Vec<_>>().join(", ")
}
