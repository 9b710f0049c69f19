//! One walk per command through the whole precedence of its refusals: everything is wrong at first, and is put right one by one.
//!
//! Together the walks meet every refusal there is; the last test says so, so that a new one cannot be forgotten.

use std::collections::BTreeSet;

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId, PersonId, RotationId};
use countersign_core::log::Bootstrap;
use countersign_core::log::census::TakeCensus;
use countersign_core::log::witness::Standing;
use countersign_core::permit::{Finish, Outcome, Reserve};
use countersign_core::person::{ClaimCredential, NoteRefusals};
use countersign_core::policy::Policy;
use countersign_core::rotation::{Attempt, Parameters, Report, Stage, Start, Step, TaskKey};
use countersign_core::{Actor, Command, Refusal, Subject, approval};

use crate::book::Book;
use crate::membership as people;
use crate::script::life::{delegating, in_place_of};
use crate::script::{
    activation, approved, attempt, commented, elapsed, finished, handing_over, lively, permit_key, prepared,
    reconcile, redaction, requested, requested_by, reserved, rotating, stage_of, task, witness, work,
};
use crate::stage::{self, ACTIVATE, ANA, AUD, BEN, CHLOE, DAN, EVE, PAYOUT, REDACT, ROTATE, ROTATE_LOG_KEY};

mod freeze;
mod glass;
mod life;
mod membership;
mod password;
mod session;
mod sign_ins;
mod token;
mod voting_key;
mod workload;

use glass::{break_glass, review};
use life::{delegate, end_delegation, revoke};
use membership::{deactivate, invite};
use password::{identities, passwords};
use session::{change_passkeys, claim_by, end_session, extend, open_session, step_up, vote_fresh};
use sign_ins::note_failures;
use token::{act, exchange_token, issue_token, note_use, revoke_token};
use voting_key::{enroll_key, revoke_key, sign};
use workload::exchange_workload;

const PING: &str = "ping probe/any production";
const NOBODY: PersonId = PersonId(99);

/// A history, and what was refused in it so far, as `capability/code`.
struct Walk {
    book: Book,
    met: BTreeSet<String>,
}

fn walk() -> Walk {
    Walk { book: Book::begun(), met: BTreeSet::new() }
}

impl Walk {
    /// The command is refused like this, and the history is as before.
    #[track_caller]
    fn refused(&mut self, actor: impl Into<Actor>, command: &Command, expected: &str) {
        let before = self.book.whole.clone();
        match self.book.submit(actor, command) {
            Ok(events) => panic!("expected {expected}, but it happened: {events:?}"),
            Err(refusal) => {
                let given = format!("{}/{}", refusal.capability(), refusal.code());
                assert_eq!(given, expected, "{refusal}; {}", refusal.hint());
                self.met.insert(given);
            }
        }
        assert_eq!(self.book.whole, before, "a refused command leaves a trace");
    }

    /// The command happens at last.
    #[track_caller]
    fn happens(&mut self, actor: impl Into<Actor>, command: &Command) {
        self.book.must(actor, command);
        self.book.commit();
    }

    /// Puts the policy in force.
    fn activate(&mut self, policy: Policy) {
        let approval = approved(&mut self.book, ACTIVATE);
        self.book.must(ANA, &activation(policy, approval));
    }
}

/// A policy that is flawed, names a stranger, cannot be replaced, and would not find its quorum; and what puts it right, in order.
fn wrong_policies() -> [(Policy, &'static str); 4] {
    let mut unsatisfiable = stage::policy();
    unsatisfiable.rules[0].quorum.insert("approvers".parse().unwrap(), 9.try_into().unwrap());
    let mut without_rule = unsatisfiable.clone();
    without_rule.rules.remove(0);
    let mut stranger = without_rule.clone();
    stranger.groups.get_mut("auditors").unwrap().insert(NOBODY);
    let mut flawed = stranger.clone();
    flawed.groups.insert("empty".parse().unwrap(), BTreeSet::new());
    [
        (flawed, "log/policy_flawed"),
        (stranger, "log/policy_unknown_member"),
        (without_rule, "log/policy_no_activation_rule"),
        (unsatisfiable, "log/policy_activation_unsatisfiable"),
    ]
}

fn bootstrap() -> Walk {
    let mut walk = walk();
    let genesis = |policy| Command::Bootstrap(Bootstrap { policy, ..stage::genesis() });
    let [(flawed, _), ..] = wrong_policies();
    walk.refused(Actor::Node, &genesis(flawed), "log/already_initialised");
    walk.book = Book::empty();
    for (policy, expected) in wrong_policies() {
        walk.refused(Actor::Node, &genesis(policy), expected);
    }
    walk.happens(Actor::Node, &genesis(stage::policy()));
    walk
}

fn activate() -> Walk {
    let mut walk = walk();
    let [(flawed, _), ..] = wrong_policies();
    let with = |approval| activation(flawed.clone(), approval);
    walk.refused(Actor::Node, &with(ApprovalId(9)), "permit/not_a_person");
    walk.refused(BEN, &with(ApprovalId(9)), "permit/not_an_executor");
    walk.refused(ANA, &with(ApprovalId(9)), "permit/approval_not_found");
    let other = requested(&mut walk.book, PAYOUT);
    walk.refused(ANA, &with(other), "permit/action_mismatch");
    ended(&mut walk, ACTIVATE, &with);
    let id = requested(&mut walk.book, ACTIVATE);
    let mut others = with(id);
    if let Command::ActivatePolicy(activate) = &mut others {
        activate.parameters_sha256 = Digest::of(b"others");
    }
    walk.refused(ANA, &others, "permit/parameters_mismatch");
    walk.refused(ANA, &with(id), "permit/approval_pending");
    let id = approved(&mut walk.book, ACTIVATE);
    for (policy, expected) in wrong_policies() {
        walk.refused(ANA, &activation(policy, id), expected);
    }
    walk.happens(ANA, &activation(stage::policy(), id));
    walk.refused(ANA, &with(id), "permit/approval_consumed");
    walk
}

fn rotate_log_key() -> Walk {
    let mut walk = walk();
    let with = |approval| handing_over((9, 0), approval);
    walk.refused(Actor::Node, &with(ApprovalId(9)), "permit/not_a_person");
    walk.refused(BEN, &with(ApprovalId(9)), "permit/not_an_executor");
    walk.refused(ANA, &with(ApprovalId(9)), "permit/approval_not_found");
    let other = requested(&mut walk.book, ROTATE);
    walk.refused(ANA, &with(other), "permit/action_mismatch");
    ended(&mut walk, ROTATE_LOG_KEY, &with);
    let id = requested(&mut walk.book, ROTATE_LOG_KEY);
    let mut others = with(id);
    if let Command::RotateLogKey(rotate) = &mut others {
        rotate.parameters_sha256 = Digest::of(b"others");
    }
    walk.refused(ANA, &others, "permit/parameters_mismatch");
    walk.refused(ANA, &with(id), "permit/approval_pending");
    let id = approved(&mut walk.book, ROTATE_LOG_KEY);
    walk.happens(ANA, &handing_over((0, 1), id));
    walk.refused(ANA, &with(id), "permit/approval_consumed");
    let id = approved(&mut walk.book, ROTATE_LOG_KEY);
    walk.refused(ANA, &handing_over((9, 1), id), "key/log_key_in_force");
    walk.refused(ANA, &handing_over((9, 0), id), "key/log_key_not_in_force");
    walk.refused(ANA, &handing_over((1, 0), id), "key/log_key_retired");
    walk.happens(ANA, &handing_over((1, 2), id));
    walk
}

fn redact() -> Walk {
    let mut walk = walk();
    let nowhere = walk.book.size() + 1_000;
    let with = |approval| redaction(&[nowhere], approval);
    walk.refused(Actor::Node, &with(ApprovalId(9)), "permit/not_a_person");
    let [.., without_redactions] = stage::policies();
    walk.activate(without_redactions);
    walk.refused(BEN, &with(ApprovalId(9)), "permit/no_rule");
    walk.activate(stage::policy());
    walk.refused(BEN, &with(ApprovalId(9)), "permit/not_an_executor");
    walk.refused(ANA, &with(ApprovalId(9)), "permit/approval_not_found");
    let open = requested(&mut walk.book, PAYOUT);
    walk.refused(ANA, &with(open), "permit/action_mismatch");
    ended(&mut walk, REDACT, &with);
    let id = requested(&mut walk.book, REDACT);
    walk.refused(ANA, &with(id), "permit/approval_pending");
    walk.happens(BEN, &Command::Approve(id.into()));
    walk.happens(CHLOE, &Command::Approve(id.into()));
    let open = requested(&mut walk.book, PAYOUT);
    let in_use = walk.book.first_of(&open.into());
    walk.happens(CHLOE, &Command::Approve(open.into()));
    let vote = walk.book.size() - 1;
    let lost = in_use - 1;
    walk.book.lose_details(lost);
    let other = approved(&mut walk.book, REDACT);
    walk.happens(ANA, &redaction(&[vote], other));
    let mut wrong = vec![0, in_use, lost, vote, nowhere];
    for (right, expected) in [
        (nowhere, "redaction/entry_not_found"),
        (0, "redaction/no_details"),
        (vote, "redaction/already_redacted"),
        (lost, "redaction/details_missing"),
        (in_use, "redaction/details_in_use"),
    ] {
        wrong.sort_unstable();
        walk.refused(ANA, &redaction(&wrong, id), expected);
        wrong.retain(|index| *index != right);
    }
    walk.happens(ANA, &Command::Withdraw(open));
    walk.happens(ANA, &redaction(&[in_use], id));
    walk.refused(ANA, &redaction(&[in_use], id), "permit/approval_consumed");
    walk
}

/// What has ended gives nothing any more, each end with its own word.
fn ended(walk: &mut Walk, action: &str, using: &dyn Fn(ApprovalId) -> Command) {
    let denied = requested(&mut walk.book, action);
    walk.happens(BEN, &Command::Deny(denied));
    walk.refused(ANA, &using(denied), "permit/approval_denied");
    let withdrawn = requested(&mut walk.book, action);
    walk.happens(ANA, &Command::Withdraw(withdrawn));
    walk.refused(ANA, &using(withdrawn), "permit/approval_withdrawn");
    let expired = requested(&mut walk.book, action);
    walk.book.commit();
    walk.book.now = walk.book.now.plus_seconds(3_600);
    walk.refused(ANA, &using(expired), "permit/approval_expired");
    walk.happens(Actor::Node, &Command::Elapse(Subject::Approval(expired)));
    walk.refused(ANA, &using(expired), "permit/approval_expired");
}

fn claim() -> Walk {
    let mut walk = walk();
    let claim = |claim: &[u8], credential_sha256| {
        Command::ClaimCredential(ClaimCredential { claim_sha256: Digest::of(claim), credential_sha256 })
    };
    let (taken, eve) = (stage::credential_of(ANA), format!("claim {EVE}"));
    walk.refused(Actor::Node, &claim(b"nobody's", taken), "person/unknown_claim");
    walk.refused(Actor::Node, &claim(eve.as_bytes(), taken), "person/credential_in_use");
    let fresh = stage::credential_of(EVE);
    walk.happens(Actor::Node, &claim(eve.as_bytes(), fresh));
    walk.refused(Actor::Node, &claim(eve.as_bytes(), fresh), "person/unknown_claim");
    people::governed(&mut walk.book);
    people::invited(&mut walk.book, (people::FAY, 0));
    walk.book.commit();
    walk.book.now = walk.book.now.plus_seconds(3_600);
    walk.refused(Actor::Node, &people::claiming(people::FAY, 0), "person/claim_expired");
    walk
}

fn note() -> Walk {
    let mut walk = walk();
    let note = |person| {
        let (from, until, count) = (stage::BEGINNING, stage::BEGINNING, 1.try_into().unwrap());
        Command::NoteRefusals(NoteRefusals { person, action: None, code: "no_rule", count, from, until })
    };
    walk.refused(ANA, &note(NOBODY), "person/not_the_node");
    walk.refused(Actor::Node, &note(NOBODY), "person/unknown_person");
    walk.happens(Actor::Node, &note(ANA));
    walk
}

fn census() -> Walk {
    let mut walk = walk();
    let of = |size| Command::TakeCensus(TakeCensus { size, subjects: 1, root_sha256: Digest::of(b"rows") });
    walk.book = Book::empty();
    walk.refused(ANA, &of(0), "census/not_the_node");
    walk.refused(Actor::Node, &of(0), "census/not_initialised");
    walk.happens(Actor::Node, &Command::Bootstrap(stage::genesis()));
    walk.refused(Actor::Node, &of(0), "census/census_not_newer");
    walk.happens(Actor::Node, &of(3));
    walk.refused(Actor::Node, &of(3), "census/census_not_newer");
    walk.happens(Actor::Node, &of(4));
    walk
}

fn request() -> Walk {
    let mut walk = walk();
    walk.book = Book::empty();
    walk.happens(Actor::Node, &Command::Bootstrap(stage::genesis()));
    walk.happens(Actor::Node, &stage::claiming(ANA));
    let of = |action: &str| {
        let action = stage::action(action);
        Command::RequestApproval(approval::Request { action, parameters_sha256: stage::parameters() })
    };
    walk.refused(Actor::Node, &of("launch payout/limit production"), "approval/not_a_person");
    walk.refused(AUD, &of("launch payout/limit production"), "approval/no_rule");
    walk.refused(AUD, &of(PING), "approval/not_a_requester");
    walk.refused(ANA, &of(PING), "approval/approval_not_needed");
    walk.refused(ANA, &of(PAYOUT), "approval/unsatisfiable");
    walk.happens(Actor::Node, &stage::claiming(BEN));
    walk.refused(ANA, &of(PAYOUT), "approval/unsatisfiable");
    walk.happens(Actor::Node, &stage::claiming(CHLOE));
    walk.happens(ANA, &of(PAYOUT));
    walk
}

/// Ends a request in some way.
type Ending<'a> = &'a dyn Fn(&mut Book, ApprovalId);

/// The refusals that agreeing and disagreeing have in common.
fn ballot(vote: &dyn Fn(ApprovalId) -> Command) -> Walk {
    let mut walk = walk();
    walk.refused(Actor::Node, &vote(ApprovalId(9)), "approval/approval_not_found");
    let governed = requested(&mut walk.book, PAYOUT);
    let [_, stricter, .., without_payouts] = stage::policies();
    walk.activate(without_payouts);
    walk.refused(Actor::Node, &vote(governed), "approval/not_a_person");
    walk.refused(ANA, &vote(governed), "approval/self_approval");
    walk.refused(AUD, &vote(governed), "approval/no_rule");
    walk.activate(stage::policy());
    walk.refused(AUD, &vote(governed), "approval/not_an_approver");
    walk.refused(EVE, &vote(governed), "approval/not_an_approver");
    let ends: [(&str, Ending<'_>); 3] = [
        ("approval/approval_denied", &|book, id| drop(book.must(CHLOE, &Command::Deny(id)))),
        ("approval/approval_withdrawn", &|book, id| drop(book.must(ANA, &Command::Withdraw(id)))),
        ("approval/approval_expired", &|book, _| book.now = book.now.plus_seconds(3_600)),
    ];
    for (expected, end) in ends {
        let id = requested(&mut walk.book, PAYOUT);
        end(&mut walk.book, id);
        walk.refused(BEN, &vote(id), expected);
    }
    let consumed = approved(&mut walk.book, PAYOUT);
    reserved(&mut walk.book, (ANA, PAYOUT), Some(consumed));
    walk.refused(BEN, &vote(consumed), "approval/approval_consumed");
    let changed = requested(&mut walk.book, PAYOUT);
    walk.happens(BEN, &Command::Approve(changed.into()));
    walk.activate(stricter);
    walk.refused(BEN, &vote(changed), "approval/policy_changed");
    walk
}

fn approve() -> Walk {
    let mut walk = ballot(&|id| Command::Approve(id.into()));
    let id = requested(&mut walk.book, ROTATE);
    walk.refused(AUD, &in_place_of(ANA, id), "approval/self_approval");
    walk.happens(ANA, &delegating(&walk.book, (BEN, 0, 60)));
    walk.refused(BEN, &in_place_of(CHLOE, id), "approval/delegate_of_requester");
    walk.refused(BEN, &Command::Approve(id.into()), "approval/delegate_of_requester");
    walk.refused(AUD, &in_place_of(CHLOE, id), "approval/not_a_delegate");
    walk.refused(CHLOE, &Command::Approve(id.into()), "approval/unsatisfiable");
    walk.happens(ANA, &Command::EndDelegation);
    walk.happens(CHLOE, &delegating(&walk.book, (AUD, 60, 120)));
    walk.refused(AUD, &in_place_of(CHLOE, id), "approval/not_a_delegate");
    walk.book.now = walk.book.now.plus_seconds(60);
    walk.happens(AUD, &delegating(&walk.book, (DAN, 0, 60)));
    walk.refused(DAN, &in_place_of(CHLOE, id), "approval/not_a_delegate");
    walk.refused(DAN, &in_place_of(AUD, id), "approval/not_an_approver");
    walk.happens(BEN, &Command::Approve(id.into()));
    walk.refused(BEN, &Command::Approve(id.into()), "approval/already_voted");
    let other = requested(&mut walk.book, ROTATE);
    walk.happens(AUD, &in_place_of(CHLOE, other));
    walk.refused(CHLOE, &Command::Approve(other.into()), "approval/already_voted");
    walk.happens(CHLOE, &Command::Approve(id.into()));
    walk.refused(CHLOE, &Command::Approve(id.into()), "approval/already_voted");
    walk.happens(Actor::Node, &stage::claiming(EVE));
    walk.refused(EVE, &Command::Approve(id.into()), "approval/already_approved");
    walk.activate(stage::wary());
    let id = requested_by(&mut walk.book, (DAN, PAYOUT));
    walk.refused(ANA, &Command::Approve(id.into()), "approval/rule_author");
    walk.refused(BEN, &Command::Approve(id.into()), "approval/comment_required");
    walk.happens(BEN, &commented(id));
    walk.refused(BEN, &Command::Approve(id.into()), "approval/already_voted");
    walk
}

fn deny() -> Walk {
    let mut walk = ballot(&Command::Deny);
    let id = approved(&mut walk.book, ROTATE);
    walk.happens(BEN, &Command::Deny(id));
    walk.activate(stage::wary());
    let id = requested_by(&mut walk.book, (DAN, PAYOUT));
    walk.refused(ANA, &Command::Deny(id), "approval/rule_author");
    walk.happens(BEN, &Command::Deny(id));
    walk.refused(BEN, &Command::Deny(id), "approval/already_voted");
    walk.happens(CHLOE, &Command::Deny(id));
    walk
}

fn withdraw() -> Walk {
    let mut walk = walk();
    let id = requested(&mut walk.book, PAYOUT);
    walk.refused(Actor::Node, &Command::Withdraw(ApprovalId(9)), "approval/approval_not_found");
    walk.happens(BEN, &Command::Deny(id));
    walk.refused(Actor::Node, &Command::Withdraw(id), "approval/not_a_person");
    walk.refused(BEN, &Command::Withdraw(id), "approval/not_the_requester");
    walk.refused(ANA, &Command::Withdraw(id), "approval/approval_denied");
    let consumed = approved(&mut walk.book, PAYOUT);
    reserved(&mut walk.book, (ANA, PAYOUT), Some(consumed));
    walk.refused(ANA, &Command::Withdraw(consumed), "approval/approval_consumed");
    let id = approved(&mut walk.book, PAYOUT);
    walk.happens(ANA, &Command::Withdraw(id));
    walk.refused(ANA, &Command::Withdraw(id), "approval/approval_withdrawn");
    let late = requested(&mut walk.book, PAYOUT);
    walk.book.now = walk.book.now.plus_seconds(3_600);
    walk.refused(ANA, &Command::Withdraw(late), "approval/approval_expired");
    walk
}

fn reserve() -> Walk {
    let mut walk = walk();
    let with = |action: &str, parameters: &[u8], approval| {
        let (action, parameters_sha256) = (stage::action(action), Digest::of(parameters));
        Command::ReservePermit(Reserve { action, parameters_sha256, approval, exceptions: Vec::new() })
    };
    let launch = with("launch payout/limit production", b"others", None);
    walk.refused(Actor::Node, &launch, "permit/not_a_person");
    walk.refused(BEN, &launch, "permit/no_rule");
    walk.refused(BEN, &with(ROTATE, b"others", None), "permit/not_an_executor");
    walk.refused(ANA, &with(ROTATE, b"others", None), "permit/approval_required");
    walk.refused(ANA, &with(ROTATE, b"others", Some(ApprovalId(9))), "permit/approval_not_found");
    let using = |id| with(PAYOUT, b"parameters", Some(id));
    ended(&mut walk, PAYOUT, &using);
    let id = requested(&mut walk.book, PAYOUT);
    walk.refused(ANA, &with(ROTATE, b"others", Some(id)), "permit/action_mismatch");
    walk.refused(ANA, &with(PAYOUT, b"others", Some(id)), "permit/parameters_mismatch");
    let [_, stricter, ..] = stage::policies();
    walk.activate(stricter);
    walk.refused(ANA, &using(id), "permit/policy_changed");
    walk.activate(stage::policy());
    walk.refused(ANA, &using(id), "permit/approval_pending");
    walk.happens(BEN, &Command::Approve(id.into()));
    walk.refused(ANA, &using(id), "permit/approval_pending");
    walk.happens(CHLOE, &Command::Approve(id.into()));
    walk.happens(ANA, &using(id));
    walk.refused(DAN, &using(id), "permit/approval_consumed");
    freeze::frozen(&mut walk);
    walk
}

/// What starting and giving back have in common: the permit exists, is one's own, and still waits.
fn startable(walk: &mut Walk, using: &dyn Fn(PermitId) -> Command) {
    walk.refused(Actor::Node, &using(PermitId(9)), "permit/permit_not_found");
    let ping = |walk: &mut Walk| reserved(&mut walk.book, (ANA, PING), None);
    let started = ping(walk);
    walk.happens(ANA, &Command::StartPermit(started));
    walk.refused(Actor::Node, &using(started), "permit/not_the_executor");
    walk.refused(DAN, &using(started), "permit/not_the_executor");
    walk.refused(ANA, &using(started), "permit/permit_already_started");
    finished(&mut walk.book, (ANA, started), Outcome::Succeeded);
    walk.refused(ANA, &using(started), "permit/permit_closed");
    let released = ping(walk);
    walk.happens(ANA, &Command::ReleasePermit(released));
    walk.refused(ANA, &using(released), "permit/permit_released");
    let lapsed = ping(walk);
    walk.book.now = walk.book.now.plus_seconds(60);
    walk.refused(ANA, &using(lapsed), "permit/permit_lapsed");
    let unknown = ping(walk);
    walk.happens(ANA, &Command::StartPermit(unknown));
    elapsed(&mut walk.book, Subject::Permit(unknown));
    walk.refused(ANA, &using(unknown), "permit/permit_unknown");
}

fn start() -> Walk {
    let mut walk = walk();
    startable(&mut walk, &Command::StartPermit);
    let rotation = prepared(&mut walk.book, ROTATE);
    walk.refused(ANA, &Command::StartPermit(rotation), "permit/use_rotation");
    let permit = prepared(&mut walk.book, PAYOUT);
    walk.happens(ANA, &Command::StartPermit(permit));
    walk
}

fn release() -> Walk {
    let mut walk = walk();
    startable(&mut walk, &Command::ReleasePermit);
    let permit = prepared(&mut walk.book, ROTATE);
    walk.happens(ANA, &Command::ReleasePermit(permit));
    walk
}

fn finish() -> Walk {
    let mut walk = walk();
    let finish = |permit| Command::FinishPermit(Finish { permit, outcome: Outcome::Failed });
    walk.refused(Actor::Node, &finish(PermitId(9)), "permit/permit_not_found");
    let rotation = rotating(&mut walk.book);
    let permit = walk.book.whole.rotation(rotation).unwrap().permit;
    walk.refused(DAN, &finish(permit), "permit/not_the_executor");
    walk.refused(ANA, &finish(permit), "permit/use_rotation");
    let permit = prepared(&mut walk.book, PAYOUT);
    walk.refused(ANA, &finish(permit), "permit/permit_not_started");
    walk.happens(ANA, &Command::ReleasePermit(permit));
    walk.refused(ANA, &finish(permit), "permit/permit_released");
    let lapsed = prepared(&mut walk.book, PAYOUT);
    walk.book.now = walk.book.now.plus_seconds(60);
    walk.refused(ANA, &finish(lapsed), "permit/permit_lapsed");
    let permit = prepared(&mut walk.book, PAYOUT);
    walk.happens(ANA, &Command::StartPermit(permit));
    walk.happens(ANA, &finish(permit));
    walk.refused(ANA, &finish(permit), "permit/permit_closed");
    walk
}

fn beat() -> Walk {
    let mut walk = walk();
    let beat = Command::KeepPermitAlive;
    walk.refused(Actor::Node, &beat(PermitId(9)), "permit/permit_not_found");
    let rotation = rotating(&mut walk.book);
    let permit = walk.book.whole.rotation(rotation).unwrap().permit;
    walk.refused(DAN, &beat(permit), "permit/not_the_executor");
    walk.refused(ANA, &beat(permit), "permit/use_rotation");
    let permit = prepared(&mut walk.book, PAYOUT);
    walk.refused(ANA, &beat(permit), "permit/permit_not_started");
    walk.happens(ANA, &Command::ReleasePermit(permit));
    walk.refused(ANA, &beat(permit), "permit/permit_released");
    walk.happens(Actor::Node, &stage::claiming(EVE));
    let [_, stricter, ..] = stage::policies();
    walk.activate(stricter);
    let permit = lively(&mut walk.book);
    walk.book.now = walk.book.now.plus_seconds(119);
    walk.happens(ANA, &beat(permit));
    walk.book.now = walk.book.now.plus_seconds(119);
    walk.happens(ANA, &beat(permit));
    walk.book.now = walk.book.now.plus_seconds(120);
    walk.refused(ANA, &beat(permit), "permit/permit_unknown");
    walk
}

fn reconciliation() -> Walk {
    let mut walk = walk();
    let of = |permit| reconcile(permit, Outcome::Succeeded);
    walk.refused(Actor::Node, &of(PermitId(9)), "permit/permit_not_found");
    let permit = prepared(&mut walk.book, PAYOUT);
    walk.refused(Actor::Node, &of(permit), "permit/not_a_person");
    let [.., without_payouts] = stage::policies();
    walk.activate(without_payouts);
    walk.refused(AUD, &of(permit), "permit/no_rule");
    walk.activate(stage::policy());
    walk.refused(AUD, &of(permit), "permit/not_a_reconciler");
    walk.refused(ANA, &of(permit), "permit/self_reconciliation");
    walk.refused(DAN, &of(permit), "permit/permit_not_unknown");
    walk.happens(ANA, &Command::StartPermit(permit));
    walk.refused(BEN, &of(permit), "permit/permit_not_unknown");
    elapsed(&mut walk.book, Subject::Permit(permit));
    walk.refused(ANA, &of(permit), "permit/self_reconciliation");
    walk.happens(BEN, &of(permit));
    walk.refused(DAN, &of(permit), "permit/permit_already_reconciled");
    walk
}

fn name_permit_key() -> Walk {
    let mut walk = Walk { book: Book::empty(), met: BTreeSet::new() };
    walk.refused(ANA, &permit_key(1), "permit_key/not_the_node");
    walk.refused(Actor::Node, &permit_key(1), "log/not_initialised");
    walk.book = Book::begun();
    walk.happens(Actor::Node, &permit_key(1));
    walk.refused(Actor::Node, &permit_key(1), "permit_key/permit_key_on_record");
    walk.happens(Actor::Node, &permit_key(2));
    walk
}

fn start_rotation() -> Walk {
    let mut walk = Walk {
        book: Book::begun_with(Bootstrap { secrets: Vec::new(), ..stage::genesis() }),
        met: BTreeSet::new(),
    };
    let with = |permit, parameters: &[u8], overlap_seconds| {
        let parameters_sha256 = Digest::of(parameters);
        Command::StartRotation(Start {
            permit,
            parameters_sha256,
            parameters: Parameters { overlap_seconds },
        })
    };
    startable(&mut walk, &|permit| with(permit, b"others", 4));
    let payout = prepared(&mut walk.book, PAYOUT);
    walk.refused(ANA, &with(payout, b"others", 4), "rotation/secret_not_governed");
    let permit = prepared(&mut walk.book, ROTATE);
    walk.refused(ANA, &with(permit, b"others", 4), "rotation/secret_not_adopted");
    walk.book = Book::begun();
    rotating(&mut walk.book);
    let permit = prepared(&mut walk.book, ROTATE);
    walk.refused(ANA, &with(permit, b"others", 4), "rotation/secret_busy");
    walk.book = Book::begun();
    let permit = prepared(&mut walk.book, ROTATE);
    walk.refused(ANA, &with(permit, b"others", 4), "rotation/parameters_mismatch");
    walk.refused(ANA, &with(permit, b"parameters", 4), "rotation/overlap_too_short");
    walk.refused(ANA, &with(permit, b"parameters", u32::MAX), "rotation/overlap_too_long");
    walk.happens(ANA, &with(permit, b"parameters", 5));
    walk
}

fn abort() -> Walk {
    let mut walk = walk();
    walk.refused(Actor::Node, &Command::AbortRotation(RotationId(9)), "rotation/rotation_not_found");
    let id = rotating(&mut walk.book);
    let abort = Command::AbortRotation(id);
    work(&mut walk.book, |book| stage_of(book, id) == Stage::OldRevoked);
    walk.refused(Actor::Node, &abort, "rotation/not_a_person");
    walk.refused(BEN, &abort, "rotation/not_an_executor");
    walk.refused(ANA, &abort, "rotation/rotation_past_revocation");
    work(&mut walk.book, |book| stage_of(book, id) == Stage::Closed);
    walk.refused(ANA, &abort, "rotation/rotation_finished");
    let id = rotating(&mut walk.book);
    let abort = Command::AbortRotation(id);
    walk.happens(DAN, &abort);
    walk.refused(DAN, &abort, "rotation/rotation_turned_back");
    work(&mut walk.book, |book| stage_of(book, id) == Stage::Aborted);
    walk.refused(ANA, &abort, "rotation/rotation_finished");
    walk
}

fn attempt_task() -> Walk {
    let mut walk = walk();
    let with = |rotation, task: &TaskKey, attempt| {
        Command::AttemptTask(Attempt { rotation, task: task.clone(), attempt })
    };
    let promote = TaskKey { step: Step::Promote, target: None };
    walk.refused(ANA, &with(RotationId(9), &promote, 1), "rotation/rotation_not_found");
    let id = rotating(&mut walk.book);
    walk.refused(ANA, &with(id, &promote, 1), "rotation/not_the_runner");
    walk.refused(Actor::Node, &with(id, &promote, 1), "rotation/task_not_due");
    work(&mut walk.book, |book| stage_of(book, id) == Stage::Tested);
    walk.refused(Actor::Node, &with(id, &promote, 1), "rotation/task_not_due");
    walk.book.wait_for_deadline();
    for wrong in [0, 2] {
        walk.refused(Actor::Node, &with(id, &promote, wrong), "rotation/task_not_due");
    }
    walk.happens(Actor::Node, &with(id, &promote, 1));
    walk.refused(Actor::Node, &with(id, &promote, 2), "rotation/task_not_due");
    walk
}

fn report_task() -> Walk {
    let mut walk = walk();
    let with = |rotation, task: &TaskKey, attempt| {
        let (task, latency_us, outcome) = (task.clone(), 1, Ok(()));
        Command::ReportTask(Report { rotation, task, attempt, latency_us, outcome })
    };
    let promote = TaskKey { step: Step::Promote, target: None };
    walk.refused(ANA, &with(RotationId(9), &promote, 1), "rotation/rotation_not_found");
    let id = rotating(&mut walk.book);
    walk.refused(ANA, &with(id, &promote, 1), "rotation/not_the_runner");
    walk.refused(Actor::Node, &with(id, &promote, 1), "rotation/task_not_due");
    let due = task(&mut walk.book);
    walk.refused(Actor::Node, &with(id, &due.task, 1), "rotation/task_not_due");
    attempt(&mut walk.book, &due);
    for wrong in [0, 2] {
        walk.refused(Actor::Node, &with(id, &due.task, wrong), "rotation/task_not_due");
    }
    walk.happens(Actor::Node, &with(id, &due.task, 1));
    walk.refused(Actor::Node, &with(id, &due.task, 1), "rotation/task_not_due");
    walk
}

fn report_witness() -> Walk {
    let mut walk = Walk { book: Book::empty(), met: BTreeSet::new() };
    let lost = |since| witness(Standing::Lost { cosigned: 0, since });
    let (now, back) = (walk.book.now, witness(Standing::Regained { cosigned: 1 }));
    walk.refused(ANA, &lost(now.plus_millis(1)), "witness/not_the_node");
    walk.refused(Actor::Node, &lost(now.plus_millis(1)), "log/not_initialised");
    walk.book = Book::begun();
    walk.refused(Actor::Node, &back, "witness/witness_not_lost");
    walk.refused(Actor::Node, &lost(walk.book.now.plus_millis(1)), "witness/witness_not_overdue");
    walk.happens(Actor::Node, &lost(now));
    walk.refused(Actor::Node, &lost(walk.book.now.plus_millis(1)), "witness/witness_not_overdue");
    walk.refused(Actor::Node, &lost(now), "witness/witness_already_lost");
    walk.happens(Actor::Node, &back);
    walk.refused(Actor::Node, &back, "witness/witness_not_lost");
    walk
}

type Walker = fn() -> Walk;

macro_rules! walks {
    ($($walk:ident = $test:ident,)*) => {
        const WALKS: &[Walker] = &[$($walk),*];
        $(#[test]
        fn $test() {
            let mut book = $walk().book;
            book.commit();
            book.assert_replays();
        })*
    };
}

walks! {
    bootstrap = genesis_is_refused_in_order,
    activate = a_policy_is_refused_in_order,
    rotate_log_key = a_log_key_is_refused_in_order,
    redact = a_redaction_is_refused_in_order,
    claim = a_claim_is_refused_in_order,
    invite = an_invitation_is_refused_in_order,
    deactivate = a_deactivation_is_refused_in_order,
    issue_token = a_token_is_refused_in_order,
    exchange_token = an_exchange_is_refused_in_order,
    exchange_workload = the_exchange_of_a_workload_is_refused_in_order,
    revoke_token = taking_a_token_back_is_refused_in_order,
    note_use = noting_a_use_is_refused_in_order,
    act = what_a_token_does_is_refused_in_order,
    open_session = a_session_is_refused_in_order,
    extend = an_extension_is_refused_in_order,
    step_up = a_step_up_is_refused_in_order,
    vote_fresh = a_vote_that_must_be_fresh_is_refused_in_order,
    end_session = ending_a_session_is_refused_in_order,
    change_passkeys = passkeys_for_signing_in_are_refused_in_order,
    passwords = passwords_are_refused_in_order,
    identities = identities_are_refused_in_order,
    claim_by = a_claim_by_passkey_is_refused_in_order,
    note = a_note_is_refused_in_order,
    enroll_key = a_voting_key_is_refused_in_order,
    revoke_key = a_revocation_is_refused_in_order,
    sign = a_signed_vote_is_refused_in_order,
    census = a_census_is_refused_in_order,
    request = a_request_is_refused_in_order,
    approve = agreeing_is_refused_in_order,
    deny = disagreeing_is_refused_in_order,
    revoke = taking_a_vote_back_is_refused_in_order,
    delegate = a_delegation_is_refused_in_order,
    end_delegation = ending_a_delegation_is_refused_in_order,
    withdraw = withdrawing_is_refused_in_order,
    reserve = a_reservation_is_refused_in_order,
    break_glass = breaking_the_glass_is_refused_in_order,
    review = a_review_is_refused_in_order,
    start = a_start_is_refused_in_order,
    release = a_release_is_refused_in_order,
    finish = an_outcome_is_refused_in_order,
    beat = a_sign_of_life_is_refused_in_order,
    reconciliation = a_reconciliation_is_refused_in_order,
    name_permit_key = a_permit_key_is_refused_in_order,
    start_rotation = a_rotation_is_refused_in_order,
    abort = an_abort_is_refused_in_order,
    attempt_task = an_attempt_is_refused_in_order,
    report_task = a_report_is_refused_in_order,
    note_failures = what_is_said_of_failed_sign_ins_is_refused_in_order,
    report_witness = what_is_said_of_a_witness_is_refused_in_order,
}

#[test]
fn the_walks_meet_every_refusal_there_is() {
    let met: BTreeSet<String> = WALKS.iter().flat_map(|walk| walk().met).collect();
    let all = Refusal::all().map(|(capability, refusal)| format!("{capability}/{}", refusal.code()));
    let unmet: Vec<String> = all.filter(|refusal| !met.contains(refusal)).collect();
    assert!(unmet.is_empty(), "{unmet:?}");
}
