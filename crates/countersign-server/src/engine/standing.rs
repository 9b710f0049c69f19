//! What stands where details are to be deleted: the core decides on it, but only the engine can look.

use std::borrow::Cow;
use std::collections::BTreeMap;

use countersign_core::Command;
use countersign_core::redaction::{RedactDetails, Standing};
use countersign_ledger::entry::EntryView;

use crate::store::{Batch, Reader, StoreError};

/// The command, with what stands at the entries it names if it deletes details. `batch` is what the present commit writes so far.
pub(super) fn looked_up<'a>(
    store: &mut dyn Reader,
    batch: &Batch,
    command: &'a Command,
) -> Result<Cow<'a, Command>, StoreError> {
    let Command::RedactDetails(redact) = command else { return Ok(Cow::Borrowed(command)) };
    let mut found = BTreeMap::new();
    for index in redact.entries.iter() {
        found.insert(index, standing(store, batch, index)?);
    }
    Ok(Cow::Owned(Command::RedactDetails(RedactDetails { found, ..redact.clone() })))
}

/// Entries of the present commit are not there yet: nobody can have looked at them.
fn standing(store: &mut dyn Reader, batch: &Batch, index: u64) -> Result<Standing, StoreError> {
    let next = index.saturating_add(1);
    let before = batch.redactions.iter().find(|redaction| redaction.index == index).copied();
    let before = match before {
        None => store.redactions_in(index..next)?.first().copied(),
        found => found,
    };
    if let Some(redaction) = before {
        return Ok(Standing::Redacted { by: redaction.by });
    }
    let Some(entry) = store.entries(index, 1)?.into_iter().find(|entry| entry.index == index) else {
        return Ok(Standing::NoEntry);
    };
    let view = EntryView::parse(&entry.leaf)
        .map_err(|error| StoreError::Corrupt(format!("entry {index}: {error}")))?;
    if view.details_sha256.is_none() {
        return Ok(Standing::NoDetails);
    }
    if store.details(index)?.is_none() {
        return Ok(Standing::Missing);
    }
    let subject =
        view.subject.parse().map_err(|error| StoreError::Corrupt(format!("entry {index}: {error}")))?;
    Ok(Standing::Present { subject, subject_seq: view.subject_seq })
}
