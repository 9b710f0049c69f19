//! Why nobody is signed in, and why a session is not extended, stepped up or ended, in order of precedence.

use core::fmt;

use crate::catalogue::listed;

/// Why nobody is signed in, and why a session is not extended, stepped up or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such session.
    NotFound,
    /// It has ended, or its person, or the passkey that opened it.
    Ended,
    /// Only the node says that somebody signed in, or that a session was used.
    NotTheNode,
    /// It belongs to somebody else.
    NotYours,
    /// Whoever acts does not act by a session.
    NoSession,
    /// The person did not prove themselves within the last minutes.
    NotRecent,
    /// There is nobody active of this id.
    NotActive,
    /// The claim of an invitation opens one session, as part of claiming.
    OnlyByClaiming,
    /// Only a session that somebody signed in to themselves is handed on.
    NotToHandOn,
    /// The person has no credential.
    NoCredential,
    /// The policy does not take what was shown.
    NotTaken,
    /// The person has no such passkey in force.
    UnknownPasskey,
    /// The person has no password.
    UnknownPassword,
    /// The person has no such identity.
    UnknownIdentity,
    /// The passkey may be copied from device to device, and the policy does not take such ones.
    SyncedPasskey,
    /// What was shown is no proof that the person is there.
    NotAProof,
    /// What is used once was not named, or for too long.
    ChallengeMissing,
    /// The challenge was used before.
    ChallengeUsed,
    /// The one-time code is of another time.
    CodeNotOfNow,
    /// The one-time code was used before, or one after it; or it is no recovery code that is left.
    CodeUsed,
    /// Another session, token or credential is the same.
    InUse,
    /// It was extended not long ago.
    ExtendedAlready,
}

listed! { Refusal:
    NotFound, Ended, NotTheNode, NotYours, NoSession, NotRecent, NotActive, OnlyByClaiming, NotToHandOn, NoCredential, NotTaken, UnknownPasskey, UnknownPassword, UnknownIdentity,
    SyncedPasskey, NotAProof, ChallengeMissing, ChallengeUsed, CodeNotOfNow, CodeUsed, InUse, ExtendedAlready,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "session_not_found",
            Self::Ended => "session_ended",
            Self::NotTheNode => "session_not_by_node",
            Self::NotYours => "session_not_yours",
            Self::NoSession => "session_required",
            Self::NotRecent => "proof_not_recent",
            Self::NotActive => "not_active",
            Self::OnlyByClaiming => "session_only_by_claiming",
            Self::NotToHandOn => "session_not_to_hand_on",
            Self::NoCredential => "no_credential",
            Self::UnknownPasskey => "unknown_passkey",
            Self::NotTaken => "method_not_taken",
            Self::UnknownPassword => "no_password",
            Self::UnknownIdentity => "unknown_identity",
            Self::CodeNotOfNow => "code_not_of_now",
            Self::CodeUsed => "code_used",
            Self::SyncedPasskey => "passkey_synced",
            Self::NotAProof => "not_a_proof",
            Self::ChallengeMissing => "challenge_missing",
            Self::ChallengeUsed => "challenge_used",
            Self::InUse => "session_in_use",
            Self::ExtendedAlready => "session_extended_already",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound => "list your sessions with `GET /admin/sessions`",
            Self::Ended => "sign in again",
            Self::NotTheNode => "the node does it by itself, once it has verified what you show",
            Self::NotYours => "whose it is ends it, or somebody under `revoke session/per_… control`",
            Self::NoSession => "sign in; a credential alone does not do for this",
            Self::NotRecent => "prove yourself once more and repeat it within ten minutes",
            Self::NotActive => {
                "people sign in once they have claimed their invitation, until they are deactivated"
            }
            Self::OnlyByClaiming => "sign in with what you chose when you claimed",
            Self::NotToHandOn => "confirm it where you signed in yourself",
            Self::NoCredential => "sign in with a passkey",
            Self::UnknownPasskey => "sign in with another passkey of yours, or add this one first",
            Self::NotTaken => "`[sign_in]` of the policy says what signs in",
            Self::UnknownPassword => "sign in with a passkey",
            Self::UnknownIdentity => "link the identity first, where you are signed in",
            Self::CodeNotOfNow => "set the clock of what shows the codes, and take the one it shows then",
            Self::CodeUsed => "wait for the next code, or take another recovery code",
            Self::SyncedPasskey => "use a passkey that stays in its authenticator, such as a security key",
            Self::NotAProof => "prove yourself with a passkey",
            Self::ChallengeMissing => "get a fresh challenge and sign that",
            Self::ChallengeUsed => "get a fresh challenge and sign that",
            Self::InUse => "draw a fresh one",
            Self::ExtendedAlready => "nothing: it lives on for long enough",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such session",
            Self::Ended => "the session has ended",
            Self::NotTheNode => "only the node says that somebody signed in, or that a session was used",
            Self::NotYours => "the session is somebody else's",
            Self::NoSession => "whoever does this must be signed in",
            Self::NotRecent => "you proved yourself too long ago for this",
            Self::NotActive => "there is nobody of this id who could sign in",
            Self::OnlyByClaiming => "a claim signs in once, in the moment it is used",
            Self::NotToHandOn => "only a session is handed on that somebody signed in to themselves",
            Self::NoCredential => "the person has no credential of their own",
            Self::UnknownPasskey => "the person has no such passkey in force for signing in",
            Self::NotTaken => "the policy lets nobody sign in by this",
            Self::UnknownPassword => "the person has no password",
            Self::UnknownIdentity => "nobody has linked this identity",
            Self::CodeNotOfNow => "the code is not of now",
            Self::CodeUsed => "the code was used, or a later one was",
            Self::SyncedPasskey => "the policy takes no passkeys that may be copied from device to device",
            Self::NotAProof => "this does not prove that you are there",
            Self::ChallengeMissing => "it rests on no challenge, or on one that is open for too long",
            Self::ChallengeUsed => "the challenge was used before",
            Self::InUse => "another session, token or credential is the same",
            Self::ExtendedAlready => "the session was extended not long ago",
        })
    }
}
