//! What was wrong: claims, and what was shown to sign in. Counted by network, by the account it was for, and all together: once there were some,
//! each further one makes the next wait longer.
//!
//! What is spared is work, for nothing of 256 bits is guessed, and no signature. What is right never waits, so a flood of wrong ones keeps nobody
//! out (ADR 17). An account is counted whether there is one of this id or not, so that waiting tells nobody which there are. What waits and for
//! how long is written down nowhere; that there was much is, once it was enough (`engine::failures`).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::Extensions;
use axum::http::request::Parts;
use countersign_core::id::PersonId;
use countersign_core::time::Time;

use super::waits::{Limit, Strikes};

/// Networks told apart; what comes from any other is counted together, so that nobody can make them grow without bound.
const MOST: usize = 4_096;

/// How long nothing must have come before what came is forgotten, seconds.
const QUIET: u32 = 600;

/// Whoever mistypes does so a few times.
const NETWORK: Limit = Limit { free: 10, longest: 300, quiet: QUIET };

/// One account, wherever it is tried from.
const ACCOUNT: Limit = Limit { free: 10, longest: 300, quiet: QUIET };

/// Short, because all who mistype wait for it.
const ALL: Limit = Limit { free: 200, longest: 10, quiet: QUIET };

/// Where a request comes from, as coarsely as one party can usually choose among addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Network {
    /// A /24 of IPv4.
    V4([u8; 3]),
    /// A /48 of IPv6.
    V6([u16; 3]),
    /// Nobody said.
    Unknown,
    /// One of those that are not told apart.
    Other,
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                Self::V6([a, b, c])
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([a, b, c]) => write!(f, "{}/24", Ipv4Addr::new(*a, *b, *c, 0)),
            Self::V6([a, b, c]) => write!(f, "{}/48", Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0)),
            Self::Unknown => f.write_str("unknown"),
            Self::Other => f.write_str("other"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Network {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(peer(&parts.extensions).map_or(Self::Unknown, Self::of))
    }
}

/// The address a request comes from, where the listener tells.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

#[derive(Debug, Default)]
struct Counts {
    all: Strikes,
    networks: BTreeMap<Network, Strikes>,
    accounts: BTreeMap<Option<PersonId>, Strikes>,
}

/// The place under which something is counted: its own, or with all that are not told apart.
fn place<K: Ord>(places: &mut BTreeMap<K, Strikes>, (own, other): (K, K), (now, limit): (Time, &Limit)) -> K {
    if places.contains_key(&own) {
        return own;
    }
    if places.len() >= MOST {
        places.retain(|_, strikes| !strikes.is_forgotten(now, limit));
    }
    if places.len() >= MOST { other } else { own }
}

/// Counts what was wrong.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<Counts>);

impl Attempts {
    /// Lets something wrong from this network be told so, and counts it; or says for how many seconds not. Whoever has to wait is not counted
    /// again: repeating makes it no worse.
    pub(super) fn admit(&self, network: Network, now: Time) -> Result<(), u32> {
        self.wrong((network, None), now)
    }

    /// The same for what was wrong for an account, if it named one.
    pub(super) fn wrong(
        &self,
        (network, account): (Network, Option<PersonId>),
        now: Time,
    ) -> Result<(), u32> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { all, networks, accounts } = &mut *counts;
        let here = place(networks, (network, Network::Other), (now, &NETWORK));
        let theirs = account.map(|account| place(accounts, (Some(account), None), (now, &ACCOUNT)));
        let left = |strikes: Option<&Strikes>, limit| strikes.map_or(0, |strikes| strikes.left(now, limit));
        let of_account = theirs.map_or(0, |theirs| left(accounts.get(&theirs), &ACCOUNT));
        let wait = left(networks.get(&here), &NETWORK).max(of_account).max(all.left(now, &ALL));
        if wait > 0 {
            return Err(wait);
        }
        all.strike(now, &ALL);
        networks.entry(here).or_default().strike(now, &NETWORK);
        if let Some(theirs) = theirs {
            accounts.entry(theirs).or_default().strike(now, &ACCOUNT);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn network(number: u16) -> Network {
        Network::V6([0x2001, 0xdb8, number])
    }

    /// Uses up what is free.
    fn tired(attempts: &Attempts, network: Network, now: Time) {
        (0..NETWORK.free).for_each(|_| attempts.admit(network, now).unwrap());
    }

    #[test]
    fn after_some_wrong_claims_each_waits_twice_as_long_as_the_one_before() {
        let attempts = Attempts::default();
        tired(&attempts, network(1), at(0));
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..11 {
            attempts.admit(network(1), at(now)).unwrap();
            let wait = attempts.admit(network(1), at(now)).unwrap_err();
            assert_eq!(attempts.admit(network(1), at(now)), Err(wait), "repeating makes it no worse");
            assert_eq!(
                attempts.admit(network(1), at(now + i64::from(wait) - 1)),
                Err(1),
                "not before it is over"
            );
            waits.push(wait);
            now += i64::from(wait);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(attempts.admit(network(2), at(now)), Ok(()), "other networks do not wait");
    }

    #[test]
    fn an_account_waits_wherever_it_is_tried_from_and_others_do_not() {
        let attempts = Attempts::default();
        let wrong = |from, whom| attempts.wrong((network(from), Some(PersonId(whom))), at(0));
        for from in 0..=ACCOUNT.free {
            wrong(u16::try_from(from).unwrap(), 1).unwrap();
        }
        assert_eq!(wrong(100, 1), Err(1), "from a network that did nothing");
        assert_eq!(wrong(100, 2), Ok(()), "another account from there");
        assert_eq!(attempts.admit(network(101), at(0)), Ok(()), "whoever names none");
        let accounts = || attempts.0.lock().unwrap().accounts.len();
        for whom in 0..=u128::try_from(MOST).unwrap() + 10 {
            attempts.0.lock().unwrap().all = Strikes::default();
            let _ = attempts
                .wrong((network(u16::try_from(whom % 4_000).unwrap()), Some(PersonId(1_000 + whom))), at(0));
        }
        assert_eq!(accounts(), MOST + 1, "inventing accounts does not make the counts grow without bound");
    }

    #[test]
    fn what_came_is_forgotten_after_a_quiet_time() {
        let attempts = Attempts::default();
        tired(&attempts, network(1), at(0));
        attempts.admit(network(1), at(0)).unwrap();
        let quiet = 1 + i64::from(QUIET);
        attempts.admit(network(1), at(quiet - 1)).unwrap();
        assert_eq!(attempts.admit(network(1), at(quiet - 1)), Err(2), "a second too early");
        let later = quiet + 1 + i64::from(QUIET);
        tired(&attempts, network(1), at(later));
    }

    #[test]
    fn many_networks_together_wait_for_a_short_time() {
        let attempts = Attempts::default();
        let all = u16::try_from(ALL.free).unwrap();
        (0..=all).for_each(|number| attempts.admit(network(number), at(0)).unwrap());
        assert_eq!(attempts.admit(network(9_999), at(0)), Err(1));
        let mut now = 1;
        for number in 10_000..10_020 {
            attempts.admit(network(number), at(now)).unwrap();
            now += i64::from(attempts.admit(network(number), at(now)).unwrap_err());
        }
        attempts.admit(network(20_000), at(now)).unwrap();
        assert_eq!(attempts.admit(network(20_001), at(now)), Err(ALL.longest));
    }

    #[test]
    fn inventing_networks_does_not_make_the_counts_grow_without_bound() {
        let attempts = Attempts::default();
        let all_wait = i64::from(ALL.longest);
        let count = || attempts.0.lock().unwrap().networks.len();
        // All together would have to wait long before; what is counted of them is put back each time.
        for number in 0..=u16::try_from(MOST).unwrap() + 20 {
            attempts.0.lock().unwrap().all = Strikes::default();
            // The last ones share a place, and that comes to wait.
            let admitted = attempts.admit(network(number), at(0));
            assert!(admitted.is_ok() || usize::from(number) > MOST, "{number}");
        }
        assert_eq!(count(), MOST + 1);
        attempts.0.lock().unwrap().all = Strikes::default();
        assert!(attempts.admit(network(60_000), at(0)).is_err(), "one more of the others");
        attempts.admit(network(60_000), at(2 * i64::from(QUIET) + all_wait)).unwrap();
        assert_eq!(count(), 1, "the forgotten make place");
    }

    #[test]
    fn a_clock_that_is_put_back_makes_nobody_wait_for_longer_than_the_limit() {
        let attempts = Attempts::default();
        tired(&attempts, network(1), at(1_000_000));
        attempts.admit(network(1), at(1_000_000)).unwrap();
        assert_eq!(attempts.admit(network(1), at(0)), Err(NETWORK.longest));
    }

    #[test]
    fn addresses_of_one_network_are_counted_together() {
        let of = |address: &str| Network::of(address.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("192.0.2.200"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.200"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:ffff::9"));
        assert_ne!(of("2001:db8:1::"), of("2001:db8:2::"));
        assert_eq!(of("192.0.2.1").to_string(), "192.0.2.0/24");
        assert_eq!(of("2001:db8:1:2::3").to_string(), "2001:db8:1::/48");
    }
}
