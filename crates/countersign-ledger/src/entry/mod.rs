//! The leaf of the ledger: one strict JSON object per event, whose exact bytes are hashed.
//!
//! `draft` writes leaves, `view` reads them, `rules` says what both accept. What the data of an event means is not
//! known here. The form (version 1), with its members in canonical order and `null` for what is absent:
//!
//! ```text
//! {"actor":…,"correlation":…,"data":{…},"details_sha256":…,"environment":…,"index":…,"kind":…,"subject":…,"subject_seq":…,"time":…,"v":1}
//! ```

mod draft;
mod error;
mod rules;
mod view;

pub use draft::{Draft, Place};
pub use error::EntryError;
pub(crate) use rules::check_name;
pub use view::EntryView;

/// The largest leaf in bytes: the entry bundles of C2SP tlog-tiles give its length two bytes.
pub const MAX_LEAF: usize = 65_535;

/// The largest index and tree size, 2^53-1: the index is a strict JSON integer.
pub const MAX_INDEX: u64 = (1 << 53) - 1;

/// The longest name (actor, correlation, environment, kind, subject) in bytes.
pub const MAX_NAME: usize = 255;

/// The `subject_seq` of a subject's first entry. A subject with `n` entries has used 1 to `n`.
pub const FIRST_SUBJECT_SEQ: u32 = 1;
