//! Where an issuer signs people in, as its discovery document says (OpenID Connect Discovery 1.0, RP-Initiated Logout 1.0, RFC 9207).

use std::collections::BTreeSet;

use reqwest::Url;
use serde_json::Value;

use crate::config::is_loopback;

/// Longest address of an endpoint, bytes.
const LONGEST: usize = 2_048;

/// Where people are sent, and where their codes are redeemed.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    /// Where browsers are sent to sign in.
    pub(super) authorization: Url,
    /// Where a code is exchanged for a token.
    pub(super) token: Url,
    /// Where browsers are sent to sign out, if there is such a place.
    pub(super) end_session: Option<Url>,
    /// How clients say there who they are; by the header unless it says otherwise.
    pub(super) authentication: BTreeSet<String>,
    /// Whether each answer says whose it is.
    pub(super) names_itself: bool,
}

impl Endpoints {
    pub(super) fn of(document: &Value, issuer: &Url) -> Result<Self, String> {
        let list = |name: &str| {
            let each = document[name].as_array()?.iter().filter_map(Value::as_str);
            Some(each.map(str::to_owned).collect::<BTreeSet<_>>())
        };
        // Where the document is silent, the provider may know PKCE all the same; where it speaks, it must be among what it knows.
        if list("code_challenge_methods_supported").is_some_and(|known| !known.contains("S256")) {
            return Err("it does not know PKCE by `S256`".to_owned());
        }
        if list("response_types_supported").is_some_and(|known| !known.contains("code")) {
            return Err("it gives out no codes".to_owned());
        }
        let end_session =
            document.get("end_session_endpoint").map(|_| safe(document, (issuer, "end_session_endpoint")));
        Ok(Self {
            authorization: safe(document, (issuer, "authorization_endpoint"))?,
            token: safe(document, (issuer, "token_endpoint"))?,
            end_session: end_session.transpose()?,
            authentication: list("token_endpoint_auth_methods_supported")
                .unwrap_or_else(|| BTreeSet::from(["client_secret_basic".to_owned()])),
            names_itself: document["authorization_response_iss_parameter_supported"] == true,
        })
    }
}

/// An address that the document names, if it leads nowhere less safe than the issuer is.
pub(super) fn safe(document: &Value, (issuer, name): (&Url, &str)) -> Result<Url, String> {
    let text = document[name].as_str().ok_or_else(|| format!("the discovery document names no `{name}`"))?;
    if text.len() > LONGEST {
        return Err(format!("`{name}` is too long"));
    }
    let link = Url::parse(text).map_err(|error| format!("`{name}`: {error}"))?;
    let is_safe =
        link.scheme() == "https" || link.scheme() == "http" && is_loopback(&link) && is_loopback(issuer);
    let is_bare = link.fragment().is_none() && link.username().is_empty() && link.password().is_none();
    if is_safe && is_bare {
        Ok(link)
    } else {
        Err(format!("`{name}` leads to where it could be changed or read on the way"))
    }
}
