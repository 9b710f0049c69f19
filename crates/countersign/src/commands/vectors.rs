//! `countersign vectors …`: plays published vectors, with the rules of this program or with somebody else's.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use clap::Subcommand;
use countersign_core::trial::{Outcome, Vector};
use serde::Serialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Session;
use crate::failure::{Failure, Kind};

/// What only the one who judges may know.
const ANSWERS: [&str; 2] = ["rejected", "statuses"];

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Play the vectors of a folder; ends with 6 if one of them does not hold.
    Run {
        /// The folder with the vectors, a JSON file each.
        folder: PathBuf,
        /// A program that plays them instead: a vector on its standard input, what it saw on its standard output.
        #[arg(long, value_name = "PROGRAM")]
        with: Option<PathBuf>,
    },
}

/// What became of the vectors.
#[derive(Debug, Default, Serialize)]
struct Report {
    held: usize,
    broken: Vec<Broken>,
}

/// A vector that does not hold.
#[derive(Debug, Serialize)]
struct Broken {
    vector: String,
    source: String,
    differences: Vec<String>,
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let Verb::Run { folder, with } = verb;
    let mut report = Report::default();
    for file in files(&folder)? {
        let shown = file.display();
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading `{shown}`"))?;
        let malformed = |error: serde_json::Error| Failure::new(Kind::Malformed, format!("{shown}: {error}"));
        let vector: Vector = serde_json::from_str(&text).map_err(malformed)?;
        let differences = match &with {
            None => vector.differences(
                &vector.play().map_err(|error| Failure::new(Kind::Malformed, format!("{shown}: {error}")))?,
            ),
            Some(program) => match ask(program, &question(&text).map_err(malformed)?).await? {
                Ok(outcome) => vector.differences(&outcome),
                Err(what) => vec![what],
            },
        };
        if differences.is_empty() {
            report.held += 1;
        } else {
            report.broken.push(Broken { vector: vector.name, source: vector.source, differences });
        }
    }
    if report.held == 0 && report.broken.is_empty() {
        return Err(
            Failure::new(Kind::NotFound, format!("there is no vector in `{}`", folder.display())).into()
        );
    }
    session.output.show(&report, show)?;
    match report.broken.len() {
        0 => Ok(()),
        broken => Err(Failure::new(Kind::Unverified, format!("{broken} vectors do not hold")).told().into()),
    }
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || format!("reading the folder `{}`", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(read)? {
        let path = entry.with_context(read)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The vector without what must be seen.
fn question(text: &str) -> Result<String, serde_json::Error> {
    let mut vector: Value = serde_json::from_str(text)?;
    if let Some(vector) = vector.as_object_mut() {
        ANSWERS.iter().for_each(|answer| drop(vector.remove(*answer)));
        for step in vector.get_mut("steps").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(step) = step.as_object_mut() {
                step.remove("expect");
            }
        }
    }
    serde_json::to_string(&vector)
}

/// What the program shows, or what is wrong with its answer.
async fn ask(program: &Path, question: &str) -> anyhow::Result<Result<Outcome, String>> {
    let starting = || format!("starting `{}`", program.display());
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(starting)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read everything may still answer.
        let _ = input.write_all(question.as_bytes()).await;
    }
    let output = child.wait_with_output().await.with_context(starting)?;
    if !output.status.success() {
        return Ok(Err(format!("the program ended with {}", output.status)));
    }
    Ok(serde_json::from_slice(&output.stdout).map_err(|error| format!("the program's answer: {error}")))
}

fn show(report: &Report) -> String {
    let mut text = String::new();
    for Broken { vector, source, differences } in &report.broken {
        text.push_str(&format!("{vector} ({source})\n"));
        for difference in differences {
            text.push_str(&format!("  {}\n", crate::output::visible(difference)));
        }
    }
    let all = report.held + report.broken.len();
    text + &format!("{} of {all} vectors hold", report.held)
}
