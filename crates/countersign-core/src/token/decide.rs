//! Issuing, exchanging and revoking.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::{
    Expired, Issued, MOST_EXCHANGES, MOST_SCOPES, Network, Refusal, Revoked, Scope, Token, is_named, issuing,
    revocation,
};
use crate::action::Resource;
use crate::context::{Actor, Context};
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::{ApprovalId, TokenId};
use crate::permit::{self, AtOnce};
use crate::policy::Issuable;
use crate::state::State;
use crate::text::Name;
use crate::time::Time;

/// Issues a token to whoever asks.
#[derive(Clone, Debug)]
pub struct Issue {
    /// What it is called: `service-token/deployer`.
    pub resource: Resource,
    /// Where it may do something.
    pub environment: Name,
    /// What it may do there.
    pub scopes: BTreeSet<Scope>,
    /// Where it may come from; from anywhere unless some are named.
    pub networks: BTreeSet<Network>,
    /// How long it lives, seconds.
    pub lifetime_seconds: NonZeroU32,
    /// SHA-256 of the token.
    pub token_sha256: Digest,
    /// The key whose possession whoever uses it must show, by its thumbprint; whoever has the token may use it unless one is named.
    pub cnf_jkt: Option<Digest>,
    /// The approval and the digest of its parameters, where the rules demand one.
    pub under: Option<(ApprovalId, Digest)>,
}

/// Exchanges the token that acts for a narrower one.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the new one may do; each within a scope of the one that acts.
    pub scopes: BTreeSet<Scope>,
    /// Where it may come from; where the one that acts may unless some are named.
    pub networks: BTreeSet<Network>,
    /// How long it lives, seconds; not beyond the end of the one that acts.
    pub lifetime_seconds: NonZeroU32,
    /// SHA-256 of the new one.
    pub token_sha256: Digest,
    /// The key whose possession whoever uses it must show, by its thumbprint; that of the one that acts, if that has one.
    pub cnf_jkt: Option<Digest>,
}

/// Takes a token out of force, and with it all that were exchanged from it.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// Which.
    pub token: TokenId,
    /// The approval and the digest of its parameters, where others than its owner do it and the rules demand one.
    pub under: Option<(ApprovalId, Digest)>,
}

pub(crate) fn issue(state: &State, cx: &Context, command: &Issue) -> Result<Vec<Event>, domain::Refusal> {
    let Issue { resource, environment, scopes, networks, lifetime_seconds, token_sha256, cnf_jkt, under } =
        command;
    if !is_named(resource) {
        return Err(Refusal::NotAToken.into());
    }
    let action = issuing(resource, environment).ok_or(permit::Refusal::NoRule)?;
    let used = AtOnce::check(state, cx, action, *under)?;
    let offered = used.tokens().ok_or(Refusal::NotOffered)?;
    let owner = cx.actor.person().ok_or(permit::Refusal::NotAPerson)?;
    grantable(scopes, networks, |scope| offered.offers(scope))?;
    is_short_enough(*lifetime_seconds, offered)?;
    is_fresh(state, token_sha256)?;
    let issued = Issued {
        approval: under.map(|(approval, _)| approval),
        cnf_jkt: *cnf_jkt,
        expires_at: cx.now.plus_seconds(lifetime_seconds.get()),
        networks: networks.clone(),
        owner,
        parent: None,
        resource: resource.clone(),
        scopes: scopes.clone(),
        token_sha256: *token_sha256,
        workload: None,
    };
    Ok(used.events(cx, Fact::TokenIssued(TokenId(cx.first()), issued)))
}

fn is_short_enough(lifetime_seconds: NonZeroU32, offered: &Issuable) -> Result<(), Refusal> {
    let most = offered.max_lifetime_seconds;
    if lifetime_seconds > most { Err(Refusal::LivesTooLong(most.get())) } else { Ok(()) }
}

/// Whether a token can have these scopes and networks: some scopes, not too many of either, each within what is offered.
pub(super) fn grantable(
    scopes: &BTreeSet<Scope>,
    networks: &BTreeSet<Network>,
    is_offered: impl Fn(&Scope) -> bool,
) -> Result<(), Refusal> {
    if scopes.is_empty() {
        return Err(Refusal::NoScope);
    }
    if scopes.len() > MOST_SCOPES || networks.len() > MOST_SCOPES {
        return Err(Refusal::TooMany);
    }
    match scopes.iter().find(|scope| !is_offered(scope)) {
        Some(scope) => Err(Refusal::ScopeNotOffered(Some(scope.clone()))),
        None => Ok(()),
    }
}

/// A token belongs to one entry: another with the same digest could not be told from it.
pub(super) fn is_fresh(state: &State, token_sha256: &Digest) -> Result<(), Refusal> {
    if state.is_held(token_sha256) { Err(Refusal::InUse) } else { Ok(()) }
}

pub(crate) fn exchange(state: &State, cx: &Context, command: &Exchange) -> Result<Vec<Event>, Refusal> {
    let Exchange { scopes, networks, lifetime_seconds, token_sha256, cnf_jkt } = command;
    let Actor::Token(parent) = cx.actor else { return Err(Refusal::NotToExchange) };
    let token = state.live_token(parent, cx.now)?;
    if ancestors(state, token).count() >= MOST_EXCHANGES {
        return Err(Refusal::ExchangedTooOften);
    }
    grantable(scopes, networks, |scope| token.scopes.iter().any(|it| it.covers(scope)))?;
    let within =
        |network: &Network| token.networks.is_empty() || token.networks.iter().any(|it| it.covers(network));
    if !networks.iter().all(within) {
        return Err(Refusal::OtherNetwork);
    }
    // Whoever took a token without its key could exchange it for one that needs none.
    if cnf_jkt.is_some() && token.cnf_jkt.is_some_and(|own| Some(own) != *cnf_jkt) {
        return Err(Refusal::OtherKey);
    }
    let expires_at = cx.now.plus_seconds(lifetime_seconds.get());
    if expires_at > token.expires_at {
        return Err(Refusal::OutlivesItsParent(token.expires_at));
    }
    is_fresh(state, token_sha256)?;
    let issued = Issued {
        approval: None,
        cnf_jkt: token.cnf_jkt.or(*cnf_jkt),
        expires_at,
        networks: if networks.is_empty() { token.networks.clone() } else { networks.clone() },
        owner: token.owner,
        parent: Some(parent),
        resource: token.resource.clone(),
        scopes: scopes.clone(),
        token_sha256: *token_sha256,
        workload: None,
    };
    let fact = Fact::TokenIssued(TokenId(cx.first()), issued);
    Ok(Vec::from([Event::new(cx, cx.correlation, Some(&token.environment), fact)]))
}

/// What it was exchanged from, the next first.
fn ancestors<'a>(state: &'a State, token: &Token) -> impl Iterator<Item = TokenId> + use<'a> {
    core::iter::successors(token.parent, |id| state.token(*id).and_then(|token| token.parent))
        .take(MOST_EXCHANGES)
}

pub(crate) fn revoke(state: &State, cx: &Context, command: &Revoke) -> Result<Vec<Event>, domain::Refusal> {
    let Revoke { token: id, under } = command;
    state.token(*id).ok_or(Refusal::NotFound)?;
    let token = state.live_token(*id, cx.now)?;
    let by_right = match cx.actor {
        Actor::Person(person) => person == token.owner,
        Actor::Token(by) => by == *id || ancestors(state, token).any(|ancestor| ancestor == by),
        Actor::Node => false,
    };
    let action = revocation(&token.resource, &token.environment).ok_or(permit::Refusal::NoRule)?;
    let used = match (under, cx.actor) {
        (None, _) if by_right => AtOnce::by_right(cx, action),
        (_, Actor::Token(_)) => return Err(Refusal::NotYours.into()),
        (under, _) => AtOnce::check(state, cx, action, *under)?,
    };
    let fact = Fact::TokenRevoked(
        *id,
        Revoked { approval: under.map(|(approval, _)| approval), resource: token.resource.clone() },
    );
    Ok(used.events(cx, fact))
}

pub(crate) fn elapse(state: &State, cx: &Context, id: TokenId) -> Vec<Event> {
    let over = |token: &&Token| token.deadline().is_some_and(|deadline: Time| cx.now >= deadline);
    let token = state.token(id).filter(over);
    let expired = |token: &Token| {
        Event::new(cx, cx.correlation, Some(&token.environment), Fact::TokenExpired(id, Expired {}))
    };
    token.map(expired).into_iter().collect()
}
