//! `public_url`: where people reach the node with a browser. Passkeys belong to its host, and only its pages may ask for them.

use std::path::Path;

use reqwest::Url;

use super::ConfigError;

/// The address of the node's pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    host: String,
}

impl PublicUrl {
    /// Reads an address: `https`, or `http` to `localhost`, with a name and not a number, and nothing after it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is not a link: {error}"))?;
        let host = match url.domain() {
            Some(host) => host.to_owned(),
            // Browsers give passkeys to names only.
            None => return Err("has no name: passkeys belong to a name, such as `localhost`".to_owned()),
        };
        match url.scheme() {
            "https" => {}
            "http" if host == "localhost" => {}
            "http" => return Err("is in clear: use https; http is for `localhost` only".to_owned()),
            other => return Err(format!("has the scheme `{other}`: use https")),
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err("says more than scheme, host and port".to_owned());
        }
        Ok(Self { origin: url.origin().ascii_serialization(), host })
    }

    /// This machine, for whoever sits at it.
    #[must_use]
    pub fn local(scheme: &str, port: u16) -> Option<Self> {
        Self::parse(&format!("{scheme}://localhost:{port}")).ok()
    }

    /// As browsers write it: `https://countersign.example`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host alone: the relying party of passkeys.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether browsers may be told never to come in clear again. That would be for every port of the host, so not for this machine's.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.origin.starts_with("https://") && self.host != "localhost"
    }
}

pub(super) fn read(file: &Path, text: Option<&str>) -> Result<Option<PublicUrl>, ConfigError> {
    let wrong = |text, why| ConfigError::new(file, format!("public_url: `{text}` {why}"));
    text.map(|text| PublicUrl::parse(text).map_err(|why| wrong(text, why))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_an_origin_with_a_name() {
        for (text, origin, strict) in [
            ("https://countersign.example", "https://countersign.example", true),
            ("https://Countersign.Example:8443/", "https://countersign.example:8443", true),
            ("https://countersign.example:443", "https://countersign.example", true),
            ("http://localhost:8700", "http://localhost:8700", false),
            ("https://localhost:8700", "https://localhost:8700", false),
        ] {
            let url = PublicUrl::parse(text).unwrap();
            assert_eq!((url.origin(), url.is_strict()), (origin, strict), "{text}");
        }
        for (text, told) in [
            ("countersign.example", "is not a link"),
            ("http://countersign.example", "is in clear"),
            ("ftp://countersign.example", "has the scheme `ftp`"),
            ("https://127.0.0.1", "has no name"),
            ("http://[::1]:8700", "has no name"),
            ("https://countersign.example/pages", "says more"),
            ("https://countersign.example/?a", "says more"),
            ("https://ana@countersign.example", "says more"),
        ] {
            let told_in_fact = PublicUrl::parse(text).unwrap_err();
            assert!(told_in_fact.starts_with(told), "{text}: {told_in_fact}");
        }
    }
}
