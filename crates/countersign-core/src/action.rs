//! The action: *verb, resource, environment*. Every rule, approval, permit and entry speaks in this triple.
//!
//! There is one spelling of each action; anything else is rejected at the door, so that no two parts can disagree about a name.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::{FromStrVisitor, Name};

/// What is acted upon: `type/name`, as `webhook-signing/stripe`.
///
/// The type is a [`Name`]; the name is 1 to 128 of `a-z`, `0-9`, `-`, `_` and `.`, beginning with a letter or digit and without `..`.
/// A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(Arc<str>);

/// A text is not a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceError(pub String);

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a resource of the form `type/name`, as in `webhook-signing/stripe`",
            self.0.escape_debug()
        )
    }
}

impl core::error::Error for ResourceError {}

impl Resource {
    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Resource {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        let error = || ResourceError(text.to_string());
        let (kind, name) = text.split_once('/').ok_or_else(error)?;
        let letters = name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'));
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if kind.parse::<Name>().is_ok() && letters && begins && name.len() <= 128 && !name.contains("..") {
            Ok(Self(text.into()))
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}

/// What is to be done, to what, where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// What is to be done: `rotate`, `activate`, `override`, ….
    pub verb: Name,
    /// To what.
    pub resource: Resource,
    /// Where: `production`, `staging`, ….
    pub environment: Name,
}

impl Action {
    /// The action of these three words, unless one of them is none.
    pub(crate) fn of([verb, resource, environment]: [&str; 3]) -> Option<Self> {
        Some(Self {
            verb: verb.parse().ok()?,
            resource: resource.parse().ok()?,
            environment: environment.parse().ok()?,
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb, self.resource, self.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        assert!("webhook-signing/stripe".parse::<Resource>().is_ok());
        for odd in [
            "",
            "stripe",
            "Webhook-signing/stripe",
            "a/",
            "/b",
            "a/b/c",
            "a/../b",
            "a/..",
            "a/b c",
            "a/*",
            "a/b\u{202e}",
        ] {
            assert!(odd.parse::<Resource>().is_err(), "{odd}");
        }
        for odd in ["", "-a", "A", "a b", "*", "ä"] {
            assert!(odd.parse::<Name>().is_err(), "{odd}");
        }
    }
}
