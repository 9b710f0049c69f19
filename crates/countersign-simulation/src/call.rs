//! Requests on their way, as clients send them: again, with the same key, until somebody answers.

use countersign_core::digest::Digest;
use countersign_core::id::SessionId;
use countersign_core::{Actor, Command, Via};
use countersign_ledger::hash::Hash;
use countersign_server::engine::{IdempotencyKey, Submission};

/// Who acts, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acting {
    /// Who.
    pub actor: Actor,
    /// By which session, if by one.
    pub session: Option<SessionId>,
}

impl From<Actor> for Acting {
    fn from(actor: Actor) -> Self {
        Self { actor, session: None }
    }
}

/// What a client wants.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// To be let in, no more.
    Look,
    /// A command to be obeyed.
    Do(Box<Command>),
}

/// A request that is repeated until it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Makes repetitions harmless.
    pub key: String,
    /// Who.
    pub acting: Acting,
    /// What.
    pub wish: Wish,
    /// How often it was sent.
    pub sent: u32,
    /// When it is sent, the next time; microseconds since the beginning.
    pub at: u64,
}

/// SHA-256 of what stands for a request's method, path and body.
pub(crate) fn request_sha256(command: &Command) -> Digest {
    Digest::of(format!("{command:?}").as_bytes())
}

/// The member of the details by which an entry names the request it came from.
pub(crate) const KEY: &str = "key";

impl Call {
    /// The command as the door of a node hands it to the engine; none of a mere look.
    pub(crate) fn submission(&self) -> Option<Submission> {
        let Wish::Do(command) = &self.wish else { return None };
        let request_sha256 = request_sha256(command);
        let via = self.acting.session.map(|session| Via { session, request_sha256 });
        let key = IdempotencyKey { key: self.key.clone(), body_sha256: Hash(request_sha256.0) };
        let details = format!(r#"{{"{KEY}":"{}"}}"#, self.key).into_bytes();
        let submission = Submission::new(self.acting.actor, Command::clone(command)).via(via);
        Some(submission.with_details(details).with_idempotency(key))
    }
}
