//! Whether witnesses saw the checkpoint too: only then is it shown that everybody else is shown the same history.

use countersign_ledger::checkpoint::Cosigned;
use countersign_ledger::keys::KeyHistory;
use countersign_ledger::note::VerifierKey;
use countersign_ledger::witness::Policy;

use super::{Check, Lie};
use crate::bundle::Bundle;

/// Checks the cosignatures against a policy that came from outside; a quorum that is demanded and not met is no evidence.
pub(super) fn check(bundle: &Bundle, keys: &KeyHistory, policy: Option<&Policy>) -> Result<Check, Lie> {
    let what = "witnesses";
    let Some(policy) = policy else {
        let why = "no witnesses were named: the operator could show somebody else another history, signed by the same key";
        return Ok(Check::not_shown(what, why));
    };
    let lie = |error: &dyn std::fmt::Display| Lie::new(what, error);
    // That the right one of the log's keys signed was shown before.
    let log: Vec<VerifierKey> = keys.tenures().iter().map(|tenure| tenure.key.clone()).collect();
    let cosigned =
        Cosigned::open(&bundle.checkpoint, &log, &policy.witness_keys()).map_err(|error| lie(&error))?;
    let names: Vec<&str> = cosigned.cosigned_by.iter().map(|by| by.name.as_str()).collect();
    if !policy.is_met_by(&cosigned.cosigned_by) {
        let found = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        return Err(lie(&format!("the quorum of witnesses is not met: {found} cosigned the checkpoint")));
    }
    Ok(Check::holds(what, format!("the quorum is met: {} cosigned the checkpoint", names.join(", "))))
}
