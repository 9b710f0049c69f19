//! Every route of the contract × anonymous and wrong role, and what each of them leaves in the log.
//!
//! The test walks the contract, so a route without a row fails. The list of routes that need no credential may only shrink.

use std::collections::BTreeSet;

use countersign_api::person::DEFAULT_CLAIM_SECONDS;
use countersign_core::digest::Digest;
use serde_json::{Value, json};

use super::break_glass::opening;
use super::harness::{Api, Call, EVE, enrolled, next_key, payout, ping, policy, redact, rotate, successor};
use super::membership::invited;
use super::ssh_key::SshKey;
use super::{terminals, tokens};
use crate::engine::fixture::{ANA, BEN};

/// Routes that answer anybody, and why that is right.
const EXEMPT: [(&str, &str); 18] = [
    ("GET /.well-known/authzen-configuration", "says where the routes are, as the contract does"),
    ("GET /.well-known/oauth-authorization-server", "says where the routes are, as the contract does"),
    ("GET /admin/terminals/sessions/{sha256}", "the digest is the terminal's own, and the answer is a word"),
    ("GET /healthz", "for whoever watches the process"),
    ("GET /ledger/checkpoint", "the log is public by choice"),
    ("GET /ledger/checkpoint/witnessed", "the log is public by choice"),
    ("GET /ledger/consistency", "the log is public by choice"),
    ("GET /ledger/inclusion", "the log is public by choice"),
    ("GET /ledger/keys", "the log is public by choice"),
    ("GET /ledger/proof/{index}", "the log is public by choice"),
    ("GET /ledger/tile/entries/{index}", "the log is public by choice"),
    ("GET /ledger/tile/{level}/{index}", "the log is public by choice"),
    ("GET /metrics", "for whoever watches the node; no ids, no names"),
    ("GET /openapi.json", "the contract is no secret"),
    ("GET /readyz", "for whoever watches the node"),
    ("POST /admin/people/claim", "the claim is the credential"),
    ("POST /oauth/token", "what is exchanged is the credential, and OAuth has it in the body"),
    ("POST /admin/terminals", "who asks to be let in has nothing yet, and gets nothing by it"),
];

/// Routes that only ask, although they are posted to: the question is too large for an address.
const ASKING: [&str; 2] = ["POST /access/v1/evaluation", "POST /access/v1/evaluations"];

/// A request that a route takes from the right person, and what the wrong one is told.
pub(super) struct Row {
    pub(super) call: Call,
    pub(super) right: &'static str,
    pub(super) wrong: &'static str,
    pub(super) told: (u16, &'static str),
}

fn row(call: Call, right: &'static str, wrong: (&'static str, u16, &'static str)) -> Row {
    Row { call, right, wrong: wrong.0, told: (wrong.1, wrong.2) }
}

fn read(path: impl Into<String>) -> Row {
    row(Call::get(path), "Aud", ("Eve", 403, "not_a_reader"))
}

fn post(path: String, body: &Value, right: &'static str, wrong: (&'static str, u16, &'static str)) -> Row {
    row(Call::post(path, body), right, wrong)
}

/// A request for the route that would succeed, on a log prepared for it.
#[expect(clippy::too_many_lines, reason = "one arm for each route")]
async fn prepared(api: &Api, route: &str) -> Option<Row> {
    if let Some(path) = route.strip_prefix("GET ") {
        return looking(api, path).await;
    }
    if ASKING.contains(&route) {
        return asking(route);
    }
    if route.starts_with("POST /admin/service-tokens") {
        return tokens::posting(api, route).await;
    }
    if route.starts_with("POST /admin/permits") {
        return with_a_permit(api, route).await;
    }
    let pending = async || pending(api).await;
    let mine = ("Aud", 403, "not_the_executor");
    let none = json!({});
    Some(match route {
        "POST /admin/approvals" => {
            post("/admin/approvals".into(), &payout(), "Ana", ("Aud", 403, "not_a_requester"))
        }
        "POST /admin/approvals/{id}/approve" => post(
            format!("/admin/approvals/{}/approve", pending().await),
            &none,
            "Ben",
            ("Eve", 403, "not_an_approver"),
        ),
        "POST /admin/approvals/{id}/deny" => post(
            format!("/admin/approvals/{}/deny", pending().await),
            &json!({ "reason": "no" }),
            "Ben",
            ("Aud", 403, "not_an_approver"),
        ),
        "POST /admin/approvals/{id}/withdraw" => {
            let path = format!("/admin/approvals/{}/withdraw", pending().await);
            post(path, &none, "Ana", ("Ben", 403, "not_the_requester"))
        }
        "POST /admin/break-glass" => {
            let key = SshKey::new(1);
            enrolled(api, ANA, &key).await;
            // Whoever sends what somebody else signed has not signed it.
            post("/admin/break-glass".into(), &opening(api, &key), "Ana", ("Aud", 422, "signature_invalid"))
        }
        "POST /admin/break-glass/{id}/review" => {
            let body = json!({ "verdict": "justified", "reason": "read the timeline" });
            let path = format!("/admin/break-glass/{}/review", broken(api).await);
            post(path, &body, "Ben", ("Eve", 403, "not_a_reviewer"))
        }
        "POST /admin/log/keys" => {
            let body = json!({ "approval": api.approved(&next_key()).await });
            api.signed().await;
            post("/admin/log/keys".into(), &body, "Ana", ("Ben", 403, "not_an_executor"))
        }
        "POST /admin/policy" => {
            let (policy, request) = successor("next");
            let body = json!({ "policy": policy, "approval": api.approved(&request).await });
            post("/admin/policy".into(), &body, "Ana", ("Ben", 403, "not_an_executor"))
        }
        "POST /admin/people" => {
            let body = invited(api, ("Dee", DEFAULT_CLAIM_SECONDS)).await;
            post("/admin/people".into(), &body, "Ana", ("Ben", 403, "not_an_executor"))
        }
        "POST /admin/people/{id}/deactivate" => {
            let path = format!("/admin/people/{EVE}/deactivate");
            post(path, &json!({ "reason": "left" }), "Ana", ("Ben", 403, "not_an_executor"))
        }
        "POST /admin/people/{id}/keys" => {
            let body = json!({ "key": KEY, "approval": api.approved(&enrolment()).await });
            post(format!("/admin/people/{BEN}/keys"), &body, "Ana", ("Ben", 403, "not_an_executor"))
        }
        "POST /admin/people/{id}/keys/revoke" => {
            let body = json!({ "key": KEY, "approval": api.approved(&enrolment()).await });
            let keys = api.ok(Call::post(format!("/admin/people/{BEN}/keys"), &body).by("Ana")).await.json;
            let body = json!({ "fingerprint": keys["keys"][0]["fingerprint"] });
            post(format!("/admin/people/{BEN}/keys/revoke"), &body, "Ben", ("Ana", 403, "not_the_owner"))
        }
        "POST /admin/sessions" => {
            let body = json!({ "session_sha256": Digest::of(b"Ana's session").to_string() });
            let (_, token) = tokens::issued(api, 1).await;
            let call = Call::post("/admin/sessions", &body).from("10.1.2.3");
            row(call, "Ana", (token, 403, "not_for_tokens"))
        }
        "POST /admin/sessions/{id}/end" => {
            let body = json!({ "session_sha256": Digest::of(b"Ana's session").to_string() });
            let id = api.ok(Call::post("/admin/sessions", &body).by("Ana")).await.id();
            post(format!("/admin/sessions/{id}/end"), &none, "Ana", ("Ben", 403, "no_rule"))
        }
        "POST /admin/terminals/{code}/answer" => {
            let code = terminals::asked(api).await;
            let call = terminals::answering(&code, "admit");
            row(call, terminals::BROWSER, ("Ana", 403, "session_required"))
        }
        "POST /admin/redactions" => {
            let body = redaction(api).await;
            post("/admin/redactions".into(), &body, "Ana", ("Ben", 403, "not_an_executor"))
        }
        "POST /admin/rotations" => {
            let mut wanted = rotate();
            wanted["approval"] = json!(api.approved(&rotate()).await);
            let permit = api.ok(Call::post("/admin/permits", &wanted).by("Ana")).await.id();
            post("/admin/rotations".into(), &json!({ "permit": permit }), "Ana", mine)
        }
        "POST /admin/rotations/{id}/abort" => {
            let path = format!("/admin/rotations/{}/abort", api.rotation().await);
            post(path, &none, "Ana", ("Aud", 403, "not_an_executor"))
        }
        _ => return voting(api, route).await,
    })
}

/// What is done with permits, and to get one.
async fn with_a_permit(api: &Api, route: &str) -> Option<Row> {
    let mine = ("Aud", 403, "not_the_executor");
    let none = json!({});
    Some(match route {
        "POST /admin/permits" => {
            post("/admin/permits".into(), &ping(), "Ana", ("Ben", 403, "not_an_executor"))
        }
        "POST /admin/permits/{id}/start" => {
            post(format!("/admin/permits/{}/start", api.permit().await), &none, "Ana", mine)
        }
        "POST /admin/permits/{id}/release" => {
            post(format!("/admin/permits/{}/release", api.permit().await), &none, "Ana", mine)
        }
        "POST /admin/permits/{id}/finish" => {
            let id = api.permit().await;
            api.ok(Call::post(format!("/admin/permits/{id}/start"), &none).by("Ana")).await;
            post(format!("/admin/permits/{id}/finish"), &json!({ "outcome": "failed" }), "Ana", mine)
        }
        "POST /admin/permits/{id}/heartbeat" => {
            let id = api.lively().await;
            api.clock.forward(30);
            post(format!("/admin/permits/{id}/heartbeat"), &none, "Ana", mine)
        }
        "POST /admin/permits/{id}/reconcile" => {
            let body = json!({ "outcome": "failed", "reason": "looked" });
            let wrong = ("Aud", 403, "not_a_reconciler");
            post(format!("/admin/permits/{}/reconcile", api.unknown().await), &body, "Ben", wrong)
        }
        _ => return None,
    })
}

/// A question about somebody else: for readers only.
fn asking(route: &str) -> Option<Row> {
    let path = route.strip_prefix("POST ")?;
    let question = if path.ends_with('s') { json!({ "evaluations": [about_ana()] }) } else { about_ana() };
    Some(post(path.to_owned(), &question, "Aud", ("Eve", 403, "not_a_reader")))
}

/// The question whether Ana could ping now.
fn about_ana() -> Value {
    json!({
        "subject": { "type": "person", "id": ANA.to_string() }, "action": { "name": "ping" },
        "resource": { "type": "probe", "id": "any" }, "context": { "environment": "production" },
    })
}

/// The same, about votes and in whose place they are given.
async fn voting(api: &Api, route: &str) -> Option<Row> {
    let none = json!({});
    let away = json!({ "to": EVE, "until": "2027-02-01T00:00:00Z" });
    Some(match route {
        "POST /admin/approvals/{id}/revoke" => {
            let id = pending(api).await;
            api.ok(Call::post(format!("/admin/approvals/{id}/approve"), &none).by("Ben")).await;
            post(format!("/admin/approvals/{id}/revoke"), &none, "Ben", ("Chloe", 409, "not_voted"))
        }
        "POST /admin/delegations" => {
            post("/admin/delegations".into(), &away, "Ben", ("Eve", 422, "delegated_to_oneself"))
        }
        "POST /admin/delegations/end" => {
            api.ok(Call::post("/admin/delegations", &away).by("Ben")).await;
            post("/admin/delegations/end".into(), &none, "Ben", ("Ana", 409, "not_delegated"))
        }
        _ => return None,
    })
}

/// A key of somebody who is nobody.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPGE4SnnJiHCkx+fi680USX4TnO2K0B//K6yFZHISOft";

/// A request to give it to Ben.
fn enrolment() -> Value {
    let action =
        json!({ "verb": "enroll", "resource": format!("voting-key/{BEN}"), "environment": "control" });
    json!({ "action": action, "parameters": { "key": KEY } })
}

/// An approved redaction of the reason for a vote.
async fn redaction(api: &Api) -> Value {
    let path = format!("/admin/approvals/{}/approve", pending(api).await);
    let index = api.engine.size();
    api.ok(Call::post(path, &json!({ "reason": "as agreed" })).by("Ben")).await;
    json!({ "entries": [index], "approval": api.approved(&redact(&[index])).await })
}

async fn looking(api: &Api, path: &str) -> Option<Row> {
    Some(match path {
        "/admin/approvals" => read("/admin/approvals"),
        "/admin/approvals/{id}" => read(format!("/admin/approvals/{}", pending(api).await)),
        // Everybody sees those that concern them; the wrong role is having no credential.
        "/admin/delegations" => {
            row(Call::get("/admin/delegations"), "Eve", ("Mallory", 401, "unauthenticated"))
        }
        "/admin/approvals/reciprocal" => read("/admin/approvals/reciprocal"),
        "/admin/approvals/{id}/watch" => {
            read(format!("/admin/approvals/{}/watch?limit=1", pending(api).await))
        }
        // Goes on after the first entry, so that there is something to tell at once.
        "/admin/watch" => {
            Row { call: Call::get("/admin/watch?limit=1").header("last-event-id", "0"), ..read("/") }
        }
        "/admin/approvals/{id}/statement" => {
            read(format!("/admin/approvals/{}/statement", pending(api).await))
        }
        "/admin/people/{id}/keys" => read(format!("/admin/people/{BEN}/keys")),
        "/admin/break-glass" => read("/admin/break-glass"),
        "/admin/break-glass/{id}" => read(format!("/admin/break-glass/{}", broken(api).await)),
        "/admin/entries" => read("/admin/entries"),
        "/admin/explain" => {
            read("/admin/explain?verb=override&resource=payout%2Flimit&environment=production")
        }
        "/admin/entries/{index}" => read("/admin/entries/0"),
        "/admin/evidence" => {
            // A bundle is of signed entries only.
            api.signed().await;
            read("/admin/evidence?kind=log.created")
        }
        // Everybody sees their own; the wrong role is having no credential.
        "/admin/sessions" => row(Call::get("/admin/sessions"), "Eve", ("Mallory", 401, "unauthenticated")),
        "/admin/terminals/{code}" => {
            let code = terminals::asked(api).await;
            let call = Call::get(format!("/admin/terminals/{code}"));
            row(call, terminals::BROWSER, ("Ana", 403, "session_required"))
        }
        "/admin/freezes" => read("/admin/freezes"),
        "/admin/access-review" => read("/admin/access-review?days=30"),
        "/admin/service-tokens" => read("/admin/service-tokens"),
        "/admin/service-tokens/{id}" => {
            let (id, _) = tokens::issued(api, 1).await;
            read(format!("/admin/service-tokens/{id}"))
        }
        "/admin/incidents" => read("/admin/incidents"),
        "/admin/people" => read("/admin/people"),
        "/admin/witnesses" => read("/admin/witnesses"),
        // Anybody with a credential may ask who they are; the wrong role is having none.
        "/admin/people/me" => row(Call::get("/admin/people/me"), "Eve", ("Mallory", 401, "unauthenticated")),
        "/admin/permits" => read("/admin/permits"),
        "/admin/permits/{id}" => read(format!("/admin/permits/{}", api.permit().await)),
        "/admin/permits/{id}/document" => read(format!("/admin/permits/{}/document", api.permit().await)),
        "/admin/policy" => read("/admin/policy"),
        "/admin/rotations" => read("/admin/rotations"),
        "/admin/rotations/{id}" => read(format!("/admin/rotations/{}", api.rotation().await)),
        "/admin/secrets" => read("/admin/secrets"),
        _ => return None,
    })
}

/// What Ana did without anybody's consent.
async fn broken(api: &Api) -> String {
    let key = SshKey::new(1);
    enrolled(api, ANA, &key).await;
    api.ok(Call::post("/admin/break-glass", &opening(api, &key)).by("Ana")).await.id()
}

/// A request of Ana's that nobody has voted on.
async fn pending(api: &Api) -> String {
    api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id()
}

/// Every route of the contract, as `METHOD /path`.
pub(super) fn routes() -> BTreeSet<String> {
    let contract = serde_json::to_value(countersign_server::http::contract()).expect("JSON");
    let paths = contract["paths"].as_object().expect("paths").iter();
    let operations = |(path, item): (&String, &Value)| {
        let methods: Vec<String> = item.as_object().expect("operations").keys().cloned().collect();
        methods.into_iter().map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
    };
    paths.flat_map(operations).collect()
}

/// What was written since: who, and what. Counted refusals are written later and by the node, so they are left out.
async fn written(api: &Api, since: u64) -> Vec<(String, String)> {
    let entries = api.engine.read(move |reader| reader.entries(since, 100)).await.expect("readable");
    let leaves = entries.into_iter().map(|entry| serde_json::from_slice::<Value>(&entry.leaf).expect("JSON"));
    let text = |leaf: &Value, key: &str| leaf[key].as_str().expect("text").to_owned();
    let told = leaves.map(|leaf| (text(&leaf, "actor"), text(&leaf, "kind")));
    told.filter(|(_, kind)| kind != "person.refused").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_refuses_strangers_and_wrong_roles_and_writes_down_what_it_does() {
    let exempt: BTreeSet<&str> = EXEMPT.iter().map(|(route, _)| *route).collect();
    assert!(EXEMPT.iter().all(|(_, why)| !why.is_empty()));
    for route in routes() {
        if exempt.contains(route.as_str()) {
            continue;
        }
        let api = match route.ends_with("/document") {
            true => Api::with_permit_key(policy()).await,
            false => Api::start().await,
        };
        let Some(Row { call, right, wrong, told }) = prepared(&api, &route).await else {
            panic!("`{route}` has no row: say who may not use it");
        };
        let size = api.engine.size();
        for stranger in [call.clone(), call.clone().by("Mallory")] {
            assert_eq!(api.refusal(stranger).await, (401, "unauthenticated".into()), "{route}");
        }
        let refusal = api.refusal(call.clone().by(wrong)).await;
        assert_eq!((refusal.0, refusal.1.as_str()), told, "{route} by {wrong}");
        assert_eq!(written(&api, size).await, [], "{route}: who is refused changes nothing");

        let answer = api.ok(call.clone().by(right)).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{route}");
        let written = written(&api, size).await;
        if call.method == "GET" || ASKING.contains(&route.as_str()) {
            assert_eq!(written, [], "{route}: looking changes nothing");
        } else {
            let actor = match api.engine.state().token_holder(&Digest::of(right.as_bytes())) {
                Some(token) => token.to_string(),
                None => api.ok(Call::get("/admin/people/me").by(right)).await.id(),
            };
            assert!(!written.is_empty(), "{route} leaves an entry");
            assert!(written.iter().all(|(by, _)| *by == actor), "{route}: {written:?} by {actor}");
        }
        api.engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_listed_routes_answer_strangers_and_none_of_them_changes_anything() {
    let api = Api::start().await;
    let known = routes();
    for (route, _) in EXEMPT {
        assert!(known.contains(route), "`{route}` is exempt but does not exist: take it off the list");
        let size = api.engine.size();
        let (method, path) = route.split_once(' ').expect("a method and a path");
        let answer =
            api.call(Call::new(method.parse().expect("a method"), path.into(), b"{}".to_vec())).await;
        assert_ne!(answer.status.as_u16(), 401, "{route} is for everybody");
        assert_eq!(api.engine.size(), size, "{route}");
    }
    let others = EXEMPT.iter().filter(|(route, _)| !route.starts_with("GET /ledger/")).count();
    assert!(others <= 10, "the list only shrinks, but for the log, which is public as a whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_appending_route_demands_an_idempotency_key() {
    let exempt: BTreeSet<&str> = EXEMPT.iter().map(|(route, _)| *route).collect();
    let appends = |route: &&String| {
        route.starts_with("POST ") && !exempt.contains(route.as_str()) && !ASKING.contains(&route.as_str())
    };
    for route in routes().iter().filter(appends) {
        let api = Api::start().await;
        let row = prepared(&api, route).await.expect("a row");
        let size = api.engine.size();
        let keyless = row.call.clone().by(row.right).keyless();
        assert_eq!(api.refusal(keyless).await, (400, "idempotency_key_required".into()), "{route}");
        assert_eq!(api.engine.size(), size, "{route}");

        let mut first = api.ok(row.call.clone().by(row.right).key("once")).await;
        let size = api.engine.size();
        let mut again = api.ok(row.call.by(row.right).key("once")).await;
        // A dashboard's window ends now, and time went on.
        for answer in [&mut first, &mut again] {
            if let Some(links) = answer.json.get_mut("links") {
                links["dashboard"].take();
            }
        }
        assert_eq!((first.status, first.json), (again.status, again.json), "{route}");
        assert_eq!(api.engine.size(), size, "{route}: repeating adds nothing");
        api.engine.stop().await;
    }
}
