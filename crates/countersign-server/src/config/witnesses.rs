//! The witnesses of a node: `[[witnesses]]`, and the policy that says how many of them are enough.

use std::path::Path;
use std::time::Duration;

use countersign_core::text::Name;
use countersign_ledger::note::{SignatureType, VerifierKey};
use countersign_ledger::witness::{Policy, Quorum, Witness};
use reqwest::Url;
use serde::Deserialize;

use super::ConfigError;
use super::node::url;

/// How long a witness may be asked in vain before the log says that it is lost, unless told otherwise.
const LOST_AFTER: Duration = Duration::from_secs(300);

/// A witness that is asked for cosignatures.
#[derive(Clone, Debug)]
pub struct WitnessEndpoint {
    /// What this node calls it.
    pub name: Name,
    /// Its key.
    pub key: VerifierKey,
    /// Its submission prefix.
    pub url: Url,
}

/// Whom a node asks, and when a checkpoint counts as witnessed.
#[derive(Clone, Debug)]
pub struct Witnesses {
    /// The witnesses.
    pub each: Vec<WitnessEndpoint>,
    /// How many of them are enough, as configured.
    pub words: String,
    /// The same, in a form that judges cosignatures.
    pub policy: Policy,
    /// How long a witness may be asked in vain before the log says that it is lost.
    pub lost_after: Duration,
}

impl Default for Witnesses {
    /// Nobody.
    fn default() -> Self {
        let policy = Policy { logs: Vec::new(), witnesses: Vec::new(), quorum: Quorum::None };
        Self { each: Vec::new(), words: "none".to_owned(), policy, lost_after: LOST_AFTER }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WitnessFile {
    name: Name,
    vkey: String,
    url: String,
}

/// Reads what the file says of witnesses.
pub(super) fn read(
    file: &Path,
    raw: Vec<WitnessFile>,
    (words, lost_after_seconds): (Option<String>, Option<u32>),
) -> Result<Witnesses, ConfigError> {
    let wrong = |what: String| ConfigError::new(file, what);
    let lost_after = match lost_after_seconds {
        Some(0) => return Err(wrong("witness_lost_after_seconds: it must be 1 or more".into())),
        given => given.map_or(LOST_AFTER, |seconds| Duration::from_secs(seconds.into())),
    };
    if raw.is_empty() {
        return match words {
            None => Ok(Witnesses { lost_after, ..Witnesses::default() }),
            Some(_) => Err(wrong("witness_policy: there are no `[[witnesses]]`".into())),
        };
    }
    let each: Vec<WitnessEndpoint> =
        raw.into_iter().map(|raw| endpoint(file, raw)).collect::<Result<_, _>>()?;
    let words = words.unwrap_or_else(|| "all".to_owned());
    let policy = policy(&each, &words).map_err(wrong)?;
    Ok(Witnesses { each, words, policy, lost_after })
}

fn endpoint(
    file: &Path,
    WitnessFile { name, vkey, url: link }: WitnessFile,
) -> Result<WitnessEndpoint, ConfigError> {
    let place = format!("witnesses.{name}");
    let wrong = |what: String| ConfigError::new(file, format!("{place}.vkey: {what}"));
    let key = VerifierKey::parse(&vkey).map_err(|error| wrong(error.to_string()))?;
    if key.signature_type() != SignatureType::CosignatureV1 {
        return Err(wrong("this is a log's key; a witness' has the type 0x04 (cosignature/v1)".into()));
    }
    let url = url(file, (&format!("{place}.url"), &link))?;
    Ok(WitnessEndpoint { name, key, url })
}

/// The policy of `any`, `all`, `2 of 3`, or `2 of harbour, pier, lighthouse`.
fn policy(each: &[WitnessEndpoint], words: &str) -> Result<Policy, String> {
    for (place, one) in each.iter().enumerate() {
        let others = each.iter().skip(place + 1);
        if let Some(other) = others.clone().find(|other| other.name == one.name) {
            return Err(format!("witnesses: `{}` is listed twice", other.name));
        }
        // A cosignature does not say whose it is, so one key cannot count twice.
        if let Some(other) = others.clone().find(|other| other.key.is_same_key(&one.key)) {
            return Err(format!("witnesses: `{}` and `{}` have one key", one.name, other.name));
        }
        if others.clone().any(|other| other.key.name() == one.key.name()) {
            return Err(format!("witnesses: two keys have the name `{}`", one.key.name()));
        }
    }
    let quorum = quorum(each, words).ok_or_else(|| {
        format!(
            "witness_policy: `{}` is not `any`, `all`, `2 of 3` with all {} witnesses, or `2 of` some of their names",
            words.escape_debug(),
            each.len()
        )
    })?;
    let witness = |one: &WitnessEndpoint| Witness {
        name: one.name.to_string(),
        key: one.key.clone(),
        url: Some(one.url.to_string()),
    };
    Ok(Policy { logs: Vec::new(), witnesses: each.iter().map(witness).collect(), quorum })
}

fn quorum(each: &[WitnessEndpoint], words: &str) -> Option<Quorum> {
    let everybody = || (0..each.len()).collect::<Vec<_>>();
    let (threshold, places) = match words.trim() {
        "any" => (1, everybody()),
        "all" => (each.len(), everybody()),
        counted => {
            let (threshold, of) = counted.split_once(" of ")?;
            let places = match of.trim().parse::<usize>() {
                // Said so that a witness added later changes the policy on purpose or not at all.
                Ok(count) if count == each.len() => everybody(),
                Ok(_) => return None,
                Err(_) => of.split(',').map(|name| place(each, name.trim())).collect::<Option<Vec<_>>>()?,
            };
            (threshold.trim().parse().ok()?, places)
        }
    };
    let mut distinct = places.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let possible = distinct.len() == places.len() && (1..=places.len()).contains(&threshold);
    possible.then(|| Quorum::Group { threshold, members: places.into_iter().map(Quorum::Witness).collect() })
}

fn place(each: &[WitnessEndpoint], name: &str) -> Option<usize> {
    each.iter().position(|one| one.name.as_str() == name)
}
