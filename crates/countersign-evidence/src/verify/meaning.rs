//! Whether what happened was allowed: the events of all subjects that matter, followed by `core`'s auditor, and the parameters that
//! people were shown held against the digest they agreed to.

use countersign_core::Fact;
use countersign_core::audit::{Auditor, Violation};
use countersign_core::digest::Digest;
use countersign_ledger::hash::Hash;
use countersign_ledger::json;
use serde::Deserialize;

use super::case::{Case, Read};
use super::subjects::Subjects;
use super::{Check, Lie, count};

pub(super) fn check(case: &Case<'_>, subjects: &Subjects, checks: &mut Vec<Check>) -> Result<(), Lie> {
    let mut auditor = Auditor::default();
    let mut followed = 0;
    let lie = |entry: &Read<'_>, violation: &Violation| {
        Lie::at(entry.view.index, format!("meaning_{}", violation.code()), violation)
    };
    let mut last = None;
    for entry in case.entries.iter().filter(|entry| subjects.contains(&entry.event.fact.subject())) {
        let judged = auditor.follow_numbered(&entry.event, entry.view.subject_seq);
        judged.map_err(|violation| lie(entry, &violation))?;
        followed += 1;
        last = Some(entry);
    }
    auditor.finish().map_err(|violation| match last {
        Some(last) => lie(last, &violation),
        None => Lie::new(format!("meaning_{}", violation.code()), violation),
    })?;
    let events = count(followed, "event");
    checks.push(Check::holds(
        "meaning",
        format!("{events} followed: each was allowed by the policy then in force"),
    ));
    checks.push(parameters(case)?);
    Ok(())
}

/// What is kept beside a request or a permit.
#[derive(Deserialize)]
struct Bound {
    parameters: serde_json::Value,
    parameters_salt: Hash,
}

/// Parameters in clear must be those whose digest was agreed to.
fn parameters(case: &Case<'_>) -> Result<Check, Lie> {
    let mut shown = 0;
    for entry in &case.entries {
        let Some(digest) = bound(entry) else { continue };
        let Some(details) = entry.details else { continue };
        let unfit = |what: String| Lie::at(entry.view.index, "parameters", what);
        let bound: Bound = serde_json::from_str(&details.body)
            .map_err(|error| unfit(format!("its details show no parameters: {error}")))?;
        let canonical = json::to_canonical(&bound.parameters).map_err(|error| unfit(error.to_string()))?;
        if Digest::salted(&bound.parameters_salt.0, &canonical) != digest {
            return Err(unfit(
                "the parameters shown are not those of the digest that was agreed to".to_owned(),
            ));
        }
        shown += 1;
    }
    Ok(Check::holds("parameters", format!("shown for {}, each as agreed to", count(shown, "request"))))
}

/// The digest of parameters that an entry binds, if it binds any.
fn bound(entry: &Read<'_>) -> Option<Digest> {
    match &entry.event.fact {
        Fact::ApprovalRequested(_, requested) => Some(requested.parameters_sha256),
        _ => None,
    }
}
