//! Redaction: the details of some entries are deleted, under an approval of exactly those, and an entry says so for ever.
//!
//! The entries themselves stay, and so does every proof. What is stored beside them is not known here: the engine looks it up and
//! hands over what it found. Nothing that authority rests on is in details, with one exception: as long as a request or a permit can
//! still be used, people must be able to read what it is for, so its parameters stay until it has ended.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::approval::End;
use crate::catalogue::listed;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::{ApprovalId, PermitId};
use crate::permit::{self, AtOnce, Status};
use crate::state::{LogSubject, State, Subject};

/// The most entries of one redaction: their indices must fit into a leaf, and a person must be able to look at them.
pub const MOST: usize = 1_000;

/// Which entries: their indices, ascending, each once, 1 to [`MOST`] of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct Entries(Vec<u64>);

/// Numbers are not the entries of a redaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntriesError {
    /// There are none, or more than [`MOST`].
    Count(usize),
    /// A number does not come after the one before it: there is one way to write a set, so that there is one digest of it.
    Unordered(u64),
}

impl fmt::Display for EntriesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "a redaction names 1 to {MOST} entries, not {count}"),
            Self::Unordered(index) => {
                write!(f, "entry {index} is not in its place: name each once, in ascending order")
            }
        }
    }
}

impl core::error::Error for EntriesError {}

impl TryFrom<Vec<u64>> for Entries {
    type Error = EntriesError;

    fn try_from(indices: Vec<u64>) -> Result<Self, EntriesError> {
        if indices.is_empty() || indices.len() > MOST {
            return Err(EntriesError::Count(indices.len()));
        }
        let follows = |pair: &&[u64]| !matches!(pair, [before, after] if before < after);
        match indices.windows(2).find(follows) {
            Some([_, late]) => Err(EntriesError::Unordered(*late)),
            _ => Ok(Self(indices)),
        }
    }
}

impl From<Entries> for Vec<u64> {
    fn from(entries: Entries) -> Self {
        entries.0
    }
}

impl Entries {
    /// The indices, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }
}

/// Deletes the details of some entries.
#[derive(Clone, Debug)]
pub struct RedactDetails {
    /// Which.
    pub entries: Entries,
    /// The approval of exactly these.
    pub approval: ApprovalId,
    /// Digest of the approved parameters, salted as the approval's are.
    pub parameters_sha256: Digest,
    /// What stands at each index. Only the engine can look, and does so just before the decision; what it did not look up does not exist.
    pub found: BTreeMap<u64, Standing>,
}

/// What stands at an index of the log, as far as a redaction is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no such entry yet.
    NoEntry,
    /// The entry never had details.
    NoDetails,
    /// Its details were deleted before.
    Redacted {
        /// By the redaction at this index.
        by: u64,
    },
    /// Its details are not there, and no entry says why.
    Missing,
    /// Its details are there.
    Present {
        /// What the entry is about.
        subject: Subject,
        /// Its number among the subject's entries, from 1.
        subject_seq: u32,
    },
}

/// `log.details_redacted`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailsRedacted {
    /// The entries whose details and salts were deleted in the commit that wrote this.
    pub entries: Entries,
    /// The approval it rests on.
    pub approval: ApprovalId,
}

/// Why details are not deleted, in order of precedence; within one reason the lowest index is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// There is no such entry.
    EntryNotFound(u64),
    /// The entry has no details.
    NoDetails(u64),
    /// Its details were deleted before.
    AlreadyRedacted {
        /// The entry.
        index: u64,
        /// The redaction.
        by: u64,
    },
    /// Its details are gone without a redaction. Redacting them now would explain away a damage.
    DetailsMissing(u64),
    /// Its details say what something that can still be used is for.
    DetailsInUse {
        /// The entry.
        index: u64,
        /// What can still be used.
        subject: Subject,
    },
}

listed! { Refusal:
    EntryNotFound(0), NoDetails(0), AlreadyRedacted { index: 0, by: 1 }, DetailsMissing(0),
    DetailsInUse { index: 0, subject: Subject::Log },
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::EntryNotFound(_) => "entry_not_found",
            Self::NoDetails(_) => "no_details",
            Self::AlreadyRedacted { .. } => "already_redacted",
            Self::DetailsMissing(_) => "details_missing",
            Self::DetailsInUse { .. } => "details_in_use",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::EntryNotFound(_) => "name entries by their index, as `countersign entry list` shows it",
            Self::NoDetails(_) | Self::AlreadyRedacted { .. } => "make a new request without this entry",
            Self::DetailsMissing(_) => "run `countersign ledger verify`: something was deleted around us",
            Self::DetailsInUse { .. } => {
                "wait until it has ended, or end it: withdraw the request, give the permit back"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryNotFound(index) => write!(f, "there is no entry {index}"),
            Self::NoDetails(index) => write!(f, "entry {index} has no details"),
            Self::AlreadyRedacted { index, by } => {
                write!(f, "the details of entry {index} were deleted by entry {by}")
            }
            Self::DetailsMissing(index) => {
                write!(f, "the details of entry {index} are missing, and no entry says why")
            }
            Self::DetailsInUse { index, subject } => {
                write!(
                    f,
                    "the details of entry {index} say what `{subject}` is for, and it can still be used"
                )
            }
        }
    }
}

/// The action under which details are deleted: `redact ledger/details control`.
#[must_use]
pub fn action() -> Option<Action> {
    Action::of(["redact", "ledger/details", "control"])
}

pub(crate) fn redact(
    state: &State,
    cx: &Context,
    command: &RedactDetails,
) -> Result<Vec<Event>, domain::Refusal> {
    let RedactDetails { entries, approval, parameters_sha256, found } = command;
    let action = action().ok_or(permit::Refusal::NoRule)?;
    let used = AtOnce::check(state, cx, action, (*approval, *parameters_sha256))?;
    let obstacles = entries.iter().filter_map(|index| obstacle(state, (index, found.get(&index))));
    if let Some(refusal) = obstacles.min() {
        return Err(refusal.into());
    }
    let redacted = DetailsRedacted { entries: entries.clone(), approval: *approval };
    Ok(used.events(cx, Fact::LogDetailsRedacted(LogSubject, redacted)))
}

/// Why the details of this entry stay, if they do.
fn obstacle(state: &State, (index, standing): (u64, Option<&Standing>)) -> Option<Refusal> {
    match standing.unwrap_or(&Standing::NoEntry) {
        Standing::NoEntry => Some(Refusal::EntryNotFound(index)),
        Standing::NoDetails => Some(Refusal::NoDetails(index)),
        Standing::Redacted { by } => Some(Refusal::AlreadyRedacted { index, by: *by }),
        Standing::Missing => Some(Refusal::DetailsMissing(index)),
        Standing::Present { subject, subject_seq } => (*subject_seq == 1 && is_usable(state, subject))
            .then(|| Refusal::DetailsInUse { index, subject: subject.clone() }),
    }
}

/// Whether somebody may still have to read what the subject is for. What is not in memory has ended.
///
/// The first entry of a request or a permit holds its parameters and their salt: without them nobody could vote, and nothing could be
/// reserved or started, since the digest could not be computed again.
fn is_usable(state: &State, subject: &Subject) -> bool {
    let permit = |id: PermitId| state.permit(id).filter(|permit| !permit.is_finished());
    match subject {
        Subject::Approval(id) => state.approval(*id).is_some_and(|approval| match approval.ended {
            None => true,
            // Given back unstarted, the permit restores what was used up with it: its approval, and its exceptions from freezes.
            Some((End::Consumed { permit: Some(id) }, _)) => {
                permit(id).is_some_and(|permit| permit.status() == Status::Reserved)
            }
            Some(_) => false,
        }),
        Subject::Permit(id) => permit(*id).is_some(),
        // Its parameters and its reason stand beside the breaking of the glass, and its permit bears the same number. Whoever reviews it
        // must be able to read them.
        Subject::BreakGlass(id) => {
            state.break_glass(*id).is_some_and(|it| it.settled.is_none()) || permit(PermitId(id.0)).is_some()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;
    use crate::domain::Command;
    use crate::testing::{ANA, BEN, World, action, parameters, payout, policy};

    fn entries(indices: &[u64]) -> Entries {
        Entries::try_from(indices.to_vec()).unwrap()
    }

    fn redact(approval: ApprovalId, found: &[(u64, Standing)]) -> Command {
        let indices: Vec<u64> = found.iter().map(|(index, _)| *index).collect();
        let found = found.iter().cloned().collect();
        let parameters_sha256 = parameters();
        Command::RedactDetails(RedactDetails {
            entries: entries(&indices),
            approval,
            parameters_sha256,
            found,
        })
    }

    fn first_of(subject: impl Into<Subject>) -> Standing {
        Standing::Present { subject: subject.into(), subject_seq: 1 }
    }

    /// A world whose policy governs redactions as it does its own replacement.
    fn governed() -> World {
        let mut policy = policy();
        let mut rule = policy.rules[0].clone();
        rule.name = "redact".parse().unwrap();
        rule.verb = "redact".parse().unwrap();
        rule.resource = "ledger/details".parse().unwrap();
        policy.rules.push(rule);
        World::with(policy)
    }

    fn approved(world: &mut World) -> ApprovalId {
        world.approved(action("redact", "ledger/details", "control"))
    }

    #[test]
    fn a_set_is_written_in_one_way_only() {
        let complaint = |indices: Vec<u64>| Entries::try_from(indices).unwrap_err();
        assert_eq!(complaint(Vec::new()), EntriesError::Count(0));
        assert_eq!(complaint((0..1_001).collect()), EntriesError::Count(1_001));
        assert_eq!(complaint([1, 3, 3].to_vec()), EntriesError::Unordered(3));
        assert_eq!(complaint([3, 1].to_vec()), EntriesError::Unordered(1));
        let most = entries(&(0..1_000).collect::<Vec<_>>());
        assert_eq!(most.iter().count(), MOST);
        assert!(serde_json::from_str::<Entries>("[2,1]").is_err());
        assert_eq!(serde_json::to_string(&entries(&[4, 7])).unwrap(), "[4,7]");
    }

    #[test]
    fn an_approval_of_exactly_these_deletes_them_once() {
        let mut world = governed();
        let id = approved(&mut world);
        let command = redact(id, &[(0, first_of(ANA)), (3, first_of(BEN))]);
        assert_eq!(world.says(BEN, &command), "not_an_executor");
        assert_eq!(world.says(ANA, &command), "approval.consumed log.details_redacted");
        assert_eq!(world.says(ANA, &command), "approval_consumed");
        world.assert_replays();
    }

    #[test]
    fn what_can_still_be_used_stays_readable_and_no_longer() {
        let mut world = governed();
        let (open, permit) = (world.requested(payout()), world.reserved(payout()));
        let own = approved(&mut world);
        for subject in [Subject::from(open), permit.into(), own.into()] {
            assert_eq!(world.says(ANA, &redact(own, &[(7, first_of(subject.clone()))])), "details_in_use");
            // A vote's reason is nobody's parameters.
            let vote = Standing::Present { subject, subject_seq: 2 };
            assert_eq!(
                world.clone().says(ANA, &redact(own, &[(8, vote)])),
                "approval.consumed log.details_redacted"
            );
        }
        world.says(ANA, &Command::Withdraw(open));
        world.says(ANA, &Command::StartPermit(permit));
        assert_eq!(world.says(ANA, &redact(own, &[(7, first_of(permit))])), "details_in_use");
        let finish = permit::Finish { permit, outcome: permit::Outcome::Failed };
        world.says(ANA, &Command::FinishPermit(finish));
        let ended = [(5, first_of(open)), (7, first_of(permit))];
        assert_eq!(world.says(ANA, &redact(own, &ended)), "approval.consumed log.details_redacted");
    }

    #[test]
    fn the_first_reason_at_the_lowest_index_is_given() {
        let mut world = governed();
        let own = approved(&mut world);
        let mut found = [
            (1, first_of(own)),
            (2, Standing::Missing),
            (3, Standing::Redacted { by: 9 }),
            (4, Standing::NoDetails),
            (5, Standing::NoEntry),
            (6, Standing::NoEntry),
        ];
        let expected = ["entry 5", "entry 6", "entry 4", "entry 3", "entry 2", "entry 1"];
        for (said, right) in expected.iter().zip([4, 5, 3, 2, 1, 0]) {
            let refusal = world.run(ANA.into(), &redact(own, &found)).unwrap_err().to_string();
            assert!(refusal.contains(said), "{refusal} instead of {said}");
            found[right].1 = first_of(BEN);
        }
        let unseen = Command::RedactDetails(RedactDetails {
            entries: entries(&[6]),
            approval: own,
            parameters_sha256: parameters(),
            found: BTreeMap::new(),
        });
        assert_eq!(format!("{}", world.run(ANA.into(), &unseen).unwrap_err()), "there is no entry 6");
    }
}
