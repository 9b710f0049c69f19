//! The golden history changed in every way one change can: each is noticed, or it is on a list that says why it need not be.
//!
//! The lists are exact: what is noticed after all must be taken off them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::Event;
use serde_json::Value;

use super::Followed;
use super::forgery::with;
use crate::book::entry;
use crate::script;

/// A kind of event, a place in its entry, and why another value there is sometimes as good.
type Free = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const FREE: &[Free] = &[
    ("log.key_rotated", "/data/new_key", "both keys have signed it: whoever verifies the log verifies that"),
    ("log.key_rotated", "/data/size", "as above"),
    ("log.key_rotated", "/data/root", "as above"),
    ("log.key_rotated", "/data/old_signature", "as above"),
    ("log.key_rotated", "/data/new_signature", "as above"),
    ("log.census_taken", "/correlation", "nothing else belongs to it"),
    ("log.census_taken", "/data/size", "whoever verifies the log counts again"),
    ("log.census_taken", "/data/subjects", "as above"),
    ("log.census_taken", "/data/root_sha256", "as above"),
    ("log.permit_key_named", "/correlation", "nothing else belongs to it"),
    ("log.permit_key_named", "/data/key", "the documents it signs show which key the node holds"),
    ("log.details_redacted", "/data/entries", "the approved digest binds them, with the details; what is missing shows beside the leaves"),
    ("person.enrolled", "/data/claim_sha256", "the claim itself is never on record"),
    ("person.enrolled", "/data/claim_until", "the invitation's own word; a claim must fit"),
    ("person.claim_renewed", "/data/claim_sha256", "the claim itself is never on record"),
    ("person.claim_renewed", "/data/claim_until", "the invitation's own word; a claim must fit"),
    ("person.deactivated", "/actor", "another executor might have done it, where the rules demand nobody's consent"),
    ("person.deactivated", "/correlation", "nothing else belongs to it, as above"),
    ("person.deactivated", "/subject", "somebody else might have gone who is not heard of again"),
    ("person.claimed", "/correlation", "nothing else belongs to it"),
    ("person.claimed", "/data/credential_sha256", "the credential itself is never on record"),
    ("person.claimed", "/data/passkey/key", "whoever verifies the log reads the key and takes its digests"),
    ("person.claimed", "/data/passkey/key_sha256", "as above; what opens sessions afterwards must fit"),
    ("person.claimed", "/data/passkey/public_key_sha256", "as above"),
    ("person.claimed", "/data/passkey/synced", "as above"),
    ("person.passkey_added", "/correlation", "nothing else belongs to it"),
    ("person.passkey_added", "/data/key", "whoever verifies the log reads the key and takes its digests"),
    ("person.passkey_added", "/data/key_sha256", "as above; what opens sessions afterwards must fit"),
    ("person.passkey_added", "/data/public_key_sha256", "as above"),
    ("person.passkey_added", "/data/session", "another session of theirs in which they had just proved themselves"),
    ("person.passkey_added", "/data/synced", "whoever verifies the log reads the key, where the policy takes both"),
    ("person.passkey_removed", "/correlation", "nothing else belongs to it"),
    ("person.passkey_removed", "/data/key_sha256", "another passkey of the person might have been removed"),
    ("person.passkey_removed", "/data/session", "another session of theirs in which they had just proved themselves"),
    ("session.opened", "/correlation", "nothing else belongs to it, but for what it ends or claims"),
    ("session.opened", "/data/method/kind", "the node's word; they might have shown their credential"),
    ("session.opened", "/data/replaces", "a note; that another has ended is an entry of its own"),
    ("session.opened", "/data/session_sha256", "the secret itself is never on record"),
    ("session.opened", "/data/spent/sha256", "the challenge itself is never on record"),
    ("session.opened", "/data/spent/until", "as above, within the times that are possible"),
    ("session.extended", "/correlation", "nothing else belongs to it"),
    ("session.stepped_up", "/correlation", "nothing else belongs to it"),
    ("session.stepped_up", "/data/request_sha256", "the request itself is never on record"),
    ("session.stepped_up", "/data/spent/sha256", "the challenge itself is never on record"),
    ("session.stepped_up", "/data/spent/until", "as above, within the times that are possible"),
    ("session.ended", "/correlation", "nothing else belongs to it, where the person did it"),
    ("session.ended", "/data/how", "the person ended it, from here or from elsewhere"),
    ("person.claimed", "/data/password/recovery", "the codes themselves are never on record; what opens sessions afterwards must fit"),
    ("person.claimed", "/data/password/verifier_sha256", "what is sealed is never on record"),
    ("person.password_set", "/correlation", "nothing else belongs to it"),
    ("person.password_set", "/data/verifier_sha256", "what is sealed is never on record"),
    ("person.password_removed", "/correlation", "nothing else belongs to it"),
    ("person.password_removed", "/data/session", "another session of theirs in which they had just proved themselves"),
    ("person.recovery_codes_renewed", "/correlation", "nothing else belongs to it"),
    ("person.recovery_codes_renewed", "/data/recovery", "the codes themselves are never on record; what opens sessions afterwards must fit"),
    ("person.recovery_codes_renewed", "/data/session", "another session of theirs in which they had just proved themselves"),
    ("person.identity_linked", "/correlation", "nothing else belongs to it"),
    ("person.identity_linked", "/data/session", "another session of theirs in which they had just proved themselves"),
    ("person.identity_linked", "/data/spent/sha256", "what the provider was asked is never on record"),
    ("person.identity_linked", "/data/spent/until", "as above, within the times that are possible"),
    ("person.identity_unlinked", "/correlation", "nothing else belongs to it"),
    ("person.identity_unlinked", "/data/session", "another session of theirs in which they had just proved themselves"),
    ("session.opened", "/data/method/key_sha256", "the node's word; they might have shown another passkey of theirs"),
    ("session.opened", "/data/method/totp_step", "the node's word, within the codes that are possible"),
    ("session.opened", "/subject", "of one that nothing is done with any id that is new will do"),
    ("session.stepped_up", "/data/method/totp_step", "the node's word, within the codes that are possible"),
    ("person.delegated", "/correlation", "nothing else belongs to it"),
    ("person.delegated", "/data/from", "the person's own word, on record nowhere else; votes in their place must fit"),
    ("person.delegated", "/data/until", "as above"),
    ("person.delegation_ended", "/correlation", "nothing else belongs to it"),
    ("person.refused", "/correlation", "nothing else belongs to it"),
    ("person.refused", "/subject", "a refusal is on record nowhere else: only the node says whom it refused what"),
    ("person.refused", "/data/action/resource", "as above"),
    ("person.refused", "/data/action/verb", "as above"),
    ("person.refused", "/data/code", "as above"),
    ("person.refused", "/data/count", "as above"),
    ("person.refused", "/data/from", "as above, within the times that are possible"),
    ("person.refused", "/data/until", "as above, within the times that are possible"),
    ("person.key_enrolled", "/data/key", "whoever verifies the log reads the key and takes its digest"),
    ("person.key_enrolled", "/data/algorithm", "as above"),
    ("person.key_revoked", "/correlation", "nothing else belongs to it, where the person did it"),
    ("person.key_revoked", "/data/key_sha256", "another key of the person might have been revoked"),
    ("approval.requested", "/actor", "another requester might have asked; a signature would bind it"),
    ("approval.requested", "/data/parameters_sha256", "of a request nobody voted on; otherwise the votes repeat it"),
    ("approval.granted", "/actor", "another approver might have agreed; a signed vote binds it"),
    ("approval.granted", "/data/signature/sshsig", "whether signatures hold is for whoever verifies the log"),
    ("approval.granted", "/data/signature/webauthn/authenticator_data", "as above"),
    ("approval.granted", "/data/signature/webauthn/client_data_json", "as above"),
    ("approval.granted", "/data/signature/webauthn/passkey", "as above"),
    ("approval.granted", "/data/signature/webauthn/signature", "as above"),
    ("approval.granted", "/data/signature/statement_sha512", "as above, where nobody else signs"),
    ("approval.denied", "/actor", "another approver might have disagreed; a signed vote would bind it"),
    ("permit.reserved", "/data/parameters_sha256", "of a permit without approval; otherwise it is the approval's"),
    ("break_glass.opened", "/data/signature/sshsig", "whoever verifies the log verifies the signature"),
    ("break_glass.opened", "/data/signature/statement_sha512", "as above; the statement is made of the entry and its details"),
    ("break_glass.opened", "/data/signed_at", "the statement binds it; within the times that are possible"),
    ("break_glass.reviewed", "/actor", "another reviewer might have said so"),
    ("break_glass.reviewed", "/data/verdict", "of one beside whom somebody else did not find it justified"),
    ("permit.reserved", "/data/freezes/tzdb", "another release says the same of these freezes; where it does not, that is noticed"),
    ("permit.started", "/data/freezes/tzdb", "as above"),
    ("approval.withdrawn", "/actor", "the requester or a token of theirs might have done it"),
    ("permit.reserved", "/actor", "another token of the same owner might have, of a permit without approval"),
    ("permit.reserved", "/correlation", "of a permit that nothing is done with"),
    ("permit.started", "/actor", "the executor or a token of theirs might have done it"),
    ("permit.released", "/actor", "as above"),
    ("permit.succeeded", "/actor", "as above"),
    ("token.expired", "/correlation", "nothing else belongs to it"),
    ("token.issued", "/correlation", "nothing else belongs to it, where the rules demand nobody's consent"),
    ("token.issued", "/data/cnf_jkt", "whose key it is was its issuer's to say; who shows it is not on record"),
    ("token.issued", "/data/expires_at", "its issuer's own word, within what the rules offer; what it does must fit"),
    ("token.issued", "/data/networks", "as above; where requests come from is not on record"),
    ("token.issued", "/data/scopes", "as above"),
    ("token.issued", "/data/token_sha256", "the token itself is never on record"),
    ("token.issued", "/data/workload/spent/sha256", "the node's own word for the id of what it saw"),
    ("token.issued", "/data/workload/spent/until", "as above, within a day: how long it was good was its issuer's to say"),
    ("token.issued", "/data/workload/subject_token_sha256", "what was exchanged is never on record"),
    ("token.used", "/correlation", "nothing else belongs to it"),
    ("token.used", "/data/count", "the node's own word"),
    ("token.used", "/data/from", "as above, within its window"),
    ("token.used", "/data/until", "as above"),
    ("token.revoked", "/actor", "its owner or somebody whom the rules let might have done it"),
    ("token.revoked", "/correlation", "nothing else belongs to it, where the rules demand nobody's consent"),
    ("permit.reported_late", "/data/outcome", "what somebody says too late is evidence, not fact"),
    ("permit.reconciled", "/actor", "somebody else whom the rules ask might have looked"),
    ("permit.reconciled", "/data/outcome", "what somebody found is on record nowhere else"),
    ("rotation.started", "/data/overlap_seconds", "of one that never comes to its overlap; the approved digest binds it, with the details"),
    ("rotation.task_failed", "/data/failure/code", "what the runner saw is on record nowhere else"),
    ("rotation.task_failed", "/data/failure/status", "as above"),
    ("rotation.task_failed", "/data/latency_us", "a measurement"),
    ("rotation.task_succeeded", "/data/attempt", "an earlier attempt may turn out to have succeeded"),
    ("rotation.task_succeeded", "/data/latency_us", "a measurement"),
    ("rotation.turned_back", "/actor", "another executor might have ordered it"),
    ("incident.opened", "/subject", "any id that is new will do"),
    ("log.witness_lost", "/data/cosigned", "what the node remembers of its witness; the cosigned checkpoint itself proves it"),
    ("log.witness_lost", "/data/since", "as above, within the times that are possible"),
    ("log.witness_regained", "/data/cosigned", "as above"),
    ("log.sign_ins_failed", "/data/about/left_out", "only the node knows how many"),
    ("log.sign_ins_failed", "/data/failures/claim", "the node's own word: nobody who fails to sign in is known"),
    ("log.sign_ins_failed", "/data/failures/passkey", "as above"),
    ("log.sign_ins_failed", "/data/failures/password", "as above"),
    ("log.sign_ins_failed", "/data/failures/sso", "as above"),
    ("log.sign_ins_failed", "/data/from", "as above, within the times that are possible"),
    ("log.sign_ins_failed", "/data/succeeded_at", "as above; the session itself is on record"),
    ("log.sign_ins_failed", "/data/until", "as above, within the times that are possible"),
];

/// Everything a change could put there: what stands at places of this name anywhere in the history, and its neighbours.
fn others(place: &str, value: &Value, seen: &BTreeMap<String, BTreeSet<String>>) -> Vec<Value> {
    let mut others: Vec<Value> = match value {
        Value::Bool(value) => vec![Value::Bool(!value)],
        Value::Number(number) => {
            let number = number.as_u64().unwrap();
            [number.saturating_sub(1), number + 1, number * 2].map(Value::from).to_vec()
        }
        Value::String(text) => neighbours(text).into_iter().map(Value::String).collect(),
        Value::Array(values) => vec![Value::Array(values.iter().skip(1).cloned().collect())],
        _ => Vec::new(),
    };
    others.push(Value::Null);
    let alike = seen.get(name(place)).into_iter().flatten();
    others.extend(alike.map(|text| serde_json::from_str::<Value>(text).unwrap()));
    others.retain(|other| other != value);
    others
}

/// The text with its last letter or its last digit another one; times a millisecond away.
fn neighbours(text: &str) -> Vec<String> {
    if let Ok(time) = text.parse::<countersign_core::time::Time>() {
        return [-1, 1].map(|millis| time.plus_millis(millis).to_string()).to_vec();
    }
    let other = if text.ends_with('0') { '1' } else { '0' };
    vec![format!("{}{other}", &text[..text.len().saturating_sub(1)]), format!("{text}-x")]
}

fn name(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place)
}

/// Every value of the entry, by its place. Time, number and kind have their own tests.
fn places(value: &Value, place: String, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                places(field, format!("{place}/{key}"), found);
            }
        }
        _ if matches!(place.as_str(), "/time" | "/subject_seq" | "/kind") => {}
        other => found.push((place, other.clone())),
    }
}

fn places_of(event: &Event) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut entry = entry(event, 1);
    if event.environment.is_none() {
        entry["environment"] = Value::Null;
    }
    places(&entry, String::new(), &mut found);
    found
}

/// By the name of their places, at most so many values that the history has there.
fn seen_in(history: &[Event]) -> BTreeMap<String, BTreeSet<String>> {
    const MOST: usize = 16;
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (place, value) in history.iter().flat_map(places_of) {
        let values = seen.entry(name(&place).to_owned()).or_default();
        if values.len() < MOST {
            values.insert(value.to_string());
        }
    }
    seen
}

/// Goes through the history with an auditor that has followed all before each event.
fn at_each(history: &[Event], mut look: impl FnMut(usize, &Followed)) {
    let mut followed = Followed::default();
    for (index, event) in history.iter().enumerate() {
        look(index, &followed);
        followed.follow(event).unwrap();
    }
}

/// Whether nothing is noticed when these events come in the place of those from `from` to `to`.
fn passes(history: &[Event], followed: &Followed, (instead, to): (&[Event], usize)) -> bool {
    let mut followed = followed.clone();
    instead.iter().all(|event| followed.follow(event).is_ok()) && followed.follow_all(&history[to..]).is_ok()
}

#[test]
fn every_field_means_something_or_is_on_the_list() {
    let history = script::everything().events;
    let seen = seen_in(&history);
    let (mut free, mut tried) = (BTreeSet::new(), 0);
    at_each(&history, |index, followed| {
        let event = &history[index];
        for (place, value) in places_of(event) {
            let kind = event.fact.kind();
            if free.contains(&(kind, place.clone())) {
                continue;
            }
            let changed = others(&place, &value, &seen).into_iter();
            for changed in changed.filter_map(|other| with(event, &place, &other)) {
                tried += 1;
                if passes(&history, followed, (&[changed], index + 1)) {
                    free.insert((kind, place.clone()));
                    break;
                }
            }
        }
    });
    assert!(tried > 10_000, "{tried}");
    let listed: BTreeSet<_> = FREE.iter().map(|(kind, place, _)| (*kind, (*place).to_owned())).collect();
    let unlisted: Vec<_> = free.difference(&listed).collect();
    assert!(unlisted.is_empty(), "go unnoticed: {unlisted:#?}");
    let noticed: Vec<_> = listed.difference(&free).collect();
    assert!(noticed.is_empty(), "are always noticed: {noticed:#?}");
}

/// Kinds whose absence is not noticed where they are the last of their subject, or change nothing. What shows them is the count of entries.
#[rustfmt::skip]
const DROPPED: &[(&str, &str)] = &[
    ("log.census_taken", "changes nothing"),
    ("log.permit_key_named", "of a key that another replaces, or none names again"),
    ("log.witness_regained", "of a witness that is never lost again"),
    ("log.sign_ins_failed", "of failures whose incident is open already"),
    ("person.key_revoked", "of a key that signs nothing any more"),
    ("person.claimed", "of somebody who does nothing afterwards"),
    ("permit.reserved", "of a permit that nothing is done with"),
    ("person.passkey_added", "of a passkey that opens nothing"),
    ("person.passkey_removed", "of a passkey that opens nothing any more"),
    ("person.password_removed", "of a password that opens nothing any more"),
    ("person.recovery_codes_renewed", "of codes of which none is used"),
    ("person.identity_unlinked", "of an identity that opens nothing any more"),
    ("session.opened", "of a session that nothing is done with"),
    ("session.ended", "of a session that does nothing any more"),
    ("session.extended", "of a session that ends before it matters"),
    ("session.stepped_up", "of a proof that nothing rests on"),
    ("token.expired", "of a token that does nothing afterwards, which it could not"),
    ("token.revoked", "of a token that does nothing afterwards"),
    ("token.used", "changes nothing"),
    ("person.deactivated", "of somebody who is not heard of again"),
    ("person.delegation_ended", "of a delegation that is over, or that nobody uses any more"),
    ("person.refused", "changes nothing"),
    ("approval.escalated", "tells somebody, and changes nothing"),
    ("approval.denied", "last of its subject"),
    ("approval.granted", "of a request that comes to nothing"),
    ("approval.expired", "last of its subject"),
    ("approval.objected", "not the one without which a denial would not be one"),
    ("approval.withdrawn", "last of its subject"),
    ("permit.failed", "last of its subject"),
    ("permit.heartbeat", "the last one, where the outcome comes soon after the one before"),
    ("permit.lapsed", "last of its subject"),
    ("permit.reconciled", "last of its subject"),
    ("permit.released", "last of its subject, where there is no approval to give back"),
    ("permit.reported_late", "last of its subject"),
    ("permit.succeeded", "last of its subject"),
    ("rotation.advanced", "to a stage from which it turned back the same way as from the one before"),
];

#[test]
fn every_event_that_is_left_out_is_missed_or_on_the_list() {
    let history = script::everything().events;
    let mut missed = BTreeSet::new();
    at_each(&history, |index, followed| {
        if passes(&history, followed, (&[], index + 1)) {
            missed.insert(history[index].fact.kind());
        }
    });
    assert_eq!(missed, DROPPED.iter().map(|(kind, _)| *kind).collect());
}

/// Kinds that may come twice, and why.
const DOUBLED: &[(&str, &str)] = &[
    ("permit.reported_late", "somebody may say it again"),
    ("person.refused", "somebody may be refused the same again"),
    ("log.sign_ins_failed", "there is more than one network, and none is named"),
    ("person.password_set", "another password takes the place of the one before"),
    ("person.recovery_codes_renewed", "so do other codes"),
];

#[test]
fn every_event_that_comes_twice_is_noticed_or_on_the_list() {
    let history = script::everything().events;
    let mut twice = BTreeSet::new();
    at_each(&history, |index, followed| {
        let event = &history[index];
        if passes(&history, followed, (&[event.clone(), event.clone()], index + 1)) {
            twice.insert(event.fact.kind());
        }
    });
    assert_eq!(twice, DOUBLED.iter().map(|(kind, _)| *kind).collect());
}

/// Two neighbours may change places only if neither rests on the other: they belong to different cases, or are on the list.
#[rustfmt::skip]
const SWAPPED: &[(&str, &str, &str)] = &[
    ("person.enrolled", "person.enrolled", "two people"),
    ("approval.granted", "approval.granted", "two votes, neither of which is the last that was needed"),
    ("approval.objected", "approval.objected", "two votes, neither of which is the last that was needed"),
    ("permit.started", "break_glass.reviewed", "the work and the word on it"),
    ("break_glass.reviewed", "permit.succeeded", "as above"),
    ("rotation.task_failed", "rotation.task_attempted", "two tasks"),
    ("rotation.task_succeeded", "rotation.task_attempted", "two tasks"),
];

#[test]
fn neighbours_that_change_places_are_noticed_or_independent() {
    let history = script::everything().events;
    let (mut swapped, mut noticed) = (BTreeSet::new(), 0);
    at_each(&history, |index, followed| {
        let [event, next] = [index, index + 1].map(|at| history.get(at).cloned());
        let (Some(mut event), Some(mut next)) = (event, next) else { return };
        // The times stay where they are, or it would be noticed by them alone.
        std::mem::swap(&mut event.at, &mut next.at);
        let independent = event.correlation != next.correlation;
        let pair = (event.fact.kind(), next.fact.kind());
        if !passes(&history, followed, (&[next, event], index + 2)) {
            noticed += 1;
        } else if !independent {
            swapped.insert(pair);
        }
    });
    assert_eq!(swapped, SWAPPED.iter().map(|(one, other, _)| (*one, *other)).collect());
    assert!(noticed > 200, "{noticed}");
}

/// Each event that waited, at the time of the event before it.
#[test]
fn nothing_that_waited_could_have_come_at_once() {
    let history = script::everything().events;
    let (mut hurried, mut noticed) = (BTreeSet::new(), 0);
    at_each(&history, |index, followed| {
        let Some(before) = index.checked_sub(1).map(|before| history[before].at) else { return };
        let event = &history[index];
        if event.at == before {
            return;
        }
        let hasty = Event { at: before, ..event.clone() };
        if passes(&history, followed, (&[hasty], index + 1)) {
            hurried.insert(event.fact.kind());
        } else {
            noticed += 1;
        }
    });
    // The runner may come later than it must; a witness is back when it is back.
    assert_eq!(hurried, BTreeSet::from(["log.witness_regained", "rotation.task_attempted"]));
    assert!(noticed > 20, "{noticed}");
}
