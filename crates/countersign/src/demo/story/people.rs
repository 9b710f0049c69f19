//! Dan is invited with a claim that works once, becomes an approver, agrees to something and is deactivated: his vote counts no more, and what
//! rested on it says who could agree instead.

use std::ffi::OsStr;

use anyhow::Context as _;
use countersign_api::approval::RequestApproval;
use countersign_api::permit::{Permit, ReservePermit};
use countersign_api::policy::ActivatePolicy;
use countersign_api::{Action, Reason};
use countersign_client::{ApprovalListing, Client, ClientError};
use countersign_server::config::canonical_policy;
use serde_json::json;

use super::evidence::said;
use super::quorum::{action, approve, missing};
use super::told::Told;
use super::word;
use crate::credentials;
use crate::demo::cast::{Cast, Who};
use crate::demo::child::{self, Ended};

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let Invited { id, early, says_how } = invite(cast, "Dan").await?;
    told.same(
        "Ana invites Dan: it waits for others, and says how to go on",
        "ends with 5, says how to go on",
        format!("{early}, {says_how}"),
    )?;
    let dan = claim(cast, told).await?;
    promote(cast, &id).await?;
    let request = asked(cast).await?;
    dan.approve(&request, &Reason::default()).await?;
    let voted = cast.client(Who::Ben)?.approve(&request, &Reason::default()).await?;
    told.same("Dan, now an approver, agrees, and so does Ben", "approved", voted.status)?;
    deactivate(cast, told, (&id, &dan)).await?;
    let refused = reserve(cast, &request).await;
    told.same(
        "Dan's vote counts no more: the permit is refused, saying who could agree instead",
        "approval_pending, needs 1 of approvers: Chloe",
        missing(&refused),
    )?;
    cast.client(Who::Chloe)?.approve(&request, &Reason::default()).await?;
    let permit = reserve(cast, &request).await?;
    let back = cast.client(Who::Ana)?.release_permit(&permit.id, &Reason::default()).await?;
    told.same("Chloe agrees, and there is a permit, which Ana gives back", "released", back.status)
}

/// Somebody who was invited.
pub(super) struct Invited {
    pub(super) id: String,
    /// How it ended while nobody had agreed, and whether it said how to go on.
    early: String,
    says_how: &'static str,
}

/// What Ana types. The first time others must agree; the second time they did, and the claim is in a file.
pub(super) async fn invite(cast: &Cast, name: &str) -> anyhow::Result<Invited> {
    let early = ana(cast, &["person", "invite", "--name", name, "--timeout", "0"]).await?;
    let waiting = ApprovalListing { for_me: true, ..ApprovalListing::default() };
    let page = cast.client(Who::Ben)?.approvals_of(&waiting).await?;
    let wanted = |action: &Action| action.verb == "invite";
    let request = page.items.into_iter().find(|request| wanted(&request.action));
    let request = request.context("nobody was asked to agree to an invitation")?;
    approve(cast, &request.id).await?;
    let id = request.action.resource.trim_start_matches("person/").to_owned();
    let file = cast.places.at(&format!("{}.claim", name.to_lowercase()));
    let file = file.to_str().context("a place that is not text")?;
    let go = ["person", "invite", "--name", name, "--id", &id, "--approval", &request.id, "--save", file];
    ana(cast, &go).await?.successful().context("`countersign person invite`")?;
    let says_how =
        if early.stderr.contains(&request.id) { "says how to go on" } else { "does not say how to go on" };
    Ok(Invited { id, early: said(&early), says_how })
}

/// Dan replaces his claim, once.
async fn claim(cast: &Cast, told: &mut Told) -> anyhow::Result<Client> {
    let first = replace(cast, "dan.json").await?;
    let second = replace(cast, "mallory.json").await?;
    let server = cast.client(Who::Ana)?.server();
    let dan = Client::new(server, Some(&credentials::load(&cast.places.at("dan.json"))?.credential))?;
    let me = dan.me().await?;
    let refused = if second.stderr.contains("unknown_claim") { "unknown_claim" } else { "no such refusal" };
    told.same(
        "Dan claims a credential of his own, and the claim does not work twice",
        "ends with 0: Dan, active; then ends with 3: unknown_claim",
        format!(
            "{}: {}, {}; then {}: {refused}",
            said(&first),
            me.name.unwrap_or_default(),
            me.status,
            said(&second)
        ),
    )?;
    Ok(dan)
}

async fn replace(cast: &Cast, credential: &str) -> anyhow::Result<Ended> {
    let (claim, saved) = (cast.places.at("dan.claim"), cast.places.at(credential));
    let arguments = [
        "--server".as_ref(),
        OsStr::new(cast.client(Who::Ana)?.server()),
        "claim".as_ref(),
        "--claim".as_ref(),
        claim.as_os_str(),
        "--save".as_ref(),
        saved.as_os_str(),
    ];
    child::run(&arguments).await
}

/// Belonging gives no rights: a policy does, which others agree to.
async fn promote(cast: &Cast, id: &str) -> anyhow::Result<()> {
    let ana = cast.client(Who::Ana)?;
    let mut policy = ana.policy().await?.policy;
    let approvers = policy["groups"]["approvers"].as_array_mut().context("a policy without approvers")?;
    approvers.push(json!(id));
    let (sha256, _) = canonical_policy(&serde_json::from_value(policy.clone())?)?;
    let request = RequestApproval {
        action: action("activate", "policy/main", "control"),
        parameters: json!({ "policy_sha256": sha256.to_string() }),
        reason: Some("Dan approves, too".to_owned()),
    };
    let approval = ana.request_approval(&request).await?.id;
    approve(cast, &approval).await?;
    ana.activate_policy(&ActivatePolicy { policy, approval }).await?;
    Ok(())
}

async fn deactivate(cast: &Cast, told: &mut Told, (id, dan): (&str, &Client)) -> anyhow::Result<()> {
    let before = word(&dan.me().await);
    let gone = ana(cast, &["person", "deactivate", id, "--reason", "left the company"]).await?;
    let after = word(&dan.me().await);
    told.same(
        "Ana deactivates Dan, and his next request is refused",
        "done before, ends with 0, unauthenticated after",
        format!("{before} before, {}, {after} after", said(&gone)),
    )
}

fn failover() -> (Action, serde_json::Value) {
    (action("failover", "region/eu", "production"), json!({ "to": "eu-central" }))
}

async fn asked(cast: &Cast) -> anyhow::Result<String> {
    let (action, parameters) = failover();
    let request = RequestApproval { action, parameters, reason: Some("a rehearsal".to_owned()) };
    Ok(cast.client(Who::Ana)?.request_approval(&request).await?.id)
}

async fn reserve(cast: &Cast, approval: &str) -> Result<Permit, ClientError> {
    let (action, parameters) = failover();
    let (approval, exceptions) = (Some(approval.to_owned()), Vec::new());
    let ana = cast.client(Who::Ana).map_err(|error| ClientError::Unusable(error.to_string()))?;
    ana.reserve_permit(&ReservePermit { action, parameters, approval, exceptions, reason: None }).await
}

/// A command of Ana's.
pub(super) async fn ana(cast: &Cast, arguments: &[&str]) -> anyhow::Result<Ended> {
    let credential = cast.places.credential(Who::Ana);
    let mut all = vec!["--credential".as_ref(), credential.as_os_str()];
    all.extend(arguments.iter().map(OsStr::new));
    child::run(&all).await
}
