//! Notes, checkpoints and their keys: nothing opens that was not signed, and the independent crates read the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::checkpoint::{Checkpoint, Cosigned, MAX_ORIGIN};
use countersign_ledger::hash::sha256;
use countersign_ledger::note::{self, NoteError, SignatureType, VerifierKey};
use signed_note::{Note, StandardVerifier, Verifier as _};

use crate::ground::{self, LOG_KEYS, WITNESS_KEYS, bytes, text};

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let spaced = note::sign("one\n\ntwo\n", &[&ground::log()]).unwrap();
    bytes([ground::note(0), ground::note(17), spaced, "text alone\n".into()])
}

pub(crate) fn check(input: &[u8]) {
    let theirs = Note::from_bytes(input);
    let Some(note) = text(input) else {
        assert!(theirs.is_err());
        return;
    };
    let ours = note::unverified_text(note);
    assert_eq!(ours.as_deref().ok().map(str::as_bytes), theirs.as_ref().ok().map(Note::text));
    let opened = note::open(note, &*LOG_KEYS);
    if let Ok(opened) = &opened {
        assert_eq!(Ok(opened.text.as_str()), ours);
        assert!(
            opened.text == "one\n\ntwo\n" || ground::was_signed(&Checkpoint::parse(&opened.text).unwrap())
        );
    }
    if let Ok(cosigned) = Cosigned::open(note, &*LOG_KEYS, &*WITNESS_KEYS) {
        assert!(ground::was_signed(&cosigned.checkpoint) && opened.is_ok());
    }
    // Every text that can be signed is read back as it was, whatever it looks like.
    match note::sign(note, &[&ground::log()]) {
        Ok(signed) => assert_eq!(note::open(&signed, &*LOG_KEYS).unwrap().text, note),
        Err(error) => assert!(matches!(error, NoteError::Text | NoteError::TooLarge), "{error}"),
    }
    // Lines that others answer with never break the note they are added to.
    if let Ok(added) = note::add(&ground::NOTE, note, &*WITNESS_KEYS) {
        assert!(added.starts_with(ground::NOTE.as_str()));
        Cosigned::open(&added, &*LOG_KEYS, &*WITNESS_KEYS).unwrap();
    }
}

pub(crate) fn checkpoint_seeds() -> Vec<Vec<u8>> {
    let extended = Checkpoint { extensions: vec!["one".into(), "two".into()], ..ground::checkpoint(3) };
    bytes([0, 17].map(|size| ground::checkpoint(size).to_text()))
        .into_iter()
        .chain([extended.to_text().into_bytes()])
        .collect()
}

pub(crate) fn check_checkpoint(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let parsed = Checkpoint::parse(text);
    let theirs = tlog_tiles::Checkpoint::from_bytes(input);
    let Ok(checkpoint) = parsed else {
        // Only the origin is bounded more tightly here.
        let long = theirs.as_ref().is_ok_and(|theirs| theirs.origin().len() > MAX_ORIGIN);
        assert!(theirs.is_err() || long);
        return;
    };
    assert_eq!(checkpoint.to_text(), text);
    // Their strict reader takes no extension lines without an empty line behind them.
    if let ([], Ok(theirs)) = (checkpoint.extensions.as_slice(), &theirs) {
        assert_eq!((theirs.origin(), theirs.size()), (checkpoint.origin.as_str(), checkpoint.size));
        assert_eq!(theirs.hash().0, checkpoint.root.0);
    }
}

pub(crate) fn vkey_seeds() -> Vec<Vec<u8>> {
    let keys = [ground::log().vkey(), ground::witness(1).verifier().to_string()];
    // A name and bare key material, from which the target makes a key itself.
    let raw = [b"name\x01".as_slice(), &[7; 32]].concat();
    bytes(keys).into_iter().chain([raw]).collect()
}

pub(crate) fn check_vkey(input: &[u8]) {
    if let Some(vkey) = text(input) {
        check_one_vkey(vkey);
    }
    // Nobody guesses an id, so one is worked out for whatever name, type and key the input has.
    let Some((name, typed)) = input.split_last_chunk::<33>() else { return };
    let Some(name) = text(name) else { return };
    let id = sha256(&[name.as_bytes(), b"\n", typed].concat()).to_string();
    check_one_vkey(&format!("{name}+{}+{}", &id[..8], STANDARD.encode(typed)));
}

fn check_one_vkey(vkey: &str) {
    let theirs = StandardVerifier::new(vkey);
    match VerifierKey::parse(vkey) {
        Ok(key) => {
            assert_eq!(key.to_string(), vkey);
            if key.signature_type() == SignatureType::Ed25519 {
                let theirs = theirs.unwrap();
                assert_eq!((theirs.name(), theirs.key_id()), (key.name(), key.key_id()));
            }
        }
        // They take weak keys, control characters in names, and ids in upper case.
        Err(NoteError::WeakKey | NoteError::KeyName(_)) => {}
        Err(NoteError::VerifierKey) => {
            let id = vkey.split('+').nth(1).unwrap_or_default();
            assert!(theirs.is_err() || id.bytes().any(|byte| byte.is_ascii_uppercase()));
        }
        Err(_) => assert!(theirs.is_err()),
    }
}
