//! The auditor's own table of a rotation's stages, as `docs/concepts/rotation.md` has it.

use crate::rotation::{Stage, Step};

/// With whom a step is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    EachConsumer,
    TheSigner,
    TheStore,
}

/// How long a stage rests before anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Not,
    Dwell,
    Overlap,
}

/// A stage, how long it rests, what it owes, and where that leads.
pub(super) struct Row {
    pub stage: Stage,
    pub rest: Rest,
    pub owes: &'static [(Step, With)],
    pub next: Stage,
}

#[rustfmt::skip]
const TABLE: [Row; 13] = {
    use With::{EachConsumer, TheSigner, TheStore};
    const fn row(stage: Stage, rest: Rest, owes: &'static [(Step, With)], next: Stage) -> Row {
        Row { stage, rest, owes, next }
    }
    [
        row(Stage::Started, Rest::Not, &[(Step::CreatePending, TheStore)], Stage::PendingCreated),
        row(Stage::PendingCreated, Rest::Dwell, &[(Step::Distribute, EachConsumer)], Stage::Distributed),
        row(Stage::Distributed, Rest::Dwell, &[(Step::Test, EachConsumer)], Stage::Tested),
        row(Stage::Tested, Rest::Dwell, &[(Step::Switch, TheSigner), (Step::Promote, TheStore)], Stage::Promoted),
        row(Stage::Promoted, Rest::Dwell, &[], Stage::Overlap),
        row(Stage::Overlap, Rest::Overlap, &[(Step::RevokeOld, EachConsumer)], Stage::OldRevoked),
        row(Stage::OldRevoked, Rest::Dwell, &[(Step::ProveRefused, EachConsumer)], Stage::OldProvedRefused),
        row(Stage::OldProvedRefused, Rest::Dwell, &[(Step::DestroyOld, TheStore)], Stage::Closed),
        row(Stage::Aborting, Rest::Not, &[(Step::WithdrawNew, EachConsumer)], Stage::Withdrawn),
        row(Stage::Withdrawn, Rest::Not, &[(Step::DeleteNew, TheStore)], Stage::Aborted),
        row(Stage::SwappingBack, Rest::Not, &[(Step::SwitchBack, TheSigner), (Step::Demote, TheStore)], Stage::SwitchedBack),
        row(Stage::SwitchedBack, Rest::Overlap, &[(Step::WithdrawNew, EachConsumer)], Stage::NewWithdrawn),
        row(Stage::NewWithdrawn, Rest::Not, &[(Step::DeleteNew, TheStore)], Stage::SwappedBack),
    ]
};

/// The row of a stage; none for one in which a rotation ends.
pub(super) fn row(stage: Stage) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.stage == stage)
}

/// How often a rotation that is closed has rested for its dwell.
pub(super) fn dwells() -> i64 {
    let (mut stage, mut dwells) = (Stage::Started, 0);
    while let Some(row) = row(stage) {
        dwells += i64::from(row.rest == Rest::Dwell);
        stage = row.next;
    }
    dwells
}
