//! Signed votes over HTTP, with keys and signatures of the real `ssh-keygen` and of an authenticator in software: what is exported is
//! accepted by `ssh-keygen -Y verify`, and whatever was signed for something else is refused.

use countersign_core::policy::Policy;
use countersign_evidence::bundle::{self, Bundle};
use countersign_evidence::scope::Scope;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::sshsig::SshSignature;
use countersign_ledger::statement::{NAMESPACE, Statement};
use countersign_ledger::tree::CompactRange;
use countersign_server::evidence::{self, Limits};
use countersign_server::store::Store as _;
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, payout, policy, redact};
use crate::authenticator::{TOUCHED, Token};
use crate::engine::fixture::{self, ANA, BEN, CHLOE};
use crate::evidence::fixture::verify;
use crate::keygen::Keygen;

/// The line of a key of `ssh-keygen`, without its comment.
fn line(made: &str) -> String {
    made.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// The harness' policy, which demands this signature of votes on payouts.
pub(super) fn demanding(signature: &str) -> Policy {
    let mut policy = serde_json::to_value(policy()).expect("a policy is JSON");
    policy["rules"][1]["signature"] = json!(signature);
    serde_json::from_value(policy).expect("a policy")
}

pub(super) fn enrolment(person: &str, key: &str) -> Value {
    let action =
        json!({ "verb": "enroll", "resource": format!("voting-key/{person}"), "environment": "control" });
    json!({ "action": action, "parameters": { "key": key } })
}

async fn enroll(api: &Api, person: &str, key: &str) {
    let approval = api.approved(&enrolment(person, key)).await;
    let body = json!({ "key": format!("{key} somebody@somewhere"), "approval": approval });
    let keys = api.ok(Call::post(format!("/admin/people/{person}/keys"), &body).by("Ana")).await;
    let enrolled = keys.json["keys"].as_array().expect("keys").last().expect("a key").clone();
    assert_eq!((keys.status.as_u16(), &enrolled["key"]), (201, &json!(key)));
}

/// Ana asks for a payout of so many cents; its id and what voters sign.
pub(super) async fn asked(api: &Api, cents: u32) -> (String, String) {
    let mut request = payout();
    request["parameters"]["limit_cents"] = json!(cents);
    let id = api.ok(Call::post("/admin/approvals", &request).by("Ana")).await.id();
    let statement = api.ok(Call::get(format!("/admin/approvals/{id}/statement")).by("Ben")).await;
    assert_eq!(statement.header("content-type"), "application/json");
    (id, statement.text)
}

fn vote(id: &str, armor: &str) -> Call {
    Call::post(format!("/admin/approvals/{id}/approve"), &json!({ "signature": armor }))
}

/// An API with a key of Ben's in a file and one of Chloe's in hardware.
struct Signers {
    api: Api,
    store: MemoryStore,
    keygen: Keygen,
    ben: String,
    token: Token,
}

impl Signers {
    async fn ready(signature: &str) -> Self {
        let store = MemoryStore::new();
        let api = Api::over(Box::new(store.clone()), demanding(signature)).await;
        let keygen = Keygen::new();
        let ben = line(&keygen.make("ben", &["-t", "ed25519"]));
        let token = Token::ed25519(9);
        enroll(&api, &BEN.to_string(), &ben).await;
        enroll(&api, &CHLOE.to_string(), &token.line()).await;
        Self { api, store, keygen, ben, token }
    }

    fn by_ben(&self, statement: &str) -> String {
        self.keygen.sign("ben", (NAMESPACE, "sha512"), statement.as_bytes())
    }

    fn by_chloe(&self, statement: &str) -> String {
        let blob = self.token.sign(NAMESPACE, statement.as_bytes(), (TOUCHED, 1));
        SshSignature::from_blob(&blob).expect("a signature").to_armor()
    }

    /// A payout that both signed and Ana carried out; its request and what they signed.
    async fn signed(&self, cents: u32) -> (String, String) {
        let (id, statement) = asked(&self.api, cents).await;
        self.api.ok(vote(&id, &self.by_ben(&statement)).by("Ben")).await;
        self.api.ok(vote(&id, &self.by_chloe(&statement)).by("Chloe")).await;
        let mut reserve = payout();
        reserve["parameters"]["limit_cents"] = json!(cents);
        reserve["approval"] = json!(id);
        let permit = self.api.ok(Call::post("/admin/permits", &reserve).by("Ana")).await.id();
        for (step, body) in [("start", json!({})), ("finish", json!({ "outcome": "succeeded" }))] {
            self.api.ok(Call::post(format!("/admin/permits/{permit}/{step}"), &body).by("Ana")).await;
        }
        (id, statement)
    }

    fn bundle(&self, id: &str) -> Bundle {
        self.collect(&Scope { subject: Some(id.parse().expect("a subject")), ..Scope::default() })
    }

    /// Every leaf of the log.
    fn whole(&self) -> Bundle {
        self.collect(&Scope::default())
    }

    fn collect(&self, scope: &Scope) -> Bundle {
        let mut reader = self.store.reader().expect("a reader");
        evidence::collect(reader.as_mut(), scope, Limits::default()).expect("a bundle")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signed_votes_count_and_ssh_keygen_accepts_what_is_exported() {
    let signers = Signers::ready("required").await;
    let (id, statement) = signers.signed(5_000).await;
    let read = Statement::parse(statement.as_bytes()).expect("a statement");
    assert_eq!((read.approval.as_str(), read.requester), (id.as_str(), ANA.to_string()));
    let shown = signers.api.ok(Call::get(format!("/admin/approvals/{id}")).by("Aud")).await.json;
    for (vote, key) in
        shown["votes"].as_array().expect("votes").iter().zip([&signers.ben, &signers.token.line()])
    {
        let signature = &vote["signature"];
        let armor = signature["armor"].as_str().expect("armor");
        assert!(signers.keygen.accepts((key, armor), NAMESPACE, statement.as_bytes()));
        assert!(!signers.keygen.accepts((key, armor), NAMESPACE, b"something else"));
        assert_eq!(signature["fingerprint"], signers.keygen.fingerprint(key));
        let person = vote["person"]["id"].as_str().expect("an id");
        let allowed = format!("{person} namespaces=\"{NAMESPACE}\" {key}\n");
        assert_eq!(signature["allowed_signer"], allowed);
    }
    signers.api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_without_a_signature_or_with_a_weak_one_is_refused_saying_what_is_needed() {
    let Signers { api, keygen, .. } = Signers::ready("required").await;
    let (id, _) = asked(&api, 1).await;
    let bare = api.call(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by("Ben")).await;
    assert_eq!((bare.status.as_u16(), bare.code()), (403, "signature_required"));
    assert!(bare.json["hint"].as_str().expect("a hint").contains("--sign"), "{bare:?}");
    let shown = api.ok(Call::get(format!("/admin/approvals/{id}")).by("Ben")).await.json;
    assert_eq!(shown["signature"], "required");
    api.engine.stop().await;

    // Nobody but Chloe has a key in hardware, so nobody could ever meet the quorum: that is said at once.
    let api = Api::over(Box::new(MemoryStore::new()), demanding("hardware")).await;
    enroll(&api, &CHLOE.to_string(), &Token::ecdsa(3).line()).await;
    enroll(&api, &BEN.to_string(), &line(&keygen.make("soft", &["-t", "ed25519"]))).await;
    let refused = api.refusal(Call::post("/admin/approvals", &payout()).by("Ana")).await;
    assert_eq!(refused, (409, "unsatisfiable".into()));
    enroll(&api, &BEN.to_string(), &Token::ecdsa(4).line()).await;
    let (id, statement) = asked(&api, 1).await;
    let armor = keygen.sign("soft", (NAMESPACE, "sha512"), statement.as_bytes());
    assert_eq!(api.refusal(vote(&id, &armor).by("Ben")).await, (403, "signature_required".into()));
    let untouched = Token::ecdsa(4).sign(NAMESPACE, statement.as_bytes(), (0, 7));
    let untouched = SshSignature::from_blob(&untouched).expect("a signature").to_armor();
    assert_eq!(api.refusal(vote(&id, &untouched).by("Ben")).await, (422, "signature_invalid".into()));
    api.engine.stop().await;
}

/// Flaw "Step-up replay": a signature is good for one request, one purpose and one person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_up_replay() {
    let signers = Signers::ready("required").await;
    let api = &signers.api;
    let (first, statement) = asked(api, 5_000).await;
    let (second, other) = asked(api, 5_000).await;
    assert_ne!(statement, other, "two requests of the same have two statements");
    let armor = signers.by_ben(&statement);
    let invalid = (422, "signature_invalid".to_owned());
    assert_eq!(api.refusal(vote(&second, &armor).by("Ben")).await, invalid);
    let purpose = signers.keygen.sign("ben", ("break-glass@countersign", "sha512"), statement.as_bytes());
    assert_eq!(api.refusal(vote(&first, &purpose).by("Ben")).await, invalid);
    let short = signers.keygen.sign("ben", (NAMESPACE, "sha256"), statement.as_bytes());
    assert_eq!(api.refusal(vote(&first, &short).by("Ben")).await, invalid);
    assert_eq!(api.refusal(vote(&first, &armor.replace('A', "B")).by("Ben")).await, invalid);
    assert_eq!(api.refusal(vote(&first, "").by("Ben")).await, invalid);
    let theirs = (403, "voting_key_not_in_force".to_owned());
    assert_eq!(api.refusal(vote(&first, &armor).by("Chloe")).await, theirs);
    assert_eq!(
        api.refusal(vote("apr_00000000000000000000000000000009", &armor).by("Ben")).await.1,
        "approval_not_found"
    );
    api.ok(vote(&first, &armor).by("Ben")).await;
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_signs_nothing_and_what_it_signed_counts_no_more() {
    let signers = Signers::ready("required").await;
    let (api, ben) = (&signers.api, BEN.to_string());
    let (id, statement) = asked(api, 1).await;
    api.ok(vote(&id, &signers.by_ben(&statement)).by("Ben")).await;
    api.ok(vote(&id, &signers.by_chloe(&statement)).by("Chloe")).await;
    let revoke = json!({ "fingerprint": signers.keygen.fingerprint(&signers.ben) });
    let path = format!("/admin/people/{ben}/keys/revoke");
    assert_eq!(api.refusal(Call::post(&path, &revoke).by("Chloe")).await, (403, "not_the_owner".into()));
    let keys = api.ok(Call::post(&path, &revoke).by("Ben")).await.json;
    assert!(keys["keys"][0]["revoked_at"].is_string());
    let mut reserve = payout();
    reserve["parameters"]["limit_cents"] = json!(1);
    reserve["approval"] = json!(id);
    let pending = (409, "approval_pending".to_owned());
    assert_eq!(api.refusal(Call::post("/admin/permits", &reserve).by("Ana")).await, pending);
    let refused = api.refusal(vote(&id, &signers.by_ben(&statement)).by("Ben")).await;
    assert_eq!(refused, (409, "unsatisfiable".into()), "without Ben's key nobody could meet the quorum");
    let fresh = line(&signers.keygen.make("fresh", &["-t", "ecdsa", "-b", "256"]));
    enroll(api, &ben, &fresh).await;
    let refused = api.refusal(vote(&id, &signers.by_ben(&statement)).by("Ben")).await;
    assert_eq!(refused, (403, "voting_key_not_in_force".into()));
    let armor = signers.keygen.sign("fresh", (NAMESPACE, "sha512"), statement.as_bytes());
    api.ok(vote(&id, &armor).by("Ben")).await;
    api.ok(Call::post("/admin/permits", &reserve).by("Ana")).await;
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_key_is_not_enrolled() {
    let api = Api::start().await;
    let path = format!("/admin/people/{BEN}/keys");
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQ==";
    for key in ["", "ssh-ed25519 AAAA", rsa] {
        let body = json!({ "key": key, "approval": "apr_00000000000000000000000000000009" });
        let refused = api.refusal(Call::post(&path, &body).by("Ana")).await;
        assert_eq!(refused, (422, "voting_key_unusable".into()), "{key}");
    }
    // Another key than was approved.
    let keygen = Keygen::new();
    let [one, other] = ["one", "other"].map(|name| line(&keygen.make(name, &["-t", "ed25519"])));
    let approval = api.approved(&enrolment(&BEN.to_string(), &one)).await;
    let body = json!({ "key": other, "approval": approval });
    assert_eq!(api.refusal(Call::post(&path, &body).by("Ana")).await.1, "parameters_mismatch");
    api.engine.stop().await;
}

/// A bundle verifies every signature offline, from the hash alone once the statement was redacted; a forged one is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_verify_votes_offline_also_after_redaction() {
    let signers = Signers::ready("required").await;
    let (id, _) = signers.signed(5_000).await;
    let first = |id: String| signers.api.engine.read(move |reader| reader.entries_of(&id, 0, 1));
    let requested = first(id.clone()).await.expect("readable")[0].index;
    let said = |bundle: &Bundle| {
        let verified = verify(&bundle::print(bundle).expect("a page")).expect("no lie");
        let check = verified.checks.into_iter().find(|check| check.what == "votes").expect("votes");
        format!("{:?}", check.verdict)
    };
    signers.api.signed().await;
    let before = signers.bundle(&id);
    assert!(
        said(&before).contains("2 signed votes, each genuine and under the statement"),
        "{}",
        said(&before)
    );

    // Whoever holds the database and the log's key hashes and signs what they like, but has no key of Ben's.
    let whole = signers.whole();
    assert!(said(&whole).contains("2 signed votes"));
    for (member, code) in
        [("statement_sha512", "vote_signature"), ("sshsig", "vote_signature"), ("key", "voting_key")]
    {
        let lie = verify(&bundle::print(&forged(&whole, member)).expect("a page")).expect_err("a lie").lie;
        assert_eq!(lie.code, code, "{member}: {lie}");
    }

    let approval = signers.api.approved(&redact(&[requested])).await;
    let body = json!({ "entries": [requested], "approval": approval });
    signers.api.ok(Call::post("/admin/redactions", &body).by("Ana")).await;
    let gone = signers.api.refusal(Call::get(format!("/admin/approvals/{id}/statement")).by("Ben")).await;
    assert_eq!(gone, (410, "statement_redacted".into()));
    signers.api.signed().await;
    let after = signers.bundle(&id);
    assert!(
        said(&after).contains("2 signed votes, each genuine; the statements of 2 were redacted"),
        "{}",
        said(&after)
    );
    signers.api.engine.stop().await;
    let mut store = signers.store.clone();
    fixture::verify(&mut store);
}

/// The log with another letter in the first value of this name, hashed and signed as if it had always been there.
pub(super) fn forged(whole: &Bundle, member: &str) -> Bundle {
    let mut forged = whole.clone();
    let name = format!("\"{member}\":\"");
    let entry = forged.entries.iter_mut().find(|entry| entry.leaf.contains(&name)).expect("such an entry");
    let at = entry.leaf.find(&name).expect("it is there") + name.len() + 20;
    let other = if &entry.leaf[at..=at] == "0" { "1" } else { "0" };
    entry.leaf.replace_range(at..=at, other);
    entry.leaf_hash = leaf_hash(entry.leaf.as_bytes());
    let mut tree = CompactRange::new();
    forged.entries.iter().for_each(|entry| tree.push(entry.leaf_hash));
    let genuine = Checkpoint::open(&whole.checkpoint, &[fixture::signer().verifier()]).expect("signed");
    let root = tree.root();
    forged.checkpoint = Checkpoint { root, ..genuine }.sign(&[&fixture::signer()]).expect("a note");
    forged
}
