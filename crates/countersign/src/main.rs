//! `countersign`: the one binary. Serves, governs from the terminal, verifies, and runs the demo.
//!
//! Everything it knows how to do is in its modules; here a command line becomes a call and an error becomes an exit code.
//!
//! # Layout
//! - `cli`: what can be typed
//! - `commands`: what it does, one file per noun
//! - `output`: tables, JSON, and text from elsewhere made visible
//! - `failure`: errors, their hints and exit codes
//! - `credentials` `people` `parameters`: files and arguments read strictly
//! - `export`: entries on their way to a file, an endpoint or standard output
//! - `demo`: everything at once, on this machine

use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod commands;
mod credentials;
#[cfg(feature = "demo")]
mod demo;
mod export;
mod failure;
mod output;
mod parameters;
mod people;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.options.json;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| failure::report(&error, json))
}

async fn run(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "sabotage")]
    sabotage()?;
    commands::run(cli).await
}

/// Test-only: breaks the rule that the environment names.
#[cfg(feature = "sabotage")]
fn sabotage() -> anyhow::Result<()> {
    let Some(name) = std::env::var("COUNTERSIGN_SABOTAGE").ok().filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    let sabotage = name.parse().map_err(|error| anyhow::anyhow!("`{name}`: {error}"))?;
    countersign_core::sabotage::activate(sabotage);
    Ok(())
}
