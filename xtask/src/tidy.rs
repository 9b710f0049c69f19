//! The tidy test: the house's rules on files, names, imports and tests, each with its reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

/// A file longer than this is a drawer nobody finds anything in.
const LONGEST: usize = 800;

/// Words that say nothing about what a module is.
const BANNED: [&str; 8] = ["manager", "helper", "helpers", "util", "utils", "common", "info", "misc"];

/// One source file.
struct Source {
    /// Path from the root, with `/`.
    path: String,
    text: String,
}

/// A rule: whether a file breaks it, and why there is such a rule.
struct Rule {
    reason: &'static str,
    broken: fn(&Source) -> Option<String>,
}

const RULES: [Rule; 9] = [
    Rule { reason: "a reader must learn in the first line what the file is and is not", broken: unopened },
    Rule { reason: "split where a piece is pure and deserves a name", broken: too_long },
    Rule { reason: "a name must say what it names", broken: banned_name },
    Rule {
        reason: "core and ledger stay pure: no clock, file or thread can be named there",
        broken: with_std,
    },
    Rule {
        reason: "core and ledger know nothing of each other or of the world; imports go one way",
        broken: wrong_way,
    },
    Rule { reason: "only the engine appends; everybody else reads", broken: writes_around },
    Rule {
        reason: "a test waits for a condition, never for time, and is never switched off",
        broken: idle_test,
    },
    Rule { reason: "what two sides of a merge say is decided by somebody, not kept", broken: undecided },
    Rule { reason: "an exception to a lint has a reason: `#[expect(…, reason = …)]`", broken: allows },
];

pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let mut paths = Vec::new();
    for folder in ["crates", "examples", "fuzz", "tests", "xtask"] {
        collect(&root.join(folder), &mut paths)?;
    }
    paths.sort();
    let mut complaints = 0;
    let mut out = String::new();
    for path in &paths {
        let text = fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
        let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let source = Source { path, text };
        for rule in &RULES {
            if let Some(what) = (rule.broken)(&source) {
                out.push_str(&format!("{}: {what}\n    because {}\n", source.path, rule.reason));
                complaints += 1;
            }
        }
    }
    out.push_str(&format!("tidy: {} files, {complaints} complaints\n", paths.len()));
    std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes())?;
    Ok(if complaints == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

impl Source {
    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The lines before the tests that stand in the same file.
    fn product(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|line| *line != "#[cfg(test)]")
    }
}

const PURE: [&str; 2] = ["crates/countersign-core/src/", "crates/countersign-ledger/src/"];

fn unopened(source: &Source) -> Option<String> {
    (!source.text.starts_with("//! ")).then(|| "does not open with `//!`".into())
}

fn too_long(source: &Source) -> Option<String> {
    let lines = source.product().count();
    (lines > LONGEST).then(|| format!("has {lines} lines, at most {LONGEST} are allowed"))
}

fn banned_name(source: &Source) -> Option<String> {
    let stem = Path::new(&source.path).file_stem()?.to_string_lossy();
    let word = stem.split('_').find(|word| BANNED.contains(word))?;
    Some(format!("is called `{word}`"))
}

fn with_std(source: &Source) -> Option<String> {
    if PURE.iter().any(|folder| source.path == format!("{folder}lib.rs")) {
        return (!source.text.contains("#![no_std]")).then(|| "is not `no_std`".into());
    }
    let mut uses = source.product().filter(|line| line.trim_start().starts_with("use std::"));
    uses.next().filter(|_| source.is_in(&PURE)).map(|line| format!("says `{}`", line.trim()))
}

fn wrong_way(source: &Source) -> Option<String> {
    let banned: &[&str] = match source.path.split('/').nth(1) {
        Some("countersign-core") => {
            &["countersign_ledger", "countersign_api", "countersign_server", "countersign_client"]
        }
        Some("countersign-ledger") => {
            &["countersign_core", "countersign_api", "countersign_server", "countersign_client"]
        }
        Some("countersign-api") => {
            &["countersign_core", "countersign_ledger", "countersign_server", "countersign_client"]
        }
        Some("countersign-client") => &["countersign_server", "nudgepay"],
        Some("countersign-server") => &["nudgepay", "countersign_client"],
        Some("nudgepay") => {
            &["countersign_core", "countersign_ledger", "countersign_api", "countersign_server"]
        }
        _ => &[],
    };
    let imports = |line: &&str| line.trim_start().starts_with("use ");
    let named =
        source.product().filter(imports).find_map(|line| banned.iter().find(|name| line.contains(**name)))?;
    Some(format!("uses `{named}`"))
}

fn writes_around(source: &Source) -> Option<String> {
    let outside = ["crates/countersign-server/src/http/", "crates/countersign-server/src/runner/"];
    let writes = source.product().any(|line| line.contains(".append(&") || line.contains("dyn Store"));
    (source.is_in(&outside) && writes).then(|| "writes to the store".into())
}

fn idle_test(source: &Source) -> Option<String> {
    let words = [concat!("#[ig", "nore"), concat!("thread::sl", "eep("), concat!("time::sl", "eep(")];
    let word = words.iter().find(|word| source.text.contains(**word))?;
    source.is_test().then(|| format!("says `{word}`"))
}

fn allows(source: &Source) -> Option<String> {
    let word = concat!("#[al", "low(");
    source.text.contains(word).then(|| format!("says `{word}`"))
}

/// Markers that a merge left where both sides changed something.
fn undecided(source: &Source) -> Option<String> {
    let mut lines = source.text.lines().enumerate();
    let left =
        lines.find(|(_, line)| line.starts_with(concat!("<<<<", "<<< ")) || *line == concat!("====", "==="));
    left.map(|(number, _)| format!("line {} is a marker of a merge", number + 1))
}
