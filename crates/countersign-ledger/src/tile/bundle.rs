//! Entry bundles: two bytes of length (big-endian) and the entry, for each place, one after the other.

use alloc::vec::Vec;

use super::{Content, Tile, TileError};

/// Reads the entries of a tile without copying them. What they say is not looked at.
///
/// # Errors
/// The tile is one of hashes, or the bytes are not exactly its entries.
pub fn read_entries<'a>(tile: &Tile, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, TileError> {
    if tile.content() != Content::Entries {
        return Err(TileError::Content);
    }
    let mut entries = Vec::with_capacity(usize::from(tile.width()));
    let mut rest = bytes;
    for _ in 0..tile.width() {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(TileError::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(TileError::Truncated)?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(TileError::Trailing) }
}

/// Writes the bytes of a tile from the entries in its places.
///
/// # Errors
/// An entry has more than 65,535 bytes.
pub fn write_entries<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length =
            u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong { bytes: entry.len() })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Tile, TileError};
    use super::{read_entries, write_entries};
    use alloc::vec;

    #[test]
    fn entries_fill_their_tile_exactly() {
        let long = vec![7; 65_535];
        let entries: [&[u8]; 3] = [b"", b"abc", &long];
        let bytes = write_entries(entries).unwrap();
        assert!(bytes.starts_with(b"\0\0\0\x03abc\xFF\xFF\x07"));
        let tile = |content, width| Tile::new(content, 0, width).unwrap();
        assert_eq!(read_entries(&tile(Content::Entries, 3), &bytes).as_deref(), Ok(&entries[..]));
        assert_eq!(read_entries(&tile(Content::Entries, 2), &bytes), Err(TileError::Trailing));
        assert_eq!(read_entries(&tile(Content::Entries, 4), &bytes), Err(TileError::Truncated));
        for length in [0, 1, 3, 6, 8, bytes.len() - 1] {
            let short = bytes.get(..length).unwrap_or_default();
            assert_eq!(read_entries(&tile(Content::Entries, 3), short), Err(TileError::Truncated));
        }
        let hashes = tile(Content::Hashes { level: 0 }, 3);
        assert_eq!(read_entries(&hashes, &bytes), Err(TileError::Content));
        let above = vec![0; 65_536];
        assert_eq!(write_entries([above.as_slice()]), Err(TileError::EntryTooLong { bytes: 65_536 }));
    }
}
