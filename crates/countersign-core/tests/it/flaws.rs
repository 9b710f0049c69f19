//! Flaws that other systems of this kind had, by the name of their class: here each is refused, or cannot even be written down.
//!
//! The vectors show most of them from outside as well, with their sources; a flaw that is about more than the core is tested where
//! that is.
//!
//! | class | test |
//! |---|---|
//! | zero quorum | [`zero_quorum`] |
//! | name collision | [`name_collision`] |
//! | nested groups | [`nested_groups`] |
//! | wrong operation checked | `wrong_operation_checked` in `countersign-evidence`, `permit/tests.rs` |
//! | policy merge weakens gate | [`policy_merge_weakens_gate`]; in any order: `merging.rs` |
//! | approval spoofing | `approval_spoofing` in `countersign-evidence`, `permit/tests.rs` |
//! | requester counts | [`requester_counts`], [`requester_counts_as_reconciler`]; as a delegate: `life.rs` |
//! | robot approves | [`robot_approves`]; a service token: `what_a_token_does_is_refused_in_order` in `refusals.rs` |
//! | duplicate signer | [`duplicate_signer`], [`duplicate_signer_in_somebodys_place`]; `duplicate_signer_delegate` in `life.rs` |
//! | stale approval | [`stale_approval`] |
//! | orphaned policy | [`orphaned_policy`] |
//! | mutable reference | `toctou_mutable_reference` in `countersign-evidence`, `permit/tests.rs` |
//! | shown is not signed | `shown_is_not_signed` in `countersign`, `tests/it/signing.rs` |
//! | display spoofing | `display_spoofing` in `countersign-ledger`, `display.rs` |
//! | parser differential | `parser_differential` and `duplicate_keys` in `countersign-ledger`, `tests/it` |
//! | consume race | `consume_race` in `countersign-server`, `tests/it/engine/races.rs`; errors: `faults.rs` there |
//! | resolved read as approved | [`resolved_read_as_approved`] |
//! | step-up replay | [`step_up_replay`], [`step_up_replay_of_codes`]; `step_up_replay` in `countersign-server`, `tests/it/api/signing.rs` |
//! | normalisation | [`normalisation`] |
//! | unauthenticated cancel | `unauthenticated_cancel` in `life.rs` |
//! | scope wildcard | [`scope_wildcard`] |
//! | ignored `crit` | `ignored_crit` in `countersign-evidence`, `permit/tests.rs`; of workloads' tokens: `ignored_crit` in `countersign-server`, `issuers/tests.rs` |
//! | mail scanner clicks | no route that reads appends: `countersign-server`, `tests/it/api/coverage.rs` |
//! | replay cache shorter than validity | `replay_cache_shorter_than_validity` in `workloads.rs`; of challenges: [`replay_cache_shorter_than_a_challenge`] |
//! | cross-tenant by handle | `cross_tenant_by_handle` in `workloads.rs` |
//! | subject format change | `subject_format_change` in `policy/workload.rs` |
//!
//! Third-party block confusion needs tokens that others add to, of which there are none (ADR 19).

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, SessionId};
use countersign_core::once::Spent;
use countersign_core::permit::{Outcome, Reserve};
use countersign_core::policy::Policy;
use countersign_core::session::{Method, Open, StepUp};
use countersign_core::{Actor, Command, Event, Subject, approval};
use serde_json::{Value, json};

use crate::book::Book;
use crate::passwords;
use crate::script::life::{delegating, in_place_of};
use crate::script::{activation, approved, commented, elapsed, reconcile, requested, requested_by, reserved};
use crate::sessions::{self, opened};
use crate::stage::{self, ACTIVATE, ANA, BEN, CHLOE, DAN, EVE, PAYOUT};

/// A policy like that of the stage, with something changed in its text.
fn changed(change: impl FnOnce(&mut Value)) -> serde_json::Result<Policy> {
    let mut policy = serde_json::to_value(stage::policy()).unwrap();
    change(&mut policy);
    serde_json::from_value(policy)
}

/// A history under such a policy.
fn begun(change: impl FnOnce(&mut Value)) -> Book {
    let policy = changed(change).expect("a policy");
    assert_eq!(policy.flaws(), []);
    let policy_sha256 = stage::policy_digest(&policy);
    let mut book =
        Book::begun_with(countersign_core::log::Bootstrap { policy, policy_sha256, ..stage::genesis() });
    book.must(Actor::Node, &stage::claiming(EVE));
    book
}

/// What a command comes to: the kinds of its events, or the refusal's code.
fn says(book: &mut Book, actor: impl Into<Actor>, command: &Command) -> String {
    match book.submit(actor, command) {
        Ok(events) => events.iter().map(|event: &Event| event.fact.kind()).collect::<Vec<_>>().join(" "),
        Err(refusal) => refusal.code().to_owned(),
    }
}

fn payout_rule(policy: &mut Value) -> &mut Value {
    &mut policy["rules"][2]
}

fn reserve(approval: ApprovalId) -> Command {
    let (action, parameters_sha256) = (stage::action(PAYOUT), stage::parameters());
    Command::ReservePermit(Reserve {
        action,
        parameters_sha256,
        approval: Some(approval),
        exceptions: Vec::new(),
    })
}

#[test]
fn zero_quorum() {
    assert!(changed(|policy| payout_rule(policy)["quorum"] = json!({ "approvers": 0 })).is_err());
    assert!(changed(|policy| drop(payout_rule(policy).as_object_mut().unwrap().remove("approval"))).is_err());
    let empty = changed(|policy| payout_rule(policy)["quorum"] = json!({})).unwrap();
    assert!(empty.flaws().iter().any(|flaw| flaw.place == "rules.payout.quorum"));
    assert!(changed(|policy| payout_rule(policy)["denials"] = json!(0)).is_err());
}

/// People are ids: a group that is called the same under the next policy has the members that policy gives it.
#[test]
fn name_collision() {
    let mut book = Book::begun();
    let asked = requested(&mut book, PAYOUT);
    let [_, _, without_ben, ..] = stage::policies();
    let approval = approved(&mut book, ACTIVATE);
    book.must(ANA, &activation(without_ben, approval));
    assert_eq!(says(&mut book, BEN, &Command::Approve(asked.into())), "not_an_approver");
}

#[test]
fn nested_groups() {
    let nested = |outer: &str, inner: &str| {
        let (outer, inner) = (outer.to_owned(), inner.to_owned());
        begun(move |policy| policy["nested"] = json!({ outer: [inner] }))
    };
    let mut inward = nested("security", "auditors");
    let asked = requested(&mut inward, PAYOUT);
    assert_eq!(says(&mut inward, stage::AUD, &Command::Approve(asked.into())), "approval.granted");
    let mut outward = nested("auditors", "security");
    let asked = requested(&mut outward, PAYOUT);
    assert_eq!(says(&mut outward, stage::AUD, &Command::Approve(asked.into())), "not_an_approver");
    let circle = json!({ "approvers": ["security"], "security": ["auditors"], "auditors": ["approvers"] });
    let circle = changed(|policy| policy["nested"] = circle).unwrap();
    assert_eq!(circle.flaws().len(), 3, "{:?}", circle.flaws());
    let unknown = changed(|policy| policy["nested"] = json!({ "approvers": ["nobody"] })).unwrap();
    assert_eq!(unknown.flaws().first().map(|flaw| flaw.place.as_str()), Some("nested.approvers"));
}

/// A rule that wants nobody's consent takes nothing away from one that does.
#[test]
fn policy_merge_weakens_gate() {
    let mut book = begun(|policy| {
        let mut open = policy["rules"][3].clone();
        for (field, text) in [("name", "open"), ("verb", "*"), ("resource", "*"), ("environment", "*")] {
            open[field] = text.into();
        }
        open["patterns"] = true.into();
        policy["rules"].as_array_mut().unwrap().insert(0, open);
    });
    let reserve = Reserve {
        action: stage::action(PAYOUT),
        parameters_sha256: stage::parameters(),
        approval: None,
        exceptions: Vec::new(),
    };
    assert_eq!(says(&mut book, ANA, &Command::ReservePermit(reserve)), "approval_required");
}

#[test]
fn requester_counts() {
    let mut book = Book::begun();
    let asked = requested(&mut book, PAYOUT);
    assert_eq!(says(&mut book, ANA, &Command::Approve(asked.into())), "self_approval");
    let mut linked = begun(|policy| policy["linked"] = json!([[ANA, BEN]]));
    let asked = requested(&mut linked, PAYOUT);
    assert_eq!(says(&mut linked, BEN, &Command::Approve(asked.into())), "self_approval");
    assert_eq!(says(&mut linked, BEN, &Command::Deny(asked)), "self_approval");
}

/// Only people agree; the node, which acts for automation, never does.
#[test]
fn robot_approves() {
    let mut book = Book::begun();
    let asked = requested(&mut book, PAYOUT);
    assert_eq!(says(&mut book, Actor::Node, &Command::Approve(asked.into())), "not_a_person");
}

#[test]
fn duplicate_signer() {
    let mut book = Book::begun();
    let asked = requested(&mut book, stage::ROTATE);
    book.must(BEN, &Command::Approve(asked.into()));
    assert_eq!(says(&mut book, BEN, &Command::Approve(asked.into())), "already_voted");
    let mut linked = begun(|policy| policy["linked"] = json!([[BEN, EVE]]));
    let asked = requested(&mut linked, stage::ROTATE);
    linked.must(BEN, &Command::Approve(asked.into()));
    assert_eq!(says(&mut linked, EVE, &Command::Approve(asked.into())), "already_voted");
    assert_eq!(
        says(&mut linked, CHLOE, &Command::Approve(asked.into())),
        "approval.granted approval.completed"
    );
}

/// There is no command that edits a request: other parameters are another request, and the old agreement does not fit them.
#[test]
fn stale_approval() {
    let mut book = Book::begun();
    let id = approved(&mut book, PAYOUT);
    let action = stage::action(PAYOUT);
    let other = Reserve {
        action,
        parameters_sha256: Digest::of(b"edited"),
        approval: Some(id),
        exceptions: Vec::new(),
    };
    assert_eq!(says(&mut book, ANA, &Command::ReservePermit(other)), "parameters_mismatch");
}

/// Without a rule there is no way: not for what was asked for before, and not for anything new.
#[test]
fn orphaned_policy() {
    let mut book = Book::begun();
    let agreed = approved(&mut book, PAYOUT);
    let [.., without_payouts] = stage::policies();
    let approval = approved(&mut book, ACTIVATE);
    book.must(ANA, &activation(without_payouts, approval));
    assert_eq!(book.stranded(), [(agreed, approval::Refusal::NoRule)]);
    assert_eq!(says(&mut book, ANA, &reserve(agreed)), "no_rule");
    assert_eq!(says(&mut book, BEN, &Command::Approve(agreed.into())), "no_rule");
    let request = approval::Request { action: stage::action(PAYOUT), parameters_sha256: stage::parameters() };
    assert_eq!(says(&mut book, ANA, &Command::RequestApproval(request)), "no_rule");
    let mut nothing = Book::empty();
    let request = approval::Request { action: stage::action(PAYOUT), parameters_sha256: stage::parameters() };
    assert_eq!(says(&mut nothing, ANA, &Command::RequestApproval(request)), "no_rule");
}

/// What ended in any other way than by being agreed to is not taken for agreed.
#[test]
fn resolved_read_as_approved() {
    let mut book = Book::begun();
    let denied = requested(&mut book, PAYOUT);
    book.must(CHLOE, &Command::Deny(denied));
    assert_eq!(says(&mut book, ANA, &reserve(denied)), "approval_denied");
    let withdrawn = approved(&mut book, PAYOUT);
    book.must(ANA, &Command::Withdraw(withdrawn));
    assert_eq!(says(&mut book, ANA, &reserve(withdrawn)), "approval_withdrawn");
    let expired = approved(&mut book, PAYOUT);
    book.wait_for_deadline();
    assert_eq!(says(&mut book, ANA, &reserve(expired)), "approval_expired");
}

#[test]
fn scope_wildcard() {
    for odd in ["payout/l*", "pay*", "payout/*/x", "*/limit"] {
        assert!(changed(|policy| payout_rule(policy)["resource"] = odd.into()).is_err(), "{odd}");
    }
    let meant = changed(|policy| payout_rule(policy)["resource"] = "payout/*".into()).unwrap();
    assert_eq!(meant.flaws().first().map(|flaw| flaw.place.as_str()), Some("rules.payout.patterns"));
}

#[test]
fn normalisation() {
    for odd in ["Payout/limit", "payout/../limit", "payout//limit", "payout/limit ", "payout/l\u{131}mit"] {
        assert!(odd.parse::<countersign_core::action::Resource>().is_err(), "{odd}");
    }
}

/// A policy in flight: what was asked for under rules that resolve to the same is still good, anything else is asked for anew.
#[test]
fn only_changed_rules_end_a_request() {
    let mut book = Book::begun();
    let payout = approved(&mut book, PAYOUT);
    let rotation = approved(&mut book, stage::ROTATE);
    let [_, stricter, ..] = stage::policies();
    let approval = approved(&mut book, ACTIVATE);
    book.must(ANA, &activation(stricter, approval));
    let stranded = book.stranded();
    assert_eq!(stranded, [(payout, approval::Refusal::PolicyChanged)]);
    assert_eq!(says(&mut book, ANA, &reserve(payout)), "policy_changed");
    assert!(reserved(&mut book, (ANA, stage::ROTATE), Some(rotation)).0 > 0);
}

/// Who asked for a rule does not agree under it, until somebody else asks for it to be changed; a rule that stays as it is keeps its author.
#[test]
fn the_author_of_a_rule_counts() {
    let mut book = Book::begun();
    let approval = approved(&mut book, ACTIVATE);
    book.must(ANA, &activation(stage::wary(), approval));
    let approval = approved(&mut book, ACTIVATE);
    book.must(DAN, &activation(stage::wary(), approval));
    let asked = requested_by(&mut book, (DAN, PAYOUT));
    assert_eq!(says(&mut book, ANA, &commented(asked)), "rule_author");
    assert_eq!(says(&mut book, BEN, &commented(asked)), "approval.granted");
    assert_eq!(says(&mut book, CHLOE, &commented(asked)), "approval.granted approval.completed");
}

/// Who did the work does not say by another account how it went.
#[test]
fn requester_counts_as_reconciler() {
    let mut book = begun(|policy| policy["linked"] = json!([[ANA, DAN]]));
    let permit = reserved(&mut book, (ANA, "ping probe/any production"), None);
    book.must(ANA, &Command::StartPermit(permit));
    elapsed(&mut book, Subject::Permit(permit));
    assert_eq!(says(&mut book, DAN, &reconcile(permit, Outcome::Succeeded)), "self_reconciliation");
}

/// A delegate is a signer too: nobody fills a seat of their own and somebody else's, whenever their accounts become known as one. The
/// wary policy links Ben and Eve.
#[test]
fn duplicate_signer_in_somebodys_place() {
    let mut book = begun(|_| ());
    book.must(CHLOE, &delegating(&book, (EVE, 0, 3_600)));
    let asked = requested(&mut book, stage::ROTATE);
    book.must(BEN, &Command::Approve(asked.into()));
    let standing = says(&mut book, EVE, &in_place_of(CHLOE, asked));
    assert_eq!(standing, "approval.granted approval.completed");
    let later = requested(&mut book, stage::ROTATE);
    let approval = approved(&mut book, ACTIVATE);
    book.must(ANA, &activation(stage::wary(), approval));
    let reserve = Reserve {
        action: stage::action(stage::ROTATE),
        parameters_sha256: stage::parameters(),
        approval: Some(asked),
        exceptions: Vec::new(),
    };
    assert_eq!(says(&mut book, ANA, &Command::ReservePermit(reserve)), "approval_pending");
    book.must(BEN, &Command::Approve(later.into()));
    assert_eq!(says(&mut book, EVE, &in_place_of(CHLOE, later)), "already_voted");
}

/// Whoever sends a policy cannot make the server work out more groups in groups than it says it takes.
#[test]
fn groups_in_groups_without_end() {
    let chain = |length: usize| {
        let group = |at: usize| format!("group-{at}");
        let groups: Vec<(String, Value)> = (0..=length).map(|at| (group(at), json!([BEN]))).collect();
        changed(|policy| {
            policy["groups"].as_object_mut().unwrap().extend(groups);
            policy["nested"] = (0..length).map(|at| (group(at), json!([group(at + 1)]))).collect();
        })
    };
    assert_eq!(chain(1024).unwrap().flaws(), []);
    let places: Vec<String> = chain(1025).unwrap().flaws().into_iter().map(|flaw| flaw.place).collect();
    assert_eq!(places, ["nested"]);
}

/// What a command of somebody who acts by a session comes to.
fn says_via(book: &mut Book, by: (countersign_core::id::PersonId, SessionId), command: &Command) -> String {
    match book.submit_via((by.0, sessions::via(by.1)), command) {
        Ok(events) => events.iter().map(|event: &Event| event.fact.kind()).collect::<Vec<_>>().join(" "),
        Err(refusal) => refusal.code().to_owned(),
    }
}

/// A proof is for one request and for one vote, is not lent to another session, and what was signed for it is not signed again.
#[test]
fn step_up_replay() {
    let mut book = Book::begun();
    sessions::governed_by(&mut book, sessions::fresh());
    let first = sessions::signed_in(&mut book, ((BEN, 1), 1));
    let second = opened(&book.must(BEN, &Command::OpenSession(sessions::by_credential(BEN, 2))));
    let asked = requested(&mut book, PAYOUT);
    let vote = Command::Approve(asked.into());
    let step_up = sessions::stepping_up(&book, ((BEN, 1), 3));
    let other = StepUp { request_sha256: Digest::of(b"another payee"), ..step_up.clone() };
    assert_eq!(says_via(&mut book, (BEN, first), &Command::StepUp(other)), "session.stepped_up");
    assert_eq!(says_via(&mut book, (BEN, first), &vote), "not_fresh");
    assert_eq!(says_via(&mut book, (BEN, first), &Command::StepUp(step_up)), "challenge_used");
    let step_up = Command::StepUp(sessions::stepping_up(&book, ((BEN, 1), 4)));
    assert_eq!(says_via(&mut book, (BEN, first), &step_up), "session.stepped_up");
    assert_eq!(says_via(&mut book, (BEN, second), &vote), "not_fresh");
    assert_eq!(says_via(&mut book, (BEN, first), &vote), "approval.granted");
    book.must(BEN, &Command::RevokeVote(asked));
    assert_eq!(says_via(&mut book, (BEN, first), &vote), "not_fresh");
}

/// A code that was shown is not shown again, nor one before it; not for another purpose either.
#[test]
fn step_up_replay_of_codes() {
    let mut book = Book::begun();
    sessions::governed_by(&mut book, passwords::policy());
    let session = sessions::signed_in(&mut book, ((ANA, 1), 1));
    sessions::must_via(&mut book, (ANA, session), &passwords::setting(1));
    let open =
        |book: &Book, ahead, number| Command::OpenSession(passwords::by_password(book, (ANA, ahead), number));
    let now = open(&book, 1, 2);
    book.must(Actor::Node, &now);
    for (ahead, number) in [(1, 3), (0, 4), (-1, 5)] {
        let again = open(&book, ahead, number);
        assert_eq!(says(&mut book, Actor::Node, &again), "code_used");
        let step_up = passwords::stepping_up(&book, ahead);
        assert_eq!(says_via(&mut book, (ANA, session), &step_up), "code_used");
    }
    let code = Command::OpenSession(passwords::by_code((ANA, passwords::code(1, 3)), 6));
    book.must(Actor::Node, &code);
    let again = Command::OpenSession(passwords::by_code((ANA, passwords::code(1, 3)), 7));
    assert_eq!(says(&mut book, Actor::Node, &again), "code_used");
}

/// A challenge that was used is known for as long as it could be used, however much is forgotten meanwhile, and afterwards it is too old.
#[test]
fn replay_cache_shorter_than_a_challenge() {
    let mut book = Book::begun();
    sessions::signed_in(&mut book, ((ANA, 1), 1));
    let until = book.now.plus_seconds(300);
    let again = |number| Open { session_sha256: sessions::secret(number), ..used(until) };
    for (millis, number, said) in
        [(299_999, 10, "challenge_used"), (1, 11, "challenge_missing"), (86_400_000, 12, "challenge_missing")]
    {
        book.now = book.now.plus_millis(millis);
        // Using another one up lets go of what is over.
        let other = sessions::by_passkey(&book, (ANA, 1), number + 100);
        book.must(Actor::Node, &Command::OpenSession(other));
        assert_eq!(says(&mut book, Actor::Node, &Command::OpenSession(again(number))), said);
    }
}

/// A sign-in with the first challenge.
fn used(until: countersign_core::time::Time) -> Open {
    let spent = Some(Spent { sha256: Digest::of(b"challenge 1"), until });
    let method = Method::Passkey { key_sha256: sessions::passkey((ANA, 1)).key_sha256 };
    Open { method, spent, ..sessions::by_credential(ANA, 1) }
}
