//! The signature itself: its blob, its armor, and whether it holds.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use p256::ecdsa::signature::Verifier as _;
use sha2::{Digest as _, Sha256, Sha512};

use super::wire::{MAX_BLOB, Reader, push_string};
use super::{KeyAlgorithm, PublicKey, SshError};
use crate::line::{base64, to_base64};
use crate::point::Point;

const MAGIC: &[u8; 6] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "\n-----END SSH SIGNATURE-----";

/// How wide OpenSSH writes armor.
const LINE: usize = 70;

/// The authenticator's flag that says that somebody was there (WebAuthn, 6.1).
const USER_PRESENT: u8 = 0x01;

/// The authenticator's flag that says that it knew who was there, by a PIN or a finger.
const USER_VERIFIED: u8 = 0x04;

/// What the message was hashed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512, what `ssh-keygen` uses unless told otherwise.
    Sha512,
}

/// The hash of a message, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageHash {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-512.
    Sha512([u8; 64]),
}

impl HashAlgorithm {
    fn named(name: &str) -> Result<Self, SshError> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            other => Err(SshError::UnsupportedHash(other.to_string())),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The hash of a message.
    #[must_use]
    pub fn hash(self, message: &[u8]) -> MessageHash {
        match self {
            Self::Sha256 => MessageHash::Sha256(Sha256::digest(message).into()),
            Self::Sha512 => MessageHash::Sha512(Sha512::digest(message).into()),
        }
    }
}

impl MessageHash {
    fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha256(_) => HashAlgorithm::Sha256,
            Self::Sha512(_) => HashAlgorithm::Sha512,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }
}

/// What an authenticator says of the moment in which it signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    flags: u8,
    counter: u32,
}

impl Presence {
    /// Whether somebody was there.
    #[must_use]
    pub fn is_present(self) -> bool {
        self.flags & USER_PRESENT != 0
    }

    /// Whether it knew who was there, by a PIN or a finger.
    #[must_use]
    pub fn is_verified(self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    /// How many signatures it counts so far. Authenticators count for all their keys together, some not at all.
    #[must_use]
    pub fn counter(self) -> u32 {
        self.counter
    }
}

/// A signature, read and not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    key: PublicKey,
    namespace: String,
    hash: HashAlgorithm,
    proof: Proof,
    presence: Option<Presence>,
    blob: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Proof {
    Ed25519(ed25519_dalek::Signature),
    P256(p256::ecdsa::Signature),
}

impl SshSignature {
    /// Reads the text between `-----BEGIN SSH SIGNATURE-----` and its end, as `ssh-keygen` writes it.
    ///
    /// # Errors
    /// The text has another form, or the blob inside it is refused by [`SshSignature::from_blob`].
    pub fn from_armor(text: &str) -> Result<Self, SshError> {
        if text.len() > 2 * MAX_BLOB {
            return Err(SshError::TooLarge);
        }
        let text = text.strip_suffix('\n').unwrap_or(text);
        let inside = text.strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END));
        let inside = inside.ok_or(SshError::Malformed("the armor"))?;
        let joined: String = inside.split('\n').collect();
        Self::from_base64(&joined)
    }

    /// Reads the blob in base64 without line breaks.
    ///
    /// # Errors
    /// It is not base64 with its padding, or the blob is refused by [`SshSignature::from_blob`].
    pub fn from_base64(encoded: &str) -> Result<Self, SshError> {
        if encoded.len() > 2 * MAX_BLOB {
            return Err(SshError::TooLarge);
        }
        Self::from_blob(&base64(encoded).ok_or(SshError::Malformed("the base64 of the signature"))?)
    }

    /// Reads the blob.
    ///
    /// # Errors
    /// It has another form, version or algorithm, holds something in its reserved field, or goes on after its end.
    pub fn from_blob(blob: &[u8]) -> Result<Self, SshError> {
        let mut reader = Reader::new(blob)?;
        if reader.take(MAGIC.len(), "the magic of a signature")? != MAGIC {
            return Err(SshError::Malformed("the magic of a signature"));
        }
        match reader.uint32("the version")? {
            1 => {}
            other => return Err(SshError::Version(other)),
        }
        let key = PublicKey::from_blob(reader.string("the key")?)?;
        let namespace = reader.text("the namespace")?;
        if namespace.is_empty() {
            return Err(SshError::Malformed("the namespace"));
        }
        if !reader.string("the reserved field")?.is_empty() {
            return Err(SshError::Reserved);
        }
        let hash = HashAlgorithm::named(reader.text("the hash")?)?;
        let (proof, presence) = proof(&key, reader.string("the signature")?)?;
        reader.end()?;
        Ok(Self { key, namespace: namespace.to_string(), hash, proof, presence, blob: blob.to_vec() })
    }

    /// The key that claims to have signed.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What the signature is for.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What the message was hashed with.
    #[must_use]
    pub fn hash_algorithm(&self) -> HashAlgorithm {
        self.hash
    }

    /// What the authenticator says of the moment; none for keys in files and agents.
    #[must_use]
    pub fn presence(&self) -> Option<Presence> {
        self.presence
    }

    /// The blob.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The blob in base64 without line breaks.
    #[must_use]
    pub fn to_base64(&self) -> String {
        to_base64(&self.blob)
    }

    /// The text that `ssh-keygen` writes and reads.
    #[must_use]
    pub fn to_armor(&self) -> String {
        let encoded = self.to_base64();
        let mut text = String::from(BEGIN);
        let mut rest = encoded.as_str();
        while let Some((line, after)) = rest.split_at_checked(LINE) {
            text.push_str(line);
            if !after.is_empty() {
                text.push('\n');
            }
            rest = after;
        }
        text.push_str(rest);
        text.push_str(END);
        text.push('\n');
        text
    }

    /// Whether the key signed this message for this purpose.
    ///
    /// # Errors
    /// It is for another purpose, nobody was present at the authenticator, or it does not hold.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<(), SshError> {
        self.verify_hash(namespace, &self.hash.hash(message))
    }

    /// Whether the key signed a message of this hash for this purpose.
    ///
    /// # Errors
    /// It is for another purpose or over another kind of hash, nobody was present at the authenticator, or it does not hold.
    pub fn verify_hash(&self, namespace: &str, hash: &MessageHash) -> Result<(), SshError> {
        if self.namespace != namespace {
            return Err(SshError::Namespace(self.namespace.clone()));
        }
        if hash.algorithm() != self.hash {
            return Err(SshError::OtherHash);
        }
        let mut signed = MAGIC.to_vec();
        push_string(&mut signed, namespace.as_bytes());
        push_string(&mut signed, &[]);
        push_string(&mut signed, self.hash.as_str().as_bytes());
        push_string(&mut signed, hash.bytes());
        if let Some(presence) = self.presence {
            if !presence.is_present() {
                return Err(SshError::NobodyPresent);
            }
            signed = attested(&self.key.application, presence, &signed);
        }
        let holds = match (&self.key.point, &self.proof) {
            (Point::Ed25519(key), Proof::Ed25519(proof)) => key.verify_strict(&signed, proof).is_ok(),
            (Point::P256(key), Proof::P256(proof)) => key.verify(&signed, proof).is_ok(),
            _ => return Err(SshError::OtherAlgorithm),
        };
        if holds { Ok(()) } else { Err(SshError::Invalid) }
    }
}

/// What an authenticator signs in place of the message (PROTOCOL.u2f): hash of the application, flags, counter, hash of the message.
fn attested(application: &str, presence: Presence, message: &[u8]) -> Vec<u8> {
    let mut signed = Sha256::digest(application.as_bytes()).to_vec();
    signed.push(presence.flags);
    signed.extend_from_slice(&presence.counter.to_be_bytes());
    signed.extend_from_slice(&Sha256::digest(message));
    signed
}

/// The innermost part: by which algorithm, and the numbers.
fn proof(key: &PublicKey, bytes: &[u8]) -> Result<(Proof, Option<Presence>), SshError> {
    let mut reader = Reader::new(bytes)?;
    if reader.text("the algorithm of the signature")? != key.algorithm.as_str() {
        return Err(SshError::OtherAlgorithm);
    }
    let proof = match key.algorithm {
        KeyAlgorithm::Ed25519 | KeyAlgorithm::SkEd25519 => {
            Proof::Ed25519(ed25519_dalek::Signature::from_bytes(&reader.array("the Ed25519 signature")?))
        }
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::SkEcdsaP256 => {
            let mut numbers = Reader::new(reader.string("the ECDSA signature")?)?;
            let (r, s) = (numbers.scalar("the number r")?, numbers.scalar("the number s")?);
            numbers.end()?;
            let numbers = p256::ecdsa::Signature::from_scalars(r, s);
            Proof::P256(numbers.map_err(|_| SshError::Malformed("the numbers of the ECDSA signature"))?)
        }
    };
    let presence = if key.algorithm.is_hardware() {
        Some(Presence { flags: reader.byte("the flags")?, counter: reader.uint32("the counter")? })
    } else {
        None
    };
    reader.end()?;
    Ok((proof, presence))
}
