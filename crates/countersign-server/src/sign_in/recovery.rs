//! Recovery codes: for whoever has the password and lost the authenticator. Each works once.
//!
//! A code is 100 random bits, so its SHA-256 can stand in the ledger: nobody finds a code from it.

use std::fmt;

use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use zeroize::Zeroizing;

use super::{SignInError, drawn};

/// Codes in one set.
pub const CODES: usize = 10;

/// Characters of a code: 5 bits each.
const CHARACTERS: usize = 20;

/// Crockford's base 32 without letters that are taken for others: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Tells these digests from any other.
const PURPOSE: &str = "countersign-recovery-code-v1";

/// One recovery code. Wiped from memory when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<String>);

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl RecoveryCode {
    /// A fresh set.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn draw_set() -> Result<[Self; CODES], SignInError> {
        let mut set = [const { None }; CODES];
        for code in &mut set {
            *code = Some(Self::draw()?);
        }
        Ok(set.map(|code| code.unwrap_or_else(|| Self(Zeroizing::default()))))
    }

    fn draw() -> Result<Self, SignInError> {
        // 256 is a multiple of 32, so each character is as likely as any other.
        let bytes = drawn::<CHARACTERS>()?;
        let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
        Ok(Self(Zeroizing::new(bytes.iter().map(letter).collect())))
    }

    /// Reads what was typed: case, spaces and dashes do not matter, and letters that look like digits are those digits.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let kept = typed.chars().filter(|c| !matches!(c, ' ' | '-'));
        let read = |c: char| match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        };
        let text: Zeroizing<String> = Zeroizing::new(kept.map(read).take(CHARACTERS + 1).collect());
        let is_code = text.len() == CHARACTERS && text.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then_some(Self(text))
    }

    /// For whoever writes it down: groups of five.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let groups: Vec<&str> =
            self.0.as_bytes().chunks(5).map(|group| str::from_utf8(group).unwrap_or_default()).collect();
        Zeroizing::new(groups.join("-"))
    }

    /// What the ledger learns: bound to the person, so that one code is not two people's.
    #[must_use]
    pub fn sha256(&self, person: PersonId) -> Digest {
        let text = Zeroizing::new(format!("{PURPOSE}\n{person}\n{}", *self.0));
        Digest::of(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written_down_and_as_people_type() {
        let code = RecoveryCode::parse("0123456789ABCDEFGHJK").unwrap();
        assert_eq!(*code.text(), "01234-56789-ABCDE-FGHJK");
        for typed in [
            "01234-56789-ABCDE-FGHJK",
            "01234 56789 abcde fghjk",
            "o1234-56789-abcde-fghjk",
            "0I234-56789-ABCDE-FGHJK",
            "0l23456789abcdefghjk",
        ] {
            assert_eq!(RecoveryCode::parse(typed), Some(code.clone()), "{typed}");
        }
        for typed in [
            "",
            "0123456789ABCDEFGHJ",
            "0123456789ABCDEFGHJKM",
            "0123456789ABCDEFGHJU",
            "0123456789ABCDEFGHJ\u{212a}",
        ] {
            assert_eq!(RecoveryCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn each_code_of_each_set_is_another_and_digests_are_the_persons() {
        let sets = [RecoveryCode::draw_set().unwrap(), RecoveryCode::draw_set().unwrap()];
        let texts: BTreeSet<_> = sets.iter().flatten().map(|code| code.text().to_string()).collect();
        assert_eq!(texts.len(), 2 * CODES);
        let code = sets[0][0].clone();
        assert_eq!(RecoveryCode::parse(&code.text()), Some(code.clone()));
        assert_ne!(code.sha256(PersonId(1)), code.sha256(PersonId(2)));
        assert_eq!(format!("{code:?}"), "***");
    }
}
