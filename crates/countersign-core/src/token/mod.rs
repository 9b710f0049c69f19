//! Service tokens: short-lived credentials of automation, each somebody's, for some verbs on some resources in one environment.
//!
//! A token is issued under a rule, so issuing can itself need approval, and exchanged for narrower, shorter ones. It may ask for approvals and
//! execute what its scopes mean, as far as its owner may; it never votes. It ends when it expires or is revoked, when a token it was
//! exchanged from ends, or when its owner is deactivated: from that entry on, for whatever was decided after it. The secret is drawn elsewhere;
//! here is only its SHA-256.
//!
//! # Layout
//! - `scope` `network`: what a token may do, and where it may come from
//! - `decide`: issuing, exchanging, revoking
//! - `admission`: what a token is let do
//! - `usage`: that it was used
//! - `workload`: the token of a CI system or a cluster, exchanged for one
//! - `refusal`: why not

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Resource};
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, PersonId, TokenId};
use crate::sabotage::{self, Sabotage};
use crate::state::State;
use crate::text::Name;
use crate::time::Time;

mod admission;
mod decide;
mod network;
mod refusal;
mod scope;
#[cfg(test)]
mod tests;
mod usage;
mod workload;

pub(crate) use admission::admit;
pub use decide::{Exchange, Issue, Revoke};
pub(crate) use decide::{elapse, exchange, issue, revoke};
pub use network::{Network, NetworkError};
pub use refusal::Refusal;
pub use scope::{Scope, ScopeError};
pub(crate) use usage::note_use;
pub use usage::{NoteUse, Used};
pub(crate) use workload::exchange as exchange_workload;
pub use workload::{ExchangeWorkload, LONGEST_VALIDITY_SECONDS, Origin, Presented, SKEW_SECONDS};

/// The verb under which tokens are issued.
pub const ISSUE: &str = "issue";

/// The verb under which others than their owners revoke them.
pub const REVOKE: &str = "revoke";

/// The type of resource that tokens are: `service-token/deployer`.
pub const KIND: &str = "service-token";

/// How often a token's descendants are exchanged again at most.
pub const MOST_EXCHANGES: usize = 4;

/// Most scopes and most networks of one token: an entry has a largest size.
pub const MOST_SCOPES: usize = 64;

/// Whether the resource is a service token.
#[must_use]
pub fn is_named(resource: &Resource) -> bool {
    resource.as_str().split_once('/').is_some_and(|(kind, _)| kind == KIND)
}

/// `token.issued`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The approval it rests on; none where the rules demand none, or for an exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// The key whose possession whoever uses it must show (RFC 9449), by its thumbprint (RFC 7638).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf_jkt: Option<Digest>,
    /// From when on it is worth nothing.
    pub expires_at: Time,
    /// Where it may come from; from anywhere unless some are named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub networks: BTreeSet<Network>,
    /// Whose it is.
    pub owner: PersonId,
    /// The token it was exchanged from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TokenId>,
    /// What it is called: `service-token/deployer`.
    pub resource: Resource,
    /// What it may do in the environment of the entry.
    pub scopes: BTreeSet<Scope>,
    /// SHA-256 of the token.
    pub token_sha256: Digest,
    /// The token of a workload that it was exchanged for, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Origin>,
}

/// `token.revoked`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// The approval it rests on; none where its owner did it, a token itself, or the rules demand none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// What it was called.
    pub resource: Resource,
}

/// `token.expired`: bookkeeping for a deadline that has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {}

/// A service token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The id.
    pub id: TokenId,
    /// Whose it is.
    pub owner: PersonId,
    /// What it is called.
    pub resource: Resource,
    /// Where it may do something.
    pub environment: Name,
    /// What it may do there.
    pub scopes: BTreeSet<Scope>,
    /// Where it may come from; from anywhere unless some are named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub networks: BTreeSet<Network>,
    /// SHA-256 of the token.
    pub token_sha256: Digest,
    /// The key whose possession whoever uses it must show, by its thumbprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf_jkt: Option<Digest>,
    /// The approval it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// The token it was exchanged from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TokenId>,
    /// The workload of the policy for whose token it was exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Name>,
    /// When it was issued.
    pub issued_at: Time,
    /// From when on it is worth nothing.
    pub expires_at: Time,
    /// When it ended by itself, or was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(End, Time)>,
    /// The last time it was used, as far as that is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Time>,
    /// How often it was used, as far as that is on record.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uses: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How a token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Its time was over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

impl End {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Token {
    /// The state as stored, in one word: neither its deadline nor what it rests on is looked at.
    #[must_use]
    pub fn status(&self) -> &'static str {
        self.ended.map_or("active", |(end, _)| end.as_str())
    }

    /// Whether it may do this.
    #[must_use]
    pub fn may(&self, action: &Action) -> bool {
        self.environment == action.environment && self.scopes.iter().any(|scope| scope.matches(action))
    }

    /// When it expires by itself, unless it has ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.ended.is_none().then_some(self.expires_at)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.ended.is_some()
    }
}

/// The action under which a token is issued: `issue service-token/deployer production`.
#[must_use]
pub fn issuing(resource: &Resource, environment: &Name) -> Option<Action> {
    Action::of([ISSUE, resource.as_str(), environment.as_str()])
}

/// The action under which others than its owner revoke it: `revoke service-token/deployer production`.
#[must_use]
pub fn revocation(resource: &Resource, environment: &Name) -> Option<Action> {
    Action::of([REVOKE, resource.as_str(), environment.as_str()])
}

impl State {
    /// The token, if it is worth something at `now`.
    ///
    /// What has ended is not in memory for long, so nothing is made of how it ended.
    ///
    /// # Errors
    /// It has ended, or one it was exchanged from, or its owner was deactivated.
    pub fn live_token(&self, id: TokenId, now: Time) -> Result<&Token, Refusal> {
        let token = self.token(id).ok_or(Refusal::Ended)?;
        let mut next = Some(id);
        while let Some(id) = next {
            let is_live = |token: &&Token| {
                let live = token.deadline().is_some_and(|deadline| now < deadline);
                live || sabotage::is_active(Sabotage::EndedToken)
            };
            next = self.token(id).filter(is_live).ok_or(Refusal::Ended)?.parent;
        }
        let owner = self.person(token.owner).filter(|person| person.is_active());
        owner.map(|_| token).ok_or(Refusal::OwnerGone)
    }
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::TokenIssued(id, issued) => {
            let Some(environment) = event.environment.clone() else { return };
            let Issued {
                approval,
                cnf_jkt,
                expires_at,
                networks,
                owner,
                parent,
                resource,
                scopes,
                token_sha256,
                workload,
            } = issued.clone();
            if let Some(origin) = &workload {
                state.spend(origin.spent, event.at);
            }
            let workload = workload.map(|origin| origin.rule);
            let (id, issued_at, ended) = (*id, event.at, None);
            let token = Token {
                id,
                owner,
                resource,
                environment,
                scopes,
                networks,
                token_sha256,
                cnf_jkt,
                approval,
                parent,
                workload,
                issued_at,
                expires_at,
                ended,
                last_used: None,
                uses: 0,
            };
            state.set_token_holder(token_sha256, id);
            state.put(id, token);
        }
        Fact::TokenUsed(id, used) => usage::apply(state, (*id, used)),
        Fact::TokenRevoked(id, _) => end(state, event, (*id, End::Revoked)),
        Fact::TokenExpired(id, _) => end(state, event, (*id, End::Expired)),
        _ => {}
    }
}

fn end(state: &mut State, event: &Event, (id, end): (TokenId, End)) {
    if let Some(token_sha256) = state.token(id).map(|token| token.token_sha256) {
        state.remove_token_holder(&token_sha256);
    }
    state.change::<Token>(&id, |token| token.ended = Some((end, event.at)));
}
