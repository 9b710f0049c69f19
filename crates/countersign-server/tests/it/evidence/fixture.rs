//! A case on a log: a payout that Ana asked for, Ben and Chloe agreed to, and Ana carried out; and another one beside it.

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId};
use countersign_core::permit::{Finish, Outcome};
use countersign_core::{Actor, Command, Fact, Subject, approval, permit};
use countersign_evidence::bundle::{self, Bundle};
use countersign_evidence::scope::Scope;
use countersign_evidence::verify::{self, Check, Trust, Unverified, Verdict, Verified};
use countersign_ledger::json;
use countersign_ledger::note::{Ed25519Signer, VerifierKey};
use countersign_ledger::witness::Policy;
use countersign_server::engine::{Committed, Engine, Submission, census};
use countersign_server::evidence::{self, Limits};
use countersign_server::store::Store;
use countersign_server::store::memory::MemoryStore;
use serde_json::json;

use super::sessions;
use crate::engine::fixture::{self, ANA, BEN, CHLOE, ORIGIN, by, payout, signer};
use crate::engine::redaction::redact;

/// The salt of every case's parameters.
const SALT: [u8; 32] = [5; 32];

/// A log with two cases, stopped and signed.
pub(crate) struct Cases {
    pub(crate) store: MemoryStore,
    pub(crate) approval: ApprovalId,
    pub(crate) permit: PermitId,
}

impl Cases {
    pub(crate) async fn played() -> Self {
        let store = MemoryStore::new();
        let engine = fixture::started(Box::new(store.clone())).await;
        let (approval, permit) = case(&engine, 100).await;
        case(&engine, 200).await;
        engine.stop().await;
        Self { store, approval, permit }
    }

    /// A log in which the request of the first case lost its details, and that case's bundle from before.
    pub(crate) async fn redacted() -> (Self, Bundle) {
        let Self { store, approval, permit } = Self::played().await;
        let engine = Engine::start(Box::new(store.clone()), fixture::options()).expect("it starts again");
        let cases = Self { store, approval, permit };
        let before = cases.bundle();
        let read = engine.read(move |reader| reader.entries_of(&approval.to_string(), 0, 1));
        let requested = read.await.expect("readable").first().expect("an entry").index;
        redact(&engine, &[requested]).await.expect("redacted");
        engine.stop().await;
        (cases, before)
    }

    /// A log whose key was rotated after two cases and before a third; the second is the one of interest.
    pub(crate) async fn rotated() -> Self {
        let store = MemoryStore::new();
        let engine = fixture::started(Box::new(store.clone())).await;
        case(&engine, 50).await;
        let (approval, permit) = case(&engine, 100).await;
        crate::engine::keys::rotated(&engine).await;
        case(&engine, 200).await;
        engine.stop().await;
        Self { store, approval, permit }
    }

    /// A log in which a census was taken after two cases and before a third; the second is the one of interest.
    pub(crate) async fn counted() -> Self {
        let store = MemoryStore::new();
        let engine = fixture::started(Box::new(store.clone())).await;
        case(&engine, 50).await;
        let (approval, permit) = case(&engine, 100).await;
        census::take(&engine, engine.size()).await.expect("a census");
        let counted = engine.now();
        while engine.now() == counted {
            tokio::task::yield_now().await;
        }
        case(&engine, 200).await;
        engine.stop().await;
        Self { store, approval, permit }
    }

    /// A log in which the votes on the case had to be fresh, and came by sessions that took the place of others; a census, and what came after it.
    pub(crate) async fn fresh() -> Self {
        let store = MemoryStore::new();
        let mut policy = fixture::policy();
        policy.rules[1].fresh_seconds = Some(60.try_into().expect("a minute"));
        let setup = fixture::Setup { policy, ..fixture::Setup::default() };
        let (engine, claims) = fixture::begun(Box::new(store.clone()), setup).await;
        for claim in &claims {
            fixture::replace(&engine, claim).await;
        }
        let (approval, digest) = asked(&engine, 100).await;
        for approver in [BEN, CHLOE] {
            sessions::fresh_vote(&engine, (approver, approval)).await;
        }
        let permit = carried_out(&engine, (approval, digest)).await;
        census::take(&engine, engine.size()).await.expect("a census");
        asked(&engine, 200).await;
        engine.stop().await;
        Self { store, approval, permit }
    }

    /// The bundle of the first case.
    pub(crate) fn bundle(&self) -> Bundle {
        self.collect(&self.scope())
    }

    /// The first case's permit, and nothing else.
    pub(crate) fn scope(&self) -> Scope {
        Scope { subject: Some(Subject::Permit(self.permit)), ..Scope::default() }
    }

    pub(crate) fn collect(&self, scope: &Scope) -> Bundle {
        self.collect_within(scope, Limits::default())
    }

    pub(crate) fn collect_within(&self, scope: &Scope, limits: Limits) -> Bundle {
        let mut reader = self.store.reader().expect("a reader");
        evidence::collect(reader.as_mut(), scope, limits).expect("a bundle")
    }
}

/// Asks, agrees, reserves, starts, finishes.
async fn case(engine: &Engine, amount: u32) -> (ApprovalId, PermitId) {
    let (approval, digest) = asked(engine, amount).await;
    for approver in [BEN, CHLOE] {
        by(engine, approver, Command::Approve(approval.into())).await.expect("the vote counts");
    }
    (approval, carried_out(engine, (approval, digest)).await)
}

/// A request, and the digest of its parameters.
async fn asked(engine: &Engine, amount: u32) -> (ApprovalId, Digest) {
    let parameters = json!({ "amount": amount });
    let digest = Digest::salted(&SALT, &json::to_canonical(&parameters).expect("canonical"));
    let request = approval::Request { action: payout(), parameters_sha256: digest };
    let details = json!({ "parameters": parameters, "parameters_salt": "05".repeat(32), "reason": "</script> \u{202e}" });
    let submission = Submission::new(Actor::Person(ANA), Command::RequestApproval(request));
    let details = json::to_canonical(&details).expect("canonical");
    let requested = engine.submit(submission.with_details(details)).await.expect("the request is taken");
    let Fact::ApprovalRequested(approval, _) = first(&requested) else { panic!("a request") };
    (approval, digest)
}

/// Reserves, starts, finishes.
async fn carried_out(engine: &Engine, (approval, digest): (ApprovalId, Digest)) -> PermitId {
    let reserve = permit::Reserve {
        action: payout(),
        parameters_sha256: digest,
        approval: Some(approval),
        exceptions: Vec::new(),
    };
    let reserved = by(engine, ANA, Command::ReservePermit(reserve)).await.expect("a permit");
    let permit = reserved.events.iter().find_map(|event| match event.fact {
        Fact::PermitReserved(id, _) => Some(id),
        _ => None,
    });
    let permit = permit.expect("a permit");
    by(engine, ANA, Command::StartPermit(permit)).await.expect("started");
    let finish = Finish { permit, outcome: Outcome::Succeeded };
    by(engine, ANA, Command::FinishPermit(finish)).await.expect("finished");
    permit
}

fn first(committed: &Committed) -> Fact {
    committed.events.first().expect("an event").fact.clone()
}

/// Verifies a file as the auditor would, with the pinned key.
pub(crate) fn verify(file: &str) -> Result<Verified, Unverified> {
    verify_witnessed(file, None)
}

/// The same, with cosignatures.
pub(crate) fn verify_witnessed(file: &str, witnesses: Option<&Policy>) -> Result<Verified, Unverified> {
    let keys = [VerifierKey::parse(&signer().vkey()).expect("a key")];
    verify::verify(file.as_bytes(), &Trust { origin: ORIGIN, keys: &keys, witnesses })
}

/// Verifies a file as somebody would who pinned this key.
pub(crate) fn verify_by(file: &str, pinned: &Ed25519Signer) -> Result<Verified, Unverified> {
    let keys = [VerifierKey::parse(&pinned.vkey()).expect("a key")];
    verify::verify(file.as_bytes(), &Trust { origin: ORIGIN, keys: &keys, witnesses: None })
}

/// What a verification could not show.
pub(crate) fn not_shown(verified: &Verified) -> Vec<&str> {
    let open = |check: &&Check| matches!(check.verdict, Verdict::NotShown(_));
    verified.checks.iter().filter(open).map(|check| check.what).collect()
}

/// The file of a bundle.
pub(crate) fn print(bundle: &Bundle) -> String {
    bundle::print(bundle).expect("a page")
}
