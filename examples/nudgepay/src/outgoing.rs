//! The HTTP client both programs use, for loopback peers only.
//!
//! No proxy, no redirects, a bound on every wait and on every answer's size. It trusts no certificate
//! authority, since nothing it talks to uses TLS, and it leaves the process's choice of cryptography alone.

use std::{net::IpAddr, sync::Arc, time::Duration};

use reqwest::{Client, Response, Url, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::Error;

/// The most that is read of any answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Builds the client; `patience` bounds each call as a whole.
pub(crate) fn client(patience: Duration) -> Result<Client, Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Client(error.to_string()))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(Policy::none())
        .timeout(patience)
        .build()
        .map_err(|error| Error::Client(error.to_string()))
}

/// Parses an address these programs may call: plain HTTP to a literal loopback address, so that no name can
/// lead away.
pub(crate) fn loopback_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let address: IpAddr = url.host_str()?.trim_matches(['[', ']']).parse().ok()?;
    (url.scheme() == "http" && address.is_loopback() && url.username().is_empty()).then_some(url)
}

/// Reads an answer's body up to 16 KiB; the rest is dropped.
pub(crate) async fn read_bounded(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend(chunk.iter().take(MAX_ANSWER - body.len()));
        if body.len() == MAX_ANSWER {
            break;
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_a_literal_loopback_address_is_called() {
        for text in ["http://127.0.0.1:8080", "http://127.0.0.1:1/hooks?x=1", "http://[::1]:9/"] {
            assert!(loopback_url(text).is_some(), "{text}");
        }
        for text in [
            "",
            "127.0.0.1",
            "https://127.0.0.1/",
            "http://localhost/",
            "http://10.0.0.1/",
            "http://u@127.0.0.1/",
            "ftp://127.0.0.1/",
            "http://169.254.169.254/",
        ] {
            assert!(loopback_url(text).is_none(), "{text}");
        }
    }
}
