//! Service tokens: each issued as the rules offer it or exchanged for less of what it was, and worth nothing from its end on, nor from that of
//! what it was exchanged from or of its owner's standing.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::deed::Deed;
use super::demand::Demand;
use super::owed::Owed;
use super::register::Register;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of, must};
use crate::action::{Action, Resource};
use crate::context::Actor;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{PersonId, TokenId};
use crate::once::Spent;
use crate::policy::{NamePattern, Policy, ResourcePattern, TokenTerms, Workload};
use crate::text::Name;
use crate::time::Time;
use crate::token::{Issued, Network, Origin, Revoked, Scope, Used};

/// How many tokens stand between one and the one that was issued, at most, that one among them.
const MOST_ANCESTORS: usize = 4;

const MOST_SCOPES: usize = 64;

/// A token that is not on record as ended.
#[derive(Clone, Debug)]
struct Token {
    owner: PersonId,
    resource: Resource,
    environment: Name,
    scopes: BTreeSet<Scope>,
    networks: BTreeSet<Network>,
    expires_at: Time,
    parent: Option<TokenId>,
    digest: Digest,
    cnf_jkt: Option<Digest>,
    /// When it was issued, and from then on the end of the last window in which it was used.
    noted_until: Time,
}

/// Tokens that are not on record as ended, and their digests.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    each: BTreeMap<TokenId, Token>,
    digests: BTreeSet<Digest>,
    /// What was exchanged and may not be again.
    spent: Register,
}

impl Tokens {
    /// The token, and what it was exchanged from, up to the one that was issued; nothing if one of them has ended by then.
    fn line(&self, id: TokenId, at: Time) -> Option<Vec<&Token>> {
        let mut line = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let token = self.each.get(&id).filter(|token| at < token.expires_at)?;
            line.push(token);
            next = token.parent;
        }
        Some(line)
    }

    pub(super) fn holds(&self, secret: &Digest) -> bool {
        self.digests.contains(secret)
    }

    /// Whether one of the tokens was exchanged from the other.
    fn descends(&self, id: TokenId, from: TokenId) -> bool {
        let parent = |id: TokenId| self.each.get(&id).and_then(|token| token.parent);
        core::iter::successors(parent(id), |id| parent(*id)).any(|ancestor| ancestor == from)
    }

    /// A token that is good for a day at most, by a clock that may be a minute off, is remembered to its end and no longer.
    fn spend(&mut self, (spent, at): (Spent, Time)) -> Verdict {
        let longest = at.plus_seconds(24 * 3_600 + 60);
        must(spent.until > at && spent.until <= longest, Breach::NotRemembered)?;
        must(self.spent.is_first(at, spent), Breach::SpentTwice)
    }

    fn forget(&mut self, id: TokenId) -> Verdict {
        let token = self.each.remove(&id).ok_or(Breach::Unknown)?;
        self.digests.remove(&token.digest);
        Ok(())
    }
}

/// Whether everything that the narrow scope means, the wide one means too.
fn is_within(narrow: &Scope, wide: &Scope) -> bool {
    let verb = match (&narrow.verb, &wide.verb) {
        (_, NamePattern::Any) => true,
        (NamePattern::Exactly(narrow), NamePattern::Exactly(wide)) => narrow == wide,
        (NamePattern::Any, NamePattern::Exactly(_)) => false,
    };
    let resource = match (&narrow.resource, &wide.resource) {
        (_, ResourcePattern::Any) => true,
        (ResourcePattern::Exactly(narrow), ResourcePattern::Exactly(wide)) => narrow == wide,
        (ResourcePattern::OfType(narrow), ResourcePattern::OfType(wide)) => narrow == wide,
        (ResourcePattern::Exactly(narrow), ResourcePattern::OfType(wide)) => {
            narrow.as_str().strip_prefix(wide.as_str()).is_some_and(|rest| rest.starts_with('/'))
        }
        _ => false,
    };
    verb && resource
}

fn means(scope: &Scope, action: &Action) -> bool {
    let exact = Scope {
        verb: NamePattern::Exactly(action.verb.clone()),
        resource: ResourcePattern::Exactly(action.resource.clone()),
    };
    is_within(&exact, scope)
}

fn is_open(scope: &Scope) -> bool {
    scope.verb == NamePattern::Any || !matches!(scope.resource, ResourcePattern::Exactly(_))
}

impl Auditor {
    /// Whether the token is worth something at the time of the event.
    pub(super) fn is_live(&self, event: &Event, id: TokenId) -> bool {
        let line = self.tokens.line(id, event.at);
        line.and_then(|line| line.first().map(|token| self.is_active(token.owner))).unwrap_or(false)
    }

    /// The person who does this: by themselves, or by a token of theirs that is for it.
    pub(super) fn acting(&self, event: &Event, action: &Action) -> Verdict<PersonId> {
        let id = match event.actor {
            Actor::Person(person) => return Ok(person),
            Actor::Node => return Err(Breach::NotAPerson),
            Actor::Token(id) => id,
        };
        let token = self.tokens.each.get(&id).ok_or(Breach::TokenNotLive)?;
        let in_scope =
            token.environment == action.environment && token.scopes.iter().any(|scope| means(scope, action));
        must(in_scope, Breach::OutOfScope)?;
        Ok(token.owner)
    }

    /// Whose token it was is named where a token did it, and only there.
    pub(super) fn names_owner(event: &Event, (named, owner): (Option<PersonId>, PersonId)) -> Verdict {
        let is_token = matches!(event.actor, Actor::Token(_));
        must(named == is_token.then_some(owner), Breach::OtherOwner)
    }

    pub(super) fn token(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        match &event.fact {
            Fact::TokenIssued(id, issued) => self.issued(event, owed, (*id, issued)),
            Fact::TokenUsed(id, used) => self.used(event, (*id, used)),
            Fact::TokenRevoked(id, revoked) => self.revoked(event, owed, (*id, revoked)),
            Fact::TokenExpired(id, _) => {
                by_node(event)?;
                let token = self.tokens.each.get(id).ok_or(Breach::Unknown)?;
                is_of(event, &token.environment)?;
                must(event.at >= token.expires_at, Breach::TooEarly)?;
                self.tokens.forget(*id)
            }
            _ => Err(Breach::Unprompted),
        }
    }

    /// By the node's word, in windows that neither overlap nor go beyond its time; of one that is not on record as ended.
    fn used(&mut self, event: &Event, (id, used): (TokenId, &Used)) -> Verdict {
        by_node(event)?;
        let token = self.tokens.each.get_mut(&id).ok_or(Breach::Unknown)?;
        is_of(event, &token.environment)?;
        let window = token.noted_until <= used.from && used.from <= used.until && used.until <= event.at;
        must(window && used.until < token.expires_at, Breach::WrongWindow)?;
        token.noted_until = used.until;
        Ok(())
    }

    fn issued(&mut self, event: &Event, owed: Option<&Owed>, (id, issued): (TokenId, &Issued)) -> Verdict {
        let scopes = &issued.scopes;
        must(!scopes.is_empty() && scopes.len() <= MOST_SCOPES, Breach::WrongScopes)?;
        must(issued.networks.len() <= MOST_SCOPES, Breach::OtherNetworks)?;
        must(issued.expires_at > event.at, Breach::WrongDeadline)?;
        match (issued.parent, &issued.workload) {
            (None, None) => self.newly_issued(event, owed, issued)?,
            (None, Some(origin)) => self.of_workload(event, (origin, issued))?,
            (Some(_), Some(_)) => return Err(Breach::Unprompted),
            (Some(parent), None) => self.exchanged(event, (parent, issued))?,
        }
        must(!self.is_secret_of_somebody(&issued.token_sha256), Breach::TokenInUse)?;
        self.tokens.digests.insert(issued.token_sha256);
        let token = Token {
            owner: issued.owner,
            resource: issued.resource.clone(),
            environment: event.environment.clone().ok_or(Breach::WrongEnvironment)?,
            scopes: scopes.clone(),
            networks: issued.networks.clone(),
            expires_at: issued.expires_at,
            parent: issued.parent,
            digest: issued.token_sha256,
            cnf_jkt: issued.cnf_jkt,
            noted_until: event.at,
        };
        must(self.tokens.each.insert(id, token).is_none(), Breach::BegunTwice)
    }

    /// Under rules that all offer it, to the person who does it.
    fn newly_issued(&self, event: &Event, owed: Option<&Owed>, issued: &Issued) -> Verdict {
        self.is_consented(event, owed)?;
        must(event.actor == Actor::Person(issued.owner), Breach::OtherOwner)?;
        let deed = Deed::of(event).ok_or(Breach::OtherAction)?;
        let policy = &self.in_force()?.policy;
        let terms = terms(policy, &deed.action).ok_or(Breach::TokenNotOffered)?;
        let is_offered = |scope: &Scope| {
            let within = |it: &&TokenTerms| {
                (it.patterns || !is_open(scope)) && it.scopes.iter().any(|wide| is_within(scope, wide))
            };
            terms.iter().all(within)
        };
        must(issued.scopes.iter().all(is_offered), Breach::WrongScopes)?;
        let most = terms.iter().map(|it| it.max_lifetime_seconds.get()).min().unwrap_or(0);
        must(issued.expires_at <= event.at.plus_seconds(most), Breach::WrongDeadline)
    }

    /// For no more than the one that is exchanged, which does it itself.
    fn exchanged(&self, event: &Event, (parent, issued): (TokenId, &Issued)) -> Verdict {
        must(event.actor == Actor::Token(parent), Breach::NotTheParent)?;
        must(issued.approval.is_none(), Breach::Unprompted)?;
        let line = self.tokens.line(parent, event.at).ok_or(Breach::TokenNotLive)?;
        let from = *line.first().ok_or(Breach::TokenNotLive)?;
        must(line.len() <= MOST_ANCESTORS, Breach::ExchangedTooOften)?;
        is_of(event, &from.environment)?;
        must(issued.owner == from.owner, Breach::OtherOwner)?;
        must(issued.resource == from.resource, Breach::OtherAction)?;
        let narrower = |scope: &Scope| from.scopes.iter().any(|wide| is_within(scope, wide));
        must(issued.scopes.iter().all(narrower), Breach::WrongScopes)?;
        let near = |network: &Network| from.networks.iter().any(|wide| wide.covers(network));
        let anywhere = from.networks.is_empty();
        let networks = &issued.networks;
        must(anywhere || !networks.is_empty() && networks.iter().all(near), Breach::OtherNetworks)?;
        must(from.cnf_jkt.is_none() || issued.cnf_jkt == from.cnf_jkt, Breach::OtherKeyBound)?;
        must(issued.expires_at <= from.expires_at, Breach::WrongDeadline)
    }

    /// As the policy offers it to a workload of its, by the node, which alone saw what was exchanged; and that is not exchanged again.
    fn of_workload(&mut self, event: &Event, (origin, issued): (&Origin, &Issued)) -> Verdict {
        by_node(event)?;
        must(issued.approval.is_none(), Breach::Unprompted)?;
        let workloads = &self.in_force()?.policy.workloads;
        let named = |it: &&Workload| it.name == origin.rule && it.issuer == origin.issuer;
        let workload = workloads.iter().find(named).ok_or(Breach::NoWorkload)?;
        must(issued.resource == workload.token, Breach::NoWorkload)?;
        is_of(event, &workload.environment)?;
        must(issued.owner == workload.owner, Breach::OtherOwner)?;
        must(self.is_active(issued.owner), Breach::TokenNotLive)?;
        let is_offered = |scope: &Scope| {
            (workload.patterns || !is_open(scope))
                && workload.scopes.iter().any(|wide| is_within(scope, wide))
        };
        must(issued.scopes.iter().all(is_offered), Breach::WrongScopes)?;
        must(issued.networks.is_empty(), Breach::OtherNetworks)?;
        let last = event.at.plus_seconds(workload.max_lifetime_seconds.get());
        must(issued.expires_at <= last, Breach::WrongDeadline)?;
        let action = Action::of(["issue", issued.resource.as_str(), workload.environment.as_str()]);
        self.is_not_frozen(&action.ok_or(Breach::OtherAction)?, event.at)?;
        self.tokens.spend((origin.spent, event.at))
    }

    /// By its owner, itself or what it was exchanged from; by others with consent.
    fn revoked(&mut self, event: &Event, owed: Option<&Owed>, (id, revoked): (TokenId, &Revoked)) -> Verdict {
        let token = self.tokens.each.get(&id).ok_or(Breach::Unknown)?;
        is_of(event, &token.environment)?;
        must(revoked.resource == token.resource, Breach::OtherAction)?;
        must(event.at < token.expires_at, Breach::TooLate)?;
        let by_right = match event.actor {
            Actor::Person(person) => person == token.owner,
            Actor::Token(by) => by == id || self.tokens.descends(id, by),
            Actor::Node => false,
        };
        if !by_right || revoked.approval.is_some() {
            self.is_consented(event, owed)?;
        }
        self.tokens.forget(id)
    }
}

/// What the rules that govern the action offer for tokens; something only if every one does.
fn terms<'a>(policy: &'a Policy, action: &Action) -> Option<Vec<&'a TokenTerms>> {
    let rules = Demand::new(policy, action).ok()?;
    rules.tokens()
}
