//! What nobody needs, uses or can use any more. Whoever or whatever is newer than the time that is looked at is given its time.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::id::PersonId;
use countersign_core::person::Person;
use countersign_core::text::Name;
use countersign_core::time::Time;

use super::{Books, Grant, Held, Right, Scope, grants};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A group names somebody who was deactivated.
    MemberDeactivated,
    /// A group names somebody who is not enrolled.
    MemberUnknown,
    /// Somebody was invited and has not claimed.
    NeverClaimed,
    /// Somebody caused no entry.
    PersonInactive,
    /// Nobody's use of a group's right by the person is on record.
    RightUnused,
    /// A voting key signed nothing.
    VotingKeyUnused,
    /// A passkey did not sign in.
    PasskeyUnused,
    /// A token was never used.
    TokenUnused,
    /// A scope of a token by which it can do nothing: no rule lets its owner.
    ScopeUnusable,
    /// A delegation to somebody who cannot act.
    DelegateGone,
}

impl Kind {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MemberDeactivated => "member-deactivated",
            Self::MemberUnknown => "member-unknown",
            Self::NeverClaimed => "never-claimed",
            Self::PersonInactive => "person-inactive",
            Self::RightUnused => "right-unused",
            Self::VotingKeyUnused => "voting-key-unused",
            Self::PasskeyUnused => "passkey-unused",
            Self::TokenUnused => "token-unused",
            Self::ScopeUnusable => "scope-unusable",
            Self::DelegateGone => "delegate-gone",
        }
    }
}

/// Something stale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What is wrong with it.
    pub kind: Kind,
    /// Whom it is about.
    pub person: PersonId,
    /// What.
    pub what: String,
    /// Since when it is there.
    pub since: Option<Time>,
}

/// Everything stale, by kind and person.
pub(super) fn all(scope: &Scope, (books, rights, grants): (&Books, &[Held], &[Grant])) -> Vec<Finding> {
    let mut all = Vec::new();
    members(scope, &mut all);
    for (_, person) in scope.state.people() {
        of_person(scope, (books, person), &mut all);
    }
    unused_rights(scope, rights, &mut all);
    for token in scope.state.tokens() {
        let is_live = scope.state.live_token(token.id, scope.until).is_ok();
        if is_live && token.last_used.is_none() && books.of_token(token.id).times == 0 {
            let (kind, what) = (Kind::TokenUnused, token.id.to_string());
            all.push(Finding { kind, person: token.owner, what, since: Some(token.issued_at) });
        }
    }
    unusable_scopes(scope, grants, &mut all);
    all.sort();
    all
}

/// What a token was given and cannot use: a scope that leads to no right of its owner.
fn unusable_scopes(scope: &Scope, grants: &[Grant], all: &mut Vec<Finding>) {
    let used: BTreeSet<_> = grants.iter().map(|grant| (grant.token, &grant.scope)).collect();
    for token in grants::live(scope) {
        for idle in token.scopes.iter().filter(|it| !used.contains(&(token.id, *it))) {
            let (kind, what) = (Kind::ScopeUnusable, format!("{idle} of {}", token.id));
            all.push(Finding { kind, person: token.owner, what, since: Some(token.issued_at) });
        }
    }
}

fn members(scope: &Scope, all: &mut Vec<Finding>) {
    let groups = scope.state.policy().map(|in_force| &in_force.policy.groups);
    for (group, members) in groups.into_iter().flatten() {
        for person in members {
            let known = scope.state.person(*person);
            let kind = match known {
                None => Kind::MemberUnknown,
                Some(known) if known.deactivated_at.is_some() => Kind::MemberDeactivated,
                Some(_) => continue,
            };
            let since = known.and_then(|known| known.deactivated_at);
            all.push(Finding { kind, person: *person, what: group.to_string(), since });
        }
    }
}

fn of_person(scope: &Scope, (books, person): (&Books, &Person), all: &mut Vec<Finding>) {
    let (id, from) = (person.id, scope.from());
    let mut found = |kind, what: String, since| {
        all.push(Finding { kind, person: id, what, since: Some(since) });
    };
    if person.status() == "invited" {
        let what = match person.claim_until {
            Some(until) if scope.until >= until => format!("the invitation expired at {until}"),
            Some(until) => format!("the invitation is open until {until}"),
            None => "the claim is open".to_owned(),
        };
        found(Kind::NeverClaimed, what, person.enrolled_at);
    }
    if !person.is_active() {
        return;
    }
    if person.enrolled_at < from && books.of_person(id).times == 0 {
        found(Kind::PersonInactive, "caused no entry".to_owned(), person.enrolled_at);
    }
    let is_idle = |since: Time, key| since < from && books.of_key(key).times == 0;
    for key in person.keys.iter().filter(|key| key.is_in_force()) {
        if is_idle(key.enrolled_at, &key.key_sha256) {
            found(Kind::VotingKeyUnused, key.key_sha256.to_string(), key.enrolled_at);
        }
    }
    for passkey in person.passkeys.iter().filter(|passkey| passkey.is_in_force()) {
        if is_idle(passkey.added_at, &passkey.key_sha256) {
            found(Kind::PasskeyUnused, passkey.key_sha256.to_string(), passkey.added_at);
        }
    }
    let delegated = person.delegated.filter(|delegated| scope.until < delegated.until);
    let is_there = |id: PersonId| scope.state.person(id).is_some_and(Person::is_active);
    if let Some(delegated) = delegated.filter(|delegated| !is_there(delegated.to)) {
        found(Kind::DelegateGone, delegated.to.to_string(), delegated.from);
    }
}

/// A person who used none of the rights of one kind that a group gives: then the group can do without them.
fn unused_rights(scope: &Scope, rights: &[Held], all: &mut Vec<Finding>) {
    let mut used: BTreeMap<(PersonId, &Name, Right), u64> = BTreeMap::new();
    for held in rights {
        if let Some(count) = held.used {
            let times = used.entry((held.person, &held.group, held.right)).or_default();
            *times = times.saturating_add(count.times);
        }
    }
    for ((person, group, right), times) in used {
        let Some(known) = scope.state.person(person).filter(|known| known.is_active()) else { continue };
        if times == 0 && known.enrolled_at < scope.from() {
            let what = format!("{} as a member of {group}", right.as_str());
            all.push(Finding { kind: Kind::RightUnused, person, what, since: Some(known.enrolled_at) });
        }
    }
}
