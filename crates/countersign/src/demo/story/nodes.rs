//! On a ledger that several nodes share: what one of them is told all of them know, and of many attempts on all of them one wins. Nothing is
//! played where a file keeps the ledger.

use std::collections::BTreeMap;

use anyhow::Context as _;
use countersign_api::Reason;
use countersign_api::approval::RequestApproval;
use countersign_client::Client;

use super::quorum::{OVERLAP_SECONDS, parameters, reserve, rotate, voters};
use super::told::Told;
use super::word;
use crate::demo::cast::{Cast, Who};

/// Attempts at each node to use the one approval at the same moment.
const RACERS: usize = 8;

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    if cast.cluster().is_none() {
        return Ok(());
    }
    let (second, third) = (cast.another_node("second").await?, cast.another_node("third").await?);
    let ana = cast.client(Who::Ana)?;
    let request = RequestApproval {
        action: rotate(),
        parameters: parameters(OVERLAP_SECONDS),
        reason: Some("asked at one node, agreed to at two others".to_owned()),
    };
    let id = ana.request_approval(&request).await?.id;
    cast.client_at(Who::Ben, &second)?.approve(&id, &Reason::default()).await?;
    let approved = cast.client_at(Who::Chloe, &third)?.approve(&id, &Reason::default()).await?;
    told.same(
        "Ana asks at one node, Ben agrees at the second, Chloe at the third",
        "approved by Ben, Chloe",
        voters(&approved),
    )?;
    let nodes = [ana.clone(), cast.client_at(Who::Ana, &second)?, cast.client_at(Who::Ana, &third)?];
    let attempts = race(&nodes, &id).await?;
    let mut counted = BTreeMap::<&str, usize>::new();
    attempts.iter().for_each(|word| *counted.entry(word).or_default() += 1);
    let counted: Vec<_> = counted.iter().map(|(word, count)| format!("{count} {word}")).collect();
    told.same(
        "of many attempts at all three nodes to use the approval exactly one wins",
        format!("{} approval_consumed, 1 done", attempts.len() - 1),
        counted.join(", "),
    )?;
    second.kill().await?;
    let id = cast.client_at(Who::Ana, &third)?.request_approval(&request).await?.id;
    let seen = ana.approval(&id).await.map(|found| found.status);
    told.same(
        "the second node is killed, and the other two go on",
        "asked at the third, pending at the first",
        format!("asked at the third, {} at the first", seen.unwrap_or_else(|error| error.to_string())),
    )?;
    ana.withdraw(&id, &Reason::default()).await.context("withdrawing what was only asked for")?;
    third.kill().await?;
    Ok(())
}

/// What became of attempts at all nodes at once.
async fn race(nodes: &[Client], approval: &str) -> anyhow::Result<Vec<String>> {
    let attempts: Vec<_> = nodes
        .iter()
        .cycle()
        .take(RACERS * nodes.len())
        .map(|node| {
            let (node, body) = (node.clone(), reserve(approval, OVERLAP_SECONDS));
            tokio::spawn(async move { word(&node.reserve_permit(&body).await) })
        })
        .collect();
    let mut words = Vec::new();
    for attempt in attempts {
        words.push(attempt.await.context("an attempt ended in a panic")?);
    }
    Ok(words)
}
