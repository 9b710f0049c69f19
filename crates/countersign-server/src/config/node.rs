//! `countersign.toml`: where the node listens, where its data are, where its keys come from, which endpoints it may call,
//! and who witnesses its log.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use countersign_core::text::Name;
use reqwest::Url;
use serde::Deserialize;

use super::issuers::{self, IssuerConfig, IssuerFile};
use super::providers::{self, ProviderConfig, SignInFile};
use super::public::{self, PublicUrl};
use super::store::{self, PostgresConfig, StoreFile};
use super::tls::{self, ServerFile, TlsConfig};
use super::witnesses::{self, WitnessFile, Witnesses};
use super::{ConfigError, parse, read};
use crate::secrets::SecretRef;

/// The node's configuration.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where the API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where people reach it with a browser. Unless given, that is `localhost` if it listens on this machine alone, and else it has no pages.
    pub public_url: Option<PublicUrl>,
    /// Whether proofs of possession name a nonce of this node's. Unless given, they do.
    pub dpop_nonce: ProofNonce,
    /// The certificate it shows; without it the node speaks HTTP in clear.
    pub tls: Option<TlsConfig>,
    /// The folder with the database, or with what this node derives from one that it shares.
    pub data: PathBuf,
    /// The PostgreSQL that keeps the ledger; without it the data folder does.
    pub postgres: Option<PostgresConfig>,
    /// The log's origin line and its key's name.
    pub origin: String,
    /// The log's Ed25519 seed: 32 bytes, base64.
    pub log_key: SecretRef,
    /// The seed of the key that is to follow it: `countersign log-key rotate` puts it in force.
    pub next_log_key: Option<SecretRef>,
    /// The seed of the key that signs permit documents; without it the node makes none.
    pub permit_key: Option<SecretRef>,
    /// The key that seals secrets: 32 bytes, base64.
    pub sealing_key: SecretRef,
    /// The file that keeps the last signed checkpoint; keep it where the database's backups are not.
    pub checkpoint: PathBuf,
    /// Endpoints the policy names.
    pub endpoints: BTreeMap<Name, Endpoint>,
    /// Whose tokens are believed, though they are not ours.
    pub issuers: BTreeMap<Name, IssuerConfig>,
    /// At which providers people sign in, as far as the policy lets them.
    pub providers: BTreeMap<Name, ProviderConfig>,
    /// Who is asked to cosign checkpoints.
    pub witnesses: Witnesses,
}

/// Whether proofs of possession name a nonce of the node's (RFC 9449, section 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProofNonce {
    /// A proof without one is answered with one.
    #[default]
    Demanded,
    /// Proofs need none; several nodes each accept a proof once, and so does one after a restart.
    Waived,
}

/// An endpoint that rotations call.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Takes rotation hooks.
    pub hook_url: Url,
    /// Takes signed requests as the real sender would send them; needed for consumers.
    pub probe_url: Option<Url>,
    /// Signs hooks (Standard Webhooks, `whsec_…`).
    pub key: SecretRef,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    listen: SocketAddr,
    public_url: Option<String>,
    dpop_nonce: Option<bool>,
    data: PathBuf,
    origin: String,
    log_key: String,
    next_log_key: Option<String>,
    permit_key: Option<String>,
    sealing_key: String,
    checkpoint: PathBuf,
    #[serde(default)]
    endpoints: BTreeMap<Name, EndpointFile>,
    #[serde(default)]
    issuers: BTreeMap<Name, IssuerFile>,
    #[serde(default)]
    witnesses: Vec<WitnessFile>,
    witness_policy: Option<String>,
    witness_lost_after_seconds: Option<u32>,
    #[serde(default)]
    server: ServerFile,
    #[serde(default)]
    sign_in: SignInFile,
    #[serde(default)]
    store: StoreFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointFile {
    hook_url: String,
    probe_url: Option<String>,
    key: String,
}

impl NodeConfig {
    /// Reads the file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::parse(file, &read(file)?)
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: NodeFile = parse(file, text)?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let endpoint = |(name, raw): (Name, EndpointFile)| {
            let place = format!("endpoints.{name}");
            let hook_url = url(file, (&format!("{place}.hook_url"), &raw.hook_url))?;
            let probe = raw.probe_url.map(|text| url(file, (&format!("{place}.probe_url"), &text)));
            let key = reference(file, (&format!("{place}.key"), &raw.key))?;
            Ok((name, Endpoint { hook_url, probe_url: probe.transpose()?, key }))
        };
        let witnesses =
            witnesses::read(file, raw.witnesses, (raw.witness_policy, raw.witness_lost_after_seconds))?;
        // The log's own signature line would look like the witness'.
        if let Some(witness) = witnesses.each.iter().find(|witness| witness.key.name() == raw.origin) {
            let what = format!("witnesses.{}.vkey: its key has the name of this log", witness.name);
            return Err(ConfigError::new(file, what));
        }
        let permit_key = raw.permit_key.map(|text| reference(file, ("permit_key", &text)));
        let next_log_key = raw.next_log_key.map(|text| reference(file, ("next_log_key", &text)));
        Ok(Self {
            listen: raw.listen,
            public_url: public::read(file, raw.public_url.as_deref())?,
            dpop_nonce: match raw.dpop_nonce {
                Some(false) => ProofNonce::Waived,
                Some(true) | None => ProofNonce::Demanded,
            },
            tls: tls::read(file, raw.server)?,
            data: folder.join(raw.data),
            postgres: store::read(file, raw.store)?,
            origin: raw.origin,
            log_key: reference(file, ("log_key", &raw.log_key))?,
            next_log_key: next_log_key.transpose()?,
            permit_key: permit_key.transpose()?,
            sealing_key: reference(file, ("sealing_key", &raw.sealing_key))?,
            checkpoint: folder.join(raw.checkpoint),
            endpoints: raw.endpoints.into_iter().map(endpoint).collect::<Result<_, _>>()?,
            issuers: issuers::read(file, raw.issuers)?,
            providers: providers::read(file, raw.sign_in)?,
            witnesses,
        })
    }
}

pub(super) fn reference(file: &Path, (place, text): (&str, &str)) -> Result<SecretRef, ConfigError> {
    SecretRef::parse(text).map_err(|error| ConfigError::new(file, format!("{place}: {error}")))
}

/// An absolute link that a secret may travel to: `https`, or `http` to this machine.
pub(super) fn url(file: &Path, (place, text): (&str, &str)) -> Result<Url, ConfigError> {
    let wrong = |why: String| ConfigError::new(file, format!("{place}: `{text}` {why}"));
    let url = Url::parse(text).map_err(|error| wrong(format!("is not a link: {error}")))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(wrong("would send secrets in clear: use https, http is for this machine only".into())),
        other => Err(wrong(format!("has the scheme `{other}`: use https"))),
    }
}

/// Whether the link leads to this machine, so that what is sent to it in clear does not travel.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    is_loopback_host(url.host_str().unwrap_or_default())
}

/// Whether the host is this machine, by its name or address.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
