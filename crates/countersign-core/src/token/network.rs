//! Where a token may come from: networks in CIDR notation (RFC 4632, RFC 4291).
//!
//! One spelling each: no bit is set behind the prefix, and an IPv4 address is never written as an IPv6 one. An IPv4-mapped address counts as the
//! IPv4 address it maps.

use alloc::string::{String, ToString};
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::FromStrVisitor;

/// A network: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.address) && masked(address, self.prefix) == bits(self.address)
    }

    /// Whether everything in the other is in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address as a number, its highest bit at the top of 128.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn masked(address: IpAddr, prefix: u8) -> u128 {
    let host = 128_u32.saturating_sub(u32::from(prefix));
    bits(address) & u128::MAX.checked_shl(host).unwrap_or(0)
}

/// A text is not a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError(String);

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a network such as `10.0.0.0/8` or `2001:db8::/32`, with no bit set behind the prefix",
            self.0.escape_debug()
        )
    }
}

impl core::error::Error for NetworkError {}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.to_string());
        let (address, prefix) = text.split_once('/').ok_or_else(error)?;
        let network = Self {
            address: address.parse().map_err(|_| error())?,
            prefix: prefix.parse().map_err(|_| error())?,
        };
        let one_spelling = network.to_string() == text && network.address.to_canonical() == network.address;
        let in_range = network.prefix <= width(network.address);
        let no_host_bits = masked(network.address, network.prefix) == bits(network.address);
        if one_spelling && in_range && no_host_bits { Ok(network) } else { Err(error()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_in_a_network_or_not() {
        for (of, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "::1", "127.0.0.1"),
        ] {
            assert!(network(of).contains(inside.parse().unwrap()), "{of} {inside}");
            assert!(!network(of).contains(outside.parse().unwrap()), "{of} {outside}");
        }
        assert!(network("10.0.0.0/8").contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network("::/0").contains("::ffff:10.1.2.3".parse().unwrap()));
    }

    #[test]
    fn a_network_covers_what_is_narrower() {
        assert!(network("10.0.0.0/8").covers(&network("10.1.0.0/16")));
        assert!(network("10.0.0.0/8").covers(&network("10.0.0.0/8")));
        assert!(!network("10.1.0.0/16").covers(&network("10.0.0.0/8")));
        assert!(!network("0.0.0.0/0").covers(&network("::/0")));
    }

    #[test]
    fn one_spelling_only() {
        for odd in [
            "",
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "010.0.0.0/8",
            "::/129",
            "2001:DB8::/32",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/8 ",
            "10.0.0.0/-1",
            "localhost/8",
        ] {
            assert!(odd.parse::<Network>().is_err(), "{odd}");
        }
    }
}
