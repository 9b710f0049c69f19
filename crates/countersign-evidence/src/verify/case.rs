//! The bundle read into events, and everything that follows from the bytes alone: leaves, order, proof, details, policies.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::id::PersonId;
use countersign_core::{Event, Fact};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::details::commitment;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::{Hash, leaf_hash, sha256};
use countersign_ledger::proof::verify_batch;

use super::{Check, Lie, count};
use crate::bundle::{Bundle, Details, Entry};
use crate::decode;
use crate::scope::Resources;

/// One entry of a bundle, read.
#[derive(Debug, Clone)]
pub(crate) struct Read<'b> {
    /// The envelope.
    pub view: EntryView<'b>,
    /// What happened.
    pub event: Event,
    /// Whether the scope asks for it.
    pub selected: bool,
    /// What is kept beside it.
    pub details: Option<&'b Details>,
}

/// All entries of a bundle, in the order of the log.
#[derive(Debug, Clone)]
pub(crate) struct Case<'b> {
    /// The bundle.
    pub bundle: &'b Bundle,
    /// Its entries.
    pub entries: Vec<Read<'b>>,
}

impl<'b> Case<'b> {
    /// Reads the entries without asking whether they are proved: for showing them.
    ///
    /// # Errors
    /// A leaf or its data are malformed, or a policy is missing.
    pub(crate) fn of(bundle: &'b Bundle) -> Result<Self, Lie> {
        let mut resources = Resources::default();
        let mut entries = Vec::with_capacity(bundle.entries.len());
        for (position, entry) in bundle.entries.iter().enumerate() {
            let mut read = read(bundle, entry).map_err(|(index, lie)| match index {
                Some(index) => Lie { entry: Some(index), ..lie },
                None => Lie {
                    what: format!("the bundle's entry {position} of {}: {}", bundle.entries.len(), lie.what),
                    ..lie
                },
            })?;
            resources.see(&read.event);
            read.selected = bundle.scope.holds(&read.event, &resources);
            entries.push(read);
        }
        Ok(Self { bundle, entries })
    }

    /// Reads the entries and checks all that the bytes alone can show.
    pub(super) fn read(
        bundle: &'b Bundle,
        checkpoint: &Checkpoint,
        checks: &mut Vec<Check>,
    ) -> Result<Self, Lie> {
        let leaves = hashes(bundle)?;
        let case = Self::of(bundle)?;
        case.check_order()?;
        let entries = count(case.entries.len(), "entry");
        checks.push(Check::holds("leaves", format!("{entries}, each canonical and in the order of the log")));
        let proved: Vec<(u64, Hash)> =
            case.entries.iter().zip(leaves).map(|(entry, hash)| (entry.view.index, hash)).collect();
        verify_batch(&proved, checkpoint.size, &bundle.proof, &checkpoint.root).map_err(|error| {
            Lie::new("proof", format!("the entries are not those of the signed tree: {error}"))
        })?;
        checks.push(Check::holds(
            "proof",
            format!("all of them are in the signed tree of {}", checkpoint.size),
        ));
        checks.push(case.check_details()?);
        checks.push(case.check_policies()?);
        Ok(case)
    }

    /// Entries the scope asks for.
    pub(crate) fn selected(&self) -> impl Iterator<Item = &Read<'b>> {
        self.entries.iter().filter(|entry| entry.selected)
    }

    fn check_order(&self) -> Result<(), Lie> {
        for (before, after) in self.entries.iter().zip(self.entries.iter().skip(1)) {
            let index = after.view.index;
            if index <= before.view.index {
                return Err(Lie::at(index, "order", format!("it comes after entry {}", before.view.index)));
            }
            if after.view.time < before.view.time {
                return Err(Lie::at(index, "time", format!("it is older than entry {}", before.view.index)));
            }
        }
        Ok(())
    }

    fn check_details(&self) -> Result<Check, Lie> {
        let mut shown = 0;
        for entry in &self.entries {
            let Some(details) = entry.details else { continue };
            let index = entry.view.index;
            let named = entry.view.details_sha256;
            let named = named.ok_or_else(|| {
                Lie::at(index, "details", "there are details although the leaf commits to none")
            })?;
            if commitment(&details.salt.0, details.body.as_bytes()) != named {
                return Err(Lie::at(index, "details", "the details are not the ones the leaf commits to"));
            }
            shown += 1;
        }
        Ok(Check::holds("details", format!("{shown} of them with details, each as its leaf commits to")))
    }

    /// Policies were resolved by their digest; what no entry refers to has no business here.
    fn check_policies(&self) -> Result<Check, Lie> {
        let used: BTreeSet<_> = self.entries.iter().filter_map(|entry| policy_sha256(&entry.event)).collect();
        for (digest, text) in &self.bundle.policies {
            if sha256(text.as_bytes()) != *digest || !used.contains(&digest.0) {
                return Err(Lie::new(
                    "policy",
                    format!("the policy `{digest}` is not the one of this digest, or no entry activates it"),
                ));
            }
        }
        Ok(Check::holds(
            "policies",
            format!("{}, each the one its digest names", count(self.bundle.policies.len(), "policy")),
        ))
    }

    /// Which entries' details were redacted, and by which entry. What is said before there is anything to redact explains nothing.
    #[must_use]
    pub(crate) fn redactions(&self) -> BTreeMap<u64, u64> {
        let mut redactions = BTreeMap::new();
        for entry in &self.entries {
            let Fact::LogDetailsRedacted(_, redacted) = &entry.event.fact else { continue };
            let by = entry.view.index;
            for index in redacted.entries.iter().filter(|index| *index < by) {
                redactions.entry(index).or_insert(by);
            }
        }
        redactions
    }

    /// People's names, as far as the bundle has them.
    #[must_use]
    pub(crate) fn names(&self) -> BTreeMap<PersonId, String> {
        let name = |entry: &Read<'_>| {
            let Fact::PersonEnrolled(id, _) = &entry.event.fact else { return None };
            let details: serde_json::Value = serde_json::from_str(&entry.details?.body).ok()?;
            Some((*id, details["name"].as_str()?.to_owned()))
        };
        self.entries.iter().filter_map(name).collect()
    }
}

fn policy_sha256(event: &Event) -> Option<[u8; 32]> {
    match &event.fact {
        Fact::PolicyActivated(_, activated) => Some(activated.policy_sha256.0),
        _ => None,
    }
}

/// Every leaf's hash; a leaf that does not have the hash beside it is named.
fn hashes(bundle: &Bundle) -> Result<Vec<Hash>, Lie> {
    let one = |entry: &Entry| {
        let hash = leaf_hash(entry.leaf.as_bytes());
        if hash == entry.leaf_hash {
            return Ok(hash);
        }
        let what = "the leaf does not have the hash that stands beside it";
        // The index may itself be what was changed; it only says where to look.
        match EntryView::parse(entry.leaf.as_bytes()) {
            Ok(view) => Err(Lie::at(view.index, "leaf", what)),
            Err(error) => Err(Lie::new("leaf", format!("{what}: {error}"))),
        }
    };
    bundle.entries.iter().map(one).collect()
}

/// Reads one entry; the error tells the index as far as it is known.
fn read<'b>(bundle: &'b Bundle, entry: &'b Entry) -> Result<Read<'b>, (Option<u64>, Lie)> {
    let view = EntryView::parse(entry.leaf.as_bytes()).map_err(|error| (None, Lie::new("leaf", error)))?;
    let at = |error: decode::DecodeError| {
        let code = if error == decode::DecodeError::Policy { "policy" } else { "data" };
        (Some(view.index), Lie::new(code, error))
    };
    let mut event = decode::event(&view).map_err(at)?;
    if let Some(digest) = event.unresolved() {
        let policy = bundle.policies.get(&Hash(digest.0));
        decode::resolve(&mut event, policy.map(String::as_bytes)).map_err(at)?;
    }
    Ok(Read { view, event, selected: false, details: entry.details.as_ref() })
}
