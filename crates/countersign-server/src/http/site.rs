//! The node's pages as browsers know them: their origin, the relying party of their passkeys, and the key by which they know their own words.

use std::fmt;

use countersign_ledger::hash::Hash;
use hmac::Mac as _;
use zeroize::Zeroizing;

use crate::config::PublicUrl;
use crate::mac::keyed;

/// Where the pages are.
pub struct Site {
    url: PublicUrl,
    key: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Site {
    /// Pages at this address, whose forms and challenges are marked with this key. Nodes that serve the same address share it.
    #[must_use]
    pub fn new(url: PublicUrl, key: [u8; 32]) -> Self {
        Self { url, key: Zeroizing::new(key) }
    }

    pub(super) fn url(&self) -> &PublicUrl {
        &self.url
    }

    /// As browsers write it.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.url.origin()
    }

    /// The relying party.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host()
    }

    pub(super) fn is_strict(&self) -> bool {
        self.url.is_strict()
    }

    /// The mark over these parts, each with its length before it.
    pub(super) fn mark(&self, parts: &[&[u8]]) -> Hash {
        let mut mac = keyed(self.key.as_slice());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Hash(mac.finalize().into_bytes().into())
    }
}
