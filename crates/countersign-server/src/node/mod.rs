//! One running server: configuration, store, secrets, engine, runner and listener put together, and taken apart in order.
//!
//! No rule and no route is here. Whatever is wrong with a machine (a key, a folder, a port) is found before anything is
//! served, and named as the configuration names it.
//!
//! # Layout
//! - `keys`: from references in the configuration to keys
//! - `place`: where the ledger is, and opening it
//! - `location`: a ledger named on a command line, opened to be moved
//! - `error`: why a node does not start
//! - `certificates` `door`: what the node shows to whoever connects, and the handshakes
//! - `connections`: those that are open, bounded in number and in how long a head may take
//! - `serving`: how slowly a body may come, the end, and the counters' upkeep

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_core::log::permit_key::NamePermitKey;
use countersign_core::policy::Policy;
use countersign_core::secret::SecretKey;
use countersign_core::{Actor, Command, Fact};
use countersign_ledger::note::Ed25519Signer;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::clock::SystemClock;
use crate::config::{NodeConfig, ProofNonce, PublicUrl, TlsConfig};
use crate::engine::{Engine, Options, Submission, census, codec, witnessed_beside};
use crate::genesis::{self, Claim, Genesis, NewPerson};
use crate::http::{self, Site};
use crate::issuers::{Issuers, Providers};
use crate::reached::{Listening, Scheme};
use crate::runner::{Outside, Runner};
use crate::search::{Place, Search};
use crate::secrets::{SealingKey, SecretValue};
use crate::sign_in::verifiers::Verifiers;
use crate::store::{Store, StoreError};
use crate::witnessing::{Pace, Witnessing};

mod certificates;
mod connections;
mod door;
mod error;
mod keys;
mod location;
mod place;
mod serving;

pub use certificates::CertificateError;
use certificates::Certificates;
pub use error::NodeError;
pub use location::Location;
use place::Purpose;

/// What a log begins with.
#[derive(Debug)]
pub struct Beginning {
    /// The first policy.
    pub policy: Policy,
    /// The first people.
    pub people: Vec<NewPerson>,
    /// Secrets with their present value.
    pub secrets: Vec<(SecretKey, SecretValue)>,
}

/// What the node speaks TLS with.
#[derive(Debug)]
struct Tls {
    certificates: Arc<Certificates>,
    spoken: Arc<ServerConfig>,
    /// From here on SIGHUP means: look at the files.
    told: Signal,
}

/// A server that listens but does not serve yet.
#[derive(Debug)]
pub struct Node {
    engine: Engine,
    search: Search,
    runner: Runner,
    witnessing: Witnessing,
    listener: TcpListener,
    tls: Option<Tls>,
    issuers: Arc<Issuers>,
    verifiers: Arc<Verifiers>,
    providers: Arc<Providers>,
    site: Option<Arc<Site>>,
    proof_nonce: ProofNonce,
    address: SocketAddr,
}

impl NodeConfig {
    /// The database: the ledger and the sealed secrets.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data.join("ledger.db")
    }

    /// The search index: derived, so it needs no backup and can be removed while nothing is served.
    #[must_use]
    pub fn search_index(&self) -> PathBuf {
        self.data.join("search.db")
    }
}

impl Node {
    /// Opens everything and binds the listener. Blocks for as long as recovery takes: nothing is served yet, so nobody waits.
    ///
    /// # Errors
    /// The first thing that is wrong, as the configuration names it; [`NodeError::NoGenesis`] before `initialise`.
    pub async fn start(config: &NodeConfig) -> Result<Self, NodeError> {
        let keys = keys::resolve(config)?;
        keys::check_endpoints(&config.endpoints)?;
        // Before anybody counts.
        http::recorder();
        let tls = config.tls.clone().map(tls).transpose()?;
        let issuers = Arc::new(Issuers::new(&config.issuers).map_err(NodeError::Issuers)?);
        let providers = Providers::new(&config.providers, keys::client_secrets(&config.providers)?);
        let providers = Arc::new(providers.map_err(NodeError::Issuers)?);
        let (mut store, secrets) = place::open(config, Purpose::Serve, keys.sealing)?;
        checkpoint_folder(config)?;
        check_identity(store.as_mut(), config)?;
        let listen = |cause| NodeError::Listen { address: config.listen, cause };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let site = site(config, (address, keys.pages));
        let secrets = Arc::new(secrets);
        let verifiers = Arc::new(Verifiers::new(Arc::clone(&secrets) as _)?);
        let mut engine = Engine::start(store, options(config, (keys.signer, keys.next_signer)))?;
        if let Some(signer) = keys.permit_signer {
            name_permit_key(&engine, &signer.vkey()).await?;
            engine = engine.with_permit_signer(Arc::new(signer));
        } else {
            tracing::warn!("there is no `permit_key`: permits have no document that can be checked offline");
        }
        warn_of_missing_endpoints(&engine, config);
        warn_of_unknown_issuers(&engine, &issuers);
        warn_of_unknown_providers(&engine, &providers);
        tell_of_rotated_key(&engine);
        sweep(&engine, &verifiers);
        let runner = Runner::new(engine.clone(), secrets, Outside::of(config));
        match runner.map_err(NodeError::from).and_then(|runner| Ok((runner, witnessing(&engine, config)?))) {
            Ok((runner, witnessing)) => {
                let search = Search::start(&engine, Place::File(config.search_index()));
                let proof_nonce = config.dpop_nonce;
                Ok(Self {
                    engine,
                    search,
                    runner,
                    witnessing,
                    listener,
                    tls,
                    issuers,
                    providers,
                    site,
                    proof_nonce,
                    verifiers,
                    address,
                })
            }
            Err(error) => {
                engine.stop().await;
                Err(error)
            }
        }
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready; then lets requests and tasks under way finish for a moment, signs and saves.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), NodeError> {
        let Self { engine, search, runner, witnessing, listener, tls, .. } = self;
        let Self { issuers, providers, verifiers, site, proof_nonce, address, .. } = self;
        let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
        let listening = Some(Listening { scheme, address });
        let (running, watched) = watch::channel(());
        let board = witnessing.board();
        let runner = tokio::spawn(runner.run(ended(watched.clone())));
        let witnessing = tokio::spawn(witnessing.run(ended(watched.clone())));
        let upkeep = tokio::spawn(serving::upkeep());
        let census = tokio::spawn(census::run(engine.clone()));
        let (spoken, following) = tls
            .map(|Tls { certificates, spoken, told }| (spoken, tokio::spawn(certificates.follow(told))))
            .unzip();
        let parts = (engine.clone(), search.clone());
        let (witnesses, verifiers, stopping) = (board, Some(verifiers), None);
        let outside = http::Outside {
            witnesses,
            issuers,
            providers,
            stopping,
            verifiers,
            site,
            listening,
            proof_nonce,
        };
        let served = serving::serve((listener, spoken), (parts, outside), stop, running).await;
        if runner.await.is_err() {
            tracing::error!("the runner ended with a panic; what it owed is owed again at the next start");
        }
        if witnessing.await.is_err() {
            tracing::error!(
                "asking the witnesses ended with a panic; they are asked again at the next start"
            );
        }
        upkeep.abort();
        if let Some(following) = following {
            following.abort();
        }
        census.abort();
        search.stop().await;
        engine.stop().await;
        served.map_err(|cause| NodeError::Listen { address, cause })
    }
}

/// The pages: where the configuration says, or on this machine for whoever sits at it.
fn site(config: &NodeConfig, (address, key): (SocketAddr, [u8; 32])) -> Option<Arc<Site>> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let here = || address.ip().is_loopback().then(|| PublicUrl::local(scheme, address.port())).flatten();
    let Some(url) = config.public_url.clone().or_else(here) else {
        tracing::info!("there is no `public_url`: the API is served, and no pages");
        return None;
    };
    tracing::info!(url = url.origin(), "pages are served here");
    Some(Arc::new(Site::new(url, key)))
}

/// Reads the certificate that is shown first.
fn tls(config: TlsConfig) -> Result<Tls, CertificateError> {
    let certificates = Certificates::open(config)?;
    let spoken = certificates.spoken()?;
    let told = signal(SignalKind::hangup()).map_err(CertificateError::Signal)?;
    Ok(Tls { certificates, spoken, told })
}

/// Whoever asks the witnesses; nobody is asked yet.
fn witnessing(engine: &Engine, config: &NodeConfig) -> Result<Witnessing, NodeError> {
    let kept = Some(witnessed_beside(&config.checkpoint));
    Witnessing::new(engine.clone(), &config.witnesses, (kept, Pace::default())).map_err(NodeError::Witnesses)
}

/// Ready once the other side of the channel is gone.
async fn ended(mut running: watch::Receiver<()>) {
    while running.changed().await.is_ok() {}
}

/// Writes genesis into an empty log, creating the data folder if there is none, and gives back the claims.
///
/// # Errors
/// The first thing that is wrong, as the configuration names it; [`NodeError::AlreadyInitialised`] if there is a log.
pub async fn initialise(config: &NodeConfig, beginning: Beginning) -> Result<Vec<Claim>, NodeError> {
    let keys = keys::resolve(config)?;
    place::make_folder(config)?;
    checkpoint_folder(config)?;
    let (mut store, secrets) = place::open(config, Purpose::Begin, keys.sealing)?;
    if store.head()?.size() > 0 {
        return Err(NodeError::AlreadyInitialised(config.place()));
    }
    let log_key = keys.signer.vkey();
    let engine = Engine::start(store, options(config, (keys.signer, None)))?;
    let Beginning { policy, people, secrets: values } = beginning;
    let genesis = Genesis { origin: config.origin.clone(), log_key, people, policy, secrets: values };
    let written = genesis::write(&engine, &secrets, genesis).await;
    // Stopping signs the first checkpoint and saves a snapshot, also when there is nothing to sign.
    engine.stop().await;
    let claims = written?;
    match engine.checkpoint() {
        Some(_) => Ok(claims),
        None => Err(NodeError::Unsigned(config.checkpoint.clone())),
    }
}

fn options(config: &NodeConfig, (signer, next): (Ed25519Signer, Option<Ed25519Signer>)) -> Options {
    Options {
        signer: Arc::new(signer),
        next_signer: next.map(|next| Arc::new(next) as _),
        anchor: Some(config.checkpoint.clone()),
        clock: Arc::new(SystemClock::new()),
    }
}

/// The folder of the checkpoint is not created: if it is a disk that is not mounted, a file in its place would be lost.
fn checkpoint_folder(config: &NodeConfig) -> Result<(), NodeError> {
    let folder = config.checkpoint.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let failed = |cause| NodeError::Folder { key: "checkpoint", path: folder.to_owned(), cause };
    if std::fs::metadata(folder).map_err(failed)?.is_dir() {
        Ok(())
    } else {
        Err(failed(std::io::ErrorKind::NotADirectory.into()))
    }
}

/// The log in the database must be the one this configuration names. Whose key signs it is for the engine to find out.
fn check_identity(store: &mut dyn Store, config: &NodeConfig) -> Result<(), NodeError> {
    let Some(first) = store.entries(0, 1)?.into_iter().next() else {
        return Err(NodeError::NoGenesis(config.place()));
    };
    let Fact::LogCreated(_, created) = codec::decode(0, &first.leaf, store)?.event.fact else {
        return Err(StoreError::Corrupt("entry 0 does not create the log".to_owned()).into());
    };
    if created.origin == config.origin {
        Ok(())
    } else {
        Err(NodeError::OtherOrigin { configured: config.origin.clone(), log: created.origin })
    }
}

/// The log says which key signs permit documents; where it says another one, or none, that is written down first.
async fn name_permit_key(engine: &Engine, vkey: &str) -> Result<(), NodeError> {
    if engine.state().log().is_none_or(|log| log.permit_key.as_deref() == Some(vkey)) {
        return Ok(());
    }
    let command = Command::NamePermitKey(NamePermitKey { key: vkey.to_owned() });
    engine.submit(Submission::new(Actor::Node, command)).await.map_err(NodeError::PermitKey)?;
    tracing::info!(key = vkey, "permit documents are signed by this key from now on");
    Ok(())
}

/// Takes away what verified passwords that nobody has. That it fails stops nobody: it is done again at the next start.
fn sweep(engine: &Engine, verifiers: &Verifiers) {
    match verifiers.sweep(&engine.state(), engine.now()) {
        Ok(0) => {}
        Ok(gone) => tracing::info!(gone, "verifiers of passwords that nobody has were destroyed"),
        Err(error) => {
            tracing::warn!(%error, "verifiers of passwords that nobody has could not be looked for");
        }
    }
}

/// A policy may be ahead of the configuration here too: the tokens of such workloads are not believed.
fn warn_of_unknown_issuers(engine: &Engine, issuers: &Issuers) {
    let state = engine.state();
    for workload in state.policy().iter().flat_map(|in_force| &in_force.policy.workloads) {
        if !issuers.knows(&workload.issuer) {
            tracing::warn!(workload = %workload.name, issuer = workload.issuer, "the policy names an issuer that is not configured");
        }
    }
}

/// And for providers: nobody is signed in by such a one.
fn warn_of_unknown_providers(engine: &Engine, providers: &Providers) {
    let state = engine.state();
    for name in state.policy().iter().flat_map(|in_force| &in_force.policy.sign_in.sso) {
        if providers.get(name).is_none() {
            tracing::warn!(provider = %name, "the policy lets a provider sign people in that is not configured");
        }
    }
}

/// After a rotation the old key need not lie around any more.
fn tell_of_rotated_key(engine: &Engine) {
    let keys = engine.keys();
    if keys.tenures().len() > 1 && keys.current() == engine.next_key().as_ref() {
        tracing::info!(
            "the log is signed by `next_log_key` already: name it as `log_key` and remove the old key"
        );
    }
}

/// A policy may be ahead of the configuration: that stops a rotation, not the node.
fn warn_of_missing_endpoints(engine: &Engine, config: &NodeConfig) {
    let state = engine.state();
    let secrets = state.policy().map(|in_force| in_force.policy.secrets.as_slice()).unwrap_or_default();
    for secret in secrets {
        for name in secret.consumers.iter().chain([&secret.signer]) {
            match config.endpoints.get(name) {
                None => {
                    tracing::warn!(endpoint = %name, "the policy names an endpoint that is not configured");
                }
                Some(endpoint) if endpoint.probe_url.is_none() && secret.consumers.contains(name) => {
                    tracing::warn!(endpoint = %name, "the endpoint has no `probe_url`: no rotation with it can pass its test");
                }
                Some(_) => {}
            }
        }
    }
}
