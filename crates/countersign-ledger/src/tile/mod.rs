//! Tiles of C2SP tlog-tiles v0.1.0 (c2sp.org/tlog-tiles): a log cut into immutable pieces of 256, which anybody can
//! fetch, cache and check. Pruning is not part of that version.
//!
//! `path` reads and writes the names of tiles, `hashes` and `bundle` their contents, `nodes` reads proofs out of tiles.
//! A tile is only believed as far as a proof made from it leads to a signed root.

mod bundle;
mod error;
mod hashes;
mod nodes;
mod path;

use core::ops::Range;

pub use bundle::{read_entries, write_entries};
pub use error::{TileError, TileNodesError};
pub use hashes::{read_hashes, write_hashes};
pub use nodes::{TileNodes, TileSource};

/// How many hashes or entries a full tile has.
pub const FULL_WIDTH: u16 = 256;

/// How many levels of the Merkle tree one level of tiles spans: a full tile is a subtree of this height.
const HEIGHT: u8 = 8;

/// The highest level of a tile's path. Trees of 64-bit sizes end at level 7; the format allows for more.
pub const MAX_LEVEL: u8 = 63;

/// The highest index of a tile: tree sizes have 64 bits, and a tile has 256 places.
pub const MAX_INDEX: u64 = u64::MAX >> HEIGHT;

/// What is in a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// The entries themselves (an *entry bundle*).
    Entries,
    /// Hashes: of leaves at level 0, of full tiles of the level below at the others.
    Hashes {
        /// The level, at most [`MAX_LEVEL`].
        level: u8,
    },
}

impl Content {
    /// How many places of this kind a tree of this many leaves fills.
    fn count(self, size: u64) -> u64 {
        match self {
            Self::Entries => size,
            Self::Hashes { level } => {
                size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or_default()
            }
        }
    }
}

/// One tile, by its content, its index among those of the same content, and how many of its places are filled.
///
/// Its text form is its path below the log's prefix, such as `tile/0/x001/234` or `tile/entries/000.p/17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    // INVARIANT: a level is at most MAX_LEVEL, the index at most MAX_INDEX, the width 1 to FULL_WIDTH.
    content: Content,
    index: u64,
    width: u16,
}

impl Tile {
    /// A tile.
    ///
    /// # Errors
    /// The level is above [`MAX_LEVEL`], the index above [`MAX_INDEX`], or the width not 1 to [`FULL_WIDTH`].
    pub fn new(content: Content, index: u64, width: u16) -> Result<Self, TileError> {
        if matches!(content, Content::Hashes { level } if level > MAX_LEVEL) {
            return Err(TileError::Level);
        }
        if index > MAX_INDEX {
            return Err(TileError::Index);
        }
        if !(1..=FULL_WIDTH).contains(&width) {
            return Err(TileError::Width);
        }
        Ok(Self { content, index, width })
    }

    /// The tile with this index as it is in a tree of this many leaves: full, partial or, since empty tiles do not exist,
    /// none.
    #[must_use]
    pub fn in_tree(content: Content, index: u64, size: u64) -> Option<Self> {
        let first = index.checked_mul(u64::from(FULL_WIDTH))?;
        let filled = content.count(size).checked_sub(first)?.min(u64::from(FULL_WIDTH));
        Self::new(content, index, u16::try_from(filled).ok()?).ok()
    }

    /// The tiles that a tree of `new` leaves has and the tree of its first `old` leaves has not, in order of index.
    /// With an `old` of zero these are all.
    pub fn added(content: Content, old: u64, new: u64) -> impl Iterator<Item = Self> {
        let width = u64::from(FULL_WIDTH);
        let (before, after) = (content.count(old), content.count(new));
        // A tile that was partial and is wider now is another tile.
        let indices = if before < after { before / width..after.div_ceil(width) } else { 0..0 };
        indices.filter_map(move |index| Self::in_tree(content, index, new))
    }

    /// What is in it.
    #[must_use]
    pub fn content(&self) -> Content {
        self.content
    }

    /// The index among the tiles of the same content.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many places are filled, 1 to [`FULL_WIDTH`].
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether all places are filled, so that the tile never changes again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == FULL_WIDTH
    }

    /// The places it fills among all of the same content. For entries and level 0 these are leaf indices.
    #[must_use]
    pub fn places(&self) -> Range<u64> {
        let first = self.index * u64::from(FULL_WIDTH);
        // The very last place of the very last tile has no successor in 64 bits.
        first..first.saturating_add(u64::from(self.width))
    }

    /// Whether a tree of this many leaves fills all these places. A log serves every tile it contains; it must serve
    /// only those of sizes it has signed.
    #[must_use]
    pub fn is_within(&self, size: u64) -> bool {
        self.places().end <= self.content.count(size)
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, MAX_INDEX, Tile, TileError};
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn widths(level: u8, size: u64) -> (usize, Option<u16>) {
        let tiles: Vec<Tile> = Tile::added(Content::Hashes { level }, 0, size).collect();
        let full = tiles.iter().filter(|tile| tile.is_full()).count();
        (full, tiles.last().filter(|tile| !tile.is_full()).map(Tile::width))
    }

    #[test]
    fn the_examples_of_the_specification() {
        let of = |size| [0, 1, 2, 3].map(|level| widths(level, size));
        assert_eq!(of(70_000), [(273, Some(112)), (1, Some(17)), (0, Some(1)), (0, None)]);
        assert_eq!(of(256), [(1, None), (0, Some(1)), (0, None), (0, None)]);
        assert_eq!(of(0), [(0, None); 4]);
        let top = Tile::in_tree(Content::Hashes { level: 7 }, 0, u64::MAX);
        assert_eq!(top.map(|tile| tile.width()), Some(255));
    }

    #[test]
    fn only_new_tiles_are_added() {
        let paths = |content, old, new| {
            Tile::added(content, old, new).map(|tile| tile.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(paths(Content::Entries, 255, 258), ["tile/entries/000", "tile/entries/001.p/2"]);
        assert_eq!(paths(Content::Entries, 256, 257), ["tile/entries/001.p/1"]);
        assert_eq!(paths(Content::Hashes { level: 1 }, 256, 511), [] as [&str; 0]);
        assert_eq!(paths(Content::Hashes { level: 1 }, 511, 512), ["tile/1/000.p/2"]);
        assert_eq!(paths(Content::Entries, 5, 5), [] as [&str; 0]);
        assert_eq!(paths(Content::Entries, 6, 5), [] as [&str; 0]);
    }

    #[test]
    fn tiles_that_cannot_be_are_refused() {
        let hashes = |level| Content::Hashes { level };
        assert_eq!(Tile::new(hashes(64), 0, 1), Err(TileError::Level));
        assert_eq!(Tile::new(hashes(0), MAX_INDEX + 1, 1), Err(TileError::Index));
        assert_eq!(Tile::new(hashes(0), 0, 0), Err(TileError::Width));
        assert_eq!(Tile::new(hashes(0), 0, 257), Err(TileError::Width));
        assert_eq!(Tile::in_tree(hashes(0), 1, 256), None);
        assert_eq!(Tile::in_tree(hashes(8), 0, u64::MAX), None);
        let last = Tile::new(hashes(0), MAX_INDEX, 255).unwrap();
        assert!(last.is_within(u64::MAX) && !last.is_within(u64::MAX - 1));
        assert!(!Tile::new(hashes(0), 0, 3).unwrap().is_within(2));
    }
}
