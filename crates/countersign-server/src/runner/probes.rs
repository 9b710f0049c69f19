//! Requests signed as the real sender would sign them, to see which keys a consumer accepts.
//!
//! Only two answers prove anything: 2xx, and a refusal that says the signature is wrong. A timeout, a missing page or a failing
//! server would look like "refused" to a careless probe, so everything else is inconclusive. The body is an event of a type that
//! means nothing but this.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use countersign_core::digest::Digest;
use countersign_core::policy::Scheme;
use countersign_core::rotation::{Due, Failure, FailureCode};
use countersign_core::text::Name;
use reqwest::Url;

use super::calls::Call;
use super::hooks::inconclusive;
use super::perform::{Work, not_configured};
use crate::mac::mac;
use crate::secrets::SecretValue;

/// The type of the event a probe carries.
const EVENT: &str = "countersign.probe";

/// Codes by which receivers say that the signature, and nothing else, is wrong.
const SIGNATURE_CODES: [&str; 3] =
    ["signature_mismatch", "invalid_signature", "signature_verification_failed"];

/// What a consumer makes of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Accepted(u16),
    SignatureRefused(u16),
    Inconclusive(Failure),
}

/// One probe but for the key: pairs differ in nothing else.
struct Probe {
    url: Url,
    scheme: Scheme,
    seconds: String,
    body: Bytes,
}

/// The new key is accepted.
pub(super) async fn new_accepted(work: &Work, due: &Due, target: &Name) -> Result<(), Failure> {
    let probe = Probe::new(work, due, target)?;
    let new = work.values.read(due, due.to_version).await?;
    match probe.send(work, &new).await {
        Verdict::Accepted(_) => Ok(()),
        Verdict::SignatureRefused(status) => Err(failure(FailureCode::NewRefused, status)),
        Verdict::Inconclusive(failure) => Err(failure),
    }
}

/// The old key is refused, by a consumer that accepts the new one at the same moment.
pub(super) async fn old_refused(work: &Work, due: &Due, target: &Name) -> Result<(), Failure> {
    let probe = Probe::new(work, due, target)?;
    let new = work.values.read(due, due.to_version).await?;
    let old = work.values.read(due, due.from_version).await?;
    let (new, old) = tokio::join!(probe.send(work, &new), probe.send(work, &old));
    proof(new, old)
}

/// What the pair shows. An old key that still works is the worst of it, so it is said first.
fn proof(new: Verdict, old: Verdict) -> Result<(), Failure> {
    match (new, old) {
        (Verdict::Accepted(_), Verdict::SignatureRefused(_)) => Ok(()),
        (_, Verdict::Accepted(status)) => Err(failure(FailureCode::OldAccepted, status)),
        (Verdict::SignatureRefused(status), _) => Err(failure(FailureCode::NewRefused, status)),
        (Verdict::Inconclusive(failure), _) | (_, Verdict::Inconclusive(failure)) => Err(failure),
    }
}

fn failure(code: FailureCode, status: u16) -> Failure {
    Failure { code, status: Some(status) }
}

impl Probe {
    fn new(work: &Work, due: &Due, target: &Name) -> Result<Self, Failure> {
        let url = work.endpoints.get(target).and_then(|endpoint| endpoint.probe_url.clone());
        let url = url.ok_or_else(|| not_configured(target, "it has no `probe_url`"))?;
        // Another event for each attempt, so that no receiver takes it for one it has seen.
        let id = Digest::of(format!("{}/{}", due.effect(), due.attempt).as_bytes()).to_string();
        let body = serde_json::json!({ "id": format!("evt_{id}"), "object": "event", "type": EVENT });
        Ok(Self { url, scheme: due.scheme, seconds: work.seconds(), body: body.to_string().into() })
    }

    async fn send(&self, work: &Work, key: &SecretValue) -> Verdict {
        let Some(headers) = self.signed(key) else { return Verdict::Inconclusive(inconclusive(None)) };
        let call = Call { url: self.url.clone(), headers, body: self.body.clone() };
        match work.calls.post(call).await {
            Err(failure) => Verdict::Inconclusive(failure),
            Ok(answer) => {
                let status = answer.status();
                verdict(status, &answer.body().await)
            }
        }
    }

    fn signed(&self, key: &SecretValue) -> Option<HeaderMap> {
        let (name, value) = match self.scheme {
            Scheme::Stripe => ("stripe-signature", stripe(key, &self.seconds, &self.body)),
        };
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let signature = (HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?);
        Some(HeaderMap::from_iter([content_type, signature]))
    }
}

/// Stripe's scheme: the key is the whole text of the secret, prefix included.
fn stripe(key: &SecretValue, seconds: &str, body: &[u8]) -> String {
    let tag = mac(key.expose().as_bytes(), &[seconds.as_bytes(), b".", body]);
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

fn verdict(status: StatusCode, body: &[u8]) -> Verdict {
    let code = status.as_u16();
    match status {
        status if status.is_success() => Verdict::Accepted(code),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            if blames_signature(body) =>
        {
            Verdict::SignatureRefused(code)
        }
        _ => Verdict::Inconclusive(inconclusive(Some(code))),
    }
}

/// Whether the body is `{"error":{"code":…}}`, or RFC 9457 with a `code`, and the code speaks of the signature.
fn blames_signature(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let code = body.pointer("/error/code").or_else(|| body.pointer("/code"));
    code.and_then(serde_json::Value::as_str).is_some_and(|code| SIGNATURE_CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MISMATCH: &[u8] = br#"{"error":{"code":"signature_mismatch","message":"no"}}"#;

    fn seen(status: u16, body: &[u8]) -> Verdict {
        verdict(StatusCode::from_u16(status).unwrap(), body)
    }

    #[test]
    fn only_two_answers_prove_anything() {
        assert_eq!(seen(200, b""), Verdict::Accepted(200));
        assert_eq!(seen(400, MISMATCH), Verdict::SignatureRefused(400));
        assert_eq!(seen(401, br#"{"code":"invalid_signature"}"#), Verdict::SignatureRefused(401));
        for (status, body) in [
            (302, MISMATCH),
            (404, MISMATCH),
            (422, MISMATCH),
            (500, MISMATCH),
            (400, b"signature_mismatch".as_slice()),
            (400, br#"{"error":{"code":"timestamp_out_of_tolerance"}}"#),
            (403, b""),
        ] {
            assert_eq!(seen(status, body), Verdict::Inconclusive(inconclusive(Some(status))), "{status}");
        }
    }

    #[test]
    fn the_pair_proves_only_together() {
        let (yes, no) = (Verdict::Accepted(200), Verdict::SignatureRefused(400));
        let unsure = Verdict::Inconclusive(inconclusive(Some(503)));
        let code = |new, old| proof(new, old).err().map(|failure| failure.code);
        assert_eq!(code(yes, no), None);
        for new in [yes, no, unsure] {
            assert_eq!(code(new, yes), Some(FailureCode::OldAccepted));
        }
        assert_eq!(code(no, no), Some(FailureCode::NewRefused));
        assert_eq!(code(yes, unsure), Some(FailureCode::Inconclusive));
        assert_eq!(code(unsure, no), Some(FailureCode::Inconclusive));
    }
}
