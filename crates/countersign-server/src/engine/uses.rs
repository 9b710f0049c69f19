//! Uses of tokens, counted in memory until they are written down: one entry per token at most once a minute, and one before the entry with
//! which a token ends.
//!
//! It is a sample: of more tokens than there is room for some go uncounted until others are written down, and a crash loses the counts of one
//! window. Nothing is decided by it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::id::TokenId;
use countersign_core::time::Time;
use countersign_core::token::NoteUse;
use countersign_ledger::json;

use crate::clock::Moment;

/// How long the uses of a token are counted before they are written down.
const WINDOW: Duration = Duration::from_secs(60);

/// How often it is looked whose window has closed.
const LOOK: Duration = Duration::from_secs(1);

/// Requests with different tokens rarely wait for each other.
const SHARDS: usize = 16;

/// Tokens per shard whose uses are counted at once: 65,536 in all, some 10 MB.
const TOKENS: usize = 4_096;

/// Addresses that are named per token and window.
const ADDRESSES: usize = 4;

/// The uses of one token since they were last written down.
#[derive(Clone, Debug)]
struct Use {
    since: Moment,
    count: NonZeroU32,
    from: Time,
    until: Time,
    /// The first few it came from.
    addresses: [Option<IpAddr>; ADDRESSES],
    /// Whether it came from others too.
    more: bool,
}

impl Use {
    fn come_from(&mut self, address: IpAddr) {
        let same_or_free = self.addresses.iter_mut().find(|it| it.is_none_or(|known| known == address));
        match same_or_free {
            Some(place) => *place = Some(address),
            None => self.more = true,
        }
    }

    fn note(&self, token: TokenId) -> NoteUse {
        let Self { count, from, until, .. } = *self;
        NoteUse { token, count, from, until }
    }

    fn noted(&self, token: TokenId) -> Noted {
        let addresses: Vec<String> =
            self.addresses.iter().flatten().map(|it| it.to_canonical().to_string()).collect();
        let text = match (addresses.is_empty(), self.more) {
            (true, _) => None,
            (false, false) => Some(serde_json::json!({ "addresses": addresses })),
            (false, true) => Some(serde_json::json!({ "addresses": addresses, "more": true })),
        };
        let details = text.and_then(|text| json::to_canonical(&text).ok());
        Noted { note: self.note(token), details }
    }
}

/// What is to be written down of one token.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub note: NoteUse,
    /// The addresses it came from, canonical JSON.
    pub details: Option<Vec<u8>>,
}

type Shard = BTreeMap<TokenId, Use>;

/// The uses that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Uses {
    shards: [Mutex<Shard>; SHARDS],
}

impl Uses {
    fn shard(&self, token: TokenId) -> MutexGuard<'_, Shard> {
        let which = usize::try_from(token.0 % SHARDS as u128).unwrap_or(0);
        let shard = self.shards.get(which).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more, `now` by the clock that tells when a window closes.
    pub(super) fn count(&self, token: TokenId, (at, address): (Time, Option<IpAddr>), now: Moment) {
        let mut shard = self.shard(token);
        let is_full = shard.len() >= TOKENS;
        let known = match shard.entry(token) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                known.count = known.count.saturating_add(1);
                known.until = known.until.max(at);
                known
            }
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(place) => place.insert(Use {
                since: now,
                count: NonZeroU32::MIN,
                from: at,
                until: at,
                addresses: [None; ADDRESSES],
                more: false,
            }),
        };
        if let Some(address) = address {
            known.come_from(address);
        }
    }

    /// What is not written down yet of one token.
    pub(super) fn of(&self, token: TokenId) -> Option<Noted> {
        self.shard(token).get(&token).map(|it| it.noted(token))
    }

    /// The same without where it came from, which takes longer to tell.
    pub(super) fn counted(&self, token: TokenId) -> Option<NoteUse> {
        self.shard(token).get(&token).map(|it| it.note(token))
    }

    /// Forgets what was written down; uses that came meanwhile stay.
    pub(super) fn settle(&self, note: &NoteUse, now: Moment) {
        let mut shard = self.shard(note.token);
        let Some(known) = shard.get_mut(&note.token) else { return };
        match NonZeroU32::new(known.count.get().saturating_sub(note.count.get())) {
            Some(rest) => (known.count, known.from, known.since) = (rest, note.until, now),
            None => drop(shard.remove(&note.token)),
        }
    }

    /// Forgets what nobody will write down: the token has ended.
    pub(super) fn forget(&self, token: TokenId) {
        self.shard(token).remove(&token);
    }

    /// What has been counted for at least `age`, of at most `limit` tokens.
    pub(super) fn older_than(&self, age: Duration, limit: usize, now: Moment) -> Vec<Noted> {
        let mut due = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let old = shard.iter().filter(|(_, it)| now.since(it.since) >= age);
            due.extend(old.take(limit.saturating_sub(due.len())).map(|(token, it)| it.noted(*token)));
        }
        due
    }
}

/// When it is time to write uses down.
#[derive(Debug)]
pub(super) struct Pace {
    looked: Moment,
}

impl Pace {
    pub(super) fn new(now: Moment) -> Self {
        Self { looked: now }
    }

    /// What is due now; looked for now and then only.
    pub(super) fn due(&mut self, uses: &Uses, limit: usize, now: Moment) -> Vec<Noted> {
        if now.since(self.looked) < LOOK {
            return Vec::new();
        }
        self.looked = now;
        uses.older_than(WINDOW, limit, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: TokenId = TokenId(7);
    const NOW: Moment = Moment::at(WINDOW);

    fn count(uses: &Uses, at: i64, address: &str) {
        uses.count(TOKEN, (Time::from_millis(at), Some(address.parse().unwrap())), NOW);
    }

    #[test]
    fn the_uses_of_a_token_are_counted_until_they_are_written_down() {
        let uses = Uses::default();
        for (at, address) in [(5, "10.0.0.1"), (3, "10.0.0.1"), (9, "10.0.0.2")] {
            count(&uses, at, address);
        }
        assert!(uses.older_than(WINDOW, 9, NOW).is_empty(), "nobody is in a hurry");
        assert_eq!(uses.older_than(WINDOW, 9, NOW + WINDOW).len(), 1);
        let noted = uses.older_than(Duration::ZERO, 9, NOW).pop().unwrap();
        let NoteUse { count: counted, from, until, .. } = noted.note;
        assert_eq!((counted.get(), from.as_millis(), until.as_millis()), (3, 5, 9));
        assert_eq!(noted.details.unwrap(), br#"{"addresses":["10.0.0.1","10.0.0.2"]}"#);
        count(&uses, 11, "10.0.0.3");
        uses.settle(&noted.note, NOW);
        let rest = uses.of(TOKEN).unwrap().note;
        assert_eq!((rest.count.get(), rest.from.as_millis(), rest.until.as_millis()), (1, 9, 11));
        uses.settle(&rest, NOW);
        assert!(uses.of(TOKEN).is_none());
    }

    #[test]
    fn neither_tokens_nor_addresses_make_the_counts_grow_without_bound() {
        let uses = Uses::default();
        for number in 0..10_u8 {
            count(&uses, 1, &format!("10.0.0.{number}"));
        }
        let details = String::from_utf8(uses.of(TOKEN).unwrap().details.unwrap()).unwrap();
        assert!(details.contains("10.0.0.3") && !details.contains("10.0.0.4"), "{details}");
        assert!(details.contains("\"more\":true"), "{details}");
        for token in 0..(2 * SHARDS * TOKENS) {
            uses.count(TokenId(token as u128), (Time::from_millis(1), None), NOW);
        }
        assert_eq!(uses.older_than(Duration::ZERO, usize::MAX, NOW).len(), SHARDS * TOKENS);
        assert_eq!(uses.older_than(Duration::ZERO, 5, NOW).len(), 5);
    }
}
