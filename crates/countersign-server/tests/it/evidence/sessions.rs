//! What a fresh vote rests on is in the bundle, also where most of the log is not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PersonId, SessionId};
use countersign_core::once::Spent;
use countersign_core::passkey::{AddPasskey, NewPasskey, PasskeyAdded};
use countersign_core::session::{Method, Open, StepUp};
use countersign_core::{Actor, Command, Subject, Via};
use countersign_evidence::bundle::Completeness;
use countersign_evidence::votes::{self, VoteError};
use countersign_ledger::note::Ed25519Signer;
use countersign_ledger::webauthn::{CoseKey, Passkey};
use countersign_server::engine::{Engine, Submission};
use countersign_server::evidence::Limits;

use super::fixture::{Cases, not_shown, print, verify};
use crate::engine::fixture::BEN;

fn digest(what: &str, person: PersonId) -> Digest {
    Digest::of(format!("{what} of {person}").as_bytes())
}

fn spent(engine: &Engine, what: &str, person: PersonId) -> Option<Spent> {
    Some(Spent { sha256: digest(what, person), until: engine.now().plus_seconds(60) })
}

/// A passkey of an authenticator that holds one key for each person.
fn new_passkey(person: PersonId) -> NewPasskey {
    let seed = [u8::try_from(person.0).expect("a small id"); 32];
    let signer = Ed25519Signer::from_seed("authenticator", seed).expect("a key");
    let vkey = signer.vkey();
    let point = STANDARD.decode(vkey.rsplit('+').next().expect("a key")).expect("base64");
    let cose = [&[0xA4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], &point[1..]].concat();
    let passkey = Passkey {
        backup_eligible: false,
        credential_id: person.0.to_be_bytes().to_vec(),
        origins: vec!["https://countersign.example".to_owned()],
        public_key: CoseKey::from_bytes(&cose).expect("a point"),
        rp_id: "countersign.example".to_owned(),
    };
    let key = passkey.to_text().expect("a passkey");
    let public_key_sha256 = Digest::of(passkey.public_key.as_bytes());
    NewPasskey { key_sha256: Digest::of(key.as_bytes()), public_key_sha256, key, synced: false }
}

async fn opened(engine: &Engine, (by, open): (Actor, Open)) -> SessionId {
    let submission = Submission::new(by, Command::OpenSession(open));
    let events = engine.submit(submission).await.expect("signed in").events;
    match Command::principal(&events).map(|event| event.fact.subject()) {
        Some(Subject::Session(id)) => id,
        other => panic!("{other:?}"),
    }
}

/// Agrees by a session that a passkey opened in the place of another, having stepped up for that.
pub(super) async fn fresh_vote(engine: &Engine, (person, approval): (PersonId, ApprovalId)) {
    let request_sha256 = digest("request", person);
    let by = async |session, command| {
        let via = Some(Via { session, request_sha256 });
        engine.submit(Submission::new(person.into(), command).via(via)).await.expect("it happens");
    };
    let terminal = Open {
        person,
        method: Method::Credential {},
        session_sha256: digest("terminal", person),
        replaces: None,
        spent: None,
    };
    let first = opened(engine, (person.into(), terminal.clone())).await;
    let passkey = new_passkey(person);
    let key_sha256 = passkey.key_sha256;
    by(first, Command::AddPasskey(AddPasskey { passkey })).await;
    let method = Method::Passkey { key_sha256 };
    let browser = Open {
        method: method.clone(),
        session_sha256: digest("browser", person),
        replaces: Some(first),
        spent: spent(engine, "sign-in", person),
        ..terminal
    };
    let session = opened(engine, (Actor::Node, browser)).await;
    let spent = spent(engine, "step-up", person);
    by(session, Command::StepUp(StepUp { method, request_sha256, spent })).await;
    by(session, Command::Approve(approval.into())).await;
}

/// Nobody who verifies believes what stands beside a key.
#[test]
fn a_passkey_on_record_is_what_is_said_of_it() {
    let NewPasskey { key, key_sha256, public_key_sha256, synced } = new_passkey(BEN);
    let right = PasskeyAdded { key, key_sha256, public_key_sha256, session: None, synced };
    assert_eq!(votes::check_passkey(&right), Ok(()));
    let other = digest("key", BEN);
    for wrong in [
        PasskeyAdded { key_sha256: other, ..right.clone() },
        PasskeyAdded { public_key_sha256: other, ..right.clone() },
        PasskeyAdded { synced: true, ..right.clone() },
    ] {
        assert_eq!(votes::check_passkey(&wrong), Err(VoteError::OtherKey));
    }
    let text = PasskeyAdded { key: "a passkey".into(), ..right };
    assert!(matches!(votes::check_passkey(&text), Err(VoteError::Key(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_shows_by_what_the_votes_were_fresh() {
    let cases = Cases::fresh().await;
    for limits in [Limits::default(), Limits { whole: 0, since_census: 1_000 }] {
        let bundle = cases.collect_within(&cases.scope(), limits);
        let verified = verify(&print(&bundle)).expect("no lie");
        assert_eq!(not_shown(&verified), ["witnesses"], "{:?}", bundle.completeness);
    }
    let bundle = cases.collect_within(&cases.scope(), Limits { whole: 0, since_census: 1_000 });
    assert!(matches!(bundle.completeness, Completeness::Census { .. }));
    let kept = |kind: &str| bundle.entries.iter().filter(|entry| entry.leaf.contains(kind)).count();
    assert_eq!(kept(r#""kind":"session.stepped_up""#), 2);
}
