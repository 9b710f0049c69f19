//! Random bytes from the operating system, for what the API draws itself.

use zeroize::Zeroizing;

use super::problem::Rejected;

/// So many of them.
pub(super) fn bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, Rejected> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| Rejected::unavailable(format!("no randomness: {error}")))?;
    Ok(bytes)
}
