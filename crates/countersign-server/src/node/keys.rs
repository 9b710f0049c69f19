//! From references in the configuration to keys, each complaint under the name the configuration gives it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::text::Name;
use countersign_ledger::note::Ed25519Signer;
use zeroize::Zeroizing;

use super::{NodeError, SealingKey};
use crate::config::{Endpoint, NodeConfig, ProviderConfig};
use crate::mac::mac;
use crate::runner::HookKey;
use crate::secrets::{SecretRef, SecretValue};

/// What the pages' key is derived for.
const PAGES: &[u8] = b"countersign/pages/v1";

/// The node's own keys.
pub(super) struct Keys {
    pub signer: Ed25519Signer,
    pub next_signer: Option<Ed25519Signer>,
    pub permit_signer: Option<Ed25519Signer>,
    pub sealing: SealingKey,
    /// What forms and challenges of the pages are marked with.
    pub pages: [u8; 32],
}

/// Reads the node's own keys.
pub(super) fn resolve(config: &NodeConfig) -> Result<Keys, NodeError> {
    let signer = signer(config, ("log_key", &config.log_key))?;
    let next =
        config.next_log_key.as_ref().map(|reference| self::signer(config, ("next_log_key", reference)));
    let permit = config.permit_key.as_ref().map(|reference| permit_signer(config, reference));
    let sealing = thirty_two_bytes("sealing_key", &config.sealing_key)?;
    // One key per purpose: whoever knows this one learns nothing of the other.
    let pages = mac(&*sealing, &[PAGES]);
    Ok(Keys {
        pages,
        signer,
        next_signer: next.transpose()?,
        permit_signer: permit.transpose()?,
        sealing: SealingKey::from_bytes(*sealing),
    })
}

/// The key for permit documents, named by the origin and its purpose. One key per purpose: the log's own would be refused by nobody.
fn permit_signer(config: &NodeConfig, reference: &SecretRef) -> Result<Ed25519Signer, NodeError> {
    let seed = thirty_two_bytes("permit_key", reference)?;
    if *seed == *thirty_two_bytes("log_key", &config.log_key)? {
        return Err(NodeError::Form {
            key: "permit_key".to_owned(),
            form: "a key of its own: it is the log's",
        });
    }
    let signer = Ed25519Signer::from_seed(&format!("{}/permit", config.origin), *seed);
    signer.map_err(|error| NodeError::Origin(error.to_string()))
}

/// A key of the log, named by its origin.
fn signer(config: &NodeConfig, (key, reference): (&str, &SecretRef)) -> Result<Ed25519Signer, NodeError> {
    let seed = thirty_two_bytes(key, reference)?;
    Ed25519Signer::from_seed(&config.origin, *seed).map_err(|error| NodeError::Origin(error.to_string()))
}

/// Reads the endpoints' keys once, so that a wrong one is found now and not in the middle of a rotation. None is kept.
pub(super) fn check_endpoints(endpoints: &BTreeMap<Name, Endpoint>) -> Result<(), NodeError> {
    for (name, endpoint) in endpoints {
        let key = format!("endpoints.{name}.key");
        let value = fetch(&key, &endpoint.key)?;
        HookKey::parse(&value).ok_or(NodeError::Form { key, form: HookKey::FORM })?;
    }
    Ok(())
}

/// By what the node proves to each provider that it is the client it says.
pub(super) fn client_secrets(
    providers: &BTreeMap<Name, ProviderConfig>,
) -> Result<BTreeMap<Name, SecretValue>, NodeError> {
    let with_secret = providers.iter().filter_map(|(name, it)| Some((name, it.client_secret.as_ref()?)));
    let one = |(name, reference): (&Name, &SecretRef)| {
        Ok((name.clone(), fetch(&format!("sign_in.providers.{name}.client_secret"), reference)?))
    };
    with_secret.map(one).collect()
}

fn fetch(key: &str, reference: &SecretRef) -> Result<SecretValue, NodeError> {
    reference.resolve().map_err(|cause| NodeError::Reference { key: key.to_owned(), cause })
}

fn thirty_two_bytes(key: &str, reference: &SecretRef) -> Result<Zeroizing<[u8; 32]>, NodeError> {
    let text = fetch(key, reference)?;
    let bytes = STANDARD.decode(text.expose().trim()).map(Zeroizing::new).ok();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    let form = "32 bytes in base64, as `openssl rand -base64 32` prints them";
    bytes.map(Zeroizing::new).ok_or_else(|| NodeError::Form { key: key.to_owned(), form })
}
