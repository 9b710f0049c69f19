//! Writes single tokens in canonical form: strings with the shortest escapes, integers in decimal.

use alloc::vec::Vec;

const HEX: &[u8; 16] = b"0123456789abcdef";

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// How many bytes at the start need no escape. Eight are judged at once: strings are most of a leaf.
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    for (position, word) in words.iter().enumerate() {
        let escapes = escapes_in(u64::from_le_bytes(*word));
        if escapes != 0 {
            return position * 8 + escapes.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + tail.iter().position(|byte| needs_escape(*byte)).unwrap_or(tail.len())
}

/// Sets the top bit of every byte that needs an escape (Bit Twiddling Hacks, "Determine if a word has a byte less
/// than n"). A borrow can mark bytes *after* the first match by mistake, so only the lowest mark is to be believed.
fn escapes_in(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const TOP: u64 = EACH * 0x80;
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word & TOP;
    let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    below(word, 0x20) | equal(b'"') | equal(b'\\')
}

/// Writes a string with its quotes (RFC 8785, 3.2.2.2).
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, escaped) = rest.split_at_checked(plain_run(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((byte, after)) = escaped.split_first() else { break };
        write_escape(out, *byte);
        rest = after;
    }
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        _ => {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0x0F)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Writes an integer in decimal.
pub(crate) fn write_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_unsigned(out, value.unsigned_abs());
}

/// Writes a natural number in decimal.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, value: u64) {
    let start = out.len();
    let mut rest = value;
    loop {
        // The remainder of a division by ten is one digit.
        out.push(b'0' + u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::{needs_escape, plain_run};

    #[test]
    fn words_agree_with_bytes_for_every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                for filler in [b' ', b'!', b'#', 0x7f, 0x80, 0xff] {
                    let mut bytes = [filler; 20];
                    bytes[place] = byte;
                    let expected = bytes.iter().position(|byte| needs_escape(*byte)).unwrap_or(20);
                    assert_eq!(plain_run(&bytes), expected, "{byte:#x} at {place} in {filler:#x}");
                }
            }
        }
    }
}
