//! What service tokens may do: each scope held against the rights of the token's owner, for a token can do nothing that its owner may not.

use std::collections::BTreeMap;

use countersign_core::action::Action;
use countersign_core::id::{PersonId, TokenId};
use countersign_core::policy::{Consent, NamePattern, Policy, ResourcePattern, Rule};
use countersign_core::token::{Scope as TokenScope, Token};

use super::{Held, MOST_RIGHTS, Right, Scope};

/// Something a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The token.
    pub token: TokenId,
    /// The scope that means it.
    pub scope: TokenScope,
    /// Where the right of its owner that it rests on stands among the rights.
    pub right: usize,
    /// Verb, resource and environment: what both the scope and the rule mean.
    pub of: [String; 3],
    /// Whether people must agree first.
    pub consent: bool,
}

/// Everything that tokens which are worth something may do, token by token; nothing if there is too much.
pub(super) fn all(scope: &Scope, (policy, rights): (&Policy, &[Held])) -> Option<Vec<Grant>> {
    let rules: BTreeMap<_, &Rule> = policy.rules.iter().map(|rule| (&rule.name, rule)).collect();
    let mut of_owner: BTreeMap<PersonId, Vec<(usize, &Rule, Right)>> = BTreeMap::new();
    for (index, held) in rights.iter().enumerate() {
        let rule = held.rule.as_ref().and_then(|name| rules.get(name));
        if let (Right::Request | Right::Execute, Some(rule)) = (held.right, rule) {
            of_owner.entry(held.person).or_default().push((index, rule, held.right));
        }
    }
    let mut all = Vec::new();
    for token in live(scope) {
        for (right, rule, kind) in of_owner.get(&token.owner).into_iter().flatten() {
            let consent = rule.approval == Consent::Required;
            // Nobody asks where nobody is asked.
            if !rule.environment.matches(&token.environment) || (*kind == Right::Request && !consent) {
                continue;
            }
            for wish in &token.scopes {
                let Some((verb, resource)) = meeting(wish, rule) else { continue };
                if !is_let(policy, (token, *kind), (&verb, &resource)) {
                    continue;
                }
                if all.len() >= MOST_RIGHTS {
                    return None;
                }
                all.push(Grant {
                    token: token.id,
                    scope: wish.clone(),
                    right: *right,
                    of: [verb.to_string(), resource.to_string(), token.environment.to_string()],
                    consent,
                });
            }
        }
    }
    Some(all)
}

/// Tokens that are worth something, in the environment that is looked at.
pub(super) fn live(scope: &Scope) -> impl Iterator<Item = &Token> {
    let here = |token: &&Token| {
        scope.environment.as_ref().is_none_or(|environment| token.environment == *environment)
    };
    let tokens = scope.state.tokens().filter(here);
    tokens.filter(|token| scope.state.live_token(token.id, scope.until).is_ok())
}

/// What both mean: of two patterns that have anything in common one is within the other.
fn meeting(scope: &TokenScope, rule: &Rule) -> Option<(NamePattern, ResourcePattern)> {
    let verb = narrower(&scope.verb, &rule.verb, NamePattern::covers)?;
    let resource = narrower(&scope.resource, &rule.resource, ResourcePattern::covers)?;
    Some((verb.clone(), resource.clone()))
}

fn narrower<'a, P>(one: &'a P, other: &'a P, covers: impl Fn(&P, &P) -> bool) -> Option<&'a P> {
    if covers(one, other) { Some(other) } else { covers(other, one).then_some(one) }
}

/// Where it comes down to one action, all rules for it must let the owner, and not only this one.
fn is_let(
    policy: &Policy,
    (token, right): (&Token, Right),
    (verb, resource): (&NamePattern, &ResourcePattern),
) -> bool {
    let (NamePattern::Exactly(verb), ResourcePattern::Exactly(resource)) = (verb, resource) else {
        return true;
    };
    let (verb, resource, environment) = (verb.clone(), resource.clone(), token.environment.clone());
    let Some(demanded) = policy.requirement(&Action { verb, resource, environment }) else { return false };
    match right {
        Right::Request => demanded.may_request(policy, token.owner),
        _ => demanded.may_execute(policy, token.owner),
    }
}
