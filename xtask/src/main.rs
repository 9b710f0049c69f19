//! Chores of the workspace: `cargo run -p xtask -- CHORE`.
//!
//! `tidy` checks what the compiler and clippy do not, `licences` what we link; `reference` writes the generated references. `simulate` lives
//! through companies by seed, and `defects` writes down how soon the simulation notices each rule that is broken on purpose.

mod licences;
mod reference;
mod simulation;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    match std::env::args().nth(1).as_deref() {
        Some("defects") => simulation::defects(root),
        Some("licences") => licences::run(),
        Some("reference") => reference::run(root),
        Some("simulate") => simulation::run(root, std::env::args().skip(2)),
        Some("tidy") => tidy::run(root),
        other => anyhow::bail!(
            "unknown chore `{}`; there are `defects`, `licences`, `reference`, `simulate` and `tidy`",
            other.unwrap_or("")
        ),
    }
}
