//! Witness policies: every fault by name, and when a quorum is met.

use countersign_ledger::checkpoint::{Checkpoint, CheckpointError};
use countersign_ledger::hash::{leaf_hash, sha256};
use countersign_ledger::note::{Cosigner, Ed25519Signer, NoteError, NoteSigner, SignedBy};
use countersign_ledger::proof::ProofFile;
use countersign_ledger::witness::{Policy, PolicyFault};
use proptest::prelude::*;

const ORIGIN: &str = "example.com/log";

fn log(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [seed; 32]).unwrap()
}

fn witness(number: u8) -> Cosigner {
    Cosigner::from_seed(&format!("witness.example/w{number}"), [100 + number; 32]).unwrap()
}

/// The text with `LOG` and `KEY1` to `KEY9` replaced by keys.
fn with_keys(text: &str) -> String {
    let text = text.replace("LOG", &log(1).vkey());
    (1..=9).fold(text, |text, number| {
        text.replace(&format!("KEY{number}"), &witness(number).verifier().to_string())
    })
}

fn policy(text: &str) -> Policy {
    Policy::parse(&with_keys(text)).unwrap()
}

/// The example of the specification.
const EXAMPLE: &str = "log LOG

witness X1 KEY1
witness X2 KEY2
witness X3 KEY3
group X-witnesses 2 X1 X2 X3

witness Y1 KEY4
witness Y2 KEY5
witness Y3 KEY6
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
";

/// Whether these witnesses meet the policy.
fn is_met(policy: &Policy, numbers: &[u8]) -> bool {
    let cosigned: Vec<SignedBy> = numbers.iter().map(|number| signed_by(&witness(*number))).collect();
    policy.is_met_by(&cosigned)
}

fn signed_by(witness: &Cosigner) -> SignedBy {
    let key = witness.verifier();
    SignedBy { name: key.name().into(), key_id: key.key_id(), cosigned_at: Some(1) }
}

#[test]
fn the_example_of_the_specification() {
    let policy = policy(EXAMPLE);
    assert_eq!((policy.logs.len(), policy.witnesses.len()), (1, 6));
    for enough in [&[1, 2, 4][..], &[1, 3, 6], &[2, 3, 5], &[1, 2, 3, 4, 5, 6]] {
        assert!(is_met(&policy, enough), "{enough:?}");
    }
    for too_few in [&[][..], &[1, 4], &[1, 2, 3], &[4, 5, 6], &[1, 1, 4], &[7, 8, 9]] {
        assert!(!is_met(&policy, too_few), "{too_few:?}");
    }
    // A plain signature under the same name and id is no cosignature.
    let plain = SignedBy { cosigned_at: None, ..signed_by(&witness(1)) };
    assert!(!policy.is_met_by(&[plain, signed_by(&witness(2)), signed_by(&witness(4))]));
}

#[test]
fn lenient_where_the_specification_is() {
    let text = "# comment\n\t  # another\n\n \t\n  log\tLOG   https://log.example/ \nwitness 2 KEY1 https://w.example/\n\
        witness any KEY2\ngroup all all any 2\nquorum all";
    let policy = policy(text);
    assert_eq!(policy.logs[0].url.as_deref(), Some("https://log.example/"));
    assert_eq!(policy.witnesses[0].url.as_deref(), Some("https://w.example/"));
    assert_eq!(policy.witnesses[1].name, "any");
    assert!(is_met(&policy, &[1, 2]) && !is_met(&policy, &[1]));
    let nothing = Policy::parse("quorum none\n").unwrap();
    assert!(is_met(&nothing, &[]) && nothing.logs.is_empty());
    // A group may be part of another and be the quorum itself.
    let inner = self::policy("witness a KEY1\ngroup g any a\ngroup h any g\nquorum g\n");
    assert!(is_met(&inner, &[1]) && !is_met(&inner, &[2]));
}

#[test]
fn every_fault_is_named_with_its_line() {
    let twin = Cosigner::from_seed("another.example/name", [101; 32]).unwrap().verifier().to_string();
    let w1 = "witness a KEY1\n";
    let unknown = |name: &str| PolicyFault::Unknown(name.into());
    for (text, line, fault) in [
        ("quorum none\r\n", 1, PolicyFault::ControlCharacter),
        ("quorum none\n\u{1}", 2, PolicyFault::ControlCharacter),
        ("quorum none\u{7f}", 1, PolicyFault::ControlCharacter),
        ("\nquibble a\n", 2, PolicyFault::Keyword("quibble".into())),
        ("Quorum none\n", 1, PolicyFault::Keyword("Quorum".into())),
        ("log\n", 1, PolicyFault::Form("log <vkey> [<url>]")),
        ("log LOG https://a/ # comment\n", 1, PolicyFault::Form("log <vkey> [<url>]")),
        ("witness a\n", 1, PolicyFault::Form("witness <name> <vkey> [<url>]")),
        ("quorum\n", 1, PolicyFault::Form("quorum <name>")),
        ("quorum none none\n", 1, PolicyFault::Form("quorum <name>")),
        (&format!("{w1}group g any\n"), 2, PolicyFault::Form("group <name> <any|all|k> <name>…")),
        ("group g\n", 1, PolicyFault::Form("group <name> <any|all|k> <name>…")),
        ("log garbage\n", 1, PolicyFault::Key(NoteError::VerifierKey)),
        ("witness a garbage\n", 1, PolicyFault::Key(NoteError::VerifierKey)),
        ("log KEY1\n", 1, PolicyFault::KeyType),
        ("witness a LOG\n", 1, PolicyFault::KeyType),
        ("log LOG\nlog LOG https://a/\n", 2, PolicyFault::DuplicateKey),
        (&format!("{w1}witness b {twin}\n"), 2, PolicyFault::DuplicateKey),
        (&format!("{w1}witness a KEY2\n"), 2, PolicyFault::DuplicateName("a".into())),
        (&format!("{w1}group a any a\n"), 2, PolicyFault::DuplicateName("a".into())),
        ("witness none KEY1\n", 1, PolicyFault::ReservedName),
        (&format!("{w1}group none any a\n"), 2, PolicyFault::ReservedName),
        (&format!("{w1}group g any b\n"), 2, unknown("b")),
        ("group g any a\nwitness a KEY1\n", 1, unknown("a")),
        (&format!("{w1}group g any g\n"), 2, unknown("g")),
        (&format!("{w1}group g any none a\n"), 2, unknown("none")),
        (&format!("{w1}quorum b\n"), 2, unknown("b")),
        ("quorum a\nwitness a KEY1\n", 1, unknown("a")),
        (&format!("{w1}group g all a a\n"), 2, PolicyFault::RepeatedMember("a".into())),
        (&format!("{w1}group g any a\ngroup h any a\n"), 3, PolicyFault::RepeatedMember("a".into())),
        (&format!("{w1}group g 0 a\n"), 2, PolicyFault::Threshold { members: 1 }),
        (&format!("{w1}group g 2 a\n"), 2, PolicyFault::Threshold { members: 1 }),
        (&format!("{w1}group g -1 a\n"), 2, PolicyFault::Threshold { members: 1 }),
        (&format!("{w1}group g 01 a\n"), 2, PolicyFault::Threshold { members: 1 }),
        (&format!("{w1}group g most a\n"), 2, PolicyFault::Threshold { members: 1 }),
        (&format!("{w1}quorum a\nquorum a\n"), 3, PolicyFault::SecondQuorum),
        (w1, 2, PolicyFault::NoQuorum),
        ("", 1, PolicyFault::NoQuorum),
        (&format!("{}quorum none\n", group_chain(1001)), 1001, PolicyFault::TooLarge),
    ] {
        let error = Policy::parse(&with_keys(text)).unwrap_err();
        assert_eq!((error.line, &error.fault), (line, &fault), "{text:?}: {error}");
    }
}

/// One witness and groups around it, so many definitions in all.
fn group_chain(definitions: usize) -> String {
    let groups = (2..=definitions).map(|number| format!("group {number} any {}\n", number - 1));
    format!("witness 1 KEY1\n{}", groups.collect::<String>())
}

#[test]
fn the_deepest_policy_is_bearable() {
    let deep = policy(&format!("{}quorum 1000\n", group_chain(1000)));
    assert!(is_met(&deep, &[1]) && !is_met(&deep, &[2]));
}

#[test]
fn a_checkpoint_is_believed_when_its_log_signed_and_the_quorum_cosigned() {
    let policy = policy(
        "log LOG\nwitness one KEY1\nwitness two KEY2\nwitness three KEY3\ngroup g 2 one two three\nquorum g\n",
    );
    let root = leaf_hash(b"a");
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 1, root, extensions: Vec::new() };
    let (w1, w2, w3) = (witness(1), witness(2), witness(3));
    let note = checkpoint.sign(&[&log(1), &w3.at(30).unwrap(), &w1.at(10).unwrap()]).unwrap();
    let witnessed = policy.open(&note).unwrap();
    assert_eq!(witnessed.checkpoint, checkpoint);
    assert_eq!(witnessed.witnesses, [("one".to_owned(), 10), ("three".to_owned(), 30)]);
    // The offline proof of an entry under this policy.
    let file = ProofFile { extra: Vec::new(), index: 0, proof: Vec::new(), checkpoint: note };
    assert_eq!(file.leads_to(leaf_hash(b"a"), &policy.open(&file.checkpoint).unwrap().checkpoint), Ok(()));

    let fails = |checkpoint: &Checkpoint, signers: &[&dyn NoteSigner]| {
        policy.open(&checkpoint.sign(signers).unwrap()).map(drop).unwrap_err()
    };
    let two_witnesses = (w1.at(1).unwrap(), w2.at(1).unwrap());
    let unwitnessed = CheckpointError::Note(NoteError::Unwitnessed);
    assert_eq!(fails(&checkpoint, &[&log(1), &two_witnesses.0]), unwitnessed);
    assert_eq!(fails(&checkpoint, &[&log(1), &two_witnesses.0, &w1.at(2).unwrap()]), unwitnessed);
    assert_eq!(fails(&checkpoint, &[&log(1), &two_witnesses.0, &witness(4).at(2).unwrap()]), unwitnessed);
    let unsigned = CheckpointError::Note(NoteError::Unsigned);
    assert_eq!(fails(&checkpoint, &[&two_witnesses.0, &two_witnesses.1]), unsigned);
    assert_eq!(fails(&checkpoint, &[&log(2), &two_witnesses.0, &two_witnesses.1]), unsigned);
    // A listed log signs only its own origin.
    let other = Checkpoint { origin: "example.com/other".into(), root: sha256(b""), ..checkpoint };
    assert_eq!(fails(&other, &[&log(1), &two_witnesses.0, &two_witnesses.1]), unsigned);
}

proptest! {
    #[test]
    fn another_cosignature_never_harms_and_all_are_always_enough(
        thresholds in (1..=3_usize, 1..=3_usize, 1..=2_usize),
        cosigned in prop::collection::btree_set(1..=6_u8, 0..=6),
        more in 1..=6_u8,
    ) {
        let (x, y, both) = thresholds;
        let text = EXAMPLE
            .replace("X-witnesses 2 X1", &format!("X-witnesses {x} X1"))
            .replace("Y-witnesses any Y1", &format!("Y-witnesses {y} Y1"))
            .replace("X-and-Y all", &format!("X-and-Y {both}"));
        let policy = policy(&text);
        let numbers: Vec<u8> = cosigned.iter().copied().collect();
        let count = |of: std::ops::RangeInclusive<u8>| numbers.iter().filter(|number| of.contains(number)).count();
        let groups = usize::from(count(1..=3) >= x) + usize::from(count(4..=6) >= y);
        prop_assert_eq!(is_met(&policy, &numbers), groups >= both);
        if is_met(&policy, &numbers) {
            prop_assert!(is_met(&policy, &[&numbers[..], &[more]].concat()));
        }
        prop_assert!(is_met(&policy, &[1, 2, 3, 4, 5, 6]));
    }
}
