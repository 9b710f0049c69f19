//! Finding entries: everything that was written before the question is in the answer, or there is no answer.

use std::time::Duration;

use countersign_server::http;
use countersign_server::search::{Place, Search};
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::harness::{Api, Call, payout, ping, policy, redact};

fn indexes(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|entry| entry["index"].as_u64().expect("an index")).collect()
}

fn kinds(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|entry| entry["leaf"]["kind"].as_str().expect("a kind")).collect()
}

async fn found(api: &Api, query: &str) -> Value {
    api.ok(Call::get(format!("/admin/entries?{query}")).by("Aud")).await.json
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_just_written_is_found_by_every_filter() {
    let api = Api::start().await;
    let mut request = payout();
    request["reason"] = json!("Quarter end; see ticket FIN-77");
    let approval = api.ok(Call::post("/admin/approvals", &request).by("Ana")).await.id();
    let vote = json!({ "reason": "Zoë says it is fine" });
    api.ok(Call::post(format!("/admin/approvals/{approval}/approve"), &vote).by("Ben")).await;
    let all = found(&api, &format!("subject={approval}")).await;
    assert_eq!(kinds(&all), ["approval.requested", "approval.granted"]);
    let [requested, granted] = *indexes(&all) else { panic!("two entries") };
    let leaf = &all["items"][1]["leaf"];
    let of = |name: &str| leaf[name].as_str().expect("text").to_owned();
    for (query, expected) in [
        ("text=quarter+FIN-77".to_owned(), vec![requested]),
        ("text=zoe+fin*".to_owned(), vec![granted]),
        ("text=quarter+zoe".to_owned(), vec![]),
        (format!("correlation={}", of("correlation")), vec![requested, granted]),
        (format!("correlation={}&order=newest", of("correlation")), vec![granted, requested]),
        (format!("actor={}&kind=approval.*", of("actor")), vec![granted]),
        ("resource=payout/limit&verb=override&environment=production".to_owned(), vec![requested, granted]),
        ("resource=payout/limit&kind=approval.granted".to_owned(), vec![granted]),
        (format!("kind=approval.*&from_time={}", of("time")), vec![granted]),
        (format!("kind=approval.*&until_time={}", of("time")), vec![requested]),
        (format!("from_time={}", of("time")), vec![granted]),
    ] {
        assert_eq!(indexes(&found(&api, &query).await), expected, "{query}");
    }
    for _ in 0..20 {
        let permit = api.permit().await;
        let page = found(&api, &format!("subject={permit}&kind=permit.reserved")).await;
        assert_eq!(kinds(&page), ["permit.reserved"], "no answer leaves out what came before the question");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_filtered_entries_join_to_the_whole_in_both_directions() {
    let api = Api::start().await;
    for _ in 0..9 {
        api.permit().await;
    }
    for filter in ["resource=probe/any", "order=newest", "resource=probe/any&order=newest", "kind=person.*"] {
        let whole = indexes(&found(&api, &format!("{filter}&limit=200")).await);
        let (mut seen, mut from) = (Vec::new(), String::new());
        loop {
            let page = found(&api, &format!("{filter}&limit=2{from}")).await;
            seen.extend(indexes(&page));
            let Some(next) = page["next"].as_str() else { break };
            from = format!("&from={next}");
            assert!(seen.len() < whole.len(), "the last page says that it is the last");
        }
        assert!(seen == whole && whole.len() > 4, "{filter}: {seen:?} {whole:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_no_entry_can_pass_is_refused_by_name() {
    let api = Api::start().await;
    for (query, told) in [
        ("actor=ana", "`actor`: `ana` is not an actor"),
        ("correlation=apr_1", "`correlation`: `apr_1` is not an id"),
        ("environment=*", "`environment`: `*` is not a name"),
        ("kind=approval.grant", "did you mean `approval.granted`?"),
        ("kind=*", "`kind` is a kind of event or a family"),
        ("resource=stripe", "`resource`: `stripe` is not a resource"),
        ("from_time=today", "`from_time` is a time like"),
        ("text=---", "`text` has no word in it"),
        ("order=oldest-first", "`order` is oldest or newest"),
        ("actr=node", "unknown key `actr`; did you mean `actor`?"),
        ("from_time=2026-11-23T10:00:00Z&until_time=2026-11-23T10:00:00Z", "is not before `until_time`"),
    ] {
        let answer = api.call(Call::get(format!("/admin/entries?{query}")).by("Aud")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "malformed"), "{query}");
        let detail = answer.json["detail"].as_str().expect("text");
        assert!(detail.contains(told), "{query}: {detail}");
    }
    for syntax in ["\"", "a\" OR \"b", "words:x", "NEAR(a b)", "^a", "a AND (b", "{terms}:k*", "a\0b", "%"] {
        let text: String = syntax.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = api.call(Call::get(format!("/admin/entries?text={text}")).by("Aud")).await;
        assert!(matches!(answer.status.as_u16(), 200 | 400), "{syntax}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_cannot_follow_answers_503_and_entries_are_listed_all_the_same() {
    let api = Api::over(Box::new(MemoryStore::new()), policy()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = Place::File(folder.path().join("missing/search.db"));
    let search = Search::start(&api.engine, nowhere);
    let router = http::router((api.engine.clone(), search), http::recorder());
    let get = |path: &str| {
        let request = axum::http::Request::get(path).header("authorization", "Bearer Aud");
        router.clone().oneshot(request.body(axum::body::Body::empty()).expect("a request"))
    };
    let answer = get("/admin/entries?text=word").await.expect("an answer");
    assert_eq!(answer.status(), 503);
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    let problem: Value = serde_json::from_slice(&body).expect("JSON");
    let told = problem["detail"].as_str().expect("text");
    assert_eq!(problem["code"], "search_behind");
    assert!(told.contains("the search index covers 0 of ") && told.contains("search.db"), "{told}");
    assert_eq!(get("/admin/entries?order=newest").await.expect("an answer").status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_damaged_under_the_node_is_made_again() {
    let api = Api::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("search.db");
    let router = |search: &Search| http::router((api.engine.clone(), search.clone()), http::recorder());
    let request = || {
        axum::http::Request::get("/admin/entries?kind=permit.reserved").header("authorization", "Bearer Aud")
    };
    let ask = async |search: &Search| {
        let request = request().body(axum::body::Body::empty()).expect("a request");
        let answer = router(search).oneshot(request).await.expect("an answer");
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice::<Value>(&body).expect("JSON"))
    };
    for _ in 0..300 {
        api.ok(Call::post("/admin/permits", &ping()).by("Ana")).await;
    }
    let search = Search::start(&api.engine, Place::File(file.clone()));
    assert_eq!(ask(&search).await.0, 200);
    search.stop().await;
    drop(search);
    // Everything behind the first page is gone, which shows only when it is looked at.
    let mut bytes = std::fs::read(&file).expect("the index");
    bytes.iter_mut().skip(3 * 4096).for_each(|byte| *byte = 0xA5);
    std::fs::write(&file, bytes).expect("written");
    let search = Search::start(&api.engine, Place::File(file));
    let answered = async {
        loop {
            let (status, page) = ask(&search).await;
            if status == 200 {
                return page;
            }
            assert_eq!(status, 503, "damage is no answer: {page}");
        }
    };
    let page = tokio::time::timeout(Duration::from_secs(20), answered).await.expect("it is made again");
    assert_eq!(page["items"].as_array().expect("items").len(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_redacted_is_not_found_any_more_and_not_on_the_indexs_disk() {
    let api = Api::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let search = Search::start(&api.engine, Place::File(folder.path().join("search.db")));
    let router = http::router((api.engine.clone(), search.clone()), http::recorder());
    let ask = async || {
        let request = axum::http::Request::get("/admin/entries?text=xyzzyplugh");
        let request = request.header("authorization", "Bearer Aud").body(axum::body::Body::empty());
        let answer = router.clone().oneshot(request.expect("a request")).await.expect("an answer");
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        indexes(&serde_json::from_slice(&body).expect("JSON"))
    };
    let is_on_disk = || {
        let files =
            std::fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("a file").path());
        files
            .map(|path| std::fs::read(path).expect("bytes"))
            .any(|bytes| bytes.windows(10).any(|word| word == b"xyzzyplugh"))
    };
    let mut request = payout();
    request["reason"] = json!("a customer called xyzzyplugh");
    let approval = api.ok(Call::post("/admin/approvals", &request).by("Ana")).await.id();
    let [index] = *ask().await else { panic!("one entry") };
    assert!(is_on_disk(), "the test must be able to fail");
    api.ok(Call::post(format!("/admin/approvals/{approval}/withdraw"), &json!({})).by("Ana")).await;
    let consent = api.approved(&redact(&[index])).await;
    let redaction = json!({ "entries": [index], "approval": consent });
    api.ok(Call::post("/admin/redactions", &redaction).by("Ana")).await;
    assert!(ask().await.is_empty());
    search.stop().await;
    assert!(!is_on_disk());
}
