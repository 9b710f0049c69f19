//! What a rotation does in the secret store. Values come out of here only to be signed with or to be put into a hook's body.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::rotation::{Due, Failure, FailureCode};
use countersign_core::secret::SecretKey;
use zeroize::Zeroizing;

use crate::secrets::{SecretError, SecretStore, SecretValue};

/// What stands before the random part: Standard Webhooks' and Stripe's mark of a signing secret, known to secret scanners.
const PREFIX: &str = "whsec_";

/// Bytes drawn for a new value.
const DRAWN: usize = 32;

const STORE: Failure = Failure { code: FailureCode::Store, status: None };

/// The secret store, off the asynchronous threads.
#[derive(Clone)]
pub(super) struct Values(Arc<dyn SecretStore>);

impl Values {
    pub(super) fn new(store: Arc<dyn SecretStore>) -> Self {
        Self(store)
    }

    /// Draws and seals the new value, unless this rotation has made it already.
    pub(super) async fn create_pending(&self, due: &Due) -> Result<(), Failure> {
        let (version, rotation) = (due.to_version, due.rotation.to_string());
        self.within(due, move |store, key| store.create_pending(key, version, &rotation, &draw()?).map(drop))
            .await
    }

    /// The new version becomes current.
    pub(super) async fn promote(&self, due: &Due) -> Result<(), Failure> {
        let version = due.to_version;
        self.within(due, move |store, key| store.promote(key, version)).await
    }

    /// The old version becomes current again.
    pub(super) async fn demote(&self, due: &Due) -> Result<(), Failure> {
        let version = due.from_version;
        self.within(due, move |store, key| store.swap_back(key, version)).await
    }

    /// The old value is gone for good.
    pub(super) async fn destroy_old(&self, due: &Due) -> Result<(), Failure> {
        let version = due.from_version;
        self.within(due, move |store, key| store.destroy_previous(key, version)).await
    }

    /// The new value is gone for good.
    pub(super) async fn delete_new(&self, due: &Due) -> Result<(), Failure> {
        let version = due.to_version;
        self.within(due, move |store, key| store.delete_pending(key, version)).await
    }

    /// The value of a version that must be there.
    pub(super) async fn read(&self, due: &Due, version: u32) -> Result<SecretValue, Failure> {
        let absent =
            move |key: &SecretKey| SecretError::Refused(format!("version {version} of {key} is not there"));
        self.within(due, move |store, key| store.read(key, version)?.ok_or_else(|| absent(key))).await
    }

    async fn within<T: Send + 'static>(
        &self,
        due: &Due,
        work: impl FnOnce(&dyn SecretStore, &SecretKey) -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, Failure> {
        let (store, key) = (Arc::clone(&self.0), due.secret.clone());
        match tokio::task::spawn_blocking(move || work(store.as_ref(), &key)).await {
            Ok(Ok(done)) => Ok(done),
            // No variant of this error holds a value.
            Ok(Err(error)) => {
                tracing::warn!(rotation = %due.rotation, task = %due.task, %error, "the secret store did not do it");
                Err(STORE)
            }
            Err(_) => Err(STORE),
        }
    }
}

fn draw() -> Result<SecretValue, SecretError> {
    let mut bytes = Zeroizing::new([0_u8; DRAWN]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| SecretError::Unavailable(format!("no random bytes: {error}")))?;
    // Room for all of it from the start: a text that grows leaves copies of itself behind.
    let mut text = String::with_capacity(PREFIX.len() + DRAWN * 2);
    text.push_str(PREFIX);
    STANDARD.encode_string(bytes.as_slice(), &mut text);
    Ok(SecretValue::new(text))
}
