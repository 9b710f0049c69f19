//! What we link: every dependency's licence must be one we may pass on, and some crates are banned, each for a reason.
//!
//! It works offline, from `cargo metadata`. Advisories need a database from the network and are not looked at here.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Licences that let anybody use, change and pass on, at most asking for a notice or for changes to the crate itself.
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];

/// Crates we do without.
const BANNED: [(&str, &str); 3] = [
    ("aws-lc-rs", "one provider of cryptography for TLS is enough, and ring builds with a C compiler alone"),
    ("openssl-sys", "it needs a library of the system, and TLS is rustls here"),
    ("native-tls", "TLS is rustls here, on every system the same"),
];

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(["metadata", "--format-version", "1", "--locked"]).output();
    let output = output.context("running `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading `cargo metadata`")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
    let complaints: Vec<String> = packages.iter().filter_map(complaint).collect();
    let mut out = String::new();
    for complaint in &complaints {
        out.push_str(&format!("{complaint}\n"));
    }
    out.push_str(&format!("licences: {} packages, {} complaints\n", packages.len(), complaints.len()));
    std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes())?;
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn complaint(package: &Value) -> Option<String> {
    let name = package["name"].as_str().unwrap_or("?");
    if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| *banned == name) {
        return Some(format!("{name} is banned: {reason}"));
    }
    match package["license"].as_str() {
        None => Some(format!("{name} names no licence")),
        Some(expression) if is_allowed(expression) => None,
        Some(expression) => Some(format!("{name} has the licence `{expression}`")),
    }
}

/// Whether an SPDX expression can be satisfied with what is allowed. `AND` binds before `OR`; the old `/` means `OR`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (allowed, rest) = either(&words);
    allowed && rest.is_empty()
}

fn either<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut allowed, mut rest) = both(words);
    while let ["OR", tail @ ..] = rest {
        let (other, after) = both(tail);
        allowed |= other;
        rest = after;
    }
    (allowed, rest)
}

fn both<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut allowed, mut rest) = one(words);
    while let ["AND", tail @ ..] = rest {
        let (other, after) = one(tail);
        allowed &= other;
        rest = after;
    }
    (allowed, rest)
}

fn one<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => match either(inner) {
            (allowed, [")", rest @ ..]) => (allowed, rest),
            (_, rest) => (false, rest),
        },
        // An exception only ever gives more leave.
        [licence, "WITH", _, rest @ ..] | [licence, rest @ ..] => (ALLOWED.contains(licence), rest),
        [] => (false, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_satisfied_as_spdx_says() {
        for allowed in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "Apache-2.0 WITH LLVM-exception",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "GPL-3.0 OR MIT AND ISC",
        ] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for refused in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "", "(MIT", "MIT ISC"] {
            assert!(!is_allowed(refused), "{refused}");
        }
    }
}
