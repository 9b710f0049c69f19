//! Verifies a whole log, row by row, and stops at the first damage.
//!
//! It shows that every leaf is well formed, in its place and unchanged since the checkpoints were signed, that each was
//! signed by the key in force at its size, and that each subject's entries are gapless. It does not show that the events were *allowed* (that is `countersign-core`'s
//! audit), nor that times are true: they are the server's claim, checked only for order.
//!
//! Details may be absent only if a later entry says that they were deleted; which entries say so is the caller's to tell
//! ([`LogVerifier::redacted`]), since kinds of events are not known here.
//!
//! Memory does not grow with the number of entries. It grows with the number of *subjects*, 20 bytes plus map overhead
//! each, because a gap in a subject's sequence cannot be seen without knowing its last number, and with that of entries
//! that lack their details.

mod absences;
mod checkpoints;
mod damage;
mod log;
mod subjects;

pub use damage::{Damage, DamageKind, DetailsFault, LeafFault};
pub use log::{LogVerifier, Redactions, Row, StoredDetails, Trust, Verified};
