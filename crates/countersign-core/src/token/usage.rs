//! That a token was used: counted elsewhere and written down now and then, not an entry per use.
//!
//! What a token does is on record anyway, as the actor of its own entries; this is about whether anybody uses it at all, and since when
//! nobody does. From where is kept beside the entry, as details.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Refusal, Token};
use crate::context::{Actor, Context};
use crate::domain::{Event, Fact};
use crate::id::TokenId;
use crate::state::State;
use crate::time::Time;

/// Writes down how often a token was used in a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteUse {
    /// Which.
    pub token: TokenId,
    /// How often, at least once.
    pub count: NonZeroU32,
    /// The first time.
    pub from: Time,
    /// The last time.
    pub until: Time,
}

/// `token.used`: by the node, of a token that is not on record as ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// How often.
    pub count: NonZeroU32,
    /// The first time, not before the last time that is on record.
    pub from: Time,
    /// The last time.
    pub until: Time,
}

pub(crate) fn note_use(state: &State, cx: &Context, note: &NoteUse) -> Result<Vec<Event>, Refusal> {
    let token = state.token(note.token).ok_or(Refusal::NotFound)?;
    if token.is_finished() || note.until >= token.expires_at {
        return Err(Refusal::Ended);
    }
    if cx.actor != Actor::Node {
        return Err(Refusal::NotTheNode);
    }
    // Whoever counts reads another clock than whoever writes: an entry's time never goes back, and may be a little ahead.
    let earliest = token.last_used.unwrap_or(token.issued_at);
    let from = note.from.max(earliest).min(cx.now);
    let until = note.until.min(cx.now).max(from);
    let fact = Fact::TokenUsed(note.token, Used { count: note.count, from, until });
    Ok(Vec::from([Event::new(cx, cx.correlation, Some(&token.environment), fact)]))
}

pub(super) fn apply(state: &mut State, (id, used): (TokenId, &Used)) {
    state.change::<Token>(&id, |token| {
        token.last_used = Some(used.until);
        token.uses = token.uses.saturating_add(u64::from(used.count.get()));
    });
}
