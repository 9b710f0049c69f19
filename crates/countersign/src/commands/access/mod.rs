//! `countersign access review`: who may do what, who did, and what nobody needs any more, for auditors.
//!
//! # Layout
//! - `csv`: one row for each thing, for spreadsheets
//! - `html`: one page, for reading and printing

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use countersign_api::review::AccessReview;
use serde_json::json;

use super::{Session, name};
use crate::output::Table;

mod csv;
mod html;
#[cfg(test)]
mod tests;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Who can ask for, agree to and execute what, who did in the last days, and what is stale.
    Review(Review),
}

/// What is reviewed, and in which form.
#[derive(Debug, Args)]
pub(crate) struct Review {
    /// How many days to look at, 1 to 3660.
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Only rights in this environment.
    #[arg(long)]
    environment: Option<String>,
    /// The form; without it what is stale is listed.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// The file to write, instead of printing it; one that exists is not overwritten.
    #[arg(long, value_name = "FILE", requires = "format")]
    output: Option<PathBuf>,
}

/// How a review is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// As the server gives it.
    Json,
    /// One row for each person, right, token, thing a token may do, and stale thing (RFC 4180).
    Csv,
    /// One page, for reading and printing.
    Html,
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let Verb::Review(asked) = verb;
    let review = session.client()?.access_review(Some(asked.days), asked.environment.as_deref()).await?;
    let Some(form) = asked.format else { return session.output.show(&review, summary) };
    let written = match form {
        Form::Json => serde_json::to_string_pretty(&review)? + "\n",
        Form::Csv => csv::written(&review),
        Form::Html => html::written(&review),
    };
    let Some(path) = asked.output else { return session.output.say(written.trim_end()) };
    save(&path, &written)?;
    let rights = review.rights.len();
    let told = json!({ "file": path.display().to_string(), "bytes": written.len(), "size": review.log.size, "root": review.log.root });
    session.output.show(&told, |_| {
        format!("{rights} rights and {} stale things in `{}`", review.stale.len(), path.display())
    })
}

fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    let opened = std::fs::File::create_new(path).with_context(|| format!("creating `{}`", path.display()));
    opened?.write_all(text.as_bytes()).with_context(|| format!("writing `{}`", path.display()))
}

fn summary(review: &AccessReview) -> String {
    let AccessReview { log, policy, people, rights, tokens, stale, days, .. } = review;
    let mut table = Table::new(["what", "who", "of", "since"], "nothing is stale");
    for it in stale {
        table.row([&it.kind, name(&it.person), &it.what, it.since.as_deref().unwrap_or_default()]);
    }
    format!(
        "{} people, {} rights and {} tokens under policy `{}`, and what was done in {days} days\nlog {} with {} entries, root {}\n\n{}",
        people.len(),
        rights.len(),
        tokens.len(),
        policy.name,
        log.origin,
        log.size,
        log.root,
        table.render()
    )
}
