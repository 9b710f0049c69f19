//! Identifiers: a prefix that says what it names, then a `UUIDv7` (RFC 9562) as 32 lower-case hexadecimal digits.
//!
//! Ids are immutable and carry no meaning beyond their creation time. Fresh ones come in through the context; nothing here draws them.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::{FromStrVisitor, write_hex};

/// A text is not the id it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdError {
    /// The prefix that was expected.
    pub prefix: &'static str,
    /// What was given.
    pub given: String,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not an id of the form `{}_` and 32 lower-case hexadecimal digits",
            self.given, self.prefix
        )
    }
}

impl core::error::Error for IdError {}

fn parse(prefix: &'static str, text: &str) -> Result<u128, IdError> {
    let error = || IdError { prefix, given: text.to_string() };
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(error)?;
    let canonical = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !canonical {
        return Err(error());
    }
    u128::from_str_radix(digits, 16).map_err(|_| error())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// What stands before the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                write_hex(f, self.0.to_be_bytes())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(FromStrVisitor::new())
            }
        }
    )*};
}

ids! {
    /// A request for approval.
    ApprovalId = "apr";
    /// One breaking of the glass.
    BreakGlassId = "bgl";
    /// Leave to execute one action once.
    PermitId = "prm";
    /// One rotation of one secret.
    RotationId = "rot";
    /// Something that went wrong and needs a person.
    IncidentId = "inc";
    /// A person. Never a name or an address.
    PersonId = "per";
    /// A service token.
    TokenId = "tok";
    /// Somebody who is signed in.
    SessionId = "ses";
    /// What belongs together: a request, its permit, what the permit led to.
    CorrelationId = "cor";
}
