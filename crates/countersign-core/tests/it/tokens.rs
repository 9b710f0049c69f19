//! Service tokens on the stage: a policy that offers them, and what happens to them at least once.

use std::num::NonZeroU32;

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId, TokenId};
use countersign_core::permit::{Finish, Outcome};
use countersign_core::policy::Policy;
use countersign_core::time::Time;
use countersign_core::token::{Exchange, Issue, NoteUse, Revoke, Scope};
use countersign_core::{Actor, Command, Event, Subject, approval};

use crate::book::Book;
use crate::membership;
use crate::script::{activation, approved, elapsed, requested, reservation};
use crate::stage::{self, ACTIVATE, ANA, BEN, CHLOE, PAYOUT};

pub(crate) const PING: &str = "ping probe/any production";

/// Engineers have tokens for payouts and pings, and with two approvers' consent for everything; security revokes them.
pub(crate) fn policy() -> Policy {
    let mut policy = stage::policy();
    let rule = |value: serde_json::Value| serde_json::from_value(value).unwrap();
    policy.rules.push(rule(serde_json::json!({
        "name": "deployers", "verb": "issue", "resource": "service-token/deployer", "environment": "production",
        "requesters": ["engineers"], "executors": ["engineers"], "approval": "not-required",
        "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
        "tokens": { "scopes": ["override:payout/limit", "ping:probe/any"], "max_lifetime_seconds": 3600 },
    })));
    policy.rules.push(rule(serde_json::json!({
        "name": "admins", "verb": "issue", "resource": "service-token/admin", "environment": "*", "patterns": true,
        "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
        "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
        "tokens": { "scopes": ["*:payout/*", "*:probe/*"], "patterns": true, "max_lifetime_seconds": 86_400 },
    })));
    policy.rules.push(rule(serde_json::json!({
        "name": "revokers", "verb": "revoke", "resource": "service-token/*", "environment": "*", "patterns": true,
        "requesters": ["engineers"], "executors": ["security"], "approval": "not-required",
        "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
    })));
    policy
}

/// The policy, but a second rule matches where tokens are issued, and offers nothing.
pub(crate) fn silent() -> Policy {
    let mut silent = policy();
    let mut value = serde_json::to_value(silent.rules.last()).unwrap();
    value["name"] = "silent".into();
    value["verb"] = "issue".into();
    value["executors"] = serde_json::json!(["engineers"]);
    silent.rules.push(serde_json::from_value(value).unwrap());
    silent
}

/// The policy, and people are deactivated.
pub(crate) fn with_deactivation() -> Policy {
    let mut policy = policy();
    let rules = membership::policy().rules;
    policy.rules.extend(rules.iter().filter(|rule| rule.name.as_str() == "deactivate").cloned());
    policy
}

/// Puts the policy in force.
pub(crate) fn governed(book: &mut Book) {
    let approval = approved(book, ACTIVATE);
    book.must(ANA, &activation(policy(), approval));
}

pub(crate) const ISSUE_DEPLOYER: &str = "issue service-token/deployer production";
pub(crate) const ISSUE_ADMIN: &str = "issue service-token/admin production";

pub(crate) fn scopes(texts: &[&str]) -> std::collections::BTreeSet<Scope> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Stands for the SHA-256 of the token of this number.
pub(crate) fn digest(number: u32) -> Digest {
    Digest::of(format!("token {number}").as_bytes())
}

/// A token of this name, with these scopes, for so many seconds.
pub(crate) fn issue((name, number, seconds): (&str, u32, u32), of: &[&str]) -> Issue {
    Issue {
        resource: format!("service-token/{name}").parse().unwrap(),
        environment: "production".parse().unwrap(),
        scopes: scopes(of),
        networks: ["10.0.0.0/8".parse().unwrap()].into(),
        lifetime_seconds: seconds.try_into().unwrap(),
        token_sha256: digest(number),
        cnf_jkt: None,
        under: None,
    }
}

pub(crate) fn exchange((number, seconds): (u32, u32), of: &[&str]) -> Exchange {
    Exchange {
        scopes: scopes(of),
        networks: ["10.1.0.0/16".parse().unwrap()].into(),
        lifetime_seconds: seconds.try_into().unwrap(),
        token_sha256: digest(number),
        cnf_jkt: None,
    }
}

pub(crate) fn under(issue: Issue, approval: ApprovalId) -> Command {
    Command::IssueToken(Issue { under: Some((approval, stage::parameters())), ..issue })
}

pub(crate) fn revoking(token: TokenId) -> Command {
    Command::RevokeToken(Revoke { token, under: None })
}

/// It was used three times in the last `seconds`, just now for the last time.
pub(crate) fn noting((token, seconds): (TokenId, u32), now: Time) -> Command {
    let (count, from) = (NonZeroU32::new(3).unwrap(), now.plus_millis(-1_000 * i64::from(seconds)));
    Command::NoteUse(NoteUse { token, count, from, until: now })
}

pub(crate) fn made(events: &[Event]) -> TokenId {
    match Command::principal(events).unwrap().fact.subject() {
        Subject::Token(id) => id,
        other => panic!("{other:?}"),
    }
}

/// A token of Ana's for payouts and pings, by its number, living for so many seconds.
pub(crate) fn deployer(book: &mut Book, (number, seconds): (u32, u32)) -> TokenId {
    let issue = issue(("deployer", number, seconds), &["override:payout/limit", "ping:probe/any"]);
    made(&book.must(ANA, &Command::IssueToken(issue)))
}

/// A permit that the token holds without anybody's consent.
pub(crate) fn pinging(book: &mut Book, token: TokenId) -> PermitId {
    match Command::principal(&book.must(Actor::Token(token), &reservation(PING, None, &[])))
        .unwrap()
        .fact
        .subject()
    {
        Subject::Permit(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Everything about them.
pub(crate) fn tokens(book: &mut Book) {
    governed(book);
    let token = deployer(book, (1, 3_600));
    that_work(book, token);
    let child = made(
        &book.must(Actor::Token(token), &Command::ExchangeToken(exchange((2, 60), &["ping:probe/any"]))),
    );
    pinging(book, child);
    elapsed(book, Subject::Token(child));
    let child = made(
        &book.must(Actor::Token(token), &Command::ExchangeToken(exchange((3, 60), &["ping:probe/any"]))),
    );
    book.must(Actor::Token(token), &revoking(child));
    book.must(Actor::Token(token), &revoking(token));
    let approval = approved(book, ISSUE_ADMIN);
    let admin = made(&book.must(ANA, &under(issue(("admin", 4, 86_400), &["*:probe/*"]), approval)));
    book.must(CHLOE, &revoking(admin));
    let last = deployer(book, (5, 900));
    book.must(ANA, &revoking(last));
}

/// A payout that the token asks for and executes, and one that its owner takes back.
fn that_work(book: &mut Book, token: TokenId) {
    let actor = Actor::Token(token);
    let request = approval::Request { action: stage::action(PAYOUT), parameters_sha256: stage::parameters() };
    let ask = |book: &mut Book| match book.must(actor, &Command::RequestApproval(request.clone()))[0]
        .fact
        .subject()
    {
        Subject::Approval(id) => id,
        other => panic!("{other:?}"),
    };
    let id = ask(book);
    for voter in [BEN, CHLOE] {
        book.must(voter, &Command::Approve(id.into()));
    }
    let events = book.must(actor, &reservation(PAYOUT, Some(id), &[]));
    let Subject::Permit(permit) = Command::principal(&events).unwrap().fact.subject() else {
        panic!("no permit")
    };
    book.must(actor, &Command::StartPermit(permit));
    book.must(actor, &Command::FinishPermit(Finish { permit, outcome: Outcome::Succeeded }));
    let id = ask(book);
    book.must(ANA, &Command::Withdraw(id));
    let permit = pinging(book, token);
    book.must(actor, &Command::ReleasePermit(permit));
}

/// A token that is used now and then, at last by nobody.
pub(crate) fn that_are_used(book: &mut Book) {
    governed(book);
    let token = deployer(book, (6, 900));
    for pause in [5, 60] {
        book.now = book.now.plus_seconds(pause);
        let note = noting((token, 5), book.now);
        book.must(Actor::Node, &note);
    }
    elapsed(book, Subject::Token(token));
    let id = requested(book, PAYOUT);
    book.must(ANA, &Command::Withdraw(id));
}

/// Stands for the thumbprint of the key of this number.
pub(crate) fn thumbprint(number: u32) -> Digest {
    Digest::of(format!("key {number}").as_bytes())
}

/// Tokens that are bound to a key: one that begins so and its child, and a child of one that does not.
pub(crate) fn bound(book: &mut Book) {
    governed(book);
    let scopes = ["override:payout/limit", "ping:probe/any"];
    let first = Issue { cnf_jkt: Some(thumbprint(1)), ..issue(("deployer", 201, 3_600), &scopes) };
    let first = made(&book.must(ANA, &Command::IssueToken(first)));
    let child = Command::ExchangeToken(exchange((202, 60), &["ping:probe/any"]));
    let child = made(&book.must(Actor::Token(first), &child));
    assert_eq!(
        book.whole.token(child).unwrap().cnf_jkt,
        Some(thumbprint(1)),
        "whoever has the parent has its key"
    );
    pinging_once(book, child);
    let free = deployer(book, (203, 900));
    let bound = Exchange { cnf_jkt: Some(thumbprint(2)), ..exchange((204, 60), &["ping:probe/any"]) };
    let bound = made(&book.must(Actor::Token(free), &Command::ExchangeToken(bound)));
    pinging_once(book, bound);
    let asked = requested(book, PAYOUT);
    book.must(ANA, &Command::Withdraw(asked));
}

fn pinging_once(book: &mut Book, token: TokenId) {
    let permit = pinging(book, token);
    book.must(Actor::Token(token), &Command::ReleasePermit(permit));
}
