//! Signed notes and checkpoints: the specification's own vector, every malformation, and an independent crate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::checkpoint::{Checkpoint, CheckpointError};
use countersign_ledger::hash::sha256;
use countersign_ledger::note::{
    Ed25519Signer, NoteError, NoteSigner, SignError, VerifierKey, open, sign, unverified_text,
};
use proptest::prelude::*;
use signed_note::{Note, Signer as _, StandardSigner, StandardVerifier, VerifierList};

/// The key and note of the tests of `golang.org/x/mod/sumdb/note`, where the format comes from.
const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn peter() -> Ed25519Signer {
    let encoded = SKEY.rsplit_once("+c74f20a3+").unwrap().1;
    let key = STANDARD.decode(encoded).unwrap();
    Ed25519Signer::from_seed("PeterNeumann", key[1..].try_into().unwrap()).unwrap()
}

fn other(name: &str) -> Ed25519Signer {
    Ed25519Signer::from_seed(name, [9; 32]).unwrap()
}

#[test]
fn published_vector() {
    assert_eq!(peter().vkey(), VKEY);
    let note = sign(TEXT, &[&peter()]).unwrap();
    assert_eq!(note, format!("{TEXT}\n{SIGNATURE}"));
    let key = VerifierKey::parse(VKEY).unwrap();
    assert_eq!(key.to_string(), VKEY);
    let opened = open(&note, &[key]).unwrap();
    assert_eq!(opened.text, TEXT);
    assert_eq!(
        (opened.signed_by[0].name.as_str(), opened.signed_by[0].key_id),
        ("PeterNeumann", 0xc74f_20a3)
    );
}

#[test]
fn malformed_notes_are_refused_here_and_by_the_independent_crate() {
    let good = format!("{TEXT}\n{SIGNATURE}");
    let flood = format!("{TEXT}\n{}", SIGNATURE.repeat(101));
    for bad in [
        good.trim_end().to_owned(),
        good.replace("\n\n", "\n"),
        good.replace('\u{2014}', "-"),
        good.replace("\u{2014} ", "\u{2014}"),
        good.replace("AM=", "AM"),
        good.replace("AM=", "AN="),
        good.replace(" x08go", "  x08go"),
        good.replace("PeterNeumann", "Peter+Neumann"),
        good.replace("PeterNeumann", "Peter\u{2003}Neumann"),
        good.replace("think", "th\tink"),
        good.replace("think", "th\rink"),
        format!("{good}\n"),
        format!("{good}trailing\n"),
        format!("{TEXT}\n\u{2014} PeterNeumann x08gow==\n"),
        flood,
        String::new(),
    ] {
        let result = open(&bad, &[VerifierKey::parse(VKEY).unwrap()]);
        assert!(matches!(result, Err(NoteError::Malformed(_))), "{bad:?}: {result:?}");
        let theirs = Note::from_bytes(bad.as_bytes());
        assert!(theirs.is_err(), "{bad:?}: {theirs:?}");
    }
}

#[test]
fn only_known_keys_count_and_none_of_them_may_be_wrong() {
    let keys = [VerifierKey::parse(VKEY).unwrap()];
    let both = sign(TEXT, &[&other("example.com/witness"), &peter()]).unwrap();
    assert_eq!(open(&both, &keys).unwrap().signed_by.len(), 1);
    let stranger = sign(TEXT, &[&other("PeterNeumann")]).unwrap();
    assert_eq!(open(&stranger, &keys), Err(NoteError::Unsigned));
    assert_eq!(open(&both, &[]), Err(NoteError::Unsigned));

    let changed = both.replace("problem is", "problem was");
    assert_eq!(open(&changed, &keys), Err(NoteError::InvalidSignature("PeterNeumann".into())));
    // One good signature does not excuse a bad one of another known key, nor of the same key.
    let all = [keys[0].clone(), other("example.com/witness").verifier()];
    let forged = format!("{TEXT}\n{SIGNATURE}{}", line_of("example.com/witness", [1; 64]));
    assert_eq!(open(&forged, &all), Err(NoteError::InvalidSignature("example.com/witness".into())));
    let repeated = format!("{TEXT}\n{SIGNATURE}{SIGNATURE}");
    assert_eq!(open(&repeated, &keys).unwrap().signed_by.len(), 1);
}

/// A signature line of the other key with these bytes as signature.
fn line_of(name: &str, signature: [u8; 64]) -> String {
    let id = other(name).key_id().to_be_bytes();
    format!("\u{2014} {name} {}\n", STANDARD.encode([id.as_slice(), &signature].concat()))
}

#[test]
fn texts_with_empty_lines_split_at_the_last() {
    let text = "one\n\n\u{2014} not a signature\n\ntwo\n";
    let note = sign(text, &[&peter()]).unwrap();
    assert_eq!(open(&note, &[peter().verifier()]).unwrap().text, text);
}

#[test]
fn what_cannot_be_a_note_is_not_signed() {
    assert_eq!(sign("no newline", &[&peter()]), Err(NoteError::Text));
    assert_eq!(sign("tab\t\n", &[&peter()]), Err(NoteError::Text));
    assert_eq!(sign(TEXT, &[]), Err(NoteError::Unsigned));
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{1}b", "a\u{2028}b"] {
        assert_eq!(Ed25519Signer::from_seed(name, [1; 32]).unwrap_err(), NoteError::KeyName(name.into()));
    }
    // Odd, but nothing that the specification forbids.
    assert!(Ed25519Signer::from_seed("a\u{7f}b", [1; 32]).is_ok());
}

/// A key that is kept elsewhere, by somebody who says no.
struct Absent(SignError);

impl NoteSigner for Absent {
    fn name(&self) -> &str {
        "example.com/absent"
    }

    fn key_id(&self) -> u32 {
        7
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(self.0.clone())
    }
}

#[test]
fn a_signer_that_does_not_sign_leaves_no_note_and_its_reason_stays() {
    for error in [SignError::Unavailable("timeout".into()), SignError::Refused("disabled".into())] {
        let refused = sign(TEXT, &[&peter(), &Absent(error.clone())]);
        assert_eq!(refused, Err(NoteError::Signer(error.clone())));
        let refused = checkpoint().sign(&[&Absent(error.clone())]);
        assert_eq!(refused, Err(CheckpointError::Note(NoteError::Signer(error))));
    }
}

#[test]
fn malformed_verifier_keys_are_refused() {
    for bad in [
        "",
        "PeterNeumann",
        &VKEY.replace("c74f20a3", "c74f20a4"),
        &VKEY.replace("c74f20a3", "C74F20A3"),
        &VKEY.replace("+AR", "+BR"),
        &VKEY.replace("PeterNeumann", ""),
        &VKEY.replace("PeterNeumann", "peterneumann"),
        &VKEY[..VKEY.len() - 4],
    ] {
        assert!(VerifierKey::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_debug_form_of_a_signer_hides_the_seed() {
    let shown = format!("{:?}", Ed25519Signer::from_seed("a", [0xAB; 32]).unwrap());
    assert!(!shown.contains("171, 171") && !shown.to_lowercase().contains("abab"), "{shown}");
}

#[test]
fn notes_pass_between_this_and_the_independent_crate() {
    let theirs = StandardSigner::new(SKEY).unwrap();
    assert_eq!((theirs.name(), theirs.key_id()), (peter().name(), peter().key_id()));
    let mut note = Note::new(TEXT.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&theirs]).unwrap();
    let ours = sign(TEXT, &[&peter()]).unwrap();
    assert_eq!(note.to_bytes(), ours.as_bytes());
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&peter().vkey()).unwrap())]);
    assert_eq!(Note::from_bytes(ours.as_bytes()).unwrap().verify(&known).unwrap().0.len(), 1);
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "example.com/log".into(),
        size: 17,
        root: sha256(b"root"),
        extensions: vec!["more".into()],
    }
}

#[test]
fn checkpoints_round_trip_and_the_independent_crate_agrees() {
    let note = checkpoint().sign(&[&other("example.com/log")]).unwrap();
    let keys = [other("example.com/log").verifier()];
    assert_eq!(Checkpoint::open(&note, &keys), Ok(checkpoint()));
    // Their strict reader wants no extension lines behind it, so both read the plain form.
    let plain = Checkpoint { extensions: vec![], ..checkpoint() };
    let hash = tlog_tiles::tlog::Hash(plain.root.0);
    let theirs = tlog_tiles::Checkpoint::new(&plain.origin, plain.size, hash, "").unwrap();
    assert_eq!(theirs.to_bytes(), plain.to_text().as_bytes());
    assert_eq!(Checkpoint::open(&note.replace("17", "18"), &keys).unwrap_err(), invalid("example.com/log"));
}

fn invalid(name: &str) -> CheckpointError {
    CheckpointError::Note(NoteError::InvalidSignature(name.into()))
}

#[test]
fn malformed_checkpoints_are_refused() {
    let good = checkpoint().to_text();
    assert_eq!(Checkpoint::parse(&good), Ok(checkpoint()));
    for bad in [
        "",
        "\n",
        good.trim_end(),
        &good.replace("17", "017"),
        &good.replace("17", "+17"),
        &good.replace("17", "-17"),
        &good.replace("17", ""),
        &good.replace("17", "18446744073709551616"),
        &good.replace("example.com/log", ""),
        &good.replace("example.com/log", &"a".repeat(256)),
        &good.replace('=', ""),
        &good.replace("more\n", "\n"),
        &good.replace("more\n", "more\n\n"),
        "example.com/log\n17\n",
    ] {
        assert!(matches!(Checkpoint::parse(bad), Err(CheckpointError::Malformed(_))), "{bad:?}");
    }
    for forged in ["a\n1", "", "a\n"] {
        let checkpoint = Checkpoint { origin: forged.into(), ..checkpoint() };
        assert!(checkpoint.sign(&[&other("a")]).is_err(), "{forged:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_notes_are_judged_alike_by_the_independent_crate(
        at in any::<prop::sample::Index>(),
        removed in 0..4_usize,
        inserted in prop_oneof![r"(\n|\n\n| |=|\+|\t|\r|\x{2014} )?", Just(SIGNATURE.to_owned()), r"\PC{0,3}"],
    ) {
        let good = format!("{TEXT}\n{SIGNATURE}{}", line_of("example.com/witness", [1; 64]));
        let places: Vec<usize> = good.char_indices().map(|(place, _)| place).collect();
        let start = at.index(places.len());
        let end = places.get(start + removed).copied().unwrap_or(good.len());
        let damaged = format!("{}{inserted}{}", &good[..places[start]], &good[end..]);
        let theirs = Note::from_bytes(damaged.as_bytes());
        let ours = unverified_text(&damaged);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", damaged);
        let Ok(theirs) = theirs else { return Ok(()) };
        prop_assert_eq!(ours.unwrap().as_bytes(), theirs.text());
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(VKEY).unwrap())]);
        let opened = open(&damaged, &[VerifierKey::parse(VKEY).unwrap()]);
        prop_assert_eq!(opened.is_ok(), theirs.verify(&known).is_ok(), "{:?}", damaged);
    }
}
