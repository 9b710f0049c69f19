//! What a run that was killed leaves behind: a permit that was reserved and never started, and an approval that is used up with it.
//!
//! From the answer to the reservation until the start, a file says which permit is held, and the run holds the file's lock. A killed
//! process lets go of its locks, so a file that can be locked is nobody's any more: the next run gives the permit back. What was started
//! is not touched: whether something happened is not for the next run to say.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_api::Reason;
use countersign_api::permit::Permit;
use countersign_client::Client;
use serde::{Deserialize, Serialize};

use super::Teller;

/// How a file's name ends once it is whole; before that nobody looks at it.
const ENDING: &str = "permit";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    server: String,
    permit: String,
}

/// That this run holds a permit which it has not started. The lock ends with this value; the file only with [`Held::over`].
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    _locked: File,
}

impl Held {
    /// Notes it; nothing where no folder for such notes is known.
    pub(super) fn note(client: &Client, permit: &Permit) -> anyhow::Result<Option<Self>> {
        let Some(folder) = folder() else { return Ok(None) };
        std::fs::create_dir_all(&folder).with_context(|| format!("making `{}`", folder.display()))?;
        let path = folder.join(format!("{}.{ENDING}", permit.id));
        let unfinished = path.with_extension("new");
        let writing = || format!("writing `{}`", path.display());
        let mut file = File::create(&unfinished).with_context(writing)?;
        // Locked before anybody can find it.
        file.lock().with_context(writing)?;
        let record = Record { server: client.server().to_owned(), permit: permit.id.clone() };
        file.write_all(&serde_json::to_vec(&record)?).with_context(writing)?;
        file.sync_all().with_context(writing)?;
        std::fs::rename(&unfinished, &path).with_context(writing)?;
        Ok(Some(Self { path, _locked: file }))
    }

    /// The permit was started, or given back. A file that stays is found out by its permit's state.
    pub(super) fn over(self) {
        drop(std::fs::remove_file(&self.path));
    }
}

/// `$XDG_STATE_HOME/countersign/runs`, or the same below `~/.local/state`.
fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("countersign").join("runs"))
}

/// Gives back what runs that were killed have left on this server, as far as it is the caller's, and says so. That it cannot keeps nobody
/// from running something else.
pub(super) async fn give_back(client: &Client, teller: Teller) {
    let entries = folder().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
    paths.sort();
    for path in paths {
        let Some((record, _locked)) = abandoned(&path) else { continue };
        if record.server == client.server() && is_settled(client, teller, &record.permit).await {
            drop(std::fs::remove_file(&path));
        }
    }
}

/// What the file says, if nobody who lives holds it.
fn abandoned(path: &Path) -> Option<(Record, File)> {
    let mut file = File::open(path).ok()?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    Some((serde_json::from_str(&text).ok()?, file))
}

/// Whether nothing is left to be done about the permit.
async fn is_settled(client: &Client, teller: Teller, id: &str) -> bool {
    // Not this caller's, or not known: there is nothing to give back here, but maybe for somebody else.
    let Ok(permit) = client.permit(id).await else { return false };
    if permit.status != "reserved" {
        teller
            .say(&format!("{id} was left by a run that was killed before it began; it is {}", permit.status));
        return true;
    }
    let why = "the run that held it was killed before it began".to_owned();
    match client.release_permit(id, &Reason { reason: Some(why) }).await {
        Ok(_) => {
            let again = permit.approval.map(|id| format!("; its approval is good again: --approval {id}"));
            let again = again.unwrap_or_default();
            teller.say(&format!("{id} was left by a run that was killed before it began: given back{again}"));
            true
        }
        Err(error) => {
            teller.say(&format!("{id} was left by a run that was killed before it began: {error}"));
            teller.say(&format!("give it back with: countersign permit release {id}"));
            false
        }
    }
}
