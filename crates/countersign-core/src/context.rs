//! Every impurity as an argument: who acts, what time it is, which fresh ids may be used.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::id::{CorrelationId, PersonId, SessionId, TokenId};
use crate::text::FromStrVisitor;
use crate::time::Time;

/// Who acts. Every entry has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A person, authenticated.
    Person(PersonId),
    /// A service token, in the name of its owner.
    Token(TokenId),
    /// The node itself: reports outcomes, notes that deadlines passed, writes genesis.
    Node,
}

impl Actor {
    /// The person, if it is one. A token is none: whose it is, [`crate::State::principal`] says.
    #[must_use]
    pub fn person(self) -> Option<PersonId> {
        match self {
            Self::Person(person) => Some(person),
            Self::Token(_) | Self::Node => None,
        }
    }

    /// The token, if it is one.
    #[must_use]
    pub fn token(self) -> Option<TokenId> {
        match self {
            Self::Token(token) => Some(token),
            Self::Person(_) | Self::Node => None,
        }
    }
}

impl From<PersonId> for Actor {
    fn from(person: PersonId) -> Self {
        Self::Person(person)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => fmt::Display::fmt(person, f),
            Self::Token(token) => fmt::Display::fmt(token, f),
            Self::Node => f.write_str("node"),
        }
    }
}

/// A text is not an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorError(String);

impl fmt::Display for ActorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an actor: a person's or a token's id, or `node`", self.0.escape_debug())
    }
}

impl core::error::Error for ActorError {}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        if text == "node" {
            return Ok(Self::Node);
        }
        let token = text.parse().map(Self::Token);
        token.or_else(|_| text.parse().map(Self::Person)).map_err(|_| ActorError(text.to_string()))
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}

/// By which session a person acts, and what exactly they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via {
    /// The session.
    pub session: SessionId,
    /// SHA-256 of the request: of `countersign-request-v1`, its method, path and body. A step-up is good for one of these.
    pub request_sha256: Digest,
}

/// What a command may rely on from outside.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The time of every event the command causes; never before the last entry's.
    pub now: Time,
    /// Who acts.
    pub actor: Actor,
    /// By which session, if by one. The entry's actor is the person all the same.
    pub session: Option<Via>,
    /// Groups what belongs together, for a command that begins something.
    pub correlation: CorrelationId,
    /// Two fresh `UUIDv7`s: the first names what the command creates, the second an incident it may open.
    pub fresh: [u128; 2],
}

impl Context {
    /// The id of what the command creates.
    #[must_use]
    pub fn first(&self) -> u128 {
        self.fresh[0]
    }

    /// The id of an incident the command may open.
    #[must_use]
    pub fn second(&self) -> u128 {
        self.fresh[1]
    }
}
