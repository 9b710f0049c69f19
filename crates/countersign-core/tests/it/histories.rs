//! Random histories: whatever people, the runner and time do, in any order, the book agrees with itself and the auditor is content.
//!
//! A move names people and subjects by small numbers that are resolved when it is played, so that shrinking keeps a history meaningful.
//! A failing history is printed by proptest, with the seed that finds it again.

use std::collections::BTreeSet;

use countersign_core::action::Action;
use countersign_core::break_glass::{Open, Verdict};
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, BreakGlassId, PermitId, PersonId, RotationId, SessionId, TokenId};
use countersign_core::log::ActivatePolicy;
use countersign_core::log::witness::Standing;
use countersign_core::permit::{Finish, Outcome, Reserve};
use countersign_core::rotation::{Attempt, Due, Failure, FailureCode, Parameters, Report, Start};
use countersign_core::session::{self, Extend};
use countersign_core::time::Time;
use countersign_core::voting_key::enrolment;
use countersign_core::{Actor, Command, Effect, Fact, Subject, approval};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

mod moves;

use moves::{Fate, Move, WEATHER, histories};

use crate::book::Book;
use crate::membership;
use crate::script::life::{delegating, in_place_of};
use crate::script::{self, handing_over, witness};
use crate::sessions;
use crate::signing;
use crate::stage::{
    self, ACTIONS, ACTIVATE, ANA, AUD, BEN, CHLOE, DAN, EVE, EXCEPT_FRIDAY, PAYOUT, REDACT, ROTATE_LOG_KEY,
};
use crate::tokens;
use crate::workloads;

<<<<<<< HEAD
=======
/// Who acts: usually somebody who may.
fn who() -> impl Strategy<Value = Actor> {
    let anybody = (1..=7_u128).prop_map(|number| Actor::Person(PersonId(number)));
    prop_oneof![6 => Just(Actor::Person(ANA)), 6 => anybody, 1 => Just(Actor::Node)]
}

fn person() -> impl Strategy<Value = PersonId> {
    (1..=7_u128).prop_map(PersonId)
}

/// What becomes of a task the runner attempts.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Succeeds,
    Fails,
    /// The runner dies before it reports.
    IsLost,
    /// A success is reported for an attempt before the last.
    SucceedsLate,
    /// Somebody reports who is not the runner.
    IsInvented,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Succeeds), 3 => Just(Fate::Fails), 1 => Just(Fate::IsLost),
        1 => Just(Fate::SucceedsLate), 1 => Just(Fate::IsInvented),
    ]
}

#[derive(Clone, Debug)]
enum Move {
    /// Time passes, milliseconds.
    Wait(i64),
    /// Time passes up to the next deadline exactly.
    WaitForDeadline,
    /// The batch ends here.
    Commit,
    Claim(PersonId),
    Request(Actor, usize),
    /// With a comment or without.
    Approve(Actor, Index, bool),
    Deny(Actor, Index),
    Withdraw(Actor, Index),
    /// In whose place.
    ApproveFor(Actor, Index, PersonId),
    Revoke(Actor, Index),
    /// To whom, from and until so many seconds from now.
    Delegate(Actor, PersonId, u32, u32),
    EndDelegation(Actor),
    /// Under a policy that tells others, nobody votes.
    NobodyVotes,
    /// Chloe agrees, and takes it back.
    TakeBack,
    /// Ben lets Aud agree in his place.
    BenIsAway,
    /// With which approval, if any, for its own action or another, with its own parameters or others.
    Reserve(Actor, Option<Index>, Option<usize>, bool),
    /// What `Reserve` does for its own action, with so many exceptions from freezes.
    Pass(Actor, Option<Index>, Vec<Index>),
    /// The policy with freezes comes into force with everybody's agreement, and one of these moments comes.
    Freeze(&'static str),
    /// Somebody asks for an exception, from which freeze, and whether Chloe agrees.
    Except(Actor, &'static str, bool),
    /// A payout within a freeze, under an exception, and another one under the same.
    PassTwice,
    /// Two accounts of one human agree to a payout.
    TwoAccounts,
    StartPermit(Actor, Index),
    ReleasePermit(Actor, Index),
    Finish(Actor, Index, bool),
    Beat(Actor, Index),
    /// A permit that must give signs of life, with everything up to it, and the first of them.
    Drum,
    Reconcile(Actor, Index, bool),
    /// The node names its key for permit documents, by number.
    NamePermitKey(Actor, usize),
    StartRotation(Actor, Index, u32),
    Abort(Actor, Index),
    /// The runner performs one thing that is due.
    Perform(Index, Fate),
    /// The runner performs what is due, several times, pausing for milliseconds.
    Work(u8, i64, Fate),
    Elapse(Index),
    Activate(Actor, Index, usize),
    /// The log's key is replaced, by its number and that of the next, as far as whoever moves believes.
    RotateLogKey(Actor, Index, usize, usize),
    /// The log's key is replaced with everybody's agreement.
    HandOver,
    /// The policy that is wary of payouts comes into force with everybody's agreement, and Ben says no to one.
    BeWary,
    /// Acts without anybody's consent, having signed so many milliseconds ago.
    BreakGlass(Actor, i64),
    /// The same, with everything up to a voting key.
    BreakGlassProperly(PersonId),
    /// The same, and once more when nobody has reviewed that in time.
    BreakGlassAgain,
    Review(Actor, Index, bool),
    /// Of which entries, under which approval.
    Redact(Actor, Index, Vec<Index>),
    /// The same, with everything up to an approval of it, in one go.
    RedactProperly(Vec<Index>),
    /// The policy that takes signed votes, then a voting key, whose and by its number, all with everybody's agreement.
    EnrollKey(PersonId, u8),
    /// The policy under which people come and go, and an invitation, all with everybody's agreement; whether it is claimed.
    Invite(PersonId, u8, bool),
    Deactivate(Actor, PersonId),
    /// The policy that offers tokens, and one, for so many seconds.
    IssueToken(u32),
    /// The policy that recognises workloads, and the token of one: which, good for how long, with the right claims or not.
    ExchangeWorkload(u32, i64, bool),
    /// By which token, for how many seconds.
    Exchange(Index, u32),
    RevokeToken(Actor, Index),
    /// Who says it, of which token, of how many seconds.
    NoteUse(Actor, Index, u32),
    /// Somebody's token does what its owner could.
    ByToken(Index, Box<Move>),
    /// A vote signed with a key.
    Sign(Actor, Index, (PersonId, u8)),
    /// The request under which others revoke it, if any, is any of those there are.
    RevokeKey(Actor, (PersonId, u8), Option<Index>),
    /// Everything up to a reserved permit, in one go.
    Prepare(usize),
    /// Everything up to a rotation under way.
    Rotate,
    /// The node counts what somebody was refused.
    Note(PersonId),
    /// Somebody writes a census down.
    Census(Actor),
    /// The node says that the witness was lost, or that it is back.
    Witness(Actor, bool),
}

/// Before any freeze, within that of a Friday, that over the end of the year, both, and neither again.
const WEATHER: [&str; 5] = [
    "2026-11-27T16:59:59Z",
    "2026-11-27T20:00:00Z",
    "2026-12-24T12:00:00Z",
    "2026-12-25T20:00:00Z",
    "2027-01-12T12:00:00Z",
];

fn entries() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 1..4)
}

/// One of few keys, so that they are met again.
fn key() -> impl Strategy<Value = (PersonId, u8)> {
    (prop::sample::select(vec![BEN, CHLOE]), 0..4_u8)
}

/// What a token may try.
fn by_token() -> impl Strategy<Value = Move> {
    let index = any::<Index>;
    let somebody = || Just(Actor::Node);
    prop_oneof![
        3 => (somebody(), 0..ACTIONS.len()).prop_map(|(who, action)| Move::Request(who, action)),
        1 => (somebody(), index(), any::<bool>()).prop_map(|(who, nth, said)| Move::Approve(who, nth, said)),
        1 => (somebody(), index()).prop_map(|(who, nth)| Move::Withdraw(who, nth)),
        4 => (somebody(), prop::option::weighted(0.5, index()))
            .prop_map(|(who, approval)| Move::Reserve(who, approval, None, true)),
        3 => (somebody(), index()).prop_map(|(who, nth)| Move::StartPermit(who, nth)),
        1 => (somebody(), index()).prop_map(|(who, nth)| Move::ReleasePermit(who, nth)),
        2 => (somebody(), index(), any::<bool>()).prop_map(|(who, nth, good)| Move::Finish(who, nth, good)),
        1 => (somebody(), index(), 4..8_u32).prop_map(|(who, nth, by)| Move::StartRotation(who, nth, by)),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of what can happen")]
fn a_move() -> impl Strategy<Value = Move> {
    let index = any::<Index>;
    let action = || 0..ACTIONS.len();
    let time = prop::sample::select(vec![0_i64, 1, 250, 1_000, 5_000, 20_000, 60_000, 599_999, 600_000]);
    prop_oneof![
        3 => time.prop_map(Move::Wait),
        2 => Just(Move::WaitForDeadline),
        6 => Just(Move::Commit),
        1 => (1..=7_u128).prop_map(|number| Move::Claim(PersonId(number))),
        4 => (who(), action()).prop_map(|(who, action)| Move::Request(who, action)),
        8 => (who(), index(), any::<bool>()).prop_map(|(who, nth, commented)| Move::Approve(who, nth, commented)),
        2 => (who(), index()).prop_map(|(who, nth)| Move::Deny(who, nth)),
        1 => (who(), index()).prop_map(|(who, nth)| Move::Withdraw(who, nth)),
        2 => (who(), index(), person()).prop_map(|(who, nth, whose)| Move::ApproveFor(who, nth, whose)),
        2 => index().prop_map(|nth| Move::ApproveFor(Actor::Person(AUD), nth, BEN)),
        2 => (who(), index()).prop_map(|(who, nth)| Move::Revoke(who, nth)),
        1 => (who(), person(), 0..3_u32, prop::sample::select(vec![1_u32, 60, 3_600]))
            .prop_map(|(who, to, from, until)| Move::Delegate(who, to, from * 60, until)),
        1 => who().prop_map(Move::EndDelegation),
        2 => Just(Move::BenIsAway),
        1 => Just(Move::NobodyVotes),
        1 => Just(Move::TakeBack),
        6 => (who(), prop::option::weighted(0.9, index()), prop::option::weighted(0.1, action()), prop::bool::weighted(0.9))
            .prop_map(|(who, approval, action, own)| Move::Reserve(who, approval, action, own)),
        2 => (who(), prop::option::of(index()), prop::collection::vec(index(), 1..3))
            .prop_map(|(who, approval, exceptions)| Move::Pass(who, approval, exceptions)),
        1 => prop::sample::select(WEATHER.to_vec()).prop_map(Move::Freeze),
        2 => (who(), prop::sample::select(vec![EXCEPT_FRIDAY, EXCEPT_HOLIDAYS]), any::<bool>())
            .prop_map(|(who, from, agreed)| Move::Except(who, from, agreed)),
        1 => Just(Move::PassTwice),
        1 => Just(Move::TwoAccounts),
        4 => (who(), index()).prop_map(|(who, nth)| Move::StartPermit(who, nth)),
        2 => (who(), index()).prop_map(|(who, nth)| Move::ReleasePermit(who, nth)),
        4 => (who(), index(), any::<bool>()).prop_map(|(who, nth, good)| Move::Finish(who, nth, good)),
        2 => (who(), index()).prop_map(|(who, nth)| Move::Beat(who, nth)),
        1 => Just(Move::Drum),
        3 => (who(), index(), any::<bool>()).prop_map(|(who, nth, good)| Move::Reconcile(who, nth, good)),
        1 => (who(), 0..3_usize).prop_map(|(who, number)| Move::NamePermitKey(who, number)),
        4 => (who(), index(), 4..8_u32).prop_map(|(who, nth, overlap)| Move::StartRotation(who, nth, overlap)),
        3 => (who(), index()).prop_map(|(who, nth)| Move::Abort(who, nth)),
        6 => (index(), fate()).prop_map(|(nth, fate)| Move::Perform(nth, fate)),
        5 => (1..24_u8, prop::sample::select(vec![250_i64, 1_000, 5_000]), fate())
            .prop_map(|(rounds, pause, fate)| Move::Work(rounds, pause, fate)),
        2 => index().prop_map(Move::Elapse),
        2 => (who(), index(), 0..6_usize).prop_map(|(who, nth, policy)| Move::Activate(who, nth, policy)),
        1 => (who(), index(), 0..3_usize, 0..4_usize)
            .prop_map(|(who, nth, old, new)| Move::RotateLogKey(who, nth, old, new)),
        1 => Just(Move::HandOver),
        1 => Just(Move::BeWary),
        1 => (who(), prop::sample::select(vec![0_i64, 0, 0, 1, -1, 300_000, 300_001]))
            .prop_map(|(who, ago)| Move::BreakGlass(who, ago)),
        2 => prop::sample::select(vec![ANA, DAN]).prop_map(Move::BreakGlassProperly),
        1 => Just(Move::BreakGlassAgain),
        5 => (who(), index(), any::<bool>()).prop_map(|(who, nth, good)| Move::Review(who, nth, good)),
        1 => (who(), index(), entries()).prop_map(|(who, nth, of)| Move::Redact(who, nth, of)),
        2 => entries().prop_map(Move::RedactProperly),
        1 => key().prop_map(|(person, number)| Move::EnrollKey(person, number)),
        1 => (7..=8_u128, 0..3_u8, any::<bool>())
            .prop_map(|(person, number, claimed)| Move::Invite(PersonId(person), number, claimed)),
        1 => (1..=8_u128).prop_map(|number| Move::Deactivate(Actor::Person(CHLOE), PersonId(number))),
        1 => (who(), 1..=8_u128).prop_map(|(who, number)| Move::Deactivate(who, PersonId(number))),
        2 => prop::sample::select(vec![1_u32, 900, 3_600, 3_601]).prop_map(Move::IssueToken),
        2 => (0..4_u32, prop::sample::select(vec![-61_i64, -59, 0, 3_600, 86_400, 86_401]), prop::bool::weighted(0.8))
            .prop_map(|(job, seconds, right)| Move::ExchangeWorkload(job, seconds, right)),
        1 => (index(), prop::sample::select(vec![1_u32, 60, 900])).prop_map(|(nth, by)| Move::Exchange(nth, by)),
        1 => (who(), index()).prop_map(|(who, nth)| Move::RevokeToken(who, nth)),
        3 => (prop_oneof![4 => Just(Actor::Node), 1 => who()], index(), 0..90_u32)
            .prop_map(|(who, nth, seconds)| Move::NoteUse(who, nth, seconds)),
        4 => (index(), by_token()).prop_map(|(nth, it)| Move::ByToken(nth, Box::new(it))),
        4 => (who(), index(), key()).prop_map(|(who, nth, key)| Move::Sign(who, nth, key)),
        2 => (key(), index()).prop_map(|(key, nth)| Move::Sign(Actor::Person(key.0), nth, key)),
        1 => (who(), key(), prop::option::of(index())).prop_map(|(who, key, nth)| Move::RevokeKey(who, key, nth)),
        1 => key().prop_map(|key| Move::RevokeKey(Actor::Person(key.0), key, None)),
        3 => (0..2_usize).prop_map(Move::Prepare),
        5 => Just(Move::Rotate),
        1 => (1..=7_u128).prop_map(|number| Move::Note(PersonId(number))),
        1 => prop_oneof![Just(Actor::Node), who()].prop_map(Move::Census),
        1 => (prop_oneof![9 => Just(Actor::Node), 1 => who()], any::<bool>())
            .prop_map(|(who, is_lost)| Move::Witness(who, is_lost)),
    ]
}

fn histories() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(a_move(), 1..80)
}

>>>>>>> 24ca36a (core: write down that tokens are used, sampled and with their end)
/// A history being played: the book, and the subjects that moves refer to by number.
struct Play {
    book: Book,
    approvals: Vec<(ApprovalId, Action)>,
    permits: Vec<PermitId>,
    rotations: Vec<RotationId>,
    glasses: Vec<BreakGlassId>,
    tokens: Vec<TokenId>,
    sessions: Vec<(PersonId, SessionId)>,
    /// How many secrets and challenges were drawn.
    drawn: u32,
}

fn nth<T: Clone>(of: &[T], index: Index) -> Option<T> {
    (!of.is_empty()).then(|| of[index.index(of.len())].clone())
}

impl Play {
    fn new() -> Self {
        Self {
            book: Book::begun(),
            approvals: Vec::new(),
            permits: Vec::new(),
            rotations: Vec::new(),
            glasses: Vec::new(),
            tokens: Vec::new(),
            sessions: Vec::new(),
            drawn: 0,
        }
    }

    /// Submits, and remembers what was made.
    fn submit(&mut self, actor: Actor, command: Option<Command>) {
        self.submit_via((actor, None), command);
    }

    /// The same, by a session if by one.
    fn submit_via(&mut self, (actor, session): (Actor, Option<SessionId>), command: Option<Command>) {
        let Some(command) = command else { return };
        let via = session.and_then(sessions::via);
        let Ok(events) = self.book.submit_via((actor, via), &command) else { return };
        for event in events {
            if let Fact::SessionOpened(id, opened) = &event.fact {
                self.sessions.push((opened.person, *id));
            }
            match (event.fact.subject(), &command) {
                (Subject::Approval(id), Command::RequestApproval(request)) => {
                    self.approvals.push((id, request.action.clone()));
                }
                (Subject::BreakGlass(id), Command::BreakGlass(_)) => self.glasses.push(id),
                (Subject::Permit(id), Command::ReservePermit(_) | Command::BreakGlass(_)) => {
                    self.permits.push(id);
                }
                (
                    Subject::Token(id),
                    Command::IssueToken(_) | Command::ExchangeToken(_) | Command::ExchangeWorkload(_),
                ) => {
                    self.tokens.push(id);
                }
                (Subject::Rotation(id), Command::StartRotation(_)) => self.rotations.push(id),
                _ => {}
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table of what can happen")]
    fn play(&mut self, it: &Move) {
        match it {
            Move::Wait(millis) => self.book.now = self.book.now.plus_millis(*millis),
            Move::WaitForDeadline => self.book.wait_for_deadline(),
            Move::Commit => self.book.commit(),
            Move::Perform(index, fate) => self.perform(*index, *fate),
            Move::Work(rounds, pause, fate) => self.work((*rounds, *pause), *fate),
            Move::Prepare(action) => self.prepare(*action),
            Move::RedactProperly(of) => self.redact_properly(of),
            Move::Rotate => {
                self.prepare(0);
                let permit = self.permits.last().copied();
                self.submit(Actor::Person(ANA), permit.map(|permit| start(permit, 5)));
            }
            Move::EnrollKey(person, number) => self.enroll((*person, *number)),
            Move::BreakGlassProperly(person) => {
                self.enroll((*person, 1));
                let open = self.break_glass(*person, 0);
                self.submit(Actor::Person(*person), Some(open));
            }
            Move::BreakGlassAgain => {
                self.enroll((ANA, 1));
                for _ in 0..2 {
                    let open = self.break_glass(ANA, 0);
                    self.submit(ANA.into(), Some(open));
                    self.book.commit();
                    self.book.now = self.book.now.plus_seconds(1_800);
                }
            }
            Move::SignIn(person, number, replaces) => self.sign_in((*person, *number), *replaces),
            Move::ClaimByPasskey(person, number) => {
                self.invite((*person, 0), false);
                let claim = sessions::claiming_by((*person, 0), (*number, self.draw()));
                self.submit(Actor::Node, Some(Command::ClaimBy(claim)));
            }
            Move::HandOn(index)
            | Move::StepUp(index, _)
            | Move::AddPasskey(index, _)
            | Move::RemovePasskey(index, _)
            | Move::SignOut(index) => self.by_session(*index, it),
            Move::Invite(person, number, claimed) => self.invite((*person, *number), *claimed),
            Move::IssueToken(seconds) => self.issue_token(*seconds),
            Move::ExchangeWorkload(job, seconds, right) => self.exchange_workload((*job, *seconds), *right),
            Move::ByToken(index, it) => {
                if let Some(token) = nth(&self.tokens, *index) {
                    let (_, command) = self.command(it);
                    self.submit(Actor::Token(token), command);
                }
            }
            Move::NobodyVotes => self.nobody_votes(),
            Move::TakeBack => {
                let revoke = self.agreed(numbered(PAYOUT)).map(Command::RevokeVote);
                self.submit(Actor::Person(CHLOE), revoke);
            }
            Move::HandOver => {
                let approval = self.agreed(numbered(ROTATE_LOG_KEY));
                let keys = self.book.whole.log().map_or(0, |log| log.keys.len());
                self.submit(Actor::Person(ANA), approval.map(|id| handing_over((keys - 1, keys), id)));
            }
            Move::Drum => self.drum(),
            Move::Freeze(moment) => self.freeze(moment),
            Move::Except(who, from, agreed) => {
                self.except((*who, from), *agreed);
            }
            Move::PassTwice => self.pass_twice(),
            Move::TwoAccounts => self.two_accounts(),
            Move::BeWary => {
                let approval = self.agreed(numbered(ACTIVATE));
                let activation = |id| script::activation(stage::wary(), id);
                self.submit(Actor::Person(ANA), approval.map(activation));
                self.submit(Actor::Person(DAN), Some(request(numbered(PAYOUT))));
                let asked = self.approvals.last().map(|(id, _)| Command::Deny(*id));
                self.submit(Actor::Person(BEN), asked);
            }
            single => {
                let (actor, command) = self.command(single);
                self.submit(actor, command);
            }
        }
    }

    fn draw(&mut self) -> u32 {
        self.drawn += 1;
        self.drawn
    }

    /// By a passkey, which is added by a session that a credential opens.
    fn sign_in(&mut self, key: (PersonId, u8), replaces: bool) {
        let known = self
            .book
            .whole
            .person(key.0)
            .is_some_and(|person| person.passkey(&sessions::passkey(key).key_sha256).is_some());
        if !known {
            let open = sessions::by_credential(key.0, self.draw());
            self.submit(key.0.into(), Some(Command::OpenSession(open)));
            let first = self.sessions.last().filter(|(person, _)| *person == key.0).map(|(_, id)| *id);
            self.submit_via((key.0.into(), first), first.map(|_| sessions::adding(key)));
        }
        let mut theirs = self.sessions.iter().rev().filter(|(person, _)| *person == key.0);
        let replaces = theirs.next().filter(|_| replaces).map(|(_, id)| *id);
        let number = self.draw();
        let open = session::Open { replaces, ..sessions::by_passkey(&self.book, key, number) };
        self.submit(Actor::Node, Some(Command::OpenSession(open)));
    }

    fn by_session(&mut self, index: Index, it: &Move) {
        let Some((person, session)) = nth(&self.sessions, index) else { return };
        let number = self.draw();
        let command = match it {
            Move::HandOn(_) => Command::OpenSession(sessions::handing_on(person, (session, number))),
            Move::StepUp(_, key) => {
                Command::StepUp(sessions::stepping_up(&self.book, ((person, *key), number)))
            }
            Move::AddPasskey(_, key) => sessions::adding((person, *key)),
            Move::RemovePasskey(_, key) => sessions::removing((person, *key)),
            _ => sessions::ending(session, None),
        };
        self.submit_via((person.into(), Some(session)), Some(command));
    }

    /// Under the policy that offers tokens.
    fn issue_token(&mut self, seconds: u32) {
        let approval = self.agreed(numbered(ACTIVATE));
        self.submit(ANA.into(), approval.map(|id| script::activation(tokens::policy(), id)));
        let number = u32::try_from(self.tokens.len()).unwrap();
        let issue =
            tokens::issue(("deployer", number, seconds), &["override:payout/limit", "ping:probe/any"]);
        self.submit(ANA.into(), Some(Command::IssueToken(issue)));
    }

    /// Under the policy that recognises workloads. A job that comes again is refused for as long as its token could be good.
    fn exchange_workload(&mut self, (job, seconds): (u32, i64), right: bool) {
        if self.book.whole.policy().is_none_or(|in_force| in_force.policy.workloads.is_empty()) {
            let approval = self.agreed(numbered(ACTIVATE));
            self.submit(ANA.into(), approval.map(|id| script::activation(workloads::policy(), id)));
        }
        let claims = if right { workloads::deploys() } else { serde_json::json!({ "repository_id": "41" }) };
        let presented = workloads::presented(&self.book, (job, seconds), claims);
        let number = u32::try_from(self.tokens.len()).unwrap();
        let exchange = workloads::exchanging(presented, number);
        self.submit(Actor::Node, Some(Command::ExchangeWorkload(exchange)));
    }

    /// Under the policy that says how people come and go.
    fn invite(&mut self, (person, number): (PersonId, u8), claimed: bool) {
        let approval = self.agreed(numbered(ACTIVATE));
        self.submit(ANA.into(), approval.map(|id| script::activation(membership::policy(), id)));
        let approval = self.agreed_on(stage::action(&membership::invitation_of(person)));
        self.submit(ANA.into(), approval.map(|id| membership::inviting((person, number), id)));
        self.submit(Actor::Node, claimed.then(|| membership::claiming(person, number)));
    }

    fn pass_twice(&mut self) {
        self.freeze(WEATHER[1]);
        let Some(exception) = self.except((Actor::Person(ANA), EXCEPT_FRIDAY), true) else { return };
        for _ in 0..2 {
            let Some(approval) = self.agreed(numbered(PAYOUT)) else { return };
            let reservation = script::reservation(PAYOUT, Some(approval), &[exception]);
            self.submit(Actor::Person(ANA), Some(reservation));
        }
    }

    fn two_accounts(&mut self) {
        let approval = self.agreed(numbered(ACTIVATE));
        self.submit(ANA.into(), approval.map(|id| script::activation(stage::wary(), id)));
        self.submit(Actor::Node, Some(stage::claiming(EVE)));
        self.submit(DAN.into(), Some(request(numbered(PAYOUT))));
        let asked = self.approvals.last().map(|(id, _)| *id);
        for account in [BEN, EVE] {
            self.submit(account.into(), asked.map(script::commented));
        }
    }

    /// What is due by then stays due.
    fn freeze(&mut self, moment: &str) {
        let approval = self.agreed(numbered(ACTIVATE));
        self.submit(ANA.into(), approval.map(|id| script::activation(stage::frozen(), id)));
        self.book.commit();
        self.book.now = self.book.now.max(Time::parse_rfc3339(moment).unwrap());
    }

    fn except(&mut self, (who, from): (Actor, &str), agreed: bool) -> Option<ApprovalId> {
        let before = self.approvals.len();
        let action = stage::action(from);
        let request = approval::Request { action, parameters_sha256: stage::parameters() };
        self.submit(who, Some(Command::RequestApproval(request)));
        let (id, _) = self.approvals.get(before)?.clone();
        self.submit(CHLOE.into(), agreed.then(|| Command::Approve(id.into())));
        Some(id)
    }

    /// Under the policy whose rules ask for signs of life.
    fn drum(&mut self) {
        let approval = self.agreed(2);
        self.submit(Actor::Person(ANA), approval.map(|id| activate(id, 1)));
        self.submit(Actor::Node, Some(stage::claiming(EVE)));
        let Some(approval) = self.agreed(1) else { return };
        self.submit(Actor::Person(EVE), Some(Command::Approve(approval.into())));
        let (action, parameters_sha256) = (stage::action(ACTIONS[1]), stage::parameters());
        let reserve = Reserve { action, parameters_sha256, approval: Some(approval), exceptions: Vec::new() };
        self.submit(Actor::Person(ANA), Some(Command::ReservePermit(reserve)));
        let Some(permit) = self.permits.last().copied() else { return };
        self.submit(Actor::Person(ANA), Some(Command::StartPermit(permit)));
        self.book.now = self.book.now.plus_seconds(50);
        self.submit(Actor::Person(ANA), Some(Command::KeepPermitAlive(permit)));
    }

    /// The command a move comes to, if what it refers to exists.
    #[expect(clippy::too_many_lines, reason = "a table of what can happen")]
    fn command(&self, it: &Move) -> (Actor, Option<Command>) {
        let approval = |index: &Index| nth(&self.approvals, *index).map(|(id, _)| id);
        let permit = |index: &Index| nth(&self.permits, *index);
        match it {
            Move::Claim(person) => (Actor::Node, Some(stage::claiming(*person))),
            Move::Deactivate(who, person) => (*who, Some(membership::deactivating(*person, None))),
            Move::Exchange(index, seconds) => {
                let number = u32::try_from(self.tokens.len()).unwrap();
                let exchange = tokens::exchange((number, *seconds), &["ping:probe/any"]);
                let by = nth(&self.tokens, *index).map_or(Actor::Node, Actor::Token);
                (by, Some(Command::ExchangeToken(exchange)))
            }
            Move::EndSession(who, index) => {
                (*who, nth(&self.sessions, *index).map(|(_, id)| sessions::ending(id, None)))
            }
            Move::Extend(index) => {
                let extend = |(_, session)| Command::ExtendSession(Extend { session });
                (Actor::Node, nth(&self.sessions, *index).map(extend))
            }
            Move::RevokeToken(who, index) => (*who, nth(&self.tokens, *index).map(tokens::revoking)),
            Move::NoteUse(who, index, seconds) => {
                let note = |token| tokens::noting((token, *seconds), self.book.now);
                (*who, nth(&self.tokens, *index).map(note))
            }
            Move::Request(who, action) => (*who, Some(request(*action))),
            Move::Approve(who, index, commented) => {
                let ballot = |id: ApprovalId| approval::Ballot { commented: *commented, ..id.into() };
                (*who, approval(index).map(ballot).map(Command::Approve))
            }
            Move::Deny(who, index) => (*who, approval(index).map(Command::Deny)),
            Move::Withdraw(who, index) => (*who, approval(index).map(Command::Withdraw)),
            Move::ApproveFor(who, index, whose) => (*who, approval(index).map(|id| in_place_of(*whose, id))),
            Move::Revoke(who, index) => (*who, approval(index).map(Command::RevokeVote)),
            Move::Delegate(who, to, from, until) => {
                (*who, Some(delegating(&self.book, (*to, *from, *until))))
            }
            Move::EndDelegation(who) => (*who, Some(Command::EndDelegation)),
            Move::BenIsAway => (Actor::Person(BEN), Some(delegating(&self.book, (AUD, 0, 600)))),
            Move::Reserve(who, index, other, own) => (*who, Some(self.reserve(*index, *other, *own))),
            Move::Pass(who, index, exceptions) => (*who, Some(self.pass(*index, exceptions))),
            Move::StartPermit(who, index) => (*who, permit(index).map(Command::StartPermit)),
            Move::ReleasePermit(who, index) => (*who, permit(index).map(Command::ReleasePermit)),
            Move::Finish(who, index, good) => {
                let outcome = if *good { Outcome::Succeeded } else { Outcome::Failed };
                (*who, permit(index).map(|permit| Command::FinishPermit(Finish { permit, outcome })))
            }
            Move::Beat(who, index) => (*who, permit(index).map(Command::KeepPermitAlive)),
            Move::Reconcile(who, index, good) => {
                let outcome = if *good { Outcome::Succeeded } else { Outcome::Failed };
                (*who, permit(index).map(|permit| script::reconcile(permit, outcome)))
            }
            Move::NamePermitKey(who, number) => (*who, Some(script::permit_key(*number))),
            Move::StartRotation(who, index, overlap) => (*who, permit(index).map(|id| start(id, *overlap))),
            Move::Abort(who, index) => (*who, nth(&self.rotations, *index).map(Command::AbortRotation)),
            Move::Elapse(index) => (Actor::Node, nth(&self.subjects(), *index).map(Command::Elapse)),
            Move::Redact(who, index, of) => (*who, approval(index).map(|id| self.redact(id, of))),
            Move::Activate(who, index, policy) => (*who, approval(index).map(|id| activate(id, *policy))),
            Move::Census(who) => (*who, Some(script::census(&self.book))),
            Move::RotateLogKey(who, index, old, new) => {
                (*who, approval(index).map(|id| handing_over((*old, *new), id)))
            }
            Move::Sign(who, index, key) => (*who, approval(index).map(|id| signing::signed(id, *key))),
            Move::RevokeKey(who, key, index) => {
                let under = index.as_ref().and_then(&approval);
                (*who, Some(signing::revoking(*key, under)))
            }
            Move::BreakGlass(who, ago) => (*who, who.person().map(|person| self.break_glass(person, *ago))),
            Move::Review(who, index, good) => {
                let verdict = if *good { Verdict::Justified } else { Verdict::Unjustified };
                (*who, nth(&self.glasses, *index).map(|id| script::reviewing(id, verdict)))
            }
            Move::Note(person) => (Actor::Node, Some(membership::refused(*person, self.book.now))),
            Move::Witness(who, true) => {
                (*who, Some(witness(Standing::Lost { cosigned: 3, since: stage::BEGINNING })))
            }
            Move::Witness(who, false) => (*who, Some(witness(Standing::Regained { cosigned: 5 }))),
            _ => (Actor::Node, None),
        }
    }

    fn reserve(&self, approval: Option<Index>, other: Option<usize>, own: bool) -> Command {
        let approval = approval.and_then(|index| nth(&self.approvals, index));
        let ping = stage::action(ACTIONS[3]);
        let action = approval.as_ref().map_or(ping, |(_, action)| action.clone());
        Command::ReservePermit(Reserve {
            action: other.map_or(action, |other| stage::action(ACTIONS[other])),
            parameters_sha256: if own { stage::parameters() } else { Digest::of(b"others") },
            approval: approval.map(|(id, _)| id),
            exceptions: Vec::new(),
        })
    }

    fn pass(&self, approval: Option<Index>, exceptions: &[Index]) -> Command {
        let approval = approval.and_then(|index| nth(&self.approvals, index));
        let action =
            approval.as_ref().map_or_else(|| ACTIONS[3].to_owned(), |(_, action)| action.to_string());
        let is_exception = |(_, action): &&(ApprovalId, Action)| action.verb.as_str() == "except";
        let known: Vec<ApprovalId> = self.approvals.iter().filter(is_exception).map(|(id, _)| *id).collect();
        let exceptions: Vec<ApprovalId> = exceptions.iter().filter_map(|index| nth(&known, *index)).collect();
        script::reservation(&action, approval.map(|(id, _)| id), &exceptions)
    }

    /// The policy that takes signed votes, then a voting key, with everybody's agreement.
    fn enroll(&mut self, key: (PersonId, u8)) {
        let approval = self.agreed(numbered(ACTIVATE));
        self.submit(Actor::Person(ANA), approval.map(|id| script::activation(signing::policy(), id)));
        let approval = self.agreed_on(enrolment(key.0).unwrap());
        self.submit(Actor::Person(ANA), approval.map(|id| signing::enrolling(key, id)));
    }

    fn break_glass(&self, person: PersonId, ago: i64) -> Command {
        let open = script::breaking(&self.book, person);
        Command::BreakGlass(Open { signed_at: open.signed_at.plus_millis(-ago), ..open })
    }

    /// Some entries, and sometimes one that does not exist yet.
    fn redact(&self, approval: ApprovalId, of: &[Index]) -> Command {
        let size = usize::try_from(self.book.size()).unwrap() + 1;
        let indices: BTreeSet<u64> =
            of.iter().map(|index| u64::try_from(index.index(size)).unwrap()).collect();
        script::redaction(&indices.into_iter().collect::<Vec<_>>(), approval)
    }

    fn redact_properly(&mut self, of: &[Index]) {
        let Some(id) = self.agreed(numbered(REDACT)) else { return };
        self.submit(Actor::Person(ANA), Some(self.redact(id, of)));
    }

    fn nobody_votes(&mut self) {
        let approval = self.agreed(numbered(ACTIVATE));
        self.submit(Actor::Person(ANA), approval.map(|id| script::activation(stage::escalating(), id)));
        self.submit(Actor::Person(ANA), Some(request(numbered(PAYOUT))));
        let asked = self.approvals.last().map(|(id, _)| Command::Elapse(Subject::Approval(*id)));
        self.book.commit();
        self.book.now = self.book.now.plus_seconds(600);
        self.submit(Actor::Node, asked);
    }

    fn subjects(&self) -> Vec<Subject> {
        let approvals = self.approvals.iter().map(|(id, _)| Subject::Approval(*id));
        let permits = self.permits.iter().copied().map(Subject::Permit);
        let glasses = self.glasses.iter().copied().map(Subject::BreakGlass);
        let rotations = self.rotations.iter().copied().map(Subject::Rotation);
        let people = stage::ENROLLED.into_iter().map(Subject::Person);
        let tokens = self.tokens.iter().copied().map(Subject::Token);
        let sessions = self.sessions.iter().map(|(_, id)| Subject::Session(*id));
        approvals
            .chain(permits)
            .chain(tokens)
            .chain(sessions)
            .chain(people)
            .chain(glasses)
            .chain(rotations)
            .collect()
    }

    /// A request of Ana's that Ben and Chloe agree to.
    fn agreed(&mut self, action: usize) -> Option<ApprovalId> {
        self.agreed_on(stage::action(ACTIONS[action]))
    }

    fn agreed_on(&mut self, action: Action) -> Option<ApprovalId> {
        let before = self.approvals.len();
        let request = approval::Request { action, parameters_sha256: stage::parameters() };
        self.submit(Actor::Person(ANA), Some(Command::RequestApproval(request)));
        let (id, _) = self.approvals.get(before)?.clone();
        for voter in [BEN, CHLOE] {
            self.submit(Actor::Person(voter), Some(script::commented(id)));
        }
        Some(id)
    }

    fn prepare(&mut self, action: usize) {
        let Some(id) = self.agreed(action) else { return };
        let action = stage::action(ACTIONS[action]);
        let reserve = Reserve {
            action,
            parameters_sha256: stage::parameters(),
            approval: Some(id),
            exceptions: Vec::new(),
        };
        self.submit(Actor::Person(ANA), Some(Command::ReservePermit(reserve)));
    }

    fn perform(&mut self, index: Index, fate: Fate) {
        match nth(&self.book.due(), index) {
            Some(Effect::Elapse(subject)) => self.submit(Actor::Node, Some(Command::Elapse(subject))),
            Some(Effect::Task(due)) => self.task(&due, fate),
            None => {}
        }
    }

    fn work(&mut self, (rounds, pause): (u8, i64), fate: Fate) {
        for _ in 0..rounds {
            for effect in self.book.due() {
                match effect {
                    Effect::Elapse(subject) => self.submit(Actor::Node, Some(Command::Elapse(subject))),
                    Effect::Task(due) => self.task(&due, fate),
                }
            }
            self.book.now = self.book.now.plus_millis(pause);
        }
    }

    fn task(&mut self, due: &Due, fate: Fate) {
        let (rotation, task, attempt) = (due.rotation, due.task.clone(), due.attempt);
        self.submit(
            Actor::Node,
            Some(Command::AttemptTask(Attempt { rotation, task: task.clone(), attempt })),
        );
        let (reporter, attempt, outcome) = match fate {
            Fate::Succeeds => (Actor::Node, attempt, Ok(())),
            Fate::Fails => {
                (Actor::Node, attempt, Err(Failure { code: FailureCode::Inconclusive, status: Some(503) }))
            }
            Fate::SucceedsLate => (Actor::Node, attempt - 1, Ok(())),
            Fate::IsInvented => (Actor::Person(ANA), attempt, Ok(())),
            Fate::IsLost => return,
        };
        let report = Report { rotation, task, attempt, latency_us: 700, outcome };
        self.submit(reporter, Some(Command::ReportTask(report)));
    }

    /// Lets a world that does everything it is asked bring all to its end.
    fn come_to_rest(&mut self) {
        for _ in 0..300 {
            self.work((1, 0), Fate::Succeeds);
            self.book.commit();
            if self.book.next_due().is_none() {
                return;
            }
            self.book.wait_for_deadline();
        }
        panic!("something is owed for ever: {:?}", self.book.due());
    }

    fn assert_all_has_ended(&self) {
        for rotation in &self.rotations {
            let rotation = self.book.whole.rotation(*rotation).unwrap();
            assert!(rotation.stage.is_last(), "{rotation:?}");
        }
        assert_eq!(self.book.whole.secret(&stage::secret()).unwrap().rotation, None);
        for permit in &self.permits {
            let status = self.book.whole.permit(*permit).unwrap().status;
            assert!(!matches!(status.as_str(), "reserved" | "started"), "{status:?}");
        }
    }
}

/// Which of the actions that are asked for this is.
fn numbered(action: &str) -> usize {
    ACTIONS.iter().position(|known| *known == action).unwrap()
}

fn request(action: usize) -> Command {
    let action = stage::action(ACTIONS[action]);
    Command::RequestApproval(approval::Request { action, parameters_sha256: stage::parameters() })
}

fn start(permit: PermitId, overlap_seconds: u32) -> Command {
    let parameters = Parameters { overlap_seconds };
    Command::StartRotation(Start { permit, parameters_sha256: stage::parameters(), parameters })
}

fn activate(approval: ApprovalId, policy: usize) -> Command {
    let policy = stage::known_policies()[policy].clone();
    let policy_sha256 = stage::policy_digest(&policy);
    let parameters_sha256 = stage::parameters();
    Command::ActivatePolicy(ActivatePolicy { policy, policy_sha256, approval, parameters_sha256 })
}

/// A suite that never gets anywhere finds nothing: the moves are such that everything that can happen does.
#[test]
fn histories_reach_every_kind_of_event_and_every_stage() {
    let mut runner = TestRunner::deterministic();
    let (mut reached, mut excepted) = (BTreeSet::new(), 0);
    for _ in 0..1_000 {
        let moves = histories().new_tree(&mut runner).unwrap().current();
        let mut play = Play::new();
        moves.iter().for_each(|it| play.play(it));
        play.come_to_rest();
        for event in &play.book.events {
            reached.insert(event.fact.kind());
            if let Fact::PermitReserved(_, reserved) = &event.fact {
                excepted += reserved.freezes.as_ref().map_or(0, |verdict| verdict.excepted.len());
            }
            if let Fact::RotationAdvanced(_, advanced) = &event.fact {
                reached.insert(advanced.stage.as_str());
            }
        }
    }
    let stages = ["closed", "aborted", "swapped-back"];
    assert!(excepted > 20, "exceptions are used {excepted} times");
    let missed: Vec<_> = Fact::KINDS.iter().chain(&stages).filter(|kind| !reached.contains(*kind)).collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}

proptest! {
    #![proptest_config(crate::sabotage::config(160))]

    #[test]
    fn whatever_happens_the_book_is_right(moves in histories()) {
        let mut play = Play::new();
        for it in &moves {
            play.play(it);
        }
        play.book.commit();
        play.book.assert_replays();
        play.come_to_rest();
        play.assert_all_has_ended();
        play.book.assert_replays();
    }
}
