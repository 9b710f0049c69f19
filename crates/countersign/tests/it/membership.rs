//! People come and go from the terminal: who invites is told who must agree and how to go on, and the claim is shown once.

use std::process::Stdio;

use serde_json::Value;

use crate::stage::{Served, Stage, command, json, run, said};

fn set() -> (Stage, Served) {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    (stage, served)
}

/// The id of the only request that waits for Ben.
fn waiting(stage: &Stage) -> Option<String> {
    let page = json(&stage.by("Ben", &["approval", "list", "--for-me"]));
    page["items"][0]["id"].as_str().map(ToOwned::to_owned)
}

fn agree(stage: &Stage, approval: &str) {
    for name in ["Ben", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", approval]));
    }
}

/// Invites Dee as Ana does: the first attempt asks and gives up at once, others agree, the second one goes on with what it was told.
fn invited(stage: &Stage, more: &[&str]) -> Value {
    let ana = stage.text("Ana.json");
    let ask = ["--credential", &ana, "person", "invite", "--name", "Dee O'Neil", "--timeout", "0"];
    let (code, told) = said(&run(&ask));
    assert_eq!(code, 5, "{told}");
    assert!(told.contains("2 more of operators (Ben, Chloe)"), "{told}");
    let approval = waiting(stage).expect("a request");
    agree(stage, &approval);
    let line = told.lines().find_map(|line| line.split_once("Ctrl-C, then ")).expect("how to go on").1;
    assert!(line.ends_with(&format!("--approval {approval}")), "{line}");
    let words = shell(line);
    let words: Vec<&str> = words.iter().map(String::as_str).skip(1).chain(more.iter().copied()).collect();
    json(&stage.by("Ana", &words))
}

/// The words of a line, as a shell reads them.
fn shell(line: &str) -> Vec<String> {
    let read =
        std::process::Command::new("sh").args(["-c", &format!("printf '%s\\n' {line}")]).output().unwrap();
    String::from_utf8(read.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

#[test]
fn who_was_invited_claims_once_and_another_claim_is_in_a_file() {
    let (stage, served) = set();
    let shown = invited(&stage, &[]);
    let claim = shown["claim"].as_str().unwrap();
    assert!(claim.starts_with("csc_") && claim.len() == 47, "{shown}");
    assert!(shown["link"].as_str().unwrap().ends_with(&format!("/claim#{claim}")), "{shown}");
    assert_eq!(
        (&shown["person"]["name"], &shown["person"]["status"]),
        (&"Dee O'Neil".into(), &"invited".into())
    );

    // Nobody knows any more where that claim is: another one takes its place.
    let id = shown["person"]["id"].as_str().unwrap();
    let file = stage.text("dee.claim");
    let again = ["person", "invite", "--name", "Dee O'Neil", "--id", id, "--save", &file];
    let ana = stage.text("Ana.json");
    let child = command(&["--json", "--credential", &ana])
        .args(again)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let approval = std::iter::repeat_with(|| waiting(&stage)).take(1_000).flatten().next().expect("it asks");
    agree(&stage, &approval);
    let renewed = json(&child.wait_with_output().unwrap());
    assert!(renewed.get("claim").is_none(), "what is in a file is not shown: {renewed}");
    assert!(!std::fs::read_to_string(&file).unwrap().contains(claim));
    let old = stage.text("old.claim");
    std::fs::write(&old, claim).unwrap();
    let replace = |claim: &str, saved: &str| {
        let saved = stage.text(saved);
        run(&["--json", "--server", &served.url, "claim", "--claim", claim, "--save", &saved])
    };
    let (code, told) = said(&replace(&old, "Mallory.json"));
    assert!(code == 3 && told.contains("unknown_claim"), "{told}");
    assert_eq!(json(&replace(&file, "Dee.json"))["status"], "active");
    assert_eq!(json(&stage.by("Dee", &["whoami"]))["name"], "Dee O'Neil");
    let (code, told) = said(&replace(&file, "Mallory.json"));
    assert!(code == 3 && told.contains("unknown_claim"), "a claim works once: {told}");
    let taken = said(&stage.by("Ana", &["person", "invite", "--name", "Eve", "--save", &file]));
    assert!(taken.0 == 8 && taken.1.contains("nothing is ever overwritten"), "{taken:?}");
    served.stop();
}

#[test]
fn who_is_deactivated_is_out_at_once_and_nobody_goes_who_is_needed() {
    let (stage, served) = set();
    let id = json(&stage.by("Chloe", &["whoami"]))["id"].as_str().unwrap().to_owned();
    let ana = stage.text("Ana.json");
    let (code, told) = said(&run(&["--credential", &ana, "person", "deactivate", &id, "--timeout", "0"]));
    assert!(code == 5 && told.contains("person deactivate"), "{told}");
    let approval = waiting(&stage).expect("a request");
    agree(&stage, &approval);
    let go = ["person", "deactivate", &id, "--approval", &approval, "--reason", "left"];
    let (code, told) = said(&stage.by("Ana", &go));
    assert!(code == 3 && told.contains("person_still_needed"), "{told}");

    let dee = invited(&stage, &[])["person"]["id"].as_str().unwrap().to_owned();
    let asked = said(&stage.by("Ana", &["person", "deactivate", &dee, "--timeout", "0"]));
    assert_eq!(asked.0, 5);
    let approval = waiting(&stage).expect("a request");
    agree(&stage, &approval);
    let gone = json(&stage.by("Ana", &["person", "deactivate", &dee, "--approval", &approval]));
    assert_eq!(gone["status"], "deactivated");
    let listed = json(&stage.by("Ana", &["person", "list", "--status", "deactivated"]));
    assert_eq!(listed["items"][0]["id"], dee);
    served.stop();
}
