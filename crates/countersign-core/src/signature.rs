//! Signatures of people under what they decide, as the log keeps them, and how strong a signature the rules ask for.
//!
//! There is no cryptography here: what a signature is over and whether it holds is for `countersign_ledger`'s `sshsig` and `webauthn` to
//! say. The server asks them before a command comes here, and every verification asks them again. What the core sees to is whose key it is, that the key is in
//! force, and that it is strong enough.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::text::{FromStrVisitor, write_hex};

/// What a person signed, with which key, and the signature. All that is needed to verify it without the text that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// SHA-256 of the public key as it was enrolled: of an SSH key what OpenSSH shows, in base64, as its fingerprint.
    pub key_sha256: Digest,
    /// The signature itself.
    #[serde(flatten)]
    pub proof: Proof,
    /// SHA-512 of the bytes that were signed.
    pub statement_sha512: Sha512,
}

/// A signature by one of the two kinds of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// By an SSH key: an SSHSIG blob, base64 without line breaks.
    Sshsig(String),
    /// By a passkey.
    Webauthn(Assertion),
}

/// What a passkey signed, as the browser gave it: base64url without padding, but for the passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// What the authenticator said of the moment.
    pub authenticator_data: String,
    /// What the browser said of the page that asked.
    pub client_data_json: String,
    /// The passkey, as it was enrolled.
    pub passkey: String,
    /// The signature over both.
    pub signature: String,
}

/// How people must sign what they agree to. Of several rules the strongest demand holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signing {
    /// A vote needs no signature.
    #[default]
    NotRequired,
    /// By an enrolled voting key.
    Required,
    /// By an enrolled voting key that lives in hardware and asks for a touch (`sk-` keys of OpenSSH, passkeys that do not sync).
    Hardware,
}

impl Signing {
    /// The word in policies and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotRequired => "not-required",
            Self::Required => "required",
            Self::Hardware => "hardware",
        }
    }

    /// Whether a signature by a key of this algorithm, or none, is enough.
    #[must_use]
    pub fn is_met_by(self, algorithm: Option<Algorithm>) -> bool {
        match self {
            Self::NotRequired => true,
            Self::Required => algorithm.is_some(),
            Self::Hardware => algorithm.is_some_and(Algorithm::is_hardware),
        }
    }

    /// Whether nothing is demanded: rules that say so are written as if they said nothing.
    #[must_use]
    pub fn is_not_required(&self) -> bool {
        *self == Self::NotRequired
    }
}

impl fmt::Display for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind of a voting key, by the name SSH gives it; passkeys by names of the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519 in a file or an agent.
    #[serde(rename = "ssh-ed25519")]
    Ed25519,
    /// ECDSA on P-256 in a file or an agent.
    #[serde(rename = "ecdsa-sha2-nistp256")]
    EcdsaP256,
    /// Ed25519 in a FIDO authenticator.
    #[serde(rename = "sk-ssh-ed25519@openssh.com")]
    SkEd25519,
    /// ECDSA on P-256 in a FIDO authenticator.
    #[serde(rename = "sk-ecdsa-sha2-nistp256@openssh.com")]
    SkEcdsaP256,
    /// Ed25519 in a passkey that may be copied from device to device.
    #[serde(rename = "webauthn-ed25519")]
    PasskeyEd25519,
    /// ECDSA on P-256 in a passkey that may be copied from device to device.
    #[serde(rename = "webauthn-es256")]
    PasskeyEs256,
    /// Ed25519 in a passkey that stays in its authenticator.
    #[serde(rename = "webauthn-sk-ed25519")]
    BoundPasskeyEd25519,
    /// ECDSA on P-256 in a passkey that stays in its authenticator.
    #[serde(rename = "webauthn-sk-es256")]
    BoundPasskeyEs256,
}

/// A text names none of the algorithms of voting keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlgorithmError(String);

impl fmt::Display for AlgorithmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an algorithm of voting keys", self.0.escape_debug())
    }
}

impl core::error::Error for AlgorithmError {}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ed25519,
        Self::EcdsaP256,
        Self::SkEd25519,
        Self::SkEcdsaP256,
        Self::PasskeyEd25519,
        Self::PasskeyEs256,
        Self::BoundPasskeyEd25519,
        Self::BoundPasskeyEs256,
    ];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
            Self::PasskeyEd25519 => "webauthn-ed25519",
            Self::PasskeyEs256 => "webauthn-es256",
            Self::BoundPasskeyEd25519 => "webauthn-sk-ed25519",
            Self::BoundPasskeyEs256 => "webauthn-sk-es256",
        }
    }

    /// Whether the key stays in an authenticator, which signs only when somebody is present. A passkey that syncs is where its
    /// account is (ADR 18).
    #[must_use]
    pub fn is_hardware(self) -> bool {
        match self {
            Self::SkEd25519 | Self::SkEcdsaP256 | Self::BoundPasskeyEd25519 | Self::BoundPasskeyEs256 => true,
            Self::Ed25519 | Self::EcdsaP256 | Self::PasskeyEd25519 | Self::PasskeyEs256 => false,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = AlgorithmError;

    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text);
        known.ok_or_else(|| AlgorithmError(text.to_string()))
    }
}

/// A SHA-512 digest (FIPS 180-4), written as 128 lower-case hexadecimal digits. It is taken elsewhere; here it is only compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha512(pub [u8; 64]);

/// A text is not a SHA-512 digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sha512Error(String);

impl fmt::Display for Sha512Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not 128 lower-case hexadecimal digits", self.0.escape_debug())
    }
}

impl core::error::Error for Sha512Error {}

impl fmt::Display for Sha512 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.0)
    }
}

impl fmt::Debug for Sha512 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha512 {
    type Err = Sha512Error;

    fn from_str(text: &str) -> Result<Self, Sha512Error> {
        // Two digests of half the length: there is one reader of hexadecimal digits.
        let halves = text.split_at_checked(64).and_then(|(high, low)| {
            let [high, low] = [high.parse::<Digest>().ok()?, low.parse::<Digest>().ok()?];
            Some([high.0, low.0])
        });
        let halves = halves.ok_or_else(|| Sha512Error(text.to_string()))?;
        let mut bytes = [0; 64];
        bytes.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
        Ok(Self(bytes))
    }
}

impl Serialize for Sha512 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha512 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_reads_as_it_is_written() {
        let bytes = core::array::from_fn(|position| u8::try_from(position * 3).unwrap());
        let assertion = Assertion {
            authenticator_data: "AA".into(),
            client_data_json: "e30".into(),
            passkey: "{}".into(),
            signature: "AQ".into(),
        };
        let proofs = [Proof::Sshsig("U1NIU0lH".into()), Proof::Webauthn(assertion)];
        for (proof, said) in
            proofs.into_iter().zip(["\"sshsig\":\"U1NI", "\"webauthn\":{\"authenticator_data\":"])
        {
            let signature =
                Signature { key_sha256: Digest::of(b"key"), proof, statement_sha512: Sha512(bytes) };
            let text = serde_json::to_string(&signature).unwrap();
            assert!(text.contains("\"statement_sha512\":\"000306090c") && text.contains(said), "{text}");
            assert_eq!(serde_json::from_str::<Signature>(&text).unwrap(), signature);
        }
        for odd in ["", &"0".repeat(127), &"0".repeat(129), &"A".repeat(128), &"é".repeat(64)] {
            assert!(odd.parse::<Sha512>().is_err(), "{odd}");
        }
    }

    #[test]
    fn the_strongest_demand_is_the_greatest_and_names_read_back() {
        assert!(Signing::NotRequired < Signing::Required && Signing::Required < Signing::Hardware);
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.as_str());
            assert!(Signing::Required.is_met_by(Some(algorithm)));
            assert_eq!(Signing::Hardware.is_met_by(Some(algorithm)), algorithm.as_str().contains("sk-"));
        }
        assert!(Signing::NotRequired.is_met_by(None) && !Signing::Required.is_met_by(None));
        assert!("ssh-rsa".parse::<Algorithm>().is_err());
    }
}
