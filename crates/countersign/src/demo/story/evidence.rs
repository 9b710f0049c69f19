//! The auditor verifies the ledger from its file, then a copy in which one byte was flipped.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, bail};
use countersign_api::ledger::Entry;
use countersign_server::cluster::Cluster;
use serde_json::Value;

use super::told::Told;
use crate::demo::cast::{Cast, DATABASE, Places, Who};
use crate::demo::child::{self, Ended};

/// How `ledger verify` ends when it finds damage.
pub(super) const DAMAGED: i32 = 6;

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let intact = verify(&cast.places, &cast.places.database()?).await?;
    told.same("`ledger verify` passes", "ends with 0", said(&intact))?;
    if let Some(cluster) = cast.cluster() {
        return flipped_in_place(cast, told, cluster).await;
    }
    let copy = cast.places.at("copy.db");
    let database = cast.places.database()?;
    let arguments = ["ledger".as_ref(), "copy".as_ref(), database.as_os_str(), copy.as_os_str()];
    child::run(&arguments).await?.successful().context("`ledger copy`")?;
    let victim = victim(cast).await?;
    flip(&copy, victim.leaf_text.as_bytes())?;
    let damaged = verify(&cast.places, &copy).await?;
    told.same(
        "on a copy with one flipped byte it fails and names the entry",
        format!("ends with {DAMAGED}, entry {}", victim.index),
        format!("{}, entry {}", said(&damaged), named_entry(&damaged)),
    )
}

/// The same on the rows of a shared database, of which there is no copy; the bit is flipped back.
async fn flipped_in_place(cast: &Cast, told: &mut Told, cluster: &Cluster) -> anyhow::Result<()> {
    let index = victim(cast).await?.index;
    let flip = format!(
        "UPDATE countersign.entries SET leaf = set_bit(leaf, bit, 1 - get_bit(leaf, bit)) \
         FROM (SELECT idx AS at, octet_length(leaf)::bigint * 4 AS bit FROM countersign.entries) AS place \
         WHERE idx = {index} AND at = idx"
    );
    cluster.say(DATABASE, &flip)?;
    let damaged = verify(&cast.places, &cast.places.database()?).await;
    cluster.say(DATABASE, &flip)?;
    let damaged = damaged?;
    told.same(
        "with one flipped bit in the database it fails and names the entry",
        format!("ends with {DAMAGED}, entry {index}"),
        format!("{}, entry {}", said(&damaged), named_entry(&damaged)),
    )
}

/// `countersign ledger verify` with the pinned key, as the auditor would run it.
pub(super) async fn verify(places: &Places, database: &Path) -> anyhow::Result<Ended> {
    let mut key = OsString::from("@");
    key.push(places.log_key());
    let arguments = [
        "--json".as_ref(),
        "ledger".as_ref(),
        "verify".as_ref(),
        database.as_os_str(),
        "--key".as_ref(),
        key.as_os_str(),
    ];
    child::run(&arguments).await
}

/// How a verification ended, with its complaint if it did not pass.
pub(super) fn said(verification: &Ended) -> String {
    match verification.code {
        Some(code) => format!("ends with {code}"),
        None => format!("was killed: {}", verification.stderr),
    }
}

fn named_entry(verification: &Ended) -> String {
    let said = format!("{}{}", verification.stdout, verification.stderr);
    let document = said.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
    match document.as_ref().and_then(|document| document["index"].as_u64()) {
        Some(index) => index.to_string(),
        None => format!("none in `{}`", said.trim()),
    }
}

/// An entry from the middle of the log.
async fn victim(cast: &Cast) -> anyhow::Result<Entry> {
    let aud = cast.client(Who::Aud)?;
    let note = aud.checkpoint().await?;
    let size: u64 =
        note.lines().nth(1).and_then(|line| line.parse().ok()).context("the checkpoint's size")?;
    Ok(aud.entry(size / 2).await?)
}

/// Flips one bit of the leaf in the database file, wherever SQLite has put it.
fn flip(database: &Path, leaf: &[u8]) -> anyhow::Result<()> {
    let mut bytes = std::fs::read(database).context("reading the copy")?;
    let mut places = bytes.windows(leaf.len()).enumerate().filter(|(_, window)| *window == leaf);
    let Some((begin, _)) = places.next() else { bail!("the entry's leaf is not in the copy") };
    if places.next().is_some() {
        bail!("the entry's leaf is in the copy twice");
    }
    let place = begin + leaf.len() / 2;
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1;
    }
    std::fs::write(database, bytes).context("writing the copy")
}
