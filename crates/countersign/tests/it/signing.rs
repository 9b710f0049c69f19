//! Signing what one agrees to: nothing is signed that is not what is shown, nobody signs by accident, and the key may live in an agent.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::json as object;

use crate::between::{Between, Passage};
use crate::stage::{Served, Stage, json, said};

/// A node with a rule for voting keys, and a key of Ben's in a file of its own.
fn governed() -> (Stage, Served, PathBuf) {
    let rule = object!({
        "name": "keys", "verb": "enroll", "resource": "voting-key/*", "environment": "control", "patterns": true,
    });
    let stage = Stage::governed_by(&[rule]);
    let served = stage.serve();
    stage.claim_all(&served.url);
    let key = stage.path("ben-key");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "ben", "-f"]).arg(&key);
    assert!(keygen.status().unwrap().success());
    enroll(&stage);
    (stage, served, key)
}

/// Ben's key is enrolled with the others' agreement.
fn enroll(stage: &Stage) {
    let public = stage.text("ben-key.pub");
    let line = std::fs::read_to_string(&public).unwrap();
    let words: Vec<&str> = line.split(' ').take(2).collect();
    let ben = json(&stage.by("Ben", &["whoami"]))["id"].as_str().unwrap().to_owned();
    let (resource, key) = (format!("voting-key/{ben}"), format!("key={}", words.join(" ")));
    let ask = ["approval", "request", "enroll", &resource, "control", "--param", &key];
    let id = json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned();
    for name in ["Ben", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", &id]));
    }
    json(&stage.by("Ana", &["person", "key", "enroll", &ben, "--key", &public, "--approval", &id]));
}

fn asked(stage: &Stage, cents: &str) -> String {
    let cents = format!("cents={cents}");
    let ask = ["approval", "request", "override", "payout/limit", "production", "--param", &cents];
    json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned()
}

/// How many votes the request has, and of them signed.
fn votes(stage: &Stage, id: &str) -> (usize, usize) {
    let shown = json(&stage.by("Ana", &["approval", "show", id]));
    let votes = shown["votes"].as_array().unwrap();
    (votes.len(), votes.iter().filter(|vote| !vote["signature"].is_null()).count())
}

/// A server that shows one request and hands out the statement of another gets no signature: Bybit's signers saw one and signed another.
#[test]
fn shown_is_not_signed() {
    let (stage, served, key) = governed();
    let (small, large) = (asked(&stage, "100"), asked(&stage, "100000000"));
    let key = key.to_str().unwrap();
    let sign = |server: &str| {
        stage.by("Ben", &["--server", server, "approval", "approve", &small, "--sign", "--key", key, "--yes"])
    };
    let (other, statement) =
        (format!("/admin/approvals/{large}/statement"), format!("GET /admin/approvals/{small}/statement"));
    let mut between = Between::of(&served.url, move |asked: &str| {
        if asked == statement { Passage::Instead(other.clone()) } else { Passage::Through }
    });
    let (code, told) = said(&sign(&between.url));
    assert!(code == 6 && told.contains("do not sign it"), "{code}: {told}");
    assert!(!told.contains("SSH SIGNATURE"), "{told}");
    let mut requests = Vec::new();
    while let Ok(request) = between.asked.try_recv() {
        requests.push(request);
    }
    assert!(requests.iter().any(|asked| asked.ends_with("/statement")), "{requests:?}");
    assert!(requests.iter().all(|asked| asked.starts_with("GET ")), "something was sent: {requests:?}");
    assert_eq!(votes(&stage, &small), (0, 0));
    json(&sign(&served.url));
    assert_eq!(votes(&stage, &small), (1, 1));
    served.stop();
}

/// An agent of the test's own; it ends with this value.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Agent {
    /// It listens once it has said where.
    fn start(socket: &str) -> Self {
        let mut child =
            Command::new("ssh-agent").args(["-D", "-a", socket]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains(socket), "{line}");
        Self(child)
    }
}

#[test]
fn the_key_in_the_agent_that_is_enrolled_signs() {
    let (stage, served, key) = governed();
    let id = asked(&stage, "100");
    let socket = stage.text("agent");
    let _agent = Agent::start(&socket);
    let credential = stage.text("Ben.json");
    let sign = || {
        let arguments = [
            "--json",
            "--credential",
            &credential,
            "approval",
            "approve",
            &id,
            "--sign",
            "--key",
            "agent",
            "--yes",
        ];
        crate::stage::command(&arguments).env("SSH_AUTH_SOCK", &socket).stdin(Stdio::null()).output().unwrap()
    };
    let (code, told) = said(&sign());
    assert!(code != 0 && told.contains("your agent holds none of your voting keys"), "{code}: {told}");
    assert_eq!(votes(&stage, &id), (0, 0));
    let add = Command::new("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket).status().unwrap();
    assert!(add.success());
    // Only the agent has it now.
    std::fs::remove_file(&key).unwrap();
    json(&sign());
    assert_eq!(votes(&stage, &id), (1, 1));
    served.stop();
}

/// On a terminal, which `script` makes, where this is typed.
fn typed(stage: &Stage, arguments: &[&str], answer: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_countersign");
    let words = [program, "--credential", &stage.text("Ben.json")]
        .iter()
        .chain(arguments)
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>();
    let mut child = Command::new("script")
        .args(["-q", "-e", "-c", &words.join(" "), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{answer}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn nothing_is_signed_but_upon_a_yes() {
    let (stage, served, key) = governed();
    let id = asked(&stage, "100");
    let key = key.to_str().unwrap();
    let sign = ["approval", "approve", &id, "--sign", "--key", key];
    for answer in ["no", "y", "", "yes please"] {
        let (code, told) = said(&typed(&stage, &sign, answer));
        assert!(
            code != 0 && told.contains("Sign this?") && told.contains("nothing was signed"),
            "{answer}: {told}"
        );
    }
    let (code, told) = said(&stage.by("Ben", &sign));
    assert!(code != 0 && told.contains("there is nobody to ask"), "{told}");
    assert_eq!(votes(&stage, &id), (0, 0));
    let (code, told) = said(&typed(&stage, &sign, "yes"));
    assert!(code == 0 && told.contains("You are about to sign"), "{code}: {told}");
    assert_eq!(votes(&stage, &id), (1, 1));
    served.stop();
}
