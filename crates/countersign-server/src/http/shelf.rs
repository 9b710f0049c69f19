//! Full tiles kept in memory for whoever asks next: they never change, and many followers ask for the same ones.
//!
//! Two generations of a bounded number of bytes: what is asked for moves to the younger one, and when that is full the older one goes.
//! That keeps what is used without a list of who was used when.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use countersign_ledger::tile::Tile;

/// The most a generation holds, bytes; one tile may go beyond it. A thousand tiles of hashes.
const GENERATION: usize = 8 << 20;

/// Full tiles.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<Tile, Bytes>,
    /// Bytes in the young generation.
    bytes: usize,
    old: BTreeMap<Tile, Bytes>,
}

impl Shelf {
    /// The tile's bytes, if they are here.
    pub(super) fn get(&self, tile: &Tile) -> Option<Bytes> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = generations.young.get(tile) {
            return Some(bytes.clone());
        }
        let bytes = generations.old.remove(tile)?;
        generations.put(*tile, bytes.clone());
        Some(bytes)
    }

    /// Keeps a tile for a while. One that is not full will change, so it is not kept.
    pub(super) fn put(&self, tile: Tile, bytes: Bytes) {
        if tile.is_full() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).put(tile, bytes);
        }
    }
}

impl Generations {
    fn put(&mut self, tile: Tile, bytes: Bytes) {
        if self.bytes + bytes.len() > GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += bytes.len();
        if let Some(before) = self.young.insert(tile, bytes) {
            self.bytes -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_ledger::tile::Content;

    use super::*;

    fn tile(index: u64, width: u16) -> Tile {
        Tile::new(Content::Hashes { level: 0 }, index, width).unwrap()
    }

    #[test]
    fn what_is_asked_for_stays_and_what_is_not_goes() {
        let shelf = Shelf::default();
        let bytes = || Bytes::from(vec![7; 1 << 20]);
        shelf.put(tile(0, 255), bytes());
        assert_eq!(shelf.get(&tile(0, 255)), None, "a partial tile changes");
        for index in 0..100 {
            shelf.put(tile(index, 256), bytes());
            assert_eq!(shelf.get(&tile(0, 256)), Some(bytes()), "asked for each time, after {index} others");
        }
        let kept = (0..100).filter(|index| shelf.get(&tile(*index, 256)).is_some()).count();
        assert!((8..=16).contains(&kept), "{kept}");
    }

    #[test]
    fn the_same_tile_counts_once() {
        let shelf = Shelf::default();
        shelf.put(tile(1, 256), Bytes::from_static(b"one"));
        for _ in 0..20 {
            shelf.put(tile(0, 256), Bytes::from(vec![7; 1 << 20]));
        }
        assert!(shelf.get(&tile(1, 256)).is_some());
    }
}
