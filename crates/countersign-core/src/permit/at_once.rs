//! Approvals that are used without a permit: what was agreed to is done in the same decision.

use alloc::vec::Vec;

use super::{Demand, Refusal, check};
use crate::action::Action;
use crate::approval::Consumed;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, CorrelationId};
use crate::state::State;

/// An approval that may be used now, and for what.
pub(crate) struct AtOnce {
    action: Action,
    approval: ApprovalId,
    correlation: CorrelationId,
}

impl AtOnce {
    /// Checks everything that is checked when a permit is reserved.
    pub(crate) fn check(
        state: &State,
        cx: &Context,
        action: Action,
        (approval, parameters_sha256): (ApprovalId, Digest),
    ) -> Result<Self, Refusal> {
        let demand = Demand { action: &action, parameters_sha256, approval: Some(approval), exceptions: &[] };
        let correlation = check(state, cx, &demand)?.correlation;
        Ok(Self { action, approval, correlation })
    }

    /// That the approval is used, and this is what for.
    pub(crate) fn events(&self, cx: &Context, fact: Fact) -> Vec<Event> {
        let event = |fact| Event::new(cx, self.correlation, Some(&self.action.environment), fact);
        Vec::from([event(Fact::ApprovalConsumed(self.approval, Consumed { permit: None })), event(fact)])
    }
}
