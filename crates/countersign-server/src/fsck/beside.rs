//! What no pass over the entries meets: the index by subject, blobs, answered requests, and rows without an entry.

use std::collections::BTreeSet;

use countersign_core::Subject;
use countersign_core::time::Time;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::{Hash, sha256};

use super::tree::hex;
use super::walk::Walked;
use super::{Examination, Kind};
use crate::engine::codec;
use crate::store::StoreError;
use crate::store::sqlite::inspect::{RawBlob, RawIdempotency, RawPlace};

/// Rows read at once; small ones.
const PAGE: i64 = 4_096;

pub(super) fn all<Role: Send>(
    examination: &mut Examination<'_, Role>,
    walked: &Walked,
) -> Result<(), StoreError> {
    subjects(examination)?;
    stray_details(examination, walked.end)?;
    blobs(examination, &walked.blobs)?;
    idempotency(examination, walked.size)?;
    stray_records(examination)
}

/// The entries of each subject are numbered from 1 without a gap, in the order of the log.
fn subjects<Role: Send>(examination: &mut Examination<'_, Role>) -> Result<(), StoreError> {
    let mut before = RawPlace { subject: String::new(), subject_seq: 0, index: -1 };
    loop {
        let after = (before.subject.as_str(), before.subject_seq);
        let page = examination.store.raw_places(after, PAGE);
        let Some(page) = examination.readable("the index by subject", page)? else { return Ok(()) };
        if page.is_empty() {
            return Ok(());
        }
        for place in page {
            let same = place.subject == before.subject;
            let expected = if same { before.subject_seq + 1 } else { 1 };
            let named = format!("entry {}, of `{}`", place.index, place.subject.escape_debug());
            if place.subject_seq != expected {
                let found = format!("entry {} of it", place.subject_seq);
                examination.findings.add(Kind::SubjectGap, named, (format!("entry {expected} of it"), found));
            } else if same && place.index <= before.index {
                let expected = format!("entry {} of it after entry {expected} of it", place.subject_seq);
                examination.findings.add(
                    Kind::SubjectGap,
                    named,
                    (expected, format!("it is before, at {}", place.index)),
                );
            }
            before = place;
        }
    }
}

/// Details before the first entry and after the last.
fn stray_details<Role: Send>(examination: &mut Examination<'_, Role>, end: u64) -> Result<(), StoreError> {
    let end = i64::try_from(end).unwrap_or(i64::MAX);
    for range in [(i64::MIN, -1), (end - 1, i64::MAX)] {
        let page = examination.store.raw_details(range, PAGE);
        for stray in examination.readable("the details", page)?.unwrap_or_default() {
            examination.findings.add(
                Kind::StrayDetails,
                format!("details {}", stray.index),
                ("nothing", "details"),
            );
        }
    }
    Ok(())
}

/// Every blob is what its name says, and some entry refers to it.
fn blobs<Role: Send>(
    examination: &mut Examination<'_, Role>,
    named: &BTreeSet<Hash>,
) -> Result<(), StoreError> {
    let mut after = Vec::new();
    loop {
        let blob = examination.store.next_blob(&after);
        let Some(RawBlob { name, body }) = examination.readable("the blobs", blob)?.flatten() else {
            return Ok(());
        };
        let (place, found) = (format!("blob {}", hex(&name)), sha256(&body));
        if found.0 != name.as_slice() {
            examination.findings.add(Kind::Blob, &place, (hex(&name), found));
        }
        if !named.iter().any(|hash| hash.0 == name.as_slice()) {
            examination.findings.add(Kind::StrayBlob, &place, ("an entry that refers to it", "none"));
        }
        after = name;
    }
}

/// Every answered request points at the entries it caused.
fn idempotency<Role: Send>(examination: &mut Examination<'_, Role>, size: u64) -> Result<(), StoreError> {
    let mut after = (String::new(), String::new());
    loop {
        let page = examination.store.raw_idempotency((&after.0, &after.1), PAGE);
        let Some(page) = examination.readable("the answered requests", page)? else { return Ok(()) };
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.actor.clone(), last.key.clone());
        for row in &page {
            if let Some(found) = astray(examination, row, size)? {
                let place = format!("request `{}` of {}", row.key.escape_debug(), row.actor.escape_debug());
                examination.findings.add(Kind::Idempotency, place, ("the entries it caused", found));
            }
        }
    }
}

/// Why a row does not point at the entries its request caused.
fn astray<Role: Send>(
    examination: &mut Examination<'_, Role>,
    row: &RawIdempotency,
    size: u64,
) -> Result<Option<String>, StoreError> {
    let end = row.first.checked_add(row.count).and_then(|end| u64::try_from(end).ok());
    let (Ok(first), Some(end)) = (u64::try_from(row.first), end) else {
        return Ok(Some(format!("{} entries from {}", row.count, row.first)));
    };
    if row.count < 1 || end > size {
        return Ok(Some(format!("{} entries from {first}, in a log of {size}", row.count)));
    }
    let entry = examination.store.raw_entries(row.first - 1, 1);
    let entry = examination.readable("the entries", entry)?.and_then(|page| page.into_iter().next());
    let view = entry.as_ref().and_then(|entry| EntryView::parse(&entry.leaf).ok());
    // An entry that cannot be read is told elsewhere. What the node was asked for may be in somebody's name.
    let Some(view) = view else { return Ok(None) };
    let time = view.time.parse::<Time>().map(Time::as_millis);
    let same = (row.actor == view.actor || row.actor == "node") && time == Ok(row.time_ms);
    Ok((!same).then(|| format!("an entry of {} at {}", view.actor, view.time)))
}

/// Records about what no entry is about.
fn stray_records<Role: Send>(examination: &mut Examination<'_, Role>) -> Result<(), StoreError> {
    let mut after = (String::new(), String::new());
    loop {
        let page = examination.store.record_keys((&after.0, &after.1), PAGE);
        let Some(page) = examination.readable("the records", page)? else { return Ok(()) };
        let Some((kind, id, _)) = page.last() else { return Ok(()) };
        after = (kind.clone(), id.clone());
        for (kind, id, has_entry) in page {
            let right = id.parse::<Subject>().is_ok_and(|subject| codec::record_kind(&subject) == kind);
            if has_entry && right {
                continue;
            }
            let place = format!("record {} {}", kind.escape_debug(), id.escape_debug());
            examination.findings.add(Kind::StrayRecord, place, ("nothing", "a record"));
            if examination.mends() {
                examination.store.drop_record(&kind, &id)?;
            }
        }
    }
}
