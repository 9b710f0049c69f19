//! Ana changes the policy file; what is in force changes only with the consent of the people that the policy in force names.
//!
//! The change is the one to be afraid of: fewer approvers for payouts, and fewer for the next change of the policy. Under it one
//! person would be enough, but it is not what counts until two have agreed to exactly these bytes.

use std::path::Path;

use anyhow::Context as _;
use countersign_api::approval::{Approval, RequestApproval};
use countersign_api::permit::{FinishPermit, Outcome, ReservePermit};
use countersign_api::policy::{ActivatePolicy, PolicyInForce};
use countersign_api::{Action, Reason};
use countersign_client::EntryListing;
use countersign_server::config::{canonical_policy, parse_policy};
use serde_json::{Value, json};

use super::quorum::{action, approve, missing};
use super::told::Told;
use super::word;
use crate::demo::cast::{Cast, ENVIRONMENT, Who};

/// What lets anybody who may execute it reserve permits without asking; the last chapter needs many.
const PROBE_RULE: &str = r#"
[[rules]]
name = "probe"
verb = "probe"
resource = "service/nudgepay"
environment = "production"
requesters = ["engineers"]
executors = ["engineers"]
approval = "not-required"
pending_seconds = 60
approved_seconds = 60
start_seconds = 60
work_seconds = 60
"#;

/// An approval that nobody ever asked for.
const NO_APPROVAL: &str = "apr_00000000000070008000000000000000";

/// What was asked for under the first policy and has one of its two votes.
struct Pending {
    /// A payout: its rule changes.
    payout: String,
    /// A failover: its rule does not.
    failover: String,
}

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let first = cast.client(Who::Aud)?.policy().await?;
    told.same(
        "the first policy is the bootstrap: nobody approved it",
        "bootstrap, without approval",
        how(&first),
    )?;
    let pending = Pending {
        payout: half_approved(cast, payout(), amount()).await?,
        failover: half_approved(cast, failover(), region()).await?,
    };
    let text = read(cast)?;
    let lowered = with_quorum(&with_quorum(&text, "payouts", 1)?, "policy", 1)?;
    let changed = format!("{lowered}{PROBE_RULE}");
    write(cast, &changed)?;
    let still = cast.client(Who::Aud)?.policy().await?;
    told.same(
        "Ana changes the policy file: one approver for payouts and for the next policy; in force is what the ledger says",
        &first.sha256,
        &still.sha256,
    )?;
    short_cuts(cast, told, (&text, &changed)).await?;
    let activated = under_quorum(cast, told, &changed).await?;
    what_was_pending(cast, told, (&activated, &pending)).await?;
    on_record(cast, told, &activated).await
}

/// No approval, and one of other bytes.
async fn short_cuts(cast: &Cast, told: &mut Told, (text, changed): (&str, &str)) -> anyhow::Result<()> {
    let ana = cast.client(Who::Ana)?;
    let (_, policy) = parsed(changed)?;
    let none = ActivatePolicy { policy: policy.clone(), approval: NO_APPROVAL.to_owned() };
    let attempt = ana.activate_policy(&none).await;
    told.same("without an approval the change is not activated", "approval_not_found", word(&attempt))?;
    let harmless = propose(cast, &format!("{text}{PROBE_RULE}"), "let engineers probe NudgePay").await?;
    approve(cast, &harmless.approval).await?;
    let swapped = ana.activate_policy(&ActivatePolicy { policy, approval: harmless.approval }).await;
    told.same(
        "nor with an approval, by Ben and Chloe, of other bytes: of the file without the lower quorums",
        "parameters_mismatch",
        word(&swapped),
    )
}

/// Two people agree to exactly these bytes, because the policy in force says two.
async fn under_quorum(cast: &Cast, told: &mut Told, changed: &str) -> anyhow::Result<PolicyInForce> {
    let ana = cast.client(Who::Ana)?;
    let proposed = propose(cast, changed, "two people are too many").await?;
    let own = ana.approve(&proposed.approval, &Reason::default()).await;
    told.same(
        "the change's author has no vote on it: Ana's own approval is refused",
        "self_approval",
        word(&own),
    )?;
    let checked = Reason { reason: Some("checked".to_owned()) };
    cast.client(Who::Ben)?.approve(&proposed.approval, &checked).await?;
    let early = ana.activate_policy(&proposed).await;
    told.same(
        "one vote is enough by the changed file and not by the policy in force",
        "approval_pending, needs 1 of approvers: Chloe",
        missing(&early),
    )?;
    cast.client(Who::Chloe)?.approve(&proposed.approval, &checked).await?;
    let mut activated = ana.activate_policy(&proposed).await?;
    let in_force = cast.client(Who::Aud)?.policy().await?;
    let (sha256, _) = parsed(changed)?;
    told.same(
        "policy activated, approved by Ben and Chloe",
        format!("{sha256}, approved by {}", proposed.approval),
        format!("{}, {}", in_force.sha256, how(&in_force).trim_start_matches("not bootstrap, ")),
    )?;
    activated.approval = in_force.approval;
    Ok(activated)
}

/// Of what was under way only that is lost whose rules come to another demand.
async fn what_was_pending(
    cast: &Cast,
    told: &mut Told,
    (activated, pending): (&PolicyInForce, &Pending),
) -> anyhow::Result<()> {
    let code = |id: &str| {
        let left = activated.stranded.iter().find(|left| left.approval == id);
        left.map_or("good", |left| &left.code).to_owned()
    };
    told.same(
        "whoever activates it is told which requests it leaves behind",
        "payout policy_changed, failover good",
        format!("payout {}, failover {}", code(&pending.payout), code(&pending.failover)),
    )?;
    let chloe = cast.client(Who::Chloe)?;
    let late = chloe.approve(&pending.payout, &Reason::default()).await;
    told.same("the payout's rule is another one now: no vote on it counts", "policy_changed", word(&late))?;
    let voted = chloe.approve(&pending.failover, &Reason::default()).await?;
    let ana = cast.client(Who::Ana)?;
    let reserve = ReservePermit {
        action: failover(),
        parameters: region(),
        approval: Some(pending.failover.clone()),
        exceptions: Vec::new(),
        reason: None,
    };
    let permit = ana.reserve_permit(&reserve).await?;
    ana.start_permit(&permit.id, &Reason::default()).await?;
    let finish = FinishPermit { outcome: Outcome::Succeeded, report: None, reason: None };
    let done = ana.finish_permit(&permit.id, &finish).await?;
    told.same(
        "the failover's is the same: the vote from before counts, and it is done",
        "approved by 2, succeeded",
        format!("{} by {}, {}", voted.status, voted.votes.len(), done.status),
    )
}

/// The entries say it for ever: the first activation nobody approved, the second one these people did.
async fn on_record(cast: &Cast, told: &mut Told, activated: &PolicyInForce) -> anyhow::Result<()> {
    let listing = EntryListing { kind: Some("policy.activated".to_owned()), ..EntryListing::default() };
    let entries = cast.client(Who::Aud)?.entries(&listing).await?.items;
    let activations = entries.iter().map(|entry| match &entry.leaf["data"] {
        data if data["bootstrap"] == true && data["approval"].is_null() => "bootstrap".to_owned(),
        data => data["approval"].as_str().unwrap_or("neither").to_owned(),
    });
    told.same(
        "the ledger keeps both: the bootstrap first and for ever, then the one that was approved",
        format!("bootstrap, {}", activated.approval.as_deref().unwrap_or("?")),
        activations.collect::<Vec<_>>().join(", "),
    )
}

fn how(in_force: &PolicyInForce) -> String {
    let bootstrap = if in_force.bootstrap { "bootstrap" } else { "not bootstrap" };
    match &in_force.approval {
        Some(approval) => format!("{bootstrap}, approved by {approval}"),
        None => format!("{bootstrap}, without approval"),
    }
}

fn payout() -> Action {
    action("override", "payout/po-2001", ENVIRONMENT)
}

fn amount() -> Value {
    json!({ "amount_minor": 5_000 })
}

fn failover() -> Action {
    action("failover", "region/eu", ENVIRONMENT)
}

fn region() -> Value {
    json!({ "to": "eu-north" })
}

/// Ana asks, Ben agrees; Chloe has not looked yet.
async fn half_approved(cast: &Cast, action: Action, parameters: Value) -> anyhow::Result<String> {
    let request = RequestApproval { action, parameters, reason: None };
    let id = cast.client(Who::Ana)?.request_approval(&request).await?.id;
    let Approval { id, .. } = cast.client(Who::Ben)?.approve(&id, &Reason::default()).await?;
    Ok(id)
}

/// Ana asks that this file be put in force; what she would activate it with.
pub(super) async fn propose(cast: &Cast, text: &str, why: &str) -> anyhow::Result<ActivatePolicy> {
    let (sha256, policy) = parsed(text)?;
    let request = RequestApproval {
        action: action("activate", "policy/main", "control"),
        parameters: json!({ "policy_sha256": sha256 }),
        reason: Some(why.to_owned()),
    };
    let approval = cast.client(Who::Ana)?.request_approval(&request).await?.id;
    Ok(ActivatePolicy { policy, approval })
}

/// The digest that is approved, and the policy as it is sent.
fn parsed(text: &str) -> anyhow::Result<(String, Value)> {
    let policy = parse_policy(Path::new("policy.toml"), text)?;
    let (sha256, _) = canonical_policy(&policy).context("the policy's canonical form")?;
    Ok((sha256.to_string(), serde_json::to_value(&policy)?))
}

pub(super) fn read(cast: &Cast) -> anyhow::Result<String> {
    std::fs::read_to_string(cast.places.policy()).context("reading the policy")
}

pub(super) fn write(cast: &Cast, text: &str) -> anyhow::Result<()> {
    std::fs::write(cast.places.policy(), text).context("changing the policy")
}

/// The file with so many approvers in this rule.
pub(super) fn with_quorum(text: &str, rule: &str, count: u32) -> anyhow::Result<String> {
    let (before, rest) = text.split_once(&format!("name = \"{rule}\"")).context("no such rule")?;
    let (between, rest) = rest.split_once("quorum = {").context("a rule without a quorum")?;
    let (_, after) = rest.split_once('}').context("a quorum without an end")?;
    Ok(format!("{before}name = \"{rule}\"{between}quorum = {{ approvers = {count} }}{after}"))
}
