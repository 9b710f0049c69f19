//! The only patterns there are: one name or any, one resource, all of a type, or any. No globs.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::action::{Action, Resource, ResourceError};
use crate::text::{FromStrVisitor, Name, NameError};

/// One name, or any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamePattern {
    /// `*`
    Any,
    /// Exactly this one.
    Exactly(Name),
}

impl NamePattern {
    /// Whether everything the other means is meant.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        *self == Self::Any || self == other
    }

    /// Whether the name is meant.
    #[must_use]
    pub fn matches(&self, name: &Name) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(exactly) => exactly == name,
        }
    }
}

impl FromStr for NamePattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "*" { Ok(Self::Any) } else { text.parse().map(Self::Exactly) }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exactly(name) => fmt::Display::fmt(name, f),
        }
    }
}

/// One resource, all resources of a type, or any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourcePattern {
    /// `*`
    Any,
    /// `type/*`
    OfType(Name),
    /// Exactly this one.
    Exactly(Resource),
}

impl ResourcePattern {
    /// Whether everything the other means is meant.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Exactly(resource) => self.matches(resource),
            _ => *self == Self::Any || self == other,
        }
    }

    /// Whether the resource is meant.
    #[must_use]
    pub fn matches(&self, resource: &Resource) -> bool {
        match self {
            Self::Any => true,
            Self::OfType(kind) => {
                resource.as_str().split_once('/').is_some_and(|(of, _)| of == kind.as_str())
            }
            Self::Exactly(exactly) => exactly == resource,
        }
    }
}

impl FromStr for ResourcePattern {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        match text.strip_suffix("/*") {
            Some(kind) => kind.parse().map(Self::OfType).map_err(|_| ResourceError(text.to_string())),
            None => text.parse().map(Self::Exactly),
        }
    }
}

impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::OfType(kind) => write!(f, "{kind}/*"),
            Self::Exactly(resource) => fmt::Display::fmt(resource, f),
        }
    }
}

/// What a rule or a freeze is about.
#[derive(Clone, Copy)]
pub(super) struct ActionPattern<'a> {
    pub verb: &'a NamePattern,
    pub resource: &'a ResourcePattern,
    pub environment: &'a NamePattern,
}

impl ActionPattern<'_> {
    /// Whether the action is meant.
    pub(super) fn matches(self, action: &Action) -> bool {
        self.verb.matches(&action.verb)
            && self.resource.matches(&action.resource)
            && self.environment.matches(&action.environment)
    }

    /// Whether it means more than one action.
    pub(super) fn is_open(self) -> bool {
        self.verb.is_open() || self.resource.is_open() || self.environment.is_open()
    }
}

macro_rules! as_text {
    ($($pattern:ty)*) => {$(
        impl Serialize for $pattern {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $pattern {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(FromStrVisitor::new())
            }
        }

        impl $pattern {
            /// Whether this is more than one exact value.
            #[must_use]
            pub fn is_open(&self) -> bool {
                !matches!(self, Self::Exactly(_))
            }

            /// The pattern as written.
            #[must_use]
            pub fn text(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

as_text! { NamePattern ResourcePattern }
