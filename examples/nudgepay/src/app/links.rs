//! `POST /payment_links` and `GET /payment_links/{id}`.
//!
//! A link is created at the provider first and stored afterwards; when storing fails the caller learns it,
//! and the provider's link is simply never handed to anyone.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use super::{
    App,
    payments::{Link, State as LinkState},
};
use crate::{
    answer::{self, Failure},
    outgoing,
};

/// What a seller asks for, and what is passed on to the provider.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLink {
    amount_minor: i64,
    currency: String,
    description: String,
}

#[derive(Debug, Deserialize)]
struct Created {
    id: String,
    url: String,
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Link>), Failure> {
    let new: NewLink = answer::parse(body)?;
    check(&new)?;
    let Created { id, url } = create_at_provider(&app, &new).await?;
    let NewLink { amount_minor, currency, description } = new;
    let link = Link { id, url, amount_minor, currency, description, state: LinkState::Open };
    app.payments.insert(link.clone()).await.map_err(|error| unavailable(&error))?;
    Ok((StatusCode::CREATED, Json(link)))
}

pub(super) async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Link>, Failure> {
    app.payments.find(id).await.map_err(|error| unavailable(&error))?.map(Json).ok_or_else(Failure::not_found)
}

fn check(new: &NewLink) -> Result<(), Failure> {
    if !(1..=99_999_999).contains(&new.amount_minor) {
        return Err(Failure::malformed("`amount_minor` is not between 1 and 99999999"));
    }
    if new.currency.len() != 3 || !new.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Failure::malformed("`currency` is not an ISO 4217 code such as `EUR`"));
    }
    if new.description.chars().count() > 200 {
        return Err(Failure::malformed("`description` is longer than 200 characters"));
    }
    Ok(())
}

async fn create_at_provider(app: &App, new: &NewLink) -> Result<Created, Failure> {
    let bad = |message: String| Failure::new(StatusCode::BAD_GATEWAY, "provider_unavailable", message);
    let unreachable = |error: reqwest::Error| {
        tracing::warn!(%error, "provider call failed");
        bad("the payment provider did not answer".to_owned())
    };
    let response = app.client.post(app.links_url.clone()).json(new).send().await.map_err(unreachable)?;
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        let message = "the payment provider asks for fewer calls; try again later";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "provider_throttled", message));
    }
    if !status.is_success() {
        return Err(bad(format!("the payment provider answered {}", status.as_u16())));
    }
    let body = outgoing::read_bounded(response).await.map_err(unreachable)?;
    serde_json::from_slice(&body).map_err(|_| bad("the payment provider's answer makes no sense".to_owned()))
}

fn unavailable(error: &rusqlite::Error) -> Failure {
    tracing::error!(%error, "payments database unavailable");
    Failure::store_unavailable()
}
