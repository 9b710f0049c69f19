//! HTTP clients for calling out: a bound on everything, no redirects, no proxy. What is said to whom is the callers' business.
//!
//! Redirects are never followed and no proxy is used, so a body goes to the configured address or nowhere.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response, Url, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// A client for these addresses, with so much patience for one call as a whole.
pub(crate) fn client<'a>(
    mut urls: impl Iterator<Item = &'a Url>,
    patience: Duration,
) -> Result<Client, String> {
    let encrypted = urls.any(|url| url.scheme() == "https");
    let builder = Client::builder()
        .no_proxy()
        .no_gzip()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(patience);
    trust(builder, encrypted)?.build().map_err(|error| format!("{error:?}"))
}

/// The machine's certificate authorities where they are needed; without them a machine that has none can still call on loopback.
fn trust(builder: ClientBuilder, encrypted: bool) -> Result<ClientBuilder, String> {
    if encrypted {
        // Somebody else in this process may have chosen already; any provider will do.
        let _ = ring::default_provider().install_default();
        return Ok(builder);
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(builder.tls_backend_preconfigured(tls))
}

/// The first bytes of an answer's body, at most so many; what does not arrive is not there.
pub(crate) async fn beginning(mut answer: Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend(chunk.iter().take(most - body.len()));
        if body.len() == most {
            break;
        }
    }
    body
}
