//! The one binary. Its commands arrive with the HTTP API; until then it says so instead of pretending.

use std::process::ExitCode;

use anyhow::bail;

fn main() -> anyhow::Result<ExitCode> {
    bail!(
        "this build has no commands yet: the ledger, the core and the engine are in place, the API and the demo are not"
    )
}
