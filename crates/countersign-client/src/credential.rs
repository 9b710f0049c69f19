//! A credential: 256 bits that its holder draws and keeps; the server only ever learns their SHA-256 (ADR 0002). A claim: the same, drawn
//! for somebody else, who replaces it by a credential.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_ledger::hash::sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::ClientError;

/// What stands before the random part, for people and for secret scanners.
const PREFIX: &str = "cst_";

/// The same for claims.
const CLAIM_PREFIX: &str = "csc_";

/// The same for service tokens. A scanner finds one by `cstk_[A-Za-z0-9_-]{43}[0-9a-f]{8}`.
const TOKEN_PREFIX: &str = "cstk_";

/// The same for sessions.
const SESSION_PREFIX: &str = "css_";

/// Characters of the checksum behind a token: the first four bytes of the SHA-256 of what stands before, hexadecimal. It tells a scanner
/// what is no token, and whoever typed one that they mistyped it.
const CHECKSUM: usize = 8;

/// Random bytes in a credential and in a claim.
const BYTES: usize = 32;

/// A credential in clear. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct Credential(Zeroizing<String>);

impl Credential {
    /// Draws a fresh one.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn draw() -> Result<Self, ClientError> {
        drawn(PREFIX).map(Self)
    }

    /// Draws a fresh one for a service token.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn draw_token() -> Result<Self, ClientError> {
        let text = drawn(TOKEN_PREFIX)?;
        Ok(Self(Zeroizing::new(format!("{}{}", *text, checksum(&text)))))
    }

    /// Draws a fresh one for a session.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn draw_session() -> Result<Self, ClientError> {
        drawn(SESSION_PREFIX).map(Self)
    }

    /// Whether it is a session's: it ends by itself.
    #[must_use]
    pub fn is_session(&self) -> bool {
        self.0.starts_with(SESSION_PREFIX)
    }

    fn parse_token(text: &str) -> Result<Self, ClientError> {
        let whole = text.len() == TOKEN_PREFIX.len() + 43 + CHECKSUM && text.starts_with(TOKEN_PREFIX);
        let parts = text.split_at_checked(text.len().saturating_sub(CHECKSUM));
        if whole && parts.is_some_and(|(before, sum)| checksum(before) == sum) {
            return Ok(Self(Zeroizing::new(text.to_owned())));
        }
        let what = format!(
            "a service token is `{TOKEN_PREFIX}`, 43 characters of base64url and a checksum; this is not one"
        );
        Err(ClientError::Unusable(what))
    }

    /// Reads one that was drawn before, a person's, a session's or a service token. The text is not repeated in the error: it may be another secret, pasted
    /// by mistake.
    ///
    /// # Errors
    /// It is not `cst_` or `css_` and 43 characters of base64url, nor `cstk_`, as many and their checksum.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        if text.starts_with(TOKEN_PREFIX) {
            return Self::parse_token(text);
        }
        let rest = text.strip_prefix(PREFIX).or_else(|| text.strip_prefix(SESSION_PREFIX));
        let bytes = rest.map(|rest| URL_SAFE_NO_PAD.decode(rest).map(Zeroizing::new));
        match bytes {
            Some(Ok(bytes)) if bytes.len() == BYTES => Ok(Self(Zeroizing::new(text.to_owned()))),
            _ => {
                let what =
                    format!("a credential is `{PREFIX}` and 43 characters of base64url; this is not one");
                Err(ClientError::Unusable(what))
            }
        }
    }

    /// The credential in clear: for the header and for the file of its holder, never for a message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the server learns: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.0.as_bytes()).to_string()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A one-time claim, drawn by whoever invites somebody. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct Claim(Zeroizing<String>);

impl Claim {
    /// Draws a fresh one.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn draw() -> Result<Self, ClientError> {
        drawn(CLAIM_PREFIX).map(Self)
    }

    /// The claim in clear: for whoever is invited and nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the server learns: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.0.as_bytes()).to_string()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn checksum(text: &str) -> String {
    sha256(text.as_bytes()).to_string().chars().take(CHECKSUM).collect()
}

/// 256 fresh bits behind a prefix.
fn drawn(prefix: &str) -> Result<Zeroizing<String>, ClientError> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| ClientError::Unusable(format!("no randomness: {error}")))?;
    let mut text = URL_SAFE_NO_PAD.encode(bytes.as_slice());
    let whole = Zeroizing::new(format!("{prefix}{text}"));
    text.zeroize();
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_can_be_read_back_and_is_never_shown() {
        let drawn = Credential::draw().unwrap();
        assert_eq!(drawn.expose().len(), PREFIX.len() + 43);
        assert_eq!(Credential::parse(drawn.expose()).unwrap().expose(), drawn.expose());
        assert_ne!(Credential::draw().unwrap().expose(), drawn.expose());
        assert_eq!(format!("{drawn:?}"), "***");
        let claim = Claim::draw().unwrap();
        assert!(claim.expose().starts_with("csc_") && claim.expose().len() == drawn.expose().len());
        assert_eq!(format!("{claim:?}"), "***");
    }

    #[test]
    fn a_token_that_was_mistyped_is_none() {
        let drawn = Credential::draw_token().unwrap();
        assert_eq!(Credential::parse(drawn.expose()).unwrap().expose(), drawn.expose());
        let longer = format!("{}0", drawn.expose());
        let shorter = &drawn.expose()[..drawn.expose().len() - 1];
        let other = drawn.expose().replacen("cstk_", "cstl_", 1);
        let (before, _) = drawn.expose().split_at(drawn.expose().len() - CHECKSUM);
        let unsummed = format!("{before}xxxxxxxx");
        for text in ["", "cstk_", "cst_hunter2", shorter, &longer, &other, &unsummed, "ü"] {
            let complaint = Credential::parse(text).unwrap_err().to_string();
            assert!(!complaint.contains("hunter2"), "{complaint}");
        }
    }

    #[test]
    fn other_text_is_rejected_without_being_repeated() {
        let drawn = Credential::draw().unwrap();
        let shorter = &drawn.expose()[..drawn.expose().len() - 1];
        for text in ["", "cst_", "csc_hunter2", "hunter2", shorter] {
            let complaint = Credential::parse(text).unwrap_err().to_string();
            assert!(!complaint.contains("hunter2"), "{complaint}");
        }
    }
}
