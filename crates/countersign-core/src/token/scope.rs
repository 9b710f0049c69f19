//! What a token may do: a verb and a resource, in the token's own environment. The spelling fits the `scope` of OAuth (RFC 6749, section 3.3).

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::action::Action;
use crate::policy::{NamePattern, ResourcePattern};
use crate::text::FromStrVisitor;

/// One scope: `deploy:release/nudgepay`. Where the rules allow patterns, `deploy:release/*` or `*:release/nudgepay` too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The verb, or any.
    pub verb: NamePattern,
    /// The resource, all of a type, or any.
    pub resource: ResourcePattern,
}

impl Scope {
    /// Whether the action is meant, wherever it is done.
    #[must_use]
    pub fn matches(&self, action: &Action) -> bool {
        self.verb.matches(&action.verb) && self.resource.matches(&action.resource)
    }

    /// Whether everything the other means is meant.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.verb.covers(&other.verb) && self.resource.covers(&other.resource)
    }

    /// Whether it means more than one action.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.verb.is_open() || self.resource.is_open()
    }
}

/// A text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError(String);

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a scope: a verb and a resource, as in `deploy:release/nudgepay`",
            self.0.escape_debug()
        )
    }
}

impl core::error::Error for ScopeError {}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let error = || ScopeError(text.to_string());
        let (verb, resource) = text.split_once(':').ok_or_else(error)?;
        Ok(Self {
            verb: verb.parse().map_err(|_| error())?,
            resource: resource.parse().map_err(|_| error())?,
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.verb, self.resource)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}
