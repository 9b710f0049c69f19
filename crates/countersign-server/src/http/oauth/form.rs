//! The form of a token request, read as OAuth demands (RFC 6749, section 3.2): no parameter twice, none without a value, unknown ones ignored.

use std::collections::BTreeMap;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use zeroize::Zeroizing;

use super::super::body;
use super::answer::{Denied, Error};

/// The parameters of a request.
pub(super) struct Form(BTreeMap<String, Vec<Zeroizing<String>>>);

impl Form {
    /// Reads the body.
    pub(super) async fn read(request: Request) -> Result<Self, Denied> {
        if !is_form(request.headers()) {
            let what = "the body is not a form (`application/x-www-form-urlencoded`)";
            return Err(Denied::malformed(what));
        }
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(Denied::malformed("parameters belong into the body, not into the address"));
        }
        let bytes = Zeroizing::new(body::whole(request.into_body()).await?);
        let mut parameters: BTreeMap<String, Vec<Zeroizing<String>>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(&bytes) {
            if !value.is_empty() {
                parameters.entry(name.into_owned()).or_default().push(Zeroizing::new(value.into_owned()));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter that may be left out.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Denied> {
        match self.0.get(name).map(Vec::as_slice) {
            None => Ok(None),
            Some([one]) => Ok(Some(one)),
            Some(_) => Err(Denied::malformed(&format!("`{name}` is given more than once"))),
        }
    }

    /// A parameter that must be there.
    pub(super) fn must(&self, name: &str) -> Result<&str, Denied> {
        self.get(name)?.ok_or_else(|| Denied::malformed(&format!("`{name}` is missing")))
    }

    /// A parameter that has no place here.
    pub(super) fn must_not(&self, name: &str, error: Error) -> Result<(), Denied> {
        if !self.0.contains_key(name) {
            return Ok(());
        }
        let hint = "leave it out; a workload of the policy is named as `audience`";
        Err(Denied::new(error, ("parameter_not_taken", &format!("`{name}` is not taken here"), hint)))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
