//! What is kept, sealed, to check a password and its codes against. The ledger has its SHA-256: the seed in it is random, so nobody finds a
//! password from that digest, and whoever swaps the sealed row is noticed.

use countersign_core::digest::Digest;
use serde::{Deserialize, Serialize};

use super::SignInError;
use super::password::{Hashed, Password};
use super::totp::Seed;
use crate::secrets::SecretValue;

/// A password's hash and the seed of its codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verifier {
    password: Hashed,
    totp: Seed,
}

impl Verifier {
    /// Of a chosen password and a seed that the person's app has. As slow as hashing.
    ///
    /// # Errors
    /// It cannot be hashed now.
    pub fn new(password: &Password, totp: Seed) -> Result<Self, SignInError> {
        Ok(Self { password: password.hash()?, totp })
    }

    /// One that nobody can meet: whoever is not known, or has no password, is checked against it.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn of_nobody() -> Result<Self, SignInError> {
        Ok(Self { password: Hashed::of_nobody()?, totp: Seed::draw()? })
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

    /// The step whose code this is: see [`Seed::step_of`].
    #[must_use]
    pub fn step_of(&self, code: &str, now_seconds: u64, last_used: Option<u64>) -> Option<u64> {
        self.totp.step_of(code, now_seconds, last_used)
    }

    /// Of this password and this code, whichever the person has: both are always looked at, so that the time it takes does not tell which
    /// of them was wrong.
    ///
    /// # Errors
    /// It cannot be hashed now.
    pub fn admits(
        &self,
        (password, code): (&Password, &str),
        now_seconds: u64,
        last_used: Option<u64>,
    ) -> Result<Option<u64>, SignInError> {
        let knows = self.knows(password)?;
        let step = self.step_of(code, now_seconds, last_used);
        Ok(step.filter(|_| knows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_needed_and_what_is_kept_is_read_back() {
        let password = || Password::typed("correct horse battery".into());
        let totp = Seed::draw().unwrap();
        let code = totp.code(1);
        let verifier = Verifier::new(&password(), totp).unwrap();
        let kept = verifier.value().unwrap();
        let read = Verifier::read(&kept).unwrap();
        assert_eq!(read, verifier);
        let step = read.admits((&password(), &code), 45, None).unwrap();
        assert_eq!(step, Some(1));
        assert_eq!(read.admits((&Password::typed("another".into()), &code), 45, None).unwrap(), None);
        assert_eq!(read.admits((&password(), "      "), 45, None).unwrap(), None);
        assert_eq!(read.admits((&password(), &code), 45, step).unwrap(), None, "a code works once");
        assert_eq!(Verifier::of_nobody().unwrap().admits((&password(), &code), 45, None).unwrap(), None);
        assert_eq!(Verifier::read(&SecretValue::new("{}".into())), Err(SignInError::Unreadable));
        assert_eq!(format!("{verifier:?}"), "Verifier { password: ***, totp: *** }");
    }
}
