//! `countersign run` as a process of its own: it asks, waits, runs and reports; and however it ends, no success is on record that was none.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_ledger::hash::sha256;
use serde_json::{Value, json as object};

use crate::between::{Between, Passage};
use crate::stage::{Served, Stage, command, json, said};

const DEPLOY: &str = "deploy app/web production";
const PROBE: &str = "probe app/web production";

/// One rule for work that others agree to, one for work that nobody needs to, with three seconds to report it.
fn rules() -> Vec<Value> {
    let rule = |name: &str, approval: &str, work: u32| object!({ "name": name, "verb": name, "resource": "app/web", "environment": "production", "approval": approval, "work_seconds": work });
    let mut watched = rule("watched", "not-required", 600);
    watched["heartbeat_seconds"] = object!(1);
    vec![rule("deploy", "required", 60), rule("probe", "not-required", 3), watched]
}

fn governed() -> (Stage, Served) {
    let stage = Stage::governed_by(&rules());
    let served = stage.serve();
    stage.claim_all(&served.url);
    (stage, served)
}

/// `countersign run` as Ana.
fn start(stage: &Stage, arguments: &[&str]) -> Child {
    let credential = stage.text("Ana.json");
    let mut command = command(&[&["--credential", &credential, "run"], arguments].concat());
    command.env("XDG_STATE_HOME", stage.path("state"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The same, by way of something in between.
fn start_by(between: &Between, stage: &Stage, arguments: &[&str]) -> Child {
    let credential = stage.text("Ana.json");
    let whole = [&["--server", &between.url, "--credential", &credential, "run"], arguments].concat();
    let mut command = command(&whole);
    command.env("XDG_STATE_HOME", stage.path("state"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The id of the first request there is, once there is one.
fn requested(stage: &Stage) -> String {
    loop {
        if let Some(approval) = newest(stage, "approval") {
            break approval["id"].as_str().unwrap().to_owned();
        }
    }
}

fn run(stage: &Stage, arguments: &[&str]) -> Output {
    start(stage, arguments).wait_with_output().unwrap()
}

/// The newest of what a list shows.
fn newest(stage: &Stage, noun: &str) -> Option<Value> {
    json(&stage.by("Ana", &[noun, "list"]))["items"].as_array().unwrap().first().cloned()
}

/// What is on record of the newest permit: its state, and what was reported.
fn on_record(stage: &Stage) -> (String, Value) {
    let permit = newest(stage, "permit").unwrap();
    let listed = json(&stage.by("Ana", &["entry", "list", "--subject", permit["id"].as_str().unwrap()]));
    let last = listed["items"].as_array().unwrap().last().unwrap().clone();
    let shown = json(&stage.by("Ana", &["entry", "show", &last["index"].to_string()]));
    (permit["status"].as_str().unwrap().to_owned(), shown["details"].clone())
}

/// Returns once the newest permit is in the state, which only time brings about.
fn becomes(stage: &Stage, status: &str) {
    while newest(stage, "permit").unwrap()["status"] != status {}
}

/// The first line that the command writes: it runs.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

fn tell(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn digest(text: &str) -> Value {
    object!({ "bytes": text.len(), "sha256": sha256(text.as_bytes()).to_string() })
}

#[test]
fn it_asks_waits_for_others_runs_and_passes_everything_on() {
    let (stage, served) = governed();
    let shell = "cat; echo told >&2; exit 3";
    let mut child = start(
        &stage,
        &["--action", DEPLOY, "--param", "image=sha256:abc", "--reason", "release", "--", "sh", "-c", shell],
    );
    child.stdin.take().unwrap().write_all(b"piped through\n").unwrap();
    let id = requested(&stage);
    let shown = json(&stage.by("Ben", &["approval", "show", &id]));
    assert_eq!(
        (&shown["parameters"], &shown["reason"]),
        (&object!({ "image": "sha256:abc" }), &object!("release"))
    );
    for name in ["Ben", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", &id]));
    }
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(3), &b"piped through\n"[..]),
        "{errors}"
    );
    for word in
        ["asked for `deploy app/web production`", "waiting for 2 more of operators", "told\n", "failed"]
    {
        assert!(errors.contains(word), "{word}: {errors}");
    }
    let (status, details) = on_record(&stage);
    let report = &details["report"];
    assert_eq!((status.as_str(), &report["exit_code"]), ("failed", &object!(3)));
    assert_eq!((&report["stdout"], &report["stderr"]), (&digest("piped through\n"), &digest("told\n")));
    assert!(report["duration_ms"].is_u64());
    let again = said(&run(
        &stage,
        &["--action", DEPLOY, "--param", "image=sha256:abc", "--approval", &id, "--", "true"],
    ));
    assert!(again.0 == 3 && again.1.contains("consumed"), "{again:?}");
    served.stop();
}

/// Agrees as Ben, and as Chloe once the command said that Ben has; what it said until it ended, and every request that it made.
fn agreed(stage: &Stage, between: &mut Between) -> (String, Vec<String>) {
    let mut child = start_by(between, stage, &["--action", DEPLOY, "--", "true"]);
    let id = requested(stage);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    for (agrees, told) in [("Ben", "waiting for 2 more"), ("Chloe", "waiting for 1 more")] {
        while !said.contains(told) {
            assert_ne!(errors.read_line(&mut said).unwrap(), 0, "{said}");
        }
        json(&stage.by(agrees, &["approval", "approve", &id]));
    }
    errors.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    (said, std::iter::from_fn(|| between.asked.try_recv().ok()).collect())
}

fn count(asked: &[String], what: impl Fn(&str) -> bool) -> usize {
    asked.iter().filter(|asked| what(asked)).count()
}

fn is_a_look(asked: &str) -> bool {
    asked.starts_with("GET /admin/approvals/apr_") && !asked.ends_with("/watch")
}

#[test]
fn it_follows_the_request_and_looks_only_when_something_happened() {
    let (stage, served) = governed();
    let mut between = Between::of(&served.url, |_| Passage::Through);
    let (_, asked) = agreed(&stage, &mut between);
    assert_eq!(count(&asked, |asked| asked.ends_with("/watch")), 1, "{asked:?}");
    // One look before it listens, and one for each event: requested, granted, granted, completed.
    assert!(count(&asked, is_a_look) <= 5, "{asked:?}");
    served.stop();
}

#[test]
fn where_there_are_no_events_it_asks_again() {
    let (stage, served) = governed();
    let refuse = |asked: &str| if asked.ends_with("/watch") { Passage::Refused } else { Passage::Through };
    let mut between = Between::of(&served.url, refuse);
    let (_, asked) = agreed(&stage, &mut between);
    assert!(count(&asked, |asked| asked.ends_with("/watch")) >= 2, "{asked:?}");
    assert!(count(&asked, is_a_look) >= 3, "{asked:?}");
    served.stop();
}

#[test]
fn what_a_freeze_holds_runs_with_an_exception_and_waits_for_it() {
    let mut rules = rules();
    rules.push(object!({ "name": "except", "verb": "except", "resource": "freeze/launch", "environment": "production" }));
    let stage = Stage::frozen_by(&rules, &[("launch", PROBE)]);
    let served = stage.serve();
    stage.claim_all(&served.url);
    let held = said(&run(&stage, &["--action", PROBE, "--", "true"]));
    assert!(held.0 == 3 && held.1.contains("frozen by `launch`"), "{held:?}");

    let purpose = object!({ "action": { "verb": "probe", "resource": "app/web", "environment": "production" }, "parameters": {} });
    let ask =
        ["approval", "request", "except", "freeze/launch", "production", "--params", &purpose.to_string()];
    let id = json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned();
    let excepted = ["--action", PROBE, "--exception", &id, "--timeout", "0", "--", "true"];
    let late = said(&run(&stage, &excepted));
    assert!(late.0 == 5 && late.1.contains(&format!("--exception {id}")), "{late:?}");
    json(&stage.by("Ben", &["approval", "approve", &id]));
    let child = start(&stage, &["--action", PROBE, "--exception", &id, "--", "true"]);
    json(&stage.by("Chloe", &["approval", "approve", &id]));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", said(&output));
    assert_eq!(newest(&stage, "permit").unwrap()["freezes"]["excepted"], object!({ "launch": id }));
    served.stop();
}

#[test]
fn a_success_is_reported_with_what_was_written_however_much_it_was() {
    let (stage, served) = governed();
    let shell = "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done";
    let output = run(&stage, &["--action", PROBE, "--", "sh", "-c", shell]);
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(0), 220_000),
        "{:?}",
        said(&output).1.get(..300)
    );
    let (status, details) = on_record(&stage);
    assert_eq!(
        (status.as_str(), &details["report"]["stdout"]),
        ("succeeded", &digest(&"0123456789\n".repeat(20_000)))
    );

    // What the command leaves behind with its output open does not keep the report waiting.
    let output = run(&stage, &["--action", PROBE, "--", "sh", "-c", "sleep 60 & echo left"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"left\n"[..]));
    assert_eq!(on_record(&stage).0, "succeeded");
    served.stop();
}

#[test]
fn what_cannot_be_started_failed_and_what_is_refused_never_runs() {
    let (stage, served) = governed();
    let (code, complaint) = said(&run(&stage, &["--action", PROBE, "--", "/nonexistent/program"]));
    assert!(code == 127 && complaint.contains("could not be started"), "{code} {complaint}");
    let (status, details) = on_record(&stage);
    assert_eq!((status.as_str(), details["report"].get("exit_code")), ("failed", None));

    let marker = stage.text("marker");
    let touch = |arguments: &[&str]| said(&run(&stage, &[arguments, &["--", "touch", &marker]].concat()));
    let late = touch(&["--action", DEPLOY, "--timeout", "0"]);
    assert!(late.0 == 5 && late.1.contains("--approval apr_"), "{late:?}");
    let id = newest(&stage, "approval").unwrap()["id"].as_str().unwrap().to_owned();
    json(&stage.by("Ben", &["approval", "deny", &id, "--reason", "not on a Friday"]));
    let denied = touch(&["--action", DEPLOY, "--approval", &id]);
    assert!(denied.0 == 3 && denied.1.contains("denied"), "{denied:?}");
    assert_eq!(touch(&["--action", "destroy everything production"]).0, 8);
    assert_eq!(touch(&["--action", "destroy app/web production"]).0, 3);
    assert_eq!(touch(&["--action", "destroy app/web"]).0, 2);
    assert!(!stage.path("marker").exists());
    served.stop();
}

#[test]
fn a_signal_is_passed_on_and_what_it_ended_failed() {
    let (stage, served) = governed();
    for (signal, number) in [("-TERM", 15), ("-INT", 2)] {
        // The command itself would make a success of it.
        let shell = "trap 'echo stopping; exit 0' TERM INT; echo ready; while :; do sleep 0.01; done";
        let mut child = start(&stage, &["--action", PROBE, "--", "sh", "-c", shell]);
        assert_eq!(first_line(&mut child), "ready\n");
        tell(&child, signal);
        let mut rest = String::new();
        child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(128 + number), "stopping\n"));
        let (status, details) = on_record(&stage);
        assert_eq!((status.as_str(), &details["report"]["interrupted_by"]), ("failed", &object!(number)));
    }
    let output = run(&stage, &["--action", PROBE, "--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(output.status.code(), Some(137));
    let (status, details) = on_record(&stage);
    assert_eq!((status.as_str(), &details["report"]["signal"]), ("failed", &object!(9)));
    served.stop();
}

#[test]
fn whoever_is_killed_reports_nothing_and_nobody_takes_it_for_a_success() {
    let (stage, served) = governed();
    let mut child = start(&stage, &["--action", PROBE, "--", "sh", "-c", "echo ready; read line; exit 0"]);
    assert_eq!(first_line(&mut child), "ready\n");
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(newest(&stage, "permit").unwrap()["status"], "started");
    becomes(&stage, "unknown");
    while newest(&stage, "incident").is_none() {}
    assert_eq!(newest(&stage, "incident").unwrap()["cause"], "permit-unknown");
    served.stop();
}

/// Whether whoever wants to start a permit is kept waiting.
static KEPT: AtomicBool = AtomicBool::new(true);

/// Killed when the permit is reserved and not yet started: the next run gives it back, and the approval with it. A run that lives keeps its own.
#[test]
fn what_a_killed_run_has_reserved_is_given_back_by_the_next() {
    let (stage, served) = governed();
    let keep = |asked: &str| {
        if asked.ends_with("/start") && KEPT.load(Ordering::SeqCst) {
            Passage::Never
        } else {
            Passage::Through
        }
    };
    let mut between = Between::of(&served.url, keep);
    let ask = ["approval", "request", "deploy", "app/web", "production"];
    let id = json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned();
    for name in ["Ben", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", &id]));
    }
    let marker = stage.text("marker");
    let deploy = ["--action", DEPLOY, "--approval", &id, "--", "touch", &marker];
    let mut child = start_by(&between, &stage, &deploy);
    while !between.asked.blocking_recv().unwrap().ends_with("/start") {}
    let permit = newest(&stage, "permit").unwrap();
    assert_eq!(permit["status"], "reserved");

    // It lives, so nobody takes anything from it.
    let other = start_by(&between, &stage, &["--action", DEPLOY, "--timeout", "0", "--", "touch", &marker]);
    assert_eq!(said(&other.wait_with_output().unwrap()).0, 5);
    assert_eq!(newest(&stage, "permit").unwrap()["status"], "reserved");

    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    KEPT.store(false, Ordering::SeqCst);
    let output = start_by(&between, &stage, &deploy).wait_with_output().unwrap();
    let (code, words) = said(&output);
    let told = format!(
        "{} was left by a run that was killed before it began: given back",
        permit["id"].as_str().unwrap()
    );
    assert!(
        code == 0 && words.contains(&told) && words.contains(&format!("--approval {id}")),
        "{code} {words}"
    );
    assert!(stage.path("marker").exists());
    let killed = json(&stage.by("Ana", &["permit", "show", permit["id"].as_str().unwrap()]));
    assert_eq!((&killed["status"], on_record(&stage).0.as_str()), (&object!("released"), "succeeded"));
    assert_eq!(
        std::fs::read_dir(stage.path("state/countersign/runs")).unwrap().count(),
        0,
        "nothing is left"
    );
    served.stop();
}

#[test]
fn signs_of_life_are_given_while_the_command_runs_and_no_longer() {
    let (stage, served) = governed();
    let begin = || {
        let shell = "echo ready; read line; exit 0";
        let mut child = start(&stage, &["--action", "watched app/web production", "--", "sh", "-c", shell]);
        assert_eq!(first_line(&mut child), "ready\n");
        child
    };
    let beats = || {
        let id = newest(&stage, "permit").unwrap()["id"].as_str().unwrap().to_owned();
        let listed =
            json(&stage.by("Ana", &["entry", "list", "--subject", &id, "--kind", "permit.heartbeat"]));
        listed["items"].as_array().unwrap().len()
    };
    let mut child = begin();
    // More than two seconds pass: without them the permit would be unknown.
    while beats() < 3 {}
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(on_record(&stage).0, "succeeded");

    let mut child = begin();
    child.kill().unwrap();
    child.wait().unwrap();
    // Ten minutes are left for the work, but nobody says any more that it goes on.
    becomes(&stage, "unknown");
    served.stop();
}

#[test]
fn a_report_that_nobody_takes_is_said_to_be_lost() {
    let (stage, served) = governed();
    let mut child = start(
        &stage,
        &["--action", PROBE, "--report-timeout", "1", "--", "sh", "-c", "echo ready; read line; exit 0"],
    );
    assert_eq!(first_line(&mut child), "ready\n");
    served.stop();
    drop(child.stdin.take());
    let (code, complaint) = said(&child.wait_with_output().unwrap());
    assert!(
        code == 5 && complaint.contains("could not be reported") && complaint.contains("unknown"),
        "{code} {complaint}"
    );
    // The server came back, elsewhere; the credential says where it was.
    let served = stage.serve();
    let status = || {
        let listed = stage.by("Ana", &["--server", &served.url, "permit", "list"]);
        json(&listed)["items"][0]["status"].as_str().unwrap().to_owned()
    };
    while status() != "unknown" {}
    served.stop();
}
