//! A log with Ana (requester), Ben and Chloe (approvers) and Aud (auditor), on a store of the test's choice.

use std::sync::Arc;

use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::policy::Policy;
use countersign_core::secret::SecretKey;
use countersign_core::{Actor, Command, Fact, approval, permit, person};
use countersign_ledger::note::{Ed25519Signer, VerifierKey};
use countersign_ledger::verify::{Redactions, Trust, Verified};
use countersign_server::clock::{Clock, SystemClock};
use countersign_server::engine::{Committed, Engine, EngineError, Options, Submission};
use countersign_server::genesis::{self, Claim, Genesis, NewPerson};
use countersign_server::secrets::{LocalSecrets, SealingKey, SecretValue};
use countersign_server::store::{Reader, Store};
use countersign_server::verification::{self, VerificationError};

pub(crate) const ANA: PersonId = PersonId(1);
pub(crate) const BEN: PersonId = PersonId(2);
pub(crate) const CHLOE: PersonId = PersonId(3);
pub(crate) const AUD: PersonId = PersonId(4);

pub(crate) const ORIGIN: &str = "ledger.test/countersign";

pub(crate) fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [7; 32]).expect("a signer")
}

/// The key that is to follow.
pub(crate) fn next_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [8; 32]).expect("a signer")
}

pub(crate) fn options() -> Options {
    Options {
        signer: Arc::new(signer()),
        next_signer: Some(Arc::new(next_signer())),
        anchor: None,
        clock: Arc::new(SystemClock::new()),
    }
}

pub(crate) fn policy() -> Policy {
    let rule = |name: &str, verb: &str, resource: &str, environment: &str, approval: serde_json::Value| {
        let mut rule = serde_json::json!({
            "name": name, "verb": verb, "resource": resource, "environment": environment,
            "requesters": ["engineers"], "executors": ["engineers"],
            "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
        });
        rule.as_object_mut().expect("an object").extend(approval.as_object().expect("an object").clone());
        rule
    };
    let quorum = serde_json::json!({ "approval": "required", "quorum": { "approvers": 2 } });
    serde_json::from_value(serde_json::json!({
        "name": "test",
        "groups": { "engineers": [ANA], "approvers": [BEN, CHLOE], "auditors": [AUD] },
        "access": { "read": ["engineers", "approvers", "auditors"] },
        "rules": [
            rule("activate", "activate", "policy/main", "control", quorum.clone()),
            rule("payout", "override", "payout/limit", "production", quorum.clone()),
            rule("ping", "ping", "probe/any", "production", serde_json::json!({ "approval": "not-required" })),
            rule("redact", "redact", "ledger/details", "control", quorum.clone()),
            rule("log-key", "rotate", "log-key/main", "control", quorum),
        ],
    }))
    .expect("a policy")
}

/// What genesis consists of, and by which clock.
pub(crate) struct Setup {
    pub(crate) people: Vec<(PersonId, &'static str)>,
    pub(crate) policy: Policy,
    pub(crate) secrets: Vec<SecretKey>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            people: vec![(ANA, "Ana"), (BEN, "Ben"), (CHLOE, "Chloe"), (AUD, "Aud")],
            policy: policy(),
            secrets: Vec::new(),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Starts an engine on the store and writes genesis into it; everybody replaces their claim.
pub(crate) async fn started(store: Box<dyn Store>) -> Engine {
    let engine = Engine::start(store, options()).expect("the engine starts");
    genesis(&engine).await;
    engine
}

/// Writes genesis; everybody replaces their claim.
pub(crate) async fn genesis(engine: &Engine) {
    let claims = beginning(engine, Setup::default()).await;
    for claim in claims {
        replace(engine, &claim).await;
    }
}

/// Starts an engine on the store and writes genesis into it; nobody has replaced their claim yet.
pub(crate) async fn begun(store: Box<dyn Store>, setup: Setup) -> (Engine, Vec<Claim>) {
    let clock = Arc::clone(&setup.clock);
    let engine = Engine::start(store, Options { clock, ..options() }).expect("the engine starts");
    let claims = beginning(&engine, setup).await;
    (engine, claims)
}

/// Writes genesis.
async fn beginning(engine: &Engine, setup: Setup) -> Vec<Claim> {
    let Setup { people, policy, secrets, .. } = setup;
    let people = people.into_iter().map(|(id, name)| NewPerson { id, name: name.to_owned() }).collect();
    let sealed = secrets.into_iter().map(|key| (key, SecretValue::new("its present value".to_owned())));
    let genesis = Genesis {
        origin: ORIGIN.into(),
        log_key: signer().vkey(),
        people,
        policy,
        secrets: sealed.collect(),
    };
    let store = LocalSecrets::in_memory(SealingKey::from_bytes([1; 32])).expect("a secret store");
    genesis::write(engine, &store, genesis).await.expect("genesis")
}

/// Replaces a claim by the credential that is the person's name.
pub(crate) async fn replace(engine: &Engine, claim: &Claim) {
    let command = Command::ClaimCredential(person::ClaimCredential {
        claim_sha256: Digest::of(claim.claim.as_bytes()),
        credential_sha256: Digest::of(claim.person.name.as_bytes()),
    });
    engine.submit(Submission::new(Actor::Node, command)).await.expect("the claim is replaced");
}

pub(crate) fn payout() -> Action {
    action("override", "payout/limit")
}

pub(crate) fn ping() -> Action {
    action("ping", "probe/any")
}

fn action(verb: &str, resource: &str) -> Action {
    let parsed = (verb.parse(), resource.parse(), "production".parse());
    Action {
        verb: parsed.0.expect("a verb"),
        resource: parsed.1.expect("a resource"),
        environment: parsed.2.expect("an environment"),
    }
}

pub(crate) async fn by(
    engine: &Engine,
    person: PersonId,
    command: Command,
) -> Result<Committed, EngineError> {
    engine.submit(Submission::new(Actor::Person(person), command)).await
}

/// The code of a refusal.
pub(crate) fn code(result: &Result<Committed, EngineError>) -> &'static str {
    match result {
        Err(EngineError::Refused(refusal)) => refusal.code(),
        Err(EngineError::IdempotencyMismatch) => "idempotency_mismatch",
        Err(EngineError::Unavailable(_)) => "unavailable",
        Err(EngineError::Unknown(_)) => "outcome_unknown",
        Err(EngineError::Unverified(_)) => "unverified",
        Err(EngineError::Stale(_)) => "stale",
        Err(EngineError::Stopped) => "stopped",
        Ok(_) => "ok",
    }
}

pub(crate) async fn requested(engine: &Engine) -> ApprovalId {
    requested_for(engine, payout()).await
}

async fn requested_for(engine: &Engine, action: Action) -> ApprovalId {
    let request = approval::Request { action, parameters_sha256: Digest::of(b"parameters") };
    let committed = by(engine, ANA, Command::RequestApproval(request)).await.expect("the request is taken");
    match committed.events.first().map(|event| &event.fact) {
        Some(Fact::ApprovalRequested(id, _)) => *id,
        other => panic!("expected a request, found {other:?}"),
    }
}

pub(crate) async fn approved(engine: &Engine) -> ApprovalId {
    approved_for(engine, payout()).await
}

pub(crate) async fn approved_for(engine: &Engine, action: Action) -> ApprovalId {
    let id = requested_for(engine, action).await;
    for approver in [BEN, CHLOE] {
        by(engine, approver, Command::Approve(id.into())).await.expect("the vote counts");
    }
    id
}

pub(crate) fn reserve(approval: ApprovalId) -> Command {
    Command::ReservePermit(permit::Reserve {
        action: payout(),
        parameters_sha256: Digest::of(b"parameters"),
        approval: Some(approval),
        exceptions: Vec::new(),
    })
}

/// What the auditor finds.
pub(crate) fn verification(store: &mut dyn Reader) -> Result<Verified, VerificationError> {
    verification_by(store, &signer())
}

/// What an auditor finds who pinned this key.
pub(crate) fn verification_by(
    store: &mut dyn Reader,
    pinned: &Ed25519Signer,
) -> Result<Verified, VerificationError> {
    let keys = [VerifierKey::parse(&pinned.vkey()).expect("a key")];
    let trust = Trust { origin: ORIGIN, keys: &keys, redactions: Redactions::Explained };
    verification::verify(store, &trust, &mut |_| ())
}

/// Every byte of the log is what was signed; whether it was allowed is not asked.
pub(crate) fn verify_bytes(store: &mut dyn Reader) {
    let keys = [signer().verifier()];
    let trust = Trust { origin: ORIGIN, keys: &keys, redactions: Redactions::Explained };
    verification::verify_bytes(store, &trust, &mut |_| ())
        .expect("no damage, and all checkpoints were reached");
}

/// The whole log is intact and was signed, as the auditor would see it.
pub(crate) fn verify(store: &mut dyn Reader) {
    verification(store).expect("no damage, and all checkpoints were reached");
}
