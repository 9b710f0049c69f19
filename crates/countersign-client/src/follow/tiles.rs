//! Fetches tiles as they are needed, and computes from them. What they hold is only believed as far as it leads to a signed root.

use std::collections::BTreeMap;
use std::fmt;

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::proof::{ProofError, consistency_proof};
use countersign_ledger::tile::{
    Content, FULL_WIDTH, Tile, TileError, TileNodes, TileNodesError, read_entries, read_hashes,
    write_entries, write_hashes,
};
use countersign_ledger::tree::CompactRange;

use super::{FollowError, Follower};
use crate::ClientError;
use crate::transport::Call;

/// What a computation over tiles says when it needs one that was not fetched yet.
#[derive(Debug)]
struct Wanted;

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was not fetched yet")
    }
}

type Fetched = BTreeMap<Tile, Vec<u8>>;
type NodesError = TileNodesError<Wanted>;

impl Follower {
    /// The tree of the first `old` entries, and the proof that the tree of `new` entries begins with it.
    pub(super) async fn consistency(
        &self,
        old: u64,
        new: u64,
    ) -> Result<(CompactRange, Vec<Hash>), FollowError> {
        self.computed(new, |nodes| {
            let tree = CompactRange::read(nodes, old).map_err(ProofError::Nodes)?;
            Ok((tree, consistency_proof(nodes, old, new)?))
        })
        .await
    }

    /// Fetches every entry after the old checkpoint: together with the tree before them they must give the signed root.
    pub(super) async fn check_entries(
        &self,
        old: Option<&Checkpoint>,
        new: &Checkpoint,
    ) -> Result<(), FollowError> {
        let known = old.map_or(0, |old| old.size);
        let mut tree = self
            .computed(new.size, |nodes| CompactRange::read(nodes, known).map_err(ProofError::Nodes))
            .await?;
        for tile in Tile::added(Content::Entries, known, new.size) {
            let bytes = self.fetch(&tile).await?;
            let unfit = |error: TileError| self.unfit(new.size, format!("`{tile}`: {error}"));
            let entries = read_entries(&tile, &bytes).map_err(unfit)?;
            let fresh = tile.places().zip(entries).filter(|(index, _)| *index >= known);
            fresh.for_each(|(_, entry)| tree.push(leaf_hash(entry)));
        }
        if tree.root() == new.root {
            Ok(())
        } else {
            Err(self.unfit(new.size, "its entries do not give the signed root".into()))
        }
    }

    /// Computes over the nodes of a tree, fetching each tile when it is first asked for.
    async fn computed<T>(
        &self,
        size: u64,
        compute: impl Fn(
            &TileNodes<&dyn Fn(&Tile) -> Result<Vec<u8>, Wanted>>,
        ) -> Result<T, ProofError<NodesError>>,
    ) -> Result<T, FollowError> {
        let mut fetched = Fetched::new();
        loop {
            let source = |tile: &Tile| fetched.get(tile).cloned().ok_or(Wanted);
            match compute(&TileNodes::new(&source, size)) {
                Ok(computed) => return Ok(computed),
                Err(ProofError::Nodes(TileNodesError::Source { tile, .. })) => {
                    let bytes = self.fetch(&tile).await?;
                    fetched.insert(tile, bytes);
                }
                Err(error) => return Err(self.unfit(size, error.to_string())),
            }
        }
    }

    /// A tile, or the part of its full successor that it was: logs may drop partial tiles once they are full.
    async fn fetch(&self, tile: &Tile) -> Result<Vec<u8>, FollowError> {
        let found = self.get(tile).await;
        if tile.is_full() || !matches!(&found, Err(error) if error.is_not_found()) {
            return Ok(found?);
        }
        let Ok(full) = Tile::new(tile.content(), tile.index(), FULL_WIDTH) else {
            return Ok(found?);
        };
        let bytes = self.get(&full).await?;
        beginning(&bytes, (&full, tile))
            .map_err(|error| self.unfit(full.places().end, format!("`{full}`: {error}")))
    }

    async fn get(&self, tile: &Tile) -> Result<Vec<u8>, ClientError> {
        let path = tile.to_string();
        let segments: Vec<&str> = path.split('/').collect();
        self.transport.call(&Call::get(self.transport.url(&segments, &[]))).await
    }

    fn unfit(&self, size: u64, what: String) -> FollowError {
        FollowError::Unfit { size, what }
    }
}

/// The places of a partial tile, out of the full one.
fn beginning(bytes: &[u8], (full, partial): (&Tile, &Tile)) -> Result<Vec<u8>, TileError> {
    let width = usize::from(partial.width());
    match partial.content() {
        Content::Entries => write_entries(read_entries(full, bytes)?.into_iter().take(width)),
        Content::Hashes { .. } => {
            Ok(write_hashes(read_hashes(full, bytes)?.get(..width).unwrap_or_default()))
        }
    }
}
