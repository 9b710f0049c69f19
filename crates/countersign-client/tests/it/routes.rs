//! Which request every method makes: method, target and body.

use countersign_api::Reason;
use countersign_api::access::{Evaluation, Evaluations};
use countersign_api::approval::{Approve, RequestApproval};
use countersign_api::break_glass::{OpenBreakGlass, ReviewBreakGlass, Verdict};
use countersign_api::delegation::Delegate;
use countersign_api::key::RotateLogKey;
use countersign_api::ledger::RedactDetails;
use countersign_api::oauth::{ExchangeRequest, GRANT, JWT};
use countersign_api::permit::{FinishPermit, Outcome, ReconcilePermit, ReservePermit};
use countersign_api::person::{DeactivatePerson, EnrollKey, InvitePerson, RevokeKey};
use countersign_api::policy::ActivatePolicy;
use countersign_api::token::{ExchangeToken, IssueToken, RevokeToken};
use countersign_client::{ApprovalListing, EntryListing, EvidenceScope, Listing};

use crate::scripted::{Scripted, problem};

fn action() -> countersign_api::Action {
    countersign_api::Action {
        verb: "rotate".into(),
        resource: "webhook-signing/stripe".into(),
        environment: "production".into(),
    }
}

fn activation() -> ActivatePolicy {
    ActivatePolicy { policy: serde_json::json!({}), approval: "apr_1".into() }
}

fn redaction() -> RedactDetails {
    RedactDetails { entries: vec![3, 7], approval: "apr_1".into(), reason: None }
}

fn opening() -> OpenBreakGlass {
    OpenBreakGlass {
        action: action(),
        parameters: serde_json::json!({}),
        parameters_salt: "00".into(),
        reason: "now".into(),
        time: "t".into(),
        signature: "s".into(),
    }
}

fn review() -> ReviewBreakGlass {
    ReviewBreakGlass { verdict: Verdict::Unjustified, reason: "no".into() }
}

fn every_filter() -> EntryListing {
    let text = |text: &str| Some(text.to_owned());
    EntryListing {
        from: Some(3),
        limit: None,
        order: text("newest"),
        actor: text("node"),
        correlation: text("cor_1"),
        environment: text("production"),
        kind: text("approval.*"),
        subject: text("apr_1"),
        resource: text("webhook-signing/stripe"),
        verb: text("rotate"),
        from_time: text("2026-11-23T11:00:00+01:00"),
        until_time: text("2026-11-24T00:00:00Z"),
        text: text("quarter end"),
    }
}

fn reconciliation() -> ReconcilePermit {
    ReconcilePermit { outcome: Outcome::Failed, reason: "looked".into() }
}

#[tokio::test]
async fn every_method_asks_its_route() {
    let server = Scripted::start((0..64).map(|_| problem(404, "not_found"))).await;
    let c = &server.client;
    let none = Reason::default();
    let listing = Listing { status: Some("pending".into()), limit: Some(2), after: Some("x".into()) };
    let request = RequestApproval { action: action(), parameters: serde_json::json!({"a": 1}), reason: None };
    let reserve = ReservePermit {
        action: action(),
        parameters: serde_json::json!({}),
        approval: Some("apr_1".into()),
        exceptions: Vec::new(),
        reason: None,
    };
    let finish = FinishPermit { outcome: Outcome::Succeeded, reason: None, report: None };
    let entries = every_filter();

    let failed = [
        c.me().await.is_err(),
        c.people(&listing).await.is_err(),
        c.policy().await.is_err(),
        c.explain(&action(), Some("per_1")).await.is_err(),
        c.activate_policy(&activation()).await.is_err(),
        c.request_approval(&request).await.is_err(),
        c.approvals(&listing).await.is_err(),
        c.approval("apr_1").await.is_err(),
        c.approve("apr_1", &none).await.is_err(),
        c.deny("apr_1", &none).await.is_err(),
        c.withdraw("apr_1", &none).await.is_err(),
        c.reserve_permit(&reserve).await.is_err(),
        c.permits(&listing).await.is_err(),
        c.permit("prm_1").await.is_err(),
        c.permit_document("prm_1").await.is_err(),
        c.start_permit("prm_1", &none).await.is_err(),
        c.release_permit("prm_1", &none).await.is_err(),
        c.finish_permit("prm_1", &finish).await.is_err(),
        c.unreconciled_permits(&Listing { limit: Some(2), ..Listing::default() }).await.is_err(),
        c.keep_permit_alive("prm_1", &none).await.is_err(),
        c.reconcile_permit("prm_1", &reconciliation()).await.is_err(),
        c.break_glass(&opening()).await.is_err(),
        c.broken_glass(&listing).await.is_err(),
        c.one_broken_glass("bgl_1").await.is_err(),
        c.review_break_glass("bgl_1", &review()).await.is_err(),
        c.start_rotation("prm_1").await.is_err(),
        c.rotations(&listing).await.is_err(),
        c.rotation("rot_1").await.is_err(),
        c.abort_rotation("rot_1", &none).await.is_err(),
        c.secrets(&listing).await.is_err(),
        c.incidents(&listing).await.is_err(),
        c.entries(&entries).await.is_err(),
        c.entry(7).await.is_err(),
        c.evidence(&EvidenceScope { case: Some("rot_1".into()), ..EvidenceScope::default() }).await.is_err(),
        c.redact_details(&redaction()).await.is_err(),
        c.checkpoint().await.is_err(),
        c.log_keys().await.is_err(),
        c.rotate_log_key(&RotateLogKey { approval: "apr_1".into() }).await.is_err(),
        c.inclusion(1, 2).await.is_err(),
        c.consistency(1, 2).await.is_err(),
        c.witnessed_checkpoint().await.is_err(),
        c.witnesses().await.is_err(),
        c.alive().await.is_err(),
        c.ready().await.is_err(),
        c.metrics().await.is_err(),
        c.contract().await.is_err(),
    ];
    assert!(failed.iter().all(|failed| *failed));
    let asked: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| format!("{} {} {}", asked.method, asked.target, asked.body))
        .collect();
    assert_eq!(asked.join("\n").replace(" \n", "\n").trim_end(), ROUTES.trim());
}

const ROUTES: &str = r#"
GET /admin/people/me
GET /admin/people?status=pending&limit=2&after=x
GET /admin/policy
GET /admin/explain?verb=rotate&resource=webhook-signing%2Fstripe&environment=production&person=per_1
POST /admin/policy {"policy":{},"approval":"apr_1"}
POST /admin/approvals {"action":{"verb":"rotate","resource":"webhook-signing/stripe","environment":"production"},"parameters":{"a":1}}
GET /admin/approvals?status=pending&limit=2&after=x
GET /admin/approvals/apr_1
POST /admin/approvals/apr_1/approve {}
POST /admin/approvals/apr_1/deny {}
POST /admin/approvals/apr_1/withdraw {}
POST /admin/permits {"action":{"verb":"rotate","resource":"webhook-signing/stripe","environment":"production"},"parameters":{},"approval":"apr_1"}
GET /admin/permits?status=pending&limit=2&after=x
GET /admin/permits/prm_1
GET /admin/permits/prm_1/document
POST /admin/permits/prm_1/start {}
POST /admin/permits/prm_1/release {}
POST /admin/permits/prm_1/finish {"outcome":"succeeded"}
GET /admin/permits?limit=2&unreconciled=true
POST /admin/permits/prm_1/heartbeat {}
POST /admin/permits/prm_1/reconcile {"outcome":"failed","reason":"looked"}
POST /admin/break-glass {"action":{"verb":"rotate","resource":"webhook-signing/stripe","environment":"production"},"parameters":{},"parameters_salt":"00","reason":"now","time":"t","signature":"s"}
GET /admin/break-glass?status=pending&limit=2&after=x
GET /admin/break-glass/bgl_1
POST /admin/break-glass/bgl_1/review {"verdict":"unjustified","reason":"no"}
POST /admin/rotations {"permit":"prm_1"}
GET /admin/rotations?status=pending&limit=2&after=x
GET /admin/rotations/rot_1
POST /admin/rotations/rot_1/abort {}
GET /admin/secrets?status=pending&limit=2&after=x
GET /admin/incidents?status=pending&limit=2&after=x
GET /admin/entries?from=3&order=newest&actor=node&correlation=cor_1&environment=production&kind=approval.*&subject=apr_1&resource=webhook-signing%2Fstripe&verb=rotate&from_time=2026-11-23T11%3A00%3A00%2B01%3A00&until_time=2026-11-24T00%3A00%3A00Z&text=quarter+end
GET /admin/entries/7
GET /admin/evidence?case=rot_1
POST /admin/redactions {"entries":[3,7],"approval":"apr_1"}
GET /ledger/checkpoint
GET /ledger/keys
POST /admin/log/keys {"approval":"apr_1"}
GET /ledger/inclusion?index=1&size=2
GET /ledger/consistency?old=1&new=2
GET /ledger/checkpoint/witnessed
GET /admin/witnesses
GET /healthz
GET /readyz
GET /metrics
GET /openapi.json
"#;

#[tokio::test]
async fn questions_ask_their_routes() {
    let server = Scripted::start((0..3).map(|_| problem(404, "not_found"))).await;
    let question = serde_json::json!({
        "subject": { "type": "person", "id": "per_1" }, "action": { "name": "rotate" }, "resource": { "type": "a", "id": "b" },
    });
    let one: Evaluation = serde_json::from_value(question.clone()).expect("a question");
    let several: Evaluations =
        serde_json::from_value(serde_json::json!({ "evaluations": [question] })).expect("questions");
    assert!(server.client.evaluate(&one).await.is_err());
    assert!(server.client.evaluate_several(&several).await.is_err());
    assert!(server.client.access_metadata().await.is_err());
    let asked: Vec<String> =
        server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect();
    let routes = [
        "POST /access/v1/evaluation",
        "POST /access/v1/evaluations",
        "GET /.well-known/authzen-configuration",
    ];
    assert_eq!(asked, routes);
}

#[tokio::test]
async fn delegations_ask_their_routes() {
    let server = Scripted::start((0..8).map(|_| problem(404, "not_found"))).await;
    let c = &server.client;
    let vote = Approve { on_behalf: Some("per_2".into()), ..Approve::default() };
    let delegate = Delegate { to: "per_3".into(), from: None, until: "2026-12-01T00:00:00Z".into() };
    assert!(c.vote("apr_1", &vote).await.is_err());
    assert!(c.revoke_vote("apr_1", &Reason::default()).await.is_err());
    assert!(c.delegate(&delegate).await.is_err());
    assert!(c.delegations().await.is_err());
    assert!(c.end_delegation(&Reason::default()).await.is_err());
    let listing = ApprovalListing { for_me: true, stuck: true, ..ApprovalListing::default() };
    assert!(c.approvals_of(&listing).await.is_err());
    assert!(c.reciprocal_approvals().await.is_err());
    assert!(c.watch_approval("apr_1").next().await.is_err());
    let asked: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| format!("{} {} {}", asked.method, asked.target, asked.body).trim_end().to_owned())
        .collect();
    assert_eq!(
        asked,
        [
            r#"POST /admin/approvals/apr_1/approve {"on_behalf":"per_2"}"#,
            "POST /admin/approvals/apr_1/revoke {}",
            r#"POST /admin/delegations {"to":"per_3","until":"2026-12-01T00:00:00Z"}"#,
            "GET /admin/delegations",
            "POST /admin/delegations/end {}",
            "GET /admin/approvals?for_me=true&stuck=true",
            "GET /admin/approvals/reciprocal",
            "GET /admin/approvals/apr_1/watch",
        ]
    );
}

#[tokio::test]
async fn tokens_ask_their_routes() {
    let server = Scripted::start((0..5).map(|_| problem(404, "not_found"))).await;
    let token_sha256 = "00".repeat(32);
    let exchange = ExchangeToken {
        scopes: vec!["ping:probe/any".into()],
        networks: Vec::new(),
        lifetime_seconds: 60,
        token_sha256: token_sha256.clone(),
        dpop_jkt: None,
    };
    let issue = IssueToken {
        resource: "service-token/deployer".into(),
        environment: "production".into(),
        scopes: exchange.scopes.clone(),
        networks: Vec::new(),
        lifetime_seconds: 900,
        token_sha256,
        dpop_jkt: None,
        approval: None,
        reason: None,
    };
    let job = ExchangeRequest {
        grant_type: GRANT.into(),
        subject_token: "a.b.c+/=".into(),
        subject_token_type: JWT.into(),
        scope: None,
        audience: Some("deploys".into()),
        requested_token_type: None,
        lifetime_seconds: Some(60),
    };
    assert!(server.client.service_token("tok_1").await.is_err());
    assert!(server.client.issue_token(&issue).await.is_err());
    assert!(server.client.exchange_token(&exchange).await.is_err());
    assert!(server.client.revoke_token("tok_1", &RevokeToken::default()).await.is_err());
    assert!(server.client.exchange(&job).await.is_err());
    let form = server.asked().last().map(|asked| asked.body.clone()).unwrap_or_default();
    assert!(
        form.contains("&subject_token=a.b.c%2B%2F%3D&")
            && form.ends_with("&audience=deploys&lifetime_seconds=60"),
        "{form}"
    );
    let asked: Vec<String> =
        server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect();
    let routes = [
        "GET /admin/service-tokens/tok_1",
        "POST /admin/service-tokens",
        "POST /admin/service-tokens/exchange",
        "POST /admin/service-tokens/tok_1/revoke",
        "POST /oauth/token",
    ];
    assert_eq!(asked, routes);
}

#[tokio::test]
async fn keys_and_statements_ask_their_routes() {
    let server = Scripted::start((0..4).map(|_| problem(404, "not_found"))).await;
    let enroll = EnrollKey { key: "ssh-ed25519 AAAA".into(), approval: "apr_1".into() };
    let revoke = RevokeKey { fingerprint: "SHA256:abc".into(), approval: None, reason: None };
    assert!(server.client.statement("apr_1").await.is_err());
    assert!(server.client.voting_keys("per_1").await.is_err());
    assert!(server.client.enroll_key("per_1", &enroll).await.is_err());
    assert!(server.client.revoke_key("per_1", &revoke).await.is_err());
    let asked: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| format!("{} {} {}", asked.method, asked.target, asked.body).trim_end().to_owned())
        .collect();
    let routes = [
        "GET /admin/approvals/apr_1/statement",
        "GET /admin/people/per_1/keys",
        "POST /admin/people/per_1/keys {\"key\":\"ssh-ed25519 AAAA\",\"approval\":\"apr_1\"}",
        "POST /admin/people/per_1/keys/revoke {\"fingerprint\":\"SHA256:abc\"}",
    ];
    assert_eq!(asked, routes);
}

#[tokio::test]
async fn people_come_and_go_by_their_routes() {
    let server = Scripted::start((0..8).map(|_| problem(404, "not_found"))).await;
    let invitation = InvitePerson {
        id: "per_1".into(),
        name: "Dee".into(),
        claim_sha256: "00".into(),
        claim_seconds: 60,
        approval: Some("apr_1".into()),
        reason: Some("joins".into()),
    };
    let deactivation = DeactivatePerson { approval: None, reason: Some("left".into()) };
    assert!(server.client.invite(&invitation).await.is_err());
    assert!(server.client.deactivate("per_1", &deactivation).await.is_err());
    let asked: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| format!("{} {} {}", asked.method, asked.target, asked.body).trim_end().to_owned())
        .collect();
    let routes = [
        r#"POST /admin/people {"id":"per_1","name":"Dee","claim_sha256":"00","claim_seconds":60,"approval":"apr_1","reason":"joins"}"#,
        r#"POST /admin/people/per_1/deactivate {"reason":"left"}"#,
    ];
    assert_eq!(asked, routes);
}
