//! Under which addresses the node is reached, as far as it knows by itself: the one of its pages, and the one at which it listens.
//!
//! What a proof of possession is made for is compared with these, never with what the request says of itself: whoever lured a client to
//! another server could pass the proof on, with that server's name as `Host`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::http::Uri;
use axum::http::uri;

use crate::config::{PublicUrl, is_loopback_host};

/// What is spoken at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// As it is written in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that need not be written (RFC 9110, sections 4.2.1 and 4.2.2).
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where the node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// What is spoken there.
    pub scheme: Scheme,
    /// Where that is, with the real port.
    pub address: SocketAddr,
}

impl Listening {
    /// Whether whoever connects to this address comes here. A number of the network's own is believed over TLS only: in clear anybody there
    /// could answer.
    fn is(&self, base: &Base) -> bool {
        if base.scheme != self.scheme || base.port != self.address.port() {
            return false;
        }
        let here = self.address.ip();
        match base.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(host) if host.is_loopback() => here == host || here.is_unspecified(),
            Ok(host) => here == host && self.scheme == Scheme::Https,
            Err(_) => base.host == "localhost" && (here.is_loopback() || here.is_unspecified()),
        }
    }
}

/// Scheme, host and port in one form: lower case, and the port always there (RFC 3986, sections 6.2.2.1 and 6.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Base {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Base {
    fn of(address: &Uri) -> Option<Self> {
        let scheme = match address.scheme() {
            Some(scheme) if *scheme == uri::Scheme::HTTP => Scheme::Http,
            Some(scheme) if *scheme == uri::Scheme::HTTPS => Scheme::Https,
            _ => return None,
        };
        let authority = address.authority()?;
        // A port that is no number is none, and would be taken for the default one.
        let rest = authority.as_str().strip_prefix(authority.host())?;
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => scheme.port(),
            None => return None,
            Some("") => scheme.port(),
            Some(_) => authority.port_u16()?,
        };
        Some(Self { scheme, host: authority.host().to_ascii_lowercase(), port })
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    public: Option<(PublicUrl, Base)>,
    listening: Option<Listening>,
}

impl Reached {
    /// By the address of its pages and that of its listener.
    #[must_use]
    pub fn new(public: Option<&PublicUrl>, listening: Option<Listening>) -> Self {
        let public = public.and_then(|url| Some((url.clone(), Base::of(&url.origin().parse().ok()?)?)));
        Self { public, listening }
    }

    /// Whether this absolute address, without its query and fragment, is the node's and has this path.
    #[must_use]
    pub fn is(&self, address: &str, path: &str) -> bool {
        let bare = address.split(['?', '#']).next().unwrap_or_default();
        let Ok(address) = bare.parse::<Uri>() else { return false };
        address.path() == path && Base::of(&address).is_some_and(|base| self.has(&base))
    }

    fn has(&self, base: &Base) -> bool {
        self.public.as_ref().is_some_and(|(_, public)| public == base)
            || self.listening.is_some_and(|listening| listening.is(base))
    }

    /// What is spoken at a host. Credentials travel in clear on this machine only; wherever else the node is reached, it or something in front
    /// of it speaks TLS.
    #[must_use]
    pub fn scheme_at(&self, host: &str) -> Scheme {
        match self.listening {
            _ if !is_loopback_host(host) => Scheme::Https,
            Some(listening) => listening.scheme,
            None => Scheme::Http,
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listening = self.listening.as_ref().map(|listening| {
            let Listening { scheme, address } = listening;
            let on_this_machine = address.ip().is_loopback() || address.ip().is_unspecified();
            let host = if on_this_machine { "localhost".to_owned() } else { address.ip().to_string() };
            format!("{}://{host}:{}", scheme.as_str(), address.port())
        });
        match (&self.public, listening) {
            (Some((public, _)), Some(listening)) if public.origin() != listening => {
                write!(f, "`{}` and `{listening}`", public.origin())
            }
            (Some((public, _)), _) => write!(f, "`{}`", public.origin()),
            (None, Some(listening)) => write!(f, "`{listening}`"),
            (None, None) => f.write_str("not known to itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(public: Option<&str>, listening: Option<(Scheme, &str)>) -> Reached {
        let listening = listening
            .map(|(scheme, address)| Listening { scheme, address: address.parse().expect("an address") });
        let public = public.map(|url| PublicUrl::parse(url).expect("an address"));
        Reached::new(public.as_ref(), listening)
    }

    #[test]
    fn a_node_is_reached_at_its_own_addresses_and_no_others() {
        let clear = reached(Some("https://countersign.example"), Some((Scheme::Http, "127.0.0.1:8700")));
        let tls = reached(None, Some((Scheme::Https, "0.0.0.0:8700")));
        let number = reached(None, Some((Scheme::Https, "192.0.2.7:8700")));
        let six = reached(None, Some((Scheme::Http, "[::1]:80")));
        for (node, address) in [
            (&clear, "https://countersign.example/a"),
            (&clear, "HTTPS://Countersign.Example:443/a?b=c#d"),
            (&clear, "https://countersign.example:/a#d?c"),
            (&clear, "http://localhost:8700/a"),
            (&clear, "http://127.0.0.1:8700/a"),
            (&tls, "https://localhost:8700/a"),
            (&tls, "https://127.0.0.2:8700/a"),
            (&tls, "https://[::1]:8700/a"),
            (&number, "https://192.0.2.7:8700/a"),
            (&six, "http://[::1]/a"),
            (&six, "http://localhost:80/a"),
        ] {
            assert!(node.is(address, "/a"), "{address}");
        }
        for (node, address) in [
            (&clear, "http://countersign.example/a"),
            (&clear, "https://countersign.example:8443/a"),
            (&clear, "https://countersign.example:80/a"),
            (&clear, "https://countersign.example.evil.example/a"),
            (&clear, "https://countersign.example@evil.example/a"),
            (&clear, "https://ana@countersign.example/a"),
            (&clear, "https://countersign.example./a"),
            (&clear, "https://localhost:8700/a"),
            (&clear, "http://localhost:8701/a"),
            (&clear, "http://localhost/a"),
            (&clear, "http://127.0.0.2:8700/a"),
            (&clear, "http://[::1]:8700/a"),
            (&clear, "http://localhost:99999/a"),
            (&clear, "http://localhost:0x21fc/a"),
            (&tls, "http://localhost:8700/a"),
            (&tls, "https://192.0.2.7:8700/a"),
            (&number, "https://localhost:8700/a"),
            (&number, "http://192.0.2.7:8700/a"),
            (&six, "http://127.0.0.1/a"),
            (&clear, "//countersign.example/a"),
            (&clear, "/a"),
            (&clear, ""),
            (&clear, "https://countersign.example/b"),
            (&clear, "https://countersign.example/a/"),
            (&clear, "https://countersign.example/x/../a"),
            (&clear, "https://countersign.example/%61"),
        ] {
            assert!(!node.is(address, "/a"), "{address}");
        }
        assert!(
            clear.is("https://countersign.example", "/"),
            "no path is the root (RFC 3986, section 6.2.3)"
        );
        assert!(!Reached::default().is("http://localhost/a", "/a"), "who knows nothing of itself is nowhere");
    }

    #[test]
    fn a_node_says_where_it_is() {
        let both = reached(Some("https://countersign.example"), Some((Scheme::Http, "127.0.0.1:8700")));
        assert_eq!(both.to_string(), "`https://countersign.example` and `http://localhost:8700`");
        let local = reached(Some("http://localhost:8700"), Some((Scheme::Http, "127.0.0.1:8700")));
        assert_eq!(local.to_string(), "`http://localhost:8700`");
        assert_eq!(Reached::default().to_string(), "not known to itself");
        assert_eq!([both.scheme_at("localhost"), both.scheme_at("a.example")], [Scheme::Http, Scheme::Https]);
        let tls = reached(None, Some((Scheme::Https, "127.0.0.1:8700")));
        assert_eq!(tls.scheme_at("127.0.0.1"), Scheme::Https);
    }
}
