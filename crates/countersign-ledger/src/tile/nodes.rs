//! Reads the nodes of a tree out of its tiles, so that whoever can fetch tiles can make every proof themselves.
//!
//! What a log serves is not trusted: a wrong tile gives a proof that does not lead to the signed root.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use super::{Content, FULL_WIDTH, HEIGHT, Tile, TileNodesError, read_hashes};
use crate::hash::{Hash, node_hash};
use crate::tree::Nodes;

/// Fetches tiles from wherever they are. Any closure from a tile to its bytes is one.
pub trait TileSource {
    /// Why a tile could not be fetched.
    type Error;

    /// The bytes of the tile, without any transport encoding. Their length need not be checked.
    ///
    /// # Errors
    /// Whatever the source reports.
    fn fetch(&self, tile: &Tile) -> Result<Vec<u8>, Self::Error>;
}

impl<F, E> TileSource for F
where
    F: Fn(&Tile) -> Result<Vec<u8>, E>,
{
    type Error = E;

    fn fetch(&self, tile: &Tile) -> Result<Vec<u8>, E> {
        self(tile)
    }
}

/// The nodes of a tree of a known size, read from its tiles.
pub struct TileNodes<S> {
    source: S,
    size: u64,
    /// The last tile of each level. A proof climbs through one tile per level and asks it up to eight times.
    recent: RefCell<BTreeMap<u8, (Tile, Vec<Hash>)>>,
}

impl<S: TileSource> TileNodes<S> {
    /// The nodes of the tree of this many leaves. Only tiles which that tree has are asked for.
    pub fn new(source: S, size: u64) -> Self {
        Self { source, size, recent: RefCell::default() }
    }

    /// The root of the subtree over these places of a tile.
    fn subtree(
        &self,
        level: u8,
        tile: Tile,
        places: Places,
    ) -> Result<Option<Hash>, TileNodesError<S::Error>> {
        let mut recent = self.recent.borrow_mut();
        let current = recent.get(&level).is_some_and(|(earlier, _)| *earlier == tile);
        if !current {
            let bytes = self.source.fetch(&tile).map_err(|error| TileNodesError::Source { tile, error })?;
            let hashes =
                read_hashes(&tile, &bytes).map_err(|error| TileNodesError::Malformed { tile, error })?;
            recent.insert(level, (tile, hashes));
        }
        let hashes = recent.get(&level).map(|(_, hashes)| hashes.as_slice()).unwrap_or_default();
        Ok(hashes.get(places.first..places.first + places.count).and_then(perfect_root))
    }
}

impl<S: TileSource> Nodes for TileNodes<S> {
    type Error = TileNodesError<S::Error>;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let missing = TileNodesError::NoSuchNode { level, index };
        let Some((tile, places)) = locate(level, index, self.size) else { return Err(missing) };
        self.subtree(level / HEIGHT, tile, places)?.ok_or(missing)
    }
}

impl<S> fmt::Debug for TileNodes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TileNodes").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Some places of a tile.
#[derive(Clone, Copy)]
struct Places {
    first: usize,
    count: usize,
}

/// The tile, as a tree of this size has it, and the places in it over which the node stands.
fn locate(level: u8, index: u64, size: u64) -> Option<(Tile, Places)> {
    let height = level % HEIGHT;
    // The node's first place among the hashes of its tile level.
    let first = index.checked_mul(1 << height)?;
    let width = u64::from(FULL_WIDTH);
    let content = Content::Hashes { level: level / HEIGHT };
    let tile = Tile::in_tree(content, first / width, size)?;
    Some((tile, Places { first: usize::try_from(first % width).ok()?, count: 1 << height }))
}

/// The root over a power of two of hashes.
fn perfect_root(hashes: &[Hash]) -> Option<Hash> {
    match hashes {
        [] => None,
        [hash] => Some(*hash),
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Some(node_hash(&perfect_root(left)?, &perfect_root(right)?))
        }
    }
}
