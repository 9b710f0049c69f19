//! Randomness for ids and salts, asked of the operating system a page at a time: a command needs a hundred bytes of it, and asking
//! costs more than copying. It adds no generator of its own.

use crate::store::StoreError;

/// Bytes asked for at once.
const PAGE: usize = 4_096;

/// Bytes not yet given out.
pub(super) struct Entropy {
    page: Vec<u8>,
}

impl Entropy {
    pub(super) fn new() -> Self {
        Self { page: Vec::new() }
    }

    /// Fresh bytes, given to nobody else; the page does not remember them.
    pub(super) fn draw<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        if self.page.len() < N {
            let mut page = vec![0; PAGE];
            let filled = getrandom::fill(&mut page);
            filled.map_err(|error| StoreError::Unavailable(format!("no randomness: {error}")))?;
            self.page = page;
        }
        let mut drawn = [0; N];
        let rest = self.page.len().saturating_sub(N);
        for (to, from) in drawn.iter_mut().zip(self.page.iter_mut().skip(rest)) {
            *to = std::mem::take(from);
        }
        self.page.truncate(rest);
        Ok(drawn)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nothing_is_given_out_twice() {
        let mut entropy = Entropy::new();
        let drawn: BTreeSet<[u8; 32]> = (0..1_000).map(|_| entropy.draw().unwrap()).collect();
        assert_eq!(drawn.len(), 1_000);
    }
}
