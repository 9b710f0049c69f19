//! A server that records what it is asked and gives the answers it was told to give.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use countersign_client::{Client, Credential, Patience};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<(u16, Body)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    told: Arc<Mutex<Option<(&'static str, &'static str)>>>,
}

/// The server; it ends with the test's runtime.
pub(crate) struct Scripted {
    script: Script,
    pub(crate) credential: Credential,
    pub(crate) client: Client,
}

impl Scripted {
    /// A server on a free port and a client of it that does not wait between attempts.
    pub(crate) async fn start(answers: impl IntoIterator<Item = (u16, Body)>) -> Self {
        let script = Script::default();
        script.answers.lock().unwrap().extend(answers);
        let router = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let credential = Credential::draw().unwrap();
        let client = Client::new(&server, Some(&credential)).unwrap().with_patience(hasty());
        Self { script, credential, client }
    }

    /// With this header in every answer.
    pub(crate) fn telling(self, name: &'static str, value: &'static str) -> Self {
        *self.script.told.lock().unwrap() = Some((name, value));
        self
    }

    /// What was asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }
}

/// Three attempts at once.
pub(crate) fn hasty() -> Patience {
    Patience { attempts: 3, first: Duration::ZERO, longest: Duration::ZERO }
}

pub(crate) fn json(status: u16, body: &str) -> (u16, Body) {
    (status, Body::from(body.to_owned()))
}

/// A problem document with this status and code.
pub(crate) fn problem(status: u16, code: &str) -> (u16, Body) {
    let text = format!(
        r#"{{"type":"about:blank#{code}","title":"-","status":{status},"detail":"it says {code}","code":"{code}","hint":"-"}}"#
    );
    (status, Body::from(text))
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let (method, target) = (parts.method.to_string(), parts.uri.to_string());
    let asked = Asked { method, target, headers: parts.headers, body };
    script.asked.lock().unwrap().push(asked);
    let (status, body) = script.answers.lock().unwrap().pop_front().unwrap_or(problem(500, "script_ended"));
    let mut answer = Response::builder().status(status).header("location", "/elsewhere");
    if let Some((name, value)) = *script.told.lock().unwrap() {
        answer = answer.header(name, value);
    }
    answer.body(body).unwrap()
}
