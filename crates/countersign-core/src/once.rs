//! What may be used once: challenges that were signed, ids of tokens that were exchanged. One register for all of them, by SHA-256.
//!
//! Whoever takes a digest separates what it is of ("sign-in challenge", "id of a CI token") within the bytes that are hashed, so that two kinds never meet.
//! A digest is kept until nothing that it stands for could be used any more; then it is let go of, by the time of events alone, so that every replay
//! keeps the same.

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::time::Time;

/// How long something may have to be remembered at most: 48 hours, in seconds. A token of a day and as much again for clocks.
pub const LONGEST_SECONDS: u32 = 48 * 3_600;

/// Something that was used, and may not be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// SHA-256 of what it is and what it was.
    pub sha256: Digest,
    /// From when on it would be refused anyway: its lifetime and what clocks may differ by.
    pub until: Time,
}

/// Everything that was used and could be used again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Register {
    spent: RedBlackTreeMapSync<Digest, Time>,
    /// The same by time, the first to be forgotten first.
    ending: RedBlackTreeSetSync<(Time, Digest)>,
}

impl Register {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spent.is_empty()
    }

    /// How much is remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spent.size()
    }

    /// Whether it was used before, as far as that is remembered.
    #[must_use]
    pub fn contains(&self, sha256: &Digest) -> bool {
        self.spent.contains_key(sha256)
    }

    /// Remembers it, and forgets what ended before `now`.
    pub(crate) fn spend(&mut self, Spent { sha256, until }: Spent, now: Time) {
        while let Some(first) = self.ending.first().copied().filter(|(until, _)| *until <= now) {
            self.ending.remove_mut(&first);
            self.spent.remove_mut(&first.1);
        }
        self.spent.insert_mut(sha256, until);
        self.ending.insert_mut((until, sha256));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(number: u8, until: i64) -> Spent {
        Spent { sha256: Digest([number; 32]), until: Time::from_millis(until) }
    }

    #[test]
    fn what_was_used_is_remembered_for_as_long_as_it_could_be_used() {
        let mut register = Register::default();
        register.spend(spent(1, 100), Time::from_millis(0));
        register.spend(spent(2, 300), Time::from_millis(99));
        assert!(register.contains(&Digest([1; 32])), "a millisecond before its end it could be used");
        register.spend(spent(3, 300), Time::from_millis(100));
        assert!(!register.contains(&Digest([1; 32])) && register.contains(&Digest([2; 32])));
        assert_eq!(register.len(), 2);
        register.spend(spent(4, 900), Time::from_millis(300));
        assert_eq!((register.len(), register.ending.size()), (1, 1));
    }
}
