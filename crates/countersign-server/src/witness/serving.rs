//! One running witness: configuration, key, memory and listener put together.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::note::Cosigner;
use tokio::net::TcpListener;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};
use zeroize::Zeroizing;

use super::{Folder, Witness, router};
use crate::clock::SystemClock;
use crate::config::WitnessConfig;
use crate::secrets::ReferenceError;

/// How long a body may pause.
const BODY_PAUSE: Duration = Duration::from_secs(5);

/// How long a request may take as a whole.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a witness does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The reference to the key gives no secret.
    #[error("key: {0}")]
    Reference(#[from] ReferenceError),
    /// The key has another form, or its name is none.
    #[error("{0}")]
    Key(String),
    /// The folder cannot be used.
    #[error("data: the folder `{}` cannot be used: {cause}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The address cannot be listened on.
    #[error("listen: cannot listen on `{address}`: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

/// A witness that listens but does not serve yet.
#[derive(Debug)]
pub struct WitnessNode {
    witness: Arc<Witness>,
    listener: TcpListener,
    address: SocketAddr,
}

impl WitnessNode {
    /// Reads the key, takes the folder and binds the listener.
    ///
    /// # Errors
    /// The first thing that is wrong, as the configuration names it.
    pub async fn start(config: &WitnessConfig) -> Result<Self, WitnessError> {
        let key = config.key.resolve()?;
        let bytes = STANDARD.decode(key.expose().trim()).map(Zeroizing::new).ok();
        let seed = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).map(Zeroizing::new);
        let form = || WitnessError::Key("key: what it refers to is not 32 bytes in base64".to_owned());
        let cosigner = Cosigner::from_seed(&config.name, *seed.ok_or_else(form)?)
            .map_err(|error| WitnessError::Key(format!("name: {error}")))?;
        let taken = Folder::take(&config.data);
        let memory = taken.map_err(|cause| WitnessError::Folder { path: config.data.clone(), cause })?;
        let clock = Arc::new(SystemClock::new());
        let witness = Witness::new(cosigner, config.logs.clone(), (Box::new(memory), clock));
        let listen = |cause| WitnessError::Listen { address: config.listen, cause };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { witness: Arc::new(witness), listener, address })
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key by which others verify, as a vkey.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.witness.verifier().to_string()
    }

    /// Serves until `stop` is ready.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), WitnessError> {
        let Self { witness, listener, address } = self;
        let slow = TimeoutLayer::with_status_code(axum::http::StatusCode::REQUEST_TIMEOUT, PATIENCE);
        let router = router(witness).layer(slow).layer(RequestBodyTimeoutLayer::new(BODY_PAUSE));
        let served = axum::serve(listener, router).with_graceful_shutdown(stop).await;
        served.map_err(|cause| WitnessError::Listen { address, cause })
    }
}
