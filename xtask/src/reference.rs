//! The generated references: every kind of event with examples from the golden files, every refusal with what to do about it, and every
//! breach the auditor knows.
//!
//! `cargo run -p xtask -- reference` writes them into `docs/reference/`; a test compares. The command line's is not made here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use countersign_core::audit::Breach;
use countersign_core::{Fact, Refusal};
use serde_json::Value;

/// What each kind of event means.
const MEANINGS: &[(&str, &str)] = &[
    ("log.created", "The log begins: its origin line and the public key of its checkpoints."),
    (
        "log.census_taken",
        "Entries were counted: below `size`, of how many subjects, and the root over how many each has.",
    ),
    (
        "log.key_rotated",
        "Another key signs checkpoints from here on; the old and the new one both signed the handover.",
    ),
    (
        "log.witness_lost",
        "A witness has not cosigned for longer than the node bears; an incident is opened with it.",
    ),
    ("log.witness_regained", "A witness that was lost cosigns again."),
    (
        "log.sign_ins_failed",
        "Sign-ins to one account, from one network or altogether failed so often that it is told of: how often since the entry before about the same, and whether somebody then signed in. The first of a day opens an incident, and so does the first after which somebody signed in. The network is in the details.",
    ),
    ("log.permit_key_named", "The node signs permit documents with this key from now on."),
    (
        "log.details_redacted",
        "The details of the entries it names, and their salts, were deleted with the commit that wrote it. Their leaves stay.",
    ),
    ("policy.activated", "A policy is in force from here on. The policy itself is a blob of this digest."),
    (
        "person.enrolled",
        "Somebody belongs to the people of this log, with a one-time claim: by genesis, or invited with the consent of those who are asked for that.",
    ),
    (
        "person.claim_renewed",
        "Somebody who has not claimed was invited again: the claim before is worth nothing, this one is open until then.",
    ),
    (
        "person.deactivated",
        "Somebody can do nothing any more, and what they agreed to or asked for counts no more. They never come back under this id.",
    ),
    (
        "person.claimed",
        "Somebody replaced their claim by a credential of their own, or by a passkey or a password, with which a session opens. From here on they can act.",
    ),
    (
        "person.passkey_added",
        "Somebody who had just proved themselves has another passkey for signing in; they named it in the details.",
    ),
    (
        "person.passkey_removed",
        "The passkey signs in no more, and sessions that it opened are worth nothing.",
    ),
    (
        "person.password_set",
        "Somebody who had just proved themselves has a password with one-time codes, in place of one they had; sessions that that opened are worth nothing.",
    ),
    (
        "person.password_removed",
        "The password signs in no more, and sessions that it opened are worth nothing.",
    ),
    ("person.recovery_codes_renewed", "Other recovery codes are good from here on, each once."),
    (
        "person.identity_linked",
        "Somebody who had just proved themselves signs in by what this provider says of this identity.",
    ),
    (
        "person.identity_unlinked",
        "The identity signs in no more, and sessions that it opened are worth nothing.",
    ),
    (
        "session.opened",
        "The person of the entry is signed in until then, by what the node verified; what is used once for that is used up.",
    ),
    ("session.extended", "The session was used, so that it lives longer: noted now and then, not each time."),
    (
        "session.stepped_up",
        "Whoever is signed in proved themselves again, for the one request that has this digest.",
    ),
    (
        "session.ended",
        "The session is worth nothing any more: signed out, ended from elsewhere, replaced, or over.",
    ),
    (
        "token.issued",
        "Somebody, or a token of theirs in exchange, has a service token for these scopes in the environment of the entry, until then.",
    ),
    (
        "token.used",
        "How often the token was used since the last such entry, at most once a minute. From where is in the details.",
    ),
    ("token.revoked", "The token is worth nothing any more, nor is any that was exchanged from it."),
    ("token.expired", "Bookkeeping: the token's time was over, and it was worth nothing from then on."),
    (
        "person.key_enrolled",
        "Somebody has another voting key, with the consent of those who are asked for that. Votes may be signed with it from here on.",
    ),
    ("person.key_revoked", "A voting key is out of force for good; what was signed with it counts no more."),
    ("person.refused", "What somebody was refused, counted within a window of time. It changes nothing."),
    ("person.delegated", "Somebody lets somebody else agree in their place for a while."),
    ("person.delegation_ended", "They ended it, or its time has passed."),
    ("approval.requested", "Somebody asks for approval of one action with one set of parameters."),
    (
        "approval.granted",
        "The actor agrees. A signature is under the request's statement, by a voting key of theirs.",
    ),
    (
        "approval.vote_revoked",
        "Somebody took their vote back; the request waits for votes again if the quorum is lost with it.",
    ),
    ("approval.escalated", "Nobody voted in time, and others are told."),
    ("approval.completed", "The quorum is met; a permit can be reserved until the time it names."),
    ("approval.objected", "The actor disagrees, and no longer agrees. That is not enough to end it."),
    ("approval.denied", "The actor disagrees, with as many others as the rules want. That is final."),
    ("approval.withdrawn", "The requester took the request back."),
    ("approval.expired", "Written down after the deadline; the deadline itself counted already."),
    (
        "approval.consumed",
        "The approval was used: by a permit, or, without one, at once: to put a policy in force, to delete details, for a voting key.",
    ),
    (
        "approval.restored",
        "Its permit was given back before anything began, so it can be used again until its deadline.",
    ),
    (
        "permit.reserved",
        "The actor may execute one action with one set of parameters, if they start in time.",
    ),
    ("permit.started", "The work is under way. For a rotation, the rotation is named."),
    ("permit.released", "Given back before it was started."),
    ("permit.lapsed", "Not started in time. Its approval stays consumed."),
    ("permit.succeeded", "The executor, or the rotation, says in time that the work was done."),
    (
        "permit.failed",
        "The executor, or the rotation, says in time that the work was not done, or was undone.",
    ),
    ("permit.unknown", "Nobody said in time how the work ended. An incident is opened with it."),
    ("permit.reported_late", "Evidence for reconciliation; the permit stays unknown."),
    ("permit.heartbeat", "The executor says that the work goes on, where the rules ask for signs of life."),
    (
        "permit.reconciled",
        "Somebody other than the executor looked what became of an unknown permit. It stays unknown.",
    ),
    (
        "break_glass.opened",
        "The actor acts without anybody's consent, having signed why. A permit and an incident come with it, and a debt: others review it.",
    ),
    ("break_glass.reviewed", "The actor says whether it was right. The reason is in the details."),
    (
        "break_glass.settled",
        "Enough people have reviewed it. One `unjustified` is the verdict; `late` is said of a review that was overdue.",
    ),
    (
        "break_glass.overdue",
        "Nobody reviewed it in time. An incident is opened with it, and nobody breaks the glass until it is reviewed.",
    ),
    ("secret.adopted", "The present value of a secret was put into the store, as version 1."),
    ("secret.reserved", "A rotation holds the secret; the version number is taken for good."),
    ("secret.promoted", "Another version is current."),
    ("secret.settled", "The rotation let go of the secret; one of its two versions no longer exists."),
    ("rotation.started", "A rotation holds its secret and its permit. What the policy said is copied."),
    ("rotation.task_attempted", "The intent, written before anything is done."),
    ("rotation.task_succeeded", "The outcome of an attempt: done."),
    (
        "rotation.task_failed",
        "The outcome of an attempt: not done. It is tried again, unless the rotation turns back.",
    ),
    ("rotation.advanced", "All tasks of the stage before are done; the next stage is reached."),
    ("rotation.turned_back", "The rotation goes back: somebody said so, or a task failed too often."),
    ("incident.opened", "Something needs a person."),
];

/// A generated file: its name under `docs/reference/`, and its text.
type Page = (&'static str, String);

pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    for (name, text) in pages(root)? {
        let path = root.join("docs/reference").join(name);
        fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn pages(root: &Path) -> anyhow::Result<[Page; 3]> {
    Ok([("events.md", events(root)?), ("refusals.md", refusals()), ("violations.md", violations())])
}

fn events(root: &Path) -> anyhow::Result<String> {
    let examples = examples(&root.join("crates/countersign-core/golden/events"))?;
    let mut page = String::from(
        "# Events\n\nGenerated by `cargo run -p xtask -- reference`. Every entry of the ledger is one of these; nothing else changes anything.\n\
         The examples are the golden events' `data`, one for each variant.\n",
    );
    for kind in Fact::KINDS {
        let meaning = MEANINGS.iter().find(|(of, _)| of == kind).map(|(_, meaning)| meaning);
        let meaning = meaning.with_context(|| format!("`{kind}` has no meaning: say it in `MEANINGS`"))?;
        write!(page, "\n## {kind}\n\n{meaning}\n\n```\n")?;
        let examples = examples.get(*kind).with_context(|| format!("`{kind}` has no golden event"))?;
        for data in examples {
            writeln!(page, "{data}")?;
        }
        page.push_str("```\n");
    }
    Ok(page)
}

/// The data of the golden events, by kind and in order.
fn examples(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<Value>>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading `{}`", folder.display()))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut examples: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        let golden: Value =
            serde_json::from_str(&text).with_context(|| format!("in `{}`", path.display()))?;
        let kind = golden.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        examples.entry(kind).or_default().extend(golden.get("data").cloned());
    }
    Ok(examples)
}

fn refusals() -> String {
    let mut page = String::from(
        "# Refusals\n\nGenerated by `cargo run -p xtask -- reference`. Why a command does not happen, by capability and in order of precedence: \
         of\nseveral reasons the first is given. The code is stable; the sentence is not. Over HTTP a refusal is a problem (RFC 9457) with\n\
         `code`, `detail` and `hint`.\n",
    );
    let mut last = "";
    for (capability, refusal) in Refusal::all() {
        if capability != last {
            page.push_str(&format!("\n## {capability}\n\n| code | sentence | hint |\n|---|---|---|\n"));
            last = capability;
        }
        // An example has nothing to name where a real one goes on.
        let sentence = refusal.to_string().replace("flawed: ", "flawed: …");
        page.push_str(&format!("| `{}` | {sentence} | {} |\n", refusal.code(), refusal.hint()));
    }
    page
}

fn violations() -> String {
    let mut page = String::from(
        "# Violations\n\nGenerated by `cargo run -p xtask -- reference`. What the auditor says of an entry that must never be on record, or of one that had\n\
         to be. The first entry that is wrong is named, and of several things wrong with it the first that is checked. The code is stable;\n\
         the sentence is not.\n\n| code | sentence |\n|---|---|\n",
    );
    for breach in Breach::ALL {
        // An example has nothing to name where a real one goes on.
        let sentence = breach.to_string();
        let sentence = sentence.split(": `").next().unwrap_or_default();
        page.push_str(&format!("| `{}` | {sentence} |\n", breach.code()));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_references_are_up_to_date() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for (name, text) in pages(root).unwrap() {
            let found = fs::read_to_string(root.join("docs/reference").join(name)).unwrap_or_default();
            assert!(
                found == text,
                "`{name}` is out of date: `cargo run -p xtask -- reference` writes it anew"
            );
        }
    }

    #[test]
    fn no_meaning_is_left_over() {
        let left = MEANINGS.iter().find(|(kind, _)| !Fact::KINDS.contains(kind));
        assert_eq!(left, None, "there is no such kind any more");
    }
}
