//! A person's Ed25519 key, held in the test: signs as `ssh-keygen -Y sign` would, written from OpenSSH's PROTOCOL.sshsig.

use countersign_ledger::sshsig::{PublicKey, SshSignature};
use countersign_ledger::statement::sha512;
use ed25519_dalek::{Signer as _, SigningKey};

/// A private key.
pub(super) struct SshKey(SigningKey);

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat()
}

impl SshKey {
    pub(super) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    fn blob(&self) -> Vec<u8> {
        [string(b"ssh-ed25519"), string(self.0.verifying_key().as_bytes())].concat()
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey::from_blob(&self.blob()).expect("a public key")
    }

    /// The armored signature of a message for a purpose.
    pub(super) fn sign(&self, namespace: &str, message: &[u8]) -> String {
        let envelope = [string(namespace.as_bytes()), string(b""), string(b"sha512")].concat();
        let signed = [b"SSHSIG".as_slice(), &envelope, &string(&sha512(message))].concat();
        let signature = self.0.sign(&signed).to_bytes();
        let signature = [string(b"ssh-ed25519"), string(&signature)].concat();
        let version = 1_u32.to_be_bytes();
        let blob =
            [b"SSHSIG".as_slice(), &version, &string(&self.blob()), &envelope, &string(&signature)].concat();
        SshSignature::from_blob(&blob).expect("a signature").to_armor()
    }
}
