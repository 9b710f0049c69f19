//! Verifies a bundle offline, from the outside in: form, signature, leaves, proof, details, policies, votes, subjects, completeness, meaning, report.
//!
//! It stops at the first lie and names it. What cannot be shown is said, never passed over: absence of evidence does not pass. The
//! verifier takes nothing for granted but the keys it is given.
//!
//! # Layout
//! - `keys`: who signed, and how that follows from the pinned keys
//! - `case`: the bundle read into events, with everything that follows from the bytes alone
//! - `votes`: whether signed votes were signed
//! - `subjects`: which subjects matter, whether their entries are all there
//! - `witnesses`: whether others saw the checkpoint too
//! - `meaning`: whether what happened was allowed, and whether the parameters shown are those that were approved

use std::fmt;

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::note::VerifierKey;
use countersign_ledger::witness::Policy;

use crate::bundle;

mod case;
mod keys;
mod meaning;
mod subjects;
mod votes;
mod witnesses;

pub(crate) use case::{Case, Read};
pub(crate) use subjects::closure;

/// What the verification may take for granted; it has to come from outside the bundle.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// The log's origin line.
    pub origin: &'a str,
    /// Keys that were pinned: any the log ever had, the handovers in the bundle lead on from there.
    pub keys: &'a [VerifierKey],
    /// How many of which witnesses must have cosigned the checkpoint, if that is demanded.
    pub witnesses: Option<&'a Policy>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What, in a word.
    pub what: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a check that found no lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds; the sentence says what exactly.
    Holds(String),
    /// It could not be shown; the sentence says why.
    NotShown(String),
}

impl Check {
    pub(crate) fn holds(what: &'static str, sentence: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Holds(sentence.into()) }
    }

    pub(crate) fn not_shown(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::NotShown(why.into()) }
    }
}

/// The first thing that is not as the bundle says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lie {
    /// A stable code for machines; those about meaning are `meaning_` and the violation's code.
    pub code: String,
    /// The entry it is about, if one.
    pub entry: Option<u64>,
    /// One sentence for people.
    pub what: String,
}

impl Lie {
    pub(crate) fn new(code: impl Into<String>, what: impl fmt::Display) -> Self {
        Self { code: code.into(), entry: None, what: what.to_string() }
    }

    pub(crate) fn at(entry: u64, code: impl Into<String>, what: impl fmt::Display) -> Self {
        Self { entry: Some(entry), ..Self::new(code, what) }
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => write!(f, "entry {entry}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for Lie {}

/// A bundle in which no lie was found.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The signed head that everything was proved against.
    pub checkpoint: Checkpoint,
    /// Entries in the bundle.
    pub entries: usize,
    /// Entries in the scope.
    pub selected: usize,
    /// Everything that was looked at, in order, and what could not be shown.
    pub checks: Vec<Check>,
}

/// A verification that found a lie, with what held before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    /// What was looked at before.
    pub checks: Vec<Check>,
    /// The lie.
    pub lie: Lie,
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.lie, f)
    }
}

impl std::error::Error for Unverified {}

/// Verifies the file of a bundle.
///
/// # Errors
/// The first lie, with the checks that held before it.
pub fn verify(file: &[u8], trust: &Trust<'_>) -> Result<Verified, Unverified> {
    let mut checks = Vec::new();
    match steps(file, trust, &mut checks) {
        Ok((checkpoint, [entries, selected])) => Ok(Verified { checkpoint, entries, selected, checks }),
        Err(lie) => Err(Unverified { checks, lie }),
    }
}

fn steps(file: &[u8], trust: &Trust<'_>, checks: &mut Vec<Check>) -> Result<(Checkpoint, [usize; 2]), Lie> {
    let bundle = bundle::parse(file).map_err(|error| Lie::new("form", error))?;
    checks.push(Check::holds("form", "one block of strict JSON, a bundle of version 1"));
    let keys = keys::history(&bundle)?;
    let checkpoint = keys::signed(&bundle, &keys, trust)?;
    let Checkpoint { origin, size, .. } = &checkpoint;
    checks.push(Check::holds(
        "signature",
        format!(
            "checkpoint of `{origin}` with {size} entries, signed by the log's key in force at that size"
        ),
    ));
    checks.push(keys::check(&checkpoint, &keys, trust));
    checks.push(witnesses::check(&bundle, &keys, trust.witnesses)?);
    let case = Case::read(&bundle, &checkpoint, checks)?;
    checks.push(votes::check(&case)?);
    let subjects = subjects::check(&case, &checkpoint, checks)?;
    meaning::check(&case, &subjects, checks)?;
    checks.push(report(file, &case)?);
    Ok((checkpoint, [case.entries.len(), case.selected().count()]))
}

/// The page must be the one that follows from the evidence in it: what people read is what was verified.
fn report(file: &[u8], case: &Case<'_>) -> Result<Check, Lie> {
    let bundle = case.bundle;
    let rendered = bundle::print_case(case).map_err(|error| Lie::new("report", error))?;
    if rendered.as_bytes() == file {
        return Ok(Check::holds("report", "the page is exactly the one that follows from the evidence"));
    }
    if bundle.generator == crate::report::generator() {
        return Err(Lie::new(
            "report",
            "the page does not say what the evidence says, or something was added to the file",
        ));
    }
    let why =
        format!("the page was written by `{}`, whose pages look different", bundle.generator.escape_debug());
    Ok(Check::not_shown("report", why))
}

/// Says how many there are of something, in words.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('y') => format!("{number} {}ies", noun.trim_end_matches('y')),
        _ => format!("{number} {noun}s"),
    }
}
