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
use countersign_core::policy::Policy;
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
use crate::failures;
use crate::membership;
use crate::passwords;
use crate::script::life::{delegating, in_place_of};
use crate::script::{self, handing_over, witness};
use crate::sessions;
use crate::signing;
use crate::stage::{
    self, ACTIONS, ACTIVATE, ANA, AUD, BEN, CHLOE, DAN, EVE, EXCEPT_FRIDAY, PAYOUT, REDACT, ROTATE_LOG_KEY,
};
use crate::tokens;
use crate::workloads;

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
            Move::AgreeFreshly(to_this) => self.agree_freshly(*to_this),
            Move::SignInOtherwise(person, how, ahead) => self.sign_in_otherwise(*person, (*how, *ahead)),
            Move::SetPassword(index, _)
            | Move::RenewCodes(index)
            | Move::Link(index, _)
            | Move::HandOn(index)
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

    /// Under the policy that wants it.
    fn agree_freshly(&mut self, to_this: bool) {
        let approval = self.agreed(numbered(ACTIVATE));
        self.submit(ANA.into(), approval.map(|id| script::activation(sessions::fresh(), id)));
        let before = self.approvals.len();
        self.submit(ANA.into(), Some(request(numbered(PAYOUT))));
        let Some((asked, _)) = self.approvals.get(before).cloned() else { return };
        for person in [BEN, CHLOE] {
            self.sign_in((person, 1), false);
            let Some((_, session)) = self.sessions.last().copied().filter(|last| last.0 == person) else {
                return;
            };
            let number = self.draw();
            let mut step_up = sessions::stepping_up(&self.book, ((person, 1), number));
            if !to_this {
                step_up.request_sha256 = Digest::of(b"another request");
            }
            self.submit_via((person.into(), Some(session)), Some(Command::StepUp(step_up)));
            self.submit_via((person.into(), Some(session)), Some(Command::Approve(asked.into())));
        }
    }

    /// Under the policy that takes it, having set what it takes by a session of their own.
    fn sign_in_otherwise(&mut self, person: PersonId, (how, ahead): (u8, i64)) {
        let takes = |policy: &Policy| policy.sign_in.password;
        if !self.book.whole.policy().is_some_and(|in_force| takes(&in_force.policy)) {
            let approval = self.agreed(numbered(ACTIVATE));
            self.submit(ANA.into(), approval.map(|id| script::activation(passwords::policy(), id)));
        }
        let [credential, number, link] = [(); 3].map(|()| self.draw());
        let name = person.to_string();
        let held = self.book.whole.person(person).is_some_and(|it| match how {
            2 => it.identity(&passwords::identity(&name)).is_some(),
            _ => it.password.is_some(),
        });
        if !held {
            let open = sessions::by_credential(person, credential);
            self.submit(person.into(), Some(Command::OpenSession(open)));
            let first = self.sessions.last().filter(|(of, _)| *of == person).map(|(_, id)| *id);
            let give =
                if how == 2 { passwords::linking(&self.book, (&name, link)) } else { passwords::setting(1) };
            self.submit_via((person.into(), first), first.map(|_| give));
        }
        let open = match how {
            0 => passwords::by_password(&self.book, (person, ahead), number),
            1 => {
                let code = usize::try_from(ahead.unsigned_abs()).unwrap();
                passwords::by_code((person, passwords::code(1, code)), number)
            }
            _ => passwords::by_sso(&self.book, (person, &name), number),
        };
        self.submit(Actor::Node, Some(Command::OpenSession(open)));
    }

    fn by_session(&mut self, index: Index, it: &Move) {
        let Some((person, session)) = nth(&self.sessions, index) else { return };
        let number = self.draw();
        let command = match it {
            Move::SetPassword(_, true) => passwords::setting(number),
            Move::SetPassword(_, false) => passwords::removing(),
            Move::RenewCodes(_) => passwords::renewing(1),
            Move::Link(_, true) => passwords::linking(&self.book, (&person.to_string(), number)),
            Move::Link(_, false) => passwords::unlinking(&person.to_string()),
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
            Move::Failures(who, about, count, got_in) => {
                let now = self.book.now;
                (*who, Some(failures::noting(failures::any(*about, (*count, *got_in), now))))
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
