//! The workload: people, automation and jobs who want things, well or badly. They see what everybody sees, the log, and remember what was
//! made; what they are answered does not interest them, so that they also ask for what they must not get.

use std::num::NonZeroU32;
use std::time::Duration;

use countersign_core::action::Action;
use countersign_core::break_glass::{self, Reason, Verdict};
use countersign_core::digest::Digest;
use countersign_core::freeze::Exception;
use countersign_core::id::{ApprovalId, BreakGlassId, PermitId, PersonId, RotationId, SessionId, TokenId};
use countersign_core::log::ActivatePolicy;
use countersign_core::once::Spent;
use countersign_core::passkey::{AddPasskey, NewPasskey};
use countersign_core::permit::{Finish, Outcome, Reconcile, Reserve};
use countersign_core::person::{ClaimCredential, Deactivate, Invite};
use countersign_core::policy::Policy;
use countersign_core::rotation::{Parameters, Start};
use countersign_core::session::{End, Method, Open, StepUp};
use countersign_core::signature::{Algorithm, Proof, Sha512, Signature};
use countersign_core::time::Time;
use countersign_core::token::{Exchange, ExchangeWorkload, Issue, Presented, Revoke};
use countersign_core::trial::parse_action;
use countersign_core::voting_key::PublicKey;
use countersign_core::{Actor, Command, Event, Fact, State, approval, delegation};
use countersign_server::config::canonical_policy;
use serde_json::json;

use crate::call::{Acting, Wish, request_sha256};
use crate::dice::Dice;
use crate::policy::{self, ISSUER, KEYED};

/// What is asked for, the most frequent more than once.
const ACTIONS: [&str; 9] = [
    "override payout/limit production",
    "override payout/limit production",
    "override payout/limit production",
    "rotate webhook-signing/stripe production",
    "rotate webhook-signing/stripe production",
    "rotate webhook-signing/stripe production",
    "activate policy/main control",
    "except freeze/cutover production",
    "failover region/eu production",
];

/// Those without whom the company could not go on.
const STAY: [u128; 5] = [1, 2, 3, 5, 8];

/// A wish, whose, and how long they think before it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Who.
    pub acting: Acting,
    /// What.
    pub wish: Wish,
    /// After how long.
    pub after: Duration,
}

/// Everybody, and what they remember.
pub(crate) struct People {
    dice: Dice,
    /// How many there were at the beginning.
    count: u128,
    /// How many secrets, challenges and jobs were drawn.
    drawn: u64,
    approvals: Vec<ApprovalId>,
    /// With who holds it, and whether it is for a rotation.
    permits: Vec<(PermitId, Actor, bool)>,
    rotations: Vec<RotationId>,
    tokens: Vec<TokenId>,
    sessions: Vec<(PersonId, SessionId)>,
    glasses: Vec<BreakGlassId>,
    /// The last few tokens of jobs that were shown.
    jobs: Vec<Presented>,
}

/// The digest that stands for the parameters of everything.
pub(crate) fn parameters() -> Digest {
    Digest::of(b"parameters")
}

/// An action by its three words.
pub(crate) fn action(text: &str) -> Option<Action> {
    parse_action(text).ok()
}

/// The one-time claim of somebody who was invited.
pub(crate) fn claim_of(person: PersonId) -> Digest {
    Digest::of(format!("claim of {person}").as_bytes())
}

/// Replaces the claim.
pub(crate) fn claiming(person: PersonId) -> Command {
    let credential_sha256 = Digest::of(format!("credential of {person}").as_bytes());
    Command::ClaimCredential(ClaimCredential { claim_sha256: claim_of(person), credential_sha256 })
}

/// The voting key of somebody, in hardware.
pub(crate) fn voting_key(person: PersonId) -> PublicKey {
    let key = format!("voting key of {person}");
    let key_sha256 = Digest::of(key.as_bytes());
    PublicKey { algorithm: Algorithm::SkEd25519, key_sha256, key, public_key_sha256: None }
}

impl People {
    /// So many people.
    pub(crate) fn new(dice: Dice, count: u128) -> Self {
        Self {
            dice,
            count,
            drawn: 0,
            approvals: Vec::new(),
            permits: Vec::new(),
            rotations: Vec::new(),
            tokens: Vec::new(),
            sessions: Vec::new(),
            glasses: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// Remembers what was made.
    pub(crate) fn see(&mut self, event: &Event) {
        match &event.fact {
            Fact::ApprovalRequested(id, _) => self.approvals.push(*id),
            Fact::PermitReserved(id, reserved) => {
                self.permits.push((*id, event.actor, reserved.action.verb.as_str() == "rotate"));
            }
            Fact::RotationStarted(id, _) => self.rotations.push(*id),
            Fact::TokenIssued(id, _) => self.tokens.push(*id),
            Fact::SessionOpened(id, opened) => self.sessions.push((opened.person, *id)),
            Fact::BreakGlassOpened(id, _) => self.glasses.push(*id),
            _ => {}
        }
    }

    /// What somebody wants next; nothing if they cannot think of anything.
    pub(crate) fn want(&mut self, state: &State, now: Time) -> Vec<Wanted> {
        let person = self.anybody();
        let actor = Actor::Person(person);
        match self.dice.below(100) {
            0..=9 => self.request(actor).into_iter().collect(),
            10..=39 => self.vote(state, now),
            40..=54 => self.reserve(state, actor).into_iter().collect(),
            55..=69 => self.work().into_iter().collect(),
            70..=74 => self.sign_in(state, (person, now)),
            75..=84 => self.automate(state, (actor, now)).into_iter().collect(),
            85..=90 => self.look().into_iter().collect(),
            91..=93 => self.break_glass(now).into_iter().collect(),
            94..=95 => self.leave_and_come(state, person).into_iter().collect(),
            96 => self.delegate((person, now)).into_iter().collect(),
            _ => self.activate(state).into_iter().collect(),
        }
    }

    /// Those who are engineers or approvers in any case get furthest.
    fn anybody(&mut self) -> PersonId {
        let few = self.dice.in_a_thousand(700);
        PersonId(
            1 + u128::from(self.dice.below(if few { 8 } else { u64::try_from(self.count).unwrap_or(8) })),
        )
    }

    fn fresh(&mut self, what: &str) -> Digest {
        self.drawn += 1;
        Digest::of(format!("{what} {}", self.drawn).as_bytes())
    }

    fn request(&mut self, actor: Actor) -> Option<Wanted> {
        let action = action(self.dice.one(&ACTIONS)?)?;
        wanted(actor, Command::RequestApproval(approval::Request { action, parameters_sha256: parameters() }))
    }

    fn vote(&mut self, state: &State, now: Time) -> Vec<Wanted> {
        let (Some(id), voter) = (self.dice.recent(&self.approvals).copied(), self.anybody()) else {
            return Vec::new();
        };
        let command = match self.dice.below(40) {
            0 => Command::Deny(id),
            1 => Command::Withdraw(id),
            2 => Command::RevokeVote(id),
            3 => Command::Approve(approval::Ballot { on_behalf: Some(self.anybody()), ..id.into() }),
            _ => Command::Approve(id.into()),
        };
        let own = matches!(command, Command::Withdraw(_));
        let asked = state.approval(id).map(|it| it.requester).filter(|_| own);
        let voter = asked.unwrap_or(voter);
        let held = self.sessions.iter().rev().find(|(person, _)| *person == voter).map(|(_, id)| *id);
        let Some(session) = held.filter(|id| state.live_session(*id, now).is_ok()) else {
            return wanted(voter, command).into_iter().collect();
        };
        let acting = Acting { actor: voter.into(), session: Some(session) };
        let mut all = Vec::new();
        if self.dice.in_a_thousand(700) {
            let right = self.dice.in_a_thousand(850);
            let request_sha256 = if right { request_sha256(&command) } else { Digest::of(b"another") };
            let spent = Spent { sha256: self.fresh("challenge"), until: now.plus_seconds(300) };
            let method = Method::Passkey { key_sha256: passkey(voter).key_sha256 };
            let step_up = Command::StepUp(StepUp { method, request_sha256, spent: Some(spent) });
            all.push(Wanted { acting, wish: Wish::Do(step_up.into()), after: Duration::ZERO });
        }
        let thinks = Duration::from_millis(500 + self.dice.below(4_000));
        all.push(Wanted { acting, wish: Wish::Do(command.into()), after: thinks });
        all
    }

    fn reserve(&mut self, state: &State, actor: Actor) -> Option<Wanted> {
        let ready = |id: &&ApprovalId| state.approval(**id).is_some_and(|it| it.approved.is_some());
        let approved: Vec<ApprovalId> = self.approvals.iter().rev().take(30).filter(ready).copied().collect();
        let of = |verb: &str| -> Vec<ApprovalId> {
            let is =
                |id: &&ApprovalId| state.approval(**id).is_some_and(|it| it.action.verb.as_str() == verb);
            approved.iter().filter(is).copied().collect()
        };
        // Rotations have most of what can go wrong.
        let rotations = of("rotate");
        let approval = if !rotations.is_empty() && self.dice.in_a_thousand(600) {
            self.dice.one(&rotations).copied()
        } else if self.dice.in_a_thousand(850) {
            self.dice.one(&approved).copied()
        } else {
            self.dice.recent(&self.approvals).copied()
        };
        let asked = approval.and_then(|id| state.approval(id));
        let action = match asked {
            Some(asked) if self.dice.in_a_thousand(950) => asked.action.clone(),
            _ => action("ping probe/any production")?,
        };
        let approval = approval.filter(|_| action.verb.as_str() != "ping");
        let exceptions = self.exceptions(&approved, state);
        let command =
            Command::ReservePermit(Reserve { action, parameters_sha256: parameters(), approval, exceptions });
        let requester = asked.map(|it| Actor::Person(it.requester)).filter(|_| self.dice.in_a_thousand(700));
        wanted(requester.unwrap_or(actor), command)
    }

    fn exceptions(&mut self, approved: &[ApprovalId], state: &State) -> Vec<Exception> {
        let excepts =
            |id: &&ApprovalId| state.approval(**id).is_some_and(|it| it.action.verb.as_str() == "except");
        let of: Vec<ApprovalId> = self.approvals.iter().rev().take(60).filter(excepts).copied().collect();
        let chosen =
            self.dice.one(&of).copied().filter(|id| approved.contains(id) || self.dice.in_a_thousand(500));
        chosen.map(|approval| Exception { approval, parameters_sha256: parameters() }).into_iter().collect()
    }

    fn work(&mut self) -> Option<Wanted> {
        let (permit, holder, rotates) = self.dice.recent(&self.permits).copied()?;
        let outcome = if self.dice.in_a_thousand(700) { Outcome::Succeeded } else { Outcome::Failed };
        let (by_holder, somebody) = (self.dice.in_a_thousand(900), Actor::Person(self.anybody()));
        let actor = if by_holder { holder } else { somebody };
        let rolled = if rotates { 17 + self.dice.below(3) } else { self.dice.below(18) };
        Some(match rolled {
            0..=6 => wanted(actor, Command::StartPermit(permit))?,
            7..=11 => wanted(actor, Command::FinishPermit(Finish { permit, outcome }))?,
            12..=13 => wanted(actor, Command::ReleasePermit(permit))?,
            14..=15 if !rotates => wanted(actor, Command::KeepPermitAlive(permit))?,
            16 => wanted(somebody, Command::ReconcilePermit(Reconcile { permit, outcome }))?,
            17 if self.dice.in_a_thousand(700) => {
                let rotation = self.dice.recent(&self.rotations).copied()?;
                wanted(actor, Command::AbortRotation(rotation))?
            }
            _ => {
                let parameters = Parameters { overlap_seconds: 5 + u32::try_from(self.dice.below(10)).ok()? };
                let start = Start { permit, parameters_sha256: self::parameters(), parameters };
                wanted(actor, Command::StartRotation(start))?
            }
        })
    }

    /// By a credential, and then a passkey is added; or by the passkey. Somebody may end somebody's session too.
    fn sign_in(&mut self, state: &State, (person, now): (PersonId, Time)) -> Vec<Wanted> {
        if self.dice.in_a_thousand(150) {
            let Some((_, session)) = self.dice.recent(&self.sessions).copied() else { return Vec::new() };
            return wanted(person, Command::EndSession(End { session, under: None })).into_iter().collect();
        }
        let has = state.person(person).is_some_and(|it| !it.passkeys.is_empty());
        let (method, spent) = if has && self.dice.in_a_thousand(700) {
            let spent = Spent { sha256: self.fresh("challenge"), until: now.plus_seconds(300) };
            (Method::Passkey { key_sha256: passkey(person).key_sha256 }, Some(spent))
        } else {
            (Method::Credential {}, None)
        };
        let session_sha256 = self.fresh("session");
        let open = Open { person, method, session_sha256, replaces: None, spent };
        let mut all: Vec<Wanted> = wanted(person, Command::OpenSession(open)).into_iter().collect();
        let held = self.sessions.iter().rev().find(|(holder, _)| *holder == person);
        if let (false, Some((_, session))) = (has, held) {
            let add = Command::AddPasskey(AddPasskey { passkey: passkey(person) });
            let acting = Acting { actor: person.into(), session: Some(*session) };
            all.push(Wanted { acting, wish: Wish::Do(add.into()), after: Duration::ZERO });
        }
        all
    }

    fn automate(&mut self, state: &State, (actor, now): (Actor, Time)) -> Option<Wanted> {
        let token = self.dice.recent(&self.tokens).copied();
        let token_sha256 = self.fresh("token");
        let lifetime_seconds = NonZeroU32::new(1 + u32::try_from(self.dice.below(900)).ok()?)?;
        match self.dice.below(12) {
            0..=1 => wanted(
                actor,
                Command::IssueToken(Issue {
                    resource: "service-token/deployer".parse().ok()?,
                    environment: "production".parse().ok()?,
                    scopes: ["override:payout/limit".parse().ok()?, "ping:probe/any".parse().ok()?].into(),
                    networks: std::collections::BTreeSet::new(),
                    lifetime_seconds,
                    token_sha256,
                    cnf_jkt: None,
                    under: None,
                }),
            ),
            2..=3 => {
                let scopes = ["ping:probe/any".parse().ok()?].into();
                let networks = std::collections::BTreeSet::new();
                let exchange = Exchange { scopes, networks, lifetime_seconds, token_sha256, cnf_jkt: None };
                wanted(Actor::Token(token?), Command::ExchangeToken(exchange))
            }
            4 => {
                let owner = state.token(token?).map(|it| Actor::Person(it.owner));
                let revoke = Command::RevokeToken(Revoke { token: token?, under: None });
                wanted(owner.unwrap_or(actor), revoke)
            }
            5..=6 => self.job((now, token_sha256)),
            7 => {
                let action = action(ACTIONS[0])?;
                let request = approval::Request { action, parameters_sha256: parameters() };
                wanted(Actor::Token(token?), Command::RequestApproval(request))
            }
            _ => {
                let action = action("ping probe/any production")?;
                let reserve = Reserve {
                    action,
                    parameters_sha256: parameters(),
                    approval: None,
                    exceptions: Vec::new(),
                };
                wanted(Actor::Token(token?), Command::ReservePermit(reserve))
            }
        }
    }

    /// A job shows its token, one time in three one that was shown before.
    fn job(&mut self, (now, token_sha256): (Time, Digest)) -> Option<Wanted> {
        let again = self.dice.recent(&self.jobs).cloned().filter(|_| self.dice.in_a_thousand(330));
        let presented = match again {
            Some(presented) => presented,
            None => {
                let subject_token_sha256 = self.fresh("job");
                let presented = Presented {
                    issuer: ISSUER.into(),
                    jti: format!("job {}", self.drawn),
                    expires_at: now.plus_seconds(300),
                    claims: serde_json::from_value(json!({ "repository_id": "42" })).ok()?,
                    subject_token_sha256,
                };
                self.jobs.push(presented.clone());
                presented
            }
        };
        let exchange = ExchangeWorkload {
            presented,
            workload: None,
            scopes: std::collections::BTreeSet::new(),
            lifetime_seconds: None,
            token_sha256,
            cnf_jkt: None,
        };
        wanted(Actor::Node, Command::ExchangeWorkload(exchange))
    }

    /// Somebody only wants to be let in: by a token, a session, or as themselves.
    fn look(&mut self) -> Option<Wanted> {
        let acting = match self.dice.below(3) {
            0 => Actor::Token(*self.dice.recent(&self.tokens)?).into(),
            1 => {
                let (person, session) = *self.dice.recent(&self.sessions)?;
                Acting { actor: person.into(), session: Some(session) }
            }
            _ => Actor::Person(self.anybody()).into(),
        };
        Some(Wanted { acting, wish: Wish::Look, after: Duration::ZERO })
    }

    fn break_glass(&mut self, now: Time) -> Option<Wanted> {
        if self.dice.in_a_thousand(600) {
            let break_glass = self.dice.recent(&self.glasses).copied()?;
            let unjustified = self.dice.in_a_thousand(100);
            let verdict = if unjustified { Verdict::Unjustified } else { Verdict::Justified };
            let review = break_glass::Review { break_glass, verdict, reason: Reason::Given };
            return wanted(self.anybody(), Command::ReviewBreakGlass(review));
        }
        let person = *self.dice.one(&KEYED)?;
        let mut statement = [0; 64];
        self.dice.fill(&mut statement);
        let signature = Signature {
            key_sha256: voting_key(person).key_sha256,
            proof: Proof::Sshsig("U1NIU0lH".into()),
            statement_sha512: Sha512(statement),
        };
        let open = break_glass::Open {
            action: action("failover region/eu production")?,
            parameters_sha256: parameters(),
            signed_at: now,
            signature,
            reason: Reason::Given,
        };
        wanted(person, Command::BreakGlass(open))
    }

    /// Somebody goes, one who has just voted or one of those who came last; or somebody comes.
    fn leave_and_come(&mut self, state: &State, person: PersonId) -> Option<Wanted> {
        let newcomer = PersonId(self.count + 1 + u128::from(self.dice.below(4)));
        let approval = self.dice.recent(&self.approvals).copied();
        match self.dice.below(8) {
            0..=2 => {
                let voted = approval.and_then(|id| state.approval(id)).and_then(|it| it.votes.last());
                let voted = voted.map(|vote| vote.person).filter(|voter| !STAY.contains(&voter.0));
                let person_gone = voted.unwrap_or(newcomer);
                let security = PersonId(if self.dice.in_a_thousand(500) { 3 } else { 8 });
                wanted(security, Command::DeactivatePerson(Deactivate { person: person_gone, under: None }))
            }
            3..=4 => {
                let action = countersign_core::person::invitation(newcomer)?;
                let request = approval::Request { action, parameters_sha256: parameters() };
                wanted(person, Command::RequestApproval(request))
            }
            5..=6 => {
                let under = approval.map(|approval| (approval, parameters()));
                let (claim_seconds, claim_sha256) = (NonZeroU32::new(600)?, claim_of(newcomer));
                let invite = Invite { person: newcomer, claim_sha256, claim_seconds, under };
                wanted(person, Command::InvitePerson(invite))
            }
            _ => wanted(Actor::Node, claiming(newcomer)),
        }
    }

    fn delegate(&mut self, (person, now): (PersonId, Time)) -> Option<Wanted> {
        if self.dice.in_a_thousand(300) {
            return wanted(person, Command::EndDelegation);
        }
        let until = now.plus_seconds(60 + u32::try_from(self.dice.below(3_000)).ok()?);
        wanted(person, Command::Delegate(delegation::Delegate { to: self.anybody(), from: None, until }))
    }

    /// Another policy, under an approval for that, if there is one.
    fn activate(&mut self, state: &State) -> Option<Wanted> {
        let fits = |id: &&ApprovalId| {
            state
                .approval(**id)
                .is_some_and(|it| it.action.verb.as_str() == "activate" && it.approved.is_some())
        };
        let approval = self.approvals.iter().rev().take(60).find(fits).copied()?;
        let requester = state.approval(approval)?.requester;
        let policy = policy::drawn(&mut self.dice, self.count).ok()?;
        let policy_sha256 = digest_of(&policy)?;
        let parameters_sha256 = parameters();
        wanted(
            requester,
            Command::ActivatePolicy(ActivatePolicy { policy, policy_sha256, approval, parameters_sha256 }),
        )
    }
}

/// SHA-256 of the canonical text of a policy.
pub(crate) fn digest_of(policy: &Policy) -> Option<Digest> {
    canonical_policy(policy).ok().map(|(digest, _)| digest)
}

#[expect(clippy::unnecessary_wraps, reason = "everybody who cannot think of anything says so with `?`")]
fn wanted(actor: impl Into<Actor>, command: Command) -> Option<Wanted> {
    let acting = Acting { actor: actor.into(), session: None };
    Some(Wanted { acting, wish: Wish::Do(command.into()), after: Duration::ZERO })
}

/// The passkey that somebody signs in with.
fn passkey(person: PersonId) -> NewPasskey {
    let key = format!("passkey of {person}");
    let public_key_sha256 = Digest::of(format!("public key of {person}").as_bytes());
    NewPasskey { key_sha256: Digest::of(key.as_bytes()), key, public_key_sha256, synced: false }
}
