//! Permit documents: what an executor keeps of a permit and checks without asking anybody.
//!
//! A document is made of what is on record and of nothing else: the entry, the entries of its approval before it, the salt beside them,
//! and the first checkpoint that covers the entry, with the log's own signature alone. So the same permit gives the same bytes whenever
//! it is asked for, also after witnesses have cosigned the checkpoint; `/ledger/proof/{index}` has their cosignatures.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_api::permit::{Envelope, EnvelopeSignature};
use countersign_core::approval::Approval;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId};
use countersign_core::{Fact, Item, State as CoreState, Subject, apply, permit};
use countersign_evidence::permit::{Agreement, Entry, Leave, PAYLOAD_TYPE, Statement};
use countersign_ledger::dsse;
use countersign_ledger::note::unverified_text;
use countersign_ledger::proof::{ProofFile, inclusion_proof};
use countersign_ledger::statement;

use super::address::Named;
use super::gate::Caller;
use super::parameters::Bound;
use super::problem::{Rejected, Words};
use super::{App, lists};
use crate::engine::{Engine, codec};
use crate::store::{Reader, StoreError, StoredEntry, Tree};

/// How long the answer to a reservation waits for the checkpoint. The permit is reserved all the same; the document can be fetched.
const PATIENCE: Duration = Duration::from_secs(5);

/// Entries of one subject that are read at once.
const PAGE: usize = 500;

/// The document of a permit: a DSSE envelope around an in-toto statement. The same bytes each time. Also for whoever holds the permit.
#[utoipa::path(get, path = "/admin/permits/{id}/document", tag = "permits", params(("id" = String, Path)), responses((status = 200, body = Envelope)))]
pub(super) async fn show_document(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Envelope>, Rejected> {
    let parsed: PermitId = id.parse().map_err(Rejected::malformed)?;
    let Some(Item::Permit(permit)) = lists::one(&app, Subject::Permit(parsed)).await? else {
        return Err(caller.misses(&app, ("permit", &id)));
    };
    caller.sees_of(&app, &permit.action, |_, me| permit.executor == me)?;
    document(&app.engine, parsed).await.map(Json)
}

/// The document for the answer to a reservation; none where the node makes none, or not in time.
pub(super) async fn at_once(engine: &Engine, id: PermitId) -> Option<Envelope> {
    engine.permit_signer()?;
    match document(engine, id).await {
        Ok(document) => Some(document),
        Err(rejected) => {
            tracing::warn!(permit = %id, ?rejected, "the permit's document could not be made at once");
            None
        }
    }
}

async fn document(engine: &Engine, id: PermitId) -> Result<Envelope, Rejected> {
    let signer = engine.permit_signer().cloned().ok_or_else(no_permit_key)?;
    let found = engine.read(move |reader| Found::of(reader, id)).await?.ok_or_else(redacted)?;
    let index = found.entry.index;
    let mut signed = engine.signatures();
    let waiting = signed.wait_for(|size| *size > index);
    if !matches!(tokio::time::timeout(PATIENCE, waiting).await, Ok(Ok(_))) {
        return Err(Rejected::unavailable("the permit's entry is not signed yet".to_owned()));
    }
    let no_log = || Rejected::unavailable("there is no genesis".to_owned());
    let log = engine.state().log().map(|log| log.origin.clone()).ok_or_else(no_log)?;
    let leave = engine.read(move |reader| found.leave(reader, log)).await?;
    let made = move || -> Result<dsse::Envelope, String> {
        let payload = Statement::of(leave).to_payload().map_err(|error| error.to_string())?;
        let signers: [&dyn countersign_ledger::note::NoteSigner; 1] = [signer.as_ref()];
        dsse::Envelope::sign(PAYLOAD_TYPE, payload, &signers).map_err(|error| error.to_string())
    };
    // A signer may be slow; nobody else waits for it here.
    let made = tokio::task::spawn_blocking(made).await.map_err(|error| error.to_string());
    made.and_then(|made| made).map(shown).map_err(Rejected::unavailable)
}

fn shown(envelope: dsse::Envelope) -> Envelope {
    let one = |signature: dsse::Signature| EnvelopeSignature {
        keyid: signature.keyid,
        sig: STANDARD.encode(signature.sig),
    };
    Envelope {
        payload: STANDARD.encode(envelope.payload),
        payload_type: envelope.payload_type,
        signatures: envelope.signatures.into_iter().map(one).collect(),
    }
}

fn no_permit_key() -> Rejected {
    let words = Words {
        code: "no_permit_key",
        detail: "this node has no key for permit documents".into(),
        hint: "name one as `permit_key` in the configuration and restart the node; `docs/concepts/keys.md` says how",
    };
    Rejected::new(StatusCode::CONFLICT, words)
}

fn redacted() -> Rejected {
    let words = Words {
        code: "permit_redacted",
        detail: "the details of the permit were redacted, and its document with them".into(),
        hint: "the permit's entry stands: `GET /ledger/proof/{index}` proves it",
    };
    Rejected::new(StatusCode::CONFLICT, words)
}

/// A permit as it is on record, whether or not a checkpoint covers it yet.
struct Found {
    id: PermitId,
    entry: StoredEntry,
    event: countersign_core::Event,
    reserved: permit::Reserved,
    salt: Digest,
}

impl Found {
    /// None if its details, and the salt with them, are gone.
    fn of(reader: &mut dyn Reader, id: PermitId) -> Result<Option<Self>, StoreError> {
        let corrupt = || StoreError::Corrupt(format!("no entry reserves `{id}`"));
        let entry = reader.entries_of(&id.to_string(), 0, 1)?.into_iter().next().ok_or_else(corrupt)?;
        let event = codec::decode(entry.index, &entry.leaf, reader)?.event;
        let Fact::PermitReserved(_, reserved) = event.fact.clone() else { return Err(corrupt()) };
        let details = reader.details(entry.index)?;
        let bound = details.and_then(|details| serde_json::from_slice::<Bound>(&details.body).ok());
        let found = |bound: Bound| Self { id, entry, event, reserved, salt: Digest(bound.parameters_salt.0) };
        Ok(bound.map(found))
    }

    /// What the document says, for the log of this origin.
    fn leave(self, reader: &mut dyn Reader, log: String) -> Result<Leave, StoreError> {
        let index = self.entry.index;
        let corrupt = |what: &str| StoreError::Corrupt(format!("entry {index}: {what}"));
        let executor =
            self.event.actor.person().or(self.reserved.owner).ok_or_else(|| corrupt("a permit of nobody"))?;
        let approvals = match self.reserved.approval {
            Some(approval) => vec![agreement(reader, approval, index)?],
            None => Vec::new(),
        };
        let proof = proof(reader, index, &log)?;
        Ok(Leave {
            permit: self.id,
            action: self.reserved.action,
            parameters_sha256: self.reserved.parameters_sha256,
            parameters_salt: self.salt,
            executor,
            approvals,
            requirement_sha256: self.reserved.requirement_sha256,
            policy_sha256: policy_before(reader, index)?,
            reserved_at: self.event.at,
            start_by: self.reserved.start_by,
            work_seconds: self.reserved.work_seconds,
            log,
            entry: Entry {
                leaf: String::from_utf8(self.entry.leaf).map_err(|_| corrupt("a leaf that is no text"))?,
                proof,
            },
        })
    }
}

/// The entry's proof under the first checkpoint that covers it, with the log's own signatures only.
fn proof(reader: &mut dyn Reader, index: u64, log: &str) -> Result<String, StoreError> {
    let corrupt = |what: String| StoreError::Corrupt(format!("entry {index}: {what}"));
    let covering = reader.checkpoints(index, 1)?.into_iter().next();
    let covering =
        covering.ok_or_else(|| StoreError::Unavailable("no checkpoint covers the entry yet".to_owned()))?;
    let text = unverified_text(&covering.note).map_err(|error| corrupt(error.to_string()))?;
    let signatures = covering.note.get(text.len()..).unwrap_or_default();
    let ours = format!("\u{2014} {log} ");
    let own = signatures.split_inclusive('\n').filter(|line| *line == "\n" || line.starts_with(&ours));
    let checkpoint: String = std::iter::once(text).chain(own).collect();
    let proof = inclusion_proof(&Tree::over(reader), index, covering.size);
    let proof = proof.map_err(|error| corrupt(error.to_string()))?;
    Ok(ProofFile { extra: Vec::new(), index, proof, checkpoint }.to_string())
}

/// All entries of a subject before one of the log.
fn before(reader: &mut dyn Reader, subject: &str, index: u64) -> Result<Vec<StoredEntry>, StoreError> {
    let mut all: Vec<StoredEntry> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.subject_seq);
        let page = reader.entries_of(subject, after, PAGE)?;
        let whole = page.len() == PAGE;
        all.extend(page);
        if !whole || all.last().is_some_and(|last| last.index >= index) {
            all.retain(|entry| entry.index < index);
            return Ok(all);
        }
    }
}

/// The approval as the permit found it, and what its voters signed if any did.
fn agreement(reader: &mut dyn Reader, id: ApprovalId, index: u64) -> Result<Agreement, StoreError> {
    let gone = || StoreError::Corrupt(format!("no entry before {index} requests `{id}`"));
    let entries = before(reader, &id.to_string(), index)?;
    let mut state = CoreState::default();
    for entry in &entries {
        apply(&mut state, &codec::decode(entry.index, &entry.leaf, reader)?.event);
    }
    let approval: Approval = state.approval(id).cloned().ok_or_else(gone)?;
    let signed = approval.votes.iter().any(|vote| vote.signature.is_some());
    let first = entries.first().filter(|_| signed);
    let statement = match first {
        Some(entry) => reader.details(entry.index)?.and_then(|details| {
            let bytes = statement::of_request(&entry.leaf, &details.body).ok()?;
            String::from_utf8(bytes).ok()
        }),
        None => None,
    };
    Ok(Agreement { approval: id, requester: approval.requester, votes: approval.votes, statement })
}

/// The policy in force when an entry was written.
fn policy_before(reader: &mut dyn Reader, index: u64) -> Result<Digest, StoreError> {
    let last = before(reader, "policy", index)?.into_iter().next_back();
    let last = last.ok_or_else(|| StoreError::Corrupt(format!("no policy before entry {index}")))?;
    match codec::decode(last.index, &last.leaf, reader)?.event.fact {
        Fact::PolicyActivated(_, activated) => Ok(activated.policy_sha256),
        _ => Err(StoreError::Corrupt(format!("entry {} activates no policy", last.index))),
    }
}
