//! `countersign policy test`: what a policy file comes to in cases that are written down, and in what really happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_core::id::PersonId;
use countersign_core::policy::Policy;
use countersign_server::config::load_policy;

use super::{cases, replay};
use crate::commands::Session;
use crate::failure::{Failure, Kind};
use crate::people;

#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// The policy file.
    file: PathBuf,
    /// Cases to judge: who asks, agrees and executes what, and what must come of it; TOML, or JSON.
    #[arg(long, value_name = "FILE", required_unless_present = "since")]
    cases: Option<PathBuf>,
    /// The people there are, as `people.toml`, so that cases can name them.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// Judge again what really happened since then: `90d`, `12h`, or a time as in `2026-11-23T10:00:00Z`.
    #[arg(long, value_name = "TIME", visible_alias = "last")]
    since: Option<String>,
    /// Read what happened from this database, offline, instead of from a server.
    #[arg(long, value_name = "FILE", requires = "since", conflicts_with = "bundle")]
    database: Option<PathBuf>,
    /// Read what happened from this evidence bundle, offline.
    #[arg(long, value_name = "FILE", requires = "since")]
    bundle: Option<PathBuf>,
    /// End with 6 where something would have been decided differently.
    #[arg(long, requires = "since")]
    fail_on_change: bool,
}

/// Where what happened is read from.
pub(super) enum From<'a> {
    Server,
    Database(&'a Path),
    Bundle(&'a Path),
}

/// A policy that is tried, and the people it is tried with.
pub(super) struct Tried {
    pub(super) policy: Policy,
    pub(super) names: BTreeMap<String, PersonId>,
}

impl Tried {
    /// The name of a person, or their id.
    pub(super) fn name(&self, person: PersonId) -> String {
        let named = self.names.iter().find(|(_, id)| **id == person);
        named.map_or_else(|| person.to_string(), |(name, _)| name.clone())
    }
}

pub(crate) async fn run(session: &Session, test: &Test) -> anyhow::Result<()> {
    let policy = load_policy(&test.file)?;
    let mut names = BTreeMap::new();
    for person in test.people.as_deref().map(people::load).transpose()?.into_iter().flatten() {
        names.insert(person.name, person.id);
    }
    let mut tried = Tried { policy, names };
    let failed = match &test.cases {
        Some(file) => cases::run(session, (file, &tried))?,
        None => 0,
    };
    let changed = match &test.since {
        Some(since) => {
            let from = match (&test.database, &test.bundle) {
                (Some(database), _) => From::Database(database),
                (None, Some(bundle)) => From::Bundle(bundle),
                (None, None) => From::Server,
            };
            replay::run(session, (&mut tried, since), from).await?
        }
        None => 0,
    };
    if failed > 0 {
        return Err(Failure::new(Kind::Unverified, format!("{failed} cases do not hold")).told().into());
    }
    if changed > 0 && test.fail_on_change {
        let what = format!("{changed} decisions would have been different");
        return Err(Failure::new(Kind::Unverified, what).told().into());
    }
    Ok(())
}
