//! `countersign ledger …`: what an auditor runs. The key is always given, never fetched from whom it is to check.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use countersign_client::{Believed, TrustError};
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::note::VerifierKey;
use countersign_ledger::proof::verify_inclusion;
use countersign_ledger::verify::{Redactions, Trust, Verified};
use countersign_server::store::{self, sqlite::SqliteStore};
use countersign_server::verification;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Session, follow, fsck};
use crate::failure::{Failure, Kind};
use crate::output::{Table, fields};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Verify a whole log from its database, offline; also that of a running server. A file, or `postgresql://role@host/database`.
    Verify {
        database: PathBuf,
        #[command(flatten)]
        pinned: Pinned,
    },
    /// Check a whole store and tell everything that is wrong with it; also that of a running server.
    Fsck(fsck::Fsck),
    /// The last signed checkpoint.
    Checkpoint {
        /// The latest one that enough witnesses have cosigned, instead.
        #[arg(long)]
        witnessed: bool,
    },
    /// How the log's witnesses fare.
    Witnesses,
    /// Prove that an entry is in the log: leaf, inclusion proof and signature are checked here.
    Prove {
        index: u64,
        #[command(flatten)]
        pinned: Pinned,
    },
    /// Follow a log from outside: each checkpoint must continue the last one that was seen.
    Follow(follow::Follow),
    /// Copy a database, also that of a running server, as of one moment.
    Copy { database: PathBuf, target: PathBuf },
}

/// What must come from outside the log.
#[derive(Clone, Debug, Args)]
pub(crate) struct Pinned {
    /// The log's public key as a vkey, or `@FILE` to read it from a file.
    #[arg(long, value_name = "VKEY")]
    key: String,
    /// The log's origin line, if it is not the key's name.
    #[arg(long)]
    origin: Option<String>,
}

impl Pinned {
    pub(crate) fn key(&self) -> anyhow::Result<VerifierKey> {
        let text = match self.key.strip_prefix('@') {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("reading `{path}`"))?,
            None => self.key.clone(),
        };
        let malformed = |error| Failure::new(Kind::Malformed, format!("`--key`: {error}"));
        Ok(VerifierKey::parse(text.trim()).map_err(malformed)?)
    }

    pub(crate) fn origin<'a>(&'a self, key: &'a VerifierKey) -> &'a str {
        self.origin.as_deref().unwrap_or(key.name())
    }
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Verify { database, pinned } => verify(session, &database, &pinned),
        Verb::Fsck(arguments) => fsck::run(session, &arguments),
        Verb::Checkpoint { witnessed } => {
            let client = session.client()?;
            let note =
                if witnessed { client.witnessed_checkpoint().await? } else { client.checkpoint().await? };
            session.output.show(&json!({ "checkpoint": note }), |_| note.clone())
        }
        Verb::Prove { index, pinned } => prove(session, index, &pinned).await,
        Verb::Witnesses => witnesses(session).await,
        Verb::Follow(arguments) => follow::run(session, &arguments).await,
        Verb::Copy { database, target } => {
            SqliteStore::copy(&database, &target)?;
            let copied = json!({ "copy": target.display().to_string() });
            session.output.show(&copied, |_| format!("copied to `{}`", target.display()))
        }
    }
}

async fn witnesses(session: &Session) -> anyhow::Result<()> {
    let witnesses = session.client()?.witnesses().await?;
    session.output.show(&witnesses, |witnesses| {
        let mut table =
            Table::new(["witness", "cosigned", "behind", "at", "trouble"], "The log has no witnesses.");
        for witness in &witnesses.witnesses {
            let trouble = match (&witness.lost_since, &witness.failing_since, &witness.last_error) {
                (Some(since), _, error) => format!("lost since {since}: {}", error.as_deref().unwrap_or("-")),
                (None, Some(since), error) => format!("since {since}: {}", error.as_deref().unwrap_or("-")),
                (None, None, _) => String::new(),
            };
            table.row([
                witness.name.as_str(),
                &witness.cosigned_size.map_or_else(|| "never".to_owned(), |size| size.to_string()),
                &witness.lag.to_string(),
                witness.cosigned_at.as_deref().unwrap_or_default(),
                &trouble,
            ]);
        }
        let witnessed = witnesses.witnessed_size.map_or_else(|| "none".to_owned(), |size| size.to_string());
        let facts = fields(&[
            ("signed entries", witnesses.signed_size.to_string()),
            ("witnessed entries", witnessed),
            ("policy", witnesses.policy.clone()),
        ]);
        format!("{facts}\n{}", table.render())
    })
}

fn verify(session: &Session, database: &Path, pinned: &Pinned) -> anyhow::Result<()> {
    let key = pinned.key()?;
    let mut reader = store::look(database)?;
    let bar = progress(session, reader.head()?.size());
    let keys = [key];
    let [key] = &keys;
    let trust = Trust { origin: pinned.origin(key), keys: &keys, redactions: Redactions::Explained };
    let begun = Instant::now();
    let verified = verification::verify(reader.as_mut(), &trust, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    report(session, &verified?, begun.elapsed())
}

/// A bar on a terminal, nothing elsewhere; it goes to standard error.
fn progress(session: &Session, size: u64) -> ProgressBar {
    if session.output.is_json() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size);
    match ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} entries, {per_sec}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn report(session: &Session, verified: &Verified, took: Duration) -> anyhow::Result<()> {
    let unsigned = verified.size - verified.signed_size;
    let document = json!({
        "verified": true, "entries": verified.size, "signed_entries": verified.signed_size, "unsigned_entries": unsigned,
        "subjects": verified.subjects, "keys": verified.keys.tenures().len(), "redacted_details": verified.redacted, "root": verified.root.to_string(),
        "last_time": verified.last_time, "meaning": "followed", "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
    session.output.show(&document, |_| {
        let facts = fields(&[
            ("entries", verified.size.to_string()),
            ("signed", verified.signed_size.to_string()),
            ("subjects", verified.subjects.to_string()),
            ("redacted", format!("the details of {}", verified.redacted)),
            ("keys", keys(verified)),
            ("root", verified.root.to_string()),
            ("last entry", verified.last_time.clone().unwrap_or_default()),
            ("took", format!("{took:.1?}")),
        ]);
        let tail = match unsigned {
            0 => String::new(),
            count => format!("\nThe last {count} entries are not signed yet: until a checkpoint vouches for them they could be replaced.\n"),
        };
        format!(
            "The log is intact: every leaf, every detail that was not redacted, every subject without a gap, every checkpoint, every census.\n\
             What it says was allowed: every entry was followed under the policy then in force.\n\n{facts}{tail}\n\
             Not checked: whether reported outcomes are true, who sat behind a credential, and whether times are true; they are\n\
             the server's claim."
        )
    })
}

/// The log's keys: how many, and the one in force.
fn keys(verified: &Verified) -> String {
    let count = verified.keys.tenures().len();
    let in_force = verified.keys.current().map(ToString::to_string).unwrap_or_default();
    if count > 1 {
        format!("{count}, each handed over by the one before; in force {in_force}")
    } else {
        in_force
    }
}

async fn prove(session: &Session, index: u64, pinned: &Pinned) -> anyhow::Result<()> {
    let (client, key) = (session.client()?, pinned.key()?);
    let unverified = |what: String| Failure::new(Kind::Unverified, what);
    let believed = client.believed_checkpoint((pinned.origin(&key), std::slice::from_ref(&key))).await;
    let Believed { note, checkpoint, .. } = believed.map_err(|error| match error {
        TrustError::Client(error) => anyhow::Error::from(error),
        error => unverified(error.to_string()).into(),
    })?;
    let entry = client.entry(index).await?;
    let proof = client.inclusion(index, checkpoint.size).await?;
    let hashes = proof.hashes.iter().map(|hash| hash.parse()).collect::<Result<Vec<Hash>, _>>();
    let hashes = hashes.map_err(|error| unverified(format!("the proof: {error}")))?;
    let leaf = leaf_hash(entry.leaf_text.as_bytes());
    verify_inclusion(leaf, index, checkpoint.size, &hashes, &checkpoint.root)
        .map_err(|error| unverified(format!("entry {index} is not in the log that was signed: {error}")))?;
    let document = json!({ "verified": true, "entry": entry, "checkpoint": note });
    session.output.show(&document, |_| {
        format!("Entry {index} is in the signed log of {} entries.\n\n{}", checkpoint.size, entry.leaf_text)
    })
}
