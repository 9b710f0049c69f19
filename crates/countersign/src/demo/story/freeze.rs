//! A freeze holds payouts, also those that were approved before; who was excepted passes once, and everything else stays held.
//!
//! The freeze comes with a policy of its own, under the quorum of the one in force, and takes the lowered quorums back. As in the chapter
//! on payouts, what is told is what NudgePay answered to a caller.

use anyhow::Context as _;
use countersign_api::Reason;
use countersign_api::approval::RequestApproval;
use countersign_client::guard::now;
use serde_json::Value;

use super::payout::{A, AMOUNT_MINOR, Caller, Leave};
use super::policy::{propose, read, with_quorum, write};
use super::quorum::approve;
use super::told::Told;
use crate::demo::cast::{Cast, Who};

/// How long the freeze would hold, seconds; longer than the story.
const WINDOW_SECONDS: u32 = 3600;

/// Who may be excepted, and by whom: one approver is enough, and NudgePay uses it.
const EXCEPTION_RULE: &str = r#"
[[rules]]
name = "except-from-freezes"
verb = "except"
resource = "freeze/*"
environment = "production"
patterns = true
requesters = ["engineers"]
executors = ["applications"]
approval = "required"
quorum = { approvers = 1 }
pending_seconds = 3600
approved_seconds = 1800
start_seconds = 60
work_seconds = 60
"#;

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let caller = Caller::new(cast)?;
    let until = freeze(cast).await?;
    let urgent = agreed(cast, &caller).await?;
    let (word, answer) = caller.override_payout((AMOUNT_MINOR, A), Leave::approved(&urgent)).await?;
    told.same(
        "an approved payout is held by the freeze, which is named with its end",
        format!("403 frozen: this action is frozen by `quarter-end` until {until}"),
        format!("{word}: {}", answer["detail"].as_str().unwrap_or("?")),
    )?;
    let (exception, asked) = ask(cast, &answer).await?;
    told.same(
        "the refusal says how to ask for an exception: for exactly this approval",
        format!("except freeze/quarter-end production, {{\"approval\":\"{urgent}\"}}"),
        asked,
    )?;
    let leave = Leave { approval: Some(&urgent), exception: Some(&exception) };
    let (word, _) = caller.override_payout((AMOUNT_MINOR, A), leave).await?;
    told.same("before anybody has agreed to it, it excepts nothing", "403 exception_pending", word)?;
    cast.client(Who::Chloe)?.approve(&exception, &Reason::default()).await?;
    let (word, _) = caller.override_payout((AMOUNT_MINOR, A), leave).await?;
    told.same("Chloe agrees, and the payout passes", format!("201 {A}"), word)?;
    used_up(cast, told, (&caller, &urgent, &exception)).await
}

/// The permit took approval and exception with it: neither gives a second one.
async fn used_up(
    cast: &Cast,
    told: &mut Told,
    (caller, urgent, exception): (&Caller, &str, &str),
) -> anyhow::Result<()> {
    let aud = cast.client(Who::Aud)?;
    let used = [aud.approval(urgent).await?, aud.approval(exception).await?];
    let one = match used.each_ref().map(|approval| approval.permit.as_deref()) {
        [Some(first), Some(second)] if first == second => "one permit",
        _ => "not one permit",
    };
    told.same(
        "approval and exception are used up by one permit",
        "consumed, consumed, one permit",
        format!("{}, {}, {one}", used[0].status, used[1].status),
    )?;
    let leave = Leave { approval: Some(urgent), exception: Some(exception) };
    let (word, _) = caller.override_payout((AMOUNT_MINOR, A), leave).await?;
    told.same("a second permit on them is refused", "403 approval_consumed", word)?;
    let next = agreed(cast, caller).await?;
    let leave = Leave { approval: Some(&next), exception: Some(exception) };
    let (word, _) = caller.override_payout((AMOUNT_MINOR, A), leave).await?;
    told.same("nor does the exception let the next approved payout pass", "403 exception_mismatch", word)?;
    let (word, _) = caller.override_payout((AMOUNT_MINOR, A), Leave::approved(&next)).await?;
    told.same("which stays held", "403 frozen", word)
}

/// Puts the freeze in force, with one vote: that is the quorum of the policy in force. Until when it holds.
async fn freeze(cast: &Cast) -> anyhow::Result<String> {
    let from = now();
    let until = from.plus_seconds(WINDOW_SECONDS);
    let restored = with_quorum(&with_quorum(&read(cast)?, "payouts", 2)?, "policy", 2)?;
    let text = format!(
        "{restored}{EXCEPTION_RULE}\n[[freezes]]\nname = \"quarter-end\"\nverb = \"override\"\nresource = \"payout/*\"\n\
         environment = \"production\"\npatterns = true\nfrom = \"{from}\"\nuntil = \"{until}\"\n"
    );
    write(cast, &text)?;
    let proposed = propose(cast, &text, "quarter end; and two people again").await?;
    cast.client(Who::Ben)?.approve(&proposed.approval, &Reason::default()).await?;
    cast.client(Who::Ana)?.activate_policy(&proposed).await?;
    Ok(until.to_string())
}

/// A payout that Ben and Chloe agree to; a freeze does not keep people from agreeing.
async fn agreed(cast: &Cast, caller: &Caller) -> anyhow::Result<String> {
    let (_, answer) = caller.override_payout((AMOUNT_MINOR, A), Leave::default()).await?;
    let id = requested(cast, &answer).await?;
    approve(cast, &id).await?;
    Ok(id)
}

/// Ana asks with the ready-made request; its id.
async fn requested(cast: &Cast, answer: &Value) -> anyhow::Result<String> {
    let request: RequestApproval =
        serde_json::from_value(answer["request"].clone()).context("the ready-made request")?;
    Ok(cast.client(Who::Ana)?.request_approval(&request).await?.id)
}

/// Ana asks for the exception; and what the server says she asked for.
async fn ask(cast: &Cast, answer: &Value) -> anyhow::Result<(String, String)> {
    let id = requested(cast, answer).await?;
    let asked = cast.client(Who::Chloe)?.approval(&id).await?;
    let action = asked.action;
    let parameters = asked.parameters.unwrap_or_default();
    Ok((id, format!("{} {} {}, {parameters}", action.verb, action.resource, action.environment)))
}
