//! Why a path names no tile, or bytes are not what a tile says.

use core::fmt;

use super::{FULL_WIDTH, MAX_INDEX, MAX_LEVEL, Tile};

/// A violation of the tile format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileError {
    /// The path does not have the one form of a tile's path.
    Path,
    /// The level is above [`MAX_LEVEL`].
    Level,
    /// The index is above [`MAX_INDEX`].
    Index,
    /// The width is not 1 to [`FULL_WIDTH`].
    Width,
    /// The tile holds entries where hashes are read, or the other way round.
    Content,
    /// The bytes are more or fewer than the tile's hashes.
    Length {
        /// How many bytes there are.
        bytes: usize,
    },
    /// The bytes end inside an entry or before the last one.
    Truncated,
    /// There are bytes after the last entry.
    Trailing,
    /// An entry is longer than its two bytes of length can say.
    EntryTooLong {
        /// How many bytes it has.
        bytes: usize,
    },
}

impl fmt::Display for TileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("not a path of the form `tile/0/x001/234` or `tile/entries/000.p/17`"),
            Self::Level => write!(f, "the level of the tile is above {MAX_LEVEL}"),
            Self::Index => write!(f, "the index of the tile is above {MAX_INDEX}"),
            Self::Width => write!(f, "the width of the tile is not 1 to {FULL_WIDTH}"),
            Self::Content => f.write_str("hashes and entries are not in the same tiles"),
            Self::Length { bytes } => write!(f, "{bytes} bytes are not the hashes of this tile"),
            Self::Truncated => f.write_str("the entry bundle ends early"),
            Self::Trailing => f.write_str("the entry bundle has bytes after its last entry"),
            Self::EntryTooLong { bytes } => {
                write!(f, "an entry of {bytes} bytes does not fit an entry bundle, at most {} do", u16::MAX)
            }
        }
    }
}

impl core::error::Error for TileError {}

/// Why a node cannot be read out of tiles; `E` is the error of whoever fetches them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TileNodesError<E> {
    /// The tile could not be fetched.
    Source {
        /// The tile.
        tile: Tile,
        /// What whoever fetches says.
        error: E,
    },
    /// What was fetched is not this tile.
    Malformed {
        /// The tile.
        tile: Tile,
        /// What is wrong with it.
        error: TileError,
    },
    /// The tree does not have this node, or not yet as a perfect subtree.
    NoSuchNode {
        /// The level in the Merkle tree.
        level: u8,
        /// The index in that level.
        index: u64,
    },
}

impl<E: fmt::Display> fmt::Display for TileNodesError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source { tile, error } => write!(f, "cannot fetch `{tile}`: {error}"),
            Self::Malformed { tile, error } => write!(f, "`{tile}` is damaged: {error}"),
            Self::NoSuchNode { level, index } => {
                write!(f, "the tree has no perfect subtree {index} of height {level}")
            }
        }
    }
}

impl<E: fmt::Display + fmt::Debug> core::error::Error for TileNodesError<E> {}
