//! What is said of a policy file without a server, and vectors played by this program and by another.

use std::os::unix::fs::PermissionsExt as _;

use crate::stage::{Stage, run, said};

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
