//! Voting keys: each was consented to, belongs to one person, and signs nothing any more once it was revoked.
//!
//! Whether the text is a public key, and whether signatures by it hold, is for the ledger to say.

use super::deed::Deed;
use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_person, is_of, must};
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::signature::{Algorithm, Signature, Signing};

/// A key that is or was in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    owner: PersonId,
    algorithm: Algorithm,
    revoked: bool,
}

impl Auditor {
    pub(super) fn voting_key(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        match &event.fact {
            Fact::PersonKeyEnrolled(owner, enrolled) => {
                self.is_consented(event, owed)?;
                must(self.people.contains_key(owner), Breach::UnknownPerson)?;
                must(!self.passkeys.contains(&enrolled.key_sha256), Breach::KeyInUse)?;
                let public = enrolled.public_key_sha256;
                must(public.is_none_or(|public| self.passkeys.note(public)), Breach::KeyInUse)?;
                let key = Key { owner: *owner, algorithm: enrolled.algorithm, revoked: false };
                must(self.voting_keys.insert(enrolled.key_sha256, key).is_none(), Breach::KeyInUse)
            }
            Fact::PersonKeyRevoked(owner, revoked) => {
                // Whoever lost a key revokes it alone.
                if revoked.approval.is_some() {
                    self.is_consented(event, owed)?;
                } else {
                    is_of(event, &Deed::of(event).ok_or(Breach::OtherAction)?.action.environment)?;
                    must(by_person(event)? == *owner, Breach::NotTheOwner)?;
                }
                let key = self.voting_keys.get_mut(&revoked.key_sha256);
                let key = key.filter(|key| key.owner == *owner && !key.revoked);
                key.ok_or(Breach::KeyNotInForce)?.revoked = true;
                Ok(())
            }
            _ => Err(Breach::Unprompted),
        }
    }

    /// How the person's key in force signs, if it is that.
    fn signs_with(&self, person: PersonId, key: &Digest) -> Option<Algorithm> {
        let key = self.voting_keys.get(key).filter(|key| key.owner == person && !key.revoked);
        key.map(|key| key.algorithm)
    }

    /// Whether the person's key is one that signs only when somebody is there: in an authenticator, or a passkey.
    pub(super) fn is_by_somebody_present(&self, person: PersonId, key: &Digest) -> bool {
        let in_file = [Algorithm::Ed25519, Algorithm::EcdsaP256];
        self.signs_with(person, key).is_some_and(|kind| !in_file.contains(&kind))
    }

    /// Whether a vote may be signed like this.
    pub(super) fn is_well_signed(
        &self,
        person: PersonId,
        signature: Option<&Signature>,
        demanded: Signing,
    ) -> Verdict {
        let strength = match signature {
            None => Signing::NotRequired,
            Some(signature) => {
                let key = self.signs_with(person, &signature.key_sha256);
                strength(key.ok_or(Breach::KeyNotInForce)?)
            }
        };
        must(strength >= demanded, Breach::SignatureRequired)
    }

    /// Whether a vote, signed with this key or not at all, counts at this moment where this is demanded.
    pub(super) fn counts_as_signed(&self, person: PersonId, key: Option<&Digest>, demanded: Signing) -> bool {
        match key {
            None => demanded == Signing::NotRequired,
            Some(key) => self.signs_with(person, key).is_some_and(|kind| strength(kind) >= demanded),
        }
    }

    /// Whether the person has a key that would do.
    pub(super) fn could_sign(&self, person: PersonId, demanded: Signing) -> bool {
        let does = |key: &Key| key.owner == person && !key.revoked && strength(key.algorithm) >= demanded;
        demanded == Signing::NotRequired || self.voting_keys.values().any(does)
    }
}

/// Keys named `sk-…` live in hardware; of passkeys those that do not sync.
fn strength(algorithm: Algorithm) -> Signing {
    match algorithm {
        Algorithm::SkEd25519
        | Algorithm::SkEcdsaP256
        | Algorithm::BoundPasskeyEd25519
        | Algorithm::BoundPasskeyEs256 => Signing::Hardware,
        Algorithm::Ed25519 | Algorithm::EcdsaP256 | Algorithm::PasskeyEd25519 | Algorithm::PasskeyEs256 => {
            Signing::Required
        }
    }
}
