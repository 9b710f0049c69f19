//! Randomness for ids and salts, asked of the operating system a page at a time: a command needs a hundred bytes of it, and asking
//! costs more than copying. It adds no generator of its own.

use crate::store::StoreError;

/// Bytes asked for at once.
const PAGE: usize = 4_096;

/// Fills a page, or says why it cannot.
type Fill = dyn FnMut(&mut [u8]) -> Result<(), String> + Send;

/// Bytes not yet given out, and where more come from.
pub(super) struct Entropy {
    page: Vec<u8>,
    fill: Box<Fill>,
}

impl Entropy {
    /// Of the operating system.
    pub(super) fn of_the_system() -> Self {
        Self::from(Box::new(|page: &mut [u8]| getrandom::fill(page).map_err(|error| error.to_string())))
    }

    pub(super) fn from(fill: Box<Fill>) -> Self {
        Self { page: Vec::new(), fill }
    }

    /// Fresh bytes, given to nobody else; the page does not remember them.
    pub(super) fn draw<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        if self.page.len() < N {
            let mut page = vec![0; PAGE];
            let filled = (self.fill)(&mut page);
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
        let mut entropy = Entropy::of_the_system();
        let drawn: BTreeSet<[u8; 32]> = (0..1_000).map(|_| entropy.draw().unwrap()).collect();
        assert_eq!(drawn.len(), 1_000);
    }
}
