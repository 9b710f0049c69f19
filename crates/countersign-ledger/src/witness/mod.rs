//! Witnesses (c2sp.org/tlog-witness v1.0.0 and tlog-policy): they cosign a log's checkpoints as long as each continues the
//! one before, so that a log cannot show different histories to different people.
//!
//! `request` is what a log sends, `judgement` what a witness answers, `policy` which witnesses are enough for whoever
//! believes a checkpoint. Nothing is sent or stored here: a witness must compare and store in one step, before it answers.

mod judgement;
mod policy;
mod policy_error;
mod request;

pub use judgement::{
    Cosignable, Known, Objection, SIZE_MEDIA_TYPE, Seen, checkpoint_path, judge, parse_size_body, size_body,
};
pub use policy::{Log, Policy, Quorum, Witness, Witnessed};
pub use policy_error::{PolicyError, PolicyFault};
pub use request::{AddCheckpoint, MAX_PROOF, RequestError};
