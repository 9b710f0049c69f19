//! `countersign policy explain`: what an action demands, of whom, and what stands in somebody's way. Under the policy in force.

use countersign_api::explain::{Explanation, Obstacle};

use crate::cli::Action;
use crate::commands::{Session, name, places, proving, spoken};
use crate::output::fields;

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    action: Action,
    /// For whom, by id; for yourself, unless you name somebody.
    #[arg(long, value_name = "ID")]
    person: Option<String>,
}

pub(crate) async fn run(session: &Session, explain: &Explain) -> anyhow::Result<()> {
    let explanation = session.client()?.explain(&explain.action.wire(), explain.person.as_deref()).await?;
    session.output.show(&explanation, show)
}

fn show(explanation: &Explanation) -> String {
    let names =
        |people: &[countersign_api::PersonRef]| people.iter().map(name).collect::<Vec<_>>().join(", ");
    let lifetimes = explanation.lifetimes.map(|it| {
        let (pending, approved) = (it.pending_seconds, it.approved_seconds);
        let (start, work) = (it.start_seconds, it.work_seconds);
        format!("request {pending} s, approval {approved} s, start {start} s, work {work} s")
    });
    let rules = match explanation.rules.as_slice() {
        [] => "none: the action cannot be done".to_owned(),
        rules => rules.join(", "),
    };
    let standing = &explanation.standing;
    let possible = |obstacle: &Option<Obstacle>| match obstacle {
        None => "yes".to_owned(),
        Some(Obstacle { code, detail }) => format!("no: {detail} ({code})"),
    };
    let whom = name(&standing.person);
    fields(&[
        ("action", spoken(&explanation.action)),
        ("rules", rules),
        ("approval", explanation.approval.clone().unwrap_or_default()),
        ("may request", names(&explanation.requesters)),
        ("must agree", places(&explanation.quorum)),
        ("may execute", names(&explanation.executors)),
        ("fresh", explanation.fresh_seconds.map(proving).unwrap_or_default()),
        ("lifetimes", lifetimes.unwrap_or_default()),
        (&format!("{whom} requests"), possible(&standing.request)),
        (&format!("{whom} approves"), possible(&standing.approve)),
        (&format!("{whom} executes"), possible(&standing.execute)),
    ])
}
