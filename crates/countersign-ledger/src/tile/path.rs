//! The paths of tiles: one for each tile, and no alias for any.

use core::fmt;
use core::str::FromStr;

use super::{Content, FULL_WIDTH, Tile, TileError};
use crate::line;

/// Indices are cut into groups of three decimal digits, so that no folder holds more than a thousand names.
const GROUP: u64 = 1000;

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Entries => f.write_str("tile/entries/")?,
            Content::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        // 2^56 has 17 digits, so six groups hold every index.
        let mut divisor = GROUP.pow(5);
        while divisor > 1 {
            if self.index >= divisor {
                write!(f, "x{:03}/", self.index / divisor % GROUP)?;
            }
            divisor /= GROUP;
        }
        write!(f, "{:03}", self.index % GROUP)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let (kind, rest) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(TileError::Path)?;
        let content = match kind {
            "entries" => Content::Entries,
            level => {
                let level = line::decimal(level).ok_or(TileError::Path)?;
                Content::Hashes { level: u8::try_from(level).map_err(|_| TileError::Level)? }
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, partial_width(width)?),
            None => (rest, FULL_WIDTH),
        };
        Self::new(content, parse_index(index)?, width)
    }
}

fn partial_width(text: &str) -> Result<u16, TileError> {
    let width = line::decimal(text).ok_or(TileError::Path)?;
    // A full tile is named without its width.
    u16::try_from(width).ok().filter(|width| *width < FULL_WIDTH).ok_or(TileError::Width)
}

fn parse_index(text: &str) -> Result<u64, TileError> {
    let (leading, last) = text.rsplit_once('/').map_or((None, text), |(leading, last)| (Some(leading), last));
    let mut index = 0_u64;
    for element in leading.iter().flat_map(|leading| leading.split('/')) {
        let group = group(element.strip_prefix('x').ok_or(TileError::Path)?)?;
        // A leading `x000` would be a second name of the same tile.
        if index == 0 && group == 0 {
            return Err(TileError::Path);
        }
        index = grown(index, group)?;
    }
    grown(index, group(last)?)
}

fn grown(index: u64, group: u64) -> Result<u64, TileError> {
    index.checked_mul(GROUP).and_then(|index| index.checked_add(group)).ok_or(TileError::Index)
}

fn group(digits: &str) -> Result<u64, TileError> {
    let valid = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if valid { digits.parse().map_err(|_| TileError::Path) } else { Err(TileError::Path) }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, MAX_INDEX, MAX_LEVEL, Tile, TileError};
    use alloc::string::ToString;

    #[test]
    fn paths_of_the_specification() {
        for (path, content, index, width) in [
            ("tile/0/x001/x234/067", Content::Hashes { level: 0 }, 1_234_067, 256),
            ("tile/63/000.p/1", Content::Hashes { level: MAX_LEVEL }, 0, 1),
            ("tile/1/x001/000.p/255", Content::Hashes { level: 1 }, 1000, 255),
            ("tile/entries/999", Content::Entries, 999, 256),
            ("tile/entries/x072/x057/x594/x037/x927/935", Content::Entries, MAX_INDEX, 256),
        ] {
            let tile = Tile::new(content, index, width).unwrap();
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
    }

    #[test]
    fn aliases_and_other_texts_are_refused() {
        for bad in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/000/",
            "tile//000",
            "tile/00/000",
            "tile/+1/000",
            "tile/-1/000",
            "tile/data/000",
            "tile/8/0/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/00a",
            "tile/0/+00",
            "tile/0/٠٠٠",
            "tile/0/x000",
            "tile/0/x000/001",
            "tile/0/x000/x001/001",
            "tile/0/001/001",
            "tile/0/x001/x001",
            "tile/0/X001/001",
            "tile/0/x001//001",
            "tile/0/x01/001",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/01",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000p/1",
            "tile/0/000.P/1",
            "tile/0/000 ",
            "tile/0/000?x",
            "tile/0/%30%30%30",
            "tile/0/../0/000",
        ] {
            assert_eq!(bad.parse::<Tile>(), Err(TileError::Path), "{bad}");
        }
        for bad in ["tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/65792"] {
            assert_eq!(bad.parse::<Tile>(), Err(TileError::Width), "{bad}");
        }
        for bad in ["tile/64/000", "tile/256/000"] {
            assert_eq!(bad.parse::<Tile>(), Err(TileError::Level), "{bad}");
        }
        for bad in ["tile/0/x072/x057/x594/x037/x927/936", "tile/0/x018/x446/x744/x073/x709/x551/616"] {
            assert_eq!(bad.parse::<Tile>(), Err(TileError::Index), "{bad}");
        }
    }
}
