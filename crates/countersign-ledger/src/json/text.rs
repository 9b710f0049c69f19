//! Writes single tokens in canonical form: strings with the shortest escapes, integers in decimal.

use alloc::vec::Vec;

/// How many bytes are judged at once; a width compilers turn into one vector comparison.
const LANES: usize = 16;

const HEX: &[u8; 16] = b"0123456789abcdef";

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// How many bytes at the start need no escape.
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    let whole = bytes
        .chunks_exact(LANES)
        .take_while(|chunk| !chunk.iter().fold(false, |found, byte| found | needs_escape(*byte)))
        .count()
        * LANES;
    let rest = bytes.get(whole..).unwrap_or_default();
    whole + rest.iter().position(|byte| needs_escape(*byte)).unwrap_or(rest.len())
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
