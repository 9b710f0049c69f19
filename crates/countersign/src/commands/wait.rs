//! `countersign approval wait`: watches a request, says who is still missing, and ends as the request does.

use std::io::Write as _;
use std::time::Duration;

use countersign_api::approval::{Approval, Watched};
use countersign_client::Client;

use super::awaited;
use crate::failure::{Failure, Kind};
use crate::output::visible;

/// The request once it is approved; an error once it never will be, or when time has run out.
pub(crate) async fn decided(client: &Client, id: &str, seconds: u64) -> anyhow::Result<Approval> {
    let waited = tokio::time::timeout(Duration::from_secs(seconds), watched(client, id)).await;
    let late = |_| Failure::new(Kind::Unavailable, format!("`{id}` was not decided within {seconds} s"));
    waited.map_err(late)?
}

async fn watched(client: &Client, id: &str) -> anyhow::Result<Approval> {
    let mut watch = client.watch_approval(id);
    while let Some(seen) = watch.next().await? {
        tell(&seen);
        let Some(approval) = seen.approval else { continue };
        match approval.status.as_str() {
            "pending" => {}
            "approved" | "consumed" => return Ok(client.approval(id).await?),
            other => return Err(ended(other).into()),
        }
    }
    // The watch ended with the request: what it came to is in its record.
    let approval = client.approval(id).await?;
    match approval.status.as_str() {
        "approved" | "consumed" => Ok(approval),
        other => Err(ended(other).into()),
    }
}

/// Each end has an exit code of its own, so that scripts need not read.
fn ended(status: &str) -> Failure {
    let code = match status {
        "denied" => 10,
        "expired" => 11,
        "withdrawn" => 12,
        _ => 3,
    };
    Failure::new(Kind::Refused, format!("the request is {status}")).exit(code)
}

/// Progress goes to standard error: standard output holds the answer alone. Where it cannot be written, nobody reads it.
fn tell(seen: &Watched) {
    let line = match &seen.approval {
        Some(approval) => format!("{} {}: {}", seen.time, seen.kind, standing(approval)),
        None => format!("{} {}", seen.time, seen.kind),
    };
    drop(writeln!(std::io::stderr(), "{}", visible(&line)));
}

/// Who is still missing.
fn standing(approval: &Approval) -> String {
    if approval.stuck.is_some() {
        return "nothing can come of it as things are".to_owned();
    }
    match approval.missing.as_slice() {
        [] => approval.status.clone(),
        missing => format!("waits for {}", awaited(missing)),
    }
}
