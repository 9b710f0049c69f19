//! The encoding of SSH (RFC 4251, 5): strings with their length before them, and numbers in their shortest form.

use alloc::vec::Vec;

use super::SshError;

/// The longest key or signature: of all that are read here none is half as long.
pub(super) const MAX_BLOB: usize = 2048;

/// Reads one part after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, SshError> {
        if bytes.len() > MAX_BLOB { Err(SshError::TooLarge) } else { Ok(Self { rest: bytes }) }
    }

    pub(super) fn take(&mut self, count: usize, part: &'static str) -> Result<&'a [u8], SshError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SshError::Malformed(part))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self, part: &'static str) -> Result<u8, SshError> {
        self.take(1, part)?.first().copied().ok_or(SshError::Malformed(part))
    }

    pub(super) fn uint32(&mut self, part: &'static str) -> Result<u32, SshError> {
        let bytes = self.take(4, part)?.try_into().map_err(|_| SshError::Malformed(part))?;
        Ok(u32::from_be_bytes(bytes))
    }

    pub(super) fn string(&mut self, part: &'static str) -> Result<&'a [u8], SshError> {
        let length = usize::try_from(self.uint32(part)?).map_err(|_| SshError::Malformed(part))?;
        self.take(length, part)
    }

    pub(super) fn text(&mut self, part: &'static str) -> Result<&'a str, SshError> {
        core::str::from_utf8(self.string(part)?).map_err(|_| SshError::Malformed(part))
    }

    /// A string of exactly so many bytes.
    pub(super) fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], SshError> {
        self.string(part)?.try_into().map_err(|_| SshError::Malformed(part))
    }

    /// A positive number of at most 256 bits in its shortest form (`mpint`): a second form would be a second signature.
    pub(super) fn scalar(&mut self, part: &'static str) -> Result<[u8; 32], SshError> {
        let digits = match self.string(part)? {
            [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => rest,
            plain @ [1..=0x7F, ..] => plain,
            _ => return Err(SshError::Malformed(part)),
        };
        let mut scalar = [0; 32];
        let place = 32_usize.checked_sub(digits.len()).and_then(|zeros| scalar.get_mut(zeros..));
        place.ok_or(SshError::Malformed(part))?.copy_from_slice(digits);
        Ok(scalar)
    }

    pub(super) fn end(self) -> Result<(), SshError> {
        if self.rest.is_empty() { Ok(()) } else { Err(SshError::TrailingBytes) }
    }
}

/// Writes a string with its length before it.
pub(super) fn push_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // What is written here was read or hashed here, so it is shorter than a length can say.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}
