//! The auditor takes the case home: one file, verified with the server stopped, and bent in ways that are each named.
//!
//! Most forgers have only the file. One is the worst there is: whoever runs the server, with the log's own key. To an auditor who demands
//! the witness' cosignature they can show no other history; to one who does not, none in which the rules were broken.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_api::rotation::Rotation;
use countersign_evidence::bundle::{self, Bundle};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::keys::claimed_size;
use countersign_ledger::note::{Ed25519Signer, VerifierKey};
use countersign_ledger::tree::CompactRange;
use serde_json::Value;

use super::evidence::{DAMAGED, said};
use super::told::Told;
use crate::demo::cast::{Cast, ORIGIN, Places, Who};
use crate::demo::child::{self, Ended};

/// Exports the case of a rotation, as Aud would while the server runs.
pub(super) async fn export(cast: &Cast, told: &mut Told, rotation: &Rotation) -> anyhow::Result<PathBuf> {
    witnessed(cast).await?;
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
    let verified = run(places, file, Demand::Witness).await?;
    told.same(
        "with the server stopped the case verifies: bytes, proofs, witness, completeness, meaning",
        "ends with 0, everything shown",
        format!("{}, {}", said(&verified), open(&verified.stdout)?),
    )?;
    let genuine = std::fs::read(file).context("reading the case")?;
    for Forgery { title, code, kind, demand, bend } in FORGERIES {
        let mut bundle = bundle::parse(&genuine)?;
        let entry = kind.map(|kind| index(&bundle, place(&bundle, kind)?)).transpose()?;
        bend(places, &mut bundle)?;
        let found = verdict(places, bundle::print(&bundle)?, demand).await?;
        told.same(title, format!("ends with {DAMAGED}, {}", told_as(code, entry)), found)?;
    }
    let page = String::from_utf8(genuine).context("the case is text")?.replacen("Chloe", "Clara", 1);
    told.same(
        "the page shows another name than the evidence: the page is named",
        format!("ends with {DAMAGED}, `report`"),
        verdict(places, page, Demand::Witness).await?,
    )
}

/// How the verification of a forged file ends, and what it names.
async fn verdict(places: &Places, file: String, demand: Demand) -> anyhow::Result<String> {
    let forged = places.at("forged.html");
    std::fs::write(&forged, file).context("writing a forgery")?;
    let found = run(places, &forged, demand).await?;
    Ok(format!("{}, {}", said(&found), named(&found.stdout)))
}

/// How long the witness may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is asked whether it has.
const EVERY: Duration = Duration::from_millis(100);

/// What the auditor demands of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    /// That the log's key signed it and the witness cosigned it.
    Witness,
    /// That the log's key signed it.
    KeyAlone,
}

/// A way to bend a case, what must be said about it, and what the forger does.
struct Forgery {
    title: &'static str,
    code: &'static str,
    /// The kind of entry that must be named, if one.
    kind: Option<&'static str>,
    demand: Demand,
    bend: fn(&Places, &mut Bundle) -> anyhow::Result<()>,
}

const FORGERIES: [Forgery; 6] = [
    Forgery {
        title: "a vote is given to somebody else: the leaf is named",
        code: "leaf",
        kind: Some(VOTE),
        demand: Demand::Witness,
        bend: |_, bundle| change_vote(bundle),
    },
    Forgery {
        title: "the same with its hash adjusted: it is not in the signed tree",
        code: "proof",
        kind: None,
        demand: Demand::Witness,
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
        demand: Demand::Witness,
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
        demand: Demand::Witness,
        bend: |places, bundle| sign(places, bundle, &Ed25519Signer::from_seed(ORIGIN, [0; 32])?),
    },
    Forgery {
        title: "whoever holds the log's own key rewrites history: the witness did not see that one",
        code: "witnesses",
        kind: None,
        demand: Demand::Witness,
        bend: rewrite_history,
    },
    Forgery {
        title: "the same without a witness: it is self-approval, and the meaning is named",
        code: "meaning_self_approval",
        kind: Some(VOTE),
        demand: Demand::KeyAlone,
        bend: rewrite_history,
    },
];

/// Whoever runs the server: a vote is given to the requester, the whole tree is hashed anew, and the log's own key signs it.
fn rewrite_history(places: &Places, bundle: &mut Bundle) -> anyhow::Result<()> {
    change_vote(bundle)?;
    rehash(bundle);
    let seed = STANDARD.decode(std::fs::read_to_string(places.at("server/keys/log.key"))?.trim())?;
    let seed = seed.try_into().ok().context("a key of 32 bytes")?;
    sign(places, bundle, &Ed25519Signer::from_seed(ORIGIN, seed)?)
}

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
async fn run(places: &Places, file: &Path, demand: Demand) -> anyhow::Result<Ended> {
    let mut key = OsString::from("@");
    key.push(places.log_key());
    let witnesses = places.witnesses();
    let mut arguments = vec!["--json".as_ref(), "evidence".as_ref(), "verify".as_ref(), file.as_os_str()];
    arguments.extend(["--key".as_ref(), key.as_os_str()]);
    if demand == Demand::Witness {
        arguments.extend(["--witnesses".as_ref(), witnesses.as_os_str()]);
    }
    child::run(&arguments).await
}

/// Waits until the witness has seen everything that happened so far: it is asked beside the appends, not before them.
async fn witnessed(cast: &Cast) -> anyhow::Result<()> {
    let aud = cast.client(Who::Aud)?;
    let size = claimed_size(&aud.checkpoint().await?).context("the checkpoint's size")?;
    let waiting = async {
        while !aud.witnessed_checkpoint().await.is_ok_and(|note| claimed_size(&note) >= Some(size)) {
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .with_context(|| format!("no cosignature within {PATIENCE:?}"))
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
