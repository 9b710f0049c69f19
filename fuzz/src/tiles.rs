//! Tiles: each has one path, and its bytes are exactly its places.

use countersign_ledger::tile::{
    Content, Tile, TileError, read_entries, read_hashes, write_entries, write_hashes,
};

use crate::ground::{bytes, text};

pub(crate) fn path_seeds() -> Vec<Vec<u8>> {
    bytes(
        [
            "tile/0/000",
            "tile/63/x001/x234/067.p/255",
            "tile/entries/x072/x057/x594/x037/x927/935",
            "tile/entries/001.p/1",
        ]
        .map(str::to_owned),
    )
}

pub(crate) fn check_path(input: &[u8]) {
    let Some(path) = text(input) else { return };
    // The independent crate has the height in the path and calls entries data, as the Go checksum database does.
    let their_path = path.replacen("tile/entries/", "tile/data/", 1).replacen("tile/", "tile/8/", 1);
    if is_too_much_for_them(path) {
        return;
    }
    let theirs = tlog_tiles::Tile::from_path(&their_path);
    match path.parse::<Tile>() {
        Ok(tile) => {
            assert_eq!(tile.to_string(), path);
            let theirs = theirs.unwrap();
            assert_eq!((theirs.level_index(), theirs.width()), (tile.index(), u32::from(tile.width())));
            assert_eq!(theirs.is_data(), tile.content() == Content::Entries);
            assert!(tile.places().end > tile.places().start);
        }
        // They take indices that no tree has, and have a folder for data of their own.
        Err(TileError::Index) => {}
        Err(_) => assert!(theirs.is_err() || path.starts_with("tile/data/"), "{path}"),
    }
}

/// They panic at a level above 63 and at a width of none.
fn is_too_much_for_them(path: &str) -> bool {
    let number = |element: Option<&str>| element.and_then(|element| element.parse::<u32>().ok());
    number(path.split('/').nth(1)).is_some_and(|level| level > 63)
        || number(path.rsplit('/').next()) == Some(0)
}

pub(crate) fn content_seeds() -> Vec<Vec<u8>> {
    let entries: [&[u8]; 3] = [b"", b"entry", &[7; 300]];
    let bundle = [&[2][..], &write_entries(entries).unwrap()].concat();
    let hashes = [&[1][..], &[9; 64]].concat();
    vec![bundle, hashes, vec![0, 0, 0]]
}

/// The first byte is the width less one.
pub(crate) fn check_content(input: &[u8]) {
    let Some((width, bytes)) = input.split_first() else { return };
    let width = u16::from(*width) + 1;
    let tile = |content| Tile::new(content, 0, width).unwrap();
    if let Ok(entries) = read_entries(&tile(Content::Entries), bytes) {
        assert_eq!(entries.len(), usize::from(width));
        assert_eq!(write_entries(entries).as_deref(), Ok(bytes));
    }
    let hashes = read_hashes(&tile(Content::Hashes { level: 0 }), bytes);
    assert_eq!(hashes.is_ok(), bytes.len() == 32 * usize::from(width));
    if let Ok(hashes) = hashes {
        assert_eq!(write_hashes(&hashes), bytes);
    }
}
