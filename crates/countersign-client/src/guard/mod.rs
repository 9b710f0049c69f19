//! The guard: lets a deed through under a permit document that holds, once, without asking any server.
//!
//! It believes what was pinned from elsewhere: the node's permit key, the log's key, and, where a roster is pinned, the rules and the
//! people's voting keys. With a roster, and where the rules ask for signed votes, a server that was taken over with all of its keys cannot
//! make the guard believe that people agreed. Where they do not, the guard says that the quorum is the server's word, and lets through
//! only whom that is enough for.
//!
//! What it cannot know offline is what happened since: that the permit was given back, or started elsewhere. So a deed is spent in a file
//! before it is done ([`Spent`]), and unless a rule says otherwise the permit is started online first.
//!
//! # Layout
//! - `spent`: what was used already, durably

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use countersign_core::action::Action;
use countersign_core::id::PersonId;
use countersign_core::time::Time;
pub use countersign_evidence::permit::{
    Pins, Quorum, Roster, RosterError, Untrusted, Verified, Wanted, verify,
};
use countersign_ledger::hash::sha256;
use countersign_ledger::note::VerifierKey;
use serde_json::Value;

mod spent;

pub use spent::{Spent, SpentError};

/// How much the guard asks to be shown of people's agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assurance {
    /// Signed votes that meet the quorum of the pinned rules, or pinned rules that ask for nobody's agreement.
    Signed,
    /// The server's word is enough where the pinned rules do not ask for signed votes, or no roster is pinned.
    ServersWord,
}

/// What a guard has pinned. Nothing of it comes from the node whose permits it checks.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// Keys that may sign permit documents.
    pub permit_keys: Vec<VerifierKey>,
    /// The log's origin line.
    pub log: String,
    /// Keys that may sign the log's checkpoints.
    pub log_keys: Vec<VerifierKey>,
    /// Policy and voting keys, and how old they may be, seconds.
    pub roster: Option<(Roster, u32)>,
    /// What is asked to be shown of people's agreement.
    pub assurance: Assurance,
}

/// Why a deed is not let through.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The document does not hold, or not for this.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// People's agreement is not shown as it has to be.
    #[error("quorum: server's word, because {0}")]
    ServersWord(&'static str),
    /// It was used already, or nobody could tell.
    #[error(transparent)]
    Spent(#[from] SpentError),
}

/// Lets deeds through, each permit and each agreement of people once.
#[derive(Debug)]
pub struct Guard {
    pinned: Pinned,
    spent: Spent,
}

impl Guard {
    /// A guard that remembers in this file what was used. One file for one executor: whoever has another file has another memory.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn open(pinned: Pinned, spent: &Path) -> Result<Self, GuardError> {
        Ok(Self { pinned, spent: Spent::open(spent)? })
    }

    /// Checks the document for this deed, now, and spends it. When this returns the deed may be done, once.
    ///
    /// # Errors
    /// Any [`GuardError`]; nothing was spent, except where the memory itself fails: then it may have been.
    pub fn admit(
        &self,
        document: &[u8],
        (action, parameters): (&Action, &Value),
        executor: PersonId,
    ) -> Result<Verified, GuardError> {
        let verified = self.check(document, (action, parameters), executor)?;
        self.spent.spend(&tokens(&verified))?;
        Ok(verified)
    }

    /// Checks the document for this deed, now, and spends nothing.
    ///
    /// # Errors
    /// [`GuardError::Untrusted`] or [`GuardError::ServersWord`].
    pub fn check(
        &self,
        document: &[u8],
        (action, parameters): (&Action, &Value),
        executor: PersonId,
    ) -> Result<Verified, GuardError> {
        let Pinned { permit_keys, log, log_keys, roster, assurance } = &self.pinned;
        let roster = roster.as_ref().map(|(roster, max_age)| (roster, *max_age));
        let pins = Pins { permit_keys, log, log_keys, roster };
        let wanted = Wanted {
            action: Some(action),
            parameters: Some(parameters),
            executor: Some(executor),
            now: now(),
        };
        let verified = verify(document, &pins, &wanted)?;
        match (&verified.quorum, assurance) {
            (Quorum::ServersWord(why), Assurance::Signed) => Err(GuardError::ServersWord(why)),
            _ => Ok(verified),
        }
    }
}

/// What is used up with a deed: the permit, each approval, and what people signed. A server may give a second permit for one agreement;
/// the agreement is good for one deed all the same.
fn tokens(verified: &Verified) -> Vec<String> {
    let leave = &verified.leave;
    let mut tokens = vec![leave.permit.to_string()];
    for agreement in &leave.approvals {
        tokens.push(agreement.approval.to_string());
        let signed = agreement.statement.as_ref();
        tokens.extend(signed.map(|text| format!("statement:{}", sha256(text.as_bytes()))));
    }
    tokens
}

/// This machine's time.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
