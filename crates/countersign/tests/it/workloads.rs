//! A job's own token exchanged from the terminal: from a file, a variable or a pipe, once, by a CI system that is a process of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::stage::{Stage, command, json as told, run, said, start};

/// The token of a job of this repository.
fn job(ci: &str, repository: &str) -> String {
    let claims = json!({ "aud": "countersign", "repository_id": repository }).to_string();
    let mut stream = TcpStream::connect(ci).unwrap();
    let head = format!(
        "POST /jobs HTTP/1.0\r\nhost: {ci}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        claims.len()
    );
    stream.write_all((head + &claims).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    body["value"].as_str().unwrap().to_owned()
}

#[test]
fn a_job_exchanges_its_token_and_acts_with_what_it_gets() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("ci.json");
    std::fs::write(&config, r#"{"listen":"127.0.0.1:0","lifetime":"with_parent"}"#).unwrap();
    let (mut ci, _stdin, announced) = start(&["nudgepay", "ci", config.to_str().unwrap()]);
    let address = announced["listening"].as_str().unwrap().to_owned();
    let stage = Stage::written(|stage| {
        format!(
            "\n[[workloads]]\nname = \"payouts\"\nissuer = \"http://{address}\"\nclaims = {{ repository_id = \"42\" }}\n\
             token = \"service-token/payouts\"\nenvironment = \"production\"\nscopes = [\"override:payout/limit\"]\nowner = \"{}\"\n",
            stage.person("Ana")
        )
    });
    let node = stage.path("node/countersign.toml");
    let whole = std::fs::read_to_string(&node).unwrap()
        + &format!("\n[issuers.ci]\nissuer = \"http://{address}\"\naudience = \"countersign\"\n");
    std::fs::write(&node, whole).unwrap();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let exchange = ["--json", "--server", &served.url, "token", "exchange"];
    let (held, saved) = (stage.text("job.jwt"), stage.text("token.json"));
    std::fs::write(&held, job(&address, "42") + "\n").unwrap();

    let from_file = |more: &[&str]| run(&[&exchange[..], &["--oidc-token-file", &held], more].concat());
    let (code, answer) = said(&from_file(&["--scope", "override:payout/other", "--save", &saved]));
    assert!(code == 3 && answer.contains("scope_not_offered"), "{code} {answer}");
    std::fs::write(stage.path("taken.json"), "mine").unwrap();
    let (code, answer) = said(&from_file(&["--save", &stage.text("taken.json")]));
    assert!(code != 0 && answer.contains("exists"), "before the token is spent: {answer}");
    let granted = told(&from_file(&["--save", &saved]));
    assert_eq!((&granted["scope"], &granted["expires_in"]), (&json!("override:payout/limit"), &json!(900)));
    assert!(granted.get("access_token").is_none(), "what is in a file is not shown: {granted}");
    let (code, answer) = said(&from_file(&[]));
    assert!(code == 3 && answer.contains("workload_token_spent"), "{code} {answer}");
    let ask =
        ["--json", "--credential", &saved, "approval", "request", "override", "payout/limit", "production"];
    assert_eq!(told(&run(&ask))["requester"]["name"], "Ana");
    let narrow = [
        "--json",
        "--credential",
        &saved,
        "token",
        "exchange",
        "--scope",
        "override:payout/limit",
        "--lifetime",
        "60",
    ];
    assert!(told(&run(&narrow))["token"].as_str().unwrap().starts_with("cstk_"));

    let mut piped = command(&[&exchange[..], &["--oidc-token-file", "-", "--lifetime", "30"]].concat());
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(job(&address, "42").as_bytes()).unwrap();
    let granted = told(&piped.wait_with_output().unwrap());
    assert_eq!(granted["expires_in"], 30);
    assert!(granted["access_token"].as_str().unwrap().starts_with("cstk_"));
    let mut other = command(&[&exchange[..], &["--oidc-token-env", "JOB_TOKEN"]].concat());
    let (code, answer) =
        said(&other.env("JOB_TOKEN", job(&address, "41")).stdin(Stdio::null()).output().unwrap());
    assert!(code == 3 && answer.contains("workload_unknown"), "{code} {answer}");
    std::fs::write(&held, job(&address, "42")).unwrap();
    with_a_key(&stage, &from_file);
    let mut unset = command(&[&exchange[..], &["--oidc-token-env", "JOB_TOKEN"]].concat());
    let (code, answer) = said(&unset.env_remove("JOB_TOKEN").stdin(Stdio::null()).output().unwrap());
    assert!(code != 0 && answer.contains("JOB_TOKEN"), "{code} {answer}");
    served.stop();
    ci.kill().unwrap();
    ci.wait().unwrap();
}

/// Bound to a key from the first: the node draws the token, and it is worth nothing to whoever reads it on the way.
fn with_a_key(stage: &Stage, exchange: &impl Fn(&[&str]) -> std::process::Output) {
    let (bound, key) = (stage.text("bound.json"), stage.text("key.pem"));
    let granted = told(&exchange(&["--save", &bound, "--dpop-key", &key]));
    assert_eq!((&granted["dpop_key_file"], &granted["token_file"]), (&json!(key), &json!(bound)));
    let ask = ["approval", "request", "override", "payout/limit", "production"];
    let asked = told(&run(&[&["--json", "--credential", &bound], &ask[..]].concat()));
    assert_eq!(asked["requester"]["name"], "Ana");
    let id = granted["id"].as_str().unwrap();
    assert!(told(&stage.by("Ana", &["token", "show", id]))["dpop_jkt"].is_string());
}
