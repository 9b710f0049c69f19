//! Writes genesis: the first people with their one-time claims, the first policy, the secrets whose present value is known.
//!
//! This is the only place where claims are drawn, and the only moment when they exist in clear.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::log::Bootstrap;
use countersign_core::policy::Policy;
use countersign_core::secret::SecretKey;
use countersign_core::{Actor, Command, Fact};
use countersign_ledger::json::{self, Value};

use crate::engine::{DetailsOf, Engine, EngineError, Submission};
use crate::secrets::{SecretError, SecretStore, SecretValue};

/// What stands before the random part of a claim, for people and for secret scanners.
pub const CLAIM_PREFIX: &str = "csc_";

/// Somebody to enrol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPerson {
    /// Their id.
    pub id: PersonId,
    /// Their name; kept in redactable details only.
    pub name: String,
}

/// A one-time claim, to be handed to its person.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub person: NewPerson,
    /// The claim in clear; it exists nowhere else.
    pub claim: String,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("person", &self.person).finish_non_exhaustive()
    }
}

/// What genesis consists of.
#[derive(Debug)]
pub struct Genesis {
    /// The log's origin line.
    pub origin: String,
    /// The log's public key as a vkey.
    pub log_key: String,
    /// The first people.
    pub people: Vec<NewPerson>,
    /// The first policy.
    pub policy: Policy,
    /// Secrets with their present value.
    pub secrets: Vec<(SecretKey, SecretValue)>,
}

/// Why genesis was not written.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The rules refuse it, or the engine cannot.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A secret's value could not be sealed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The policy cannot be written in canonical form.
    #[error("the policy has no canonical form: {0}")]
    Policy(#[from] json::JsonError),
    /// The machine gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(String),
}

/// Writes genesis into an empty log and gives back the claims.
///
/// Secrets are sealed first: a genesis that names a secret nobody has would be a lie, a sealed value nobody names is harmless.
///
/// # Errors
/// The log is not empty, the policy is flawed, or a part of the world failed.
pub async fn write(
    engine: &Engine,
    store: &dyn SecretStore,
    genesis: Genesis,
) -> Result<Vec<Claim>, GenesisError> {
    let mut claims = Vec::with_capacity(genesis.people.len());
    for person in genesis.people {
        claims.push(Claim { person, claim: draw_claim()? });
    }
    for (key, value) in &genesis.secrets {
        store.adopt(key, 1, value)?;
    }
    let policy_sha256 = Digest::of(&json::to_canonical(&genesis.policy)?);
    let bootstrap = Bootstrap {
        origin: genesis.origin,
        log_key: genesis.log_key,
        people: claims.iter().map(|claim| (claim.person.id, Digest::of(claim.claim.as_bytes()))).collect(),
        policy: genesis.policy,
        policy_sha256,
        secrets: genesis.secrets.into_iter().map(|(key, _)| key).collect(),
    };
    let names: Vec<NewPerson> = claims.iter().map(|claim| claim.person.clone()).collect();
    let submission = Submission {
        details: DetailsOf::Each(Box::new(move |fact| name_of(&names, fact))),
        ..Submission::new(Actor::Node, Command::Bootstrap(bootstrap))
    };
    engine.submit(submission).await?;
    Ok(claims)
}

/// The details beside a person's enrolment: their name.
fn name_of(people: &[NewPerson], fact: &Fact) -> Option<Vec<u8>> {
    let Fact::PersonEnrolled(id, _) = fact else { return None };
    let person = people.iter().find(|person| &person.id == id)?;
    let name = Value::String(person.name.clone());
    let object = json::Object::new(vec![("name".to_owned(), name)]).ok()?;
    Some(Value::Object(object).to_canonical())
}

/// 256 random bits behind a recognisable prefix.
fn draw_claim() -> Result<String, GenesisError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| GenesisError::Randomness(error.to_string()))?;
    Ok(format!("{CLAIM_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}
