//! Whether signed votes were signed: each by the key it names, and under the statement of its request as far as that is still here.
//!
//! Whose key it is, and whether it was in force, is for `meaning` to say.

use std::collections::BTreeMap;

use countersign_core::{Fact, Subject};
use countersign_ledger::{break_glass, statement};

use super::case::{Case, Read};
use super::{Check, Lie, count};
use crate::votes::{self, VoteError};

pub(super) fn check(case: &Case<'_>) -> Result<Check, Lie> {
    let leaves = case.bundle.entries.iter().map(|entry| entry.leaf.as_bytes());
    let mut statements: BTreeMap<Subject, Vec<u8>> = BTreeMap::new();
    let (mut signed, mut read) = (0_usize, 0_usize);
    for (entry, leaf) in case.entries.iter().zip(leaves) {
        let index = entry.view.index;
        let lie = |error: VoteError| Lie::at(index, code(&error), error);
        votes::check(&entry.event).map_err(lie)?;
        broken(case, entry, leaf).map_err(lie)?;
        if let Some(statement) = stated(entry, leaf) {
            statements.insert(entry.event.fact.subject(), statement);
        }
        let Some(signature) = votes::of_vote(&entry.event) else { continue };
        signed += 1;
        if let Some(statement) = statements.get(&entry.event.fact.subject()) {
            votes::check_statement(signature, statement).map_err(lie)?;
            read += 1;
        }
    }
    let sentence = match signed {
        0 => "no vote is signed: who agreed is the server's word".to_owned(),
        _ if signed == read => {
            format!("{}, each genuine and under the statement of its request", count(signed, "signed vote"))
        }
        _ => format!(
            "{}, each genuine; the statements of {} were redacted, so only their hashes were verified",
            count(signed, "signed vote"),
            signed - read
        ),
    };
    Ok(Check::holds("votes", sentence))
}

/// Whether whoever broke the glass signed what the entry and its details say, as far as these are still here.
fn broken(case: &Case<'_>, entry: &Read<'_>, leaf: &[u8]) -> Result<(), VoteError> {
    let (Fact::BreakGlassOpened(_, opened), Some(details)) = (&entry.event.fact, entry.details) else {
        return Ok(());
    };
    let named = case.entries.iter().find_map(|entry| match &entry.event.fact {
        Fact::LogCreated(_, created) => Some(created.origin.as_str()),
        _ => None,
    });
    let statement = break_glass::of_opening(leaf, details.body.as_bytes(), named.unwrap_or_default());
    votes::check_statement(&opened.signature, &statement.map_err(|_| VoteError::Statement)?)
}

/// What voters on the request sign, if the entry begins one and its details are here.
fn stated(entry: &Read<'_>, leaf: &[u8]) -> Option<Vec<u8>> {
    let Fact::ApprovalRequested(..) = &entry.event.fact else { return None };
    statement::of_request(leaf, entry.details?.body.as_bytes()).ok()
}

fn code(error: &VoteError) -> &'static str {
    match error {
        VoteError::Key(_) | VoteError::OtherKey => "voting_key",
        VoteError::Signature(_) | VoteError::Assertion(_) | VoteError::Purpose | VoteError::Signer => {
            "vote_signature"
        }
        VoteError::Statement => "vote_statement",
    }
}
