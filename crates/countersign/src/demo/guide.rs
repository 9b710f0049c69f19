//! The guided demo: watches what happens in the ledger and says what to type next, ready to paste.
//!
//! It only looks, with the auditor's credential; everything that happens is typed by whoever follows it.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use countersign_api::approval::Approval;
use countersign_api::rotation::Rotation;
use countersign_client::Listing;

use super::cast::{Cast, ENVIRONMENT, ORIGIN, SECRET, WEBHOOK_MINUTES, Who};
use super::child;
use super::witness::{Seen, Witness};
use crate::commands::rotation::is_last;

/// How often the ledger is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// What the one who follows could do next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// Ask for a rotation.
    Request,
    /// Agree to this request; these people still could.
    Vote(String, Vec<String>),
    /// Reserve a permit on this approval, with the parameters that were approved.
    Reserve(String, String),
    /// Start a rotation under this permit.
    Start(String),
    /// Watch this rotation, which is in this stage.
    Watch(String, String),
    /// Look at the evidence of this rotation, which ended in this stage.
    Verify(String, String),
}

/// Accompanies whoever follows until they press Ctrl-C.
pub(super) async fn accompany(cast: Cast) -> anyhow::Result<ExitCode> {
    let program = cast.places.at("countersign");
    std::os::unix::fs::symlink(child::program()?, &program)
        .context("linking this program into the folder")?;
    say(&welcome(&cast)?)?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listening for Ctrl-C")?,
        ended = watch(&cast) => ended?,
    }
    say("\nStopping everything.\n")?;
    Ok(ExitCode::SUCCESS)
}

async fn watch(cast: &Cast) -> anyhow::Result<()> {
    let (mut told, mut tally) = (None, Tally::default());
    loop {
        // At every look, because the provider does not remember for ever.
        tally.go_on(&cast.witness).await?;
        let next = next(cast).await?;
        if told.as_ref() != Some(&next) {
            say(&words((cast, &tally), (&next, told.as_ref()))?)?;
            told = Some(next);
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn welcome(cast: &Cast) -> anyhow::Result<String> {
    Ok(format!(
        "Countersign governs two NudgePay instances on this machine. Ctrl-C ends everything.\n\n  \
         folder     {folder}\n  \
         people     Ana asks and executes, Ben and Chloe approve, Aud audits\n  \
         payouts    POST {payouts}/payouts/override, with the header Countersign-Approval\n  \
         webhooks   genuine ones arrive all the time, for {WEBHOOK_MINUTES} minutes\n  \
         ledger     {ORIGIN}\n\n\
         Dee is a third approver. Her one-time link, for a browser on this machine: she makes a passkey, decides there, and lets \
         `countersign login` in:\n\n  {link}\n\n\
         In another terminal:\n\n  cd {folder}\n",
        folder = cast.places.at("").display(),
        payouts = cast.payouts(),
        link = cast.one_time_link()?
    ))
}

/// What has happened last decides what comes next.
async fn next(cast: &Cast) -> anyhow::Result<Next> {
    let aud = cast.client(Who::Aud)?;
    let newest = Listing { limit: Some(1), ..Listing::default() };
    let rotation = aud.rotations(&newest).await?.items.into_iter().next();
    let approval = aud.approvals(&Listing::default()).await?.items.into_iter().find(is_rotation);
    Ok(match (approval, rotation) {
        (Some(approval), Some(rotation)) if rotation.approval.as_ref() == Some(&approval.id) => {
            follow(rotation)
        }
        // What is listed has no parameters: they are details, which only the one record brings.
        (Some(approval), _) => decide(aud.approval(&approval.id).await?)?,
        (None, _) => Next::Request,
    })
}

fn is_rotation(approval: &Approval) -> bool {
    approval.action.verb == "rotate"
}

fn follow(rotation: Rotation) -> Next {
    if is_last(&rotation.stage) {
        Next::Verify(rotation.id, rotation.stage)
    } else {
        Next::Watch(rotation.id, rotation.stage)
    }
}

fn decide(approval: Approval) -> anyhow::Result<Next> {
    Ok(match (approval.status.as_str(), approval.permit) {
        ("pending", _) => {
            let could = approval.missing.into_iter().flat_map(|missing| missing.could);
            Next::Vote(approval.id, could.filter_map(|person| person.name).collect())
        }
        ("approved", _) => Next::Reserve(approval.id, parameters(approval.parameters)?),
        ("consumed", Some(permit)) => Next::Start(permit),
        _ => Next::Request,
    })
}

/// Parameters as an argument that a shell takes as they are.
fn parameters(parameters: Option<serde_json::Value>) -> anyhow::Result<String> {
    let parameters = parameters.context("the approval is told without its parameters")?;
    Ok(format!("--params '{parameters}'"))
}

fn words((cast, tally): (&Cast, &Tally), (next, told): (&Next, Option<&Next>)) -> anyhow::Result<String> {
    let action = format!("rotate {SECRET} {ENVIRONMENT}");
    let as_person = |name: &str, rest: &str| {
        format!("  ./countersign --credential {}.json {rest}\n", name.to_lowercase())
    };
    Ok(match next {
        Next::Request => format!(
            "\nAna asks for a rotation:\n\n{}",
            as_person(
                "Ana",
                &format!(
                    "approval request {action} --param overlap_seconds=10 --reason \"quarterly rotation\""
                )
            )
        ),
        Next::Vote(approval, could) => {
            let votes = could.iter().map(|name| as_person(name, &format!("approval approve {approval}")));
            format!(
                "\nIt is pending. Her own approval would be refused (try it); others may agree:\n\n{}",
                votes.collect::<String>()
            )
        }
        Next::Reserve(approval, parameters) => format!(
            "\nThe quorum is met. Ana gets leave to do exactly that, once (another overlap would be refused):\n\n{}",
            as_person("Ana", &format!("permit reserve {action} {parameters} --approval {approval}"))
        ),
        Next::Start(permit) => format!(
            "\nAna starts the rotation under her permit:\n\n{}",
            as_person("Ana", &format!("rotation start --permit {permit}"))
        ),
        Next::Watch(rotation, stage) => {
            let begins = !matches!(told, Some(Next::Watch(..)));
            let hint = if begins {
                let watch = as_person("Aud", &format!("rotation watch {rotation}"));
                format!("\nIt runs. Here are its stages; to follow it by yourself:\n\n{watch}\n")
            } else {
                String::new()
            };
            format!("{hint}  {stage}: {tally}\n")
        }
        Next::Verify(rotation, stage) => {
            let show = as_person("Aud", &format!("rotation show {rotation}"));
            let export = as_person("Aud", &format!("evidence export {rotation} --out {rotation}.html"));
            let database = cast.places.database()?;
            format!(
                "  {stage}: {tally}\n\nAud looks at the record and verifies the ledger:\n\n{show}  \
                 ./countersign ledger verify {} --key @server/log.vkey\n\n\
                 The case as one file: open it in a browser, or verify it, also when nothing runs any more:\n\n{export}  \
                 ./countersign evidence verify {rotation}.html --key @server/log.vkey\n\nAnother rotation may be requested at any time.\n",
                quoted(&database.display().to_string())
            )
        }
    })
}

/// As a shell takes it: an address has signs that mean something there.
fn quoted(place: &str) -> String {
    if place.contains('&') { format!("'{place}'") } else { place.to_owned() }
}

/// How genuine webhooks have fared since the beginning, by the provider's word.
#[derive(Debug, Default)]
struct Tally {
    seen: Seen,
    sent: usize,
    rejected: usize,
}

impl Tally {
    async fn go_on(&mut self, witness: &Witness) -> anyhow::Result<()> {
        while let Some(deliveries) = witness.more_deliveries(&mut self.seen).await? {
            self.sent += deliveries.len();
            self.rejected += deliveries.iter().filter(|delivery| !delivery.is_accepted()).count();
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} genuine webhooks rejected so far", self.rejected, self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(stage: &str) -> Rotation {
        serde_json::from_value(serde_json::json!({
            "id": "rot_1", "secret": SECRET, "environment": ENVIRONMENT, "from_version": 1, "to_version": 2, "stage": stage,
            "stages": [], "overlap_seconds": 3, "policy": { "sha256": "", "dwell_ms": 1, "attempts": 1 }, "hooks": { "tried": 0, "acknowledged": 0, "failed": 0 }, "tasks": [],
            "links": { "runbook": "", "dashboard": "" }, "started_by": { "id": "per_1" }, "permit": "prm_1",
            "correlation": "cor_1"
        }))
        .unwrap()
    }

    fn approved(parameters: &serde_json::Value) -> Approval {
        serde_json::from_value(serde_json::json!({
            "id": "apr_1", "status": "approved", "parameters": parameters, "parameters_sha256": "", "requester": { "id": "per_1" },
            "action": { "verb": "rotate", "resource": SECRET, "environment": ENVIRONMENT },
            "rules": [], "requested_at": "", "votes": [], "missing": [], "correlation": "cor_1"
        }))
        .unwrap()
    }

    #[test]
    fn a_permit_is_reserved_with_the_parameters_that_were_approved_and_never_with_made_up_ones() {
        let told = decide(approved(&serde_json::json!({ "overlap_seconds": 10 }))).unwrap();
        assert_eq!(told, Next::Reserve("apr_1".into(), r#"--params '{"overlap_seconds":10}'"#.into()));
        assert!(decide(approved(&serde_json::Value::Null)).is_err());
    }

    #[test]
    fn a_rotation_is_watched_until_it_has_ended_either_way() {
        assert_eq!(follow(rotation("overlap")), Next::Watch("rot_1".into(), "overlap".into()));
        for last in ["closed", "aborted", "swapped-back"] {
            assert_eq!(follow(rotation(last)), Next::Verify("rot_1".into(), last.into()));
        }
    }
}
