//! Which subjects matter, whether what they rest on is here, and whether anything about them was left out.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::{Fact, Subject};
use countersign_ledger::census::{Answer, Census};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::FIRST_SUBJECT_SEQ;
use countersign_ledger::hash::Hash;

use super::case::{Case, Read};
use super::{Check, Lie, count};
use crate::bundle::Completeness;
use crate::closure::Closure;

/// Subjects whose entries must all be here.
pub(crate) type Subjects = BTreeSet<Subject>;

/// Checks what is said of subjects and returns those whose history is here from its beginning, so that it can be judged.
pub(super) fn check(
    case: &Case<'_>,
    checkpoint: &Checkpoint,
    checks: &mut Vec<Check>,
) -> Result<Subjects, Lie> {
    let matter = closure(case)?;
    // Where every leaf is here, every history is, and a lie about any of them is a lie of the log.
    let whole = case.bundle.completeness == Completeness::EveryLeaf;
    let judged = if whole { every(case) } else { matter.clone() };
    checks.push(without_gaps(case, &judged)?);
    checks.push(with_details(case, &matter)?);
    checks.push(completeness(case, checkpoint, &matter)?);
    Ok(judged)
}

fn every(case: &Case<'_>) -> Subjects {
    case.entries.iter().map(|entry| entry.event.fact.subject()).collect()
}

/// Everything the scope's entries rest on, worked out anew. What is named and not here is a lie by omission.
pub(crate) fn closure(case: &Case<'_>) -> Result<Subjects, Lie> {
    let mut entries: BTreeMap<Subject, Vec<&Read<'_>>> = BTreeMap::new();
    for entry in &case.entries {
        entries.entry(entry.event.fact.subject()).or_default().push(entry);
    }
    let mut closure = Closure::of(case.selected().map(|entry| entry.event.fact.subject()));
    while let Some(subject) = closure.take() {
        let about = entries.get(&subject);
        let about = about.ok_or_else(|| {
            Lie::new("closure", format!("entries rest on `{subject}`, of which the bundle has none"))
        })?;
        about.iter().for_each(|entry| closure.see(&entry.event));
    }
    let mut subjects = closure.subjects();
    // An incident is not named by what it is about, but belongs to it.
    subjects.extend(
        case.entries
            .iter()
            .filter_map(|entry| match &entry.event.fact {
                Fact::IncidentOpened(id, opened) if subjects.contains(&opened.about) => {
                    Some(Subject::Incident(*id))
                }
                _ => None,
            })
            .collect::<Vec<_>>(),
    );
    Ok(subjects)
}

/// A hole in a subject's sequence shows at once; a hidden end does not, see [`completeness`].
fn without_gaps(case: &Case<'_>, subjects: &Subjects) -> Result<Check, Lie> {
    let mut last: BTreeMap<&str, u32> = BTreeMap::new();
    for entry in case.entries.iter().filter(|entry| subjects.contains(&entry.event.fact.subject())) {
        let expected = last.get(entry.view.subject).map_or(FIRST_SUBJECT_SEQ, |last| last.saturating_add(1));
        let found = entry.view.subject_seq;
        if found != expected {
            let what =
                format!("it is entry {found} of `{}`, and entry {expected} is missing", entry.view.subject);
            return Err(Lie::at(entry.view.index, "subject_gap", what));
        }
        last.insert(entry.view.subject, found);
    }
    Ok(Check::holds(
        "subjects",
        format!("{}, each without a gap from its first entry on", count(last.len(), "subject")),
    ))
}

/// Details of what matters must be here, or an entry must say that they were redacted.
fn with_details(case: &Case<'_>, subjects: &Subjects) -> Result<Check, Lie> {
    let redacted = case.redactions();
    let mut gone = 0;
    for entry in &case.entries {
        let index = entry.view.index;
        match (entry.view.details_sha256, entry.details, redacted.get(&index)) {
            (_, Some(_), Some(by)) => {
                return Err(Lie::at(
                    index,
                    "redaction",
                    format!("entry {by} says that its details were redacted, and here they are"),
                ));
            }
            (Some(_), None, Some(_)) => gone += 1,
            (Some(_), None, None) if subjects.contains(&entry.event.fact.subject()) => {
                return Err(Lie::at(
                    index,
                    "details_missing",
                    "its details are missing and no entry says that they were redacted",
                ));
            }
            _ => {}
        }
    }
    let sentence = match gone {
        0 => "no details were redacted".to_owned(),
        gone => format!("the details of {} were redacted, and the log says so", count(gone, "entry")),
    };
    Ok(Check::holds("redactions", sentence))
}

fn completeness(case: &Case<'_>, checkpoint: &Checkpoint, matter: &Subjects) -> Result<Check, Lie> {
    let what = "completeness";
    match &case.bundle.completeness {
        Completeness::EveryLeaf => {
            every_leaf_from(case, (0, checkpoint.size))?;
            let sentence = "every leaf of the log is here, so nothing in the scope was left out";
            Ok(Check::holds(what, sentence))
        }
        Completeness::Census { size, answers } => {
            every_leaf_from(case, (*size, checkpoint.size))?;
            let subjects = counted(case, (*size, answers), matter)?;
            let sentence = format!(
                "every leaf from {size} on is here, and the census of the first {size}, which followers of the log count again, has no further entry of {subjects}"
            );
            if case.bundle.scope.is_one_subject() || begins_after(case, *size) {
                Ok(Check::holds(what, sentence))
            } else {
                Ok(Check::not_shown(
                    what,
                    format!(
                        "{sentence}; whether entries of other subjects before it are in the scope was not counted"
                    ),
                ))
            }
        }
        Completeness::NotShown { why } => Ok(Check::not_shown(what, why.clone())),
    }
}

/// Whether the scope begins in time after the first leaf from `size` on: time never goes back, so then no leaf before can be in it.
fn begins_after(case: &Case<'_>, size: u64) -> bool {
    let first = case.entries.iter().find(|entry| entry.view.index >= size);
    case.bundle.scope.from.zip(first).is_some_and(|(from, first)| first.event.at < from)
}

/// Holds the entries before a census against what it says of every subject that matters.
fn counted(
    case: &Case<'_>,
    (size, answers): (u64, &BTreeMap<String, Answer>),
    matter: &Subjects,
) -> Result<String, Lie> {
    let (entry, census) = census(case, size)?;
    let lie = |what: String| Lie::at(entry, "census", what);
    for subject in matter {
        let subject = subject.to_string();
        let answer =
            answers.get(&subject).ok_or_else(|| lie(format!("nothing shows what it says of `{subject}`")))?;
        let row =
            census.check(&subject, answer).map_err(|error| lie(format!("about `{subject}`: {error}")))?;
        let mut before = case
            .entries
            .iter()
            .filter(|read| read.view.subject == subject && read.view.index < size)
            .map(|read| read.view.index);
        let here = (before.clone().count().try_into().unwrap_or(u64::MAX), before.next_back());
        let expected = row.map_or((0, None), |row| (u64::from(row.count), Some(row.last)));
        if here != expected {
            let what = format!(
                "a census counts {} of `{subject}` before entry {size}, and {} are here",
                expected.0, here.0
            );
            return Err(Lie { entry: expected.1, ..Lie::new("hidden_entry", what) });
        }
    }
    Ok(count(matter.len(), "subject"))
}

/// The census of a size, as the log has it, and its entry.
fn census(case: &Case<'_>, size: u64) -> Result<(u64, Census), Lie> {
    let found = case.entries.iter().find_map(|read| match &read.event.fact {
        Fact::LogCensusTaken(_, taken) if taken.size == size => {
            let census = Census { subjects: taken.subjects, root_sha256: Hash(taken.root_sha256.0) };
            Some((read.view.index, census))
        }
        _ => None,
    });
    found.ok_or_else(|| {
        Lie::new(
            "census",
            format!("the bundle rests on a census of {size} entries, which the log does not have"),
        )
    })
}

/// Leaves are in ascending order and below the size, so counting them tells whether all are here.
fn every_leaf_from(case: &Case<'_>, (start, size): (u64, u64)) -> Result<(), Lie> {
    let here = case.entries.iter().map(|entry| entry.view.index).filter(|index| *index >= start);
    for (expected, found) in (start..size).zip(here.map(Some).chain(std::iter::repeat(None))) {
        if found != Some(expected) {
            return Err(Lie::at(
                expected,
                "hidden_entry",
                format!("the bundle claims every leaf from {start} on, and this one is not here"),
            ));
        }
    }
    Ok(())
}
