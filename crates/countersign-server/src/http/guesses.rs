//! Passwords that are tried: counted by the account they are for and by network before they are looked at, and taken back when they were right.
//!
//! Unlike keys and claims of 256 bits (`attempts`), passwords and codes of six digits can be guessed, so whoever has to wait is not looked at, right
//! or not: that is what makes guessing slow. What is kept out is the password alone. Sessions that are open, passkeys and providers never wait for it.
//!
//! Accounts and networks are counted in tables of a fixed size, at places that nobody can foretell: inventing accounts makes nothing grow, and one that
//! does not exist waits like one that does.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use countersign_core::time::Time;

use super::attempts::Network;
use super::waits::{Limit, Strikes};

/// Places of each table. Two accounts that share one wait together.
const PLACES: usize = 1 << 14;

/// One account, wherever it is tried from: then at most a hundred a day, for months, against a million codes of which three are right.
const ACCOUNT: Limit = Limit { free: 5, longest: 900, quiet: 24 * 3_600 };

/// One network, whatever it tries: an office may come from one.
const NETWORK: Limit = Limit { free: 20, longest: 300, quiet: 600 };

#[derive(Debug)]
struct Tables {
    accounts: Box<[Strikes]>,
    networks: Box<[Strikes]>,
}

/// What is counted, and from where: from nowhere in particular, where what is counted is one browser.
pub(super) type Whose<'a> = (Option<Network>, &'a str);

/// Counts passwords that are tried.
#[derive(Debug)]
pub(super) struct Guesses {
    secret: RandomState,
    tables: Mutex<Tables>,
}

impl Default for Guesses {
    fn default() -> Self {
        let table = || vec![Strikes::default(); PLACES].into_boxed_slice();
        let tables = Tables { accounts: table(), networks: table() };
        Self { secret: RandomState::new(), tables: Mutex::new(tables) }
    }
}

impl Guesses {
    /// Lets one be looked at and counts it; or says for how many seconds not. Counted first, so that many at once are not looked at for one.
    pub(super) fn begin(&self, whose: Whose<'_>, now: Time) -> Result<(), u32> {
        self.with(whose, |account, network| {
            let wait = account.left(now, &ACCOUNT).max(network.left(now, &NETWORK));
            if wait > 0 {
                return Err(wait);
            }
            account.strike(now, &ACCOUNT);
            network.strike(now, &NETWORK);
            Ok(())
        })
    }

    /// It was right: nothing is held against the account any more, and this one not against the network.
    pub(super) fn right(&self, whose: Whose<'_>, now: Time) {
        self.with(whose, |account, network| {
            *account = Strikes::default();
            network.take_back(now);
        });
    }

    /// It was not looked at.
    pub(super) fn take_back(&self, whose: Whose<'_>, now: Time) {
        self.with(whose, |account, network| {
            account.take_back(now);
            network.take_back(now);
        });
    }

    fn with<T>(&self, (network, account): Whose<'_>, act: impl FnOnce(&mut Strikes, &mut Strikes) -> T) -> T {
        let place = |hash: u64| usize::try_from(hash % PLACES as u64).unwrap_or_default();
        let account = place(self.secret.hash_one(account));
        let network = network.map(|network| place(self.secret.hash_one(network)));
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let Tables { accounts, networks } = &mut *tables;
        // INVARIANT: places are counted modulo their number, so an account has one.
        let (mut none, mut nowhere) = (Strikes::default(), Strikes::default());
        let account = accounts.get_mut(account).unwrap_or(&mut none);
        let network = network.and_then(|network| networks.get_mut(network)).unwrap_or(&mut nowhere);
        act(account, network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_millis(1_000_000_000_000 + seconds * 1_000)
    }

    fn network(number: u16) -> Option<Network> {
        Some(Network::V6([0x2001, 0xdb8, number]))
    }

    #[test]
    fn an_account_is_tried_a_few_times_and_then_slower_and_slower_from_wherever() {
        let guesses = Guesses::default();
        (0..ACCOUNT.free).for_each(|_| guesses.begin((network(1), "ana"), at(0)).unwrap());
        let (mut now, mut waits) = (0, Vec::new());
        for number in 0..12 {
            guesses.begin((network(number), "ana"), at(now)).unwrap();
            let wait = guesses.begin((network(1_000), "ana"), at(now)).unwrap_err();
            assert_eq!(guesses.begin((network(2_000), "ana"), at(now)), Err(wait), "asking is no try");
            assert_eq!(guesses.begin((network(2_000), "ana"), at(now + i64::from(wait) - 1)), Err(1));
            waits.push(wait);
            now += i64::from(wait);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(guesses.begin((network(1_000), "ben"), at(now)), Ok(()));
    }

    #[test]
    fn months_of_guessing_are_a_hundred_a_day() {
        let guesses = Guesses::default();
        let (mut now, mut tried) = (0, 0);
        while now < 30 * 86_400 {
            match guesses.begin((network(u16::try_from(tried % 60_000).unwrap()), "ana"), at(now)) {
                Ok(()) => tried += 1,
                Err(wait) => now += i64::from(wait),
            }
        }
        assert!(tried < 30 * 100, "{tried}");
    }

    #[test]
    fn who_is_right_begins_anew_and_what_was_not_looked_at_does_not_count() {
        let guesses = Guesses::default();
        let ana = (network(1), "ana");
        for _ in 0..100 {
            guesses.begin(ana, at(0)).unwrap();
            guesses.take_back(ana, at(0));
        }
        for _ in 0..100 {
            (1..=ACCOUNT.free).for_each(|_| guesses.begin(ana, at(0)).unwrap());
            guesses.right(ana, at(0));
            (1..ACCOUNT.free).for_each(|_| guesses.take_back((network(1), "nobody"), at(0)));
        }
    }

    #[test]
    fn one_network_that_tries_many_accounts_waits_too() {
        let guesses = Guesses::default();
        let names: Vec<String> = (0..=NETWORK.free).map(|number| format!("somebody {number}")).collect();
        names.iter().for_each(|name| guesses.begin((network(1), name), at(0)).unwrap());
        assert_eq!(guesses.begin((network(1), "another"), at(0)), Err(1));
        assert_eq!(guesses.begin((network(2), "another"), at(0)), Ok(()));
        assert_eq!(guesses.begin((network(1), "one more"), at(1 + i64::from(NETWORK.quiet))), Ok(()));
    }

    #[test]
    fn a_clock_that_is_put_back_makes_nobody_wait_for_longer_than_the_limit() {
        let guesses = Guesses::default();
        (0..=ACCOUNT.free).for_each(|_| guesses.begin((network(1), "ana"), at(1_000_000)).unwrap());
        assert_eq!(guesses.begin((network(1), "ana"), at(0)), Err(ACCOUNT.longest));
    }
}
