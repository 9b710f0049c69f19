//! A FIDO authenticator in software, written from OpenSSH's PROTOCOL.u2f and PROTOCOL.sshsig and from nothing of ours: what it signs
//! is what a token on a desk would sign, and `ssh-keygen -Y verify` is asked whether that is true.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256, Sha512};

/// Somebody touched it.
pub(crate) const TOUCHED: u8 = 0x01;

/// A key in the authenticator.
pub(crate) enum Token {
    Ed25519(ed25519_dalek::SigningKey),
    EcdsaP256(p256::ecdsa::SigningKey),
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A positive number in its shortest form.
fn mpint(digits: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = digits.iter().copied().skip_while(|digit| *digit == 0).collect();
    let sign = if digits.first().is_some_and(|first| first & 0x80 != 0) { [0].as_slice() } else { &[] };
    string(&[sign, &digits].concat())
}

impl Token {
    pub(crate) fn ed25519(seed: u8) -> Self {
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn ecdsa(seed: u8) -> Self {
        Self::EcdsaP256(p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    fn algorithm(&self) -> &'static [u8] {
        match self {
            Self::Ed25519(_) => b"sk-ssh-ed25519@openssh.com",
            Self::EcdsaP256(_) => b"sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The public key on the wire, kept for an application.
    pub(crate) fn blob(&self, application: &str) -> Vec<u8> {
        let key = match self {
            Self::Ed25519(key) => string(key.verifying_key().as_bytes()),
            Self::EcdsaP256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                [string(b"nistp256"), string(point.as_bytes())].concat()
            }
        };
        [string(self.algorithm()), key, string(application.as_bytes())].concat()
    }

    /// The line of a `.pub` file.
    pub(crate) fn line(&self) -> String {
        let name = std::str::from_utf8(self.algorithm()).unwrap();
        format!("{name} {}", STANDARD.encode(self.blob("ssh:")))
    }

    /// Signs a message for a purpose, with what the authenticator says of the moment.
    pub(crate) fn sign(&self, namespace: &str, message: &[u8], (flags, counter): (u8, u32)) -> Vec<u8> {
        let hash = Sha512::digest(message);
        let envelope = [
            b"SSHSIG".as_slice(),
            &string(namespace.as_bytes()),
            &string(b""),
            &string(b"sha512"),
            &string(&hash),
        ]
        .concat();
        let attested = [
            Sha256::digest(b"ssh:").as_slice(),
            &[flags],
            &counter.to_be_bytes(),
            &Sha256::digest(&envelope),
        ]
        .concat();
        let proof = match self {
            Self::Ed25519(key) => key.sign(&attested).to_bytes().to_vec(),
            Self::EcdsaP256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, &attested);
                let (r, s) = signature.split_bytes();
                [mpint(&r), mpint(&s)].concat()
            }
        };
        let signature =
            [string(self.algorithm()), string(&proof), vec![flags], counter.to_be_bytes().to_vec()];
        [
            b"SSHSIG".as_slice(),
            &1_u32.to_be_bytes(),
            &string(&self.blob("ssh:")),
            &string(namespace.as_bytes()),
            &string(b""),
            &string(b"sha512"),
            &string(&signature.concat()),
        ]
        .concat()
    }
}
