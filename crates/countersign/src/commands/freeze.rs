//! `countersign freeze …`

use clap::Subcommand;
use countersign_api::freeze::{Freezes, Window};

use super::Session;
use crate::output::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The freezes of the policy in force: which hold, and when they come next.
    List {
        /// As of this moment instead of now, as `2026-12-24T18:00:00+01:00`.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let Verb::List { at } = verb;
    session.output.show(&session.client()?.freezes(at.as_deref()).await?, table)
}

fn table(freezes: &Freezes) -> String {
    let columns = ["freeze", "status", "until", "next", "holds"];
    let mut table = Table::new(columns, "the policy in force has no freezes");
    for freeze in &freezes.freezes {
        let until = freeze.window.as_ref().map_or("", |window| &window.until);
        let next = freeze.next.first().map(spoken).unwrap_or_default();
        let holds = format!("{} {} {}", freeze.verb, freeze.resource, freeze.environment);
        table.row([freeze.name.as_str(), &freeze.status, until, &next, &holds]);
    }
    table.render()
}

fn spoken(window: &Window) -> String {
    format!("{} to {}", window.from, window.until)
}
