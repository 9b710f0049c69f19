//! The statement by which one key of a log hands over to the next, and the two signatures under it.
//!
//! Version 1 is the text of a signed note (c2sp.org/signed-note v1.0.0) of six lines, so that tools for notes can check it:
//!
//! ```text
//! countersign log key handover v1
//! origin ledger.example/payments
//! size 17
//! root cm9vdA…=
//! old ledger.example/payments+0ba8a86d+AZ…
//! new ledger.example/payments+9c3f0e21+AR…
//! ```
//!
//! It cannot be taken for a checkpoint, whose second line is a number, nor a checkpoint for it.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{KeyError, Side};
use crate::hash::Hash;
use crate::note::{self, NoteError, NoteSigner, SignError, VerifierKey};

/// The first line of the statement. Another form gets another number.
const TITLE: &str = "countersign log key handover v1";

/// A key of a log, wherever its private half lives: in memory, in an HSM, behind a cloud service.
pub trait LogSigner: NoteSigner + Send + Sync {
    /// The key by which others verify.
    fn verifier(&self) -> VerifierKey;
}

impl LogSigner for note::Ed25519Signer {
    fn verifier(&self) -> VerifierKey {
        note::Ed25519Signer::verifier(self)
    }
}

/// What both keys sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The log's origin line.
    pub origin: String,
    /// The size of the last checkpoint before the handover.
    pub size: u64,
    /// The root of that checkpoint.
    pub root: Hash,
    /// The key that is replaced.
    pub old: VerifierKey,
    /// The key that replaces it.
    pub new: VerifierKey,
}

/// A handover with both signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrossSigned {
    /// What was signed.
    pub handover: Handover,
    /// The old key's signature over the text.
    pub old_signature: Vec<u8>,
    /// The new key's.
    pub new_signature: Vec<u8>,
}

impl Handover {
    /// The text to sign.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { origin, size, root, old, new } = self;
        let root = STANDARD.encode(root.0);
        alloc::format!("{TITLE}\norigin {origin}\nsize {size}\nroot {root}\nold {old}\nnew {new}\n")
    }

    /// Lets both keys sign. What they return is checked, since it may come from far away.
    ///
    /// # Errors
    /// A signer gives no signature or a wrong one.
    pub fn cross_sign(self, old: &dyn LogSigner, new: &dyn LogSigner) -> Result<CrossSigned, SignError> {
        let text = self.to_text();
        let (old_signature, new_signature) = (old.sign(text.as_bytes())?, new.sign(text.as_bytes())?);
        let signed = CrossSigned { handover: self, old_signature, new_signature };
        match signed.verify() {
            Ok(()) => Ok(signed),
            Err(error) => Err(SignError::Refused(error.to_string())),
        }
    }
}

impl CrossSigned {
    /// Verifies both signatures strictly (ed25519-dalek, `verify_strict`).
    ///
    /// # Errors
    /// [`KeyError::Signature`], of the old key first.
    pub fn verify(&self) -> Result<(), KeyError> {
        let Self { handover, old_signature, new_signature } = self;
        for (side, key, signature) in
            [(Side::Old, &handover.old, old_signature), (Side::New, &handover.new, new_signature)]
        {
            // One note per key: two keys may share name and id, and then neither signature could be told from the other.
            let note = sealed(&handover.to_text(), &[(key, signature)]);
            let opened = note.and_then(|note| note::open(&note, core::slice::from_ref(key)));
            opened.map_err(|_| KeyError::Signature(side))?;
        }
        Ok(())
    }

    /// The statement as a signed note with both signatures, for people and for tools that know notes.
    ///
    /// # Errors
    /// The origin cannot stand in a note, or a signature is empty.
    pub fn to_note(&self) -> Result<String, NoteError> {
        let Handover { old, new, .. } = &self.handover;
        sealed(&self.handover.to_text(), &[(old, &self.old_signature), (new, &self.new_signature)])
    }
}

/// A signature that was made before.
struct Made<'a> {
    key: &'a VerifierKey,
    signature: &'a [u8],
}

impl NoteSigner for Made<'_> {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn key_id(&self) -> u32 {
        self.key.key_id()
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.signature.to_vec())
    }
}

fn sealed(text: &str, signatures: &[(&VerifierKey, &Vec<u8>)]) -> Result<String, NoteError> {
    let made: Vec<Made<'_>> =
        signatures.iter().map(|(key, signature)| Made { key, signature: signature.as_slice() }).collect();
    let signers: Vec<&dyn NoteSigner> = made.iter().map(|made| made as &dyn NoteSigner).collect();
    note::sign(text, &signers)
}
