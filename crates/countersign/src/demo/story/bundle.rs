//! The auditor takes the case home: one file, verified with the server stopped, and bent in six ways that are each named.
//!
//! Five forgers have only the file. One is the worst there is: whoever runs the server, with the log's own key.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_api::rotation::Rotation;
use countersign_evidence::bundle::{self, Bundle};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::note::{Ed25519Signer, VerifierKey};
use countersign_ledger::tree::CompactRange;
use serde_json::Value;

use super::evidence::{DAMAGED, said};
use super::told::Told;
use crate::demo::cast::{Cast, ORIGIN, Places, Who};
use crate::demo::child::{self, Ended};

/// Exports the case of a rotation, as Aud would while the server runs.
pub(super) async fn export(cast: &Cast, told: &mut Told, rotation: &Rotation) -> anyhow::Result<PathBuf> {
    let file = cast.places.at("case.html");
    let credential = cast.places.credential(Who::Aud);
    let arguments = [
        "--json".as_ref(),
        "--credential".as_ref(),
        credential.as_os_str(),
        "evidence".as_ref(),
        "export".as_ref(),
        OsStr::new(&rotation.id),
        "--out".as_ref(),
        file.as_os_str(),
    ];
    let exported = child::run(&arguments).await?;
    told.same("the rotation's case is exported into one file", "ends with 0", said(&exported))?;
    Ok(file)
}

/// Verifies the file with the server stopped, then what forgers make of it.
pub(super) async fn verify(places: &Places, told: &mut Told, file: &Path) -> anyhow::Result<()> {
    let verified = run(places, file).await?;
    told.same(
        "with the server stopped the case verifies: bytes, proofs, completeness, meaning",
        "ends with 0, not shown: witnesses",
        format!("{}, {}", said(&verified), open(&verified.stdout)?),
    )?;
    let genuine = std::fs::read(file).context("reading the case")?;
    for Forgery { title, code, kind, bend } in FORGERIES {
        let mut bundle = bundle::parse(&genuine)?;
        let entry = kind.map(|kind| index(&bundle, place(&bundle, kind)?)).transpose()?;
        bend(places, &mut bundle)?;
        let found = verdict(places, bundle::print(&bundle)?).await?;
        told.same(title, format!("ends with {DAMAGED}, {}", told_as(code, entry)), found)?;
    }
    let page = String::from_utf8(genuine).context("the case is text")?.replacen("Chloe", "Clara", 1);
    told.same(
        "the page shows another name than the evidence: the page is named",
        format!("ends with {DAMAGED}, `report`"),
        verdict(places, page).await?,
    )
}

/// How the verification of a forged file ends, and what it names.
async fn verdict(places: &Places, file: String) -> anyhow::Result<String> {
    let forged = places.at("forged.html");
    std::fs::write(&forged, file).context("writing a forgery")?;
    let found = run(places, &forged).await?;
    Ok(format!("{}, {}", said(&found), named(&found.stdout)))
}

/// A way to bend a case, what must be said about it, and what the forger does.
struct Forgery {
    title: &'static str,
    code: &'static str,
    /// The kind of entry that must be named, if one.
    kind: Option<&'static str>,
    bend: fn(&Places, &mut Bundle) -> anyhow::Result<()>,
}

const FORGERIES: [Forgery; 5] = [
    Forgery {
        title: "a vote is given to somebody else: the leaf is named",
        code: "leaf",
        kind: Some(VOTE),
        bend: |_, bundle| change_vote(bundle),
    },
    Forgery {
        title: "the same with its hash adjusted: it is not in the signed tree",
        code: "proof",
        kind: None,
        bend: |_, bundle| {
            change_vote(bundle)?;
            rehash(bundle);
            Ok(())
        },
    },
    Forgery {
        title: "other parameters are shown than were approved: the details are named",
        code: "details",
        kind: Some(REQUEST),
        bend: |_, bundle| {
            let place = place(bundle, REQUEST)?;
            let details = bundle.entries.get_mut(place).and_then(|entry| entry.details.as_mut());
            let details = details.context("the request's details")?;
            details.body = details.body.replace("\"overlap_seconds\":", "\"overlap_seconds\":9");
            Ok(())
        },
    },
    Forgery {
        title: "somebody else's key signs the checkpoint: the signature is named",
        code: "checkpoint_signature",
        kind: None,
        bend: |places, bundle| sign(places, bundle, &Ed25519Signer::from_seed(ORIGIN, [0; 32])?),
    },
    Forgery {
        title: "whoever holds the log's own key rewrites history into self-approval: the meaning is named",
        code: "meaning_self_approval",
        kind: Some(VOTE),
        bend: |places, bundle| {
            change_vote(bundle)?;
            rehash(bundle);
            let seed = STANDARD.decode(std::fs::read_to_string(places.at("server/keys/log.key"))?.trim())?;
            let seed = seed.try_into().ok().context("a key of 32 bytes")?;
            sign(places, bundle, &Ed25519Signer::from_seed(ORIGIN, seed)?)
        },
    },
];

/// What a voter's entry is called.
const VOTE: &str = "approval.granted";

/// What a requester's entry is called.
const REQUEST: &str = "approval.requested";

/// Where the last entry of a kind stands: the case of the rotation comes after that of the policy.
fn place(bundle: &Bundle, kind: &str) -> anyhow::Result<usize> {
    let wanted = format!("\"kind\":\"{kind}\"");
    let place = bundle.entries.iter().rposition(|entry| entry.leaf.contains(&wanted));
    place.with_context(|| format!("the case has no `{kind}`"))
}

fn index(bundle: &Bundle, place: usize) -> anyhow::Result<u64> {
    let entry = bundle.entries.get(place).context("an entry")?;
    Ok(EntryView::parse(entry.leaf.as_bytes())?.index)
}

/// Makes the last vote one of the requester's.
fn change_vote(bundle: &mut Bundle) -> anyhow::Result<()> {
    let (vote, request) = (place(bundle, VOTE)?, place(bundle, REQUEST)?);
    let actor = |place: usize| -> anyhow::Result<String> {
        let entry = bundle.entries.get(place).context("an entry")?;
        Ok(EntryView::parse(entry.leaf.as_bytes())?.actor.to_owned())
    };
    let (voter, requester) = (actor(vote)?, actor(request)?);
    if let Some(entry) = bundle.entries.get_mut(vote) {
        entry.leaf = entry.leaf.replace(&voter, &requester);
    }
    Ok(())
}

fn rehash(bundle: &mut Bundle) {
    for entry in &mut bundle.entries {
        entry.leaf_hash = leaf_hash(entry.leaf.as_bytes());
    }
}

/// Signs a checkpoint of the tree that the bundle's leaves make; every leaf of the log is among them.
fn sign(places: &Places, bundle: &mut Bundle, signer: &Ed25519Signer) -> anyhow::Result<()> {
    let pinned = VerifierKey::parse(std::fs::read_to_string(places.log_key())?.trim())?;
    let genuine = Checkpoint::open(&bundle.checkpoint, &[pinned])?;
    let mut tree = CompactRange::new();
    bundle.entries.iter().for_each(|entry| tree.push(entry.leaf_hash));
    bundle.checkpoint = Checkpoint { root: tree.root(), size: tree.size(), ..genuine }.sign(&[signer])?;
    Ok(())
}

/// `countersign evidence verify` with the pinned key, as the auditor would run it anywhere.
async fn run(places: &Places, file: &Path) -> anyhow::Result<Ended> {
    let mut key = OsString::from("@");
    key.push(places.log_key());
    let arguments = [
        "--json".as_ref(),
        "evidence".as_ref(),
        "verify".as_ref(),
        file.as_os_str(),
        "--key".as_ref(),
        key.as_os_str(),
    ];
    child::run(&arguments).await
}

/// What the verification could not show.
fn open(stdout: &str) -> anyhow::Result<String> {
    let document: Value = serde_json::from_str(stdout.trim()).context("what the verification said")?;
    let checks = document["checks"].as_array().context("checks")?;
    let open: Vec<&str> = checks
        .iter()
        .filter(|check| check["holds"] != true)
        .filter_map(|check| check["what"].as_str())
        .collect();
    Ok(if open.is_empty() {
        "everything shown".to_owned()
    } else {
        format!("not shown: {}", open.join(", "))
    })
}

/// The code and the entry that the verification named.
fn named(stdout: &str) -> String {
    let document: Value = serde_json::from_str(stdout.trim()).unwrap_or_default();
    told_as(document["code"].as_str().unwrap_or("nothing"), document["index"].as_u64())
}

fn told_as(code: &str, entry: Option<u64>) -> String {
    match entry {
        Some(entry) => format!("`{code}` at entry {entry}"),
        None => format!("`{code}`"),
    }
}
