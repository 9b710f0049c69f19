//! Path and query of a request, read strictly; what does not fit is told as every other problem is.

use std::error::Error;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::App;
use super::body::plainly;
use super::problem::Rejected;
use crate::reached::Reached;

/// The variable part of a path.
pub(super) struct Named<T>(pub T);

/// The query; unknown parameters are refused by its type.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Named<T> {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let path = Path::from_request_parts(parts, app).await;
        path.map(|Path(value)| Self(value)).map_err(|error| Rejected::malformed(innermost("path", &error)))
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Asked<T> {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let query = Query::from_request_parts(parts, app).await;
        query.map(|Query(value)| Self(value)).map_err(|error| Rejected::malformed(innermost("query", &error)))
    }
}

/// What the parser says, without what the framework says around it.
fn innermost(part: &str, error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    format!("in the {part}: {}", plainly(&innermost.to_string()))
}

/// The node, as whoever asks reached it.
pub(super) fn of_node(headers: &HeaderMap, reached: &Reached) -> Result<String, Rejected> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let host = host.ok_or_else(|| Rejected::malformed("the request has no `Host`"))?;
    Ok(format!("{}://{}", reached.scheme_at(host.host()).as_str(), host.as_str()))
}
