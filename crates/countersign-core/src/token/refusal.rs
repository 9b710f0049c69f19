//! Why a token is not let do something, not issued, exchanged or revoked, in order of precedence.

use core::fmt;

use super::{LONGEST_VALIDITY_SECONDS, MOST_EXCHANGES, MOST_SCOPES, Scope};
use crate::catalogue::listed;
use crate::time::Time;

/// Why a token is not let do something, not issued, exchanged or revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such token.
    NotFound,
    /// It has expired or was revoked, or one that it was exchanged from.
    Ended,
    /// Its owner was deactivated.
    OwnerGone,
    /// Tokens never vote.
    NeverVotes,
    /// Only people do this.
    NotForTokens,
    /// None of its scopes means the action, or its environment is another.
    OutOfScope,
    /// It belongs to somebody else.
    NotYours,
    /// Only a token is exchanged.
    NotToExchange,
    /// Only the node notes uses and hands in the tokens of workloads.
    NotTheNode,
    /// The token of a workload has expired.
    WorkloadTokenExpired,
    /// The token of a workload is good for too long.
    WorkloadTokenLivesTooLong,
    /// What the token of a workload says is that of no workload of the policy, or not of the one that is named.
    WorkloadUnknown,
    /// It is that of several.
    WorkloadAmbiguous,
    /// The token of a workload was exchanged before.
    WorkloadTokenSpent,
    /// It is not called `service-token/…`.
    NotAToken,
    /// The rules for its name offer no tokens.
    NotOffered,
    /// It would have no scope.
    NoScope,
    /// It would have too many scopes or networks.
    TooMany,
    /// A scope is not within what is offered.
    ScopeNotOffered(Option<Scope>),
    /// A network is not within those of what it is exchanged from.
    OtherNetwork,
    /// It would need another key than what it is exchanged from.
    OtherKey,
    /// It would live longer than the rules let it: so many seconds.
    LivesTooLong(u32),
    /// It would live longer than what it is exchanged from.
    OutlivesItsParent(Time),
    /// It was exchanged as often as possible.
    ExchangedTooOften,
    /// Another token, session or credential is the same.
    InUse,
}

listed! { Refusal:
    NotFound, Ended, OwnerGone, NeverVotes, NotForTokens, OutOfScope, NotYours, NotToExchange, NotTheNode,
    WorkloadTokenExpired, WorkloadTokenLivesTooLong, WorkloadUnknown, WorkloadAmbiguous, WorkloadTokenSpent, NotAToken, NotOffered,
    NoScope, TooMany, ScopeNotOffered(None), OtherNetwork, OtherKey, LivesTooLong(900), OutlivesItsParent(Time::from_millis(0)),
    ExchangedTooOften, InUse,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "token_not_found",
            Self::Ended => "token_ended",
            Self::OwnerGone => "token_owner_gone",
            Self::NeverVotes => "tokens_never_vote",
            Self::NotForTokens => "not_for_tokens",
            Self::OutOfScope => "out_of_scope",
            Self::NotYours => "token_not_yours",
            Self::NotToExchange => "not_a_token",
            Self::NotTheNode => "not_the_node",
            Self::WorkloadTokenExpired => "workload_token_expired",
            Self::WorkloadTokenLivesTooLong => "workload_token_lives_too_long",
            Self::WorkloadUnknown => "workload_unknown",
            Self::WorkloadAmbiguous => "workload_ambiguous",
            Self::WorkloadTokenSpent => "workload_token_spent",
            Self::NotAToken => "token_misnamed",
            Self::NotOffered => "token_not_offered",
            Self::NoScope => "token_without_scope",
            Self::TooMany => "token_too_wide",
            Self::ScopeNotOffered(_) => "scope_not_offered",
            Self::OtherNetwork => "network_not_within",
            Self::OtherKey => "token_needs_its_key",
            Self::LivesTooLong(_) => "token_lives_too_long",
            Self::OutlivesItsParent(_) => "token_outlives_parent",
            Self::ExchangedTooOften => "token_exchanged_too_often",
            Self::InUse => "token_in_use",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound => "list tokens with `countersign token list`",
            Self::Ended => "get a fresh token",
            Self::OwnerGone => "somebody who is there issues another",
            Self::NeverVotes => "people vote, each with their own credential",
            Self::NotForTokens => "a person does it, with their own credential",
            Self::OutOfScope => "get a token whose scopes mean this action in this environment",
            Self::NotYours => "its owner revokes it, or somebody under `revoke service-token/… ENVIRONMENT`",
            Self::NotToExchange => "send the token to exchange as the credential; people issue tokens",
            Self::NotTheNode => {
                "uses are noted by themselves; tokens of workloads are handed in at `POST /oauth/token`"
            }
            Self::WorkloadTokenExpired | Self::WorkloadTokenSpent => "get a fresh one from its issuer",
            Self::WorkloadTokenLivesTooLong => {
                "have its issuer give out tokens for less time, an hour rather than a day"
            }
            Self::WorkloadUnknown => {
                "compare what the token says with `workloads` of the policy in force: texts, numbers and names are compared exactly"
            }
            Self::WorkloadAmbiguous => "name the workload as `audience`",
            Self::NotAToken => "call it `service-token/NAME`",
            Self::NotOffered => "give every rule that matches `issue service-token/…` a section `tokens`",
            Self::NoScope => "name at least one, as in `deploy:release/nudgepay`",
            Self::TooMany => "issue several tokens",
            Self::ScopeNotOffered(_) => "ask for less, or for another rule",
            Self::OtherKey => "name no key, or that of the token that is exchanged",
            Self::OtherNetwork => "name networks within those of the token that is exchanged",
            Self::LivesTooLong(_) => "ask for less time, and for another token when it is over",
            Self::OutlivesItsParent(_) => "ask for less time",
            Self::ExchangedTooOften => "exchange one that was exchanged less often",
            Self::InUse => "draw a fresh one",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such token",
            Self::Ended => "the token has expired or was revoked, or one that it was exchanged from",
            Self::OwnerGone => "the owner of the token was deactivated",
            Self::NeverVotes => "tokens never vote",
            Self::NotForTokens => "no token does this",
            Self::OutOfScope => "the token is not for this action",
            Self::NotYours => "the token is somebody else's",
            Self::NotToExchange => "only a token is exchanged",
            Self::NotTheNode => "only the node notes uses and hands in the tokens of workloads",
            Self::WorkloadTokenExpired => "the token of the workload has expired",
            Self::WorkloadTokenLivesTooLong => {
                return write!(
                    f,
                    "the token of the workload is good for more than {LONGEST_VALIDITY_SECONDS} seconds"
                );
            }
            Self::WorkloadUnknown => "the token is that of no workload that is meant here",
            Self::WorkloadAmbiguous => "the token is that of several workloads",
            Self::WorkloadTokenSpent => "the token of the workload was exchanged before",
            Self::NotAToken => "what is issued is a service token",
            Self::NotOffered => "no token of this name is offered here",
            Self::NoScope => "a token without a scope could do nothing",
            Self::TooMany => {
                return write!(f, "a token has at most {MOST_SCOPES} scopes and as many networks");
            }
            Self::ScopeNotOffered(Some(scope)) => {
                return write!(f, "a token may not have the scope `{scope}` here");
            }
            Self::ScopeNotOffered(None) => "a token may not have this scope here",
            Self::OtherKey => "the token that is exchanged is bound to a key, and this is another",
            Self::OtherNetwork => "a network is not within those of the token that is exchanged",
            Self::LivesTooLong(most) => {
                return write!(f, "the rules let a token live for at most {most} seconds");
            }
            Self::OutlivesItsParent(until) => {
                return write!(f, "the token that is exchanged ends at {until}, and no child outlives it");
            }
            Self::ExchangedTooOften => {
                return write!(f, "a token is exchanged at most {MOST_EXCHANGES} times");
            }
            Self::InUse => "another token, session or credential is the same",
        })
    }
}
