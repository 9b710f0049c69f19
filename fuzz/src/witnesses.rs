//! Witness requests and policies: a witness cosigns one history only, and a policy means what its lines say.

use std::sync::LazyLock;

use countersign_ledger::note::SignedBy;
use countersign_ledger::proof::consistency_proof;
use countersign_ledger::witness::{AddCheckpoint, Known, Objection, Policy, Quorum, Seen, judge};

use crate::ground::{self, LOG_KEYS, ORIGIN, TREE, bytes, text};

/// What the witness of the target cosigned last.
const LAST: u64 = 6;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let request = |old_size, new| {
        let proof =
            if old_size == 0 { Vec::new() } else { consistency_proof(&*TREE, old_size, new).unwrap() };
        AddCheckpoint { old_size, proof, checkpoint: ground::note(new) }.to_string()
    };
    bytes([request(0, 5), request(LAST, LAST), request(LAST, 17), request(64, 70)])
}

pub(crate) fn check(input: &[u8]) {
    let Some(body) = text(input) else { return };
    let Ok(request) = body.parse::<AddCheckpoint>() else { return };
    assert_eq!(request.to_string(), body);
    for size in [0, LAST] {
        let last = Seen { size, root: TREE.root(size).unwrap() };
        match judge(&request, Some(&Known { origin: ORIGIN, keys: &*LOG_KEYS, last })) {
            Ok(cosignable) => {
                assert!(ground::was_signed(&cosignable.checkpoint) && cosignable.checkpoint.size >= size);
                assert_eq!(request.old_size, size);
                let honest = consistency_proof(&*TREE, size, cosignable.checkpoint.size);
                assert!(
                    size == 0 && request.proof.is_empty()
                        || honest.is_ok_and(|honest| honest == request.proof)
                );
            }
            // The log signs no second history, so nobody can show one.
            Err(objection) => assert_ne!(objection, Objection::Fork),
        }
    }
    assert_eq!(judge(&request, None), Err(Objection::UnknownOrigin));
}

/// `$0` stands for the log's key and `$1` to `$9` for those of witnesses, which nobody guesses.
pub(crate) fn policy_seeds() -> Vec<Vec<u8>> {
    bytes([
        "log $0 https://log.example/\nwitness a $1\nwitness b $2 https://b.example/\ngroup g 2 a b\nquorum g\n".into(),
        "# none\n\tquorum none".into(),
        "witness a $1\nwitness b $2\nwitness c $3\ngroup ab any a b\ngroup all all ab c\nquorum all\n".into(),
    ])
}

static KEYS: LazyLock<[String; 10]> = LazyLock::new(|| {
    std::array::from_fn(|number| match u8::try_from(number) {
        Ok(number @ 1..) => ground::witness(number).verifier().to_string(),
        _ => ground::log().vkey(),
    })
});

pub(crate) fn check_policy(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let with_key = |text: String, (number, key): (usize, &String)| text.replace(&format!("${number}"), key);
    let text = KEYS.iter().enumerate().fold(text.to_owned(), with_key);
    let Ok(policy) = Policy::parse(&text) else { return };
    let cosigned: Vec<SignedBy> = policy
        .witness_keys()
        .iter()
        .map(|key| SignedBy { name: key.name().into(), key_id: key.key_id(), cosigned_at: Some(1) })
        .collect();
    // All are always enough, none only where none is asked for, and one more never harms.
    assert!(policy.is_met_by(&cosigned));
    assert_eq!(policy.is_met_by(&[]), policy.quorum == Quorum::None);
    let met: Vec<bool> = (0..=cosigned.len()).map(|count| policy.is_met_by(&cosigned[..count])).collect();
    assert!(met.is_sorted());
    for (place, key) in policy.witness_keys().iter().enumerate() {
        assert!(!policy.witness_keys()[..place].iter().any(|other| other.is_same_key(key)));
    }
    if let Ok(witnessed) = policy.open(&ground::NOTE) {
        assert!(ground::was_signed(&witnessed.checkpoint));
    }
}
