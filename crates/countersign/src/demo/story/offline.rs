//! An executor keeps a permit as a document and checks it with the server stopped: with the keys and the roster it pinned, and no address.
//!
//! The votes of the demo are not signed, so who agreed is the server's word, and the verifier says so.

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::evidence::{DAMAGED, said};
use super::quorum::{OVERLAP_SECONDS, approve, parameters, reserve, rotate};
use super::told::Told;
use crate::demo::cast::{Cast, Places, Who};
use crate::demo::child::{self, Ended};

/// What the executor keeps.
pub(super) struct Kept {
    document: Vec<u8>,
    roster: PathBuf,
}

/// Ana reserves one more rotation, keeps its document and pins a roster while the server runs.
pub(super) async fn keep(cast: &Cast, told: &mut Told) -> anyhow::Result<Kept> {
    let ana = cast.client(Who::Ana)?;
    let request = countersign_api::approval::RequestApproval {
        action: rotate(),
        parameters: parameters(OVERLAP_SECONDS),
        reason: Some("to be kept".to_owned()),
    };
    let approval = ana.request_approval(&request).await?.id;
    approve(cast, &approval).await?;
    let permit = ana.reserve_permit(&reserve(&approval, OVERLAP_SECONDS)).await?;
    let answered = serde_json::to_vec(&permit.document.context("the answer has no document")?)?;
    let document = ana.permit_document(&permit.id).await?;
    told.same(
        "a reservation is answered with a document, and asking again gives the same bytes",
        String::from_utf8_lossy(&answered),
        String::from_utf8_lossy(&document),
    )?;
    let credential = cast.places.credential(Who::Ana);
    let arguments: [&OsStr; 4] =
        ["--credential".as_ref(), credential.as_os_str(), "permit".as_ref(), "roster".as_ref()];
    let printed = child::run(&arguments).await?.successful().context("`countersign permit roster`")?;
    let roster = cast.places.at("roster.json");
    std::fs::write(&roster, printed.trim()).context("pinning the roster")?;
    Ok(Kept { document, roster })
}

/// With the server stopped: the document holds for exactly what was approved, and nothing else made of it does.
pub(super) async fn verify(places: &Places, told: &mut Told, kept: &Kept) -> anyhow::Result<()> {
    let exact = parameters(OVERLAP_SECONDS);
    let genuine = run(places, (kept, &kept.document), &exact).await?;
    let quorum: Value = serde_json::from_str(&genuine.stdout).unwrap_or_default();
    told.same(
        "with the server stopped the permit verifies: signature, proof, action, parameters, deadline; the quorum is the server's word",
        "ends with 0, quorum: servers-word",
        format!("{}, quorum: {}", said(&genuine), quorum["quorum"].as_str().unwrap_or("?")),
    )?;
    let other = run(places, (kept, &kept.document), &parameters(OVERLAP_SECONDS + 1)).await?;
    told.same(
        "the same permit is refused for other parameters",
        format!("ends with {DAMAGED}, parameters_mismatch"),
        format!("{}, {}", said(&other), code(&other)),
    )?;
    let altered = run(places, (kept, &later(&kept.document)?), &exact).await?;
    told.same(
        "a permit with a later deadline is refused: nobody signed that",
        format!("ends with {DAMAGED}, permit_unsigned"),
        format!("{}, {}", said(&altered), code(&altered)),
    )
}

/// The document with another deadline under the same signature.
fn later(document: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut envelope: Value = serde_json::from_slice(document).context("the document")?;
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap_or_default())?;
    let mut statement: Value = serde_json::from_slice(&payload).context("the statement")?;
    statement["predicate"]["start_by"] = "2099-01-01T00:00:00.000Z".into();
    envelope["payload"] = STANDARD.encode(serde_json::to_vec(&statement)?).into();
    Ok(serde_json::to_vec(&envelope)?)
}

fn code(ended: &Ended) -> String {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    document["code"].as_str().unwrap_or("?").to_owned()
}

/// `countersign permit verify`, a process that knows no server.
async fn run(places: &Places, (kept, document): (&Kept, &[u8]), wanted: &Value) -> anyhow::Result<Ended> {
    let (file, parameters) = (places.at("permit.json"), places.at("wanted.json"));
    std::fs::write(&file, document).context("writing the document")?;
    std::fs::write(&parameters, wanted.to_string()).context("writing the parameters")?;
    let pinned = |key: PathBuf| format!("@{}", key.display());
    let (permit_key, log_key) = (pinned(places.permit_key()), pinned(places.log_key()));
    let action = rotate();
    let action = format!("{} {} {}", action.verb, action.resource, action.environment);
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
