//! The witness' two routes: `POST /add-checkpoint` and `GET /<sha256 of the origin>/checkpoint`. Nobody signs in: the log's signature
//! is what counts.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use countersign_ledger::witness::{Objection, SIZE_MEDIA_TYPE};
use tokio::sync::Semaphore;

use super::{Rejection, Witness};

/// The largest request, bytes: 63 hashes, and a checkpoint with as many signatures as anybody asks for.
pub const MAX_BODY: usize = 64 * 1024;

/// How many requests are judged at once; the next is told to come back later.
const AT_ONCE: usize = 64;

const TEXT: &str = "text/plain; charset=utf-8";

#[derive(Clone)]
struct Desk {
    witness: Arc<Witness>,
    places: Arc<Semaphore>,
}

/// The routes of a witness.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint).layer(DefaultBodyLimit::max(MAX_BODY)))
        .route("/{log}/checkpoint", get(checkpoint))
        .with_state(Desk { witness, places: Arc::new(Semaphore::new(AT_ONCE)) })
}

async fn add_checkpoint(State(desk): State<Desk>, body: Bytes) -> Response {
    let Ok(_place) = desk.places.try_acquire() else {
        return told(StatusCode::SERVICE_UNAVAILABLE, "too many requests are waiting\n");
    };
    let Ok(body) = String::from_utf8(body.to_vec()) else {
        return told(StatusCode::BAD_REQUEST, "the request is not UTF-8\n");
    };
    let judged = tokio::task::spawn_blocking(move || desk.witness.add_checkpoint(&body)).await;
    match judged {
        Ok(Ok(line)) => told(StatusCode::OK, &line),
        Ok(Err(rejection)) => rejected(&rejection),
        Err(_) => told(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be judged\n"),
    }
}

fn rejected(rejection: &Rejection) -> Response {
    if let Some(size) = rejection.size_body() {
        return (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE_MEDIA_TYPE)], size).into_response();
    }
    let status = match rejection {
        Rejection::Request(_) => StatusCode::BAD_REQUEST,
        Rejection::Objection { objection, .. } => of_objection(objection),
        Rejection::Memory(_) | Rejection::Clock(_) | Rejection::Note(_) => {
            tracing::error!(error = %rejection, "the witness cannot cosign");
            return told(
                StatusCode::SERVICE_UNAVAILABLE,
                "the witness cannot cosign now; its own log tells why\n",
            );
        }
    };
    told(status, &format!("{rejection}\n"))
}

fn of_objection(objection: &Objection) -> StatusCode {
    StatusCode::from_u16(objection.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

async fn checkpoint(State(desk): State<Desk>, Path(log): Path<String>) -> Response {
    let found = tokio::task::spawn_blocking(move || desk.witness.latest(&format!("{log}/checkpoint"))).await;
    match found {
        Ok(Ok(Some(note))) => {
            ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], note).into_response()
        }
        Ok(Ok(None)) => told(StatusCode::NOT_FOUND, "nothing was cosigned of a log of this name\n"),
        Ok(Err(_)) | Err(_) => {
            told(StatusCode::SERVICE_UNAVAILABLE, "the witness cannot read its memory now\n")
        }
    }
}

fn told(status: StatusCode, words: &str) -> Response {
    (status, [(header::CONTENT_TYPE, TEXT)], words.to_owned()).into_response()
}
