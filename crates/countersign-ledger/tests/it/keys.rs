//! A log that changes its key: whoever pinned any of its keys can verify it, and every forged handover is named.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::{Draft, EntryView, Place};
use countersign_ledger::hash::{Hash, leaf_hash, sha256};
use countersign_ledger::keys::{
    CheckpointFault, CrossSigned, Handover, KeyError, KeyHistory, LogSigner, Side, parse_log_key,
};
use countersign_ledger::note::{Ed25519Signer, NoteSigner, SignError, VerifierKey, open};
use countersign_ledger::tree::CompactRange;
use countersign_ledger::verify::{
    Damage, DamageKind, LogVerifier, Redactions, Row, StoredDetails, Trust, Verified,
};
use proptest::prelude::*;

const ORIGIN: &str = "example.com/log";

/// The key with this number.
fn key(number: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [number; 32]).unwrap()
}

fn pinned(number: u8) -> VerifierKey {
    key(number).verifier()
}

/// A log under construction and its checkpoints.
#[derive(Clone, Default)]
struct Log {
    leaves: Vec<Vec<u8>>,
    tree: CompactRange,
    notes: Vec<String>,
}

impl Log {
    /// Begun under key 1, with three more entries and a checkpoint.
    fn begun() -> Self {
        let mut log = Self::default();
        log.push("log.created", &format!(r#"{{"log_key":"{}","origin":"{ORIGIN}"}}"#, key(1).vkey()));
        log.grow(3);
        log.sign(1);
        log
    }

    /// Handed over from key 1 to key 2 at index 6, each having signed before and after.
    fn rotated() -> Self {
        let mut log = Self::begun();
        let handover = log.handover(1, 2);
        log.grow(2);
        log.sign(1);
        log.rotate(&handover.cross_signed());
        log.sign(2);
        log.grow(3);
        log.sign(2);
        log
    }

    fn push(&mut self, kind: &str, data: &str) {
        let index = u64::try_from(self.leaves.len()).unwrap();
        let draft = Draft {
            actor: "node",
            correlation: "cor_1",
            data: data.as_bytes(),
            details_sha256: None,
            environment: None,
            kind,
            subject: "log",
        };
        let place =
            Place { index, subject_seq: u32::try_from(index).unwrap() + 1, time: "2026-11-23T10:00:00.000Z" };
        let leaf = draft.leaf(place).unwrap();
        self.tree.push(leaf_hash(&leaf));
        self.leaves.push(leaf);
    }

    fn grow(&mut self, entries: usize) {
        (0..entries).for_each(|_| self.push("log.counted", "{}"));
    }

    fn sign(&mut self, number: u8) {
        self.notes.push(self.checkpoint().sign(&[&key(number)]).unwrap());
    }

    fn checkpoint(&self) -> Checkpoint {
        let (size, root) = (self.tree.size(), self.tree.root());
        Checkpoint { origin: ORIGIN.into(), size, root, extensions: vec![] }
    }

    /// What is to be signed when `old` hands over to `new` now.
    fn handover(&self, old: u8, new: u8) -> Unsigned {
        let Checkpoint { origin, size, root, .. } = self.checkpoint();
        Unsigned {
            handover: Handover { origin, size, root, old: pinned(old), new: pinned(new) },
            by: [old, new],
        }
    }

    fn rotate(&mut self, signed: &CrossSigned) {
        self.push("log.key_rotated", &data(signed));
    }

    fn verify(&self, trusted: &[u8]) -> Result<Verified, Damage> {
        let notes: Vec<&str> = self.notes.iter().map(String::as_str).collect();
        self.verify_with(trusted, &notes)
    }

    fn verify_with(&self, trusted: &[u8], notes: &[&str]) -> Result<Verified, Damage> {
        let keys: Vec<VerifierKey> = trusted.iter().map(|number| pinned(*number)).collect();
        let trust = Trust { origin: ORIGIN, keys: &keys, redactions: Redactions::None };
        let mut verifier = LogVerifier::new(&trust, notes)?;
        for (index, leaf) in (0..).zip(&self.leaves) {
            let row =
                Row { stored_index: index, leaf, stored_leaf_hash: None, details: StoredDetails::Absent };
            verifier.push(&row)?;
        }
        verifier.finish()
    }
}

/// A handover and who is to sign it.
#[derive(Clone)]
struct Unsigned {
    handover: Handover,
    by: [u8; 2],
}

impl Unsigned {
    fn cross_signed(self) -> CrossSigned {
        let [old, new] = self.by;
        self.handover.cross_sign(&key(old), &key(new)).unwrap()
    }

    /// Whatever the signatures are worth.
    fn signed_by(self, old: u8, new: u8) -> CrossSigned {
        let text = self.handover.to_text();
        let [old_signature, new_signature] = [old, new].map(|by| key(by).sign(text.as_bytes()).unwrap());
        CrossSigned { handover: self.handover, old_signature, new_signature }
    }
}

/// The data of `log.key_rotated`.
fn data(signed: &CrossSigned) -> String {
    let Handover { origin, size, root, old, new } = &signed.handover;
    let [by_old, by_new] = [&signed.old_signature, &signed.new_signature].map(|bytes| STANDARD.encode(bytes));
    format!(
        r#"{{"new_key":"{new}","new_signature":"{by_new}","old_key":"{old}","old_signature":"{by_old}","origin":"{origin}","root":"{root}","size":{size}}}"#
    )
}

/// Rotates a begun log by this handover, lets key 2 sign, and expects the rotation to be named.
#[track_caller]
fn refused(forge: impl FnOnce(Unsigned) -> CrossSigned, expected: &KeyError) {
    let mut log = Log::begun();
    let forged = forge(log.handover(1, 2));
    log.grow(2);
    log.rotate(&forged);
    log.sign(2);
    for trusted in [1, 2] {
        let found = log.verify(&[trusted]).unwrap_err();
        assert_eq!(found, Damage { index: 6, what: DamageKind::Key(expected.clone()) }, "{found}");
        assert_eq!(found.what.code(), "log_key");
    }
}

#[test]
fn any_key_of_the_history_verifies_the_whole_log() {
    let log = Log::rotated();
    for trusted in [&[1][..], &[2], &[1, 2], &[2, 9]] {
        let verified = log.verify(trusted).unwrap();
        assert_eq!((verified.size, verified.signed_size), (10, 10), "{trusted:?}");
        assert_eq!(verified.keys.tenures().len(), 2);
        assert_eq!((verified.keys.origin(), verified.keys.current()), (ORIGIN, Some(&pinned(2))));
    }
    let found = log.verify(&[9]).unwrap_err();
    assert_eq!((found.index, found.what.code()), (0, "log_key_not_trusted"));
}

#[test]
fn a_new_key_vouches_only_once_it_has_signed() {
    let mut log = Log::rotated();
    log.notes.truncate(2);
    assert_eq!(log.verify(&[1]).unwrap().signed_size, 6);
    assert_eq!(log.verify(&[2]).unwrap().signed_size, 0, "what an unpinned key signed counts for nothing");
}

#[test]
fn each_size_has_one_key_and_a_retired_one_is_named() {
    let log = Log::rotated();
    let mut history = KeyHistory::new();
    log.leaves.iter().for_each(|leaf| history.follow(&EntryView::parse(leaf).unwrap()).unwrap());
    let places: Vec<_> = (0..=10).map(|size| history.place_at(size).unwrap()).collect();
    assert_eq!(places, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);

    let late = log.checkpoint().sign(&[&key(1)]).unwrap();
    let retired = CheckpointFault::Retired { key: key(1).vkey(), until: 6 };
    assert_eq!(history.open(&late), Err(retired.clone()));
    let found = log.verify_with(&[1], &[&late]).unwrap_err();
    assert_eq!(found, Damage { index: 10, what: DamageKind::CheckpointSignature(retired) });
    assert_eq!(found.what.code(), "checkpoint_retired_key");
    assert!(found.to_string().contains(&key(1).vkey()), "{found}");

    // Before its time the new key is a stranger; together with the key in force it is one more signature.
    let early = Checkpoint { size: 6, ..log.checkpoint() };
    let unsigned = history.open(&early.sign(&[&key(2)]).unwrap());
    assert!(matches!(unsigned, Err(CheckpointFault::Invalid(_))), "{unsigned:?}");
    assert_eq!(history.open(&early.sign(&[&key(1), &key(2)]).unwrap()), Ok(early));
    assert_eq!(KeyHistory::new().open(&late), Err(CheckpointFault::NoKey));

    // Who pinned the new key does not believe the old one alone, who pinned the old one is led to the new one.
    let (old, new) = (log.notes[0].as_str(), log.notes[3].as_str());
    let not_trusted = |number: u8| Err(CheckpointFault::NotTrusted { key: key(number).vkey() });
    assert!(
        history.open_trusted(old, &[pinned(1)]).is_ok() && history.open_trusted(new, &[pinned(1)]).is_ok()
    );
    assert!(history.open_trusted(new, &[pinned(2)]).is_ok());
    assert_eq!(history.open_trusted(old, &[pinned(2)]), not_trusted(1));
    assert_eq!(history.open_trusted(new, &[pinned(9)]), not_trusted(2));
    assert!(
        KeyHistory::new().open_trusted(old, &[pinned(1)]).is_ok(),
        "who signs a log without history is pinned"
    );
}

#[test]
fn keys_follow_one_another_and_none_comes_back() {
    let mut log = Log::rotated();
    let handover = log.handover(2, 3);
    log.rotate(&handover.cross_signed());
    log.sign(3);
    for trusted in 1..=3 {
        assert_eq!(log.verify(&[trusted]).unwrap().signed_size, 11);
    }
    for former in 1..=3 {
        let mut log = log.clone();
        let back = log.handover(3, former).cross_signed();
        log.rotate(&back);
        let found = log.verify(&[1]).unwrap_err();
        assert_eq!(found, Damage { index: 11, what: DamageKind::Key(KeyError::Reused(key(former).vkey())) });
    }
}

#[test]
fn forged_handovers_are_named() {
    refused(|it| it.signed_by(9, 2), &KeyError::Signature(Side::Old));
    refused(|it| it.signed_by(1, 9), &KeyError::Signature(Side::New));
    refused(|it| it.signed_by(2, 1), &KeyError::Signature(Side::Old));
    let empty = |it: Unsigned| CrossSigned { old_signature: vec![0; 64], ..it.signed_by(1, 2) };
    refused(empty, &KeyError::Signature(Side::Old));
    let short = |it: Unsigned| CrossSigned { new_signature: vec![1; 63], ..it.signed_by(1, 2) };
    refused(short, &KeyError::Signature(Side::New));
    let none = |it: Unsigned| CrossSigned { new_signature: vec![], ..it.signed_by(1, 2) };
    refused(none, &KeyError::Signature(Side::New));

    let swapped = |mut it: Unsigned| {
        (it.handover.old, it.handover.new) = (pinned(2), pinned(1));
        it.signed_by(2, 1)
    };
    let in_force = key(1).vkey();
    refused(swapped, &KeyError::NotInForce { named: key(2).vkey(), in_force: in_force.clone() });
    let stranger = |mut it: Unsigned| {
        it.handover.old = pinned(9);
        it.signed_by(9, 2)
    };
    refused(stranger, &KeyError::NotInForce { named: key(9).vkey(), in_force });

    let other = "example.com/other";
    let elsewhere = |mut it: Unsigned| {
        it.handover.origin = other.into();
        it.signed_by(1, 2)
    };
    refused(elsewhere, &KeyError::Origin { named: other.into(), log: ORIGIN.into() });
    // Signed for another log and relabelled: then the text is another one.
    let relabelled = |it: Unsigned| {
        let mut signed = elsewhere(it);
        signed.handover.origin = ORIGIN.into();
        signed
    };
    refused(relabelled, &KeyError::Signature(Side::Old));

    let fork = |mut it: Unsigned| {
        it.handover.root = sha256(b"fork");
        it.cross_signed()
    };
    refused(fork, &KeyError::Root { size: 4 });
    for size in [0, 7] {
        let misplaced = |mut it: Unsigned| {
            it.handover.size = size;
            it.cross_signed()
        };
        refused(misplaced, &KeyError::Size { named: size, least: 1, most: 6 });
    }
}

#[test]
fn entries_of_another_form_are_named() {
    let good = data(&Log::begun().handover(1, 2).cross_signed());
    for (from, to, expected) in [
        ("\"old_key\"", "\"old_kex\"", KeyError::Form("old_key")),
        ("\"root\":\"", "\"root\":\"x", KeyError::Form("root")),
        ("\"size\":4", "\"size\":-4", KeyError::Form("size")),
        ("\"size\":4", "\"size\":\"4\"", KeyError::Form("size")),
        ("\"new_signature\":\"", "\"new_signature\":\"*", KeyError::Form("new_signature")),
        (&key(2).vkey(), "nobody", KeyError::Key("nobody".into())),
    ] {
        let mut log = Log::begun();
        assert!(good.contains(from), "{good}");
        log.push("log.key_rotated", &good.replace(from, to));
        assert_eq!(log.verify(&[1]).unwrap_err().what, DamageKind::Key(expected));
    }
    let mut twice = Log::begun();
    twice.push("log.created", &format!(r#"{{"log_key":"{}","origin":"{ORIGIN}"}}"#, key(9).vkey()));
    assert_eq!(twice.verify(&[1]).unwrap_err().what, DamageKind::Key(KeyError::SecondBeginning));
    let mut headless = Log::default();
    headless.grow(3);
    headless.push("log.key_rotated", &good);
    assert_eq!(headless.verify(&[1]).unwrap_err().what, DamageKind::Key(KeyError::NoBeginning));
}

#[test]
fn the_statement_is_a_note_that_is_no_checkpoint() {
    let signed = Log::begun().handover(1, 2).cross_signed();
    let text = signed.handover.to_text();
    let root = STANDARD.encode(signed.handover.root.0);
    let (old, new) = (key(1).vkey(), key(2).vkey());
    let expected = format!(
        "countersign log key handover v1\norigin {ORIGIN}\nsize 4\nroot {root}\nold {old}\nnew {new}\n"
    );
    assert_eq!(text, expected);
    assert!(Checkpoint::parse(&text).is_err());
    let opened = open(&signed.to_note().unwrap(), &[pinned(1), pinned(2)]).unwrap();
    assert_eq!((opened.text, opened.signed_by.len()), (text, 2));
}

/// A signer that answers with another key's signature, as a wrongly configured service does.
struct Confused;

impl NoteSigner for Confused {
    fn name(&self) -> &str {
        ORIGIN
    }

    fn key_id(&self) -> u32 {
        pinned(2).key_id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        key(9).sign(text)
    }
}

impl LogSigner for Confused {
    fn verifier(&self) -> VerifierKey {
        pinned(2)
    }
}

#[test]
fn what_a_signer_returns_is_checked_before_it_is_believed() {
    let handover = Log::begun().handover(1, 2).handover;
    let refused = handover.cross_sign(&key(1), &Confused).unwrap_err();
    assert!(matches!(&refused, SignError::Refused(why) if why.contains("new key")), "{refused}");
}

#[test]
fn only_plain_ed25519_keys_sign_logs() {
    assert_eq!(parse_log_key(&key(1).vkey()), Ok(pinned(1)));
    for odd in ["", "nobody", &key(1).vkey().replace("+A", "+B"), &format!("{} ", key(1).vkey())] {
        assert_eq!(parse_log_key(odd), Err(KeyError::Key(odd.into())));
    }
}

proptest! {
    #[test]
    fn every_changed_byte_of_a_handover_is_noticed(member in 0..7_usize, at in 0..40_usize, bit in 0..7_u8) {
        let mut signed = Log::begun().handover(1, 2).cross_signed();
        let flip = |bytes: &mut [u8]| { let at = at % bytes.len(); bytes[at] ^= 1 << bit; };
        match member {
            0 => flip(&mut signed.old_signature),
            1 => flip(&mut signed.new_signature),
            2 => { let Hash(root) = &mut signed.handover.root; flip(root); }
            3 => signed.handover.size ^= 1 << bit,
            4 => signed.handover.origin.push('x'),
            5 => signed.handover.old = pinned(bit + 10),
            _ => signed.handover.new = pinned(bit + 10),
        }
        prop_assert!(signed.verify().is_err());
        let mut log = Log::begun();
        log.grow(2);
        log.rotate(&signed);
        let found = log.verify(&[1]).unwrap_err();
        prop_assert!(matches!(found.what, DamageKind::Key(_)), "{found}");
    }
}
