//! An executor keeps permits as documents and checks them with the server stopped: with the keys and the roster it pinned, and no address.
//!
//! Two are kept. The votes on the rotation are not signed, so who agreed is the server's word, and the verifier says so. Those on the
//! release are signed with Ben's and Chloe's own keys: then also whoever holds the server's keys cannot make them up. The forger here is
//! that one: it signs what it has altered with the node's own permit key.

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_api::Action;
use countersign_api::approval::RequestApproval;
use countersign_api::permit::ReservePermit;
use countersign_evidence::permit::PAYLOAD_TYPE;
use countersign_ledger::dsse::Envelope;
use countersign_ledger::hash::sha256;
use countersign_ledger::json;
use countersign_ledger::note::Ed25519Signer;
use serde_json::Value;

use super::evidence::{DAMAGED, said};
use super::quorum::{OVERLAP_SECONDS, approve, parameters, reserve, rotate};
use super::signed::{asked, draw, has_ssh_keygen, image, release, sign, sign_text};
use super::told::{Judgement, Told};
use crate::demo::cast::{Cast, ORIGIN, Places, Who};
use crate::demo::child::{self, Ended};

/// The release whose permit is kept.
const IMAGE: &str = "sha256:3d";

/// What the executor keeps.
pub(super) struct Kept {
    roster: PathBuf,
    rotation: Document,
    /// None where nobody can sign.
    release: Option<Document>,
}

/// A permit, and what it is for.
struct Document {
    action: Action,
    parameters: Value,
    bytes: Vec<u8>,
}

/// Ana reserves one more rotation and a release, keeps their documents and pins a roster while the server runs.
pub(super) async fn keep(cast: &Cast, told: &mut Told) -> anyhow::Result<Kept> {
    let ana = cast.client(Who::Ana)?;
    let request = RequestApproval {
        action: rotate(),
        parameters: parameters(OVERLAP_SECONDS),
        reason: Some("to be kept".to_owned()),
    };
    let approval = ana.request_approval(&request).await?.id;
    approve(cast, &approval).await?;
    let rotation = reserved(cast, told, reserve(&approval, OVERLAP_SECONDS)).await?;
    let release = if has_ssh_keygen().await { Some(signed(cast, told).await?) } else { None };
    let credential = cast.places.credential(Who::Ana);
    let arguments: [&OsStr; 4] =
        ["--credential".as_ref(), credential.as_os_str(), "permit".as_ref(), "roster".as_ref()];
    let printed = child::run(&arguments).await?.successful().context("`countersign permit roster`")?;
    let roster = cast.places.at("roster.json");
    std::fs::write(&roster, printed.trim()).context("pinning the roster")?;
    Ok(Kept { roster, rotation, release })
}

/// A release that Ben and Chloe agree to with their own keys.
async fn signed(cast: &Cast, told: &mut Told) -> anyhow::Result<Document> {
    let id = asked(cast, IMAGE).await?;
    for who in [Who::Ben, Who::Chloe] {
        sign(cast, who, &id).await?;
    }
    let wanted = ReservePermit {
        action: release(),
        parameters: image(IMAGE),
        approval: Some(id),
        exceptions: Vec::new(),
        reason: None,
    };
    reserved(cast, told, wanted).await
}

async fn reserved(cast: &Cast, told: &mut Told, wanted: ReservePermit) -> anyhow::Result<Document> {
    let ana = cast.client(Who::Ana)?;
    let permit = ana.reserve_permit(&wanted).await?;
    let answered = serde_json::to_vec(&permit.document.context("the answer has no document")?)?;
    let bytes = ana.permit_document(&permit.id).await?;
    told.same(
        &format!(
            "leave to {} is answered with a document, and asking again gives the same bytes",
            wanted.action.verb
        ),
        String::from_utf8_lossy(&answered),
        String::from_utf8_lossy(&bytes),
    )?;
    let ReservePermit { action, parameters, .. } = wanted;
    Ok(Document { action, parameters, bytes })
}

/// With the server stopped: a document holds for exactly what was approved, and nothing else made of it does.
pub(super) async fn verify(places: &Places, told: &mut Told, kept: &Kept) -> anyhow::Result<()> {
    let rotation = &kept.rotation;
    let genuine = run(places, kept, rotation).await?;
    told.same(
        "with the server stopped the permit verifies: signature, proof, action, parameters, deadline; the quorum is the server's word",
        "ends with 0, quorum: servers-word",
        format!("{}, quorum: {}", said(&genuine), member(&genuine, "quorum")),
    )?;
    let other = Document { parameters: parameters(OVERLAP_SECONDS + 1), ..copy(rotation) };
    refused(
        places,
        told,
        (kept, &other),
        ("the same permit is refused for other parameters", "parameters_mismatch"),
    )
    .await?;
    let altered = Document { bytes: later(&rotation.bytes)?, ..copy(rotation) };
    let title = "a permit with a later deadline is refused: nobody signed that";
    refused(places, told, (kept, &altered), (title, "permit_unsigned")).await?;
    let Some(release) = &kept.release else {
        let seen = ("`ssh-keygen` of OpenSSH", "there is none on this machine: install openssh-client");
        return told.judged("permits with signed votes are left out", seen, Judgement::Holds);
    };
    let genuine = run(places, kept, release).await?;
    told.same(
        "the release's permit verifies, and its quorum by the voting keys in the pinned roster",
        "ends with 0, quorum: signed",
        format!("{}, quorum: {}", said(&genuine), member(&genuine, "quorum")),
    )?;
    forged(places, told, (kept, release)).await
}

/// What a server could try that was taken over with all of its keys, and does not have Chloe's.
async fn forged(places: &Places, told: &mut Told, (kept, release): (&Kept, &Document)) -> anyhow::Result<()> {
    let unaltered = bent(places, release, |_| Ok(()))?;
    let genuine = run(places, kept, &unaltered).await?;
    told.same(
        "the forger's signature is as good as the server's: it holds the permit key",
        "ends with 0, quorum: signed",
        format!("{}, quorum: {}", said(&genuine), member(&genuine, "quorum")),
    )?;
    let altered = bent(places, release, |votes| {
        let mut signature = STANDARD.decode(text(&votes[1]["signature"]["sshsig"])?)?;
        *signature.last_mut().context("an empty signature")? ^= 1;
        votes[1]["signature"]["sshsig"] = STANDARD.encode(signature).into();
        Ok(())
    })?;
    let title = "with one bit of Chloe's signature altered the permit is refused";
    refused(places, told, (kept, &altered), (title, "signature_invalid")).await?;
    let unsigned = bent(places, release, |votes| {
        votes[1].as_object_mut().context("a vote")?.remove("signature");
        Ok(())
    })?;
    let title = "a vote that the server says Chloe gave does not count: she has not signed it";
    refused(places, told, (kept, &unsigned), (title, "quorum_not_signed")).await?;
    let borrowed = bent(places, release, |votes| {
        votes[1]["signature"] = votes[0]["signature"].clone();
        Ok(())
    })?;
    let title = "nor does Ben's signature under her name";
    refused(places, told, (kept, &borrowed), (title, "quorum_not_signed")).await?;
    let invented = invent(places, release).await?;
    let title = "nor a genuine signature by a key that the server drew for her: the roster does not have it";
    refused(places, told, (kept, &invented), (title, "quorum_not_signed")).await
}

/// Chloe's vote, signed anew over the very statement with a key that is not hers.
async fn invent(places: &Places, release: &Document) -> anyhow::Result<Document> {
    let key = places.at("forged-voting-key");
    draw(&key, "Chloe").await?;
    let statement = statement(&release.bytes)?;
    let signed = text(&statement["predicate"]["approvals"][0]["statement"])?.to_owned();
    let armor = sign_text(&key, &places.at("forged-statement.json"), &signed).await?;
    let sshsig: String = armor.lines().filter(|line| !line.starts_with("-----")).collect();
    let public = std::fs::read_to_string(key.with_extension("pub"))?;
    let public = STANDARD.decode(public.split(' ').nth(1).context("no public key")?)?;
    bent(places, release, |votes| {
        votes[1]["signature"]["sshsig"] = sshsig.into();
        votes[1]["signature"]["key_sha256"] = sha256(&public).to_string().into();
        Ok(())
    })
}

/// The document with other votes, signed with the permit key.
fn bent(
    places: &Places,
    document: &Document,
    bend: impl FnOnce(&mut Value) -> anyhow::Result<()>,
) -> anyhow::Result<Document> {
    let mut statement = statement(&document.bytes)?;
    bend(&mut statement["predicate"]["approvals"][0]["votes"])?;
    let seed = STANDARD.decode(std::fs::read_to_string(places.at("server/keys/permit.key"))?.trim())?;
    let seed = seed.try_into().ok().context("a key of 32 bytes")?;
    let signer = Ed25519Signer::from_seed(&format!("{ORIGIN}/permit"), seed)?;
    let envelope = Envelope::sign(PAYLOAD_TYPE, json::to_canonical(&statement)?, &[&signer])?;
    Ok(Document { bytes: envelope.to_json(), ..copy(document) })
}

/// What is signed, as JSON.
fn statement(document: &[u8]) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&Envelope::parse(document)?.payload)?)
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().context("no text where there should be some")
}

fn copy(document: &Document) -> Document {
    let Document { action, parameters, bytes } = document;
    Document { action: action.clone(), parameters: parameters.clone(), bytes: bytes.clone() }
}

/// The document with another deadline under the same signature.
fn later(document: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut envelope = Envelope::parse(document)?;
    let mut statement = statement(document)?;
    statement["predicate"]["start_by"] = "2099-01-01T00:00:00.000Z".into();
    envelope.payload = json::to_canonical(&statement)?;
    Ok(envelope.to_json())
}

/// A step in which the document is refused with this code.
async fn refused(
    places: &Places,
    told: &mut Told,
    (kept, document): (&Kept, &Document),
    (title, code): (&str, &str),
) -> anyhow::Result<()> {
    let ended = run(places, kept, document).await?;
    let observed = format!("{}, {}", said(&ended), member(&ended, "code"));
    told.same(title, format!("ends with {DAMAGED}, {code}"), observed)
}

fn member(ended: &Ended, name: &str) -> String {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    document[name].as_str().unwrap_or("?").to_owned()
}

/// `countersign permit verify`, a process that knows no server.
async fn run(places: &Places, kept: &Kept, document: &Document) -> anyhow::Result<Ended> {
    let (file, parameters) = (places.at("permit.json"), places.at("wanted.json"));
    std::fs::write(&file, &document.bytes).context("writing the document")?;
    std::fs::write(&parameters, document.parameters.to_string()).context("writing the parameters")?;
    let pinned = |key: PathBuf| format!("@{}", key.display());
    let (permit_key, log_key) = (pinned(places.permit_key()), pinned(places.log_key()));
    let Action { verb, resource, environment } = &document.action;
    let action = format!("{verb} {resource} {environment}");
    let arguments: [&OsStr; 14] = [
        "--json".as_ref(),
        "permit".as_ref(),
        "verify".as_ref(),
        file.as_os_str(),
        "--permit-key".as_ref(),
        permit_key.as_ref(),
        "--log-key".as_ref(),
        log_key.as_ref(),
        "--roster".as_ref(),
        kept.roster.as_os_str(),
        "--action".as_ref(),
        action.as_ref(),
        "--parameters".as_ref(),
        parameters.as_os_str(),
    ];
    child::run(&arguments).await
}
