//! Passkeys for signing in: each one person's and for one purpose, changed by themselves when they have just proved who they are, and never the last
//! means taken away.
//!
//! Whether the text is a passkey, and whether it has the public key it says, is for whoever reads keys.

use alloc::collections::{BTreeMap, BTreeSet};

use super::person::Standing;
use super::violation::Breach;
use super::{Auditor, Verdict, must};
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::passkey::PasskeyAdded;

const MOST_PASSKEYS: usize = 64;

/// A passkey that signs in, or did.
#[derive(Clone, Copy, Debug)]
struct Passkey {
    owner: PersonId,
    synced: bool,
    removed: bool,
}

/// Every passkey for signing in there ever was, and every public key that signs in or votes.
#[derive(Clone, Debug, Default)]
pub(super) struct Passkeys {
    each: BTreeMap<Digest, Passkey>,
    public: BTreeSet<Digest>,
}

impl Passkeys {
    /// Whether this text signs in, or did.
    pub(super) fn contains(&self, key: &Digest) -> bool {
        self.each.contains_key(key)
    }

    /// Notes a public key; whether it is new.
    pub(super) fn note(&mut self, public: Digest) -> bool {
        self.public.insert(public)
    }
}

impl Auditor {
    pub(super) fn passkey(&mut self, event: &Event) -> Verdict {
        match &event.fact {
            Fact::PersonPasskeyAdded(person, added) => {
                let session = added.session.ok_or(Breach::SessionNotLive)?;
                self.by_recent(event, (*person, session))?;
                self.registered(*person, added)
            }
            Fact::PersonPasskeyRemoved(person, removed) => {
                self.by_recent(event, (*person, removed.session))?;
                let key = &removed.key_sha256;
                self.signs_in_with(*person, key).ok_or(Breach::PasskeyNotInForce)?;
                self.passkeys.each.get_mut(key).ok_or(Breach::PasskeyNotInForce)?.removed = true;
                must(self.can_sign_in(*person)?, Breach::LastMeans)
            }
            _ => Err(Breach::Unprompted),
        }
    }

    /// The passkey is nobody's yet, of a kind that the policy takes.
    pub(super) fn registered(&mut self, person: PersonId, added: &PasskeyAdded) -> Verdict {
        must(!added.synced || self.in_force()?.policy.sign_in.synced_passkeys, Breach::MethodNotTaken)?;
        must(!self.voting_keys.contains_key(&added.key_sha256), Breach::PasskeyInUse)?;
        must(self.passkeys.note(added.public_key_sha256), Breach::PasskeyInUse)?;
        let key = Passkey { owner: person, synced: added.synced, removed: false };
        must(self.passkeys.each.insert(added.key_sha256, key).is_none(), Breach::PasskeyInUse)?;
        let theirs = self.passkeys.each.values().filter(|it| it.owner == person).count();
        must(theirs <= MOST_PASSKEYS, Breach::TooManyPasskeys)
    }

    /// Whether the person's passkey may be copied, if it is theirs and in force.
    pub(super) fn signs_in_with(&self, person: PersonId, key: &Digest) -> Option<bool> {
        let key = self.passkeys.each.get(key).filter(|it| it.owner == person && !it.removed);
        key.map(|it| it.synced)
    }

    /// Whether the person has a passkey in force, also one that may be copied if such ones are taken.
    pub(super) fn has_passkey(&self, person: PersonId, synced: bool) -> bool {
        self.passkeys.each.values().any(|it| it.owner == person && !it.removed && (synced || !it.synced))
    }

    /// Whether the person has a credential.
    pub(super) fn has_credential(&self, person: PersonId) -> bool {
        matches!(self.people.get(&person), Some(Standing::Active(Some(_))))
    }

    /// Whether this is the digest of somebody's credential.
    pub(super) fn is_credential(&self, secret: &Digest) -> bool {
        self.people.values().any(|standing| *standing == Standing::Active(Some(*secret)))
    }
}
