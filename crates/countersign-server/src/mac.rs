//! HMAC-SHA256 (RFC 2104), under keys of any length.

use hmac::{Hmac, KeyInit as _, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The block size of SHA-256, bytes: the width to which RFC 2104 brings every key.
const BLOCK: usize = 64;

/// Under this key, before anything was told.
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0_u8; BLOCK]);
    // A longer key is hashed; a shorter one is filled up with zeros.
    let hashed = (key.len() > BLOCK).then(|| Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key))));
    let key = hashed.as_ref().map_or(key, |hashed| hashed.as_slice());
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::<Sha256>::new((&*block).into())
}

/// Over the concatenation of the parts.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(keyed(key), Mac::chain_update).finalize().into_bytes().into()
}
