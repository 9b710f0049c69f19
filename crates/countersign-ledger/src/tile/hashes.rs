//! Tiles of hashes: 32 bytes for each place, one after the other.

use alloc::vec::Vec;

use super::{Content, Tile, TileError};
use crate::hash::Hash;

/// Reads the hashes of a tile.
///
/// # Errors
/// The tile is one of entries, or the bytes are not exactly its hashes.
pub fn read_hashes(tile: &Tile, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    if tile.content() == Content::Entries {
        return Err(TileError::Content);
    }
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() != usize::from(tile.width()) {
        return Err(TileError::Length { bytes: bytes.len() });
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// Writes the bytes of a tile from the hashes in its places.
#[must_use]
pub fn write_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Tile, TileError};
    use super::{read_hashes, write_hashes};
    use crate::hash::sha256;

    #[test]
    fn hashes_fill_their_tile_exactly() {
        let hashes = [sha256(b"a"), sha256(b"b"), sha256(b"c")];
        let bytes = write_hashes(&hashes);
        let tile = |content, width| Tile::new(content, 0, width).unwrap();
        let level = Content::Hashes { level: 0 };
        assert_eq!(read_hashes(&tile(level, 3), &bytes).as_deref(), Ok(&hashes[..]));
        for width in [2, 4, 256] {
            assert_eq!(read_hashes(&tile(level, width), &bytes), Err(TileError::Length { bytes: 96 }));
        }
        for length in [0, 64, 95] {
            let short = bytes.get(..length).unwrap_or_default();
            assert_eq!(read_hashes(&tile(level, 3), short), Err(TileError::Length { bytes: length }));
        }
        assert_eq!(read_hashes(&tile(Content::Entries, 3), &bytes), Err(TileError::Content));
    }
}
