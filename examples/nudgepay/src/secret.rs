//! The text of a secret, which never shows itself.
//!
//! It has no `Display`, its `Debug` is redacted, and it is compared in constant time. It does not wipe its
//! memory: these programs hold their keys for as long as they run.

use std::fmt;

use serde::Deserialize;
use subtle::ConstantTimeEq;

/// Secret text: 16 to 256 visible ASCII characters.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretText(String);

/// The text offered as a secret is too short, too long, or holds something else than visible ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is 16 to 256 visible ASCII characters")]
pub struct InvalidSecret;

impl SecretText {
    /// Accepts 16 to 256 visible ASCII characters.
    ///
    /// # Errors
    ///
    /// [`InvalidSecret`] for anything else; the text is not repeated in it.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidSecret> {
        let text = text.into();
        let well_formed =
            (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if well_formed { Ok(Self(text)) } else { Err(InvalidSecret) }
    }

    /// The text itself, for signing, verifying and storing only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SecretText {
    type Error = InvalidSecret;

    fn try_from(text: String) -> Result<Self, InvalidSecret> {
        Self::new(text)
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        let secret = SecretText::new("whsec_visible_only_to_reveal").unwrap();
        assert!(!format!("{secret:?}").contains("visible"));
        assert_eq!(secret.reveal(), "whsec_visible_only_to_reveal");
    }

    #[test]
    fn short_long_and_invisible_texts_are_rejected() {
        for text in ["", "fifteen_letters", "sixteen letters_", "sixteen_letters\u{e9}", &"x".repeat(257)] {
            assert_eq!(SecretText::new(text), Err(InvalidSecret), "{text:?}");
        }
        assert!(SecretText::new("sixteen_letters_").is_ok());
    }
}
