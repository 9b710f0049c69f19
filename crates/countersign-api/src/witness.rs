//! The log's witnesses.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the log's witnesses fare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Witnesses {
    /// How many of them are enough, as the node is configured: `none`, `any`, `all`, `2 of 3`.
    pub policy: String,
    /// Entries of the last signed checkpoint.
    pub signed_size: u64,
    /// Entries of the latest checkpoint that enough witnesses have cosigned; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed_size: Option<u64>,
    /// Each of them, in the order of the configuration.
    pub witnesses: Vec<Witness>,
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Witness {
    /// What the node calls it.
    pub name: String,
    /// Its public key, as a vkey.
    pub vkey: String,
    /// Entries of the last checkpoint it is known to have cosigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned_size: Option<u64>,
    /// When, as the witness says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned_at: Option<String>,
    /// How many signed entries it has not cosigned.
    pub lag: u64,
    /// Since when it is asked in vain; absent if it answered the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    /// What was wrong the last time it was asked in vain, also when that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When the log said that it is lost; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_since: Option<String>,
}
