//! NudgePay overrides a payout behind Countersign's layer: exactly what was approved, once, and nothing else.
//!
//! Everything told here is what NudgePay answered to a caller who holds no credential of Countersign, only the approval's id.

use std::time::Duration;

use anyhow::Context as _;
use countersign_api::approval::RequestApproval;
use serde_json::{Value, json};

use super::told::Told;
use crate::demo::cast::{Cast, Who};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The account that was approved.
pub(super) const A: &str = "DE02100100100006820101";

/// Another one.
const B: &str = "DE02300209000106531065";

/// What was approved: 100.00 EUR.
pub(super) const AMOUNT_MINOR: u64 = 10_000;

/// Calls NudgePay.
pub(super) struct Caller {
    client: reqwest::Client,
    application: String,
}

/// What a caller names to be let through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leave<'a> {
    pub(super) approval: Option<&'a str>,
    pub(super) exception: Option<&'a str>,
}

impl<'a> Leave<'a> {
    pub(super) fn approved(approval: &'a str) -> Self {
        Self { approval: Some(approval), exception: None }
    }
}

impl Caller {
    pub(super) fn new(cast: &Cast) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        Ok(Self { client: client.context("an HTTP client")?, application: cast.payouts() })
    }

    /// What NudgePay answers to an override of the payout: the status, and the code or the account it went to.
    pub(super) async fn override_payout(
        &self,
        (amount_minor, account): (u64, &str),
        leave: Leave<'_>,
    ) -> anyhow::Result<(String, Value)> {
        let body = json!({ "payout": "po-1001", "amount_minor": amount_minor, "currency": "EUR", "account": account });
        let mut request = self.client.post(format!("{}/payouts/override", self.application)).json(&body);
        for (header, id) in
            [("countersign-approval", leave.approval), ("countersign-exception", leave.exception)]
        {
            if let Some(id) = id {
                request = request.header(header, id);
            }
        }
        let response = request.send().await.context("asking NudgePay to override a payout")?;
        let status = response.status().as_u16();
        let text = response.text().await.context("reading NudgePay's answer")?;
        let answer: Value =
            serde_json::from_str(&text).with_context(|| format!("NudgePay answered `{text}`"))?;
        let word =
            answer["code"].as_str().or(answer["account"].as_str()).unwrap_or("neither code nor account");
        Ok((format!("{status} {word}"), answer))
    }

    /// How often NudgePay says the payout was overridden, and how.
    async fn overrides(&self) -> anyhow::Result<String> {
        let response = self.client.get(format!("{}/payouts/po-1001", self.application)).send().await;
        let text = response.context("asking NudgePay")?.text().await.context("reading NudgePay's answer")?;
        let answer: Value =
            serde_json::from_str(&text).with_context(|| format!("NudgePay answered `{text}`"))?;
        let overrides = answer["overrides"].as_array().cloned().unwrap_or_default();
        let told = overrides.iter().map(|made| {
            format!("{} {} to {}", made["amount_minor"], text_of(made, "currency"), text_of(made, "account"))
        });
        Ok(told.collect::<Vec<_>>().join("; "))
    }
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("?")
}

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let caller = Caller::new(cast)?;
    let (word, answer) = caller.override_payout((AMOUNT_MINOR, A), Leave::default()).await?;
    told.same("NudgePay overrides no payout without an approval", "428 approval_required", word)?;
    let id = approve_what_was_answered(cast, &answer).await?;
    for (what, (amount, account)) in [("account B", (AMOUNT_MINOR, B)), ("100.01 EUR", (AMOUNT_MINOR + 1, A))]
    {
        let (word, _) = caller.override_payout((amount, account), Leave::approved(&id)).await?;
        told.same(
            &format!("the approval of 100.00 EUR to account A is refused for {what}"),
            "403 parameters_mismatch",
            word,
        )?;
    }
    let (word, _) = caller.override_payout((AMOUNT_MINOR, A), Leave::approved(&id)).await?;
    told.same("100.00 EUR to account A passes", format!("201 {A}"), word)?;
    let (word, _) = caller.override_payout((AMOUNT_MINOR, A), Leave::approved(&id)).await?;
    told.same("and does not pass again", "403 approval_consumed", word)?;
    told.same(
        "NudgePay overrode the payout once, as approved",
        format!("{AMOUNT_MINOR} EUR to {A}"),
        caller.overrides().await?,
    )
}

/// Ana asks with the ready-made request that NudgePay passed on; Ben and Chloe agree.
async fn approve_what_was_answered(cast: &Cast, answer: &Value) -> anyhow::Result<String> {
    let ready_made = answer["request"].clone();
    let request: RequestApproval = serde_json::from_value(ready_made).context("the ready-made request")?;
    let reason = Some("the merchant closed the old account".to_owned());
    let id = cast.client(Who::Ana)?.request_approval(&RequestApproval { reason, ..request }).await?.id;
    for who in [Who::Ben, Who::Chloe] {
        cast.client(who)?.approve(&id, &countersign_api::Reason::default()).await?;
    }
    Ok(id)
}
