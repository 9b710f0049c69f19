//! The simulation, which is a program of its own: other chores need not wait until the server is built.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

/// Companies within which a defect must be noticed.
const SEEDS: &str = "100";

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["run", "--quiet", "--package", "countersign-simulation"]);
    cargo
}

/// Lives through companies: `--seeds N`, `--from SEED`, `--steps N`, `--defect NAME`. Optimised, because years take a while.
pub(crate) fn run(root: &Path, arguments: impl Iterator<Item = String>) -> anyhow::Result<ExitCode> {
    let status = cargo(root).args(["--release", "--"]).args(arguments).status().context("cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Breaks every rule, one after another, and writes `docs/reference/defects.md`.
pub(crate) fn defects(root: &Path) -> anyhow::Result<ExitCode> {
    let made = cargo(root).args(["--", "--table", "--seeds", SEEDS]).output().context("cargo")?;
    let table = String::from_utf8(made.stdout)?;
    if !made.status.success() {
        bail!("not every defect is noticed:\n{table}{}", String::from_utf8_lossy(&made.stderr));
    }
    let page = format!(
        "# Rules broken on purpose\n\n\
         Written by `cargo run -p xtask -- defects`. Each rule is broken in a process of its own, which then lives through companies by seed \
         (from 1, at most {SEEDS}, 1,500 steps each) until the judge objects; see [Simulating](../guides/simulating.md).\n\n{table}"
    );
    std::fs::write(root.join("docs/reference/defects.md"), page)?;
    Ok(ExitCode::SUCCESS)
}
