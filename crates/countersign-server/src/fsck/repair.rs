//! Makes again what is derived: records, nodes, the snapshot. Evidence is never touched.
//!
//! All of it is one transaction: look, tell what will be done, do it, look again. It is kept only if nothing is wrong any more, so a
//! repair that is cut off or does not help changes nothing.

use super::{Mending, Nature, ProgressFn, Report, Request, examine};
use crate::store::StoreError;
use crate::store::sqlite::inspect::Purpose;
use crate::store::sqlite::{Sqlite, SqliteStore};

/// Why nothing was repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The store does not answer, or a server has it open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Evidence is damaged: what is derived from it would be derived from damage.
    #[error(
        "evidence is damaged, and what is derived cannot be made again from damaged evidence: nothing was changed"
    )]
    Evidence(Box<Report>),
    /// Something was still wrong afterwards.
    #[error("something would still be wrong after the repair: nothing was changed")]
    Remains(Box<Report>),
    /// Whoever was told what would be done did not want it.
    #[error("nothing was changed")]
    Declined,
}

/// Repairs what is derived. `announce` is told what is wrong before anything is changed, and says whether to go on.
///
/// # Errors
/// Nothing was changed, and why.
pub fn repair(
    request: &Request<'_>,
    announce: &mut dyn FnMut(&Report) -> bool,
    progress: &mut ProgressFn<'_>,
) -> Result<Report, RepairError> {
    let mut store = SqliteStore::open_existing(request.database)?;
    store.begin(Purpose::Mend)?;
    let outcome = within(&mut store, request, (announce, progress));
    store.end(outcome.is_ok())?;
    outcome
}

fn within<Role: Send>(
    store: &mut Sqlite<Role>,
    request: &Request<'_>,
    (announce, progress): (&mut dyn FnMut(&Report) -> bool, &mut ProgressFn<'_>),
) -> Result<Report, RepairError> {
    let before = examine(store, request, (Mending::No, progress))?;
    if before.count(Nature::Evidence) > 0 {
        return Err(RepairError::Evidence(Box::new(before)));
    }
    if before.is_clean() {
        return Ok(before);
    }
    if !announce(&before) {
        return Err(RepairError::Declined);
    }
    examine(store, request, (Mending::Yes, progress))?;
    let after = examine(store, request, (Mending::No, progress))?;
    if after.is_clean() { Ok(after) } else { Err(RepairError::Remains(Box::new(after))) }
}
