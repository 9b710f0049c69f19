//! Binding parameters: the salt and the clear text live in details, only the salted digest is in the ledger.

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, BreakGlassId, PermitId};
use countersign_ledger::hash::Hash;
use countersign_ledger::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::problem::Rejected;
use super::random;
use crate::engine::Engine;
use crate::store::{Reader, StoreError};

/// The details beside a request or a permit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bound {
    /// The arguments, in clear.
    pub parameters: Value,
    /// 32 bytes, hexadecimal.
    pub parameters_salt: Hash,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Bound {
    /// Binds parameters under a fresh salt.
    pub(super) fn fresh(parameters: Value, reason: Option<String>) -> Result<Self, Rejected> {
        Self::under(Hash(*random::bytes()?), parameters, reason)
    }

    /// Binds parameters under a known salt.
    pub(super) fn under(salt: Hash, parameters: Value, reason: Option<String>) -> Result<Self, Rejected> {
        if parameters.is_object() {
            return Ok(Self { parameters, parameters_salt: salt, reason });
        }
        Err(Rejected::malformed("`parameters` must be an object"))
    }

    /// The salted digest.
    pub(super) fn digest(&self) -> Result<Digest, Rejected> {
        let canonical = json::to_canonical(&self.parameters).map_err(Rejected::malformed)?;
        Ok(Digest::salted(&self.parameters_salt.0, &canonical))
    }

    /// The details to keep.
    pub(super) fn details(&self) -> Result<Vec<u8>, Rejected> {
        json::to_canonical(self).map_err(Rejected::malformed)
    }

    /// What was bound when the subject began; none if there is no such subject or its details were redacted.
    pub(super) async fn of(engine: &Engine, subject: String) -> Result<Option<Self>, Rejected> {
        let first = engine.read(move |reader| first_detailed(reader, &subject)).await?;
        Ok(first.and_then(|(_, details)| serde_json::from_slice(&details).ok()))
    }

    /// What a permit is for. Where the glass was broken for it, that stands beside the breaking, which bears the same number.
    pub(super) async fn of_permit(engine: &Engine, permit: PermitId) -> Result<Option<Self>, Rejected> {
        match Self::of(engine, permit.to_string()).await? {
            Some(bound) => Ok(Some(bound)),
            None => Self::of(engine, BreakGlassId(permit.0).to_string()).await,
        }
    }
}

/// The digest of the parameters under the salt of the approval that they are to be used with.
///
/// Where nothing can be known of the approval, no salt fits: whether it exists, and what it is for, is for the rules to say.
pub(super) async fn bound(
    engine: &Engine,
    approval: ApprovalId,
    parameters: Value,
) -> Result<Digest, Rejected> {
    let approved = Bound::of(engine, approval.to_string()).await?;
    let salt = approved.map_or(Hash([0; 32]), |approved| approved.parameters_salt);
    Bound::under(salt, parameters, None)?.digest()
}

/// The same for an approval that only some rules demand.
pub(super) async fn under(
    engine: &Engine,
    approval: Option<&str>,
    parameters: Value,
) -> Result<Option<(ApprovalId, Digest)>, Rejected> {
    let Some(approval) = approval else { return Ok(None) };
    let approval: ApprovalId = approval.parse().map_err(Rejected::malformed)?;
    Ok(Some((approval, bound(engine, approval, parameters).await?)))
}

/// The leaf of an entry and the details beside it.
type Detailed = (Vec<u8>, Vec<u8>);

/// The entry that begins the subject, with its details; none if there is no such subject or they were redacted.
pub(super) fn first_detailed(reader: &mut dyn Reader, subject: &str) -> Result<Option<Detailed>, StoreError> {
    let Some(first) = reader.entries_of(subject, 0, 1)?.into_iter().next() else { return Ok(None) };
    Ok(reader.details(first.index)?.map(|details| (first.leaf, details.body)))
}

/// The details of a reason, if one was given.
pub(super) fn reason(reason: Option<&str>) -> Result<Option<Vec<u8>>, Rejected> {
    let kept = reason.map(|reason| json::to_canonical(&serde_json::json!({ "reason": reason })));
    kept.transpose().map_err(Rejected::malformed)
}
