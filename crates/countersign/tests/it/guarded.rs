//! The tower layer around a real axum application, with a real node behind it: nothing passes without a permit for exactly that, and
//! no success is on record that nobody saw.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::routing::post;
use axum::{Extension, Router};
use countersign_client::layer::{Deed, GuardLayer, Permitted};
use countersign_client::{Action, Client, Credential, Patience};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::between::{Between, Passage};
use crate::stage::{Served, Stage, json};

/// An application whose one route is guarded; its handler does what the body says.
struct Application {
    router: Router,
    client: Client,
    handled: Arc<AtomicUsize>,
    /// Permits under which the handler began.
    begun: mpsc::UnboundedReceiver<String>,
}

/// One rule for work under approval, some for work without; what is begun must be reported within a second or two.
fn rules() -> [Value; 5] {
    [
        json!({ "name": "refund", "verb": "refund", "resource": "card/*", "environment": "production", "patterns": true,
                "approval": "not-required" }),
        json!({ "name": "except", "verb": "except", "resource": "freeze/*", "environment": "production", "patterns": true,
                "quorum": { "operators": 1 } }),
        json!({ "name": "watch", "verb": "watch", "resource": "card/*", "environment": "production", "patterns": true,
                "approval": "not-required", "work_seconds": 600, "heartbeat_seconds": 1 }),
        json!({ "name": "charge", "verb": "charge", "resource": "card/*", "environment": "production", "patterns": true, "work_seconds": 2 }),
        json!({ "name": "probe", "verb": "probe", "resource": "card/*", "environment": "production", "patterns": true,
                "approval": "not-required", "work_seconds": 1 }),
    ]
}

fn deed(body: &Bytes) -> Result<Deed, StatusCode> {
    let asked: Value = serde_json::from_slice(body).map_err(|_| StatusCode::IM_A_TEAPOT)?;
    let verb = match (asked["free"].as_bool(), asked["back"].as_bool()) {
        (_, Some(_)) => "refund",
        (Some(true), None) => "probe",
        (Some(false), None) => "watch",
        (None, None) => "charge",
    };
    let action = Action { verb: verb.into(), resource: "card/4242".into(), environment: "production".into() };
    Ok(Deed { action, parameters: json!({ "cents": asked["cents"] }), reason: None })
}

impl Application {
    fn new(server: &str, credential: &Credential) -> Self {
        let once = Patience { attempts: 1, ..Patience::default() };
        let client = Client::new(server, Some(credential)).unwrap().with_patience(once);
        let handled = Arc::new(AtomicUsize::new(0));
        let (begin, begun) = mpsc::unbounded_channel();
        let counted = Arc::clone(&handled);
        let handler = async move |Extension(Permitted(permit)): Extension<Permitted>, body: Bytes| {
            counted.fetch_add(1, Ordering::SeqCst);
            begin.send(permit.id).unwrap();
            let asked: Value = serde_json::from_slice(&body).unwrap();
            match asked["then"].as_str() {
                Some("panic") => panic!("as asked"),
                Some("hang") => std::future::pending().await,
                _ => StatusCode::from_u16(u16::try_from(asked["status"].as_u64().unwrap_or(200)).unwrap())
                    .unwrap(),
            }
        };
        let guard = GuardLayer::new(client.clone(), |_, body| deed(body)).with_max_body(1_000);
        let router = Router::new().route("/charge", post(handler)).layer(guard);
        Self { router, client, handled, begun }
    }

    async fn post(&self, body: &Value, approvals: &[&str]) -> (u16, Value) {
        self.send(request(body, approvals)).await
    }

    async fn send(&self, request: Request) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Returns once the permit is in that state, which only the node brings about.
    async fn becomes(&self, permit: &str, status: &str) {
        while self.client.permit(permit).await.unwrap().status != status {
            tokio::task::yield_now().await;
        }
    }
}

fn request(body: &Value, approvals: &[&str]) -> Request {
    let mut request = Request::post("/charge").header(header::CONTENT_TYPE, "application/json");
    for approval in approvals {
        request = request.header("countersign-approval", *approval);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

fn credential(stage: &Stage, name: &str) -> Credential {
    let saved: Value =
        serde_json::from_slice(&std::fs::read(stage.path(&format!("{name}.json"))).unwrap()).unwrap();
    Credential::parse(saved["credential"].as_str().unwrap()).unwrap()
}

fn governed() -> (Stage, Served) {
    let stage = Stage::governed_by(&rules());
    let served = stage.serve();
    stage.claim_all(&served.url);
    (stage, served)
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or("none"))
}

/// Ben asks for what an answer of 428 says is needed; Ana holds the application's credential and may agree, as may Chloe.
fn approve(stage: &Stage, answer: &Value) -> String {
    let parameters = answer["request"]["parameters"].to_string();
    let ask = ["approval", "request", "charge", "card/4242", "production", "--params", &parameters];
    let id = json(&stage.by("Ben", &ask))["id"].as_str().unwrap().to_owned();
    for name in ["Ana", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", &id]));
    }
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_what_was_approved_passes_and_only_once() {
    let (stage, served) = governed();
    let mut application = Application::new(&served.url, &credential(&stage, "Ana"));
    let asked = application.post(&json!({ "cents": 10_000 }), &[]).await;
    assert_eq!(code(&asked), (428, "approval_required"));
    assert_eq!(asked.1["request"]["parameters"], json!({ "cents": 10_000 }));
    let id = approve(&stage, &asked.1);

    let dearer = application.post(&json!({ "cents": 10_001 }), &[&id]).await;
    assert_eq!(code(&dearer), (403, "parameters_mismatch"));
    let unknown =
        application.post(&json!({ "cents": 10_000 }), &["apr_00000000000000000000000000000009"]).await;
    assert_eq!(code(&unknown), (403, "approval_not_found"));
    assert_eq!(code(&application.post(&json!({ "cents": 10_000 }), &["nonsense"]).await), (403, "malformed"));
    let both = application.post(&json!({ "cents": 10_000 }), &[&id, &id]).await;
    assert_eq!(code(&both), (400, "malformed"));
    assert_eq!(application.handled.load(Ordering::SeqCst), 0, "nothing ran so far");

    assert_eq!(application.post(&json!({ "cents": 10_000 }), &[&id]).await.0, 200);
    let permit = application.begun.recv().await.unwrap();
    assert_eq!(application.client.permit(&permit).await.unwrap().status, "succeeded");
    let again = application.post(&json!({ "cents": 10_000 }), &[&id]).await;
    assert_eq!(code(&again), (403, "approval_consumed"));
    assert_eq!(application.handled.load(Ordering::SeqCst), 1);
    served.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_freeze_holds_passes_with_the_exceptions_that_the_caller_names() {
    let stage =
        Stage::frozen_by(&rules(), &["winter", "launch"].map(|name| (name, "refund card/4242 production")));
    let served = stage.serve();
    stage.claim_all(&served.url);
    let application = Application::new(&served.url, &credential(&stage, "Ana"));
    let refund = json!({ "back": true, "cents": 5 });
    let send = async |exceptions: &[&str]| {
        let mut asked = request(&refund, &[]);
        for exception in exceptions {
            asked.headers_mut().append("countersign-exception", exception.parse().unwrap());
        }
        application.send(asked).await
    };
    let held = send(&[]).await;
    assert_eq!(code(&held), (403, "frozen"));
    let purpose = held.1["request"]["parameters"].to_string();
    let except = |freeze: &str| {
        let resource = format!("freeze/{freeze}");
        let ask = ["approval", "request", "except", &resource, "production", "--params", &purpose];
        let id = json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned();
        json(&stage.by("Ben", &["approval", "approve", &id]));
        id
    };
    let (winter, launch) = (except("winter"), except("launch"));
    assert_eq!(code(&send(&[&winter]).await), (403, "frozen"), "one of two is not enough");
    assert_eq!(code(&send(&[&format!("{winter},")]).await), (400, "malformed"));
    assert_eq!(application.handled.load(Ordering::SeqCst), 0, "nothing ran so far");
    assert_eq!(send(&[&format!("{winter}, {launch}")]).await.0, 200);
    assert_eq!(code(&send(&[&winter, &launch]).await), (403, "exception_ended"));
    served.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_success_is_reported_that_nobody_saw() {
    let (stage, served) = governed();
    let mut application = Application::new(&served.url, &credential(&stage, "Ana"));
    let free = |more: Value| {
        let mut body = json!({ "free": true });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(application.post(&free(json!({ "status": 500 })), &[]).await.0, 500);
    let failed = application.begun.recv().await.unwrap();
    assert_eq!(application.client.permit(&failed).await.unwrap().status, "failed");

    let response =
        application.router.clone().oneshot(request(&free(json!({ "status": 504 })), &[])).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["countersign-outcome"]),
        (504, &"unreported".parse().unwrap())
    );
    let doubtful = application.begun.recv().await.unwrap();
    assert_eq!(response.headers()["countersign-permit"].to_str().unwrap(), doubtful);

    let panicking =
        tokio::spawn(application.router.clone().oneshot(request(&free(json!({ "then": "panic" })), &[])));
    assert!(panicking.await.unwrap_err().is_panic());
    let panicked = application.begun.recv().await.unwrap();

    let hanging =
        tokio::spawn(application.router.clone().oneshot(request(&free(json!({ "then": "hang" })), &[])));
    let dropped = application.begun.recv().await.unwrap();
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    for permit in [doubtful, panicked, dropped] {
        application.becomes(&permit, "unknown").await;
    }
    served.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_node_or_a_credential_or_a_deed_nothing_passes() {
    let (stage, served) = governed();
    let ana = credential(&stage, "Ana");
    let application = Application::new(&served.url, &ana);
    let large = json!({ "free": true, "padding": "x".repeat(1_000) });
    assert_eq!(code(&application.post(&large, &[]).await), (413, "body_too_large"));
    let senseless = Request::post("/charge").body(Body::from("{")).unwrap();
    assert_eq!(application.send(senseless).await.0, 418, "the application's own answer");
    assert_eq!(
        code(&application.post(&json!({ "free": true, "cents": 1.5 }), &[]).await),
        (403, "malformed_json")
    );

    let stranger = Application::new(&served.url, &Credential::draw().unwrap());
    assert_eq!(code(&stranger.post(&json!({ "free": true }), &[]).await), (503, "guard_unavailable"));
    served.stop();
    assert_eq!(code(&application.post(&json!({ "free": true }), &[]).await), (503, "guard_unavailable"));
    for application in [application, stranger] {
        assert_eq!(application.handled.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signs_of_life_are_given_while_the_handler_runs_and_no_longer() {
    let (stage, served) = governed();
    let mut application = Application::new(&served.url, &credential(&stage, "Ana"));
    let watched = request(&json!({ "free": false, "then": "hang" }), &[]);
    let hanging = tokio::spawn(application.router.clone().oneshot(watched));
    let id = application.begun.recv().await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    // More than two seconds pass: without them the permit would be unknown.
    while seen.len() < 4 {
        let permit = application.client.permit(&id).await.unwrap();
        assert_eq!(permit.status, "started");
        seen.extend(permit.next_by);
    }
    hanging.abort();
    application.becomes(&id, "unknown").await;
    served.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_before_the_start_has_used_nothing_up() {
    let (stage, served) = governed();
    let ana = credential(&stage, "Ana");
    let keep = |asked: &str| if asked.ends_with("/start") { Passage::Never } else { Passage::Through };
    let mut between = Between::of(&served.url, keep);
    let hindered = Application::new(&between.url, &ana);
    let asked = hindered.post(&json!({ "cents": 1 }), &[]).await;
    let id = approve(&stage, &asked.1);
    let leaving = tokio::spawn(hindered.router.clone().oneshot(request(&json!({ "cents": 1 }), &[&id])));
    while !between.asked.recv().await.unwrap().ends_with("/start") {}
    let application = Application::new(&served.url, &ana);
    assert_eq!(application.client.approval(&id).await.unwrap().status, "consumed");
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    while application.client.approval(&id).await.unwrap().status != "approved" {
        tokio::task::yield_now().await;
    }
    assert_eq!(application.post(&json!({ "cents": 1 }), &[&id]).await.0, 200);
    served.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_report_leaves_a_success_unreported() {
    let (stage, served) = governed();
    let client = Client::new(&served.url, Some(&credential(&stage, "Ana"))).unwrap();
    let node = Arc::new(Mutex::new(Some(served)));
    let handler = async move || node.lock().unwrap().take().unwrap().stop();
    let layer = GuardLayer::new(client, |_, body| deed(body));
    let router = Router::new().route("/charge", post(handler)).layer(layer);
    let response = router.oneshot(request(&json!({ "free": true }), &[])).await.unwrap();
    let outcome = response.headers()["countersign-outcome"].to_str().unwrap();
    assert_eq!((response.status().as_u16(), outcome), (200, "unreported"));
}
