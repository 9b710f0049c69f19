//! Escalation as a policy asks for it: who else is told when nobody has reacted in time. It changes no quorum.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::text::Name;

/// Who is told of a request on which nobody voted, and when. Of several matching rules the earliest time holds, and all are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    /// How long a request waits for a first vote, seconds.
    pub after_seconds: NonZeroU32,
    /// Groups whose members are told.
    pub to: BTreeSet<Name>,
}

impl Escalate {
    /// What two rules ask for together.
    pub(super) fn both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(mut one), Some(other)) => {
                one.to.extend(other.to);
                Some(Self { after_seconds: one.after_seconds.min(other.after_seconds), ..one })
            }
            (one, other) => one.or(other),
        }
    }

    /// Its line of the text whose digest identifies a requirement: `escalate SECONDS GROUPS`.
    pub(super) fn line(&self) -> String {
        let to: alloc::vec::Vec<&str> = self.to.iter().map(Name::as_str).collect();
        format!("escalate {} {}\n", self.after_seconds, to.join(","))
    }
}
