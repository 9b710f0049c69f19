//! `countersign permit document|roster|verify`: a permit to keep, and checking it with nothing but what was pinned.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use countersign_client::guard::{Pins, Quorum, Roster, Untrusted, Verified, Wanted, now, verify as check};
use countersign_client::{Client, EntryListing};
use countersign_core::Fact;
use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::policy::Policy;
use countersign_evidence::decode;
use countersign_evidence::permit::ROSTER_TYPE;
use countersign_ledger::entry::EntryView;
use countersign_ledger::note::VerifierKey;
use serde_json::{Value, json};

use super::Session;
use crate::failure::{Failure, Kind};
use crate::output::fields;

/// What is checked, against what.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// The document.
    file: PathBuf,
    /// The node's key for permit documents as a vkey, or `@FILE`; may be repeated while one replaces another.
    #[arg(long, value_name = "VKEY", required = true)]
    permit_key: Vec<String>,
    /// The log's public key as a vkey, or `@FILE`; may be repeated while one replaces another.
    #[arg(long, value_name = "VKEY", required = true)]
    log_key: Vec<String>,
    /// The log's origin line, if it is not the name of its key.
    #[arg(long)]
    origin: Option<String>,
    /// Policy and voting keys, as `countersign permit roster` printed them: then the quorum is checked, too.
    #[arg(long, value_name = "FILE")]
    roster: Option<PathBuf>,
    /// How old the roster may be, seconds.
    #[arg(long, value_name = "SECONDS", default_value = "604800")]
    max_age: u32,
    /// Refuse unless signed votes meet the quorum of the roster's rules.
    #[arg(long, requires = "roster")]
    signed: bool,
    /// What is about to be done: `"override payout/limit production"`.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// The parameters that are about to be used: a file with a JSON object.
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// Who is about to do it: `per_…`.
    #[arg(long, value_name = "ID")]
    executor: Option<PersonId>,
}

fn malformed(what: String) -> anyhow::Error {
    Failure::new(Kind::Malformed, what).into()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading `{}`", path.display()))
}

fn keys(option: &str, given: &[String]) -> anyhow::Result<Vec<VerifierKey>> {
    let key = |text: &String| {
        let text = match text.strip_prefix('@') {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("reading `{path}`"))?,
            None => text.clone(),
        };
        VerifierKey::parse(text.trim()).map_err(|error| malformed(format!("`{option}`: {error}")))
    };
    given.iter().map(key).collect()
}

fn action(text: &str) -> anyhow::Result<Action> {
    let wrong = || malformed(format!("`--action {text}` is not a verb, a resource and an environment"));
    let words: Vec<&str> = text.split_whitespace().collect();
    let [verb, resource, environment] = words[..] else { return Err(wrong()) };
    let action = || {
        Some(Action {
            verb: verb.parse().ok()?,
            resource: resource.parse().ok()?,
            environment: environment.parse().ok()?,
        })
    };
    action().ok_or_else(wrong)
}

fn parameters(path: &Path) -> anyhow::Result<Value> {
    let bytes = read(path)?;
    countersign_ledger::json::validate(&bytes)
        .map_err(|error| malformed(format!("`{}`: {error}", path.display())))?;
    Ok(serde_json::from_slice(&bytes)?)
}

pub(super) fn verify(session: &Session, given: &Verify) -> anyhow::Result<()> {
    let (permit_keys, log_keys) =
        (keys("--permit-key", &given.permit_key)?, keys("--log-key", &given.log_key)?);
    let roster = given.roster.as_deref().map(|path| {
        Roster::parse(&read(path)?).map_err(|error| malformed(format!("`{}`: {error}", path.display())))
    });
    let roster = roster.transpose()?;
    let named = log_keys.first().map(VerifierKey::name).unwrap_or_default();
    let pins = Pins {
        permit_keys: &permit_keys,
        log: given.origin.as_deref().unwrap_or(named),
        log_keys: &log_keys,
        roster: roster.as_ref().map(|roster| (roster, given.max_age)),
    };
    let action = given.action.as_deref().map(self::action).transpose()?;
    let parameters = given.parameters.as_deref().map(self::parameters).transpose()?;
    let wanted = Wanted {
        action: action.as_ref(),
        parameters: parameters.as_ref(),
        executor: given.executor,
        now: now(),
    };
    let verified = check(&read(&given.file)?, &pins, &wanted)?;
    if let (true, Quorum::ServersWord(_)) = (given.signed, &verified.quorum) {
        return Err(Untrusted::Quorum.into());
    }
    session.output.show(&document(&verified), |_| told(&verified, (&action, parameters.is_some())))
}

/// How much of the quorum was shown, in one word and a sentence.
fn quorum(quorum: &Quorum) -> (&'static str, String) {
    match quorum {
        Quorum::NotRequired => ("not-required", "not required by the pinned rules".to_owned()),
        Quorum::Signed(by) => {
            let by: Vec<String> = by.iter().map(ToString::to_string).collect();
            ("signed", format!("met by signed votes of {}", by.join(", ")))
        }
        Quorum::ServersWord(why) => ("servers-word", format!("server's word ({why})")),
    }
}

fn document(verified: &Verified) -> Value {
    let leave = &verified.leave;
    json!({
        "permit": leave.permit, "action": leave.action, "parameters_sha256": leave.parameters_sha256,
        "executor": leave.executor, "approvals": leave.approvals.iter().map(|it| it.approval).collect::<Vec<_>>(),
        "start_by": leave.start_by, "log": leave.log, "index": verified.index, "quorum": quorum(&verified.quorum).0,
    })
}

fn told(verified: &Verified, (action, parameters): (&Option<Action>, bool)) -> String {
    let leave = &verified.leave;
    let Action { verb, resource, environment } = &leave.action;
    let compared = |compared: bool| if compared { "as wanted" } else { "not compared" };
    fields(&[
        ("permit", leave.permit.to_string()),
        ("action", format!("{verb} {resource} {environment} ({})", compared(action.is_some()))),
        ("parameters", format!("{} ({})", leave.parameters_sha256, compared(parameters))),
        ("executor", leave.executor.to_string()),
        ("start by", leave.start_by.to_string()),
        ("entry", format!("{} of {}", verified.index, leave.log)),
        ("quorum", quorum(&verified.quorum).1),
    ])
}

pub(super) async fn fetch(session: &Session, id: &str, out: Option<&Path>) -> anyhow::Result<()> {
    let document = session.client()?.permit_document(id).await?;
    let Some(out) = out else {
        let text = String::from_utf8(document).context("the document is no text")?;
        return crate::output::line(&text);
    };
    let opened = std::fs::File::create_new(out).with_context(|| format!("creating `{}`", out.display()));
    opened?.write_all(&document).with_context(|| format!("writing `{}`", out.display()))?;
    let written = json!({ "file": out.display().to_string(), "bytes": document.len() });
    session
        .output
        .show(&written, |_| format!("written to `{}`; `countersign permit verify` checks it", out.display()))
}

/// What to pin, as of now. It is as true as the server: whoever pins it compares it with what they know.
pub(super) async fn roster(session: &Session) -> anyhow::Result<()> {
    let client = session.client()?;
    let in_force = client.policy().await?;
    let policy: Policy = serde_json::from_value(in_force.policy).context("the policy in force")?;
    let roster = Roster {
        kind: ROSTER_TYPE.to_owned(),
        log: client.log_keys().await?.origin,
        exported_at: now(),
        policy,
        policy_sha256: in_force.sha256.parse().context("the policy's digest")?,
        keys: voting_keys(&client).await?,
    };
    let bytes = countersign_ledger::json::to_canonical(&roster)?;
    // What could not be pinned is not printed.
    Roster::parse(&bytes)?;
    crate::output::line(&String::from_utf8(bytes)?)
}

/// Most events about voting keys that are read: a log with more has another way of keeping them.
const MOST_KEY_EVENTS: usize = 100_000;

/// The voting keys in force, of everybody who has one, as the log's entries say.
async fn voting_keys(client: &Client) -> anyhow::Result<BTreeMap<PersonId, Vec<String>>> {
    let mut events = Vec::new();
    for kind in ["person.key_enrolled", "person.key_revoked"] {
        let listing = EntryListing { kind: Some(kind.to_owned()), ..EntryListing::default() };
        events.extend(client.all_entries(&listing).collect(MOST_KEY_EVENTS).await?);
    }
    events.sort_by_key(|entry| entry.index);
    let mut keys: BTreeMap<PersonId, Vec<(Digest, String)>> = BTreeMap::new();
    for entry in &events {
        let view = EntryView::parse(entry.leaf_text.as_bytes())?;
        match decode::event(&view)?.fact {
            Fact::PersonKeyEnrolled(person, enrolled) => {
                keys.entry(person).or_default().push((enrolled.key_sha256, enrolled.key));
            }
            Fact::PersonKeyRevoked(person, revoked) => {
                keys.entry(person).or_default().retain(|(key, _)| *key != revoked.key_sha256);
            }
            _ => {}
        }
    }
    keys.retain(|_, keys| !keys.is_empty());
    let texts = |keys: Vec<(Digest, String)>| keys.into_iter().map(|(_, key)| key).collect();
    Ok(keys.into_iter().map(|(person, keys)| (person, texts(keys))).collect())
}
