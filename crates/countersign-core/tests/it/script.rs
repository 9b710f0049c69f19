//! One history in which everything happens at least once: the golden history is what it writes.

use std::collections::BTreeMap;

use countersign_core::break_glass::{self, Open, Reason, Verdict};
use countersign_core::digest::Digest;
use countersign_core::freeze::Exception;
use countersign_core::id::{ApprovalId, BreakGlassId, PermitId, PersonId, RotationId};
use countersign_core::log::ActivatePolicy;
use countersign_core::log::census::TakeCensus;
use countersign_core::log::key::{Handover, RotateLogKey};
use countersign_core::log::permit_key::NamePermitKey;
use countersign_core::log::witness::{ReportWitness, Standing};
use countersign_core::permit::{Finish, Outcome, Reconcile, Reserve};
use countersign_core::person::NoteRefusals;
use countersign_core::policy::Policy;
use countersign_core::redaction::{Entries, RedactDetails};
use countersign_core::rotation::{
    Attempt, Due, Failure, FailureCode, Parameters, Report, Stage, Start, Step, TASK_TIMEOUT_MS,
};
use countersign_core::time::Time;
use countersign_core::{Actor, Command, Effect, Event, Subject, approval};

pub(crate) mod life;

use crate::book::Book;
use crate::failures;
use crate::membership;
use crate::passwords;
use crate::sessions;
use crate::signing;
use crate::stage::{
    self, ACTIVATE, ANA, BEN, CHLOE, DAN, EVE, EXCEPT_FRIDAY, EXCEPT_HOLIDAYS, FAILOVER, PAYOUT, REDACT,
    ROTATE, ROTATE_LOG_KEY,
};
use crate::tokens;
use crate::workloads;

/// Everything that can happen.
pub(crate) fn everything() -> Book {
    let mut book = Book::begun();
    requests_that_come_to_nothing(&mut book);
    permits(&mut book);
    rotation_that_is_closed(&mut book);
    rotations_that_go_back(&mut book);
    another_policy(&mut book);
    let census = census(&book);
    book.must(Actor::Node, &census);
    a_witness_that_goes_and_comes(&mut book);
    another_log_key(&mut book);
    redactions(&mut book);
    permits_that_must_give_signs_of_life(&mut book);
    book.must(Actor::Node, &permit_key(1));
    signing::signed_votes(&mut book);
    life::life(&mut book);
    under_a_wary_policy(&mut book);
    broken_glass(&mut book);
    freezes(&mut book);
    membership::people(&mut book);
    signing::votes_by_passkey(&mut book);
    tokens::tokens(&mut book);
    workloads::workloads(&mut book);
    sessions::sessions(&mut book);
    tokens::that_are_used(&mut book);
    sessions::fresh_votes(&mut book);
    passwords::passwords(&mut book);
    tokens::bound(&mut book);
    failures::failures(&mut book);
    book.commit();
    book
}

fn requests_that_come_to_nothing(book: &mut Book) {
    let withdrawn = requested(book, PAYOUT);
    book.must(ANA, &Command::Withdraw(withdrawn));
    let denied = requested(book, PAYOUT);
    book.must(CHLOE, &Command::Deny(denied));
    let forgotten = requested(book, PAYOUT);
    elapsed(book, Subject::Approval(forgotten));
    let unused = approved(book, PAYOUT);
    elapsed(book, Subject::Approval(unused));
    book.must(Actor::Node, &stage::claiming(EVE));
    for action in [None, Some(stage::action(PAYOUT))] {
        let (from, until) = (stage::BEGINNING, book.now);
        let count = 3.try_into().unwrap();
        let note = NoteRefusals { person: ANA, action, code: "self_approval", count, from, until };
        book.must(Actor::Node, &Command::NoteRefusals(note));
    }
}

fn permits(book: &mut Book) {
    let approval = approved(book, PAYOUT);
    let released = reserved(book, (ANA, PAYOUT), Some(approval));
    book.must(ANA, &Command::ReleasePermit(released));
    let succeeded = reserved(book, (DAN, PAYOUT), Some(approval));
    book.must(DAN, &Command::StartPermit(succeeded));
    finished(book, (DAN, succeeded), Outcome::Succeeded);
    for outcome in [Outcome::Succeeded, Outcome::Failed] {
        let permit = reserved(book, (ANA, "ping probe/any production"), None);
        book.must(ANA, &Command::StartPermit(permit));
        finished(book, (ANA, permit), outcome);
        let unknown = reserved(book, (ANA, "ping probe/any production"), None);
        book.must(ANA, &Command::StartPermit(unknown));
        elapsed(book, Subject::Permit(unknown));
        finished(book, (ANA, unknown), outcome);
    }
    let lapsed = prepared(book, PAYOUT);
    elapsed(book, Subject::Permit(lapsed));
}

/// With a failure of every kind on the way, a lost attempt, and a proof that is long in coming.
fn rotation_that_is_closed(book: &mut Book) {
    let id = rotating(book);
    let codes = [
        FailureCode::Unreachable,
        FailureCode::Refused,
        FailureCode::Inconclusive,
        FailureCode::NewRefused,
        FailureCode::Store,
        FailureCode::NotConfigured,
    ];
    for code in codes {
        let status = (code == FailureCode::Refused).then_some(409);
        fail_one(book, Failure { code, status });
        work(book, |book| !book.due().is_empty());
        perform(book);
    }
    work(book, |book| stage_of(book, id) == Stage::OldRevoked);
    let stuck = Failure { code: FailureCode::OldAccepted, status: Some(200) };
    for _ in 0..6 {
        fail_one(book, stuck);
        book.now = book.now.plus_millis(2_000);
    }
    work(book, |book| stage_of(book, id) == Stage::OldProvedRefused);
    work(book, |book| !book.due().is_empty());
    for _ in 0..3 {
        let due = task(book);
        attempt(book, &due);
        book.now = book.now.plus_millis(TASK_TIMEOUT_MS);
    }
    work(book, |book| stage_of(book, id) == Stage::Closed);
}

fn rotations_that_go_back(book: &mut Book) {
    let exhausted = rotating(book);
    while stage_of(book, exhausted) != Stage::Aborting {
        fail_one(book, Failure { code: FailureCode::Store, status: None });
        book.now = book.now.plus_millis(1_000);
    }
    work(book, |book| stage_of(book, exhausted) == Stage::Aborted);
    for (from, to) in [(Stage::Distributed, Stage::Aborted), (Stage::Overlap, Stage::SwappedBack)] {
        let ordered = rotating(book);
        work(book, |book| stage_of(book, ordered) == from);
        book.must(DAN, &Command::AbortRotation(ordered));
        work(book, |book| stage_of(book, ordered) == to);
    }
    let outlives = rotating(book);
    work(book, |book| stage_of(book, outlives) == Stage::Tested);
    book.now = book.now.plus_seconds(600);
    work(book, |book| stage_of(book, outlives) == Stage::Closed);
}

fn another_policy(book: &mut Book) {
    let approval = approved(book, ACTIVATE);
    let [_, stricter, ..] = stage::policies();
    book.must(ANA, &activation(stricter, approval));
    let approval = requested(book, PAYOUT);
    for voter in [BEN, CHLOE, EVE] {
        book.must(voter, &Command::Approve(approval.into()));
    }
    let permit = reserved(book, (ANA, PAYOUT), Some(approval));
    book.must(ANA, &Command::StartPermit(permit));
    finished(book, (ANA, permit), Outcome::Failed);
}

/// One whose executor does, and one whose executor falls silent, so that somebody else has to look.
fn permits_that_must_give_signs_of_life(book: &mut Book) {
    let beating = lively(book);
    book.now = book.now.plus_seconds(60);
    book.must(ANA, &Command::KeepPermitAlive(beating));
    finished(book, (ANA, beating), Outcome::Succeeded);
    let silent = lively(book);
    elapsed(book, Subject::Permit(silent));
    book.must(DAN, &reconcile(silent, Outcome::Failed));
}

/// A started permit that must give signs of life, under the policy that asks for them.
pub(crate) fn lively(book: &mut Book) -> PermitId {
    let approval = requested(book, PAYOUT);
    for voter in [BEN, CHLOE, EVE] {
        book.must(voter, &Command::Approve(approval.into()));
    }
    let permit = reserved(book, (ANA, PAYOUT), Some(approval));
    book.must(ANA, &Command::StartPermit(permit));
    permit
}

pub(crate) fn reconcile(permit: PermitId, outcome: Outcome) -> Command {
    Command::ReconcilePermit(Reconcile { permit, outcome })
}

/// The node's key for permit documents, by number.
pub(crate) fn permit_key(number: usize) -> Command {
    Command::NamePermitKey(NamePermitKey { key: format!("ledger.test/permit+{number:08x}+key") })
}

/// A census of all there is; the core does not look into it.
pub(crate) fn census(book: &Book) -> Command {
    let size = book.events.len().try_into().unwrap();
    Command::TakeCensus(TakeCensus { size, subjects: 1, root_sha256: Digest::of(b"rows") })
}

fn a_witness_that_goes_and_comes(book: &mut Book) {
    let since = book.now;
    book.now = book.now.plus_seconds(300);
    book.must(Actor::Node, &witness(Standing::Lost { cosigned: 17, since }));
    book.now = book.now.plus_seconds(60);
    book.must(Actor::Node, &witness(Standing::Regained { cosigned: 42 }));
}

/// How the stage's witness fares.
pub(crate) fn witness(standing: Standing) -> Command {
    Command::ReportWitness(ReportWitness { witness: "harbour".parse().unwrap(), standing })
}

fn another_log_key(book: &mut Book) {
    let approval = approved(book, ROTATE_LOG_KEY);
    book.must(ANA, &handing_over((0, 1), approval));
}

/// The rotation of the log's key from one number to another.
pub(crate) fn handing_over((old, new): (usize, usize), approval: ApprovalId) -> Command {
    let handover = Handover {
        old_key: stage::log_key(old),
        new_key: stage::log_key(new),
        size: 17,
        root: Digest::of(b"root"),
        old_signature: "b2xk".into(),
        new_signature: "bmV3".into(),
    };
    Command::RotateLogKey(RotateLogKey { handover, approval, parameters_sha256: stage::parameters() })
}

/// One that is reviewed in time, one that is noticed, and one whose first late reviewer notices it.
fn broken_glass(book: &mut Book) {
    signing::with_keys(book, &[(ANA, 1), (DAN, 1)]);
    let reviewed = glass_broken(book, DAN);
    let permit = book.whole.break_glass(reviewed).unwrap().permit;
    book.must(DAN, &Command::StartPermit(permit));
    book.must(BEN, &reviewing(reviewed, Verdict::Justified));
    finished(book, (DAN, permit), Outcome::Succeeded);
    book.must(CHLOE, &reviewing(reviewed, Verdict::Justified));
    let noticed = glass_broken(book, ANA);
    let permit = book.whole.break_glass(noticed).unwrap().permit;
    book.must(ANA, &Command::ReleasePermit(permit));
    elapsed(book, Subject::BreakGlass(noticed));
    book.must(BEN, &reviewing(noticed, Verdict::Unjustified));
    book.must(CHLOE, &reviewing(noticed, Verdict::Justified));
    let silent = glass_broken(book, ANA);
    let permit = book.whole.break_glass(silent).unwrap().permit;
    elapsed(book, Subject::Permit(permit));
    book.now = book.deadline(&Subject::BreakGlass(silent)).unwrap();
    book.must(EVE, &reviewing(silent, Verdict::Justified));
    book.must(BEN, &reviewing(silent, Verdict::Justified));
}

/// Signed with a key in hardware. What was signed is not the core's to say, only when and with whose key.
pub(crate) fn breaking(book: &Book, person: PersonId) -> Open {
    Open {
        action: stage::action(FAILOVER),
        parameters_sha256: stage::parameters(),
        signed_at: book.now,
        signature: signing::signature((person, 1), 7),
        reason: Reason::Given,
    }
}

pub(crate) fn glass_broken(book: &mut Book, person: PersonId) -> BreakGlassId {
    // Two statements of one person are never of the same moment.
    book.now = book.now.plus_millis(1);
    let open = Command::BreakGlass(breaking(book, person));
    match made(&book.must(person, &open)) {
        Subject::BreakGlass(id) => id,
        other => panic!("{other}"),
    }
}

pub(crate) fn reviewing(break_glass: BreakGlassId, verdict: Verdict) -> Command {
    Command::ReviewBreakGlass(break_glass::Review { break_glass, verdict, reason: Reason::Given })
}

/// A reason, then what was asked for long ago together with the redaction of the reason.
fn redactions(book: &mut Book) {
    let asked = requested(book, PAYOUT);
    book.must(ANA, &Command::Withdraw(asked));
    let (first, last) = (book.first_of(&asked.into()), book.size() - 1);
    let approval = approved(book, REDACT);
    book.must(ANA, &redaction(&[last], approval));
    let redacted = book.size() - 1;
    let approval = approved(book, REDACT);
    book.must(ANA, &redaction(&[first, redacted], approval));
}

/// People disagree: with effect only if two humans do, and until they change their minds.
fn under_a_wary_policy(book: &mut Book) {
    let approval = approved(book, ACTIVATE);
    book.must(ANA, &activation(stage::wary(), approval));
    let denied = requested_by(book, (DAN, PAYOUT));
    book.must(BEN, &Command::Deny(denied));
    book.must(EVE, &Command::Deny(denied));
    book.must(CHLOE, &Command::Deny(denied));
    let agreed = requested_by(book, (DAN, PAYOUT));
    book.must(BEN, &commented(agreed));
    book.must(CHLOE, &commented(agreed));
    book.must(BEN, &Command::Deny(agreed));
    book.must(BEN, &commented(agreed));
    let permit = reserved(book, (DAN, PAYOUT), Some(agreed));
    book.must(DAN, &Command::StartPermit(permit));
    finished(book, (DAN, permit), Outcome::Succeeded);
}

/// Agreement by somebody who says why.
pub(crate) fn commented(id: ApprovalId) -> Command {
    Command::Approve(approval::Ballot { commented: true, ..id.into() })
}

/// Under a policy with freezes: before them, within one, within two at once, and started within one.
fn freezes(book: &mut Book) {
    book.commit();
    let approval = approved(book, ACTIVATE);
    book.must(ANA, &activation(stage::frozen(), approval));
    let before = prepared(book, PAYOUT);
    book.must(ANA, &Command::StartPermit(before));
    finished(book, (ANA, before), Outcome::Succeeded);
    for (noon, exceptions) in [
        ("2026-12-04T20:00:00Z", &[EXCEPT_FRIDAY][..]),
        ("2026-12-25T20:00:00Z", &[EXCEPT_HOLIDAYS, EXCEPT_FRIDAY]),
    ] {
        book.commit();
        book.now = Time::parse_rfc3339(noon).unwrap();
        let approval = approved(book, PAYOUT);
        let exceptions: Vec<ApprovalId> = exceptions.iter().map(|action| excepted(book, action)).collect();
        let events = book.must(ANA, &reservation(PAYOUT, Some(approval), &exceptions));
        let Subject::Permit(permit) = made(&events) else { panic!("{events:?}") };
        book.must(ANA, &Command::StartPermit(permit));
        finished(book, (ANA, permit), Outcome::Succeeded);
    }
    let exception = excepted(book, EXCEPT_HOLIDAYS);
    let events = book.must(ANA, &reservation("ping probe/any production", None, &[exception]));
    let Subject::Permit(permit) = made(&events) else { panic!("{events:?}") };
    book.must(ANA, &Command::StartPermit(permit));
    finished(book, (ANA, permit), Outcome::Failed);
    let approval = approved(book, ACTIVATE);
    let [_, stricter, ..] = stage::policies();
    book.must(ANA, &activation(stricter, approval));
    let withdrawn = requested(book, PAYOUT);
    book.must(ANA, &Command::Withdraw(withdrawn));
}

/// An approved exception.
pub(crate) fn excepted(book: &mut Book, action: &str) -> ApprovalId {
    let id = requested(book, action);
    book.must(CHLOE, &Command::Approve(id.into()));
    id
}

pub(crate) fn redaction(indices: &[u64], approval: ApprovalId) -> Command {
    let (entries, parameters_sha256) = (Entries::try_from(indices.to_vec()).unwrap(), stage::parameters());
    // The book looks up what stands there, as the engine does.
    Command::RedactDetails(RedactDetails { entries, approval, parameters_sha256, found: BTreeMap::new() })
}

pub(crate) fn activation(policy: Policy, approval: ApprovalId) -> Command {
    let policy_sha256 = stage::policy_digest(&policy);
    let parameters_sha256 = stage::parameters();
    Command::ActivatePolicy(ActivatePolicy { policy, policy_sha256, approval, parameters_sha256 })
}

fn made(events: &[Event]) -> Subject {
    Command::principal(events).unwrap().fact.subject()
}

pub(crate) fn requested(book: &mut Book, action: &str) -> ApprovalId {
    requested_by(book, (ANA, action))
}

pub(crate) fn requested_by(book: &mut Book, (requester, action): (PersonId, &str)) -> ApprovalId {
    let request = approval::Request { action: stage::action(action), parameters_sha256: stage::parameters() };
    match made(&book.must(requester, &Command::RequestApproval(request))) {
        Subject::Approval(id) => id,
        other => panic!("{other}"),
    }
}

pub(crate) fn approved(book: &mut Book, action: &str) -> ApprovalId {
    let id = requested(book, action);
    book.must(BEN, &Command::Approve(id.into()));
    book.must(CHLOE, &Command::Approve(id.into()));
    id
}

pub(crate) fn reserved(
    book: &mut Book,
    (executor, action): (PersonId, &str),
    approval: Option<ApprovalId>,
) -> PermitId {
    let (action, parameters_sha256) = (stage::action(action), stage::parameters());
    let reserve = Reserve { action, parameters_sha256, approval, exceptions: Vec::new() };
    match made(&book.must(executor, &Command::ReservePermit(reserve))) {
        Subject::Permit(id) => id,
        other => panic!("{other}"),
    }
}

/// With exceptions from freezes.
pub(crate) fn reservation(action: &str, approval: Option<ApprovalId>, exceptions: &[ApprovalId]) -> Command {
    let parameters_sha256 = stage::parameters();
    let exception = |approval: &ApprovalId| Exception { approval: *approval, parameters_sha256 };
    let exceptions = exceptions.iter().map(exception).collect();
    Command::ReservePermit(Reserve { action: stage::action(action), parameters_sha256, approval, exceptions })
}

pub(crate) fn prepared(book: &mut Book, action: &str) -> PermitId {
    let approval = approved(book, action);
    reserved(book, (ANA, action), Some(approval))
}

pub(crate) fn finished(book: &mut Book, (executor, permit): (PersonId, PermitId), outcome: Outcome) {
    book.must(executor, &Command::FinishPermit(Finish { permit, outcome }));
}

/// Time passes until the subject's deadline, and it is written down.
pub(crate) fn elapsed(book: &mut Book, subject: Subject) {
    book.commit();
    book.now = book.deadline(&subject).unwrap();
    assert!(!book.must(Actor::Node, &Command::Elapse(subject)).is_empty());
}

pub(crate) fn start(permit: PermitId) -> Command {
    let parameters = Parameters { overlap_seconds: 5 };
    Command::StartRotation(Start { permit, parameters_sha256: stage::parameters(), parameters })
}

pub(crate) fn rotating(book: &mut Book) -> RotationId {
    let permit = prepared(book, ROTATE);
    match made(&book.must(ANA, &start(permit))) {
        Subject::Rotation(id) => id,
        other => panic!("{other}"),
    }
}

pub(crate) fn stage_of(book: &Book, id: RotationId) -> Stage {
    book.whole.rotation(id).unwrap().stage
}

/// The first task that is due; deadlines that passed before it are written down.
pub(crate) fn task(book: &mut Book) -> Due {
    loop {
        match book.due().into_iter().next() {
            Some(Effect::Task(due)) => return due,
            Some(Effect::Elapse(subject)) => {
                book.must(Actor::Node, &Command::Elapse(subject));
            }
            None => book.wait_for_deadline(),
        }
    }
}

pub(crate) fn attempt(book: &mut Book, due: &Due) {
    let (rotation, task, attempt) = (due.rotation, due.task.clone(), due.attempt);
    book.must(Actor::Node, &Command::AttemptTask(Attempt { rotation, task, attempt }));
}

pub(crate) fn report(book: &mut Book, due: &Due, outcome: Result<(), Failure>) {
    let (rotation, task, attempt) = (due.rotation, due.task.clone(), due.attempt);
    let latency_us = if due.task.step == Step::CreatePending { 90 } else { 1_700 };
    book.must(Actor::Node, &Command::ReportTask(Report { rotation, task, attempt, latency_us, outcome }));
}

pub(crate) fn fail_one(book: &mut Book, failure: Failure) {
    let due = task(book);
    attempt(book, &due);
    report(book, &due, Err(failure));
}

/// Everything that is due succeeds.
fn perform(book: &mut Book) {
    for effect in book.due() {
        match effect {
            Effect::Elapse(subject) => {
                book.must(Actor::Node, &Command::Elapse(subject));
            }
            Effect::Task(due) => {
                attempt(book, &due);
                report(book, &due, Ok(()));
            }
        }
    }
    book.commit();
}

/// Goes from deadline to deadline until the condition holds.
pub(crate) fn work(book: &mut Book, until: impl Fn(&Book) -> bool) {
    for _ in 0..100 {
        if until(book) {
            return;
        }
        perform(book);
        if until(book) {
            return;
        }
        book.wait_for_deadline();
    }
    panic!("it never comes to that: {:?}", book.due());
}
