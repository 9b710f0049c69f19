//! From what is wanted to a permit for it: asks where the rules demand it, says who is missing, and waits for them.

use std::time::Duration;

use countersign_api::approval::{Approval, RequestApproval};
use countersign_api::permit::{Permit, ReservePermit};
use countersign_client::{Client, ClientError};
use tokio::time::Instant;

use super::Teller;
use super::news::News;
use crate::commands::{awaited, name, spoken};
use crate::failure::{Failure, Kind, kind};

/// What is to be run under a permit.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) action: countersign_api::Action,
    pub(super) parameters: serde_json::Value,
    pub(super) reason: Option<String>,
    /// Exceptions from the freezes that hold it.
    pub(super) exceptions: Vec<String>,
    /// How long to wait for others.
    pub(super) timeout: Duration,
}

/// A request that others have to agree to first, and the option that names it.
#[derive(Clone, Copy, Debug)]
struct Open<'a> {
    id: &'a str,
    option: &'static str,
}

/// A permit, as soon as the rules give one.
pub(super) async fn permit(
    client: &Client,
    teller: Teller,
    wanted: &Wanted,
    mut approval: Option<String>,
) -> anyhow::Result<Permit> {
    let until = Instant::now() + wanted.timeout;
    loop {
        if let Some(id) = &approval {
            approved(client, teller, (Open { id, option: "--approval" }, until)).await?;
        }
        let refused = match reserve(client, wanted, approval.clone()).await {
            Ok(permit) => return Ok(permit),
            Err(ClientError::Problem(problem)) => problem,
            Err(error) => return Err(error.into()),
        };
        match (refused.code.as_str(), &approval) {
            ("approval_required", None) => approval = Some(request(client, teller, wanted).await?),
            // A vote was lost again between the two.
            ("approval_pending", Some(_)) => {}
            ("exception_pending", _) => {
                for id in &wanted.exceptions {
                    approved(client, teller, (Open { id, option: "--exception" }, until)).await?;
                }
            }
            ("frozen", Some(id)) => {
                teller.say(&format!("to go on once it is excepted: the same command with --approval {id} and --exception for each freeze"));
                return Err(ClientError::Problem(refused).into());
            }
            _ => return Err(ClientError::Problem(refused).into()),
        }
    }
}

async fn reserve(client: &Client, wanted: &Wanted, approval: Option<String>) -> Result<Permit, ClientError> {
    let Wanted { action, parameters, reason, exceptions, .. } = wanted;
    let (action, parameters, reason) = (action.clone(), parameters.clone(), reason.clone());
    let exceptions = exceptions.clone();
    client.reserve_permit(&ReservePermit { action, parameters, approval, exceptions, reason }).await
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
async fn approved(client: &Client, teller: Teller, (open, until): (Open<'_>, Instant)) -> anyhow::Result<()> {
    let Open { id, option } = open;
    let (mut told, mut news) = (String::new(), News::of(client, id));
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
        if tokio::time::timeout_at(until, news.next()).await.is_err() {
            let late = Failure::new(Kind::Unavailable, format!("`{id}` was not approved in time"));
            return Err(late.hint(format!("it stays open: go on with `{option} {id}`")).into());
        }
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
