//! One call: what is sent, when it is sent again, and which answers are believed.

use axum::body::Body;
use countersign_api::Reason;
use countersign_client::{Client, ClientError, Credential, EntryListing, ErrorKind, Listing, MAX_ANSWER};

use crate::scripted::{Scripted, hasty, json, problem};

const PERSON: &str = r#"{"id":"per_1","name":"Ana","status":"active","groups":[],"enrolled_at":"-"}"#;

fn secret(name: &str) -> String {
    format!(r#"{{"secret":"{name}","environment":"e","current":1,"promoted_at":"-"}}"#)
}

#[tokio::test]
async fn one_key_is_kept_over_all_attempts_of_a_call_and_never_used_for_another() {
    let answers = [problem(503, "unavailable"), problem(503, "unavailable"), problem(403, "self_approval")];
    let server = Scripted::start(answers.into_iter().chain([problem(403, "self_approval")])).await;
    let reason = Reason { reason: Some("because".into()) };
    for _ in 0..2 {
        let error = server.client.approve("apr_1", &reason).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some("self_approval")));
    }
    let asked = server.asked();
    let keys: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), 4, "two failures, then an answer; then a new call");
    assert!(keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3], "{keys:?}");
    assert!(asked.iter().all(|asked| asked.body == r#"{"reason":"because"}"#));
    let bearer = format!("Bearer {}", server.credential.expose());
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some(&bearer)));
}

#[tokio::test]
async fn patience_ends() {
    let server = Scripted::start((0..10).map(|_| problem(503, "unavailable"))).await;
    let error = server.client.me().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("unavailable")));
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_claim_sends_only_the_digest_of_the_credential() {
    let server = Scripted::start([problem(503, "unavailable"), json(200, PERSON)]).await;
    let drawn = Credential::draw().unwrap();
    let person = server.client.claim("csc_1", &drawn).await.unwrap();
    assert_eq!(person.name.as_deref(), Some("Ana"));
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "a 503 changed nothing, so the claim is sent again");
    let server = Scripted::start([problem(503, "outcome_unknown"), json(200, PERSON)]).await;
    server.client.claim("csc_1", &drawn).await.unwrap();
    let repeated = server.asked();
    assert_eq!(repeated.len(), 2, "a claim says the same twice, so it is harmless to send it again");
    let expected = format!(r#"{{"claim":"csc_1","credential_sha256":"{}"}}"#, drawn.sha256());
    assert!(asked.iter().all(|asked| asked.body == expected));
}

/// A server that takes connections and says nothing; `count` tells how many there were.
async fn mute() -> (String, tokio::task::JoinHandle<usize>, tokio::sync::oneshot::Sender<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}", listener.local_addr().unwrap());
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let counting = tokio::spawn(async move {
        let mut count = 0;
        loop {
            tokio::select! {
                taken = listener.accept() => { drop(taken.unwrap()); count += 1; }
                _ = &mut stopped => return count,
            }
        }
    });
    (link, counting, stop)
}

#[tokio::test]
async fn what_was_lost_on_the_way_is_sent_again_and_no_error_shows_the_credential() {
    for claims in [true, false] {
        let (link, counting, stop) = mute().await;
        let credential = Credential::draw().unwrap();
        let client = Client::new(&link, Some(&credential)).unwrap().with_patience(hasty());
        let answer = if claims { client.claim("csc_1", &credential).await } else { client.me().await };
        let error = answer.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains(credential.expose()));
        stop.send(()).unwrap();
        assert_eq!(counting.await.unwrap(), 3, "claims: {claims}");
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&link, None).unwrap().with_patience(hasty());
    let error = client.me().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::Unavailable, format!("cannot reach `{link}/`"))
    );
}

#[tokio::test]
async fn an_answer_over_the_limit_is_cut_off() {
    let server = Scripted::start([(200, Body::from(vec![b' '; MAX_ANSWER + 1]))]).await;
    let error = server.client.me().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    assert!(error.to_string().contains("more than"), "{error}");
}

#[tokio::test]
async fn redirects_and_strange_answers_are_not_followed_or_believed() {
    let answers = [json(302, ""), json(502, "<html>"), json(200, "{}"), json(200, "[")];
    let server = Scripted::start(answers).await;
    for (kind, said) in [
        (ErrorKind::Unexpected, "302 Found without a problem document"),
        (ErrorKind::Unavailable, "502 Bad Gateway without a problem document"),
        (ErrorKind::Unexpected, "does not understand: missing field"),
        (ErrorKind::Unexpected, "does not understand: EOF"),
    ] {
        let error = server.client.me().await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(said), "{error}");
    }
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn every_kind_of_problem_is_told_apart() {
    let told = [
        (400, ErrorKind::Malformed),
        (401, ErrorKind::NotSignedIn),
        (403, ErrorKind::Refused),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Refused),
        (413, ErrorKind::Malformed),
        (422, ErrorKind::Malformed),
        (428, ErrorKind::Refused),
        (500, ErrorKind::Unexpected),
    ];
    let server = Scripted::start(told.map(|(status, _)| problem(status, "code"))).await;
    for (status, kind) in told {
        assert_eq!(server.client.me().await.unwrap_err().kind(), kind, "{status}");
    }
}

#[tokio::test]
async fn pages_follow_the_cursor_to_the_end() {
    let page = |names: &[&str], next: Option<&str>| {
        let items: Vec<String> = names.iter().map(|name| secret(name)).collect();
        let next = next.map(|next| format!(r#","next":"{next}""#)).unwrap_or_default();
        json(200, &format!(r#"{{"items":[{}]{next}}}"#, items.join(",")))
    };
    let answers = [
        page(&["d", "c"], Some("c")),
        problem(503, "unavailable"),
        page(&["b", "a"], Some("a")),
        page(&[], None),
    ];
    let server = Scripted::start(answers).await;
    let listing = Listing { limit: Some(2), ..Listing::default() };
    let all = server.client.all_secrets(&listing).collect(usize::MAX).await.unwrap();
    assert_eq!(all.iter().map(|secret| secret.secret.as_str()).collect::<String>(), "dcba");
    let targets: Vec<String> = server.asked().into_iter().map(|asked| asked.target).collect();
    let at = |cursor: &str| format!("/admin/secrets?limit=2{cursor}");
    assert_eq!(targets, [at(""), at("&after=c"), at("&after=c"), at("&after=a")]);
}

#[tokio::test]
async fn entries_continue_from_an_index_and_stop_when_there_is_enough() {
    let entry = |index: u64| format!(r#"{{"index":{index},"leaf":{{}},"leaf_text":"{{}}","leaf_hash":"-"}}"#);
    let first = format!(r#"{{"items":[{},{}],"next":"9"}}"#, entry(7), entry(8));
    let second = format!(r#"{{"items":[{},{}],"next":"11"}}"#, entry(9), entry(10));
    let server = Scripted::start([json(200, &first), json(200, &second)]).await;
    let listing = EntryListing { from: Some(7), ..EntryListing::default() };
    let all = server.client.all_entries(&listing).collect(3).await.unwrap();
    assert_eq!(all.iter().map(|entry| entry.index).collect::<Vec<_>>(), [7, 8, 9]);
    assert_eq!(server.asked().last().unwrap().target, "/admin/entries?from=9");
}
