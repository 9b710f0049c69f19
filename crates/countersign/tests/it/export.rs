//! Finding entries and taking them elsewhere, as an auditor does it: from a server, from a database, and on again later.

use std::process::Stdio;

use serde_json::Value;

use crate::stage::{Stage, command, json, run, said};

const PAYOUT: [&str; 3] = ["override", "payout/limit", "production"];

/// Somebody asks for something, with a reason.
fn ask(stage: &Stage, reason: &str) -> String {
    let arguments = [&["approval", "request"][..], &PAYOUT, &["--reason", reason]].concat();
    json(&stage.by("Ana", &arguments))["id"].as_str().unwrap().to_owned()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn indexes(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|entry| entry["index"].as_u64().unwrap()).collect()
}

/// Waits until a checkpoint covers everything that is there now.
fn signed(stage: &Stage) -> u64 {
    let newest = json(&stage.by("Ana", &["entry", "list", "--newest", "--limit", "1"]));
    let size = newest["items"][0]["index"].as_u64().unwrap() + 1;
    loop {
        let note = json(&stage.by("Ana", &["ledger", "checkpoint"]));
        let claimed = note["checkpoint"].as_str().unwrap().lines().nth(1).unwrap().parse::<u64>().unwrap();
        if claimed >= size {
            return claimed;
        }
    }
}

#[test]
fn entries_are_found_and_all_of_them_are_listed_line_by_line() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let approval = ask(&stage, "Quarter end for Zoë");
    let all = said(&stage.by("Ben", &["entry", "list", "--all", "--limit", "3"])).1;
    let size = signed(&stage);
    assert_eq!(indexes(&lines(&all)), (0..size).collect::<Vec<_>>());
    let found = json(&stage.by("Ben", &["entry", "list", "--text", "zoe quart*", "--verb", "override"]));
    assert_eq!(found["items"][0]["leaf"]["subject"], approval.as_str());
    let none = json(&stage.by("Ben", &["entry", "list", "--text", "zoe", "--actor", "node"]));
    assert!(none["items"].as_array().unwrap().is_empty());
    let (code, complaint) = said(&stage.by("Ben", &["entry", "list", "--kind", "approval.request"]));
    assert!(code == 8 && complaint.contains("did you mean `approval.requested`"), "{complaint}");
    let newest = said(&stage.by("Ben", &["entry", "list", "--all", "--newest", "--limit", "4"])).1;
    assert_eq!(indexes(&lines(&newest)), (0..size).rev().collect::<Vec<_>>());
    served.stop();
}

#[test]
fn an_export_goes_on_where_it_ended_and_is_the_same_from_server_and_database() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    ask(&stage, "the first");
    let (online, offline) = (stage.text("online.jsonl"), stage.text("offline.jsonl"));
    let (database, key) = (stage.text("node/data/ledger.db"), format!("@{}", stage.text("node/log.vkey")));
    let export = |to: &str, more: &[&str]| {
        stage.by("Ben", &[&["entry", "export", "--to", to, "--key", &key][..], more].concat())
    };
    let first = signed(&stage);
    assert_eq!(json(&export(&online, &[]))["exported"], first);
    ask(&stage, "the second");
    let second = signed(&stage);
    let report = json(&export(&online, &[]));
    assert_eq!((&report["exported"], &report["checkpoint_verified"]), (&second.into(), &true.into()));
    json(&export(&offline, &["--database", &database]));
    let text = std::fs::read_to_string(&online).unwrap();
    assert_eq!(std::fs::read_to_string(&offline).unwrap(), text);
    let ids: Vec<String> =
        lines(&text).iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, (0..second).map(|index| format!("test.example/log/{index}")).collect::<Vec<_>>());
    served.stop();

    let of =
        |arguments: &[&str]| run(&[&["entry", "export", "--database", &database][..], arguments].concat());
    let (code, csv) = said(&of(&["--format", "csv", "--text", "second"]));
    assert!(code == 0 && csv.starts_with("index,time,kind,") && csv.lines().count() == 2, "{csv}");
    let jsonl = said(&of(&["--format", "jsonl", "--kind", "approval.*", "--from", "1"])).1;
    assert_eq!(lines(&jsonl).len(), 2);
    for (arguments, told) in [
        (&["--to", &online, "--format", "csv"][..], "the cursor is of another format"),
        (&["--to", &online, "--kind", "approval.*"], "the cursor is of other filters"),
        (&["--to", "http://ledger.example/"], "entries would travel in clear"),
        (&["--to", "https://siem.example/", "--format", "csv"], "`--format cloudevents` only"),
        (&["--bearer", "env:TOKEN"], "are for an endpoint"),
        (&["--kind", "nothing.*"], "`kind` is a kind of event"),
        (&["--to", "https://siem.example/", "--bearer", "hunter2"], "a secret is named as"),
    ] {
        let (code, complaint) = said(&of(arguments));
        assert!(code == 8 && complaint.contains(told) && !complaint.contains("hunter2"), "{complaint}");
    }
    let other = Stage::new();
    let (code, complaint) =
        said(&of(&["--to", &online, "--key", &format!("@{}", other.text("node/log.vkey"))]));
    assert!(code == 6 && complaint.contains("the checkpoint:"), "{complaint}");
}

#[test]
fn a_followed_log_is_exported_as_it_grows() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let credential = stage.text("Ben.json");
    let mut child =
        command(&["--credential", &credential, "entry", "export", "--format", "jsonl", "--follow"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let approval = ask(&stage, "while it is followed");
    let mut told = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let found = told.by_ref().map(Result::unwrap).find(|line| line.contains(&approval));
    assert!(found.unwrap().contains("while it is followed"));
    child.kill().unwrap();
    child.wait().unwrap();
    served.stop();
}
