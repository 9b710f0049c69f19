//! Votes by passkey over HTTP, by an authenticator and a browser in software that are written from the specification: they count, they are in the
//! evidence, and whatever was signed for something else, somewhere else or by somebody who was not verified is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::id::PersonId;
use countersign_evidence::bundle::{self, Bundle};
use countersign_evidence::scope::Scope;
use countersign_ledger::hash::sha256;
use countersign_server::evidence::{self, Limits};
use countersign_server::store::Store as _;
use countersign_server::store::memory::MemoryStore;
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};

use super::harness::{Api, Call, payout, redact};
use super::signing::{asked, demanding, enrolment, forged};
use crate::engine::fixture::{self, BEN, CHLOE};
use crate::evidence::fixture::verify;

pub(super) const ORIGIN: &str = "https://countersign.example";

/// Somebody was there and was verified.
pub(super) const VERIFIED: u8 = 0x05;

/// It may be copied to other devices.
const SYNCS: u8 = 0x08;

enum Key {
    Ed25519(ed25519_dalek::SigningKey),
    Es256(p256::ecdsa::SigningKey),
}

/// A passkey in the hand of a person.
pub(super) struct Passkey {
    key: Key,
    syncs: bool,
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Passkey {
    fn ed25519(seed: u8) -> Self {
        Self { key: Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[seed; 32])), syncs: false }
    }

    pub(super) fn es256(seed: u8) -> Self {
        let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).expect("a key");
        Self { key: Key::Es256(key), syncs: false }
    }

    pub(super) fn id(&self) -> String {
        encoded(&sha256(&self.cose()).0)
    }

    fn cose(&self) -> Vec<u8> {
        match &self.key {
            Key::Ed25519(key) => {
                [&[0xA4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], key.verifying_key().as_bytes().as_slice()]
                    .concat()
            }
            Key::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(32);
                [&[0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat()
            }
        }
    }

    /// What a page would make of a registration.
    fn enrolled(&self) -> Value {
        json!({
            "_type": "countersign/passkey/v1", "backup_eligible": self.syncs, "credential_id": self.id(),
            "origins": [ORIGIN], "public_key": encoded(&self.cose()), "rp_id": "countersign.example",
        })
    }

    /// What the browser answers that was asked for this challenge by a page of this origin.
    pub(super) fn answer(&self, challenge: &[u8], (origin, flags): (&str, u8)) -> Value {
        let client_data = format!(
            "{{\"type\":\"webauthn.get\",\"challenge\":\"{}\",\"origin\":\"{origin}\",\"crossOrigin\":false}}",
            encoded(challenge)
        );
        let flags = if self.syncs { flags | SYNCS } else { flags };
        let data = [&sha256(b"countersign.example").0, [flags].as_slice(), &[0; 4]].concat();
        let message = [data.as_slice(), &sha256(client_data.as_bytes()).0].concat();
        let signature = match &self.key {
            Key::Ed25519(key) => key.sign(&message).to_bytes().to_vec(),
            Key::Es256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, &message);
                signature.to_der().as_bytes().to_vec()
            }
        };
        json!({
            "credential_id": self.id(), "authenticator_data": encoded(&data),
            "client_data_json": encoded(client_data.as_bytes()), "signature": encoded(&signature),
        })
    }

    /// What the browser answers that was asked for a passkey with this challenge: the attestation object and the client data.
    pub(super) fn registered(&self, challenge: &str, origin: &str) -> (String, String) {
        let client_data = format!(
            "{{\"type\":\"webauthn.create\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\",\"crossOrigin\":false}}"
        );
        let (id, cose) = (sha256(&self.cose()).0, self.cose());
        let flags = 0x40 | VERIFIED | if self.syncs { SYNCS } else { 0 };
        let rp_id_sha256 = sha256(b"countersign.example").0;
        let data = [rp_id_sha256.as_slice(), &[flags, 0, 0, 0, 0], &[0; 16], &[0, 32], &id, &cose];
        let data = data.concat();
        let length = u8::try_from(data.len()).expect("short");
        let object = [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(), &[length], &data];
        (encoded(&object.concat()), encoded(client_data.as_bytes()))
    }

    /// The vote under a statement.
    fn votes(&self, id: &str, statement: &str) -> Call {
        vote(id, &self.answer(&sha256(statement.as_bytes()).0, (ORIGIN, VERIFIED)))
    }
}

fn vote(id: &str, passkey: &Value) -> Call {
    Call::post(format!("/admin/approvals/{id}/approve"), &json!({ "passkey": passkey }))
}

async fn enroll(api: &Api, person: PersonId, passkey: &Passkey) -> Value {
    let mut request = enrolment(&person.to_string(), "");
    request["parameters"]["key"] = passkey.enrolled();
    let approval = api.approved(&request).await;
    let body = json!({ "key": passkey.enrolled().to_string(), "approval": approval });
    let keys = api.ok(Call::post(format!("/admin/people/{person}/keys"), &body).by("Ana")).await;
    keys.json["keys"].as_array().expect("keys").last().expect("a key").clone()
}

/// An API whose rules ask for votes from hardware, and passkeys of Ben and Chloe that stay where they are.
async fn ready() -> (MemoryStore, Api, [Passkey; 2]) {
    let store = MemoryStore::new();
    let api = Api::over(Box::new(store.clone()), demanding("hardware")).await;
    let passkeys = [Passkey::es256(21), Passkey::ed25519(22)];
    for (person, passkey) in [BEN, CHLOE].into_iter().zip(&passkeys) {
        enroll(&api, person, passkey).await;
    }
    (store, api, passkeys)
}

fn collect(store: &MemoryStore, scope: &Scope) -> Bundle {
    let mut reader = store.reader().expect("a reader");
    evidence::collect(reader.as_mut(), scope, Limits::default()).expect("a bundle")
}

fn said(bundle: &Bundle) -> String {
    let verified = verify(&bundle::print(bundle).expect("a page")).expect("no lie");
    let check = verified.checks.into_iter().find(|check| check.what == "votes").expect("votes");
    format!("{:?}", check.verdict)
}

/// The payout of 5,000 cents is made.
async fn carried_out(api: &Api, id: &str) {
    let mut reserve = payout();
    (reserve["parameters"]["limit_cents"], reserve["approval"]) = (json!(5_000), json!(id));
    let permit = api.ok(Call::post("/admin/permits", &reserve).by("Ana")).await.id();
    for (step, body) in [("start", json!({})), ("finish", json!({ "outcome": "succeeded" }))] {
        api.ok(Call::post(format!("/admin/permits/{permit}/{step}"), &body).by("Ana")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_by_passkey_count_and_are_verified_offline_also_after_redaction() {
    let (store, api, [ben, chloe]) = ready().await;
    let (id, statement) = asked(&api, 5_000).await;
    api.ok(ben.votes(&id, &statement).by("Ben")).await;
    let shown = api.ok(chloe.votes(&id, &statement).by("Chloe")).await.json;
    assert_eq!(shown["status"], "approved");
    let signature = &shown["votes"][1]["signature"];
    assert_eq!(signature["passkey"], chloe.answer(&sha256(statement.as_bytes()).0, (ORIGIN, VERIFIED)));
    assert!(signature["armor"].is_null() && signature["allowed_signer"].is_null(), "{signature}");
    let keys = api.ok(Call::get(format!("/admin/people/{CHLOE}/keys")).by("Chloe")).await.json;
    let key = &keys["keys"][0];
    assert_eq!((&key["algorithm"], &key["hardware"]), (&json!("webauthn-sk-ed25519"), &json!(true)));
    let text = key["key"].as_str().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), chloe.enrolled());
    assert_eq!(signature["fingerprint"], key["fingerprint"]);
    carried_out(&api, &id).await;

    api.signed().await;
    let scope = Scope { subject: Some(id.parse().expect("a subject")), ..Scope::default() };
    let (case, whole) = (collect(&store, &scope), collect(&store, &Scope::default()));
    let genuine = "2 signed votes, each genuine and under the statement";
    assert!(said(&case).contains(genuine) && said(&whole).contains(genuine), "{}", said(&case));
    // Whoever holds the database and the log's key has no passkey of Ben's.
    for (member, code) in [
        ("authenticator_data", "vote_signature"),
        ("client_data_json", "vote_signature"),
        ("passkey", "vote_signature"),
        ("signature", "vote_signature"),
        ("statement_sha512", "vote_statement"),
        ("key", "voting_key"),
    ] {
        let lie = verify(&bundle::print(&forged(&whole, member)).expect("a page")).expect_err("a lie").lie;
        assert_eq!(lie.code, code, "{member}: {lie}");
    }
    let first = id.clone();
    let requested =
        api.engine.read(move |reader| reader.entries_of(&first, 0, 1)).await.expect("readable")[0].index;
    let approval = api.approved(&redact(&[requested])).await;
    let body = json!({ "entries": [requested], "approval": approval });
    api.ok(Call::post("/admin/redactions", &body).by("Ana")).await;
    api.signed().await;
    let after = said(&collect(&store, &scope));
    assert!(after.contains("2 signed votes, each genuine; the statements of 2 were redacted"), "{after}");
    api.engine.stop().await;
    fixture::verify(&mut store.clone());
}

/// Flaw "Step-up replay", with passkeys: what was signed is good for one statement, from one's own pages, by somebody verified, with one's own key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_passkey_signed_for_something_else_is_no_vote() {
    let (_, api, [ben, chloe]) = ready().await;
    let (id, statement) = asked(&api, 5_000).await;
    let (_, other) = asked(&api, 5_000).await;
    let challenge = sha256(statement.as_bytes()).0;
    let good = ben.answer(&challenge, (ORIGIN, VERIFIED));
    let mut changed = good.clone();
    changed["authenticator_data"] = json!(encoded(&[0; 37]));
    let mut named = chloe.answer(&challenge, (ORIGIN, VERIFIED));
    named["credential_id"] = good["credential_id"].clone();
    let mut padded = good.clone();
    padded["signature"] = json!(format!("{}=", good["signature"].as_str().expect("a text")));
    for (flaw, sent) in [
        ("another request", ben.answer(&sha256(other.as_bytes()).0, (ORIGIN, VERIFIED))),
        ("the statement itself", ben.answer(statement.as_bytes(), (ORIGIN, VERIFIED))),
        ("another page", ben.answer(&challenge, ("https://evil.example", VERIFIED))),
        ("not verified", ben.answer(&challenge, (ORIGIN, 0x01))),
        ("nobody there", ben.answer(&challenge, (ORIGIN, 0x04))),
        ("syncs all of a sudden", ben.answer(&challenge, (ORIGIN, VERIFIED | SYNCS))),
        ("changed afterwards", changed),
        ("somebody else's under one's own name", named),
        ("somebody else's", chloe.answer(&challenge, (ORIGIN, VERIFIED))),
        ("not base64url", padded),
    ] {
        assert_eq!(
            api.refusal(vote(&id, &sent).by("Ben")).await,
            (422, "signature_invalid".into()),
            "{flaw}"
        );
    }
    let both = json!({ "passkey": good, "signature": "-----BEGIN SSH SIGNATURE-----" });
    let both = Call::post(format!("/admin/approvals/{id}/approve"), &both);
    assert_eq!(api.refusal(both.by("Ben")).await.0, 400);
    let missing = vote("apr_00000000000000000000000000000009", &good);
    assert_eq!(api.refusal(missing.by("Ben")).await.1, "approval_not_found");
    api.ok(vote(&id, &good).by("Ben")).await;
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_that_syncs_signs_but_is_not_hardware_and_a_revoked_one_signs_nothing() {
    let (_, api, [_, chloe]) = ready().await;
    let (id, statement) = asked(&api, 1).await;
    let synced = Passkey { syncs: true, ..Passkey::es256(23) };
    let enrolled = enroll(&api, BEN, &synced).await;
    assert_eq!((&enrolled["algorithm"], &enrolled["hardware"]), (&json!("webauthn-es256"), &json!(false)));
    let refused = api.refusal(synced.votes(&id, &statement).by("Ben")).await;
    assert_eq!(refused, (403, "signature_required".into()));
    // Where any signature will do, it does.
    let lax = Api::over(Box::new(MemoryStore::new()), demanding("required")).await;
    enroll(&lax, BEN, &synced).await;
    enroll(&lax, CHLOE, &chloe).await;
    let (open, said) = asked(&lax, 1).await;
    lax.ok(synced.votes(&open, &said).by("Ben")).await;
    lax.engine.stop().await;

    let keys = api.ok(Call::get(format!("/admin/people/{CHLOE}/keys")).by("Chloe")).await.json;
    let revoke = json!({ "fingerprint": keys["keys"][0]["fingerprint"] });
    api.ok(Call::post(format!("/admin/people/{CHLOE}/keys/revoke"), &revoke).by("Chloe")).await;
    enroll(&api, CHLOE, &Passkey::es256(24)).await;
    let refused = api.refusal(chloe.votes(&id, &statement).by("Chloe")).await;
    assert_eq!(refused, (403, "voting_key_not_in_force".into()));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_is_enrolled_as_it_was_approved_and_its_key_once() {
    let (_, api, [ben, _]) = ready().await;
    let path = format!("/admin/people/{CHLOE}/keys");
    let fresh = Passkey::es256(25);
    let mut request = enrolment(&CHLOE.to_string(), "");
    request["parameters"]["key"] = fresh.enrolled();
    let approval = api.approved(&request).await;
    let refused = |key: String| {
        let body = json!({ "key": key, "approval": approval });
        let call = Call::post(&path, &body).by("Ana");
        async { api.refusal(call).await }
    };
    let unusable = (422, "voting_key_unusable".to_owned());
    let spaced = serde_json::to_string_pretty(&fresh.enrolled()).expect("JSON");
    assert_eq!(refused(spaced).await, unusable);
    let mut other = fresh.enrolled();
    other["origins"] = json!(["https://evil.example"]);
    assert_eq!(refused(other.to_string()).await, unusable);
    other["origins"] = json!(["https://other.countersign.example"]);
    assert_eq!(refused(other.to_string()).await.1, "parameters_mismatch");
    // Ben's key, for another page and in Chloe's name.
    let mut taken = ben.enrolled();
    taken["origins"] = json!(["https://other.countersign.example"]);
    assert_eq!(refused(taken.to_string()).await.1, "parameters_mismatch");
    request["parameters"]["key"] = taken.clone();
    let body = json!({ "key": taken.to_string(), "approval": api.approved(&request).await });
    let refusal = api.refusal(Call::post(&path, &body).by("Ana")).await;
    assert_eq!(refusal, (409, "voting_key_in_use".into()), "whatever was agreed to");
    assert_eq!(refused(ben.enrolled().to_string()).await.1, "parameters_mismatch");
    let body = json!({ "key": fresh.enrolled().to_string(), "approval": approval });
    api.ok(Call::post(&path, &body).by("Ana")).await;
    api.engine.stop().await;
}
