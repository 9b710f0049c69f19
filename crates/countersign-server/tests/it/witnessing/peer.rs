//! A witness on a free port that does as it is told: honest behind the real rules, or hanging, lying, talking nonsense.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use countersign_ledger::note::{Cosigner, VerifierKey, signature_line, unverified_text};
use countersign_ledger::witness::AddCheckpoint;
use countersign_server::clock::SystemClock;
use countersign_server::config::WitnessEndpoint;
use countersign_server::witness::{Folder, Watched, Witness, router};
use tokio::task::AbortHandle;
use tower::ServiceExt as _;

use crate::engine::fixture::{ORIGIN, signer};

/// How the witness behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// As it should.
    Well,
    /// Takes the question and never answers.
    Hangs,
    /// Answers this status with words.
    Status(u16),
    /// Cosigns with a key that is not its own.
    OtherKey,
    /// Cosigns another text.
    OtherText,
    /// Answers with its own good cosignature and a whole other note behind it.
    MoreThanAsked,
    /// Answers 200 with nonsense.
    Garbage,
    /// Answers megabytes.
    Flood,
    /// Says that it has cosigned this many entries, whatever it is asked.
    Size(u64),
    /// Sends elsewhere.
    Redirects,
}

pub(super) struct Peer {
    pub(super) address: SocketAddr,
    name: &'static str,
    state: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<u32>>,
    server: AbortHandle,
    folder: Arc<tempfile::TempDir>,
}

#[derive(Clone)]
struct Desk {
    name: &'static str,
    honest: Router,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<u32>>,
}

fn cosigner(name: &str) -> Cosigner {
    let seed = name.bytes().fold(7_u8, u8::wrapping_add);
    Cosigner::from_seed(&format!("witness.test/{name}"), [seed; 32]).expect("a cosigner")
}

impl Peer {
    pub(super) async fn start(name: &'static str) -> Self {
        Self::on(
            name,
            "127.0.0.1:0".parse().expect("an address"),
            Arc::new(tempfile::tempdir().expect("a folder")),
        )
        .await
    }

    async fn on(name: &'static str, address: SocketAddr, folder: Arc<tempfile::TempDir>) -> Self {
        let (state, asked) = (Arc::new(Mutex::new(Mood::Well)), Arc::new(Mutex::new(0)));
        let watched = Watched { origin: ORIGIN.into(), keys: vec![signer().verifier()] };
        let memory = Box::new(Folder::take(folder.path()).expect("a memory"));
        let witness = Witness::new(cosigner(name), vec![watched], (memory, Arc::new(SystemClock::new())));
        let honest = router(Arc::new(witness));
        let desk = Desk { name, honest, mood: Arc::clone(&state), asked: Arc::clone(&asked) };
        let routes = Router::new().route("/w/add-checkpoint", post(answer)).with_state(desk);
        let listener = tokio::net::TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move { axum::serve(listener, routes).await }).abort_handle();
        Self { address, name, state, asked, server, folder }
    }

    pub(super) fn mood(&self, mood: Mood) {
        *self.state.lock().expect("not poisoned") = mood;
    }

    pub(super) fn asked(&self) -> u32 {
        *self.asked.lock().expect("not poisoned")
    }

    pub(super) fn key(&self) -> VerifierKey {
        cosigner(self.name).verifier()
    }

    pub(super) fn endpoint(&self) -> WitnessEndpoint {
        let url = format!("http://{}/w/", self.address).parse().expect("a link");
        WitnessEndpoint { name: self.name.parse().expect("a name"), key: self.key(), url }
    }

    /// What the witness remembers, so that it can be taken away.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(desk): State<Desk>, body: Bytes) -> Response {
    *desk.asked.lock().expect("not poisoned") += 1;
    let mood = *desk.mood.lock().expect("not poisoned");
    let text = String::from_utf8(body.to_vec()).expect("text");
    let request: AddCheckpoint = text.parse().expect("a well-formed request, whatever is answered");
    let note = unverified_text(&request.checkpoint).expect("a note").to_owned();
    let line = |name: &str, text: &str| {
        signature_line(text, &cosigner(name).at(1).expect("a time")).expect("a line")
    };
    match mood {
        Mood::Well => honest(&desk, body).await,
        Mood::Hangs => std::future::pending().await,
        Mood::Status(status) => (StatusCode::from_u16(status).expect("a status"), "no\n").into_response(),
        Mood::OtherKey => line("stranger", &note).into_response(),
        Mood::OtherText => line(desk.name, &note.replacen('\n', "x\n", 1)).into_response(),
        Mood::MoreThanAsked => {
            format!("{}\nmore\n\n{}", line(desk.name, &note), line(desk.name, "more\n")).into_response()
        }
        Mood::Garbage => "\u{2014} what\nis this\n".into_response(),
        Mood::Flood => "x".repeat(4 << 20).into_response(),
        Mood::Size(size) => (StatusCode::CONFLICT, format!("{size}\n")).into_response(),
        Mood::Redirects => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "/w/add-checkpoint")], "").into_response()
        }
    }
}

async fn honest(desk: &Desk, body: Bytes) -> Response {
    let request = Request::post("/add-checkpoint").body(Body::from(body)).expect("a request");
    desk.honest.clone().oneshot(request).await.expect("an answer")
}
