//! What was used once: remembered for as long as it could be used again, and no longer.

use alloc::collections::BTreeSet;

use crate::digest::Digest;
use crate::once::Spent;
use crate::time::Time;

/// Digests of what was used, and the same by the time at which each is forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Register {
    digests: BTreeSet<Digest>,
    ends: BTreeSet<(Time, Digest)>,
}

impl Register {
    /// Forgets what could not be used any more, and remembers this; whether it is remembered for the first time.
    pub(super) fn is_first(&mut self, at: Time, Spent { sha256, until }: Spent) -> bool {
        while let Some((until, digest)) = self.ends.first().copied().filter(|(until, _)| *until <= at) {
            self.ends.remove(&(until, digest));
            self.digests.remove(&digest);
        }
        self.ends.insert((until, sha256));
        self.digests.insert(sha256)
    }
}
