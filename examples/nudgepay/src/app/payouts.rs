//! `POST /payouts/override` and `GET /payouts/{payout}`.
//!
//! A held payout is released with another amount or to another account: the most dangerous thing this service does, so it happens only
//! under a permit of Countersign for exactly this payout, amount, currency and account. What the guard asks for and what the
//! handler does are read from the same bytes by the same function.

use std::{fmt, sync::Arc};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::StatusCode,
};
use countersign_client::{
    Client, Credential,
    layer::{Deed, GuardLayer, Permitted},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{App, payments::Override};
use crate::{ENVIRONMENT, Error, answer, answer::Failure};

/// The largest amount, in minor units.
const MOST: i64 = 999_999_999;

/// The Countersign node that guards the overriding of payouts.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Its address.
    pub server: String,
    /// This service's own credential; the rules name it among the executors.
    pub credential: String,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What a caller wants done to a payout.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOverride {
    /// Which: `po-1001`.
    payout: String,
    /// How much, in the currency's minor unit, such as cents.
    amount_minor: i64,
    currency: String,
    /// Where to.
    account: String,
}

/// How a payout was overridden.
#[derive(Debug, Serialize)]
pub(super) struct Overrides {
    overrides: Vec<Override>,
}

/// The layer that lets an override pass only under a permit for exactly that override.
pub(super) fn guard(guard: &Guard) -> Result<GuardLayer, Error> {
    let unusable = |error: countersign_client::ClientError| Error::Config(format!("`guard`: {error}"));
    let credential = Credential::parse(&guard.credential).map_err(unusable)?;
    let client = Client::new(&guard.server, Some(&credential)).map_err(unusable)?;
    Ok(GuardLayer::new(client, |_, body| parse(Ok(body.clone())).map(|new| deed(&new))))
}

fn deed(new: &NewOverride) -> Deed {
    let NewOverride { payout, amount_minor, currency, account } = new;
    Deed {
        action: countersign_client::Action {
            verb: "override".to_owned(),
            resource: format!("payout/{payout}"),
            environment: ENVIRONMENT.to_owned(),
        },
        parameters: json!({ "account": account, "amount_minor": amount_minor, "currency": currency }),
        reason: None,
    }
}

pub(super) async fn override_one(
    State(app): State<Arc<App>>,
    Extension(Permitted(permit)): Extension<Permitted>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Override>), Failure> {
    let NewOverride { payout, amount_minor, currency, account } = parse(body)?;
    let made = Override { permit: permit.id, payout, amount_minor, currency, account };
    app.payments.record_override(made.clone()).await.map_err(|error| unavailable(&error))?;
    Ok((StatusCode::CREATED, Json(made)))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(payout): Path<String>,
) -> Result<Json<Overrides>, Failure> {
    let overrides = app.payments.overrides(payout).await.map_err(|error| unavailable(&error))?;
    Ok(Json(Overrides { overrides }))
}

fn parse(body: Result<Bytes, BytesRejection>) -> Result<NewOverride, Failure> {
    let new: NewOverride = answer::parse(body)?;
    let plain = |text: &str, extra: &[u8]| {
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte));
        (1..=64).contains(&text.len()) && letters
    };
    if !plain(&new.payout, b"-") || new.payout.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(Failure::malformed("`payout` is not of the form `po-1001`"));
    }
    if !(1..=MOST).contains(&new.amount_minor) {
        return Err(Failure::malformed("`amount_minor` is not between 1 and 999999999"));
    }
    if new.currency.len() != 3 || !new.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Failure::malformed("`currency` is not an ISO 4217 code such as `EUR`"));
    }
    if !plain(&new.account, b"-_") {
        return Err(Failure::malformed("`account` is not 1 to 64 letters, digits, `-` and `_`"));
    }
    Ok(new)
}

fn unavailable(error: &rusqlite::Error) -> Failure {
    tracing::error!(%error, "payments database unavailable");
    Failure::store_unavailable()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Result<Bytes, BytesRejection> {
        Ok(Bytes::from(text.to_owned()))
    }

    #[test]
    fn what_is_asked_for_is_what_is_done() {
        let new =
            parse(body(r#"{"payout":"po-1","amount_minor":10000,"currency":"EUR","account":"DE02_A"}"#))
                .unwrap();
        let Deed { action, parameters, .. } = deed(&new);
        assert_eq!((action.verb.as_str(), action.resource.as_str()), ("override", "payout/po-1"));
        assert_eq!(parameters, json!({ "account": "DE02_A", "amount_minor": 10000, "currency": "EUR" }));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        for odd in [
            r#"{"payout":"po-1","amount_minor":1,"amount_minor":2,"currency":"EUR","account":"A"}"#,
            r#"{"payout":"po-1","amount_minor":1.5,"currency":"EUR","account":"A"}"#,
            r#"{"payout":"po-1","amount_minor":1,"currency":"EUR","account":"A","note":"x"}"#,
            r#"{"payout":"../po","amount_minor":1,"currency":"EUR","account":"A"}"#,
            r#"{"payout":"PO-1","amount_minor":1,"currency":"EUR","account":"A"}"#,
            r#"{"payout":"po-1","amount_minor":0,"currency":"EUR","account":"A"}"#,
            r#"{"payout":"po-1","amount_minor":1,"currency":"eur","account":"A"}"#,
            r#"{"payout":"po-1","amount_minor":1,"currency":"EUR","account":"A B"}"#,
        ] {
            assert_eq!(parse(body(odd)).unwrap_err().status, StatusCode::BAD_REQUEST, "{odd}");
        }
    }
}
