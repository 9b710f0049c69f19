//! Breaking the glass, its review, and what silence makes of it.

use alloc::format;
use alloc::string::ToString;

use super::{BreakGlass, Open, Reason, Review, STATEMENT_TOLERANCE_MS, Status, Timeliness, Verdict};
use crate::Actor;
use crate::delegation::Delegate;
use crate::digest::Digest;
use crate::domain::{Command, Fact};
use crate::id::{BreakGlassId, PersonId};
use crate::permit::{Finish, Outcome};
use crate::policy::Policy;
use crate::policy::replay::Past;
use crate::signature::{Algorithm, Proof, Sha512, Signature};
use crate::testing::{ANA, AUD, BEN, CHLOE, DAN, World, parameters, payout, policy, rotate};
use crate::voting_key::{EnrollKey, PublicKey, RevokeKey, enrolment};

/// Engineers may break the glass for payouts; one approver reviews that within an hour.
fn world() -> World {
    with(1)
}

fn with(reviewers: u32) -> World {
    with_policy(reviewers, |_| ())
}

fn with_policy(reviewers: u32, change: impl FnOnce(&mut Policy)) -> World {
    let mut policy = policy();
    change(&mut policy);
    let offer = serde_json::json!({
        "by": ["engineers"], "review": { "approvers": reviewers }, "review_seconds": 3600, "lifetime_seconds": 30,
    });
    policy.rules[2].break_glass = Some(serde_json::from_value(offer).unwrap());
    let mut rule = policy.rules[0].clone();
    rule.name = "enroll-keys".parse().unwrap();
    rule.verb = "enroll".parse().unwrap();
    rule.resource = "voting-key/*".parse().unwrap();
    rule.patterns = true;
    policy.rules.push(rule);
    let mut world = World::with(policy);
    [ANA, DAN].into_iter().for_each(|person| enrolled(&mut world, person, Algorithm::Ed25519));
    world
}

/// One key of each kind for each person. Whether signatures hold is not the core's to say.
fn key(person: PersonId, algorithm: Algorithm) -> PublicKey {
    let key = format!("{algorithm} of {person}");
    PublicKey { algorithm, key_sha256: Digest::of(key.as_bytes()), key, public_key_sha256: None }
}

fn enrolled(world: &mut World, person: PersonId, algorithm: Algorithm) {
    let approval = world.approved(enrolment(person).unwrap());
    let (key, parameters_sha256) = (key(person, algorithm), parameters());
    world
        .run(ANA.into(), &Command::EnrollKey(EnrollKey { person, key, approval, parameters_sha256 }))
        .unwrap();
}

/// What somebody signed with their key in a file.
fn opening(world: &World, who: PersonId) -> Open {
    signed(world, who, Algorithm::Ed25519)
}

fn signed(world: &World, who: PersonId, algorithm: Algorithm) -> Open {
    let (key_sha256, proof) = (key(who, algorithm).key_sha256, Proof::Sshsig("U1NIU0lH".into()));
    Open {
        action: payout(),
        parameters_sha256: parameters(),
        signed_at: world.now,
        signature: Signature { key_sha256, proof, statement_sha512: Sha512([7; 64]) },
        reason: Reason::Given,
    }
}

fn broken(world: &mut World, who: PersonId) -> BreakGlassId {
    let open = opening(world, who);
    let facts = world.run(who.into(), &Command::BreakGlass(open)).unwrap();
    match facts.first() {
        Some(Fact::BreakGlassOpened(id, _)) => *id,
        other => panic!("{other:?}"),
    }
}

fn review(break_glass: BreakGlassId, verdict: Verdict) -> Command {
    Command::ReviewBreakGlass(Review { break_glass, verdict, reason: Reason::Given })
}

fn it(world: &World, id: BreakGlassId) -> &BreakGlass {
    world.state.break_glass(id).unwrap()
}

#[test]
fn it_gives_a_permit_at_once_tells_everybody_and_leaves_a_debt() {
    let mut world = world();
    let open = Command::BreakGlass(opening(&world, ANA));
    assert_eq!(world.says(ANA, &open), "break_glass.opened permit.reserved incident.opened");
    let debt = world.state.break_glasses().next().unwrap().clone();
    let permit = world.state.permit(debt.permit).unwrap();
    assert_eq!((permit.executor, permit.approval, permit.break_glass), (ANA, None, Some(debt.id)));
    assert_eq!(permit.start_by, world.now.plus_seconds(30), "its life is short");
    assert_eq!(permit.work_seconds, 30);
    assert_eq!(debt.status(), Status::Open);
    assert_eq!(world.says(ANA, &Command::StartPermit(debt.permit)), "permit.started");
    let finish = Finish { permit: debt.permit, outcome: Outcome::Succeeded };
    assert_eq!(world.says(ANA, &Command::FinishPermit(finish)), "permit.succeeded");
    assert_eq!(it(&world, debt.id).status(), Status::Open, "the debt stays when the work is done");
    world.assert_replays();
}

#[test]
fn giving_the_permit_back_does_not_mend_the_glass() {
    let mut world = world();
    let id = broken(&mut world, ANA);
    let permit = it(&world, id).permit;
    assert_eq!(world.says(ANA, &Command::ReleasePermit(permit)), "permit.released");
    assert_eq!(it(&world, id).missing(&world.state).len(), 1);
}

#[test]
fn only_whom_the_rules_let_break_it_and_only_where_they_do() {
    let mut world = world();
    let mut open = opening(&world, ANA);
    assert_eq!(world.says(BEN, &Command::BreakGlass(open.clone())), "break_glass_not_allowed");
    assert_eq!(world.says(Actor::Node, &Command::BreakGlass(open.clone())), "not_a_person");
    open.action = rotate();
    assert_eq!(world.says(ANA, &Command::BreakGlass(open)), "break_glass_not_offered");
}

/// Infisical, pull request 7039: who bypassed and why were missing from history.
#[test]
fn bypass_without_a_reason_is_refused_and_its_actor_is_on_record() {
    let mut world = world();
    let silent = Open { reason: Reason::Missing, ..opening(&world, ANA) };
    assert_eq!(world.says(ANA, &Command::BreakGlass(silent)), "reason_required");
    let id = broken(&mut world, ANA);
    assert_eq!(it(&world, id).person, ANA);
    let opened = world.events.iter().find(|event| event.fact.kind() == "break_glass.opened").unwrap();
    assert_eq!(opened.actor, Actor::Person(ANA));
    let principal = Command::principal(core::slice::from_ref(opened)).unwrap();
    assert_eq!(principal.fact.kind(), "break_glass.opened", "the reason stands beside it");
    let silent = Review { break_glass: id, verdict: Verdict::Justified, reason: Reason::Missing };
    assert_eq!(world.says(BEN, &Command::ReviewBreakGlass(silent)), "reason_required");
}

/// Infisical, pull request 5556: ordinary merges raised the alarm of a bypass.
#[test]
fn bypass_alarms_come_with_bypasses_only() {
    let mut world = world();
    world.reserved(payout());
    let alarms = |world: &World| {
        let is_alarm = |fact: &Fact| matches!(fact, Fact::IncidentOpened(_, opened) if opened.cause.as_str() == "break-glass");
        world.events.iter().filter(|event| is_alarm(&event.fact)).count()
    };
    assert_eq!(alarms(&world), 0, "an approved permit is no bypass");
    broken(&mut world, ANA);
    assert_eq!(alarms(&world), 1);
}

#[test]
fn a_credential_alone_does_not_suffice() {
    let mut world = world();
    let others = Open { signature: opening(&world, DAN).signature, ..opening(&world, ANA) };
    assert_eq!(world.says(ANA, &Command::BreakGlass(others)), "voting_key_not_in_force");
    let unknown = signed(&world, ANA, Algorithm::EcdsaP256);
    assert_eq!(world.says(ANA, &Command::BreakGlass(unknown)), "voting_key_not_in_force");
    let revoke = RevokeKey { person: ANA, key_sha256: key(ANA, Algorithm::Ed25519).key_sha256, under: None };
    world.run(ANA.into(), &Command::RevokeKey(revoke)).unwrap();
    let revoked = opening(&world, ANA);
    assert_eq!(world.says(ANA, &Command::BreakGlass(revoked)), "voting_key_not_in_force");
}

#[test]
fn a_statement_works_once_and_soon() {
    let mut world = world();
    let old = opening(&world, ANA);
    world.later(STATEMENT_TOLERANCE_MS + 1);
    assert_eq!(world.says(ANA, &Command::BreakGlass(old)), "statement_stale");
    let mut ahead = opening(&world, ANA);
    ahead.signed_at = world.now.plus_millis(STATEMENT_TOLERANCE_MS + 1);
    assert_eq!(world.says(ANA, &Command::BreakGlass(ahead)), "statement_stale");
    let first = opening(&world, ANA);
    assert!(world.says(ANA, &Command::BreakGlass(first.clone())).starts_with("break_glass.opened"));
    world.later(1);
    assert_eq!(world.says(ANA, &Command::BreakGlass(first.clone())), "statement_used");
    let others = Open { signed_at: first.signed_at, ..opening(&world, DAN) };
    assert!(
        world.says(DAN, &Command::BreakGlass(others)).starts_with("break_glass.opened"),
        "each their own"
    );
    let next = opening(&world, ANA);
    assert!(world.says(ANA, &Command::BreakGlass(next)).starts_with("break_glass.opened"));
    world.assert_replays();
}

#[test]
fn others_review_it_and_one_unjustified_is_the_verdict() {
    let mut world = with(2);
    let id = broken(&mut world, ANA);
    assert_eq!(world.says(ANA, &review(id, Verdict::Justified)), "self_review");
    assert_eq!(world.says(AUD, &review(id, Verdict::Justified)), "not_a_reviewer");
    assert_eq!(world.says(BEN, &review(id, Verdict::Unjustified)), "break_glass.reviewed");
    assert_eq!(world.says(BEN, &review(id, Verdict::Justified)), "already_reviewed");
    let missing = it(&world, id).missing(&world.state);
    assert_eq!(missing[0].could, [CHLOE]);
    assert_eq!(
        world.says(CHLOE, &review(id, Verdict::Justified)),
        "break_glass.reviewed break_glass.settled"
    );
    let (_, settled) = it(&world, id).settled.clone().unwrap();
    assert_eq!((settled.verdict, settled.timeliness), (Verdict::Unjustified, Timeliness::InTime));
    assert_eq!(world.says(CHLOE, &review(id, Verdict::Justified)), "break_glass_settled");
    world.assert_replays();
}

/// A delegate, of whichever of the opener's accounts, does not review in their favour.
#[test]
fn who_stands_in_for_the_opener_does_not_review_it() {
    for (linked, away) in [(false, ANA), (true, AUD)] {
        let mut world = with_policy(1, |policy| {
            if linked {
                policy.linked.push([ANA, AUD].into());
            }
        });
        let id = broken(&mut world, ANA);
        let until = world.now.plus_seconds(60);
        world.run(Actor::Person(away), &Command::Delegate(Delegate { to: BEN, from: None, until })).unwrap();
        assert_eq!(world.says(BEN, &review(id, Verdict::Justified)), "self_review", "{linked}");
        world.later(60_000);
        assert_eq!(
            world.says(BEN, &review(id, Verdict::Justified)),
            "break_glass.reviewed break_glass.settled",
            "{linked}"
        );
    }
}

#[test]
fn an_overdue_review_stops_everybody_until_it_is_done() {
    let mut world = world();
    let id = broken(&mut world, ANA);
    world.later(3_599_999);
    let again = Command::BreakGlass(opening(&world, DAN));
    assert!(world.clone().says(DAN, &again).starts_with("break_glass.opened"), "an open debt stops nobody");
    world.later(1);
    let again = Command::BreakGlass(opening(&world, DAN));
    // The deadline counts, not the note of it.
    let refusal = world.run(DAN.into(), &again).unwrap_err();
    assert_eq!(refusal.code(), "break_glass_overdue");
    assert!(refusal.to_string().contains(&id.to_string()), "{refusal}");
    assert_eq!(world.says(Actor::Node, &Command::Elapse(id.into())), "break_glass.overdue incident.opened");
    assert_eq!(world.says(Actor::Node, &Command::Elapse(id.into())), "");
    assert_eq!(world.says(DAN, &again), "break_glass_overdue");
    assert_eq!(world.says(BEN, &review(id, Verdict::Justified)), "break_glass.reviewed break_glass.settled");
    let (_, settled) = it(&world, id).settled.clone().unwrap();
    assert_eq!(settled.timeliness, Timeliness::Late);
    assert!(world.says(DAN, &again).starts_with("break_glass.opened"));
    world.assert_replays();
}

#[test]
fn a_late_review_writes_the_silence_down_first() {
    let mut world = world();
    let id = broken(&mut world, ANA);
    world.later(3_600_000);
    let facts = world.run(BEN.into(), &review(id, Verdict::Justified)).unwrap();
    let kinds: alloc::vec::Vec<_> = facts.iter().map(Fact::kind).collect();
    assert_eq!(
        kinds,
        ["break_glass.overdue", "incident.opened", "break_glass.reviewed", "break_glass.settled"]
    );
}

#[test]
fn what_nobody_could_review_is_not_done() {
    let mut world = with(3);
    let open = Command::BreakGlass(opening(&world, ANA));
    assert_eq!(world.says(ANA, &open), "break_glass_unreviewable", "Ana herself is the third approver");
}

/// Under the policy it was done under nothing of it is different, the permit that needs no approval included.
#[test]
fn an_opening_is_judged_again_under_another_policy() {
    let mut world = world();
    broken(&mut world, ANA);
    let mut past = Past::since(world.events[0].at);
    world.events.iter().for_each(|event| past.see(event));
    let policy = world.state.policy().unwrap().policy.clone();
    assert_eq!(past.replayed().openings, 1);
    let differences = |change: &dyn Fn(&mut Policy)| {
        let mut policy = policy.clone();
        change(&mut policy);
        let found = past.differences(&policy).into_iter();
        let told = found.map(|it| format!("{}: {} -> {}", it.what, it.then, it.now));
        told.collect::<alloc::vec::Vec<_>>()
    };
    assert_eq!(differences(&|_| ()), [""; 0]);
    let not_offered = differences(&|policy| policy.rules[2].break_glass = None);
    assert_eq!(not_offered, ["break_glass: allowed -> break_glass_not_offered"]);
    let not_to_ana = differences(&|policy| {
        let offer = policy.rules[2].break_glass.as_mut().unwrap();
        offer.by = ["auditors".parse().unwrap()].into();
    });
    assert_eq!(not_to_ana, ["break_glass: allowed -> break_glass_not_allowed"]);
    let stricter = differences(&|policy| {
        let offer = policy.rules[2].break_glass.as_mut().unwrap();
        offer.review.insert("approvers".parse().unwrap(), 2.try_into().unwrap());
        offer.review_seconds = 60.try_into().unwrap();
        offer.lifetime_seconds = 5.try_into().unwrap();
    });
    assert_eq!(
        stricter,
        [
            "start_seconds: 30 -> 5",
            "work_seconds: 30 -> 5",
            "review: 1 of approvers -> 2 of approvers",
            "review_seconds: 3600 -> 60",
        ]
    );
}
