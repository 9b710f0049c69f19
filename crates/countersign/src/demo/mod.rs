//! `countersign demo`: Countersign, two NudgePay instances and the payment provider on this machine, ready to be governed.
//!
//! Everything runs as it would run for real: separate processes that speak HTTP on free loopback ports, with data in a folder of
//! its own. `--story` plays a whole governed rotation by itself and judges every step by what other processes answered.
//!
//! # Layout
//! - `browser`: a browser and an authenticator in software, for whoever plays a person
//! - `child`: this binary started again as one of the programs
//! - `cast`: who takes part: keys, configuration, servers, people
//! - `witness`: what NudgePay and the provider say, who are not Countersign
//! - `story`: the story, chapter by chapter
//! - `guide`: what to type next, ready to paste

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use countersign_server::cluster::{Cluster, Wishes};
use tempfile::TempDir;

mod browser;
mod cast;
mod child;
mod guide;
mod story;
mod witness;

use crate::failure::{Failure, Kind};
use cast::Cast;

/// Run Countersign with the application it governs, on this machine.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Play the whole story by itself; exits 0 only if every step came out as told.
    #[arg(long)]
    story: bool,
    /// Where Countersign keeps its ledger.
    #[arg(long, value_enum, default_value_t = Ledger::Sqlite)]
    store: Ledger,
    /// Keep the data in this new folder; otherwise it is in a temporary one and removed at the end.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Where Countersign keeps its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Ledger {
    /// In a file of its data folder.
    Sqlite,
    /// In a PostgreSQL that the demo starts itself and removes at the end, shared by several nodes.
    Postgres,
}

/// One of the demo's programs, as a process of its own.
#[derive(Debug, Args)]
pub(crate) struct Program {
    /// Which.
    program: Part,
    /// Its configuration: a file, because arguments can be read by others and it holds keys.
    config: PathBuf,
}

/// A part in the demo that is not Countersign's.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// The payment service.
    App,
    /// The payment provider.
    Provider,
    /// The CI system.
    Ci,
}

/// Performs a part until it is told to stop.
pub(crate) async fn perform(arguments: &Program) -> anyhow::Result<()> {
    let path = arguments.config.display();
    let text = std::fs::read_to_string(&arguments.config).with_context(|| format!("reading `{path}`"))?;
    // Only the place is told: the parser's message may quote a key.
    let malformed =
        |error: serde_json::Error| anyhow::anyhow!("`{path}`: malformed in line {}", error.line());
    match arguments.program {
        Part::App => nudgepay::app::run(serde_json::from_str(&text).map_err(malformed)?).await?,
        Part::Provider => nudgepay::provider::run(serde_json::from_str(&text).map_err(malformed)?).await?,
        Part::Ci => nudgepay::ci::run(serde_json::from_str(&text).map_err(malformed)?).await?,
    }
    Ok(())
}

/// Runs the demo to its end. `json` makes the story print one JSON document instead of lines.
pub(crate) async fn run(demo: &Demo, json: bool) -> anyhow::Result<ExitCode> {
    if json && !demo.story {
        let what = "`--json` goes with `--story`: the guided demo speaks to people";
        return Err(Failure::new(Kind::Malformed, what).hint("add `--story`, or leave `--json` out").into());
    }
    let place = Place::new(demo.folder.as_deref())?;
    let cluster = match demo.store {
        Ledger::Sqlite => None,
        Ledger::Postgres => Some(cluster()?),
    };
    let cast = Cast::enter(place.path(), cluster).await.context("setting up the demo")?;
    if demo.story { story::play(cast, json).await } else { guide::accompany(cast).await }
}

/// A PostgreSQL with a database for the ledger.
fn cluster() -> anyhow::Result<Cluster> {
    let started = Cluster::start(&Wishes::default());
    let cluster = started.map_err(|error| Failure::new(Kind::Unavailable, error.to_string()))?;
    cluster.create_database(cast::DATABASE)?;
    Ok(cluster)
}

/// Where the data are.
enum Place {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Place {
    fn new(folder: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = folder else {
            let made = tempfile::Builder::new().prefix("countersign-demo-").tempdir();
            return made.map(Self::Temporary).context("making a temporary folder");
        };
        std::fs::create_dir(folder)
            .with_context(|| format!("making the new folder `{}`", folder.display()))?;
        // Secrets are referred to by absolute paths.
        Ok(Self::Kept(folder.canonicalize()?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}
