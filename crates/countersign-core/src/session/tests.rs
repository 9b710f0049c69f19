//! What sessions are worth, and for how long.

use super::*;
use crate::passkey::{AddPasskey, NewPasskey, RemovePasskey};
use crate::testing::{ANA, BEN, World};
use crate::{Actor, Command, Via};

fn passkey(number: u8) -> NewPasskey {
    let key = alloc::format!("passkey {number}");
    let public_key_sha256 = Digest::of(alloc::format!("public {number}").as_bytes());
    NewPasskey { key_sha256: Digest::of(key.as_bytes()), public_key_sha256, key, synced: false }
}

fn spent(world: &World, name: &str) -> Spent {
    Spent { sha256: Digest::of(name.as_bytes()), until: world.now.plus_seconds(300) }
}

fn open(method: Method, spent: Option<Spent>, secret: &str) -> Command {
    let session_sha256 = Digest::of(secret.as_bytes());
    Command::OpenSession(Open { person: ANA, method, session_sha256, replaces: None, spent })
}

fn id(facts: &[Fact]) -> SessionId {
    match facts.last() {
        Some(Fact::SessionOpened(id, _)) => *id,
        other => panic!("{other:?}"),
    }
}

/// A session of Ana's by her credential.
fn by_credential(world: &mut World, secret: &str) -> SessionId {
    id(&world.run(ANA.into(), &open(Method::Credential {}, None, secret)).unwrap())
}

fn via(session: SessionId) -> Option<Via> {
    Some(Via { session, request_sha256: Digest::of(b"request") })
}

#[test]
fn a_session_that_is_used_lives_on_until_its_time_is_over_and_is_written_down_now_and_then() {
    let mut world = World::new();
    let session = by_credential(&mut world, "one");
    let extend = Command::ExtendSession(Extend { session });
    world.later(450_000 - 1);
    assert_eq!(world.says(Actor::Node, &extend), "session_extended_already");
    world.later(1);
    assert_eq!(world.says(ANA, &extend), "session_not_by_node");
    assert_eq!(world.says(Actor::Node, &extend), "session.extended");
    assert_eq!(world.says(Actor::Node, &extend), "session_extended_already");
    for _ in 0..23 {
        world.later(1_790_000);
        let _ = world.says(Actor::Node, &extend);
    }
    let expires_at = world.state.session(session).unwrap().expires_at;
    assert_eq!(world.state.session(session).unwrap().idle_until, expires_at, "up to its end, and no longer");
    assert_eq!(world.says(Actor::Node, &extend), "session_extended_already");
    world.now = expires_at.plus_millis(-1);
    assert!(world.state.live_session(session, world.now).is_ok());
    world.later(1);
    assert_eq!(world.state.live_session(session, world.now), Err(Refusal::Ended));
    assert_eq!(world.says(Actor::Node, &Command::Elapse(session.into())), "session.ended");
    world.assert_replays();
}

#[test]
fn a_session_ends_with_the_passkey_that_opened_it_and_a_key_never_comes_back() {
    let mut world = World::new();
    let first = by_credential(&mut world, "first");
    let add = |number| Command::AddPasskey(AddPasskey { passkey: passkey(number) });
    let key_sha256 = passkey(1).key_sha256;
    assert_eq!(world.says_via((ANA, via(first)), &add(1)), "person.passkey_added");
    assert_eq!(world.says_via((ANA, via(first)), &add(1)), "passkey_in_use");
    let method = Method::Passkey { key_sha256 };
    let challenge = spent(&world, "challenge");
    let second = id(&world.run(Actor::Node, &open(method.clone(), Some(challenge), "second")).unwrap());
    assert_eq!(world.says(Actor::Node, &open(method.clone(), Some(challenge), "third")), "challenge_used");
    let remove = Command::RemovePasskey(RemovePasskey { key_sha256 });
    assert_eq!(world.says_via((BEN, via(first)), &remove), "session_not_yours");
    assert_eq!(world.says(ANA, &remove), "session_required");
    assert_eq!(world.says_via((ANA, via(first)), &remove), "person.passkey_removed");
    assert_eq!(world.state.live_session(second, world.now), Err(Refusal::Ended));
    assert_eq!(world.says_via((ANA, via(second)), &add(2)), "session_ended");
    assert_eq!(world.says_via((ANA, via(first)), &add(1)), "passkey_in_use");
    let other = spent(&world, "another");
    assert_eq!(world.says(Actor::Node, &open(method, Some(other), "fourth")), "unknown_passkey");
    world.assert_replays();
}

#[test]
fn who_proved_themselves_too_long_ago_changes_nothing_about_how_they_sign_in() {
    let mut world = World::new();
    let session = by_credential(&mut world, "one");
    let add = |number| Command::AddPasskey(AddPasskey { passkey: passkey(number) });
    world.later(599_999);
    assert_eq!(world.says_via((ANA, via(session)), &add(1)), "person.passkey_added");
    world.later(1);
    assert_eq!(world.says_via((ANA, via(session)), &add(2)), "proof_not_recent");
    let method = Method::Passkey { key_sha256: passkey(1).key_sha256 };
    let step_up = |spent| {
        Command::StepUp(StepUp { method: method.clone(), request_sha256: Digest::of(b"request"), spent })
    };
    assert_eq!(world.says_via((ANA, via(session)), &step_up(None)), "challenge_missing");
    let challenge = Some(spent(&world, "challenge"));
    assert_eq!(world.says_via((ANA, via(session)), &step_up(challenge)), "session.stepped_up");
    assert_eq!(world.says_via((ANA, via(session)), &step_up(challenge)), "challenge_used");
    assert_eq!(world.says_via((ANA, via(session)), &add(2)), "person.passkey_added");
    world.assert_replays();
}
