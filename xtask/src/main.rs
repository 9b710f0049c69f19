//! Chores of the workspace: `cargo run -p xtask -- CHORE`.
//!
//! `tidy` checks what the compiler and clippy do not, `licences` what we link; `reference` writes the generated references.

mod licences;
mod reference;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    match std::env::args().nth(1).as_deref() {
        Some("licences") => licences::run(),
        Some("reference") => reference::run(root),
        Some("tidy") => tidy::run(root),
        other => anyhow::bail!(
            "unknown chore `{}`; there are `licences`, `reference` and `tidy`",
            other.unwrap_or("")
        ),
    }
}
