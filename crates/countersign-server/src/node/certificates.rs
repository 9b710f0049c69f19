//! The certificate the node shows: read from its files, read again when they change, and never replaced by a pair that would not do.
//!
//! Whether clients trust it is for them to say. A pair is whole (the key is that of the first certificate) or it is not shown, so
//! files that are caught half written change nothing.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use countersign_core::time::Time;
use countersign_ledger::hash::{Hash, sha256};
use der::asn1::{GeneralizedTime, UtcTime};
use der::{Decode as _, Reader as _, SliceReader, Tag, TagMode, TagNumber};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::signal::unix::Signal;

use crate::config::TlsConfig;
use crate::secrets::ReferenceError;

/// How often the files are looked at. A certificate is renewed days before it ends, so this is soon.
const LOOK: Duration = Duration::from_secs(5);

/// Largest file of certificates, bytes: a chain has a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;

const EXPIRES: &str = "countersign_tls_certificate_expires_seconds";
const CHANGES: &str = "countersign_tls_certificate_changes_total";

/// Why a certificate and its key are not shown.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file with the certificates cannot be read.
    #[error("certificate: cannot read `{}`: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("certificate: `{}` {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The reference gives no key.
    #[error("key: {0}")]
    Reference(#[from] ReferenceError),
    /// What the reference gives is another thing.
    #[error("key: what it refers to is not a private key in PEM (`BEGIN PRIVATE KEY`), unencrypted")]
    NotAKey,
    /// The two are not of one pair, or of a kind that is not supported.
    #[error(
        "key: it is not the key of the first certificate in `{}`, which has to be the node's own: {why}",
        path.display()
    )]
    Mismatch {
        /// The file with the certificates.
        path: PathBuf,
        /// What the library says.
        why: rustls::Error,
    },
    /// It replaces nothing, since nobody would accept it.
    #[error("certificate: the one in `{}` ended at {until}", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When it ended.
        until: Time,
    },
    /// Nobody could tell the node that the files changed.
    #[error("SIGHUP cannot be listened for: {0}")]
    Signal(io::Error),
    /// TLS cannot be spoken at all.
    #[error("{0}")]
    Unsupported(rustls::Error),
}

/// What looking at the files again came to.
#[derive(Debug)]
pub(super) enum Looked {
    /// They are what they were.
    Same,
    /// Another certificate is shown from now on, until then.
    Renewed(Time),
    /// They are something else, but nothing that could be shown.
    Kept(CertificateError),
}

/// A certificate with its key, both as read.
struct Pair {
    key: Arc<CertifiedKey>,
    until: Time,
}

/// What is shown to whoever connects.
pub(super) struct Certificates {
    config: TlsConfig,
    provider: Arc<CryptoProvider>,
    shown: ArcSwap<CertifiedKey>,
    /// What the files held when they were looked at last, or why they could not be read, so that one trouble is told once.
    seen: Mutex<Result<Hash, String>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("config", &self.config).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.load_full())
    }
}

impl Certificates {
    /// Reads the pair that is shown first. One that ended already is shown with a warning: without it the node would not even say so.
    pub(super) fn open(config: TlsConfig) -> Result<Arc<Self>, CertificateError> {
        let provider = Arc::new(ring::default_provider());
        let files = Files::read(&config)?;
        let pair = files.pair(&config, &provider)?;
        if pair.until <= now() {
            tracing::warn!(until = %pair.until, "the certificate has ended: clients will not accept it");
        }
        tell_end(pair.until);
        let seen = Mutex::new(Ok(files.sha256()));
        Ok(Arc::new(Self { config, provider, shown: ArcSwap::new(pair.key), seen }))
    }

    /// Speaks TLS 1.2 and 1.3 with whatever is shown at the time, and HTTP/1.1 above it.
    pub(super) fn spoken(self: &Arc<Self>) -> Result<Arc<ServerConfig>, CertificateError> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(CertificateError::Unsupported)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Looks at the files for as long as it is polled: every few seconds, and when told to.
    pub(super) async fn follow(self: Arc<Self>, mut told: Signal) {
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = told.recv() => {}
            }
            let looking = self.clone();
            // Files may be on a disk that answers slowly.
            match tokio::task::spawn_blocking(move || looking.look()).await {
                Ok(Looked::Same) => {}
                Ok(Looked::Renewed(until)) => {
                    metrics::counter!(CHANGES, "outcome" => "renewed").increment(1);
                    tracing::info!(%until, "another certificate is shown from now on");
                }
                Ok(Looked::Kept(error)) => {
                    metrics::counter!(CHANGES, "outcome" => "kept").increment(1);
                    tracing::error!(%error, "the certificate was changed to one that cannot be shown; the one before still is");
                }
                Err(error) => tracing::error!(%error, "the certificate could not be looked at"),
            }
        }
    }

    /// Looks at the files once.
    pub(super) fn look(&self) -> Looked {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = Files::read(&self.config);
        let now_seen = found.as_ref().map(Files::sha256).map_err(ToString::to_string);
        if *seen == now_seen {
            return Looked::Same;
        }
        *seen = now_seen;
        let outcome = found.and_then(|files| files.pair(&self.config, &self.provider)).and_then(|pair| {
            let path = self.config.certificate.clone();
            if pair.until > now() {
                Ok(pair)
            } else {
                Err(CertificateError::Expired { path, until: pair.until })
            }
        });
        match outcome {
            Ok(Pair { key, until }) => {
                self.shown.store(key);
                tell_end(until);
                Looked::Renewed(until)
            }
            Err(error) => Looked::Kept(error),
        }
    }
}

/// Both files as they are now.
struct Files {
    chain: Vec<u8>,
    key: crate::secrets::SecretValue,
}

impl Files {
    fn read(config: &TlsConfig) -> Result<Self, CertificateError> {
        let path = &config.certificate;
        let unreadable = |cause| CertificateError::Unreadable { path: path.clone(), cause };
        let chain = std::fs::read(path).map_err(unreadable)?;
        if chain.len() > MAX_BYTES {
            let why = format!("is longer than {MAX_BYTES} bytes, so it is something else");
            return Err(CertificateError::Malformed { path: path.clone(), why });
        }
        Ok(Self { chain, key: config.key.resolve()? })
    }

    /// Of the two together; the length keeps them apart.
    fn sha256(&self) -> Hash {
        let mut bytes = zeroize::Zeroizing::new((self.chain.len() as u64).to_be_bytes().to_vec());
        bytes.extend_from_slice(&self.chain);
        bytes.extend_from_slice(self.key.expose().as_bytes());
        sha256(&bytes)
    }

    fn pair(&self, config: &TlsConfig, provider: &CryptoProvider) -> Result<Pair, CertificateError> {
        let path = &config.certificate;
        let malformed = |why: String| CertificateError::Malformed { path: path.clone(), why };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.chain).collect();
        let chain = chain.map_err(|error| malformed(format!("is not PEM: {error}")))?;
        let first = chain
            .first()
            .ok_or_else(|| malformed("holds no certificate in PEM (`BEGIN CERTIFICATE`)".to_owned()))?;
        let until = not_after(first)
            .map_err(|error| malformed(format!("begins with a certificate that cannot be read: {error}")))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.expose().as_bytes())
            .map_err(|_| CertificateError::NotAKey)?;
        let key = CertifiedKey::from_der(chain, key, provider)
            .map_err(|why| CertificateError::Mismatch { path: path.clone(), why })?;
        Ok(Pair { key: Arc::new(key), until })
    }
}

/// When a certificate ends (RFC 5280, 4.1).
fn not_after(certificate: &[u8]) -> der::Result<Time> {
    let mut whole = SliceReader::new(certificate)?;
    let until = whole.sequence(|certificate| {
        let until = certificate.sequence(|signed| {
            signed.context_specific::<u8>(TagNumber(0), TagMode::Explicit)?;
            for _serial_algorithm_issuer in 0..3 {
                signed.tlv_bytes()?;
            }
            let until = signed.sequence(|validity| {
                validity.tlv_bytes()?;
                match Tag::peek(validity)? {
                    Tag::UtcTime => UtcTime::decode(validity).map(|time| time.to_unix_duration()),
                    _ => GeneralizedTime::decode(validity).map(|time| time.to_unix_duration()),
                }
            })?;
            signed.drain(signed.remaining_len())?;
            Ok::<_, der::Error>(until)
        })?;
        certificate.drain(certificate.remaining_len())?;
        Ok::<_, der::Error>(until)
    })?;
    Ok(since_1970(until))
}

fn since_1970(since: Duration) -> Time {
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The machine's clock, which clients' clocks are held against as well.
fn now() -> Time {
    since_1970(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn tell_end(until: Time) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats; exact for seconds up to 2^53")]
    metrics::gauge!(EXPIRES).set((until.as_millis() / 1_000) as f64);
}

#[cfg(test)]
pub(super) mod tests;
