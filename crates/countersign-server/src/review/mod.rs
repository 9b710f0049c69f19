//! The access review: who may do what under the policy in force, who did, and what is stale. Nothing is appended, and no person's name is
//! known here.
//!
//! It is made of one state and of the entries before it, page by page; what is kept meanwhile grows with rules and people, not with the log.
//!
//! # Layout
//! - `books`: what people did, counted while the entries go by
//! - `rights`: what the policy lets whom do; `grants`: what tokens may do by that
//! - `stale`: what nobody needs any more

use std::sync::Arc;

use countersign_core::policy::Policy;
use countersign_core::text::Name;
use countersign_core::time::Time;
use countersign_core::{Fact, Item, State, Subject};
use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;

use crate::engine::codec;
use crate::store::{Reader, StoreError, Tree};

mod books;
mod grants;
mod rights;
mod stale;

pub use books::{Books, Count};
pub use grants::Grant;
pub use rights::{Held, Right};
pub use stale::{Finding, Kind};

/// Entries read at once.
const CHUNK: usize = 2_048;

/// Most rights, and as many grants of tokens, that one review holds: more are no longer looked at by anybody.
pub const MOST_RIGHTS: usize = 100_000;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// What is reviewed.
#[derive(Clone, Debug)]
pub struct Scope {
    /// How many entries the state comes from.
    pub size: u64,
    /// The state after them.
    pub state: Arc<State>,
    /// The moment of the review.
    pub until: Time,
    /// How many days before that are looked at.
    pub days: u32,
    /// Only rights in this environment, if it is named.
    pub environment: Option<Name>,
}

impl Scope {
    /// From when on it is looked what people did.
    #[must_use]
    pub fn from(&self) -> Time {
        self.until.plus_millis(-DAY_MILLIS * i64::from(self.days))
    }
}

/// A review.
#[derive(Debug)]
pub struct Review {
    /// The root of the tree over the entries.
    pub root: Hash,
    /// What people did.
    pub books: Books,
    /// What they may do, in the order of the policy.
    pub rights: Vec<Held>,
    /// What tokens may do, token by token.
    pub grants: Vec<Grant>,
    /// What is stale.
    pub stale: Vec<Finding>,
}

/// Why there is no review.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is no policy yet.
    #[error("the log has no policy yet")]
    NoPolicy,
    /// There are too many rights.
    #[error(
        "the policy gives more than {MOST_RIGHTS} rights, or tokens may do more than as many things: name an environment"
    )]
    TooMuch,
    /// The store does not answer or contradicts itself.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads what people did and holds it against what they may do.
///
/// # Errors
/// There is no policy, there is too much of it, or the store fails.
pub fn make(reader: &mut dyn Reader, scope: &Scope) -> Result<Review, ReviewError> {
    let policy = scope.state.policy().map(|in_force| &in_force.policy).ok_or(ReviewError::NoPolicy)?;
    let mut rights = rights::all(policy, scope.environment.as_ref()).ok_or(ReviewError::TooMuch)?;
    let root = CompactRange::read(&Tree::over(reader), scope.size)?.root();
    let books = read(reader, (scope, policy))?;
    for held in &mut rights {
        held.used = held.right.is_on_record().then(|| books.of_right(held));
    }
    let grants = grants::all(scope, (policy, &rights)).ok_or(ReviewError::TooMuch)?;
    let stale = stale::all(scope, (&books, &rights, &grants));
    Ok(Review { root, books, rights, grants, stale })
}

/// The entries of the time that is looked at, one after another.
fn read(reader: &mut dyn Reader, (scope, policy): (&Scope, &Policy)) -> Result<Books, StoreError> {
    let mut books = Books::default();
    let mut next = first_since(reader, (scope.size, scope.from()))?;
    while next < scope.size {
        let left = usize::try_from(scope.size - next).unwrap_or(usize::MAX);
        let page = reader.entries(next, CHUNK.min(left))?;
        let Some(last) = page.last() else {
            return Err(StoreError::Corrupt(format!("entry {next} of {} is missing", scope.size)));
        };
        next = last.index + 1;
        for entry in &page {
            let event = codec::decode(entry.index, &entry.leaf, reader)?.event;
            meet(reader, (&mut books, &event.fact))?;
            books.follow(policy, &event);
        }
    }
    Ok(books)
}

/// What is voted on or reviewed may have been asked for before the time that is looked at.
fn meet(reader: &mut dyn Reader, (books, fact): (&mut Books, &Fact)) -> Result<(), StoreError> {
    let subject = match fact {
        Fact::ApprovalGranted(id, _) | Fact::ApprovalObjected(id, _) | Fact::ApprovalDenied(id, _)
            if !books.knows_approval(*id) =>
        {
            Subject::Approval(*id)
        }
        Fact::BreakGlassReviewed(id, _) if !books.knows_glass(*id) => Subject::BreakGlass(*id),
        _ => return Ok(()),
    };
    let record = reader.record(codec::record_kind(&subject), &subject.to_string())?;
    match record.as_ref().map(codec::item).transpose()? {
        Some(Item::Approval(approval)) => books.meet_approval(approval.id, approval.action),
        Some(Item::BreakGlass(it)) => books.meet_glass(it.id, it.action),
        _ => return Err(StoreError::Corrupt(format!("`{subject}` has entries and no record"))),
    }
    Ok(())
}

/// The first of so many entries that is not before the moment; times never go back.
fn first_since(reader: &mut dyn Reader, (size, from): (u64, Time)) -> Result<u64, StoreError> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = reader.entries(middle, 1)?.into_iter().next();
        let entry = entry.ok_or_else(|| StoreError::Corrupt(format!("entry {middle} is missing")))?;
        if codec::decode(middle, &entry.leaf, reader)?.event.at < from {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
