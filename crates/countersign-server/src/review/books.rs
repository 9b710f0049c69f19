//! What people did, counted while the entries go by.
//!
//! A right counts as used when its rule is among those of the policy in force that apply to the action; under which rules it was done at
//! the time is not asked, because the question is what is needed of what there is now.

use std::collections::BTreeMap;

use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, BreakGlassId, PersonId, TokenId};
use countersign_core::policy::Policy;
use countersign_core::session::Method;
use countersign_core::text::Name;
use countersign_core::time::Time;
use countersign_core::{Actor, Event, Fact};

use super::{Held, Right};

/// How often, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub times: u64,
    /// The last time.
    pub last: Option<Time>,
}

impl Count {
    fn add(&mut self, times: u64, at: Time) {
        self.times = self.times.saturating_add(times);
        self.last = self.last.max(Some(at));
    }
}

/// What was done in the time that is looked at.
#[derive(Debug, Default)]
pub struct Books {
    people: BTreeMap<PersonId, Count>,
    rights: BTreeMap<(Name, Right, PersonId), Count>,
    keys: BTreeMap<Digest, Count>,
    tokens: BTreeMap<TokenId, Count>,
    approvals: BTreeMap<ApprovalId, Action>,
    glasses: BTreeMap<BreakGlassId, Action>,
    /// The rules that apply to an action, by name.
    matching: BTreeMap<Action, Vec<Name>>,
}

impl Books {
    /// What the person did.
    #[must_use]
    pub fn of_person(&self, person: PersonId) -> Count {
        self.people.get(&person).copied().unwrap_or_default()
    }

    /// How often a key was used, to sign a vote or to sign in.
    #[must_use]
    pub fn of_key(&self, key_sha256: &Digest) -> Count {
        self.keys.get(key_sha256).copied().unwrap_or_default()
    }

    /// How often a token was used.
    #[must_use]
    pub fn of_token(&self, token: TokenId) -> Count {
        self.tokens.get(&token).copied().unwrap_or_default()
    }

    /// How often a right was used.
    #[must_use]
    pub fn of_right(&self, held: &Held) -> Count {
        let used = held.rule.clone().and_then(|rule| self.rights.get(&(rule, held.right, held.person)));
        used.copied().unwrap_or_default()
    }

    pub(super) fn knows_approval(&self, id: ApprovalId) -> bool {
        self.approvals.contains_key(&id)
    }

    pub(super) fn knows_glass(&self, id: BreakGlassId) -> bool {
        self.glasses.contains_key(&id)
    }

    pub(super) fn meet_approval(&mut self, id: ApprovalId, action: Action) {
        self.approvals.insert(id, action);
    }

    pub(super) fn meet_glass(&mut self, id: BreakGlassId, action: Action) {
        self.glasses.insert(id, action);
    }

    /// Counts what an event tells.
    pub(super) fn follow(&mut self, policy: &Policy, event: &Event) {
        if let Actor::Person(person) = event.actor {
            self.people.entry(person).or_default().add(1, event.at);
        }
        let actor = event.actor.person();
        match &event.fact {
            Fact::ApprovalRequested(id, requested) => {
                self.meet_approval(*id, requested.action.clone());
                let who = requested.owner.or(actor);
                self.used(policy, (Right::Request, who, event.at), &requested.action);
            }
            Fact::ApprovalGranted(id, voted)
            | Fact::ApprovalObjected(id, voted)
            | Fact::ApprovalDenied(id, voted) => {
                if let Some(signature) = &voted.signature {
                    self.keys.entry(signature.key_sha256).or_default().add(1, event.at);
                }
                if let Some(action) = self.approvals.get(id).cloned() {
                    let who = voted.on_behalf.or(actor);
                    self.used(policy, (Right::Approve, who, event.at), &action);
                }
            }
            Fact::PermitReserved(_, reserved) if reserved.break_glass.is_none() => {
                let who = reserved.owner.or(actor);
                self.used(policy, (Right::Execute, who, event.at), &reserved.action);
            }
            Fact::BreakGlassOpened(id, opened) => {
                self.keys.entry(opened.signature.key_sha256).or_default().add(1, event.at);
                self.meet_glass(*id, opened.action.clone());
                self.used(policy, (Right::BreakGlass, actor, event.at), &opened.action);
            }
            Fact::BreakGlassReviewed(id, _) => {
                if let Some(action) = self.glasses.get(id).cloned() {
                    self.used(policy, (Right::Review, actor, event.at), &action);
                }
            }
            Fact::TokenUsed(id, used) => {
                self.tokens.entry(*id).or_default().add(u64::from(used.count.get()), used.until);
            }
            Fact::SessionOpened(_, opened) => self.shown(&opened.method, event.at),
            Fact::SessionSteppedUp(_, stepped_up) => self.shown(&stepped_up.method, event.at),
            _ => {}
        }
    }

    fn shown(&mut self, method: &Method, at: Time) {
        if let Method::Passkey { key_sha256 } = method {
            self.keys.entry(*key_sha256).or_default().add(1, at);
        }
    }

    fn used(&mut self, policy: &Policy, (right, who, at): (Right, Option<PersonId>, Time), action: &Action) {
        let Some(who) = who else { return };
        if !self.matching.contains_key(action) {
            let requirement = policy.requirement(action);
            let rules = requirement.map(|it| it.rules.iter().cloned().collect()).unwrap_or_default();
            self.matching.insert(action.clone(), rules);
        }
        for rule in self.matching.get(action).into_iter().flatten() {
            self.rights.entry((rule.clone(), right, who)).or_default().add(1, at);
        }
    }
}
