//! The provider's API: payment links, webhook endpoints, one webhook with a chosen key, and the workers'
//! keys.
//!
//! Stripe-like where applications use it; `send_with` and `workers` exist for the demo, which uses them as a
//! witness that is not Countersign.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Provider,
    deliveries::Answer,
    flow,
    lag::Worker,
    sender::{self, Letter, Signer},
};
use crate::{
    Version,
    answer::{self, Failure},
    outgoing,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLink {
    amount_minor: i64,
    currency: String,
    #[serde(default)]
    description: String,
}

/// `POST /v1/payment_links`: 201 with the link, which will be paid shortly.
pub(super) async fn create_link(
    State(provider): State<Arc<Provider>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let NewLink { amount_minor, currency, description } = answer::parse(body)?;
    if amount_minor < 1 || currency.len() != 3 || description.len() > 4096 {
        return Err(Failure::malformed("the amount, the currency or the description cannot be used"));
    }
    let id = provider.account.fresh("plink");
    let link = json!({ "id": id, "object": "payment_link", "url": format!("https://pay.example/{id}") });
    provider.account.expect_payment(id);
    Ok((StatusCode::CREATED, Json(link)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEndpoint {
    url: String,
}

/// `POST /v1/webhook_endpoints`: 201; the endpoint receives webhooks from now on.
pub(super) async fn register_endpoint(
    State(provider): State<Arc<Provider>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let NewEndpoint { url } = answer::parse(body)?;
    if outgoing::loopback_url(&url).is_none() {
        return Err(Failure::malformed("`url` is not plain http to a loopback address"));
    }
    provider.account.register(url.clone()).map_err(|_| {
        Failure::new(
            StatusCode::CONFLICT,
            "too_many_endpoints",
            "no more than 16 endpoints can be registered",
        )
    })?;
    Ok((StatusCode::CREATED, Json(json!({ "object": "webhook_endpoint", "url": url }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendWith {
    endpoint: String,
    key_version: Version,
}

/// `POST /v1/send_with`: one genuine-looking webhook signed with a version of choice, and what the receiver
/// said.
///
/// It is not part of the flow and not in the delivery log, which holds genuine webhooks only.
pub(super) async fn send_with(
    State(provider): State<Arc<Provider>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Answer>, Failure> {
    let SendWith { endpoint, key_version } = answer::parse(body)?;
    if !provider.account.endpoints().contains(&endpoint) {
        return Err(Failure::new(
            StatusCode::NOT_FOUND,
            "unknown_endpoint",
            "that endpoint is not registered",
        ));
    }
    let letter =
        Letter { event: provider.account.fresh("evt"), link: provider.account.fresh("plink"), endpoint };
    let signer = Signer { version: key_version, worker: 0 };
    match sender::send(&provider, letter, signer).await {
        Some(delivery) => Ok(Json(delivery.answer)),
        None => Err(Failure::new(
            StatusCode::NOT_FOUND,
            "unknown_version",
            "no key of that version is remembered",
        )),
    }
}

/// `GET /workers`: the version each signing worker uses at this moment.
pub(super) async fn list_workers(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let published = provider.keys.published();
    let of = provider.workers;
    let versions: Vec<_> =
        (0..of).filter_map(|number| flow::version_of(&provider, Worker { number, of }, &published)).collect();
    Json(json!({ "signing": published.ring.signing, "workers": versions }))
}
