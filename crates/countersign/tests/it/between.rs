//! Something between a program and the node: passes everything on but what a test keeps back, and says what was asked for.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Through,
    /// It does not reach the node, and is never answered.
    Never,
    /// It does not reach the node: nothing is known here of such a thing.
    Refused,
    /// The node is asked for this path in its place, and its answer passed off as the one to the request.
    Instead(String),
}

/// A proxy on a free port with threads of its own; it ends with this value.
pub(crate) struct Between {
    pub(crate) url: String,
    /// Method and path of each request, as it comes.
    pub(crate) asked: mpsc::UnboundedReceiver<String>,
    runtime: Option<Runtime>,
}

impl Between {
    /// In front of the node at this link; `passage` is told method and path.
    pub(crate) fn of(node: &str, passage: impl Fn(&str) -> Passage + Clone + Send + Sync + 'static) -> Self {
        // Another test may have chosen it already; then that one is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (hear, asked) = mpsc::unbounded_channel();
        let node = node.to_owned();
        let router = Router::new().fallback(async move |request: Request| {
            let what = format!("{} {}", request.method(), request.uri().path());
            // Who no longer listens has heard enough.
            drop(hear.send(what.clone()));
            match passage(&what) {
                Passage::Through => pass_on(&http, &node, request).await,
                Passage::Instead(path) => {
                    let mut request = request;
                    *request.uri_mut() = path.parse().unwrap();
                    pass_on(&http, &node, request).await
                }
                Passage::Never => std::future::pending().await,
                Passage::Refused => StatusCode::NOT_FOUND.into_response(),
            }
        });
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await
        });
        Self { url, asked, runtime: Some(runtime) }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The answer's body is passed on as it comes.
async fn pass_on(http: &reqwest::Client, node: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let target = parts.uri.path_and_query().unwrap();
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let asked = http.request(parts.method, format!("{node}{target}")).headers(headers).body(body);
    match asked.send().await {
        Ok(answer) => axum::http::Response::<reqwest::Body>::from(answer).map(Body::new),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
