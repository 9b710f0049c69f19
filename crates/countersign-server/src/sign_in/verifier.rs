//! What is kept, sealed, to check a password and its codes against. The ledger has its SHA-256: the seed in it is random, so nobody finds a
//! password from that digest, and whoever swaps the sealed row is noticed.
//!
//! A password is set by showing a code, too. That code is remembered here, so that it is not also the first to sign in: each is used once.

use countersign_core::digest::Digest;
use serde::{Deserialize, Serialize};

use super::SignInError;
use super::password::{Hashed, Password};
use super::totp::{STEP_SECONDS, Seed};
use crate::secrets::SecretValue;

/// A password's hash and the seed of its codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verifier {
    /// The step of the code by which it was shown that an app has the seed.
    confirmed_step: u64,
    password: Hashed,
    totp: Seed,
}

impl Verifier {
    /// Of a chosen password and a seed that the person's app has, as the code of this step showed. As slow as hashing.
    ///
    /// # Errors
    /// It cannot be hashed now.
    pub fn new(password: &Password, (totp, confirmed_step): (Seed, u64)) -> Result<Self, SignInError> {
        Ok(Self { confirmed_step, password: password.hash()?, totp })
    }

    /// One that nobody can meet: whoever is not known, or has no password, is checked against it.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn of_nobody() -> Result<Self, SignInError> {
        Ok(Self { confirmed_step: 0, password: Hashed::of_nobody()?, totp: Seed::draw()? })
    }

    /// Reads what [`Self::value`] wrote.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(kept: &SecretValue) -> Result<Self, SignInError> {
        serde_json::from_str(kept.expose()).map_err(|_| SignInError::Unreadable)
    }

    /// What is sealed.
    ///
    /// # Errors
    /// Never, as far as is known.
    pub fn value(&self) -> Result<SecretValue, SignInError> {
        serde_json::to_string(self).map(SecretValue::new).map_err(|_| SignInError::Unreadable)
    }

    /// What the ledger learns of it.
    #[must_use]
    pub fn sha256(kept: &SecretValue) -> Digest {
        Digest::of(kept.expose().as_bytes())
    }

    /// Whether the password is right. As slow as hashing.
    ///
    /// # Errors
    /// It cannot be hashed now.
    pub fn knows(&self, password: &Password) -> Result<bool, SignInError> {
        password.is(&self.password)
    }

    /// When it was made, seconds since 1970, to the accuracy of a code.
    #[must_use]
    pub fn made_at_seconds(&self) -> u64 {
        self.confirmed_step.saturating_mul(STEP_SECONDS)
    }

    /// The step whose code this is, if it is later than the one that was shown first: see [`Seed::step_of`].
    #[must_use]
    pub fn step_of(&self, code: &str, now_seconds: u64, last_used: Option<u64>) -> Option<u64> {
        let last_used = last_used.unwrap_or_default().max(self.confirmed_step);
        self.totp.step_of(code, now_seconds, Some(last_used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_a_code_works_once() {
        let password = || Password::typed("correct horse battery");
        let totp = Seed::draw().unwrap();
        let code = |step| totp.code(step);
        let verifier = Verifier::new(&password(), (totp.clone(), 1)).unwrap();
        let read = Verifier::read(&verifier.value().unwrap()).unwrap();
        assert_eq!(read, verifier);
        assert!(read.knows(&password()).unwrap() && !read.knows(&Password::typed("another")).unwrap());
        assert_eq!(read.made_at_seconds(), 30);
        assert_eq!(read.step_of(&code(1), 45, None), None, "it was shown when the password was set");
        assert_eq!(read.step_of(&code(2), 45, None), Some(2));
        assert_eq!(read.step_of(&code(2), 45, Some(2)), None);
        assert_eq!(read.step_of(&code(3), 75, Some(2)), Some(3));
        assert_eq!(Verifier::of_nobody().unwrap().step_of(&code(2), 45, None), None);
        assert_eq!(Verifier::read(&SecretValue::new("{}".into())), Err(SignInError::Unreadable));
        assert_eq!(format!("{verifier:?}"), "Verifier { confirmed_step: 1, password: ***, totp: *** }");
    }
}
