//! The server is killed with SIGKILL in the middle of appends and started again: nothing acknowledged is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use countersign_api::permit::ReservePermit;
use countersign_api::rotation::Rotation;
use countersign_client::{Client, Patience};
use serde_json::json;
use tokio::sync::Notify;

use super::evidence::{said, verify};
use super::quorum::action;
use super::told::Told;
use crate::demo::cast::{Cast, Who};
use crate::demo::child;

/// Clients that append at the same time.
const CLIENTS: usize = 16;

/// Acknowledgements after which the server is killed; more are on their way then.
const ACKNOWLEDGED: usize = 300;

/// An appender that gets no answer is done: what counts is what was acknowledged before the server died.
const ONCE: Patience = Patience { attempts: 1, first: Duration::ZERO, longest: Duration::ZERO };

/// How long that many appends may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives the cast back with the server that lives again.
pub(super) async fn play(cast: Cast, told: &mut Told, rotation: &Rotation) -> anyhow::Result<Cast> {
    if cast.cluster().is_none() {
        second_server(&cast, told).await?;
    }
    let policy = cast.client(Who::Aud)?.policy().await?.sha256;
    let (cast, acknowledged) = kill_during_appends(cast).await?;
    let aud = cast.client(Who::Aud)?;
    let mut found = 0;
    for permit in &acknowledged {
        found += usize::from(aud.permit(permit).await.is_ok_and(|found| &found.id == permit));
    }
    told.same(
        "the server is killed during appends and restarted: no acknowledged entry is missing",
        format!("{} of {} acknowledged permits are there", acknowledged.len(), acknowledged.len()),
        format!("{found} of {} acknowledged permits are there", acknowledged.len()),
    )?;
    let after = aud.rotation(&rotation.id).await?;
    let approval = aud.approval(rotation.approval.as_deref().unwrap_or_default()).await?;
    let unchanged = if &after == rotation { "unchanged" } else { "changed" };
    told.same(
        "the story's state is intact",
        format!("rotation record unchanged, approval consumed, policy {policy}"),
        format!(
            "rotation record {unchanged}, approval {}, policy {}",
            approval.status,
            aud.policy().await?.sha256
        ),
    )?;
    let verified = verify(&cast.places, &cast.places.database()?).await?;
    told.same("`ledger verify` passes after the crash", "ends with 0", said(&verified))?;
    Ok(cast)
}

/// Nobody else may write while the server runs.
async fn second_server(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let config = cast.places.config();
    let second = child::run(&["serve".as_ref(), "--config".as_ref(), config.as_os_str()]).await?;
    let clear = second.stderr.contains("another server already writes");
    told.same(
        "a second server on the same data is refused and says why",
        "ends with 5, says why",
        format!("{}, {}", said(&second), if clear { "says why" } else { second.stderr.trim() }),
    )
}

/// The permits that were acknowledged before the server died, and the cast with a server that lives again.
async fn kill_during_appends(cast: Cast) -> anyhow::Result<(Cast, Vec<String>)> {
    let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let ana = cast.client(Who::Ana)?;
    let appenders: Vec<_> = (0..CLIENTS)
        .map(|_| {
            tokio::spawn(append(ana.clone().with_patience(ONCE), (Arc::clone(&count), Arc::clone(&enough))))
        })
        .collect();
    let counted = tokio::time::timeout(PATIENCE, enough.notified()).await;
    counted.with_context(|| format!("fewer than {ACKNOWLEDGED} appends within {PATIENCE:?}"))?;
    let cast = cast.crash_and_restart().await?;
    let mut acknowledged = Vec::new();
    for appender in appenders {
        acknowledged.extend(appender.await.context("an appender ended in a panic")?);
    }
    Ok((cast, acknowledged))
}

/// Reserves permits until the server is gone; those it acknowledged.
async fn append(client: Client, (count, enough): (Arc<AtomicUsize>, Arc<Notify>)) -> Vec<String> {
    let body = ReservePermit {
        action: action("probe", "service/nudgepay", "production"),
        parameters: json!({}),
        approval: None,
        exceptions: Vec::new(),
        reason: None,
    };
    let mut acknowledged = Vec::new();
    while let Ok(permit) = client.reserve_permit(&body).await {
        acknowledged.push(permit.id);
        if count.fetch_add(1, Ordering::Relaxed) + 1 == ACKNOWLEDGED {
            enough.notify_one();
        }
    }
    acknowledged
}
