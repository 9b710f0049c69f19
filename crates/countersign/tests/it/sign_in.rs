//! Signing in from the terminal: it shows a code, somebody who is signed in elsewhere types it, and the session that follows ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use countersign_api::terminal::TerminalAnswer;
use countersign_client::{Client, Credential};
use serde_json::Value;

use crate::stage::{Stage, command, json, run, said};

/// A terminal that waits, and the code that it shows.
fn login(server: &str, file: &str) -> (Child, String) {
    let words = ["--json", "--server", server, "login", "--terminal", "ana's laptop", "--save", file];
    let mut child =
        command(&words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let is_code = |line: &String| line.len() == 9 && line.as_bytes()[4] == b'-';
    let code = lines.map(|line| line.trim().to_owned()).find(is_code).expect("a code");
    (child, code)
}

/// A session of Ana's elsewhere, opened with her credential.
fn browser(stage: &Stage, server: &str) -> Client {
    let file = std::fs::read_to_string(stage.path("Ana.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let credential = Credential::parse(file["credential"].as_str().unwrap()).unwrap();
    let session = Credential::draw_session().unwrap();
    let person = Client::new(server, Some(&credential)).unwrap();
    block_on(person.open_session(&session)).unwrap();
    Client::new(server, Some(&session)).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_terminal_signs_in_and_out() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let browser = browser(&stage, &served.url);
    let file = stage.text("session.json");
    let (child, code) = login(&served.url, &file);
    let waits = block_on(browser.terminal(&code)).unwrap();
    assert_eq!((waits.terminal.as_str(), waits.address.as_deref()), ("ana's laptop", Some("127.0.0.1")));
    block_on(browser.answer_terminal(&code, TerminalAnswer::Admit)).unwrap();
    let signed_in = json(&child.wait_with_output().unwrap());
    assert_eq!(signed_in["name"], "Ana");

    let with = |words: &[&str]| run(&[&["--json", "--credential", &file], words].concat());
    assert_eq!(json(&with(&["whoami"]))["name"], "Ana");
    let listed = json(&with(&["session", "list"]));
    let own = listed["items"].as_array().unwrap().iter().find(|it| it["current"] == true).unwrap();
    assert_eq!(own["method"], "handed-on");

    // Signing in again where one is signed in replaces the session, and ends the one before.
    let (child, code) = login(&served.url, &file);
    block_on(browser.answer_terminal(&code, TerminalAnswer::Admit)).unwrap();
    json(&child.wait_with_output().unwrap());
    let listed = json(&with(&["session", "list"]));
    let handed_on = listed["items"].as_array().unwrap().iter().filter(|it| it["method"] == "handed-on");
    assert_eq!(handed_on.count(), 1);

    assert!(with(&["logout"]).status.success());
    assert!(!stage.path("session.json").exists());
    assert_eq!(said(&with(&["whoami"])).0, 4);
    assert_eq!(block_on(browser.sessions()).unwrap().items.len(), 1, "only the browser's is left");
    served.stop();
}

#[test]
fn a_terminal_that_is_turned_away_keeps_nothing() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let browser = browser(&stage, &served.url);
    let file = stage.text("session.json");
    let (child, code) = login(&served.url, &file);
    block_on(browser.answer_terminal(&code, TerminalAnswer::TurnAway)).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(3));
    assert!(!stage.path("session.json").exists());
    served.stop();
}

#[test]
fn a_session_never_takes_the_place_of_a_credential() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let ana = stage.text("Ana.json");
    let (code, told) = said(&run(&["--credential", &ana, "--server", &served.url, "login"]));
    assert!(code == 8 && told.contains("--save"), "{code} {told}");
    let (code, told) = said(&run(&["--credential", &ana, "logout"]));
    assert!(code == 8 && told.contains("holds no session"), "{code} {told}");
    assert_eq!(json(&stage.by("Ana", &["whoami"]))["name"], "Ana");
    served.stop();
}
