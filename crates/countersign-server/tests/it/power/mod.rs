//! I6: an acknowledged append survives crash and power cut.
//!
//! A child is killed again and again, at each sync in turn and never by time. After a power cut only what it had synced is left. Each
//! time every permit that was ever acknowledged must be found and the log must verify. Two sabotages show that a loss would be noticed.

use std::collections::BTreeSet;

use countersign_server::engine::Engine;
use countersign_server::store::sqlite::SqliteStore;

use self::disk::{Disk, End, Shim};
use crate::child::Child;
use crate::engine::fixture;

pub(crate) mod child;
mod disk;

/// Permits reserved at once.
const WAVE: usize = 16;

/// Waves of a round that nothing interrupts.
const WAVES: usize = 6;

/// Goes on from a disk until the end comes. Gives the permits that were acknowledged, and the disk as it is afterwards.
fn round(disk: Disk, (end, shim): (End, &Shim), sabotage: Option<&str>) -> (Vec<String>, Disk) {
    let (mut child, shadow) = match end {
        End::Killed => (disk.child(sabotage), None),
        End::PowerCut(syncs) => {
            let (child, shadow) = disk.child_with_power((shim, syncs), sabotage);
            (child, Some(shadow))
        }
    };
    let mut said = Vec::new();
    // Before the child is ready nothing can have been acknowledged, and if the power is cut by then it hears no orders.
    if listen(&mut child, &mut said) == "ready" {
        for _ in 0..WAVES {
            child.order(&format!("reserve {WAVE}"));
            if listen(&mut child, &mut said) == "cut" {
                break;
            }
        }
        if shadow.is_some() {
            child.order("end");
            while listen(&mut child, &mut said) != "bye" {}
        } else {
            // Killed in the middle: some of these are acknowledged by then, some are not.
            child.order(&format!("reserve {WAVE}"));
            said.extend(child.line());
        }
    }
    said.extend(child.kill());
    let acknowledged = said.iter().filter_map(|line| line.strip_prefix("permit ")).map(str::to_owned);
    (acknowledged.collect(), shadow.map_or(disk, |shadow| Disk::of_shadow(shadow.path())))
}

/// Takes the child's lines up to one that is not about a reservation.
fn listen(child: &mut Child, said: &mut Vec<String>) -> String {
    loop {
        let line = child.line().expect("the child lives until it is killed");
        if !line.starts_with("permit ") && !line.starts_with("unavailable ") {
            return line;
        }
        said.push(line);
    }
}

/// Which of the acknowledged permits a restart does not find. Looks at a copy, so that looking repairs nothing.
fn lost(disk: &Disk, acknowledged: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    let copy = disk.copy();
    let open = || SqliteStore::open(copy.path().join("ledger.db")).map_err(|error| error.to_string());
    let engine = Engine::start(Box::new(open()?), child::options(copy.path()));
    let engine = engine.map_err(|error| error.to_string())?;
    let (wanted, has_genesis) = (acknowledged.clone(), engine.state().log().is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let missing = runtime.block_on(engine.read(move |reader| {
        let mut missing = BTreeSet::new();
        for id in wanted {
            if reader.record("permit", &id)?.is_none() || reader.entries_of(&id, 0, 1)?.is_empty() {
                missing.insert(id);
            }
        }
        Ok(missing)
    }));
    runtime.block_on(engine.stop());
    drop(engine);
    if has_genesis {
        // Not its meaning: where the cut comes between genesis and Ana's claim, the child goes on acting for her.
        fixture::verify_bytes(&mut open()?);
    }
    missing.map_err(|error| error.to_string())
}

/// Plays rounds, each from what the one before left. Counts what was acknowledged, or says how much of it was lost and when.
fn rounds(ends: impl Iterator<Item = End>, sabotage: Option<&str>) -> Result<usize, String> {
    let (shim, mut disk, mut acknowledged) = (Shim::compile(), Disk::new(), BTreeSet::new());
    for end in ends {
        let (more, left) = round(disk, (end, &shim), sabotage);
        acknowledged.extend(more);
        disk = left;
        let missing = lost(&disk, &acknowledged).map_err(|why| format!("{end:?}: {why}"))?;
        if !missing.is_empty() {
            return Err(format!("{end:?}: lost {} of {} permits", missing.len(), acknowledged.len()));
        }
    }
    Ok(acknowledged.len())
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let acknowledged = rounds((0..10).map(|_| End::Killed), None).expect("nothing is lost");
    assert!(acknowledged > 10 * WAVES * WAVE, "each round has a part of a wave beyond: {acknowledged}");
}

#[test]
fn a_power_cut_at_any_sync_loses_nothing_that_was_acknowledged() {
    // From the very first sync, when not even the database exists, to the middle of the appends.
    let acknowledged = rounds((0..24).map(End::PowerCut), None).expect("nothing is lost");
    assert!(acknowledged > WAVE, "some rounds come as far as acknowledging: {acknowledged}");
}

#[test]
fn a_full_disk_refuses_and_says_so_and_with_space_it_goes_on() {
    let (shim, disk) = (Shim::compile(), Disk::new());
    let (mut child, shadow) = disk.child_with_power((&shim, u32::MAX), None);
    let full = shadow.path().join("full");
    let reserve = |child: &mut Child| {
        let mut said = Vec::new();
        child.order(&format!("reserve {WAVE}"));
        assert_eq!(listen(child, &mut said), "done");
        assert_eq!(said.len(), WAVE);
        said
    };
    assert_eq!(listen(&mut child, &mut Vec::new()), "ready");
    let mut permits = reserve(&mut child);
    std::fs::write(&full, "").expect("a file");
    for said in reserve(&mut child) {
        let why = "unavailable the store is unavailable: the disk is full: free space for the data folder";
        assert_eq!(said, why);
    }
    std::fs::remove_file(full).expect("removed");
    permits.extend(reserve(&mut child));
    permits.extend(child.kill());
    let acknowledged = permits.iter().filter_map(|line| line.strip_prefix("permit ")).map(str::to_owned);
    let acknowledged: BTreeSet<String> = acknowledged.collect();
    assert_eq!(acknowledged.len(), 2 * WAVE);
    assert_eq!(lost(&Disk::of_shadow(shadow.path()), &acknowledged), Ok(BTreeSet::new()));
}

#[cfg(feature = "sabotage")]
#[test]
fn without_waiting_for_the_disk_acknowledged_permits_are_lost() {
    let lost = rounds((0..4).map(|nth| End::PowerCut(100 + nth)), Some("synchronous-off"));
    assert!(lost.is_err_and(|why| why.contains("lost")), "the sabotage was not noticed");
}

#[cfg(feature = "sabotage")]
#[test]
fn acknowledged_before_the_disk_has_them_permits_are_lost() {
    let lost = rounds((0..24).map(End::PowerCut), Some("early-acknowledge"));
    assert!(lost.is_err_and(|why| why.contains("lost")), "the sabotage was not noticed");
}
