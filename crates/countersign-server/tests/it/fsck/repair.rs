//! What is derived is made again exactly as it was; evidence stands, and nothing is done by halves.

use countersign_server::fsck::{self, RepairError, Report};
use countersign_server::store::StoreError;
use countersign_server::store::sqlite::SqliteStore;

use super::ground::Ground;

fn repair(ground: &Ground) -> Result<Report, RepairError> {
    ground.with(|request| fsck::repair(request, &mut |_| true, &mut |_| ()))
}

/// Each derived thing is damaged in every way at once.
const DAMAGE: &str = "
    DELETE FROM nodes WHERE idx = 1;
    UPDATE nodes SET hash = zeroblob(32) WHERE idx = 0;
    INSERT INTO nodes VALUES (8, 77, zeroblob(32)), (3, 0, zeroblob(32)), (8, -4, zeroblob(32));
    UPDATE records SET seq = seq + 1 WHERE kind = 'approval';
    UPDATE records SET status = 'reserved', body = x'7b7d' WHERE kind = 'permit';
    DELETE FROM records WHERE kind IN ('incident', 'person', 'log', 'policy');
    INSERT INTO records VALUES ('approval', 'apr_x', 1, 'pending', x'7b7d'), ('nothing', 'log', 1, 'x', x'00');
    UPDATE snapshot SET state = x'00', root = zeroblob(32);
";

#[test]
fn what_is_derived_is_made_again_exactly_as_it_was() {
    let ground = Ground::new();
    let before = ground.contents();
    ground.sql(DAMAGE);
    assert_ne!(ground.contents(), before);
    let mut announced = None;
    let repaired = ground.with(|request| {
        let announce = &mut |report: &Report| {
            announced = Some(report.clone());
            true
        };
        fsck::repair(request, announce, &mut |_| ())
    });
    assert!(repaired.expect("repaired").is_clean());
    assert!(!announced.expect("what will be done is told first").is_clean());
    let after = ground.contents();
    let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert!(changed.is_empty() && before.len() == after.len(), "{changed:?}");
}

#[test]
fn a_snapshot_of_what_is_not_there_is_forgotten() {
    let ground = Ground::new();
    ground.sql("UPDATE snapshot SET size = size + 1000");
    assert!(repair(&ground).expect("repaired").is_clean());
    assert_eq!(ground.number("SELECT count(*) FROM snapshot"), 0);
}

#[test]
fn nothing_is_made_again_from_damaged_evidence() {
    let ground = Ground::new();
    ground.sql(DAMAGE);
    ground.sql("DELETE FROM details WHERE idx = (SELECT min(idx) FROM details)");
    let before = ground.contents();
    assert!(matches!(repair(&ground), Err(RepairError::Evidence(_))));
    assert_eq!(ground.contents(), before);
}

#[test]
fn nothing_is_changed_without_leave_or_while_somebody_writes() {
    let ground = Ground::new();
    ground.sql(DAMAGE);
    let before = ground.contents();
    let declined = ground.with(|request| fsck::repair(request, &mut |_| false, &mut |_| ()));
    assert!(matches!(declined, Err(RepairError::Declined)));
    assert_eq!(ground.contents(), before);
    let writer = SqliteStore::open(ground.database()).expect("a server");
    assert!(matches!(repair(&ground), Err(RepairError::Store(StoreError::Unavailable(_)))));
    assert_eq!(ground.contents(), before);
    drop(writer);
    assert!(repair(&ground).expect("repaired").is_clean());
    assert!(repair(&ground).expect("there is nothing to repair").is_clean());
}
