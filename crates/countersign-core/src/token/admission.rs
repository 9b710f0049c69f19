//! What a token is let do: it must be worth something now, the command must be one for tokens, and the action within its scopes.
//!
//! This comes before everything else a command is asked. Whatever a token is let do is then asked as of its owner.

use super::Refusal;
use crate::context::{Actor, Context};
use crate::domain::{Command, action_of};
use crate::id::PersonId;
use crate::sabotage::{self, Sabotage};
use crate::state::State;

pub(crate) fn admit(state: &State, cx: &Context, command: &Command) -> Result<(), Refusal> {
    let Actor::Token(id) = cx.actor else { return Ok(()) };
    let token = state.live_token(id, cx.now)?;
    match command {
        Command::Approve(_) | Command::Deny(_) | Command::RevokeVote(_) => return Err(Refusal::NeverVotes),
        // Whose it is, and what it gives away, is asked where it is decided.
        Command::ExchangeToken(_) | Command::RevokeToken(_) => return Ok(()),
        Command::RequestApproval(_)
        | Command::Withdraw(_)
        | Command::ReservePermit(_)
        | Command::StartPermit(_)
        | Command::ReleasePermit(_)
        | Command::FinishPermit(_)
        | Command::KeepPermitAlive(_)
        | Command::StartRotation(_) => {}
        _ => return Err(Refusal::NotForTokens),
    }
    // What does not exist is said by whoever would have done it.
    match action_of(state, command) {
        Some(action) if !token.may(&action) && !sabotage::is_active(Sabotage::OutOfScope) => {
            Err(Refusal::OutOfScope)
        }
        _ => Ok(()),
    }
}

impl State {
    /// The person who acts, by themselves or by a token of theirs.
    #[must_use]
    pub fn principal(&self, actor: Actor) -> Option<PersonId> {
        match actor {
            Actor::Person(person) => Some(person),
            Actor::Token(token) => self.token(token).map(|token| token.owner),
            Actor::Node => None,
        }
    }
}
