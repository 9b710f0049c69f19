//! What is done without a permit, in the same decision as it is checked, and uses its approval if the rules demand one.

use alloc::vec::Vec;

use super::{Checked, Demand, Refusal, check};
use crate::action::Action;
use crate::approval::Consumed;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, CorrelationId};
use crate::policy::{Issuable, Requirement};
use crate::state::State;

/// Something that may be done now, and the approval that it uses.
pub(crate) struct AtOnce {
    action: Action,
    approval: Option<ApprovalId>,
    correlation: CorrelationId,
    requirement: Option<Requirement>,
}

impl AtOnce {
    /// What somebody does in their own right, and asks no rule for.
    pub(crate) fn by_right(cx: &Context, action: Action) -> Self {
        Self { action, approval: None, correlation: cx.correlation, requirement: None }
    }

    /// Checks everything that is checked when a permit is reserved.
    pub(crate) fn check(
        state: &State,
        cx: &Context,
        action: Action,
        under: impl Into<Option<(ApprovalId, Digest)>>,
    ) -> Result<Self, Refusal> {
        let (approval, parameters_sha256) = under.into().unzip();
        // Without an approval nothing is bound to parameters.
        let parameters_sha256 = parameters_sha256.unwrap_or(Digest([0; 32]));
        let demand = Demand { action: &action, parameters_sha256, approval, exceptions: &[] };
        let Checked { requirement, correlation, .. } = check(state, cx, &demand)?;
        Ok(Self { action, approval, correlation, requirement: Some(requirement) })
    }

    /// What the rules offer for a service token that is issued under them.
    pub(crate) fn tokens(&self) -> Option<&Issuable> {
        self.requirement.as_ref().and_then(|requirement| requirement.tokens.as_ref())
    }

    /// That the approval is used, if there is one, and this is what for.
    pub(crate) fn events(&self, cx: &Context, fact: Fact) -> Vec<Event> {
        let consumed = self.approval.map(|id| Fact::ApprovalConsumed(id, Consumed { permit: None }));
        let event = |fact| Event::new(cx, self.correlation, Some(&self.action.environment), fact);
        consumed.into_iter().chain([fact]).map(event).collect()
    }
}
