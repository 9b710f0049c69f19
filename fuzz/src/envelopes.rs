//! Envelopes: what parses prints back to the same envelope, and nothing opens that was not signed.

use countersign_ledger::dsse::Envelope;

use crate::ground::{self, LOG_KEYS};

const KIND: &str = "text/plain";
const SIGNED: [&[u8]; 2] = [b"", b"leave to act"];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let signed = |payload: &&[u8]| Envelope::sign(KIND, payload.to_vec(), &[&ground::log()]).unwrap();
    let mut seeds: Vec<Vec<u8>> = SIGNED.iter().map(|payload| signed(payload).to_json()).collect();
    let mut anonymous = signed(&SIGNED[1]);
    anonymous.signatures[0].keyid.clear();
    seeds.push(anonymous.to_json());
    seeds
}

pub(crate) fn check(input: &[u8]) {
    let Ok(envelope) = Envelope::parse(input) else { return };
    assert_eq!(Envelope::parse(&envelope.to_json()).as_ref(), Ok(&envelope));
    if let Ok((payload, by)) = envelope.open(KIND, &*LOG_KEYS) {
        assert!(SIGNED.contains(&payload) && by.len() == 1);
    }
}
