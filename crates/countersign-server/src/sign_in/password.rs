//! Passwords: what one must be, and Argon2id (RFC 9106).
//!
//! A password never signs anybody in alone, so NIST SP 800-63B-4 (section 3.1.1.2) asks for 8 characters; 12 are asked for here.
//! Nothing is asked of which characters they are. Keyboards write the same letter in several ways, so what is hashed is Unicode's form NFC;
//! nothing is trimmed or cut off.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::{SignInError, drawn};

/// Fewest characters.
pub const FEWEST: usize = 12;

/// Most bytes: enough for a long sentence in any script, and no work for whoever sends megabytes.
pub const MOST_BYTES: usize = 1_024;

/// Fewest different characters: `aaaaaaaaaaaa` is long and is guessed first.
const FEWEST_DIFFERENT: usize = 5;

/// Memory, KiB: 64 MiB, the second recommended choice of RFC 9106, section 4.
const MEMORY_KIB: u32 = 64 * 1_024;

/// Passes over it, of the same choice.
const PASSES: u32 = 3;

/// Lanes, of the same choice.
const LANES: u32 = 4;

const SALT: usize = 16;
const HASH: usize = 32;

/// Why a text cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// It is short.
    #[error("a password has at least {FEWEST} characters")]
    TooShort,
    /// It is very long.
    #[error("a password has at most {MOST_BYTES} bytes")]
    TooLong,
    /// It says the same thing over and over.
    #[error("a password has at least {FEWEST_DIFFERENT} different characters")]
    Repeats,
    /// Each character follows from the one before: `abcdefghijkl`, `987654321098`.
    #[error("a password is not a row of the alphabet or of the keyboard's digits")]
    Row,
    /// It is in it how the person or the product is called.
    #[error("a password does not contain the name of whoever has it, nor this product's")]
    Name,
}

/// A password that was typed. Wiped from memory when dropped, never printed.
pub struct Password(Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Password {
    /// One to be checked. Whether it would be allowed does not matter: what was set once may be typed.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(Zeroizing::new(text.nfc().collect()))
    }

    /// One to be set, by somebody who is called so.
    ///
    /// # Errors
    /// It would be guessed.
    pub fn chosen(text: &str, name: &str) -> Result<Self, Weak> {
        let password = Self::typed(text);
        let text = password.0.as_str();
        if text.len() > MOST_BYTES {
            return Err(Weak::TooLong);
        }
        let characters: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
        if characters.len() < FEWEST {
            return Err(Weak::TooShort);
        }
        let mut different = characters.clone();
        different.sort_unstable();
        different.dedup();
        if different.len() < FEWEST_DIFFERENT {
            return Err(Weak::Repeats);
        }
        if is_row(&characters) {
            return Err(Weak::Row);
        }
        let lower = Zeroizing::new(text.to_lowercase());
        let mut names = name.split_whitespace().map(str::to_lowercase).chain(["countersign".to_owned()]);
        // Short names occur in many words.
        if names.any(|name| name.chars().count() >= 4 && lower.contains(&name)) {
            return Err(Weak::Name);
        }
        Ok(password)
    }

    /// Hashes it under a fresh salt. Takes a tenth of a second and 64 MiB: never on an asynchronous thread.
    ///
    /// # Errors
    /// There is no randomness or not enough memory.
    pub fn hash(&self) -> Result<Hashed, SignInError> {
        let salt = *drawn::<SALT>()?;
        self.hash_under(&Hashed {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt,
            hash: [0; HASH],
        })
    }

    /// Whether it is the one that was hashed: in a time that does not depend on where it differs. As slow as hashing.
    ///
    /// # Errors
    /// There is not enough memory, or what is kept has parameters that Argon2 does not know.
    pub fn is(&self, kept: &Hashed) -> Result<bool, SignInError> {
        // Whatever longer text is sent was never set; it is refused after the same work.
        let fits = self.0.len() <= MOST_BYTES;
        let hashed = self.hash_under(kept)?;
        Ok(fits && bool::from(hashed.hash.ct_eq(&kept.hash)))
    }

    fn hash_under(&self, terms: &Hashed) -> Result<Hashed, SignInError> {
        let failed = |error: argon2::Error| SignInError::Hashing(error.to_string());
        let params = Params::new(terms.memory_kib, terms.passes, terms.lanes, Some(HASH)).map_err(failed)?;
        let typed = self.0.as_bytes();
        let typed = typed.get(..MOST_BYTES).unwrap_or(typed);
        let mut hash = [0; HASH];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(typed, &terms.salt, &mut hash).map_err(failed)?;
        Ok(Hashed { hash, ..terms.clone() })
    }
}

/// Whether every character is the next one of the one before, or the one before it, digits going round.
fn is_row(characters: &[char]) -> bool {
    let step = |step: u32| {
        characters.windows(2).all(|pair| {
            let [one, other] = [pair[0].to_ascii_lowercase(), pair[1].to_ascii_lowercase()].map(u32::from);
            let round = |from: u32, to: u32| from == u32::from('9') && to == u32::from('0');
            match step {
                0 => other == one + 1 || round(one, other),
                _ => one == other + 1 || round(other, one),
            }
        })
    };
    step(0) || step(1)
}

/// What is kept of a password: its Argon2id hash with what it was made under, so that later versions can ask for more.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashed {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT],
    hash: [u8; HASH],
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Hashed {
    /// One that no password has: whoever is not known is checked against it, so that it takes them as long as anybody.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn of_nobody() -> Result<Self, SignInError> {
        let (salt, hash) = (*drawn::<SALT>()?, *drawn::<HASH>()?);
        Ok(Self { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weak(text: &str) -> Option<Weak> {
        Password::chosen(text, "Ana María Li").err()
    }

    #[test]
    fn what_would_be_guessed_first_is_refused() {
        assert_eq!(weak("correct hor"), Some(Weak::TooShort));
        assert_eq!(weak(&"x7€q".repeat(300)), Some(Weak::TooLong));
        assert_eq!(weak("abababababab"), Some(Weak::Repeats));
        assert_eq!(weak("abcdefghijklm"), Some(Weak::Row));
        assert_eq!(weak("ABCDEFGHIJKLM"), Some(Weak::Row));
        assert_eq!(weak("098765432109"), Some(Weak::Row));
        assert_eq!(weak("hello maría 99"), Some(Weak::Name));
        assert_eq!(weak("my Countersign word"), Some(Weak::Name));
    }

    #[test]
    fn long_sentences_in_any_script_are_passwords() {
        for text in [
            "correct horse battery",
            "наша лодка хороша",
            "一二三四五六七八九十百千",
            "abcdefghijkz",
            "pick a li on",
        ] {
            assert_eq!(weak(text), None, "{text}");
        }
    }

    #[test]
    fn the_password_that_was_set_is_known_and_no_other() {
        let hashed = Password::typed("correct horse battery").hash().unwrap();
        let is = |text: &str| Password::typed(text).is(&hashed).unwrap();
        assert!(is("correct horse battery"));
        assert!(!is("correct horse battery "), "nothing is trimmed");
        assert!(!is("Correct horse battery"));
        let accented = Password::typed("cafe\u{301} au lait chaud").hash().unwrap();
        assert!(
            Password::typed("caf\u{e9} au lait chaud").is(&accented).unwrap(),
            "one letter, typed in two ways"
        );
        assert!(!is(""));
        let another = Password::typed("correct horse battery").hash().unwrap();
        assert_ne!(hashed.hash, another.hash, "each hash has a salt of its own");
        assert!(!Password::typed("correct horse battery").is(&Hashed::of_nobody().unwrap()).unwrap());
    }

    #[test]
    fn a_longer_text_does_not_pass_for_its_beginning() {
        let whole = "ab1 ".repeat(MOST_BYTES / 4);
        let hashed = Password::typed(&whole).hash().unwrap();
        assert!(Password::typed(&whole).is(&hashed).unwrap());
        assert!(!Password::typed(&format!("{whole}x")).is(&hashed).unwrap());
    }

    /// The hash of the reference implementation, `echo -n password | argon2 somesaltsomesalt -id -t 3 -k 65536 -p 4 -l 32`, would be
    /// computed by the same library; what is checked is RFC 9106's own vector, section 5.3, by the algorithm as it is used here.
    #[test]
    fn the_algorithm_is_that_of_the_rfc() {
        use argon2::{AssociatedData, ParamsBuilder};
        let mut builder = ParamsBuilder::new();
        builder.m_cost(32).t_cost(3).p_cost(4).output_len(32);
        builder.data(AssociatedData::new(&[4; 12]).unwrap());
        let params = builder.build().unwrap();
        let argon = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut hash = [0; 32];
        argon.hash_password_into(&[1; 32], &[2; 16], &mut hash).unwrap();
        let expected = [
            0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9,
            0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
        ];
        assert_eq!(hash, expected);
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let password = Password::typed("correct horse battery");
        assert_eq!(format!("{password:?} {:?}", password.hash().unwrap()), "*** ***");
    }
}
