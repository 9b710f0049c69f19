//! Tiles against an independent crate, and a log followed from nothing but its tiles.

use std::cell::RefCell;
use std::collections::BTreeMap;

use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::proof::{
    ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion,
};
use countersign_ledger::tile::{
    Content, Tile, TileError, TileNodes, TileNodesError, read_entries, read_hashes, write_entries,
    write_hashes,
};
use countersign_ledger::tree::CompactRange;
use proptest::prelude::*;
use tlog_tiles::tlog;

/// A published log: the bytes behind every path of its tiles, for every size it ever had.
#[derive(Default)]
struct Published {
    files: BTreeMap<String, Vec<u8>>,
    tree: CompactRange,
    nodes: BTreeMap<(u8, u64), Hash>,
    roots: Vec<Hash>,
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

impl Published {
    /// A log that grew one step for each size.
    fn grown(sizes: &[u64]) -> Self {
        let mut log = Self::default();
        log.roots.push(log.tree.root());
        for size in sizes {
            log.grow(*size);
        }
        log
    }

    fn grow(&mut self, size: u64) {
        let old = self.tree.size();
        for number in old..size {
            self.tree.push_with(leaf_hash(&entry(number)), |level, index, hash| {
                self.nodes.insert((level, index), hash);
            });
            self.roots.push(self.tree.root());
        }
        for tile in Tile::added(Content::Entries, old, size) {
            let entries: Vec<Vec<u8>> = tile.places().map(entry).collect();
            self.files.insert(tile.to_string(), write_entries(entries.iter().map(Vec::as_slice)).unwrap());
        }
        for level in 0..3 {
            for tile in Tile::added(Content::Hashes { level }, old, size) {
                let hashes: Vec<Hash> = tile.places().map(|place| self.nodes[&(level * 8, place)]).collect();
                self.files.insert(tile.to_string(), write_hashes(&hashes));
            }
        }
    }

    fn root(&self, size: u64) -> Hash {
        self.roots[usize::try_from(size).unwrap()]
    }

    fn fetch(&self, tile: &Tile) -> Result<Vec<u8>, String> {
        self.files.get(&tile.to_string()).cloned().ok_or_else(|| format!("404 {tile}"))
    }
}

#[test]
fn a_log_is_followed_from_tiles_alone() {
    let sizes = [1, 2, 255, 256, 257, 300, 511, 512, 700, 66_000];
    let log = Published::grown(&sizes);
    for pair in sizes.windows(2) {
        let (old, new) = (pair[0], pair[1]);
        let nodes = TileNodes::new(|tile: &Tile| log.fetch(tile), new);
        let proof = consistency_proof(&nodes, old, new).unwrap();
        assert_eq!(verify_consistency(old, &log.root(old), new, &log.root(new), &proof), Ok(()));
        // The new entries, appended to what the follower knew, give the root that was signed.
        let mut known = CompactRange::read(&nodes, old).unwrap();
        assert_eq!(known.root(), log.root(old));
        for tile in Tile::added(Content::Entries, old, new) {
            let bytes = log.fetch(&tile).unwrap();
            let entries = read_entries(&tile, &bytes).unwrap();
            for (_, entry) in tile.places().zip(entries).filter(|(place, _)| *place >= old) {
                known.push(leaf_hash(entry));
            }
        }
        assert_eq!((known.size(), known.root()), (new, log.root(new)));
    }
}

#[test]
fn a_proof_asks_for_each_tile_once() {
    let log = Published::grown(&[66_000]);
    let asked = RefCell::new(Vec::new());
    let nodes = TileNodes::new(
        |tile: &Tile| {
            asked.borrow_mut().push(tile.to_string());
            log.fetch(tile)
        },
        66_000,
    );
    let proof = inclusion_proof(&nodes, 4_711, 66_000).unwrap();
    assert_eq!(verify_inclusion(leaf_hash(&entry(4_711)), 4_711, 66_000, &proof, &log.root(66_000)), Ok(()));
    let mut asked = asked.take();
    asked.sort();
    assert_eq!(asked, ["tile/0/018", "tile/0/257.p/208", "tile/1/000", "tile/1/001.p/1"]);
}

#[test]
fn damaged_and_missing_tiles_are_named() {
    let log = Published::grown(&[300]);
    let tile: Tile = "tile/0/001.p/44".parse().unwrap();
    let with = |bytes: Result<Vec<u8>, &'static str>| {
        let nodes = TileNodes::new(
            |wanted: &Tile| {
                if *wanted == tile { bytes.clone() } else { log.fetch(wanted).map_err(|_| "404") }
            },
            300,
        );
        inclusion_proof(&nodes, 299, 300)
    };
    let good = log.fetch(&tile).unwrap();
    assert_eq!(with(Err("gone")), Err(ProofError::Nodes(TileNodesError::Source { tile, error: "gone" })));
    for bytes in [0, 32 * 43, 32 * 44 - 1] {
        let error = TileError::Length { bytes };
        let expected = Err(ProofError::Nodes(TileNodesError::Malformed { tile, error }));
        assert_eq!(with(Ok(good[..bytes].to_vec())), expected);
    }
    let root = log.root(300);
    let holds = |proof: &[Hash]| verify_inclusion(leaf_hash(&entry(299)), 299, 300, proof, &root);
    assert_eq!(holds(&with(Ok(good.clone())).unwrap()), Ok(()));
    // A tile that lies gives a proof that does not hold.
    let mut lie = good;
    lie[7] ^= 1;
    assert_eq!(holds(&with(Ok(lie)).unwrap()), Err(ProofError::RootMismatch));
    let nodes = TileNodes::new(|tile: &Tile| log.fetch(tile), 300);
    let beyond = ProofError::Nodes(TileNodesError::NoSuchNode { level: 8, index: 1 });
    assert_eq!(inclusion_proof(&nodes, 0, 512), Err(beyond));
}

/// What the independent crate calls the same tile; its entries are at `data`, as in the Go checksum database.
fn their_path(tile: &Tile) -> String {
    tile.to_string().replacen("tile/entries/", "tile/data/", 1).replacen("tile/", "tile/8/", 1)
}

impl tlog_tiles::TileReader for &Published {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        let ours =
            |tile: &tlog_tiles::Tile| tile.path().replacen("tile/8/", "tile/", 1).parse::<Tile>().unwrap();
        Ok(tiles.iter().map(|tile| self.fetch(&ours(tile)).unwrap()).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn the_independent_crate_proves_from_our_tiles_what_we_prove() {
    let sizes = [1, 200, 256, 257, 512, 700, 66_000];
    let log = Published::grown(&sizes);
    for pair in sizes.windows(2) {
        let (old, new) = (pair[0], pair[1]);
        let reader = &log;
        let theirs = tlog_tiles::TileHashReader::new(new, tlog::Hash(log.root(new).0), &reader);
        let nodes = TileNodes::new(|tile: &Tile| log.fetch(tile), new);
        let plain = |proof: Vec<Hash>| proof.into_iter().map(|hash| hash.0).collect::<Vec<_>>();
        let their_plain = |proof: Vec<tlog::Hash>| proof.into_iter().map(|hash| hash.0).collect::<Vec<_>>();
        let consistency = tlog::prove_tree(new, old, &theirs).unwrap();
        assert_eq!(their_plain(consistency), plain(consistency_proof(&nodes, old, new).unwrap()));
        for index in [0, old - 1, old, new - 1] {
            let inclusion = tlog::prove_record(new, index, &theirs).unwrap();
            assert_eq!(their_plain(inclusion), plain(inclusion_proof(&nodes, index, new).unwrap()));
        }
    }
}

proptest! {
    #[test]
    fn paths_agree_with_the_independent_crate(
        level in prop::option::of(0..=63_u8),
        index in prop_oneof![0..2000_u64, 0..2_000_000_000_u64, 0..=countersign_ledger::tile::MAX_INDEX],
        width in 1..=256_u16,
    ) {
        let content = level.map_or(Content::Entries, |level| Content::Hashes { level });
        let tile = Tile::new(content, index, width).unwrap();
        prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        let theirs = tlog_tiles::Tile::new(8, level.unwrap_or(0), index, u32::from(width), level.is_none());
        prop_assert_eq!(their_path(&tile), theirs.path());
        prop_assert_eq!(tlog_tiles::Tile::from_path(&theirs.path()).unwrap(), theirs);
    }

    #[test]
    fn what_we_read_as_a_path_they_read_too(path in r"tile/(0|1|63|64|00|entries)/(x?[0-9]{2,4}/){0,2}[0-9]{3}(\.p/[0-9]{1,3})?") {
        if let Ok(tile) = path.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), &*path);
            prop_assert!(tlog_tiles::Tile::from_path(&their_path(&tile)).is_ok(), "{}", path);
        }
    }

    #[test]
    fn tiles_of_a_tree_are_the_ones_the_independent_crate_lists(old in 0..140_000_u64, more in 0..70_000_u64) {
        let new = old + more;
        let ours: Vec<String> = (0..4)
            .flat_map(|level| Tile::added(Content::Hashes { level }, old, new))
            .map(|tile| their_path(&tile))
            .collect();
        let mut ours = ours;
        let mut theirs: Vec<String> =
            tlog_tiles::Tile::new_tiles(8, old, new).iter().map(tlog_tiles::Tile::path).collect();
        ours.sort();
        theirs.sort();
        prop_assert_eq!(ours, theirs);
        for tile in Tile::added(Content::Entries, old, new) {
            prop_assert!(tile.is_within(new) && !tile.is_within(old));
        }
    }

    #[test]
    fn bundles_and_tiles_are_read_back_and_nothing_else_is(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256),
        cut in any::<prop::sample::Index>(),
    ) {
        let width = u16::try_from(entries.len()).unwrap();
        let tile = Tile::new(Content::Entries, 3, width).unwrap();
        let bytes = write_entries(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(read_entries(&tile, &bytes).unwrap(), entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(read_entries(&tile, &bytes[..cut.index(bytes.len())]), Err(TileError::Truncated));
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(read_entries(&tile, &longer), Err(TileError::Trailing));
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let level = Tile::new(Content::Hashes { level: 0 }, 3, width).unwrap();
        prop_assert_eq!(read_hashes(&level, &write_hashes(&hashes)), Ok(hashes));
    }
}
