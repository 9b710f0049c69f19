//! Bad bodies: each is told what is wrong and where, nothing is appended, and the connection goes on.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Api, Call, payout, ping};

/// A reservation with these bytes as its parameters.
fn with_parameters(parameters: &str) -> Vec<u8> {
    let action = &ping()["action"];
    format!(r#"{{"action":{action},"parameters":{parameters}}}"#).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_json_is_rejected_with_what_and_where() {
    let api = Api::start().await;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let mut odd_utf8 = with_parameters(r#"{"a":"?"}"#);
    let at = odd_utf8.iter().position(|byte| *byte == b'?').expect("there");
    odd_utf8[at] = 0xff;
    let trailing = [with_parameters("{}"), b" {}".to_vec()].concat();
    let cut = with_parameters("{}")[..20].to_vec();
    let size = api.engine.size();
    for (body, told) in [
        (with_parameters(r#"{"a":1,"a":2}"#), "duplicate key `a`"),
        (with_parameters(r#"{"a":1,"\u0061":2}"#), "duplicate key `a`"),
        (with_parameters(r#"{"a":1.5}"#), "fraction"),
        (with_parameters(r#"{"a":1e3}"#), "exponent"),
        (with_parameters(r#"{"a":9007199254740992}"#), "2^53-1"),
        (with_parameters(r#"{"a":-9007199254740992}"#), "2^53-1"),
        (with_parameters(r#"{"a":-0}"#), "negative zero"),
        (with_parameters(r#"{"a":"\ud800"}"#), "lone surrogate"),
        (with_parameters(r#"{"a":"\udc00\ud800"}"#), "lone surrogate"),
        (with_parameters(&deep), "nesting deeper than 32 levels"),
        (odd_utf8, "invalid utf-8"),
        (trailing, "text after the value"),
        (cut, "unexpected end"),
        (b"\xef\xbb\xbf{}".to_vec(), "byte order mark"),
        (b"   ".to_vec(), "unexpected end"),
    ] {
        let answer = api.call(Call::raw("/admin/permits", body.clone()).by("Ana")).await;
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "malformed_json"), "{shown}");
        let detail = answer.json["detail"].as_str().expect("text");
        assert!(detail.contains(told) && detail.contains("at byte "), "{shown}: {detail}");
    }
    assert_eq!(api.engine.size(), size);
    api.ok(Call::raw("/admin/permits", with_parameters(r#"{"a":9007199254740991}"#)).by("Ana")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_the_route_is_rejected_in_its_own_words() {
    let api = Api::start().await;
    let size = api.engine.size();
    let odd = |change: fn(&mut Value)| {
        let mut body = payout();
        change(&mut body);
        body
    };
    for (body, told) in [
        (json!({}), "missing field `action`"),
        (json!([]), "the body must be a JSON object"),
        (json!("text"), "the body must be a JSON object"),
        (odd(|body| body["paramters"] = json!({})), "unknown key `paramters`; did you mean `parameters`?"),
        (odd(|body| body["action"]["verv"] = json!("x")), "unknown key `verv`; did you mean `verb`?"),
        (
            odd(|body| body["action"] = json!("rotate")),
            "action: invalid type: string \"rotate\", expected an object",
        ),
        (
            odd(|body| body["action"]["verb"] = json!(7)),
            "action.verb: invalid type: integer `7`, expected a string",
        ),
        (odd(|body| body["action"]["verb"] = json!("Rotate")), "`Rotate` is not a name"),
        (odd(|body| body["action"]["resource"] = json!("a/../b")), "`a/../b` is not a resource"),
        (odd(|body| body["parameters"] = json!([1])), "`parameters` must be an object"),
        (odd(|body| body["parameters"] = Value::Null), "`parameters` must be an object"),
        (odd(|body| body["reason"] = json!(1)), "reason: invalid type: integer `1`, expected a string"),
    ] {
        let answer = api.call(Call::post("/admin/approvals", &body).by("Ana")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "malformed"), "{body}");
        let detail = answer.json["detail"].as_str().expect("text");
        assert!(detail.contains(told), "{body}: {detail}");
        assert!(!detail.contains("struct"), "{body}: {detail}");
    }
    let permit = Call::post(
        "/admin/permits",
        &json!({ "action": ping()["action"], "parameters": {}, "approval": "x" }),
    );
    assert_eq!(api.refusal(permit.by("Ana")).await, (400, "malformed".into()));
    let vote = Call::post("/admin/approvals/prm_1/approve", &json!({})).by("Ben");
    assert_eq!(api.refusal(vote).await, (400, "malformed".into()));
    let asked = Call::post("/admin/permits?dry_run=true", &ping()).by("Ana");
    assert_eq!(
        api.refusal(asked).await,
        (400, "malformed".into()),
        "a query on a POST does not silently do nothing"
    );
    assert_eq!(api.engine.size(), size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_parameters_are_kept_and_larger_ones_refused() {
    let api = Api::start().await;
    let frame = with_parameters(r#"{"a":""}"#).len();
    let of = |bytes: usize| with_parameters(&format!(r#"{{"a":"{}"}}"#, "a".repeat(bytes - frame)));
    let size = api.engine.size();
    let limit = countersign_server::http::MAX_BODY;
    for bytes in [limit + 1, 10 * 1024 * 1024, 20 * 1024 * 1024] {
        let answer = api.call(Call::raw("/admin/permits", of(bytes)).by("Ana")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (413, "body_too_large"), "{bytes}");
    }
    assert_eq!(api.engine.size(), size);
    let id = api.ok(Call::raw("/admin/permits", of(limit)).by("Ana")).await.id();
    let entries = api.ok(Call::get(format!("/admin/entries?subject={id}")).by("Aud")).await.json;
    let kept = entries["items"][0]["details"]["parameters"]["a"].as_str().map(str::len);
    assert_eq!(kept, Some(limit - frame), "details are not in the leaf, so they may be longer than one");
}

/// Reads one answer with a `content-length` and gives back its head and body.
async fn answer(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4_096];
        let read = stream.read(&mut chunk).await.expect("the connection stays open");
        assert_ne!(read, 0, "the connection stays open");
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        if body.len() >= length.parse::<usize>().expect("a number") {
            return (head.to_owned(), body.to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_survives_ten_mebibytes() {
    let api = Api::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = api.router();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let length = 10 * 1024 * 1024;
    let head = format!(
        "POST /admin/permits HTTP/1.1\r\nhost: test\r\nauthorization: Bearer Ana\r\nidempotency-key: big\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.write_all(&vec![b'a'; length]).await.expect("all of it is taken");
    let (head, body) = answer(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 413") && body.contains("body_too_large"), "{head}\n{body}");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n").await.expect("written");
    let (head, body) = answer(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200") && body == "ok\n", "{head}\n{body}");
    server.abort();
}
