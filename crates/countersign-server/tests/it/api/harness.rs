//! The API over a real engine, called in process; Eve is enrolled too, in a group that may do nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::policy::Policy;
use countersign_core::time::Time;
use countersign_core::voting_key::{EnrollKey, enrolment};
use countersign_core::{Actor, Command};
use countersign_ledger::note::Ed25519Signer;
use countersign_server::clock::{Clock, ClockJumped};
use countersign_server::engine::{Engine, Submission};
use countersign_server::genesis::Claim;
use countersign_server::http;
use countersign_server::issuers::Issuers;
use countersign_server::search::{Place, Search};
use countersign_server::store::Store;
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::ssh_key::SshKey;
use crate::engine::fixture::{self, Setup};

pub(super) const EVE: PersonId = PersonId(5);

/// A clock that goes one millisecond further each time it is read, and further or astray when told to.
#[derive(Debug)]
pub(super) struct TestClock {
    now_ms: AtomicI64,
    jumped: AtomicBool,
}

impl TestClock {
    fn new() -> Self {
        Self { now_ms: AtomicI64::new(1_800_000_000_000), jumped: AtomicBool::new(false) }
    }

    pub(super) fn forward(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub(super) fn jump(&self) {
        self.jumped.store(true, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Result<Time, ClockJumped> {
        if self.jumped.load(Ordering::SeqCst) {
            return Err(ClockJumped { by_ms: -9_000 });
        }
        Ok(Time::from_millis(self.now_ms.fetch_add(1, Ordering::SeqCst)))
    }

    fn glance(&self) -> Result<Time, ClockJumped> {
        if self.jumped.load(Ordering::SeqCst) {
            return Err(ClockJumped { by_ms: -9_000 });
        }
        Ok(Time::from_millis(self.now_ms.load(Ordering::SeqCst)))
    }
}

/// The fixture's policy with Eve, and with a secret to rotate.
pub(super) fn policy() -> Policy {
    let mut policy = serde_json::to_value(fixture::policy()).expect("a policy is JSON");
    policy["groups"]["guests"] = json!([EVE]);
    policy["secrets"] = json!([{
        "resource": "webhook-signing/stripe", "environment": "production", "scheme": "stripe",
        "consumers": ["nudgepay-a", "nudgepay-b"], "signer": "provider", "min_overlap_seconds": 5,
        "dwell_ms": 1000, "attempts": 3, "runbook": "https://runbooks.example/{secret}",
        "dashboard": "https://grafana.example/?from={from_ms}&to={to_ms}",
    }]);
    let mut rotate = policy["rules"][1].clone();
    for (key, value) in [("name", "rotate"), ("verb", "rotate"), ("resource", "webhook-signing/stripe")] {
        rotate[key] = json!(value);
    }
    let mut watch = policy["rules"][2].clone();
    for (key, value) in [("name", json!("watch")), ("verb", json!("watch")), ("heartbeat_seconds", json!(60))]
    {
        watch[key] = value;
    }
    let mut failover = policy["rules"][1].clone();
    for (key, value) in [("name", "failover"), ("verb", "failover"), ("resource", "region/eu")] {
        failover[key] = json!(value);
    }
    failover["break_glass"] = json!({
        "by": ["engineers"], "review": { "approvers": 1 }, "review_seconds": 3600, "lifetime_seconds": 30,
    });
    let keys = ["enroll", "revoke"].map(|verb| {
        let mut rule = policy["rules"][0].clone();
        for (key, value) in [("name", verb), ("verb", verb), ("resource", "voting-key/*")] {
            rule[key] = json!(value);
        }
        rule["patterns"] = json!(true);
        rule
    });
    let [invite, mut deactivate] = ["invite", "deactivate"].map(|verb| {
        let mut rule = policy["rules"][0].clone();
        for (key, value) in [("name", verb), ("verb", verb), ("resource", "person/*")] {
            rule[key] = json!(value);
        }
        rule["patterns"] = json!(true);
        rule
    });
    deactivate["approval"] = json!("not-required");
    deactivate.as_object_mut().expect("a rule").remove("quorum");
    let mut tokens = policy["rules"][2].clone();
    for (key, value) in [("name", "tokens"), ("verb", "issue"), ("resource", "service-token/deployer")] {
        tokens[key] = json!(value);
    }
    tokens["tokens"] =
        json!({ "scopes": ["override:payout/limit", "ping:probe/any"], "max_lifetime_seconds": 3600 });
    let rules = [rotate, watch, failover, invite, deactivate, tokens].into_iter().chain(keys);
    policy["rules"].as_array_mut().expect("rules").extend(rules);
    serde_json::from_value(policy).expect("a policy")
}

/// The router and what stands behind it.
pub(super) struct Api {
    pub(super) engine: Engine,
    pub(super) clock: Arc<TestClock>,
    pub(super) claims: Vec<Claim>,
    router: Router,
    keys: AtomicU64,
}

/// The node's key for permit documents.
pub(super) fn permit_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(&format!("{}/permit", fixture::ORIGIN), [9; 32]).expect("a signer")
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
    pub(super) who: Option<&'static str>,
    key: Key,
    headers: Vec<(&'static str, Vec<u8>)>,
    from: Option<SocketAddr>,
}

#[derive(Clone, Debug)]
enum Key {
    Fresh,
    Given(String),
    None,
}

impl Call {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into(), Vec::new())
    }

    pub(super) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::raw(path, serde_json::to_vec(body).expect("JSON"))
    }

    pub(super) fn raw(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self::new(Method::POST, path.into(), body)
    }

    pub(super) fn new(method: Method, path: String, body: Vec<u8>) -> Self {
        Self { method, path, body, who: None, key: Key::Fresh, headers: Vec::new(), from: None }
    }

    pub(super) fn by(self, who: &'static str) -> Self {
        Self { who: Some(who), ..self }
    }

    pub(super) fn key(self, key: &str) -> Self {
        Self { key: Key::Given(key.to_owned()), ..self }
    }

    pub(super) fn keyless(self) -> Self {
        Self { key: Key::None, ..self }
    }

    /// From this address.
    pub(super) fn from(self, address: &str) -> Self {
        Self { from: Some(SocketAddr::new(address.parse().expect("an address"), 50_000)), ..self }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn id(&self) -> String {
        self.json["id"].as_str().expect("an id").to_owned()
    }

    /// The code of a problem, after checking that it is one in every respect.
    pub(super) fn code(&self) -> &str {
        let Self { json, .. } = self;
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(json["status"], self.status.as_u16());
        let code = json["code"].as_str().expect("a code");
        assert_eq!(json["type"], format!("urn:countersign:problem:{code}"));
        assert_eq!(json["request_id"], self.header("x-request-id"));
        for member in ["title", "detail", "hint"] {
            assert!(json[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {json}");
        }
        let waits = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&self.status);
        assert_eq!(!self.header("retry-after").is_empty(), waits);
        assert_eq!(!self.header("www-authenticate").is_empty(), self.status == StatusCode::UNAUTHORIZED);
        code
    }
}

impl Api {
    pub(super) async fn start() -> Self {
        Self::over(Box::new(MemoryStore::new()), policy()).await
    }

    /// Everybody has replaced their claim.
    pub(super) async fn over(store: Box<dyn Store>, policy: Policy) -> Self {
        let api = Self::unclaimed(store, policy).await;
        for claim in &api.claims {
            fixture::replace(&api.engine, claim).await;
        }
        api
    }

    /// A node that has a key for permit documents.
    pub(super) async fn with_permit_key(policy: Policy) -> Self {
        let api = Self::over(Box::new(MemoryStore::new()), policy).await;
        let engine = api.engine.clone().with_permit_signer(Arc::new(permit_signer()));
        let router =
            http::router((engine.clone(), Search::start(&engine, Place::memory())), http::recorder());
        Self { engine, router, ..api }
    }

    /// A node that believes tokens of these issuers.
    pub(super) async fn with_issuers(policy: Policy, issuers: Issuers) -> Self {
        let api = Self::over(Box::new(MemoryStore::new()), policy).await;
        let outside = http::Outside { issuers: Arc::new(issuers), ..http::Outside::default() };
        api.again(outside)
    }

    /// Another node over the same engine, or this one after a restart.
    pub(super) fn again(&self, outside: http::Outside) -> Self {
        let engine = self.engine.clone();
        let parts = (engine.clone(), Search::start(&engine, Place::memory()));
        let router = http::router_with(parts, http::recorder(), outside);
        Self {
            engine,
            clock: Arc::clone(&self.clock),
            claims: Vec::new(),
            router,
            keys: AtomicU64::new(1_000),
        }
    }

    /// Nobody has replaced their claim yet.
    pub(super) async fn unclaimed(store: Box<dyn Store>, policy: Policy) -> Self {
        let clock = Arc::new(TestClock::new());
        let secret = "secret:webhook-signing/stripe@production".parse().expect("a secret");
        let mut setup = Setup { policy, secrets: vec![secret], ..Setup::default() };
        setup.people.push((EVE, "Eve"));
        setup.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let (engine, claims) = fixture::begun(store, setup).await;
        let router =
            http::router((engine.clone(), Search::start(&engine, Place::memory())), http::recorder());
        Self { engine, clock, claims, router, keys: AtomicU64::new(0) }
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(super) async fn call(&self, call: Call) -> Answer {
        let mut request = Request::builder().method(call.method.clone()).uri(&call.path);
        if let Some(who) = call.who {
            request = request.header("authorization", format!("Bearer {who}"));
        }
        let key = match call.key {
            Key::Fresh => Some(format!("fresh-{}", self.keys.fetch_add(1, Ordering::SeqCst))),
            Key::Given(key) => Some(key),
            Key::None => None,
        };
        if let Some(key) = key.filter(|_| call.method == Method::POST) {
            request = request.header("idempotency-key", key);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(from) = call.from {
            request = request.extension(ConnectInfo(from));
        }
        let request = request.body(Body::from(call.body)).expect("a request");
        let answer = self.router.clone().oneshot(request).await.expect("the router never fails");
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, text, json }
    }

    /// An answer of the wished kind, or the test ends.
    pub(super) async fn ok(&self, call: Call) -> Answer {
        let asked = format!("{} {}", call.method, call.path);
        let answer = self.call(call).await;
        assert!(answer.status.is_success(), "{asked}: {answer:?}");
        answer
    }

    /// The problem's status and code.
    pub(super) async fn refusal(&self, call: Call) -> (u16, String) {
        let answer = self.call(call).await;
        (answer.status.as_u16(), answer.code().to_owned())
    }

    /// Asks for the approval of an action and lets Ben and Chloe agree.
    pub(super) async fn approved(&self, request: &Value) -> String {
        let id = self.ok(Call::post("/admin/approvals", request).by("Ana")).await.id();
        for who in ["Ben", "Chloe"] {
            self.ok(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by(who)).await;
        }
        id
    }

    /// A permit of Ana's for what needs nobody's agreement.
    pub(super) async fn permit(&self) -> String {
        self.ok(Call::post("/admin/permits", &ping()).by("Ana")).await.id()
    }

    /// A permit of Ana's under way that must give signs of life.
    pub(super) async fn lively(&self) -> String {
        let id = self.ok(Call::post("/admin/permits", &watch()).by("Ana")).await.id();
        self.ok(Call::post(format!("/admin/permits/{id}/start"), &json!({})).by("Ana")).await;
        id
    }

    /// A permit of Ana's of whose end nobody knows, on record as such.
    pub(super) async fn unknown(&self) -> String {
        let mut request = payout();
        request["approval"] = json!(self.approved(&request).await);
        let id = self.ok(Call::post("/admin/permits", &request).by("Ana")).await.id();
        self.ok(Call::post(format!("/admin/permits/{id}/start"), &json!({})).by("Ana")).await;
        self.clock.forward(601);
        let silence = Command::Elapse(id.parse().expect("a subject"));
        self.engine.submit(Submission::new(Actor::Node, silence)).await.expect("it is written down");
        id
    }

    /// Returns once a checkpoint vouches for every entry so far.
    pub(super) async fn signed(&self) {
        let size = self.engine.size();
        self.engine.signatures().wait_for(|signed| *signed >= size).await.expect("it runs");
    }

    /// A rotation of Ana's.
    pub(super) async fn rotation(&self) -> String {
        let mut request = rotate();
        request["approval"] = json!(self.approved(&request).await);
        let permit = self.ok(Call::post("/admin/permits", &request).by("Ana")).await.id();
        self.ok(Call::post("/admin/rotations", &json!({ "permit": permit })).by("Ana")).await.id()
    }
}

/// Gives somebody a voting key, with Ben's and Chloe's agreement.
pub(super) async fn enrolled(api: &Api, person: PersonId, key: &SshKey) {
    let action = enrolment(person).expect("an action");
    let (name, line) = ("key", key.public().to_string());
    let public = countersign_evidence::votes::public_key(&line).expect("a key");
    let parameters = json!({ name: line });
    let request = json!({
        "action": { "verb": action.verb.to_string(), "resource": action.resource.to_string(), "environment": "control" },
        "parameters": parameters,
    });
    let approval: ApprovalId = api.approved(&request).await.parse().expect("an id");
    let parameters_sha256 = api.engine.state().approval(approval).expect("it is live").parameters_sha256;
    let enroll = EnrollKey { person, key: public, approval, parameters_sha256 };
    let submission = Submission::new(Actor::Person(fixture::ANA), Command::EnrollKey(enroll));
    api.engine.submit(submission).await.expect("the key is enrolled");
}

/// A request to put the node's next key in force for the log.
pub(super) fn next_key() -> Value {
    let action = json!({ "verb": "rotate", "resource": "log-key/main", "environment": "control" });
    json!({ "action": action, "parameters": { "new_key": fixture::next_signer().vkey() } })
}

/// A request for something that two people must agree to.
pub(super) fn payout() -> Value {
    json!({ "action": action("override", "payout/limit"), "parameters": { "limit_cents": 5000 } })
}

/// A request for something that needs nobody's agreement.
pub(super) fn ping() -> Value {
    json!({ "action": action("ping", "probe/any"), "parameters": {} })
}

/// A request for something that must give signs of life.
pub(super) fn watch() -> Value {
    json!({ "action": action("watch", "probe/any"), "parameters": {} })
}

pub(super) fn rotate() -> Value {
    json!({ "action": action("rotate", "webhook-signing/stripe"), "parameters": { "overlap_seconds": 60 } })
}

fn action(verb: &str, resource: &str) -> Value {
    json!({ "verb": verb, "resource": resource, "environment": "production" })
}

/// A request to delete the details of some entries.
pub(super) fn redact(entries: &[u64]) -> Value {
    let action = json!({ "verb": "redact", "resource": "ledger/details", "environment": "control" });
    json!({ "action": action, "parameters": { "entries": entries } })
}

/// The policy with a new name, and the request to activate it.
pub(super) fn successor(name: &str) -> (Value, Value) {
    let mut next = serde_json::to_value(policy()).expect("JSON");
    next["name"] = json!(name);
    let parsed = serde_json::from_value(next.clone()).expect("a policy");
    let (sha256, _) = countersign_server::config::canonical_policy(&parsed).expect("a canonical form");
    let action = json!({ "verb": "activate", "resource": "policy/main", "environment": "control" });
    (next, json!({ "action": action, "parameters": { "policy_sha256": sha256.to_string() } }))
}
