//! The statement of a request: the exact bytes people sign, and what the log keeps of a signature under them.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use countersign_api::approval::PasskeySignature;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::signature::Signature;
use countersign_core::{Item, Subject};
use countersign_evidence::votes;
use countersign_ledger::statement::{self, NAMESPACE};

use super::address::Named;
use super::approvals::{parse, sees};
use super::gate::Caller;
use super::parameters::first_detailed;
use super::problem::{Rejected, Words};
use super::{App, lists, passkeys};
use crate::engine::Engine;

/// The statement of a request: what its voters sign, byte by byte. For whoever may see the request.
#[utoipa::path(get, path = "/admin/approvals/{id}/statement", tag = "approvals", params(("id" = String, Path)), responses((status = 200, body = serde_json::Value)))]
pub(super) async fn statement(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<impl IntoResponse, Rejected> {
    let approval = parse(&id)?;
    let Some(Item::Approval(item)) = lists::one(&app, Subject::Approval(approval)).await? else {
        return Err(caller.misses(&app, ("approval", &id)));
    };
    sees(&app, &caller, &item)?;
    let bytes = of(&app.engine, approval).await?.ok_or_else(redacted)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes))
}

/// The statement of a request; none if there is no such request or its details were redacted.
pub(super) async fn of(engine: &Engine, approval: ApprovalId) -> Result<Option<Vec<u8>>, Rejected> {
    let found = engine.read(move |reader| first_detailed(reader, &approval.to_string())).await?;
    Ok(found.and_then(|(leaf, details)| statement::of_request(&leaf, &details).ok()))
}

/// What somebody gave to sign with.
pub(super) enum Given {
    Nothing,
    Armor(String),
    Passkey(PersonId, PasskeySignature),
}

/// What the log keeps of a signature under the request's statement. It is verified here, before anything is decided; whose key it may
/// be is the core's to say. For a request that is not there it is none, so that the core says that first.
pub(super) async fn signed(
    engine: &Engine,
    approval: ApprovalId,
    given: Given,
) -> Result<Option<Signature>, Rejected> {
    if matches!(given, Given::Nothing) {
        return Ok(None);
    }
    let Some(bytes) = of(engine, approval).await? else { return Ok(None) };
    let (signature, hint) = match given {
        Given::Nothing => return Ok(None),
        Given::Armor(armor) => {
            let hint = "fetch the statement and sign exactly its bytes: `countersign approval approve ID --sign --key FILE`";
            (votes::signature(&armor, NAMESPACE, &bytes).map_err(|error| error.to_string()), hint)
        }
        Given::Passkey(person, sent) => {
            let hint = "ask one of your own passkeys, with the SHA-256 of the statement as the challenge and user verification required";
            (passkeys::signed(&engine.state(), (person, &sent), &bytes), hint)
        }
    };
    signature.map(Some).map_err(|why| {
        let detail = format!("the signature is not one under the statement of this request: {why}");
        let words = Words { code: "signature_invalid", detail, hint };
        Rejected::new(StatusCode::UNPROCESSABLE_ENTITY, words)
    })
}

fn redacted() -> Rejected {
    let words = Words {
        code: "statement_redacted",
        detail: "the details of the request were redacted, and with them what was signed".into(),
        hint: "signatures under it are still verified, from its hash: see `countersign evidence verify`",
    };
    Rejected::new(StatusCode::GONE, words)
}
