//! The body of a rotation hook call, from untrusted bytes to an order.
//!
//! It checks form only; whether an order may be obeyed is decided in `keyring`. Unknown fields are rejected,
//! and so is a value where none belongs, because a receiver that guesses may end up without its key.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{SecretText, Version, answer::Failure};

/// The largest fence that JSON carries without loss, 2^53 - 1.
const MAX_FENCE: i64 = 9_007_199_254_740_991;

/// What Countersign may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Kind {
    /// Accept this version from now on, beside those already accepted.
    #[serde(rename = "secret.distribute")]
    Distribute,
    /// Stop accepting this version and forget it.
    #[serde(rename = "secret.drop")]
    Drop,
    /// Sign with this version from now on.
    #[serde(rename = "secret.promote")]
    Promote,
}

impl Kind {
    /// The name on the wire, also used in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Distribute => "secret.distribute",
            Self::Drop => "secret.drop",
            Self::Promote => "secret.promote",
        }
    }
}

/// One well-formed order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// Stable id of the effect; the same effect may arrive many times and counts once.
    pub(crate) effect: String,
    /// Grows whenever another node takes over the work; 0 to 2^53 - 1.
    pub(crate) fence: i64,
    pub(crate) secret: String,
    pub(crate) environment: String,
    pub(crate) rotation: String,
    /// From 1.
    pub(crate) version: Version,
    /// Present exactly when the kind is not `secret.drop`.
    pub(crate) value: Option<SecretText>,
}

impl Order {
    /// Parses a body. The failure names no parser message, because such messages may quote the secret.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let malformed = |what: String| {
            Failure::new(axum::http::StatusCode::BAD_REQUEST, "malformed_hook", format!("the order {what}"))
        };
        let order: Self = serde_json::from_slice(body).map_err(|error| {
            malformed(format!(
                "is not of the documented form (line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        if !(0..=MAX_FENCE).contains(&order.fence) {
            return Err(malformed("has a `fence` outside 0 to 2^53 - 1".to_owned()));
        }
        if order.version == 0 {
            return Err(malformed("has `version` 0; versions count from 1".to_owned()));
        }
        if order.value.is_some() == (order.kind == Kind::Drop) {
            return Err(malformed("must have a `value` exactly when it is not `secret.drop`".to_owned()));
        }
        Ok(order)
    }

    /// Identifies what is asked, without the fence: a repeat under a newer fence is still the same effect.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let value = self.value.as_ref().map_or("", SecretText::reveal);
        let version = self.version.to_string();
        let mut hash = Sha256::new();
        for part in [self.kind.name(), &self.secret, &self.environment, &self.rotation, &version, value] {
            // The length keeps two neighbouring parts from being read as two others.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body() -> Value {
        json!({
            "type": "secret.distribute", "effect": "eff_1", "fence": 3, "secret": crate::SECRET,
            "environment": crate::ENVIRONMENT, "rotation": "rot_1", "version": 2, "value": "whsec_the_hidden_text"
        })
    }

    fn with(field: &str, value: Value) -> Vec<u8> {
        let mut body = body();
        body[field] = value;
        body.to_string().into_bytes()
    }

    #[test]
    fn the_documented_form_is_parsed() {
        let order = Order::parse(body().to_string().as_bytes()).unwrap();
        assert_eq!((order.kind, order.fence, order.version), (Kind::Distribute, 3, 2));
    }

    #[test]
    fn every_departure_is_malformed_and_never_quotes_the_value() {
        let twice = body().to_string().replacen('{', r#"{"fence":3,"#, 1).into_bytes();
        for bytes in [
            b"".to_vec(),
            b"{}".to_vec(),
            b"[]".to_vec(),
            b"\xff\xfe".to_vec(),
            twice,
            with("type", json!("secret.destroy")),
            with("type", json!("secret.drop")),
            with("type", json!("whsec_the_hidden_text")),
            with("fence", json!(-1)),
            with("fence", json!(3.0)),
            with("fence", json!("3")),
            with("fence", json!(MAX_FENCE + 1)),
            with("version", json!(0)),
            with("version", json!(4_294_967_296_u64)),
            with("value", Value::Null),
            with("value", json!("short")),
            with("value", json!(["whsec_the_hidden_text"])),
            with("surprise", json!("whsec_the_hidden_text")),
        ] {
            let failure = Order::parse(&bytes).unwrap_err();
            assert_eq!(failure.code, "malformed_hook");
            assert!(!format!("{failure:?}").contains("hidden"), "{failure:?}");
        }
    }

    #[test]
    fn the_digest_covers_all_but_effect_and_fence() {
        let digest = |bytes: Vec<u8>| Order::parse(&bytes).unwrap().digest();
        let plain = digest(body().to_string().into_bytes());
        assert_eq!(digest(with("fence", json!(4))), plain);
        assert_eq!(digest(with("effect", json!("eff_2"))), plain);
        for (field, other) in [
            ("type", json!("secret.promote")),
            ("secret", json!("other/one")),
            ("environment", json!("staging")),
            ("rotation", json!("rot_2")),
            ("version", json!(3)),
            ("value", json!("whsec_another_value")),
        ] {
            assert_ne!(digest(with(field, other)), plain, "{field}");
        }
    }
}
