//! What is said of a policy file without a server, and vectors played by this program and by another.

use std::os::unix::fs::PermissionsExt as _;

use crate::stage::{Stage, json, run, said};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/approvals");

#[test]
fn lint_names_place_line_and_what_would_be_right_and_its_exit_code_is_by_severity() {
    let stage = Stage::new();
    let (policy, people) = (stage.text("node/policy.toml"), stage.text("node/people.toml"));
    let lint = || said(&run(&["policy", "lint", &policy, "--people", &people]));
    let sound = lint();
    assert!(
        sound.0 == 6 && sound.1.contains("[single_point]") && sound.1.contains("Ana, Ben, Chloe"),
        "{sound:?}"
    );
    let text = std::fs::read_to_string(&policy).unwrap();
    let line = text.lines().position(|line| line.starts_with("[access]")).unwrap();
    let unused = text.replace("[access]", "idle = [\"per_00000000000000000000000000000099\"]\n\n[access]");
    std::fs::write(&policy, unused).unwrap();
    let (code, complaint) = lint();
    assert_eq!(code, 8, "a stranger in a group is an error: {complaint}");
    for words in [
        &format!("policy.toml:{}: groups.idle", line + 1),
        "[unused_group]",
        "[unknown_person]",
        "right: enrol them",
    ] {
        assert!(complaint.contains(words), "`{words}` is not in:\n{complaint}");
    }
    let report = run(&["--json", "policy", "lint", &policy, "--people", &people]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["errors"], &report["findings"][0]["code"]), (&1.into(), &"unknown_person".into()));
}

#[test]
fn the_published_vectors_hold_for_this_program() {
    let (code, told) = said(&run(&["vectors", "run", VECTORS]));
    assert_eq!(code, 0, "{told}");
    assert!(told.ends_with("vectors hold\n"), "{told}");
}

#[test]
fn another_program_is_not_told_the_answers_and_its_mistakes_are_named() {
    let stage = Stage::new();
    let program = stage.path("theirs");
    let script = "#!/bin/sh\nif grep -q '\"expect\"'; then exit 1; fi\necho '{\"steps\": [], \"rejected\": \"malformed\"}'\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (code, told) = said(&run(&["vectors", "run", VECTORS, "--with", program.to_str().unwrap()]));
    assert_eq!(code, 6, "{told}");
    assert!(told.contains("double-vote (flaw class: duplicate signer"), "{told}");
    assert!(!told.contains("zero-quorum"), "what it gets right is not named: {told}");
    assert!(!told.contains("ended with"), "{told}");
}

const CASES: &str = r#"
[[case]]
name = "two others agree"
action = "activate policy/main control"
requester = "Ana"
approvers = ["Ben", "Chloe"]
expect = "allowed"
rules = ["policy"]

[[case]]
name = "one is not enough"
action = "activate policy/main control"
requester = "Ana"
approvers = ["Ben"]
expect = "refused"
reason = "approval_pending"

[[case]]
name = "oneself does not count"
action = "activate policy/main control"
requester = "Ana"
approvers = ["Ana", "Ben"]
expect = "refused"
reason = "self_approval"

[[case]]
name = "nobody launches"
action = "launch policy/main control"
executor = "Ana"
expect = "refused"
reason = "no_rule"
"#;

#[test]
fn cases_tell_which_rule_decided_and_who_is_missing() {
    let stage = Stage::new();
    let (policy, people) = (stage.text("node/policy.toml"), stage.text("node/people.toml"));
    let cases = stage.text("cases.toml");
    std::fs::write(&cases, CASES).unwrap();
    let test = || said(&run(&["policy", "test", &policy, "--people", &people, "--cases", &cases]));
    let (code, told) = test();
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("approval_pending (reserve by Ana)") && told.contains("1 of operators: Chloe"),
        "{told}"
    );
    std::fs::write(&cases, CASES.replacen("expect = \"allowed\"", "expect = \"refused\"", 1)).unwrap();
    let (code, told) = test();
    assert!(code == 6 && told.contains("NO     two others agree"), "{told}");
    std::fs::write(&cases, CASES.replacen("\"Ben\"", "\"Zoe\"", 1)).unwrap();
    let (code, told) = test();
    assert!(code == 8 && told.contains("nobody is called `Zoe`"), "{told}");
}

#[test]
fn what_really_happened_is_judged_again_from_server_and_database() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let ask = ["approval", "request", "override", "payout/limit", "production"];
    let id = json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned();
    for name in ["Ben", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", &id]));
    }
    let policy = stage.text("node/policy.toml");
    let test = ["policy", "test", &policy, "--since", "90d", "--fail-on-change"];
    let same = json(&stage.by("Ana", &test));
    assert_eq!((&same["replayed"]["requests"], &same["changed"]), (&1.into(), &0.into()));
    let text = std::fs::read_to_string(&policy).unwrap();
    let rule = text.find("verb = \"override\"").unwrap();
    let (before, after) = text.split_at(rule);
    let laxer = after.replacen("quorum = { operators = 2 }", "quorum = { operators = 1 }", 1);
    std::fs::write(&policy, format!("{before}{laxer}")).unwrap();
    let changed = stage.by("Ana", &test);
    let report: serde_json::Value = serde_json::from_slice(&changed.stdout).unwrap();
    assert_eq!(changed.status.code(), Some(6), "{report}");
    let difference = &report["differences"][0];
    assert_eq!(
        (&difference["what"], &difference["name"], &difference["subject"]),
        (&"quorum".into(), &"Ana".into(), &id.as_str().into())
    );
    served.stop();
    let database = stage.text("node/data/ledger.db");
    let offline = run(&["--json", "policy", "test", &policy, "--since", "1h", "--database", &database]);
    let offline = json(&offline);
    assert_eq!(offline["differences"][0]["subject"], report["differences"][0]["subject"]);
}
