//! Workloads on the stage: a policy that recognises some, and what happens to their tokens at least once.

use countersign_core::digest::Digest;
use countersign_core::id::TokenId;
use countersign_core::policy::Policy;
use countersign_core::token::{ExchangeWorkload, Presented};
use countersign_core::{Actor, Command, Subject};
use serde_json::{Value, json};

use crate::book::Book;
use crate::script::{activation, approved, elapsed};
use crate::stage::{ACTIVATE, ANA, BEN, DAN};
use crate::tokens::{digest, exchange, made, pinging, revoking, scopes};

pub(crate) const ISSUER: &str = "https://ci.test";

/// Ana answers for what one repository deploys, and Ben for what it probes, by the same number; Dan for another's backups.
pub(crate) fn policy() -> Policy {
    let mut policy = crate::tokens::with_deactivation();
    let workload = |name: &str, owner: &str, claims: Value| {
        serde_json::from_value(json!({
            "name": name, "issuer": ISSUER, "claims": claims,
            "token": "service-token/deployer", "environment": "production",
            "scopes": ["override:payout/limit", "ping:probe/any"], "max_lifetime_seconds": 600, "owner": owner,
        }))
        .unwrap()
    };
    policy.workloads = vec![
        workload("deploys", &ANA.to_string(), json!({ "repository_id": "42", "environment": "production" })),
        workload("backups", &DAN.to_string(), json!({ "repository_id": "43" })),
        workload("probes", &BEN.to_string(), json!({ "repository_id": "42", "scheduled": { "uid": 7 } })),
    ];
    policy
}

/// The policy, with a freeze that holds the issuing of tokens.
pub(crate) fn frozen() -> Policy {
    let mut policy = policy();
    policy.freezes = serde_json::from_value(json!([{
        "name": "tokens", "verb": "issue", "resource": "service-token/*", "environment": "*", "patterns": true,
        "from": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z",
    }]))
    .unwrap();
    policy
}

pub(crate) fn policies() -> [Policy; 2] {
    [policy(), frozen()]
}

pub(crate) fn governed(book: &mut Book) {
    let approval = approved(book, ACTIVATE);
    book.must(ANA, &activation(policy(), approval));
}

/// What the token of this number says, good for so many seconds by its issuer's clock.
pub(crate) fn presented(book: &Book, (number, seconds): (u32, i64), claims: Value) -> Presented {
    Presented {
        issuer: ISSUER.into(),
        jti: format!("job {number}"),
        expires_at: book.now.plus_millis(seconds * 1_000),
        claims: serde_json::from_value(claims).unwrap(),
        subject_token_sha256: Digest::of(format!("workload token {number}").as_bytes()),
    }
}

pub(crate) fn deploys() -> Value {
    json!({ "repository_id": "42", "environment": "production", "sub": "repo:acme/pay:environment:production" })
}

/// The service token of this number for what is presented.
pub(crate) fn exchanging(presented: Presented, number: u32) -> ExchangeWorkload {
    ExchangeWorkload {
        presented,
        workload: None,
        scopes: scopes(&[]),
        lifetime_seconds: None,
        token_sha256: digest(number),
        cnf_jkt: None,
    }
}

pub(crate) fn exchanged(book: &mut Book, (number, seconds): (u32, i64)) -> TokenId {
    let presented = presented(book, (number, seconds), deploys());
    made(&book.must(Actor::Node, &Command::ExchangeWorkload(exchanging(presented, number))))
}

/// Everything about them.
pub(crate) fn workloads(book: &mut Book) {
    book.commit();
    governed(book);
    let token = exchanged(book, (101, 300));
    let permit = pinging(book, token);
    book.must(Actor::Token(token), &Command::ReleasePermit(permit));
    let child = exchange((102, 60), &["ping:probe/any"]);
    let child = made(&book.must(Actor::Token(token), &Command::ExchangeToken(child)));
    elapsed(book, Subject::Token(child));
    book.must(ANA, &revoking(token));
    let both = json!({ "repository_id": "42", "environment": "production", "scheduled": { "uid": 7 } });
    let narrow = ExchangeWorkload {
        workload: Some("probes".parse().unwrap()),
        scopes: scopes(&["ping:probe/any"]),
        lifetime_seconds: Some(60.try_into().unwrap()),
        ..exchanging(presented(book, (103, 300), both), 103)
    };
    let token = made(&book.must(Actor::Node, &Command::ExchangeWorkload(narrow)));
    elapsed(book, Subject::Token(token));
    let last = exchanged(book, (104, 300));
    elapsed(book, Subject::Token(last));
}

/// A token of a workload is forgotten once it could not be used any more, and not a millisecond before.
#[test]
fn replay_cache_shorter_than_validity() {
    let mut book = Book::begun();
    governed(&mut book);
    let day = 24 * 3_600;
    let first = presented(&book, (1, day), deploys());
    book.must(Actor::Node, &Command::ExchangeWorkload(exchanging(first.clone(), 1)));
    let again = |book: &mut Book, number| {
        // Whatever is exchanged in between lets go of what is over.
        exchanged(book, (number, 60));
        let command = Command::ExchangeWorkload(exchanging(first.clone(), number + 1));
        book.submit(Actor::Node, &command).map_err(|refusal| refusal.code())
    };
    assert_eq!(again(&mut book, 10), Err("workload_token_spent"));
    book.now = book.now.plus_seconds(24 * 3_600);
    assert_eq!(
        again(&mut book, 20),
        Err("workload_token_spent"),
        "by its issuer's clock it may be good still"
    );
    book.now = book.now.plus_millis(59_999);
    assert_eq!(again(&mut book, 30), Err("workload_token_spent"));
    book.now = book.now.plus_millis(1);
    assert_eq!(again(&mut book, 40), Err("workload_token_expired"));
    assert!(!book.whole.is_spent(&first.spent().sha256), "nobody could use it any more");
    book.commit();
    book.assert_replays();
}

/// The same id from two issuers is two tokens, and a name that says as much as another is not the same.
#[test]
fn cross_tenant_by_handle() {
    let book = Book::begun();
    let ours = presented(&book, (1, 60), deploys());
    let theirs = Presented { issuer: "https://other.test".into(), ..ours.clone() };
    assert_ne!(ours.spent().sha256, theirs.spent().sha256);
    let joined = Presented { issuer: "https://ci.test\njob".into(), jti: "1".into(), ..ours.clone() };
    assert_ne!(ours.spent().sha256, joined.spent().sha256);
}
