//! A log with Ana (requester), Ben and Chloe (approvers) and Aud (auditor), on a store of the test's choice.

use std::sync::Arc;

use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::policy::Policy;
use countersign_core::{Actor, Command, Fact, approval, permit, person};
use countersign_ledger::note::Ed25519Signer;
use countersign_server::clock::SystemClock;
use countersign_server::engine::{Committed, Engine, EngineError, Options, Submission};
use countersign_server::genesis::{self, Genesis, NewPerson};
use countersign_server::secrets::LocalSecrets;
use countersign_server::secrets::SealingKey;
use countersign_server::store::Store;

pub(super) const ANA: PersonId = PersonId(1);
pub(super) const BEN: PersonId = PersonId(2);
pub(super) const CHLOE: PersonId = PersonId(3);
pub(super) const AUD: PersonId = PersonId(4);

pub(super) const ORIGIN: &str = "ledger.test/countersign";

pub(super) fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [7; 32]).expect("a signer")
}

pub(super) fn options() -> Options {
    Options { signer: Box::new(signer()), anchor: None, clock: Arc::new(SystemClock::new()) }
}

pub(super) fn policy() -> Policy {
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
            rule("payout", "override", "payout/limit", "production", quorum),
            rule("ping", "ping", "probe/any", "production", serde_json::json!({ "approval": "not-required" })),
        ],
    }))
    .expect("a policy")
}

/// Starts an engine on the store and writes genesis into it; everybody replaces their claim.
pub(super) async fn started(store: Box<dyn Store>) -> Engine {
    let engine = Engine::start(store, options()).expect("the engine starts");
    let people = [(ANA, "Ana"), (BEN, "Ben"), (CHLOE, "Chloe"), (AUD, "Aud")]
        .map(|(id, name)| NewPerson { id, name: name.to_owned() })
        .to_vec();
    let genesis = Genesis {
        origin: ORIGIN.into(),
        log_key: signer().vkey(),
        people,
        policy: policy(),
        secrets: Vec::new(),
    };
    let secrets = LocalSecrets::in_memory(SealingKey::from_bytes([1; 32])).expect("a secret store");
    let claims = genesis::write(&engine, &secrets, genesis).await.expect("genesis");
    for claim in claims {
        let command = Command::ClaimCredential(person::ClaimCredential {
            claim_sha256: Digest::of(claim.claim.as_bytes()),
            credential_sha256: Digest::of(claim.person.name.as_bytes()),
        });
        engine.submit(Submission::new(Actor::Node, command)).await.expect("the claim is replaced");
    }
    engine
}

pub(super) fn payout() -> Action {
    action("override", "payout/limit")
}

pub(super) fn ping() -> Action {
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

pub(super) async fn by(
    engine: &Engine,
    person: PersonId,
    command: Command,
) -> Result<Committed, EngineError> {
    engine.submit(Submission::new(Actor::Person(person), command)).await
}

/// The code of a refusal.
pub(super) fn code(result: &Result<Committed, EngineError>) -> &'static str {
    match result {
        Err(EngineError::Refused(refusal)) => refusal.code(),
        Err(EngineError::IdempotencyMismatch) => "idempotency_mismatch",
        Err(EngineError::Unavailable(_)) => "unavailable",
        Err(EngineError::Stopped) => "stopped",
        Ok(_) => "ok",
    }
}

pub(super) async fn requested(engine: &Engine) -> ApprovalId {
    let request = approval::Request { action: payout(), parameters_sha256: Digest::of(b"parameters") };
    let committed = by(engine, ANA, Command::RequestApproval(request)).await.expect("the request is taken");
    match committed.events.first().map(|event| &event.fact) {
        Some(Fact::ApprovalRequested(id, _)) => *id,
        other => panic!("expected a request, found {other:?}"),
    }
}

pub(super) async fn approved(engine: &Engine) -> ApprovalId {
    let id = requested(engine).await;
    for approver in [BEN, CHLOE] {
        by(engine, approver, Command::Approve(id)).await.expect("the vote counts");
    }
    id
}

pub(super) fn reserve(approval: ApprovalId) -> Command {
    Command::ReservePermit(permit::Reserve {
        action: payout(),
        parameters_sha256: Digest::of(b"parameters"),
        approval: Some(approval),
    })
}
