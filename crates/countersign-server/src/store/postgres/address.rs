//! Where the database is, and how safely it is talked to.
//!
//! To another machine nothing goes in clear: TLS with the server's certificate verified for its name, or no connection. On this machine
//! (a Unix socket, a loopback address) TLS is used where it is asked for. A password is never part of the address.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::is_loopback_host;
use crate::secrets::SecretValue;

/// How long making a connection to one host may take.
const CONNECT: Duration = Duration::from_secs(3);

/// A peer that acknowledges nothing for this long is gone.
const SILENCE: Duration = Duration::from_secs(5);

/// A database that can be connected to. Holds the password, so it is never printed whole.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) tls: Option<MakeRustlsConnect>,
    shown: String,
}

/// Why an address is not one that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a connection URI. The text is not repeated: it may hold a password.
    #[error("is not a connection URI like `postgresql://role@host/database`: {0}")]
    Malformed(String),
    /// It contains the password.
    #[error("contains a password: name it apart, as `password = \"file:/path\"` or `\"env:NAME\"`")]
    Password,
    /// Something has to be named.
    #[error("names no {0}")]
    Missing(&'static str),
    /// It would talk to another machine in clear.
    #[error("would talk to `{0}` in clear: leave `sslmode` out or say `sslmode=verify-full`")]
    InClear(String),
    /// There is nothing to verify certificates with.
    #[error("the certificates to trust cannot be used: {0}")]
    Roots(String),
}

impl Address {
    /// Reads a connection URI (`postgresql://role@host:port/database`, several hosts separated by commas).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // The library verifies by the connector it is given, and ours always verifies: "require" is all it needs to know.
        let text = text.replace("sslmode=verify-full", "sslmode=require");
        let asked = text.contains("sslmode=");
        let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
            let why =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            AddressError::Malformed(why)
        })?;
        if config.get_password().is_some() {
            return Err(AddressError::Password);
        }
        if config.get_hosts().is_empty() {
            return Err(AddressError::Missing("host"));
        }
        if config.get_user().is_none() {
            return Err(AddressError::Missing("role"));
        }
        if config.get_dbname().is_none() {
            return Err(AddressError::Missing("database"));
        }
        let away = config.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(name) if !is_loopback_host(name) => Some(name.clone()),
            _ => None,
        });
        let mode = match (away, asked.then(|| config.get_ssl_mode())) {
            (Some(host), Some(SslMode::Disable | SslMode::Prefer)) => {
                return Err(AddressError::InClear(host));
            }
            (Some(_), _) | (None, Some(SslMode::Require)) => SslMode::Require,
            (None, _) => SslMode::Disable,
        };
        config.ssl_mode(mode);
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.application_name("countersign");
        config.connect_timeout(CONNECT);
        config.tcp_user_timeout(SILENCE);
        config.keepalives_idle(SILENCE);
        let shown = shown(&config);
        Ok(Self { config, tls: None, shown })
    }

    /// The same, with password and certificates from where PostgreSQL's own programs look for them: `PGPASSWORD`, and the file that
    /// `PGSSLROOTCERT` names.
    ///
    /// # Errors
    /// As [`Address::parse`] and [`Address::with_roots`].
    pub fn with_environment(text: &str) -> Result<Self, AddressError> {
        let roots = std::env::var_os("PGSSLROOTCERT").map(PathBuf::from);
        let address = Self::parse(text)?.with_roots(roots.as_deref())?;
        Ok(match std::env::var("PGPASSWORD") {
            Ok(password) => address.with_password(&SecretValue::new(password)),
            Err(_) => address,
        })
    }

    /// The same, for whoever only looks: a standby will do.
    #[must_use]
    pub(super) fn for_looking(mut self) -> Self {
        self.config.target_session_attrs(TargetSessionAttrs::Any);
        self
    }

    /// The same, with the password.
    #[must_use]
    pub fn with_password(mut self, password: &SecretValue) -> Self {
        self.config.password(password.expose());
        self
    }

    /// Whether it is talked to by TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
    }

    /// The same, trusting the certificates in this file (PEM), or those that this machine trusts; nothing to do without TLS.
    ///
    /// # Errors
    /// They cannot be read, or there are none.
    pub fn with_roots(mut self, file: Option<&Path>) -> Result<Self, AddressError> {
        if !self.is_encrypted() {
            return Ok(self);
        }
        let mut roots = RootCertStore::empty();
        let unusable = |what: String| AddressError::Roots(what);
        match file {
            Some(file) => {
                let certificates = CertificateDer::pem_file_iter(file)
                    .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                    .map_err(|error| unusable(format!("`{}`: {error}", file.display())))?;
                roots.add_parsable_certificates(certificates);
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(unusable(match file {
                Some(file) => format!("there is none in `{}`", file.display()),
                None => "this machine has none; name a file with `ca`".to_owned(),
            }));
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        self.tls = Some(MakeRustlsConnect::new(config));
        Ok(self)
    }
}

/// The address without what is nobody's business.
fn shown(config: &Config) -> String {
    let host = |(place, host): (usize, &Host)| {
        let ports = config.get_ports();
        let port = ports.get(place).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(folder) => folder.display().to_string(),
        }
    };
    let hosts: Vec<String> = config.get_hosts().iter().enumerate().map(host).collect();
    let (role, database) = (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
    format!("postgresql://{role}@{}/{database}", hosts.join(","))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> SslMode {
        Address::parse(text).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn nothing_goes_to_another_machine_in_clear() {
        assert_eq!(mode("postgresql://node@db.example/ledger"), SslMode::Require);
        assert_eq!(mode("postgresql://node@db.example/ledger?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgresql://node@localhost,db.example/ledger"), SslMode::Require);
        for word in ["disable", "prefer"] {
            let refused = Address::parse(&format!("postgresql://node@db.example/ledger?sslmode={word}"));
            assert_eq!(refused.unwrap_err(), AddressError::InClear("db.example".to_owned()));
        }
        assert_eq!(mode("postgresql://node@127.0.0.1/ledger"), SslMode::Disable);
        assert_eq!(mode("postgresql://node@[::1]/ledger?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgresql:///ledger?user=node&host=/run/postgresql"), SslMode::Disable);
    }

    #[test]
    fn an_address_holds_no_password_and_shows_none() {
        let refused = Address::parse("postgresql://node:hunter2@localhost/ledger").unwrap_err();
        assert_eq!(refused, AddressError::Password);
        let address = Address::parse("postgresql://node@localhost:6432/ledger").unwrap();
        let address = address.with_password(&SecretValue::new("hunter2".to_owned()));
        for told in [format!("{address:?}"), address.to_string(), refused.to_string()] {
            assert!(!told.contains("hunter2"), "{told}");
        }
        assert_eq!(address.to_string(), "postgresql://node@localhost:6432/ledger");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, missing) in [
            ("postgresql:///ledger?user=node", "host"),
            ("postgresql://localhost/ledger", "role"),
            ("postgresql://node@localhost", "database"),
        ] {
            assert_eq!(Address::parse(text).unwrap_err(), AddressError::Missing(missing), "{text}");
        }
        let refused = Address::parse("postgresql://node@localhost/ledger?sslmode=verify-ca").unwrap_err();
        assert!(matches!(refused, AddressError::Malformed(_)), "{refused}");
    }
}
