//! Where entries come from: a server, as the holder of a credential, or a database file that is only read.

use std::collections::BTreeMap;
use std::fmt;

use countersign_api::ledger::{Entry, EntryListing};
use countersign_client::{Client, TrustError};
use countersign_ledger::hash::Hash;
use countersign_ledger::keys::KeyHistory;
use countersign_ledger::proof::{ProofError, consistency_proof};
use countersign_server::search::Scan;
use countersign_server::store::{Details, Reader, StoreError, StoredEntry, Tree};
use countersign_server::verification;

use crate::failure::{Failure, Kind};

/// Entries asked for at once; the most a server gives.
const PAGE: usize = 200;

/// A place to read from.
pub(crate) enum Source {
    Server(Client),
    Database(Box<Database>),
}

/// A database and the filters it is read with.
pub(crate) struct Database {
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) scan: Scan,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server(…)",
            Self::Database(_) => "Database(…)",
        })
    }
}

impl Source {
    /// The keys of the log, each link verified.
    pub(crate) async fn keys(&mut self) -> anyhow::Result<KeyHistory> {
        match self {
            Self::Server(client) => client.key_history().await.map_err(|error| match error {
                TrustError::Client(error) => error.into(),
                error => Failure::new(Kind::Unverified, error.to_string()).into(),
            }),
            Self::Database(database) => Ok(verification::key_history(database.reader.as_mut())?),
        }
    }

    /// The last checkpoint, a signed note.
    pub(crate) async fn checkpoint(&mut self) -> anyhow::Result<String> {
        match self {
            Self::Server(client) => Ok(client.checkpoint().await?),
            Self::Database(database) => {
                let unsigned = || Failure::new(Kind::Unverified, "the log has no signed checkpoint");
                Ok(database.reader.latest_checkpoint()?.ok_or_else(unsigned)?.note)
            }
        }
    }

    /// That the tree of the old size begins the tree of the new; nothing to prove if they are the same.
    pub(crate) async fn consistency(&mut self, old: u64, new: u64) -> anyhow::Result<Vec<Hash>> {
        if old == new {
            return Ok(Vec::new());
        }
        match self {
            Self::Server(client) => {
                let proof = client.consistency(old, new).await?;
                let parsed = proof.hashes.iter().map(|hash| hash.parse()).collect::<Result<_, _>>();
                Ok(parsed.map_err(|error| Failure::new(Kind::Unverified, format!("the proof: {error}")))?)
            }
            Self::Database(database) => {
                let nodes = Tree::over(database.reader.as_mut());
                consistency_proof(&nodes, old, new).map_err(|error| match error {
                    ProofError::Nodes(error) => error.into(),
                    other => Failure::new(Kind::Unverified, other.to_string()).into(),
                })
            }
        }
    }

    /// The leaf hash of one entry.
    pub(crate) async fn entry(&mut self, index: u64) -> anyhow::Result<Hash> {
        match self {
            Self::Server(client) => {
                let entry = client.entry(index).await?;
                Ok(countersign_ledger::hash::leaf_hash(entry.leaf_text.as_bytes()))
            }
            Self::Database(database) => {
                let missing = || StoreError::Corrupt(format!("entry {index} is missing"));
                let entry = database.reader.entries(index, 1)?.pop().ok_or_else(missing)?;
                Ok(countersign_ledger::hash::leaf_hash(&entry.leaf))
            }
        }
    }

    /// The next entries of a log of `size` that pass the filters, and where to look on.
    pub(crate) async fn page(
        &mut self,
        (from, size): (u64, u64),
        filters: &EntryListing,
    ) -> anyhow::Result<(Vec<Entry>, u64)> {
        match self {
            Self::Server(client) => {
                let asked = EntryListing { from: Some(from), limit: Some(PAGE), ..filters.clone() };
                let mut page = client.entries(&asked).await?;
                let odd =
                    |_| Failure::new(Kind::Unexpected, "the server does not say where the next page begins");
                let next = page.next.map(|next| next.parse::<u64>()).transpose().map_err(odd)?;
                // The answer is complete as of now, and what was signed was written before.
                page.items.retain(|entry| entry.index < size);
                Ok((page.items, next.map_or(size, |next| next.min(size))))
            }
            Self::Database(database) => {
                let Database { reader, scan } = &mut **database;
                let (entries, until) = scan.next(reader.as_mut(), (from, size))?;
                let mut details = reader.details_in(from..until)?.into_iter().peekable();
                let redactions = reader.redactions_in(from..until)?;
                let redactions: BTreeMap<u64, u64> =
                    redactions.iter().map(|redaction| (redaction.index, redaction.by)).collect();
                let shown = entries.into_iter().map(|entry| {
                    let redacted_by = redactions.get(&entry.index).copied();
                    while details.next_if(|(index, _)| *index < entry.index).is_some() {}
                    let beside = details.next_if(|(index, _)| *index == entry.index);
                    let shown = show(entry, beside.map(|(_, details)| details))?;
                    Ok(Entry { redacted_by, ..shown })
                });
                Ok((shown.collect::<Result<_, StoreError>>()?, until))
            }
        }
    }
}

/// An entry as the API shows it.
fn show(entry: StoredEntry, details: Option<Details>) -> Result<Entry, StoreError> {
    let index = entry.index;
    let damaged = |what: String| StoreError::Corrupt(format!("entry {index}: {what}"));
    let json = |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()));
    Ok(Entry {
        index,
        leaf: json(&entry.leaf)?,
        details: details.map(|details| json(&details.body)).transpose()?,
        redacted_by: None,
        leaf_hash: entry.leaf_hash.to_string(),
        leaf_text: String::from_utf8(entry.leaf).map_err(|error| damaged(error.to_string()))?,
    })
}
