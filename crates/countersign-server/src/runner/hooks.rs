//! Orders to endpoints: accept this key, sign with this key, forget this key. Signed by Standard Webhooks
//! (<https://www.standardwebhooks.com>), scheme `v1`.
//!
//! `webhook-id` is the effect's id and stays the same over all attempts: a receiver obeys it once. The fence grows with every
//! stage: a receiver refuses an order from the past. What the receiver answers beside its status is not read.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::rotation::{Due, Failure, FailureCode};
use countersign_core::sabotage::{self, Sabotage};
use countersign_core::text::Name;
use serde::Serialize;
use zeroize::Zeroizing;

use super::calls::Call;
use super::perform::{Work, not_configured};
use crate::mac::mac;
use crate::secrets::SecretValue;

/// Room for everything in an order but its value, bytes.
const ORDER: usize = 1_024;

/// What an endpoint can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Kind {
    /// Accept this version beside the others.
    #[serde(rename = "secret.distribute")]
    Distribute,
    /// Sign with this version.
    #[serde(rename = "secret.promote")]
    Promote,
    /// Forget this version.
    #[serde(rename = "secret.drop")]
    Drop,
}

/// One order.
pub(super) struct Order {
    pub kind: Kind,
    pub version: u32,
    /// The value where the endpoint needs it, which is always but for `Drop`.
    pub value: Option<SecretValue>,
}

/// An order as it is written.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    effect: &'a str,
    fence: u64,
    secret: &'a str,
    environment: &'a str,
    rotation: String,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

/// Signs hooks: `whsec_` and the base64 of 24 to 64 bytes.
pub struct HookKey(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for HookKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl HookKey {
    /// The written form, in words.
    pub const FORM: &'static str = "`whsec_` and the base64 of 24 to 64 bytes";

    /// Reads the written form.
    #[must_use]
    pub fn parse(text: &SecretValue) -> Option<Self> {
        let encoded = text.expose().strip_prefix("whsec_")?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The value of `webhook-signature`. `seconds` counts from 1970.
    #[must_use]
    pub fn sign(&self, (id, seconds): (&str, &str), body: &[u8]) -> String {
        let tag = mac(&self.0, &[id.as_bytes(), b".", seconds.as_bytes(), b".", body]);
        format!("v1,{}", STANDARD.encode(tag))
    }
}

/// Gives an order and waits for the answer.
pub(super) async fn give(work: &Work, due: &Due, target: &Name, order: Order) -> Result<(), Failure> {
    if sabotage::is_active(Sabotage::InventedOutcome) {
        return Ok(());
    }
    let endpoint =
        work.endpoints.get(target).ok_or_else(|| not_configured(target, "it is not in the configuration"))?;
    let value = endpoint.key.resolve().map_err(|error| not_configured(target, error))?;
    let key = HookKey::parse(&value).ok_or_else(|| not_configured(target, "its key has another form"))?;
    let effect = due.effect();
    let body = body(due, &effect, &order)?;
    let seconds = work.seconds();
    let signature = key.sign((&effect, &seconds), &body);
    let headers = headers(&effect, &seconds, &signature)?;
    let answer = work.calls.post(Call { url: endpoint.hook_url.clone(), headers, body }).await?;
    verdict(answer.status())
}

/// The order's bytes, wiped when they have been sent.
fn body(due: &Due, effect: &str, order: &Order) -> Result<Bytes, Failure> {
    let value = order.value.as_ref().map(SecretValue::expose);
    let body = Body {
        kind: order.kind,
        effect,
        fence: due.fence,
        secret: due.secret.resource.as_str(),
        environment: due.secret.environment.as_str(),
        rotation: due.rotation.to_string(),
        version: order.version,
        value,
    };
    // Twice the value: escaping could lengthen it, and a buffer that grows leaves copies of itself behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(ORDER + 2 * value.map_or(0, str::len)));
    serde_json::to_writer(&mut *bytes, &body).map_err(|_| inconclusive(None))?;
    Ok(Bytes::from_owner(bytes))
}

fn headers(effect: &str, seconds: &str, signature: &str) -> Result<HeaderMap, Failure> {
    let pairs = [("webhook-id", effect), ("webhook-timestamp", seconds), ("webhook-signature", signature)];
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in pairs {
        let value = HeaderValue::from_str(value).map_err(|_| inconclusive(None))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

/// What a status says about an order. A redirect is neither yes nor no: it is not followed.
fn verdict(status: StatusCode) -> Result<(), Failure> {
    let code = Some(status.as_u16());
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(inconclusive(code)),
        status if status.is_client_error() => Err(Failure { code: FailureCode::Refused, status: code }),
        _ => Err(inconclusive(code)),
    }
}

/// Neither yes nor no.
pub(super) fn inconclusive(status: Option<u16>) -> Failure {
    Failure { code: FailureCode::Inconclusive, status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_vector() {
        let key = HookKey::parse(&SecretValue::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())).unwrap();
        let signature = key.sign(("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"), br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn keys_of_other_shapes_are_not_keys() {
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "whsec_###", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(HookKey::parse(&SecretValue::new(text.into())).is_none(), "{text}");
        }
    }

    #[test]
    fn only_a_clear_no_is_a_refusal() {
        let code =
            |status: u16| verdict(StatusCode::from_u16(status).unwrap()).err().map(|failure| failure.code);
        assert_eq!([code(200), code(204)], [None, None]);
        for status in [400, 401, 404, 409, 422] {
            assert_eq!(code(status), Some(FailureCode::Refused), "{status}");
        }
        for status in [301, 307, 408, 429, 500, 503] {
            assert_eq!(code(status), Some(FailureCode::Inconclusive), "{status}");
        }
    }
}
