//! Redeeming a code at a provider's token endpoint (RFC 6749, sections 2.3.1, 4.1.3 and 5; RFC 7636).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_ledger::hash::sha256;
use countersign_ledger::json;
use form_urlencoded::{Serializer, byte_serialize};
use reqwest::{Client, RequestBuilder, StatusCode, header};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::endpoints::Endpoints;
use super::provider::{Answered, Failed};
use crate::config::ProviderConfig;
use crate::outgoing;
use crate::secrets::SecretValue;

/// Largest answer, bytes: an ID token and an access token, each as large as they may be, and a little more.
const MAX_ANSWER: usize = 64 * 1024;

/// Longest code of an error that is repeated.
const LONGEST_CODE: usize = 64;

/// Who asks, and where.
pub(super) struct Asking<'a> {
    pub(super) config: &'a ProviderConfig,
    pub(super) secret: Option<&'a SecretValue>,
    pub(super) endpoints: &'a Endpoints,
}

/// What came for the code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// What of the verifier travels with the browser.
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()).0)
}

pub(super) async fn redeem(
    client: &Client,
    asking: &Asking<'_>,
    answered: &Answered<'_>,
) -> Result<Tokens, Failed> {
    let request = request(client, asking, answered)?;
    let unanswered = |error: reqwest::Error| Failed::Unavailable(error.without_url().to_string());
    let answer = request.send().await.map_err(unanswered)?;
    let status = answer.status();
    let body = Zeroizing::new(outgoing::beginning(answer, MAX_ANSWER + 1).await);
    let odd = |what: &str| Failed::Unavailable(format!("its token endpoint {what}"));
    if body.len() > MAX_ANSWER {
        return Err(odd("answers with more than is sensible"));
    }
    if status == StatusCode::OK {
        json::validate(&body).map_err(|_| odd("answers with what is not strict JSON"))?;
        return serde_json::from_slice(&body).map_err(|_| odd("gives no ID token"));
    }
    let refused = serde_json::from_slice(&body).ok().map(|Refused { error }| error);
    let is_code =
        |error: &String| error.len() <= LONGEST_CODE && error.bytes().all(|byte| byte.is_ascii_graphic());
    match refused.filter(|_| status.is_client_error()).filter(is_code) {
        Some(error) => Err(Failed::Refused(error)),
        None => Err(odd(&format!("answers {}", status.as_u16()))),
    }
}

/// The request, with who we are in the way that the provider takes.
fn request(client: &Client, asking: &Asking<'_>, answered: &Answered<'_>) -> Result<RequestBuilder, Failed> {
    let Asking { config, secret, endpoints } = asking;
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", answered.code)
        .append_pair("redirect_uri", answered.asked.redirect_uri)
        .append_pair("code_verifier", answered.asked.verifier);
    let request = client
        .post(endpoints.token.clone())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let takes = |way: &str| endpoints.authentication.contains(way);
    let request = match secret {
        None => {
            form.append_pair("client_id", &config.client_id);
            request
        }
        Some(secret) if takes("client_secret_basic") => {
            request.header(header::AUTHORIZATION, basic(&config.client_id, secret)?)
        }
        Some(secret) if takes("client_secret_post") => {
            form.append_pair("client_id", &config.client_id).append_pair("client_secret", secret.expose());
            request
        }
        Some(_) => {
            let why = "it takes a client's secret neither in the header nor in the form";
            return Err(Failed::Unavailable(why.to_owned()));
        }
    };
    Ok(request.body(form.finish()))
}

/// Both parts are escaped before they are joined, so that a colon in one of them is none between them.
fn basic(client_id: &str, secret: &SecretValue) -> Result<header::HeaderValue, Failed> {
    let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", escaped(client_id), escaped(secret.expose())));
    let line = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = header::HeaderValue::from_str(&line)
        .map_err(|_| Failed::Unavailable("its client secret does not fit a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
