//! Service tokens: issuing, exchanging and revoking them, and which there are. Nobody draws a token here: only its SHA-256 arrives.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_api::Page;
use countersign_api::token::{ExchangeToken, IssueToken, RevokeToken, ServiceToken};
use countersign_core::action::Resource;
use countersign_core::digest::Digest;
use countersign_core::id::TokenId;
use countersign_core::text::Name;
use countersign_core::{Command, Item, Subject, token};
use serde_json::json;

use super::address::{Asked, Named};
use super::gate::{Caller, Post, Viewer};
use super::names::{self, Known};
use super::parameters::{reason, under};
use super::problem::Rejected;
use super::{App, lists};
use crate::engine::{Committed, EngineError};

const LISTED: lists::Kind = lists::Kind { name: "token", states: &["active", "expired", "revoked"] };

/// Tokens, newest first.
#[utoipa::path(get, path = "/admin/service-tokens", tag = "service-tokens", params(lists::Query), responses((status = 200, body = Page<ServiceToken>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<lists::Query>,
) -> Result<Json<Page<ServiceToken>>, Rejected> {
    let (items, next) = lists::page(&app, &LISTED, query).await?;
    let known = app.known().await;
    let shown = |item| match item {
        Item::Token(token) => Some(show(&app, &known, &token)),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// One token. Also for its owner, and for the token itself: what it may do, and until when.
#[utoipa::path(get, path = "/admin/service-tokens/{id}", tag = "service-tokens", params(("id" = String, Path)), responses((status = 200, body = ServiceToken)))]
pub(super) async fn show_one(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<ServiceToken>, Rejected> {
    let token: TokenId = id.parse().map_err(Rejected::malformed)?;
    let known = app.known().await;
    let shown = |token: &token::Token| {
        if caller.token != Some(token.id) {
            caller.sees(&app, |_, me| token.owner == me)?;
        }
        Ok(Json(show(&app, &known, token)))
    };
    // A live one is shown where it is; automation looks itself up often.
    if let Some(token) = app.engine.glimpse().token(token) {
        return shown(token);
    }
    match lists::one(&app, Subject::Token(token)).await? {
        Some(Item::Token(token)) => shown(&token),
        _ => Err(caller.misses(&app, ("token", &id))),
    }
}

/// Issue a token to oneself, under an approval where the rules demand one.
#[utoipa::path(post, path = "/admin/service-tokens", tag = "service-tokens", request_body = IssueToken, responses((status = 201, body = ServiceToken)))]
pub(super) async fn issue(
    State(app): State<App>,
    post: Post<IssueToken>,
) -> Result<(StatusCode, Json<ServiceToken>), Rejected> {
    let body = post.body;
    let (scopes, networks) = (parsed(&body.scopes)?, parsed(&body.networks)?);
    let parameters =
        json!({ "lifetime_seconds": body.lifetime_seconds, "networks": networks, "scopes": scopes });
    let resource: Resource = body.resource.parse().map_err(Rejected::malformed)?;
    let environment: Name = body.environment.parse().map_err(Rejected::malformed)?;
    let command = Command::IssueToken(token::Issue {
        resource,
        environment,
        scopes,
        networks,
        lifetime_seconds: lifetime(body.lifetime_seconds)?,
        token_sha256: body.token_sha256.parse().map_err(Rejected::malformed)?,
        cnf_jkt: body.dpop_jkt.as_deref().map(thumbprint).transpose()?,
        under: under(&app.engine, body.approval.as_deref(), parameters).await?,
    });
    let submission = post.sender.submission(command).with_optional_details(reason(body.reason.as_deref())?);
    let (committed, known) = app.submit(submission).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, &known, committed)?)))
}

/// Exchange the token that asks for a narrower one.
#[utoipa::path(post, path = "/admin/service-tokens/exchange", tag = "service-tokens", request_body = ExchangeToken, responses((status = 201, body = ServiceToken)))]
pub(super) async fn exchange(
    State(app): State<App>,
    post: Post<ExchangeToken>,
) -> Result<(StatusCode, Json<ServiceToken>), Rejected> {
    let body = post.body;
    let command = Command::ExchangeToken(token::Exchange {
        scopes: parsed(&body.scopes)?,
        networks: parsed(&body.networks)?,
        lifetime_seconds: lifetime(body.lifetime_seconds)?,
        token_sha256: body.token_sha256.parse().map_err(Rejected::malformed)?,
        cnf_jkt: body.dpop_jkt.as_deref().map(thumbprint).transpose()?,
    });
    let (committed, known) = app.submit(post.sender.submission(command)).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, &known, committed)?)))
}

/// Take a token out of force, and all that were exchanged from it.
#[utoipa::path(post, path = "/admin/service-tokens/{id}/revoke", tag = "service-tokens", params(("id" = String, Path)), request_body = RevokeToken, responses((status = 200, body = ServiceToken)))]
pub(super) async fn revoke(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<RevokeToken>,
) -> Result<Json<ServiceToken>, Rejected> {
    let token: TokenId = id.parse().map_err(Rejected::malformed)?;
    let RevokeToken { approval, reason: why } = post.body;
    let under = under(&app.engine, approval.as_deref(), json!({ "token": token })).await?;
    let command = Command::RevokeToken(token::Revoke { token, under });
    let submission = post.sender.submission(command).with_optional_details(reason(why.as_deref())?);
    let (committed, known) = app.submit(submission).await?;
    Ok(Json(shown(&app, &known, committed)?))
}

/// Each once; saying the same twice is a mistake that nobody should have to find.
fn parsed<T: FromStr<Err: std::fmt::Display> + Ord>(texts: &[String]) -> Result<BTreeSet<T>, Rejected> {
    let mut all = BTreeSet::new();
    for text in texts {
        if !all.insert(text.parse().map_err(Rejected::malformed)?) {
            return Err(Rejected::malformed(format!("`{}` is named twice", text.escape_debug())));
        }
    }
    Ok(all)
}

fn lifetime(seconds: u32) -> Result<NonZeroU32, Rejected> {
    NonZeroU32::new(seconds).ok_or_else(|| Rejected::malformed("`lifetime_seconds` must be at least 1"))
}

/// A thumbprint as DPoP writes it.
fn thumbprint(text: &str) -> Result<Digest, Rejected> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Digest).ok_or_else(|| Rejected::malformed("`dpop_jkt` is a SHA-256 in base64url"))
}

fn shown(app: &App, known: &Known, committed: Committed) -> Result<ServiceToken, Rejected> {
    match committed.item {
        Some(Item::Token(token)) => Ok(show(app, known, &token)),
        _ => Err(EngineError::Stopped.into()),
    }
}

/// The state as of now: silence past its deadline, the end of what it was exchanged from and that of its owner count at once.
fn status(app: &App, token: &token::Token) -> &'static str {
    let now = app.engine.now();
    let is_live = app.engine.glimpse().live_token(token.id, now).is_ok();
    match token.status() {
        "active" if now >= token.expires_at => "expired",
        "active" if !is_live => "ended",
        stored => stored,
    }
}

fn show(app: &App, known: &Known, token: &token::Token) -> ServiceToken {
    // What is on record, and what is only counted yet.
    let counted = app.engine.uses_of(token.id);
    let last_used = token.last_used.max(counted.map(|note| note.until));
    let uses = token.uses.saturating_add(counted.map_or(0, |note| u64::from(note.count.get())));
    ServiceToken {
        id: token.id.to_string(),
        resource: token.resource.to_string(),
        owner: names::person(token.owner, known),
        environment: token.environment.to_string(),
        scopes: token.scopes.iter().map(ToString::to_string).collect(),
        networks: token.networks.iter().map(ToString::to_string).collect(),
        status: status(app, token).to_owned(),
        issued_at: token.issued_at.to_string(),
        expires_at: token.expires_at.to_string(),
        ended_at: token.ended.map(|(_, at)| at.to_string()),
        dpop_jkt: token.cnf_jkt.map(|jkt| URL_SAFE_NO_PAD.encode(jkt.0)),
        parent: token.parent.map(|id| id.to_string()),
        workload: token.workload.as_ref().map(ToString::to_string),
        approval: token.approval.map(|id| id.to_string()),
        last_used_at: last_used.map(|at| at.to_string()),
        uses,
    }
}
