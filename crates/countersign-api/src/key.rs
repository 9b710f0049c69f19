//! The keys that sign the log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Puts the node's next key in force: the one its configuration names as `next_log_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateLogKey {
    /// An approval of `rotate log-key/main control` with the parameters `{"new_key": …}`, the next key as a vkey.
    pub approval: String,
}

/// Every key the log ever had. Nothing here has to be believed: `leaf_text` and the checkpoints say it all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogKeys {
    /// The log's origin line.
    pub origin: String,
    /// The keys, the first one first and the one in force last.
    pub keys: Vec<LogKey>,
}

/// A key of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogKey {
    /// The key as a C2SP vkey.
    pub key: String,
    /// The index of the entry that names it.
    pub entry: u64,
    /// The least size of a checkpoint that it may sign.
    pub from_size: u64,
    /// The largest size of a checkpoint that it may sign. Absent for the key in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_size: Option<u64>,
    /// The exact bytes of that entry's leaf.
    pub leaf_text: String,
    /// What it and the key before it have signed, as a C2SP signed note. Absent for the first key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<String>,
}
