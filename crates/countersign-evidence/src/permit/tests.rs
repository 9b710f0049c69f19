//! A server that holds every key of its own, and what it can make a guard believe. Here all keys are at hand, those of the log and of
//! permits too, so everything a compromised server could sign is signed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::approval::Vote;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId, PersonId};
use countersign_core::policy::Policy;
use countersign_core::signature::{Proof, Sha512, Signature};
use countersign_core::time::Time;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::dsse::Envelope;
use countersign_ledger::entry::{Draft, Place};
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::json;
use countersign_ledger::note::{Ed25519Signer, NoteSigner as _, VerifierKey};
use countersign_ledger::proof::ProofFile;
use countersign_ledger::statement::{NAMESPACE, sha512};
use serde_json::{Value, json};

use super::*;

mod passkeys;

const ANA: PersonId = PersonId(1);
const BEN: PersonId = PersonId(2);
const CHLOE: PersonId = PersonId(3);
const LOG: &str = "ledger.test";
const SALT: [u8; 32] = [7; 32];

fn now() -> Time {
    "2026-11-25T10:00:10.000Z".parse().unwrap()
}

fn log() -> Ed25519Signer {
    Ed25519Signer::from_seed(LOG, [1; 32]).unwrap()
}

fn node() -> Ed25519Signer {
    Ed25519Signer::from_seed("ledger.test/permit", [2; 32]).unwrap()
}

fn voter(person: PersonId) -> Ed25519Signer {
    let seed = [u8::try_from(person.0).unwrap() + 100; 32];
    Ed25519Signer::from_seed("voter", seed).unwrap()
}

/// The public key in its SSH wire form.
fn blob(signer: &Ed25519Signer) -> Vec<u8> {
    let vkey = signer.vkey();
    let typed = STANDARD.decode(vkey.splitn(3, '+').nth(2).unwrap()).unwrap();
    [string(b"ssh-ed25519"), string(&typed[1..])].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// What `ssh-keygen -Y sign` would make (PROTOCOL.sshsig).
fn sshsig(signer: &Ed25519Signer, message: &str) -> String {
    let hash = sha512(message.as_bytes());
    let purpose = [string(NAMESPACE.as_bytes()), string(b""), string(b"sha512")].concat();
    let signed = [b"SSHSIG".as_slice(), &purpose, &string(&hash)].concat();
    let proof = [string(b"ssh-ed25519"), string(&signer.sign(&signed).unwrap())].concat();
    let head = [b"SSHSIG".as_slice(), &1_u32.to_be_bytes(), &string(&blob(signer))].concat();
    STANDARD.encode([head, purpose, string(&proof)].concat())
}

fn vote(person: PersonId, by: &Ed25519Signer, text: &str) -> Vote {
    let signature = Signature {
        key_sha256: Digest::of(&blob(by)),
        proof: Proof::Sshsig(sshsig(by, text)),
        statement_sha512: Sha512(sha512(text.as_bytes())),
    };
    let mut plain = unsigned(person);
    plain.signature = Some(signature);
    plain
}

fn unsigned(person: PersonId) -> Vote {
    serde_json::from_value(json!({ "person": person, "at": "2026-11-25T09:00:00.000Z" })).unwrap()
}

/// Payouts need two approvers; whether they must sign is for the test to say.
fn policy(signature: &str) -> Policy {
    serde_json::from_value(json!({
        "name": "test", "access": { "read": ["engineers"] },
        "groups": { "engineers": [ANA], "approvers": [ANA, BEN, CHLOE] },
        "rules": [{
            "name": "payout", "verb": "override", "resource": "payout/limit", "environment": "production",
            "requesters": ["engineers"], "executors": ["engineers"], "approval": "required",
            "quorum": { "approvers": 2 }, "signature": signature,
            "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
        }],
    }))
    .unwrap()
}

fn roster(policy: Policy) -> Roster {
    let key = |person| (person, vec![STANDARD.encode(blob(&voter(person)))]);
    let policy_sha256 = Digest::of(&json::to_canonical(&policy).unwrap());
    let roster = Roster {
        kind: ROSTER_TYPE.to_owned(),
        log: LOG.to_owned(),
        exported_at: "2026-11-25T09:00:00.000Z".parse().unwrap(),
        policy,
        policy_sha256,
        keys: BTreeMap::from([ANA, BEN, CHLOE].map(key)),
    };
    Roster::parse(&json::to_canonical(&roster).unwrap()).unwrap()
}

fn parameters() -> Value {
    json!({ "cents": 10_000, "to": "account-a" })
}

fn action() -> countersign_core::action::Action {
    serde_json::from_value(
        json!({ "verb": "override", "resource": "payout/limit", "environment": "production" }),
    )
    .unwrap()
}

/// A permit of Ana's, its votes given by the test, which knows what there is to sign.
fn leave(policy: &Policy, votes: impl Fn(&str) -> Vec<Vote>) -> Leave {
    let requirement_sha256 = policy.requirement(&action()).unwrap().digest();
    let parameters_sha256 = Digest::salted(&SALT, &json::to_canonical(&parameters()).unwrap());
    let (approval, policy_sha256) = (ApprovalId(5), Digest::of(b"policy"));
    let statement = json!({
        "_type": "countersign/approval-statement/v1", "action": action(), "approval": approval,
        "parameters": parameters(), "parameters_salt": Digest(SALT), "parameters_sha256": parameters_sha256,
        "pending_until": "2026-11-25T10:00:00.000Z", "policy_sha256": policy_sha256, "requester": ANA,
        "requirement_sha256": requirement_sha256, "rules": ["payout"],
    });
    let text = String::from_utf8(json::to_canonical(&statement).unwrap()).unwrap();
    let votes = votes(&text);
    Leave {
        permit: PermitId(6),
        action: action(),
        parameters_sha256,
        parameters_salt: Digest(SALT),
        executor: ANA,
        approvals: vec![Agreement { approval, requester: ANA, votes, statement: Some(text) }],
        requirement_sha256,
        policy_sha256,
        reserved_at: "2026-11-25T10:00:00.000Z".parse().unwrap(),
        start_by: "2026-11-25T10:01:00.000Z".parse().unwrap(),
        work_seconds: 600,
        log: LOG.to_owned(),
        entry: Entry { leaf: String::new(), proof: String::new() },
    }
}

/// The leave with an entry that says so, in a log of one entry that the log's key signed.
fn logged(mut leave: Leave) -> Leave {
    let approval = leave.approvals.first().map(|agreement| agreement.approval);
    let data = json!({
        "action": leave.action, "parameters_sha256": leave.parameters_sha256, "approval": approval,
        "requirement_sha256": leave.requirement_sha256, "start_by": leave.start_by,
        "work_seconds": leave.work_seconds,
    });
    let (actor, subject) = (leave.executor.to_string(), leave.permit.to_string());
    let draft = Draft {
        actor: &actor,
        correlation: "cor_00000000000000000000000000000009",
        data: &json::to_canonical(&data).unwrap(),
        details_sha256: Some(Hash([1; 32])),
        environment: Some("production"),
        kind: "permit.reserved",
        subject: &subject,
    };
    let time = leave.reserved_at.to_string();
    let leaf = draft.leaf(Place { index: 0, subject_seq: 1, time: &time }).unwrap();
    let root = leaf_hash(&leaf);
    let checkpoint = Checkpoint { origin: LOG.into(), size: 1, root, extensions: Vec::new() };
    let checkpoint = checkpoint.sign(&[&log()]).unwrap();
    let proof = ProofFile { extra: Vec::new(), index: 0, proof: Vec::new(), checkpoint };
    leave.entry = Entry { leaf: String::from_utf8(leaf).unwrap(), proof: proof.to_string() };
    leave
}

fn sealed(payload: Vec<u8>) -> Vec<u8> {
    Envelope::sign(PAYLOAD_TYPE, payload, &[&node()]).unwrap().to_json()
}

fn document(leave: Leave) -> Vec<u8> {
    sealed(Statement::of(leave).to_payload().unwrap())
}

/// What a guard with this roster makes of it.
fn judged(document: &[u8], roster: Option<&Roster>) -> Result<Verified, Untrusted> {
    judged_for(document, roster, (&action(), &parameters(), now()))
}

fn judged_for(
    document: &[u8],
    roster: Option<&Roster>,
    (action, parameters, now): (&countersign_core::action::Action, &Value, Time),
) -> Result<Verified, Untrusted> {
    let (permit_keys, log_keys): ([VerifierKey; 1], [VerifierKey; 1]) =
        ([node().verifier()], [log().verifier()]);
    let pins = Pins {
        permit_keys: &permit_keys,
        log: LOG,
        log_keys: &log_keys,
        roster: roster.map(|roster| (roster, 7_200)),
    };
    let wanted = Wanted { action: Some(action), parameters: Some(parameters), executor: Some(ANA), now };
    verify(document, &pins, &wanted)
}

fn code(judged: Result<Verified, Untrusted>) -> &'static str {
    match judged {
        Ok(verified) => match verified.quorum {
            Quorum::NotRequired => "not-required",
            Quorum::Signed(_) => "signed",
            Quorum::ServersWord(_) => "servers-word",
        },
        Err(untrusted) => untrusted.code(),
    }
}

#[test]
fn a_quorum_that_signed_is_shown_and_what_nobody_signed_is_the_servers_word() {
    let both = |text: &str| vec![vote(BEN, &voter(BEN), text), vote(CHLOE, &voter(CHLOE), text)];
    for signature in ["not-required", "required"] {
        let policy = policy(signature);
        let held = document(logged(leave(&policy, both)));
        let verified = judged(&held, Some(&roster(policy))).unwrap();
        assert_eq!(verified.quorum, Quorum::Signed(vec![BEN, CHLOE]));
        assert_eq!(code(judged(&held, None)), "servers-word");
    }
    let lax = policy("not-required");
    let plain = document(logged(leave(&lax, |_| vec![unsigned(BEN), unsigned(CHLOE)])));
    assert_eq!(code(judged(&plain, Some(&roster(lax)))), "servers-word");
}

/// Nobody who holds all of the server's keys can make up agreement where the rules ask for signed votes.
#[test]
fn approval_spoofing() {
    let strict = policy("required");
    let pinned = roster(strict.clone());
    let judge = |votes: &dyn Fn(&str) -> Vec<Vote>| {
        code(judged(&document(logged(leave(&strict, votes))), Some(&pinned)))
    };
    let server = Ed25519Signer::from_seed("voter", [66; 32]).unwrap();
    let ben = |text: &str| vote(BEN, &voter(BEN), text);
    assert_eq!(judge(&|_| Vec::new()), "quorum_not_signed");
    assert_eq!(judge(&|_| vec![unsigned(BEN), unsigned(CHLOE)]), "quorum_not_signed");
    assert_eq!(judge(&|text| vec![ben(text)]), "quorum_not_signed");
    assert_eq!(judge(&|text| vec![ben(text), unsigned(CHLOE)]), "quorum_not_signed");
    assert_eq!(judge(&|text| vec![ben(text), ben(text)]), "quorum_not_signed");
    // In Chloe's name, with a key of the server's, of Ben's, or with Ben's signature again.
    assert_eq!(judge(&|text| vec![ben(text), vote(CHLOE, &server, text)]), "quorum_not_signed");
    assert_eq!(judge(&|text| vec![ben(text), vote(CHLOE, &voter(BEN), text)]), "quorum_not_signed");
    // The requester's own, and a stranger's with a key of their own.
    assert_eq!(judge(&|text| vec![ben(text), vote(ANA, &voter(ANA), text)]), "quorum_not_signed");
    assert_eq!(judge(&|text| vec![ben(text), vote(PersonId(9), &server, text)]), "quorum_not_signed");
    // What Chloe signed for something else.
    assert_eq!(judge(&|text| vec![ben(text), vote(CHLOE, &voter(CHLOE), "else")]), "signature_invalid");
    // A key in a file where the rules ask for hardware.
    let hard = policy("hardware");
    let soft = |text: &str| vec![ben(text), vote(CHLOE, &voter(CHLOE), text)];
    let held = document(logged(leave(&hard, soft)));
    assert_eq!(code(judged(&held, Some(&roster(hard)))), "quorum_not_signed");
    // Rules that the server would rather have.
    let held = document(logged(leave(&policy("not-required"), |_| Vec::new())));
    assert_eq!(code(judged(&held, Some(&pinned))), "policy_changed");
}

/// What people agreed to is what is checked, not what the permit says beside it.
#[test]
fn wrong_operation_checked() {
    let strict = policy("required");
    let pinned = roster(strict.clone());
    let both = |text: &str| vec![vote(BEN, &voter(BEN), text), vote(CHLOE, &voter(CHLOE), text)];
    let honest = leave(&strict, both);
    // Signed votes of one request beside the parameters of another.
    let other = json!({ "cents": 10_001, "to": "account-a" });
    let mut forged = honest.clone();
    forged.parameters_sha256 = Digest::salted(&SALT, &json::to_canonical(&other).unwrap());
    let held = document(logged(forged));
    let judge = |held: &[u8]| code(judged_for(held, Some(&pinned), (&action(), &other, now())));
    assert_eq!(judge(&held), "statement_mismatch");
    // Of one approval under the name of another, and of another requester.
    let mut forged = honest.clone();
    forged.approvals[0].approval = ApprovalId(50);
    assert_eq!(code(judged(&document(logged(forged)), Some(&pinned))), "statement_mismatch");
    let mut forged = honest.clone();
    forged.approvals[0].requester = CHLOE;
    assert_eq!(code(judged(&document(logged(forged)), Some(&pinned))), "statement_mismatch");
    // No approval at all.
    let mut forged = honest.clone();
    forged.approvals.clear();
    assert_eq!(code(judged(&document(logged(forged)), Some(&pinned))), "approval_required");
    // Another action than the one at hand, and somebody who may not do it.
    let mut elsewhere = action();
    elsewhere.environment = "staging".parse().unwrap();
    let held = document(logged(honest.clone()));
    let wanted = (&elsewhere, &parameters(), now());
    assert_eq!(code(judged_for(&held, Some(&pinned), wanted)), "action_mismatch");
    let mut forged = honest;
    forged.executor = BEN;
    assert_eq!(code(judged(&document(logged(forged)), Some(&pinned))), "not_the_executor");
}

/// A document is for these very parameters: the smallest change refuses, and so does a name that could mean something else tomorrow,
/// because a name is a parameter like any other and only its bytes are compared.
#[test]
fn toctou_mutable_reference() {
    let lax = policy("not-required");
    let held = document(logged(leave(&lax, |_| Vec::new())));
    for other in [
        json!({ "cents": 10_001, "to": "account-a" }),
        json!({ "cents": "10000", "to": "account-a" }),
        json!({ "cents": 10_000, "to": "account-b" }),
        json!({ "cents": 10_000, "to": "account-a", "branch": "main" }),
        json!({ "cents": 10_000 }),
        json!({}),
        json!([]),
        json!({ "cents": 10_000.5, "to": "account-a" }),
    ] {
        let wanted = (&action(), &other, now());
        assert_eq!(code(judged_for(&held, None, wanted)), "parameters_mismatch", "{other}");
    }
    let reordered: Value = serde_json::from_str(r#"{"to":"account-a","cents":10000}"#).unwrap();
    assert_eq!(code(judged_for(&held, None, (&action(), &reordered, now()))), "servers-word");
}

/// What this version does not understand could be a condition, wherever it stands.
#[test]
fn ignored_crit() {
    let lax = policy("not-required");
    let good = Statement::of(logged(leave(&lax, |_| vec![unsigned(BEN)]))).to_payload().unwrap();
    let good: Value = serde_json::from_slice(&good).unwrap();
    assert_eq!(code(judged(&sealed(json::to_canonical(&good).unwrap()), None)), "servers-word");
    let places = [
        "",
        "/subject/0",
        "/subject/0/digest",
        "/predicate",
        "/predicate/action",
        "/predicate/approvals/0",
        "/predicate/approvals/0/votes/0",
        "/predicate/entry",
    ];
    for place in places {
        let mut odd = good.clone();
        odd.pointer_mut(place).unwrap()["crit"] = json!(["only-on-weekdays"]);
        let judged = judged(&sealed(json::to_canonical(&odd).unwrap()), None);
        assert_eq!(code(judged), "permit_malformed", "{place}");
    }
    for (place, other) in [("/_type", "https://in-toto.io/Statement/v2"), ("/predicateType", "urn:x")] {
        let mut odd = good.clone();
        *odd.pointer_mut(place).unwrap() = json!(other);
        assert_eq!(code(judged(&sealed(json::to_canonical(&odd).unwrap()), None)), "permit_malformed");
    }
    let spaced = serde_json::to_string_pretty(&good).unwrap().into_bytes();
    assert_eq!(code(judged(&sealed(spaced), None)), "permit_malformed");
}

#[test]
fn the_entry_must_be_in_the_log_and_say_the_same() {
    let lax = policy("not-required");
    let honest = logged(leave(&lax, |_| Vec::new()));
    let judge = |change: &dyn Fn(&mut Leave)| {
        let mut forged = honest.clone();
        change(&mut forged);
        code(judged(&document(forged), None))
    };
    assert_eq!(judge(&|_| {}), "servers-word");
    let later = |seconds| honest.start_by.plus_seconds(seconds);
    assert_eq!(judge(&|leave| leave.start_by = later(60)), "permit_differs_from_log");
    assert_eq!(judge(&|leave| leave.work_seconds = 1), "permit_differs_from_log");
    assert_eq!(judge(&|leave| leave.permit = PermitId(7)), "permit_differs_from_log");
    assert_eq!(judge(&|leave| leave.executor = BEN), "permit_differs_from_log");
    assert_eq!(judge(&|leave| leave.approvals.clear()), "permit_differs_from_log");
    assert_eq!(judge(&|leave| leave.log = "another.test".into()), "permit_not_in_log");
    assert_eq!(judge(&|leave| leave.entry.leaf.push(' ')), "permit_not_in_log");
    assert_eq!(
        judge(&|leave| leave.entry.proof = leave.entry.proof.replace("index 0", "index 1")),
        "permit_not_in_log"
    );
    // Not by the node, not by the log.
    let stranger = Ed25519Signer::from_seed("ledger.test/permit", [3; 32]).unwrap();
    let payload = Statement::of(honest.clone()).to_payload().unwrap();
    let foreign = Envelope::sign(PAYLOAD_TYPE, payload, &[&stranger]).unwrap().to_json();
    assert_eq!(code(judged(&foreign, None)), "permit_unsigned");
    let text = String::from_utf8(document(honest.clone())).unwrap();
    assert_eq!(
        code(judged(text.replacen("\"payload\":\"e", "\"payload\":\"f", 1).as_bytes(), None)),
        "permit_unsigned"
    );
    // The moment itself is too late.
    let late = (&action(), &parameters(), honest.start_by);
    assert_eq!(code(judged_for(&document(honest.clone()), None, late)), "permit_lapsed");
}

#[test]
fn a_roster_ages_and_is_of_one_log() {
    let lax = policy("not-required");
    let held = document(logged(leave(&lax, |_| Vec::new())));
    let mut pinned = roster(lax);
    assert_eq!(code(judged(&held, Some(&pinned))), "servers-word");
    pinned.exported_at = now().plus_seconds(301);
    assert_eq!(code(judged(&held, Some(&pinned))), "roster_stale");
    pinned.exported_at = now().plus_millis(-7_200_000);
    assert_eq!(code(judged(&held, Some(&pinned))), "roster_stale");
    pinned.exported_at = now();
    pinned.log = "another.test".into();
    assert_eq!(code(judged(&held, Some(&pinned))), "roster_of_another_log");
    pinned.policy_sha256 = Digest::of(b"another");
    let altered = Roster::parse(&json::to_canonical(&pinned).unwrap());
    assert_eq!(altered, Err(RosterError::Policy));
    let mut shared = roster(policy("required"));
    shared.keys.insert(PersonId(9), shared.keys[&BEN].clone());
    let shared = Roster::parse(&json::to_canonical(&shared).unwrap());
    assert_eq!(shared, Err(RosterError::SharedKey(PersonId(9))));
}
