//! `countersign run`: runs a command under a permit. Asks, waits until others agreed, reserves, starts, runs, reports.
//!
//! The command's standard input, output and error are the terminal's or whatever this program was given; what this program has to say
//! goes to standard error. While the command runs it gives the signs of life that the rules ask for. A success is reported only where the command itself ended with 0 and nobody interrupted it. Whatever keeps
//! the report from arriving (this program killed, the server gone) leaves the permit to its deadline, and then it is *unknown*.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use countersign_api::permit::{FinishPermit, Outcome, Permit};
use countersign_client::{Client, ClientError, Patience};
use serde_json::json;

use super::Session;
use crate::cli::Why;
use crate::failure::{Failure, Kind};
use crate::output::visible;
use crate::parameters::Parameters;

mod asking;
mod child;
mod left;
mod news;

/// Run a command under a permit: asks for approval where one is needed, waits, runs, and reports the outcome.
#[derive(Debug, Args)]
#[command(
    after_help = "Everything after `--` is the command. Its exit code is passed on; 5 if it succeeded and that could not be reported."
)]
pub(crate) struct Run {
    /// What is to be done: verb, resource and environment, as in "override payout/limit production".
    #[arg(long, value_name = "ACTION", value_parser = action)]
    action: countersign_api::Action,
    #[command(flatten)]
    parameters: Parameters,
    #[command(flatten)]
    why: Why,
    /// Use this approval, and wait for it, instead of asking for one.
    #[arg(long, value_name = "ID")]
    approval: Option<String>,
    /// Use this exception from a freeze that holds the action, and wait for it; once for each such freeze.
    #[arg(long = "exception", value_name = "ID")]
    exceptions: Vec<String>,
    /// How long to wait for approval, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    timeout: u64,
    /// How long to try to report the outcome, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    report_timeout: u64,
    /// The command and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
}

/// An action in one argument.
fn action(text: &str) -> Result<countersign_api::Action, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [verb, resource, environment] = words.as_slice() else {
        return Err("an action is three words: verb, resource and environment".to_owned());
    };
    let [verb, resource, environment] = [verb, resource, environment].map(|word| (*word).to_owned());
    Ok(countersign_api::Action { verb, resource, environment })
}

/// Speaks to whoever watches the command, on standard error; programs hear only the end.
#[derive(Clone, Copy, Debug)]
struct Teller {
    json: bool,
}

impl Teller {
    fn say(self, text: &str) {
        if !self.json {
            // Where nobody can hear it, the command is run all the same.
            drop(writeln!(std::io::stderr().lock(), "countersign: {}", visible(text)));
        }
    }

    fn end(self, permit: &Permit, report: &serde_json::Value) {
        if self.json {
            let document = json!({ "permit": permit.id, "status": permit.status, "report": report });
            drop(writeln!(std::io::stderr().lock(), "{document}"));
        } else {
            self.say(&format!("{} {}", permit.id, permit.status));
        }
    }
}

pub(crate) async fn run(session: &Session, run: &Run) -> anyhow::Result<ExitCode> {
    let (client, teller) = (session.client()?, Teller { json: session.output.is_json() });
    let wanted = asking::Wanted {
        action: run.action.clone(),
        parameters: run.parameters.read()?,
        reason: run.why.reason.clone(),
        exceptions: run.exceptions.clone(),
        timeout: Duration::from_secs(run.timeout),
    };
    left::give_back(&client, teller).await;
    let permit = asking::permit(&client, teller, &wanted, run.approval.clone()).await?;
    let held = left::Held::note(&client, &permit).unwrap_or_else(|error| {
        teller.say(&format!("if this is killed now, nobody will give {} back: {error:#}", permit.id));
        None
    });
    // From here on a signal is the command's, and ends in a report.
    let signals = child::Signals::listen()?;
    let permit = start(&client, (&permit, held), run).await?;
    teller.say(&format!(
        "{} started; to be reported by {}",
        permit.id,
        permit.finish_by.as_deref().unwrap_or("?")
    ));
    let ended = client.while_alive(&permit, child::perform(&run.command, signals)).await?;
    if let Some(why) = &ended.not_started {
        teller.say(&format!("`{}` could not be started: {why}", run.command[0].to_string_lossy()));
    }
    let report = serde_json::to_value(&ended.run)?;
    let outcome = if ended.succeeded() { Outcome::Succeeded } else { Outcome::Failed };
    let finish = FinishPermit { outcome, reason: ended.not_started.clone(), report: Some(report.clone()) };
    match finished(&client, (&permit, &finish), Duration::from_secs(run.report_timeout)).await {
        Ok(permit) if permit.status != "unknown" => {
            teller.end(&permit, &report);
            Ok(ExitCode::from(ended.code()))
        }
        Ok(late) => {
            teller.end(&late, &report);
            Err(unreported(
                &ended,
                format!("the report of {} came too late: its outcome is unknown", late.id),
                None,
            ))
        }
        Err(error) => {
            let by = permit.finish_by.as_deref().unwrap_or("its deadline");
            let what =
                format!("the outcome of {} could not be reported: from {by} on it is unknown", permit.id);
            Err(unreported(&ended, what, Some(error)))
        }
    }
}

/// Starts the permit, or gives it back where the node says that it was not started. Where nobody says anything the next run looks.
async fn start(
    client: &Client,
    (permit, held): (&Permit, Option<left::Held>),
    run: &Run,
) -> anyhow::Result<Permit> {
    let started = client.start_permit(&permit.id, &run.why.wire()).await;
    let settled = match &started {
        Ok(_) => true,
        // The refusal is what there is to be told.
        Err(ClientError::Problem(_)) => client.release_permit(&permit.id, &run.why.wire()).await.is_ok(),
        Err(_) => false,
    };
    if let Some(held) = held.filter(|_| settled) {
        held.over();
    }
    Ok(started?)
}

/// Reports for as long as that may help: without a report the outcome is unknown.
async fn finished(
    client: &Client,
    (permit, finish): (&Permit, &FinishPermit),
    timeout: Duration,
) -> anyhow::Result<Permit> {
    let persistent =
        Patience { attempts: u32::MAX, first: Duration::from_millis(200), longest: Duration::from_secs(5) };
    let client = client.clone().with_patience(persistent);
    let reported = tokio::time::timeout(timeout, client.finish_permit(&permit.id, finish)).await;
    let late = |_| {
        Failure::new(Kind::Unavailable, format!("the server did not answer within {} s", timeout.as_secs()))
    };
    Ok(reported.map_err(late)??)
}

/// The command ended, and nobody was told. Its own failure is passed on; its success must not look like one.
fn unreported(ended: &child::Ended, what: String, cause: Option<anyhow::Error>) -> anyhow::Error {
    let hint = "say what happened in the incident that is opened";
    let failure = Failure::new(Kind::Unavailable, what).hint(hint);
    let failure = if ended.succeeded() { failure } else { failure.exit(ended.code()) };
    match cause {
        Some(cause) => cause.context(failure),
        None => failure.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_three_words() {
        let parsed = action(" override  payout/limit production ").unwrap();
        assert_eq!((parsed.verb.as_str(), parsed.resource.as_str()), ("override", "payout/limit"));
        for odd in ["", "override payout/limit", "override payout/limit production now"] {
            assert!(action(odd).is_err(), "{odd}");
        }
    }
}
