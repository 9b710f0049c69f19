//! The key ring's rules, each as `check(given, order, expect)`, and a walk through the refusals' precedence.
//!
//! No store and no HTTP: what those add is tested in `tests/it/hooks.rs`.

use super::*;

fn secret(version: Version) -> SecretText {
    SecretText::new(format!("whsec_version_number_{version}")).unwrap()
}

fn order(kind: Kind, version: Version, fence: i64) -> Order {
    Order {
        kind,
        effect: format!("eff_{}_{version}", kind.name().replace('.', "_")),
        fence,
        secret: SECRET.to_owned(),
        environment: ENVIRONMENT.to_owned(),
        rotation: "rot_1".to_owned(),
        version,
        value: (kind != Kind::Drop).then(|| secret(version)),
    }
}

fn holding(versions: &[Version], fence: i64) -> Known {
    let keys = versions.iter().map(|version| (*version, secret(*version))).collect();
    Known { ring: KeyRing { keys, signing: None, fence }, obeyed: None, dropped: false }
}

fn signing_with(version: Version, versions: &[Version]) -> Known {
    let mut known = holding(versions, 0);
    known.ring.signing = Some(version);
    known
}

fn role_of(known: &Known) -> Role {
    if known.ring.signing.is_some() { Role::Signer } else { Role::Receiver }
}

/// Expects the versions held afterwards, or the refusal's code.
#[track_caller]
fn check(given: Known, when: &Order, expect: Result<&[Version], &str>) {
    let outcome =
        decide(role_of(&given), given, when).map_err(Refusal::code).map(|decision| match decision {
            Decision::Change { ring, .. } => ring.keys.keys().copied().collect::<Vec<_>>(),
            Decision::Repeat { .. } => panic!("a new effect is not a repeat"),
        });
    assert_eq!(outcome, expect.map(<[Version]>::to_vec));
}

#[test]
fn distribute_adds_and_drop_removes() {
    check(holding(&[1], 3), &order(Kind::Distribute, 2, 3), Ok(&[1, 2]));
    check(holding(&[1], 3), &order(Kind::Distribute, 1, 4), Ok(&[1]));
    check(holding(&[1, 2], 3), &order(Kind::Drop, 1, 3), Ok(&[2]));
    check(holding(&[1, 2], 3), &order(Kind::Drop, 9, 3), Ok(&[1, 2]));
}

#[test]
fn the_last_key_stays() {
    check(holding(&[2], 3), &order(Kind::Drop, 2, 3), Err("last_key"));
}

#[test]
fn the_number_of_keys_is_bounded() {
    check(holding(&[1, 2, 3, 4, 5, 6, 7, 8], 3), &order(Kind::Distribute, 9, 3), Err("too_many_keys"));
    let forgets_the_oldest = [2, 3, 4, 5, 6, 7, 8, 9];
    check(signing_with(8, &[1, 2, 3, 4, 5, 6, 7, 8]), &order(Kind::Promote, 9, 3), Ok(&forgets_the_oldest));
}

#[test]
fn each_role_takes_its_own_orders_only() {
    check(holding(&[1], 3), &order(Kind::Promote, 2, 3), Err("unsupported"));
    check(signing_with(1, &[1]), &order(Kind::Distribute, 2, 3), Err("unsupported"));
    check(signing_with(1, &[1]), &order(Kind::Drop, 1, 3), Err("unsupported"));
}

#[test]
fn promote_switches_and_switches_back() {
    for (from, to) in [(1, 2), (2, 1)] {
        let Ok(Decision::Change { ring, answer }) =
            decide(Role::Signer, signing_with(from, &[1, 2]), &order(Kind::Promote, to, 3))
        else {
            panic!("promotion is obeyed");
        };
        assert_eq!((ring.signing, ring.keys.len()), (Some(to), 2));
        assert_eq!(
            answer,
            r#"{"acknowledged":"eff_secret_promote_2","fence":3,"versions":[1,2]}"#
                .replace("_2\"", &format!("_{to}\""))
        );
    }
}

#[test]
fn a_repeat_is_answered_as_before_under_any_fence() {
    let first = order(Kind::Distribute, 2, 3);
    for (fence, held, expect) in [(3, 3, 3), (2, 5, 5), (7, 3, 7)] {
        let mut known = holding(&[1], held);
        known.obeyed = Some((first.digest(), "as before".to_owned()));
        let repeat = decide(Role::Receiver, known, &order(Kind::Distribute, 2, fence));
        assert_eq!(repeat, Ok(Decision::Repeat { answer: "as before".to_owned(), fence: expect }));
    }
}

/// One order that is wrong in every way is refused for the first reason; with each reason removed, for the
/// next.
#[test]
fn refusals_come_in_order_of_precedence() {
    let known = || Known { obeyed: Some(([0; 32], String::new())), dropped: true, ..holding(&[1, 2], 5) };
    let mut wrong =
        Order { environment: "staging".to_owned(), value: Some(secret(9)), ..order(Kind::Promote, 2, 4) };
    check(known(), &wrong, Err("unsupported"));
    wrong.kind = Kind::Distribute;
    check(known(), &wrong, Err("unknown_secret"));
    wrong.environment = ENVIRONMENT.to_owned();
    check(known(), &wrong, Err("effect_reused"));
    let new = || Known { obeyed: None, ..known() };
    check(new(), &wrong, Err("stale_fence"));
    wrong.fence = 5;
    check(new(), &wrong, Err("version_dropped"));
    check(Known { dropped: false, ..new() }, &wrong, Err("version_conflict"));
    wrong.value = Some(secret(2));
    check(Known { dropped: false, ..new() }, &wrong, Ok(&[1, 2]));
}
