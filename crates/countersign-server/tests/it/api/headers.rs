//! Headers, odd ones in and fixed ones out.

use axum::http::Method;

use super::harness::{Api, Call, ping};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_credential_in_one_header() {
    let api = Api::start().await;
    let me = |value: &'static [u8]| Call::get("/admin/people/me").header("authorization", value);
    for fine in [&b"Bearer Ana"[..], b"bearer Ana", b"BEARER  Ana"] {
        assert_eq!(api.ok(me(fine)).await.json["name"], "Ana", "schemes have no case (RFC 9110, 11.1)");
    }
    for odd in
        [&b"Basic Ana"[..], b"Ana", b"Bearer", b"Bearer ", b"Bearer Ana ", b"Bearer ana", b"Bearer \xff"]
    {
        assert_eq!(api.refusal(me(odd)).await, (401, "unauthenticated".into()), "{odd:?}");
    }
    let two = me(b"Bearer Ana").header("authorization", b"Bearer Ben");
    assert_eq!(api.refusal(two).await, (401, "unauthenticated".into()), "nobody can be two people");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_is_one_line_of_visible_ascii() {
    let api = Api::start().await;
    let size = api.engine.size();
    let keyed = |key: Vec<u8>| {
        Call::post("/admin/permits", &ping()).by("Ana").keyless().header("idempotency-key", key)
    };
    for odd in [Vec::new(), b"a b".to_vec(), "ä".as_bytes().to_vec(), b"\xff".to_vec(), vec![b'a'; 256]] {
        assert_eq!(
            api.refusal(keyed(odd.clone())).await,
            (400, "idempotency_key_required".into()),
            "{odd:?}"
        );
    }
    let two = keyed(b"a".to_vec()).header("idempotency-key", b"b");
    assert_eq!(api.refusal(two).await, (400, "idempotency_key_required".into()));
    assert_eq!(api.engine.size(), size);
    api.ok(keyed(vec![b'a'; 255])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_json_or_say_nothing_about_it() {
    let api = Api::start().await;
    let typed =
        |kind: &'static str| Call::post("/admin/permits", &ping()).by("Ana").header("content-type", kind);
    for fine in ["application/json", "Application/JSON; charset=utf-8"] {
        api.ok(typed(fine)).await;
    }
    for odd in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        assert_eq!(api.refusal(typed(odd)).await, (415, "unsupported_media_type".into()), "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_an_id_of_its_own() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for path in ["/healthz", "/admin/people/me", "/nowhere", "/metrics", "/openapi.json"] {
        let answer = api.call(Call::get(path).header("x-request-id", "mine")).await;
        let id = answer.header("x-request-id").to_owned();
        assert!(id.starts_with("req_") && !ids.contains(&id), "{path}: {id}");
        ids.push(id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_told_as_a_problem_too() {
    let api = Api::start().await;
    for path in ["/", "/admin", "/admin/", "/admin/nothing", "/admin/approvals/", "/admin/approvals//approve"]
    {
        let (status, code) = api.refusal(Call::get(path).by("Ana")).await;
        let told = [(404, "not_found"), (400, "malformed"), (405, "method_not_allowed")];
        assert!(told.contains(&(status, code.as_str())), "{path}: {code}");
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/admin/approvals", "GET,HEAD,POST"),
        (Method::PUT, "/admin/policy", "GET,HEAD,POST"),
        (Method::GET, "/admin/people/claim", "POST"),
        (Method::POST, "/ledger/checkpoint", "GET,HEAD"),
        (Method::from_bytes(b"BREW").expect("a method"), "/metrics", "GET,HEAD"),
    ] {
        let answer = api.call(Call::new(method, path.into(), Vec::new())).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (405, "method_not_allowed"), "{path}");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}
