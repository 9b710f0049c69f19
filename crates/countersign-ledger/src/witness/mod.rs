//! Witnesses (c2sp.org/tlog-witness v1.0.0): they cosign a log's checkpoints as long as each continues the
//! one before, so that a log cannot show different histories to different people.
//!
//! `request` is what a log sends, `judgement` what a witness answers. Nothing is sent or stored here: a witness must compare and store in one step, before it answers.

mod judgement;
mod request;

pub use judgement::{
    Cosignable, Known, Objection, SIZE_MEDIA_TYPE, Seen, checkpoint_path, judge, parse_size_body, size_body,
};
pub use request::{AddCheckpoint, MAX_PROOF, RequestError};
