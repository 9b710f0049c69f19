//! The row of stages, as a table: in which stage which steps are owed, and where that leads.
//!
//! Forward: pending created, distributed, tested, promoted, overlap, old revoked, old proved refused, closed. Before anybody was told to
//! sign with the new key there is a way back by withdrawing it; afterwards by switching back first; once the old key is being
//! revoked there is only the way forward.

use serde::{Deserialize, Serialize};

/// Where a rotation is. Each word names what has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The rotation holds the secret; nothing was done yet.
    Started,
    /// The new version exists, sealed, and nobody uses it.
    PendingCreated,
    /// Every consumer accepts old and new.
    Distributed,
    /// Every consumer was seen to accept a request signed with the new key.
    Tested,
    /// The signer signs with the new key.
    Promoted,
    /// Old and new are accepted while what was signed with the old key arrives.
    Overlap,
    /// Every consumer was told to drop the old key.
    OldRevoked,
    /// Every consumer was seen to refuse the old key and accept the new one.
    OldProvedRefused,
    /// The old value is destroyed.
    Closed,
    /// Going back before promotion.
    Aborting,
    /// No consumer accepts the new key any more; going back before promotion.
    Withdrawn,
    /// The state before is restored; nobody ever signed with the new key.
    Aborted,
    /// Going back after promotion.
    SwappingBack,
    /// The signer signs with the old key again.
    SwitchedBack,
    /// No consumer accepts the new key any more; going back after promotion.
    NewWithdrawn,
    /// The state before is restored.
    SwappedBack,
}

/// What a stage owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Draw the new value and seal it as pending.
    CreatePending,
    /// Tell a consumer to accept the new key too.
    Distribute,
    /// See a consumer accept a request signed with the new key.
    Test,
    /// Tell the signer to sign with the new key.
    Switch,
    /// Make the new version current in the store.
    Promote,
    /// Tell a consumer to drop the old key.
    RevokeOld,
    /// See a consumer refuse the old key and accept the new one.
    ProveRefused,
    /// Destroy the old value.
    DestroyOld,
    /// Tell a consumer to drop the new key.
    WithdrawNew,
    /// Delete the new value.
    DeleteNew,
    /// Tell the signer to sign with the old key again.
    SwitchBack,
    /// Make the old version current in the store again.
    Demote,
}

/// With whom a step is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    /// With each consumer.
    Consumers,
    /// With the signer.
    Signer,
    /// With the secret store.
    Store,
}

/// How long a stage rests before its steps are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The policy's dwell.
    Dwell,
    /// The rotation's overlap.
    Overlap,
    /// Not at all: somebody is waiting for things to be as before.
    None,
}

/// One row of the table.
pub(super) struct Row {
    pub rest: Rest,
    pub steps: &'static [Step],
    pub next: Stage,
}

impl Stage {
    /// What the stage owes and where that leads; none for the last ones.
    #[rustfmt::skip]
    pub(super) fn row(self) -> Option<Row> {
        let row = |rest, steps, next| Some(Row { rest, steps, next });
        match self {
            Self::Started          => row(Rest::None,    &[Step::CreatePending],               Self::PendingCreated),
            Self::PendingCreated   => row(Rest::Dwell,   &[Step::Distribute],                  Self::Distributed),
            Self::Distributed      => row(Rest::Dwell,   &[Step::Test],                        Self::Tested),
            Self::Tested           => row(Rest::Dwell,   &[Step::Switch, Step::Promote],       Self::Promoted),
            Self::Promoted         => row(Rest::Dwell,   &[],                                  Self::Overlap),
            Self::Overlap          => row(Rest::Overlap, &[Step::RevokeOld],                   Self::OldRevoked),
            Self::OldRevoked       => row(Rest::Dwell,   &[Step::ProveRefused],                Self::OldProvedRefused),
            Self::OldProvedRefused => row(Rest::Dwell,   &[Step::DestroyOld],                  Self::Closed),
            Self::Aborting         => row(Rest::None,    &[Step::WithdrawNew],                 Self::Withdrawn),
            Self::Withdrawn        => row(Rest::None,    &[Step::DeleteNew],                   Self::Aborted),
            Self::SwappingBack     => row(Rest::None,    &[Step::SwitchBack, Step::Demote],    Self::SwitchedBack),
            Self::SwitchedBack     => row(Rest::Overlap, &[Step::WithdrawNew],                 Self::NewWithdrawn),
            Self::NewWithdrawn     => row(Rest::None,    &[Step::DeleteNew],                   Self::SwappedBack),
            Self::Closed | Self::Aborted | Self::SwappedBack => None,
        }
    }

    /// How often a rotation rests for the policy's dwell on its way forward.
    pub(super) fn dwells() -> i64 {
        let (mut stage, mut dwells) = (Self::Started, 0);
        while let Some(row) = stage.row() {
            dwells += i64::from(row.rest == Rest::Dwell);
            stage = row.next;
        }
        dwells
    }

    /// Whether the rotation ends here.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self, Self::Closed | Self::Aborted | Self::SwappedBack)
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::PendingCreated => "pending-created",
            Self::Distributed => "distributed",
            Self::Tested => "tested",
            Self::Promoted => "promoted",
            Self::Overlap => "overlap",
            Self::OldRevoked => "old-revoked",
            Self::OldProvedRefused => "old-proved-refused",
            Self::Closed => "closed",
            Self::Aborting => "aborting",
            Self::Withdrawn => "withdrawn",
            Self::Aborted => "aborted",
            Self::SwappingBack => "swapping-back",
            Self::SwitchedBack => "switched-back",
            Self::NewWithdrawn => "new-withdrawn",
            Self::SwappedBack => "swapped-back",
        }
    }

    /// Grows along every way a rotation can take.
    pub(super) fn ordinal(self) -> u64 {
        self as u64
    }
}

impl Step {
    pub(super) fn with(self) -> With {
        match self {
            Self::Distribute | Self::Test | Self::RevokeOld | Self::ProveRefused | Self::WithdrawNew => {
                With::Consumers
            }
            Self::Switch | Self::SwitchBack => With::Signer,
            Self::CreatePending | Self::Promote | Self::DestroyOld | Self::DeleteNew | Self::Demote => {
                With::Store
            }
        }
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatePending => "create-pending",
            Self::Distribute => "distribute",
            Self::Test => "test",
            Self::Switch => "switch",
            Self::Promote => "promote",
            Self::RevokeOld => "revoke-old",
            Self::ProveRefused => "prove-refused",
            Self::DestroyOld => "destroy-old",
            Self::WithdrawNew => "withdraw-new",
            Self::DeleteNew => "delete-new",
            Self::SwitchBack => "switch-back",
            Self::Demote => "demote",
        }
    }
}
