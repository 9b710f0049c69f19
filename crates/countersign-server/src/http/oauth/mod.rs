//! `POST /oauth/token`: token exchange (RFC 8693). The token of a workload, or a service token, for a service token.
//!
//! Whoever asks here is a job that has `curl` and nothing else, so for once the token is drawn by the server, told once and forgotten; a lost
//! answer is not told again, and what was exchanged is spent. There is no other client than the one that the subject token speaks for.
//!
//! # Layout
//! - `form`: the request
//! - `answer`: a token, or why there is none

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_api::oauth::{
    ACCESS_TOKEN, ExchangeRequest, GRANT, ID_TOKEN, JWT, ServerMetadata, TokenError, TokenResponse,
};
use countersign_core::digest::Digest;
use countersign_core::text::Name;
use countersign_core::token::{Exchange, ExchangeWorkload, Presented, Scope};
use countersign_core::{Actor, Command, Item};
use countersign_ledger::hash::sha256;
use countersign_ledger::json;
use zeroize::Zeroizing;

use super::attempts::Network;
use super::gate::Shown;
use super::possession::{Line, USE_NONCE};
use super::problem::Rejected;
use super::{App, address, gate, meter, random};
use crate::engine::{Committed, EngineError, Submission};

mod answer;
mod form;

use answer::{Denied, Error, Granted};
use form::Form;

/// What stands before a service token, for people and for secret scanners.
const PREFIX: &str = "cstk_";

/// Characters of the checksum behind it.
const CHECKSUM: usize = 8;

/// What is wished for, apart from what is exchanged.
struct Wish<'a> {
    scopes: BTreeSet<Scope>,
    lifetime_seconds: Option<NonZeroU32>,
    workload: Option<&'a str>,
    /// With the proof of the key to which the new token is bound, if it has one.
    line: Line<'a>,
}

impl Wish<'_> {
    fn key(&self, app: &App) -> Result<Option<Digest>, Denied> {
        if !self.line.has_proof() {
            return Ok(None);
        }
        Ok(Some(self.line.proven(None, app)?.jkt))
    }
}

/// Exchange the token of a workload, or a service token, for a service token (RFC 8693). The body is a form; errors are OAuth's.
#[utoipa::path(post, path = "/oauth/token", tag = "service-tokens",
    request_body(content = ExchangeRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse),
        (status = "4XX", description = "The request is at fault.", body = TokenError),
        (status = "5XX", description = "The node is at fault.", body = TokenError),
    ))]
pub(super) async fn token(State(app): State<App>, network: Network, request: Request) -> Response {
    match granted(&app, network, request).await {
        Ok(granted) => {
            meter::tokens_exchanged("granted");
            granted.into_response()
        }
        Err(denied) => {
            meter::tokens_exchanged(denied.code());
            denied.into_response()
        }
    }
}

/// What the server says of itself (RFC 8414).
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "service-tokens", responses((status = 200, body = ServerMetadata)))]
pub(super) async fn metadata(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<ServerMetadata>, Rejected> {
    let node = address::of_node(&headers, &app.reached)?;
    Ok(Json(ServerMetadata {
        token_endpoint: format!("{node}/oauth/token"),
        response_types_supported: Vec::new(),
        grant_types_supported: vec![GRANT.to_owned()],
        token_endpoint_auth_methods_supported: vec!["none".to_owned()],
        dpop_signing_alg_values_supported: ["ES256", "EdDSA", "RS256"].map(str::to_owned).to_vec(),
        service_documentation: format!("{node}/openapi.json"),
        issuer: node,
    }))
}

async fn granted(app: &App, network: Network, request: Request) -> Result<Granted, Denied> {
    if request.headers().contains_key(header::AUTHORIZATION) {
        let what = "clients are not known here, and a credential in the header is not looked at";
        return Err(Denied::new(Error::InvalidClient, ("client_not_known", what, "send no `Authorization`")));
    }
    let (extensions, headers) = (request.extensions().clone(), request.headers().clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let form = Form::read(request).await?;
    if form.must("grant_type")? != GRANT {
        let what = "the grant is not token exchange";
        return Err(Denied::new(Error::UnsupportedGrantType, ("grant_not_supported", what, GRANT)));
    }
    form.must_not("resource", Error::InvalidTarget)?;
    form.must_not("actor_token", Error::InvalidRequest)?;
    if form.get("requested_token_type")?.is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(Denied::malformed("only an access token is given out"));
    }
    let wish = Wish {
        scopes: scopes(form.get("scope")?)?,
        lifetime_seconds: lifetime(form.get("lifetime_seconds")?)?,
        workload: form.get("audience")?,
        line: Line { method: &method, uri: &uri, headers: &headers },
    };
    let subject = form.must("subject_token")?;
    // Before anything is looked up: a node that does not know who was revoked lets nobody in.
    app.engine.fresh().map_err(Rejected::from)?;
    let granted = match form.must("subject_token_type")? {
        JWT | ID_TOKEN => of_workload(app, subject, &wish).await,
        ACCESS_TOKEN => narrower(app, (subject, &extensions), &wish).await,
        _ => Err(Denied::malformed("`subject_token_type` is that of a JWT or of an access token")),
    };
    granted.map_err(|denied| counted(app, network, denied))
}

/// What is not accepted is counted, after it was found out: whoever sends what is accepted never waits for others.
fn counted(app: &App, network: Network, denied: Denied) -> Denied {
    // Whoever asks for a nonce has a token that is accepted.
    if denied.is_ours() || denied.code() == USE_NONCE {
        return denied;
    }
    match app.attempts.admit(network, app.engine.now()) {
        Ok(()) => denied,
        Err(seconds) => Denied::waiting(seconds),
    }
}

async fn of_workload(app: &App, subject: &str, wish: &Wish<'_>) -> Result<Granted, Denied> {
    let now = app.engine.now();
    let verified = app.issuers.verify(subject, now).await.map_err(|why| Denied::unbelieved(&why))?;
    let named = wish.workload.is_some();
    let workload: Option<Name> = match wish.workload.map(str::parse) {
        None => None,
        Some(Ok(name)) => Some(name),
        Some(Err(_)) => {
            return Err(Denied::refused(&countersign_core::token::Refusal::WorkloadUnknown.into(), true));
        }
    };
    let presented = Presented {
        issuer: verified.issuer.clone(),
        jti: verified.jti.clone(),
        expires_at: verified.expires_at,
        claims: verified.comparable(),
        subject_token_sha256: verified.sha256,
    };
    // Anybody has a genuine token of a public issuer. Who is not meant does not get as far as the writer.
    let state = app.engine.state();
    let recognised = presented.recognised(&state, (now, workload.as_ref())).map(|_| ());
    recognised.map_err(|refusal| Denied::refused(&refusal.into(), named))?;
    let details = json::to_canonical(&serde_json::json!({ "claims": verified.claims }));
    let cnf_jkt = wish.key(app)?;
    let secret = drawn()?;
    let command = Command::ExchangeWorkload(ExchangeWorkload {
        presented,
        workload,
        scopes: wish.scopes.clone(),
        lifetime_seconds: wish.lifetime_seconds,
        token_sha256: Digest::of(secret.as_bytes()),
        cnf_jkt,
    });
    let details = details.map_err(Rejected::malformed)?;
    let submission = Submission::new(Actor::Node, command).with_optional_details(Some(details));
    told(&secret, submitted(app, submission, named).await?)
}

async fn narrower(
    app: &App,
    (subject, extensions): (&str, &Extensions),
    wish: &Wish<'_>,
) -> Result<Granted, Denied> {
    if wish.workload.is_some() {
        let what = "a service token is exchanged for one of the same name, not for an audience";
        return Err(Denied::new(Error::InvalidTarget, ("audience_not_taken", what, "leave `audience` out")));
    }
    let caller = gate::holder((subject, Shown::InBody(wish.line)), extensions, app)?;
    let Some(id) = caller.token else {
        return Err(Denied::refused(&countersign_core::token::Refusal::NotToExchange.into(), false));
    };
    let now = app.engine.now();
    let state = app.engine.state();
    let token = state.live_token(id, now).map_err(|refusal| Denied::refused(&refusal.into(), false))?;
    let left = token.expires_at.as_millis().saturating_sub(now.as_millis()) / 1_000;
    let left = u32::try_from(left).ok().and_then(NonZeroU32::new);
    let Some(lifetime_seconds) = wish.lifetime_seconds.or(left) else {
        return Err(Denied::refused(&countersign_core::token::Refusal::Ended.into(), false));
    };
    let scopes = if wish.scopes.is_empty() { token.scopes.clone() } else { wish.scopes.clone() };
    let secret = drawn()?;
    let command = Command::ExchangeToken(Exchange {
        scopes,
        networks: BTreeSet::new(),
        lifetime_seconds,
        token_sha256: Digest::of(secret.as_bytes()),
        cnf_jkt: wish.key(app)?,
    });
    told(&secret, submitted(app, Submission::new(Actor::Token(id), command), false).await?)
}

async fn submitted(app: &App, submission: Submission, named: bool) -> Result<Committed, Denied> {
    match app.engine.submit(submission).await {
        Ok(committed) => Ok(committed),
        Err(EngineError::Refused(refusal)) => Err(Denied::refused(&refusal, named)),
        Err(error) => Err(Rejected::from(error).into()),
    }
}

fn told(secret: &str, committed: Committed) -> Result<Granted, Denied> {
    let Some(Item::Token(token)) = committed.item else {
        return Err(Rejected::from(EngineError::Stopped).into());
    };
    let lifetime_ms = token.expires_at.as_millis().saturating_sub(token.issued_at.as_millis());
    let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
    Ok(Granted(TokenResponse {
        access_token: secret.to_owned(),
        issued_token_type: ACCESS_TOKEN.to_owned(),
        token_type: if token.cnf_jkt.is_some() { "DPoP" } else { "Bearer" }.to_owned(),
        expires_in: u64::try_from(lifetime_ms / 1_000).unwrap_or(0),
        scope: scopes.join(" "),
        id: token.id.to_string(),
    }))
}

fn scopes(text: Option<&str>) -> Result<BTreeSet<Scope>, Denied> {
    let hint = "name a verb and a resource, as in `deploy:release/nudgepay`, with one space between several";
    let wrong = |error: countersign_core::token::ScopeError| {
        Denied::new(Error::InvalidScope, ("malformed", &error.to_string(), hint))
    };
    text.map_or(Ok(BTreeSet::new()), |text| text.split(' ').map(|one| one.parse().map_err(wrong)).collect())
}

fn lifetime(text: Option<&str>) -> Result<Option<NonZeroU32>, Denied> {
    let wrong = |_| Denied::malformed("`lifetime_seconds` is a whole number, at least 1");
    text.map(str::parse).transpose().map_err(wrong)
}

/// A fresh token: 256 bits and a checksum.
fn drawn() -> Result<Zeroizing<String>, Denied> {
    let bytes = random::bytes::<32>()?;
    let text =
        Zeroizing::new(format!("{PREFIX}{}", *Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))));
    let checksum: String = sha256(text.as_bytes()).to_string().chars().take(CHECKSUM).collect();
    Ok(Zeroizing::new(format!("{}{checksum}", *text)))
}
