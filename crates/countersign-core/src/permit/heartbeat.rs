//! Heartbeats: where the rules ask for them, a permit under way must say so again and again, or it counts as unknown at once and not
//! only at the end of its time.
//!
//! A beat moves the deadline, so it is an event. So that a fast drummer does not fill the log, a beat within the first third of the
//! interval is taken and not written down: what is on record still holds for two thirds of it.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Permit, Refusal, Status};
use crate::context::Context;
use crate::domain::{Event, Fact};
use crate::id::PermitId;
use crate::state::State;
use crate::time::Time;

/// `permit.heartbeat`: the work goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Until when the executor must say so again, or say how it ended.
    pub next_by: Time,
}

/// Before this time another beat says nothing new.
fn quiet_until(next_by: Time, interval: NonZeroU32) -> Time {
    let millis = i64::from(interval.get()) * 1000;
    next_by.plus_millis(millis / 3 - millis)
}

pub(crate) fn beat(state: &State, cx: &Context, id: PermitId) -> Result<Vec<Event>, Refusal> {
    let permit = state.permit(id).ok_or(Refusal::NotFound)?;
    permit.held_by(state, cx)?;
    if permit.rotation.is_some() {
        return Err(Refusal::UseRotation);
    }
    match permit.status_at(cx.now) {
        Status::Started => Ok(due(permit, cx).into_iter().collect()),
        Status::Reserved => Err(Refusal::NotStarted),
        ended => Err(Refusal::of_ended(ended)),
    }
}

/// The event, where the rules ask for beats and the last one is not fresh.
fn due(permit: &Permit, cx: &Context) -> Option<Event> {
    let (interval, next_by) = permit.heartbeat_seconds.zip(permit.next_by)?;
    let next_by = (cx.now >= quiet_until(next_by, interval)).then(|| cx.now.plus_seconds(interval.get()))?;
    Some(permit.event(cx, Fact::PermitHeartbeat(permit.id, Heartbeat { next_by })))
}
