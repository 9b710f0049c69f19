//! Codes by time (RFC 6238): six digits, HMAC-SHA-1, steps of 30 seconds, as every authenticator app makes them.
//!
//! HMAC-SHA-1 is what apps agree on and is not broken; a collision of SHA-1 does not help against it. A code is taken for the step before and
//! after, for clocks differ, and never for a step that is not after the last one used: the caller keeps that number, so a code works once.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{SignInError, drawn};

/// Seconds of one step.
pub const STEP_SECONDS: u64 = 30;

/// Digits of a code.
pub const DIGITS: usize = 6;

/// Bytes of a seed: as many as the hash gives (RFC 4226, section 4).
const SEED: usize = 20;

/// Steps by which the clocks may differ, each way (RFC 6238, section 5.2).
const DRIFT: u64 = 1;

/// What an authenticator app and the server share. Wiped from memory when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u8; SEED]", into = "[u8; SEED]")]
pub struct Seed(Zeroizing<[u8; SEED]>);

impl From<[u8; SEED]> for Seed {
    fn from(bytes: [u8; SEED]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<Seed> for [u8; SEED] {
    fn from(seed: Seed) -> Self {
        *seed.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Seed {
    /// Draws a fresh one.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn draw() -> Result<Self, SignInError> {
        drawn().map(Self)
    }

    /// The one that follows from so many random bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut seed = Zeroizing::new([0; SEED]);
        seed.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self(seed)
    }

    /// For whoever types it into an app: base32 in groups of four.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(BASE32_NOPAD.encode(self.0.as_slice()));
        let groups: Vec<&str> =
            text.as_bytes().chunks(4).map(|group| str::from_utf8(group).unwrap_or_default()).collect();
        Zeroizing::new(groups.join(" "))
    }

    /// For whoever scans it: the `otpauth` link of the apps' common format, for this account.
    #[must_use]
    pub fn link(&self, account: &str) -> Zeroizing<String> {
        let seed = Zeroizing::new(BASE32_NOPAD.encode(self.0.as_slice()));
        let account = escaped(account);
        Zeroizing::new(format!(
            "otpauth://totp/Countersign:{account}?secret={}&issuer=Countersign&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            *seed
        ))
    }

    /// The step whose code this is, at this time (seconds since 1970), if it is after the last one used. All candidates are always
    /// compared, each in a time that does not depend on where it differs.
    #[must_use]
    pub fn step_of(&self, code: &str, now_seconds: u64, last_used: Option<u64>) -> Option<u64> {
        let now = now_seconds / STEP_SECONDS;
        let mut found = None;
        for step in now.saturating_sub(DRIFT)..=now + DRIFT {
            let is_it = bool::from(self.code(step).as_bytes().ct_eq(code.as_bytes()));
            let is_new = last_used.is_none_or(|last| step > last);
            if is_it && is_new && found.is_none() {
                found = Some(step);
            }
        }
        found
    }

    /// The code of a step: RFC 4226, section 5.3, of the step's number.
    pub(super) fn code(&self, step: u64) -> Zeroizing<String> {
        // INVARIANT: HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(self.0.as_slice()) else {
            return Zeroizing::new(String::new());
        };
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let offset = usize::from(hash.last().copied().unwrap_or_default() & 0x0f);
        let cut = hash.get(offset..offset + 4).unwrap_or_default();
        let number = cut.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff;
        Zeroizing::new(format!("{:0DIGITS$}", number % 10_u32.pow(6)))
    }
}

/// Percent-encoded, but for what RFC 3986 calls unreserved.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> Seed {
        Seed(Zeroizing::new(*b"12345678901234567890"))
    }

    /// RFC 6238, appendix B, SHA-1, the last six of the eight digits given there.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(*seed().code(seconds / STEP_SECONDS), code);
            assert_eq!(seed().step_of(code, seconds, None), Some(seconds / STEP_SECONDS));
        }
    }

    #[test]
    fn a_code_is_taken_a_step_early_and_a_step_late_and_no_more() {
        let at = |seconds| seed().step_of("287082", seconds, None);
        assert_eq!([at(0), at(29), at(30), at(59), at(89)], [Some(1); 5]);
        assert_eq!(at(90), None);
        let later = seed().step_of("081804", 1_111_111_109 - 60, None);
        assert_eq!(later, None);
    }

    #[test]
    fn a_code_works_once_and_so_does_every_earlier_one() {
        assert_eq!(seed().step_of("287082", 59, Some(1)), None);
        assert_eq!(seed().step_of("287082", 59, Some(2)), None);
        assert_eq!(seed().step_of("287082", 59, Some(0)), Some(1));
    }

    /// A system that once trimmed a code after looking it up took each one twice.
    #[test]
    fn nothing_but_the_six_digits_is_a_code() {
        for text in
            ["", "28708", "2870822", " 287082", "287082 ", "287 082", "２８７０８２", "+87082", "28708\u{0}"]
        {
            assert_eq!(seed().step_of(text, 59, None), None, "{text:?}");
        }
    }

    #[test]
    fn apps_are_told_the_seed_by_link_and_by_text() {
        assert_eq!(*seed().text(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        let link = seed().link("Ana Li/é");
        let expected = "otpauth://totp/Countersign:Ana%20Li%2F%C3%A9?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Countersign&algorithm=SHA1&digits=6&period=30";
        assert_eq!(*link, expected);
    }

    #[test]
    fn seeds_are_drawn_and_never_printed() {
        assert_ne!(Seed::draw().unwrap(), Seed::draw().unwrap());
        assert_eq!(format!("{:?}", seed()), "***");
    }
}
