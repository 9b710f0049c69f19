//! Lists: every item once, newest first, and no question that is silently taken for another.

use serde_json::Value;

use super::harness::{Api, Call};

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_show_everything_once_newest_first() {
    let api = Api::start().await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(api.permit().await);
    }
    made.reverse();
    for limit in [1, 2, 3, 7, 8] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = api.ok(Call::get(format!("/admin/permits?limit={limit}{after}")).by("Aud")).await.json;
            assert!(ids(&page).len() <= limit);
            seen.extend(ids(&page));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
            assert!(seen.len() < made.len(), "the last page says that it is the last");
        }
        assert_eq!(seen, made, "{limit} a page");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_come_in_order_and_end() {
    let api = Api::start().await;
    let size = api.engine.size();
    let (mut seen, mut from) = (Vec::new(), "0".to_owned());
    loop {
        let page = api.ok(Call::get(format!("/admin/entries?limit=4&from={from}")).by("Aud")).await.json;
        seen.extend(page["items"].as_array().expect("items").iter().map(|entry| entry["index"].as_u64()));
        let Some(next) = page["next"].as_str() else { break };
        from = next.to_owned();
        assert!((seen.len() as u64) < size, "the last page says that it is the last");
    }
    assert_eq!(seen, (0..size).map(Some).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_nobody_can_answer_is_no_empty_list() {
    let api = Api::start().await;
    for (query, told) in [
        ("limit=0", "`limit` is 1 to 200"),
        ("limit=201", "`limit` is 1 to 200"),
        ("limit=-1", "invalid digit"),
        ("limit=many", "invalid digit"),
        ("limit=1&limit=2", "duplicate field `limit`"),
        ("limt=1", "unknown key `limt`; did you mean `limit`?"),
        ("status=aproved", "`status` is one of pending, approved"),
        ("after=apr_1", "`after` is `next` of the page before"),
        ("after=prm_00000000000000000000000000000001", "`after` is `next` of the page before"),
    ] {
        let answer = api.call(Call::get(format!("/admin/approvals?{query}")).by("Aud")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "malformed"), "{query}");
        let detail = answer.json["detail"].as_str().expect("text");
        assert!(detail.contains(told), "{query}: {detail}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_takes_every_state_its_items_can_be_in() {
    let api = Api::start().await;
    api.rotation().await;
    for (list, state) in [
        ("approvals", "consumed"),
        ("permits", "started"),
        ("rotations", "started"),
        ("secrets", "rotating"),
        ("people", "active"),
    ] {
        let page = api.ok(Call::get(format!("/admin/{list}?status={state}")).by("Aud")).await.json;
        assert!(!page["items"].as_array().expect("items").is_empty(), "{list}");
    }
}
