//! From what is wanted to a permit for it: asks where the rules demand it, says who is missing, and waits for them.

use std::time::Duration;

use countersign_api::approval::{Approval, RequestApproval};
use countersign_api::permit::{Permit, ReservePermit};
use countersign_client::{Client, ClientError};
use tokio::time::Instant;

use super::Teller;
use crate::commands::{awaited, name, spoken};
use crate::failure::{Failure, Kind, kind};

/// The first wait between two looks at a request; each further one is longer, up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// What is to be run under a permit.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) action: countersign_api::Action,
    pub(super) parameters: serde_json::Value,
    pub(super) reason: Option<String>,
    /// How long to wait for others.
    pub(super) timeout: Duration,
}

/// A permit, as soon as the rules give one.
pub(super) async fn permit(
    client: &Client,
    teller: Teller,
    wanted: &Wanted,
    approval: Option<String>,
) -> anyhow::Result<Permit> {
    let until = Instant::now() + wanted.timeout;
    let id = match approval {
        Some(id) => id,
        None => match reserve(client, wanted, None).await {
            Err(ClientError::Problem(problem)) if problem.code == "approval_required" => {
                request(client, teller, wanted).await?
            }
            reserved => return Ok(reserved?),
        },
    };
    loop {
        approved(client, teller, (&id, until)).await?;
        match reserve(client, wanted, Some(id.clone())).await {
            // A vote was lost again between the two.
            Err(ClientError::Problem(problem)) if problem.code == "approval_pending" => {}
            reserved => return Ok(reserved?),
        }
    }
}

async fn reserve(client: &Client, wanted: &Wanted, approval: Option<String>) -> Result<Permit, ClientError> {
    let Wanted { action, parameters, reason, .. } = wanted;
    let (action, parameters, reason) = (action.clone(), parameters.clone(), reason.clone());
    client
        .reserve_permit(&ReservePermit { action, parameters, approval, exceptions: Vec::new(), reason })
        .await
}

async fn request(client: &Client, teller: Teller, wanted: &Wanted) -> anyhow::Result<String> {
    let Wanted { action, parameters, reason, .. } = wanted;
    let (action, parameters, reason) = (action.clone(), parameters.clone(), reason.clone());
    let approval = client.request_approval(&RequestApproval { action, parameters, reason }).await?;
    let Approval { id, action, .. } = approval;
    teller.say(&format!("asked for `{}` as {id}", spoken(&action)));
    teller.say(&format!("others agree with: countersign approval approve {id}"));
    teller
        .say(&format!("to stop waiting and go on later: Ctrl-C, then the same command with --approval {id}"));
    Ok(id)
}

/// Returns once the request is approved; an error once it never will be, or when time is up.
async fn approved(client: &Client, teller: Teller, (id, until): (&str, Instant)) -> anyhow::Result<()> {
    let (mut told, mut wait) = (String::new(), FIRST);
    loop {
        let now = match client.approval(id).await.map_err(anyhow::Error::from) {
            Ok(approval) if approval.status == "approved" => {
                teller.say(&format!("{id} approved by {}", voters(&approval)));
                return Ok(());
            }
            Ok(approval) if approval.status == "pending" => waiting(&approval),
            Ok(approval) => {
                let what = format!("the request is {}", approval.status);
                return Err(Failure::new(Kind::Refused, what).into());
            }
            // A server that restarts does not end the waiting.
            Err(error) if kind(&error) == Kind::Unavailable => format!("waiting for the server: {error}"),
            Err(error) => return Err(error),
        };
        if now != told {
            teller.say(&now);
            told = now;
        }
        if Instant::now() >= until {
            let late = Failure::new(Kind::Unavailable, format!("`{id}` was not approved in time"));
            return Err(late.hint(format!("it stays open: go on with `--approval {id}`")).into());
        }
        tokio::time::sleep_until(until.min(Instant::now() + wait)).await;
        wait = wait.saturating_mul(2).min(LONGEST);
    }
}

fn waiting(approval: &Approval) -> String {
    let so_far =
        if approval.votes.is_empty() { String::new() } else { format!("; {} agreed", voters(approval)) };
    let until =
        approval.expires_at.as_deref().map(|until| format!("; open until {until}")).unwrap_or_default();
    format!("waiting for {}{so_far}{until}", awaited(&approval.missing))
}

fn voters(approval: &Approval) -> String {
    approval.votes.iter().map(|vote| name(&vote.person)).collect::<Vec<_>>().join(", ")
}
