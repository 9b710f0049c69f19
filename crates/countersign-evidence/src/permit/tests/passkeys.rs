//! Quorums of passkeys: the guard verifies them by the roster alone, relying party and origins included, which stand in the keys.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::signature::{self, Signature};
use countersign_ledger::hash::sha256;
use countersign_ledger::webauthn::{CoseKey, Passkey};

use super::*;

const ORIGIN: &str = "https://countersign.example";

/// Somebody was there and was verified.
const VERIFIED: u8 = 0x05;

/// The person's passkey, which stays where it is or is one that syncs.
fn passkey(person: PersonId, syncs: bool) -> Passkey {
    let blob = blob(&voter(person));
    let cose = [&[0xA4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], &blob[blob.len() - 32..]].concat();
    Passkey {
        backup_eligible: syncs,
        credential_id: person.0.to_be_bytes().to_vec(),
        origins: vec![ORIGIN.to_owned()],
        public_key: CoseKey::from_bytes(&cose).unwrap(),
        rp_id: "countersign.example".to_owned(),
    }
}

/// A vote by a passkey, under a text, asked for by a page of this origin.
fn signed(person: PersonId, passkey: &Passkey, (text, origin, flags): (&str, &str, u8)) -> Vote {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let challenge = encode(&sha256(text.as_bytes()).0);
    let client_data =
        format!("{{\"type\":\"webauthn.get\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\"}}");
    let flags = if passkey.backup_eligible { flags | 0x08 } else { flags };
    let data = [&sha256(b"countersign.example").0, [flags].as_slice(), &[0; 4]].concat();
    let message = [data.as_slice(), &sha256(client_data.as_bytes()).0].concat();
    let key = passkey.to_text().unwrap();
    let assertion = signature::Assertion {
        authenticator_data: encode(&data),
        client_data_json: encode(client_data.as_bytes()),
        passkey: key.clone(),
        signature: encode(&voter(person).sign(&message).unwrap()),
    };
    let signature = Signature {
        key_sha256: Digest::of(key.as_bytes()),
        proof: Proof::Webauthn(assertion),
        statement_sha512: Sha512(sha512(text.as_bytes())),
    };
    Vote { signature: Some(signature), ..unsigned(person) }
}

fn pinned(policy: Policy, syncs: bool) -> Roster {
    let key = |person| (person, vec![passkey(person, syncs).to_text().unwrap()]);
    let roster = Roster { keys: BTreeMap::from([ANA, BEN, CHLOE].map(key)), ..roster(policy) };
    Roster::parse(&json::to_canonical(&roster).unwrap()).unwrap()
}

#[test]
fn a_quorum_of_passkeys_is_shown_and_counts_as_hardware_unless_they_sync() {
    for (demanded, syncs, said) in [
        ("required", false, "signed"),
        ("required", true, "signed"),
        ("hardware", false, "signed"),
        ("hardware", true, "quorum_not_signed"),
    ] {
        let policy = policy(demanded);
        let both = |text: &str| {
            [BEN, CHLOE].map(|it| signed(it, &passkey(it, syncs), (text, ORIGIN, VERIFIED))).to_vec()
        };
        let held = document(logged(leave(&policy, both)));
        assert_eq!(code(judged(&held, Some(&pinned(policy, syncs)))), said, "{demanded} {syncs}");
    }
    // One signs with a passkey, one with SSH.
    let policy = policy("required");
    let mut mixed = roster(policy.clone());
    mixed.keys.insert(CHLOE, vec![passkey(CHLOE, false).to_text().unwrap()]);
    let both = |text: &str| {
        vec![vote(BEN, &voter(BEN), text), signed(CHLOE, &passkey(CHLOE, false), (text, ORIGIN, VERIFIED))]
    };
    let held = document(logged(leave(&policy, both)));
    assert_eq!(code(judged(&held, Some(&mixed))), "signed");
}

#[test]
fn nobody_makes_up_a_passkeys_vote() {
    let strict = policy("required");
    let roster = pinned(strict.clone(), false);
    let judge = |chloe: &dyn Fn(&str) -> Vote| {
        let ben = |text: &str| signed(BEN, &passkey(BEN, false), (text, ORIGIN, VERIFIED));
        code(judged(&document(logged(leave(&strict, |text| vec![ben(text), chloe(text)]))), Some(&roster)))
    };
    let hers = passkey(CHLOE, false);
    let good = |text: &str| signed(CHLOE, &hers, (text, ORIGIN, VERIFIED));
    assert_eq!(judge(&good), "signed");
    // Under something else, on another page, without a finger, by another key under her passkey's name.
    assert_eq!(judge(&|_| signed(CHLOE, &hers, ("else", ORIGIN, VERIFIED))), "signature_invalid");
    let evil = "https://evil.example";
    assert_eq!(judge(&|text| signed(CHLOE, &hers, (text, evil, VERIFIED))), "signature_invalid");
    assert_eq!(judge(&|text| signed(CHLOE, &hers, (text, ORIGIN, 0x01))), "signature_invalid");
    let other = |text: &str| Vote { person: CHLOE, ..signed(BEN, &hers, (text, ORIGIN, VERIFIED)) };
    assert_eq!(judge(&other), "signature_invalid");
    // Her key with another page beside those that people agreed to, which that page's owner would like: genuine, and not in the roster.
    let wider = Passkey {
        origins: vec![ORIGIN.to_owned(), "https://x.countersign.example".to_owned()],
        ..hers.clone()
    };
    let elsewhere = |text: &str| signed(CHLOE, &wider, (text, "https://x.countersign.example", VERIFIED));
    assert_eq!(judge(&elsewhere), "quorum_not_signed");
    // Ben's vote again, in her name; and digests that do not fit.
    let again =
        |text: &str| Vote { person: CHLOE, ..signed(BEN, &passkey(BEN, false), (text, ORIGIN, VERIFIED)) };
    assert_eq!(judge(&again), "quorum_not_signed");
    let misnamed = |text: &str| {
        let mut vote = good(text);
        vote.signature.as_mut().unwrap().key_sha256 = Digest::of(b"other");
        vote
    };
    assert_eq!(judge(&misnamed), "signature_invalid");
    let mishashed = |text: &str| {
        let mut vote = good(text);
        vote.signature.as_mut().unwrap().statement_sha512.0[0] ^= 1;
        vote
    };
    assert_eq!(judge(&mishashed), "signature_invalid");
}

#[test]
fn one_key_under_two_names_is_no_roster() {
    let mut shared = pinned(policy("required"), false);
    let wider = Passkey { origins: vec!["https://x.countersign.example".to_owned()], ..passkey(BEN, false) };
    shared.keys.insert(CHLOE, vec![wider.to_text().unwrap()]);
    let refused = Roster::parse(&json::to_canonical(&shared).unwrap());
    assert_eq!(refused, Err(RosterError::SharedKey(CHLOE)));
}
