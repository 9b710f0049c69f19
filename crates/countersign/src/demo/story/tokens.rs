//! Ana's pipeline gets a token for one action in one environment, and exchanges it for a shorter one: what it is refused, and when each ends.

use std::time::{Duration, Instant};

use countersign_api::Action;
use countersign_api::approval::{Approval, RequestApproval};
use countersign_api::token::{ExchangeToken, IssueToken, RevokeToken};
use countersign_client::{Client, ClientError, Credential};
use serde_json::json;

use super::quorum::action;
use super::told::Told;
use super::word;
use crate::demo::cast::{Cast, Who};

/// How long the pipeline's first token lives, and the one it is exchanged for, seconds.
const LIFETIME: u32 = 60;
const SHORT: u32 = 1;

/// How often a token that is to end is tried, and how long at most.
const EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

/// The bound in which a revoked token must be refused.
const BOUND: Duration = Duration::from_secs(1);

pub(super) const SCOPE: &str = "failover:region/eu";

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let ana = cast.client(Who::Ana)?;
    let wide = issue(ana, "*:*").await;
    told.same("a token for everything is not issued", "scope_not_offered", word(&wide))?;
    let (id, pipeline) = issue(ana, SCOPE).await?;
    let asked = ask(&pipeline, action("failover", "region/eu", "production")).await?;
    told.same(
        "Ana's pipeline asks for a failover with its token: in her name",
        "Ana, pending",
        format!("{}, {}", asked.requester.name.clone().unwrap_or_default(), asked.status),
    )?;
    for (name, other) in [
        ("the token is refused in another environment", action("failover", "region/eu", "staging")),
        ("and for another verb", action("rotate", "region/eu", "production")),
    ] {
        told.same(name, "out_of_scope", word(&ask(&pipeline, other).await))?;
    }
    let vote = pipeline.approve(&asked.id, &countersign_api::Reason::default()).await;
    told.same("it does not vote", "tokens_never_vote", word(&vote))?;
    let short = exchange(ana, &pipeline).await?;
    let before = word(&short.approval(&asked.id).await);
    let (refused, _) = until_refused(&short, &asked.id).await;
    told.same(
        "exchanged for one that lives a second, it reads what was asked for, and then is refused",
        "done, then unauthenticated",
        format!("{before}, then {refused}"),
    )?;
    revoke(ana, ("Ana revokes the token", told), (&pipeline, &id, &asked)).await
}

/// Once the answer to the revocation is there, how long until the token is refused.
pub(super) async fn revoke(
    ana: &Client,
    (name, told): (&str, &mut Told),
    (pipeline, id, asked): (&Client, &str, &Approval),
) -> anyhow::Result<()> {
    ana.revoke_token(id, &RevokeToken::default()).await?;
    let (refused, after) = until_refused(pipeline, &asked.id).await;
    let holds = refused == "unauthenticated" && after < BOUND;
    told.judged(
        name,
        (
            format!("unauthenticated within {} ms", BOUND.as_millis()),
            format!("{refused} after {} ms", after.as_millis()),
        ),
        holds.into(),
    )
}

pub(super) async fn issue(ana: &Client, scope: &str) -> Result<(String, Client), ClientError> {
    let token = Credential::draw_token()?;
    let issued = ana
        .issue_token(&IssueToken {
            resource: "service-token/pipeline".to_owned(),
            environment: "production".to_owned(),
            scopes: vec![scope.to_owned()],
            networks: vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()],
            lifetime_seconds: LIFETIME,
            token_sha256: token.sha256(),
            dpop_jkt: None,
            approval: None,
            reason: Some("the nightly rehearsal".to_owned()),
        })
        .await?;
    Ok((issued.id, Client::new(ana.server(), Some(&token))?))
}

async fn exchange(ana: &Client, pipeline: &Client) -> Result<Client, ClientError> {
    let token = Credential::draw_token()?;
    pipeline
        .exchange_token(&ExchangeToken {
            scopes: vec![SCOPE.to_owned()],
            networks: Vec::new(),
            lifetime_seconds: SHORT,
            token_sha256: token.sha256(),
            dpop_jkt: None,
        })
        .await?;
    Client::new(ana.server(), Some(&token))
}

pub(super) async fn ask(client: &Client, action: Action) -> Result<Approval, ClientError> {
    let parameters = json!({ "to": "eu-central" });
    client.request_approval(&RequestApproval { action, parameters, reason: None }).await
}

/// What the token is refused with at last, and after how long.
pub(super) async fn until_refused(client: &Client, approval: &str) -> (String, Duration) {
    let begun = Instant::now();
    loop {
        let said = word(&client.approval(approval).await);
        if said != "done" || begun.elapsed() > PATIENCE {
            return (said, begun.elapsed());
        }
        tokio::time::sleep(EVERY).await;
    }
}
