//! Votes that must be fresh: given by somebody who has just proved that they are there, for exactly this request.
//!
//! A proof is a step-up of the session through which the vote comes, made for that very request and used up by it. A signature under the
//! statement by a key that asks for presence is as good, once: a key signs one fresh vote on a request, so that no signature is sent
//! again after the vote was taken back. (One request has one statement, and ECDSA signatures can be rewritten without the key, so
//! it is the key that is remembered and not the signature.)

use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Approval, Refusal, Vote};
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::Event;
use crate::id::SessionId;
use crate::sabotage::{self, Sabotage};
use crate::signature::Algorithm;
use crate::state::State;

/// By what a vote is fresh: the last step-up of the session, which this uses up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fresh {
    /// SHA-256 of the request by which the vote came.
    pub request_sha256: Digest,
    /// The session through which it came.
    pub session: SessionId,
}

impl Approval {
    /// By what the vote is fresh, where the rules want that; nothing where its signature is as good.
    pub(super) fn freshness(
        &self,
        (state, cx): (&State, &Context),
        (vote, seconds): (&Vote, Option<NonZeroU32>),
    ) -> Result<Option<Fresh>, Refusal> {
        let Some(seconds) = seconds else { return Ok(None) };
        if self.is_signed_present(state, vote) {
            return Ok(None);
        }
        let stale = || Refusal::NotFresh(seconds);
        let via = cx.session.ok_or_else(stale)?;
        let session = state.session(via.session).ok_or_else(stale)?;
        let proof = session.proof.as_ref().ok_or_else(stale)?;
        let spent = session.proof_spent().ok_or_else(stale)?;
        let is_for_this = proof.request_sha256 == via.request_sha256
            || sabotage::is_active(Sabotage::StepUpForAnotherRequest);
        let in_time = cx.now < proof.at.plus_seconds(seconds.get());
        if !is_for_this || !in_time || state.is_spent(&spent.sha256) {
            return Err(stale());
        }
        Ok(Some(Fresh { request_sha256: via.request_sha256, session: via.session }))
    }

    /// Whether the vote is signed with a key that asks for presence, and that has signed no vote on this request yet.
    fn is_signed_present(&self, state: &State, vote: &Vote) -> bool {
        let Some(signature) = &vote.signature else { return false };
        let key = state.person(vote.person).and_then(|person| person.voting_key(&signature.key_sha256));
        let used = self.votes.iter().filter_map(|vote| vote.signature.as_ref());
        let mut used = used.map(|signature| &signature.key_sha256).chain(&self.signed_before);
        key.is_some_and(|key| key.algorithm.asks_for_presence())
            && !used.any(|used| *used == signature.key_sha256)
    }

    /// Lets go of some votes, and remembers which keys had signed them.
    pub(super) fn drop_votes(&mut self, goes: impl Fn(&Vote) -> bool) {
        let signed = self.votes.iter().filter(|vote| goes(vote)).filter_map(|vote| vote.signature.as_ref());
        self.signed_before.extend(signed.map(|signature| signature.key_sha256));
        self.votes.retain(|vote| !goes(vote));
    }
}

impl Algorithm {
    /// Whether a signature shows that somebody was there at that moment: keys in authenticators ask for a touch, passkeys for their owner.
    #[must_use]
    pub fn asks_for_presence(self) -> bool {
        match self {
            Self::SkEd25519
            | Self::SkEcdsaP256
            | Self::PasskeyEd25519
            | Self::PasskeyEs256
            | Self::BoundPasskeyEd25519
            | Self::BoundPasskeyEs256 => true,
            Self::Ed25519 | Self::EcdsaP256 => false,
        }
    }
}

/// Uses up the step-up on which the vote rests.
pub(super) fn spend(state: &mut State, event: &Event, fresh: Option<Fresh>) {
    let session = fresh.and_then(|fresh| state.session(fresh.session));
    if let Some(spent) = session.and_then(crate::session::Session::proof_spent) {
        state.spend(spent, event.at);
    }
}
