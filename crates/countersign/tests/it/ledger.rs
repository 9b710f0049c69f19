//! What an auditor does with a database and a pinned key.

use crate::stage::{Stage, json, run, said};

fn verify(database: &str, key: &str) -> (i32, String) {
    said(&run(&["--json", "ledger", "verify", database, "--key", key]))
}

/// Flips one bit of every occurrence of `text` in the file; it must be there.
fn flip(path: &str, text: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    let found = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    bytes[found + text.len() / 2] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_log_is_verified_while_it_is_served_and_damage_is_named() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let (database, key) = (stage.text("node/data/ledger.db"), format!("@{}", stage.text("node/log.vkey")));
    // Whoever asks a running server may come before its next checkpoint; genesis was signed when it was written.
    let live = json(&run(&["--json", "ledger", "verify", &database, "--key", &key]));
    assert_eq!(live["meaning"], "followed");
    assert!(live["verified"] == true && live["signed_entries"].as_u64() > Some(0), "{live}");

    let copy = stage.text("copy.db");
    json(&run(&["--json", "ledger", "copy", &database, &copy]));
    assert_eq!(said(&run(&["ledger", "copy", &database, &copy])).0, 5, "a copy never overwrites");
    assert_eq!(verify(&copy, &key).0, 0);
    let entry = json(&stage.by("Ana", &["entry", "show", "2"]));
    flip(&copy, entry["leaf_text"].as_str().unwrap());
    let (code, complaint) = verify(&copy, &key);
    let complaint: serde_json::Value = serde_json::from_str(&complaint).unwrap();
    assert_eq!((code, &complaint["index"], &complaint["code"]), (6, &2.into(), &"leaf_bytes".into()));
    served.stop();
    assert_eq!(verify(&database, &key).0, 0);
}

#[test]
fn nothing_passes_without_evidence() {
    let (stage, other) = (Stage::new(), Stage::new());
    let (database, key) = (stage.text("node/data/ledger.db"), format!("@{}", stage.text("node/log.vkey")));
    let (code, complaint) = verify(&database, &format!("@{}", other.text("node/log.vkey")));
    assert!(code == 6 && complaint.contains("log_key_not_trusted"), "{complaint}");
    assert_eq!(said(&run(&["ledger", "verify", &database])).0, 2, "a key must be given");
    assert_eq!(verify(&database, "not-a-key").0, 8);
    assert_eq!(verify(&stage.text("missing.db"), &key).0, 5);
    std::fs::write(stage.path("empty.db"), "").unwrap();
    assert_eq!(verify(&stage.text("empty.db"), &key).0, 6);
    let origin =
        said(&run(&["--json", "ledger", "verify", &database, "--key", &key, "--origin", "other.example"]));
    assert!(origin.0 == 6 && origin.1.contains("checkpoint_origin"), "{origin:?}");
}

#[test]
fn an_entry_is_proved_against_the_pinned_key_only() {
    let (stage, other) = (Stage::new(), Stage::new());
    let served = stage.serve();
    stage.claim_all(&served.url);
    let key = |stage: &Stage| format!("@{}", stage.text("node/log.vkey"));
    let proved = json(&stage.by("Ben", &["ledger", "prove", "0", "--key", &key(&stage)]));
    assert_eq!(proved["entry"]["leaf"]["kind"], "log.created");
    let (code, complaint) = said(&stage.by("Ben", &["ledger", "prove", "0", "--key", &key(&other)]));
    assert!(code == 6, "{complaint}");
    assert!(
        json(&stage.by("Ben", &["ledger", "checkpoint"]))["checkpoint"]
            .as_str()
            .unwrap()
            .starts_with("test.example/log\n")
    );
}

fn follow(stage: &Stage, url: &str, more: &[&str]) -> (i32, String) {
    let (prefix, key) = (format!("{url}/ledger"), format!("@{}", stage.text("node/log.vkey")));
    let mut arguments = vec!["--json", "ledger", "follow", &prefix, "--key", &key, "--once"];
    arguments.extend(more);
    said(&run(&arguments))
}

#[test]
fn a_log_is_followed_from_outside_and_an_old_copy_of_it_is_refused() {
    let stage = Stage::new();
    let old = stage.text("old.db");
    json(&run(&["--json", "ledger", "copy", &stage.text("node/data/ledger.db"), &old]));
    let (state, checkpoint) = (stage.text("seen"), stage.text("node/checkpoint"));
    std::fs::copy(&checkpoint, stage.path("old.checkpoint")).unwrap();
    let served = stage.serve();
    let (code, first) = follow(&stage, &served.url, &["--state", &state, "--entries"]);
    assert!(code == 0 && first.contains(r#""event":"first""#), "{first}");
    stage.claim_all(&served.url);
    let url = served.url.clone();
    served.stop();
    let (code, gone) = follow(&stage, &url, &["--state", &state]);
    assert!(code == 5 && gone.contains("cannot reach"), "{gone}");

    let served = stage.serve();
    let (code, grown) = follow(&stage, &served.url, &["--state", &state, "--entries"]);
    assert!(code == 0 && grown.contains(r#""event":"grown""#), "{grown}");
    let (code, same) = follow(&stage, &served.url, &["--state", &state]);
    assert!(code == 0 && same.contains(r#""event":"unchanged""#), "{same}");
    served.stop();

    // Whoever restores an old copy together with its checkpoint gets past the node itself, but not past those who remember.
    for (from, to) in [("old.db", "node/data/ledger.db"), ("old.checkpoint", "node/checkpoint")] {
        std::fs::copy(stage.path(from), stage.path(to)).unwrap();
    }
    for ending in ["-wal", "-shm"] {
        drop(std::fs::remove_file(stage.path(&format!("node/data/ledger.db{ending}"))));
    }
    let served = stage.serve();
    let (code, back) = follow(&stage, &served.url, &["--state", &state]);
    assert!(code == 6 && back.contains("went back"), "{back}");
    let proof = std::fs::read_to_string(stage.path("seen.fork.json")).unwrap();
    let proof: serde_json::Value = serde_json::from_str(&proof).unwrap();
    assert_eq!(proof["contradiction"], "went-back");
    assert_eq!(proof["seen"].as_str(), Some(std::fs::read_to_string(&state).unwrap().as_str()));
    drop(served);
}

/// Whether a file in the node's data folder holds the text.
fn stands_in(stage: &Stage, text: &str) -> bool {
    let mut files = std::fs::read_dir(stage.path("node/data")).unwrap().map(|file| file.unwrap().path());
    files.any(|path| std::fs::read(path).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes()))
}

#[test]
fn details_are_deleted_from_a_running_server_and_the_log_still_verifies() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let payout = ["override", "payout/limit", "production"];
    let mut indices = Vec::new();
    for reason in ["for Mrs. Miller", "for Mr. Smith"] {
        let ask = [&["approval", "request"][..], &payout, &["--reason", reason]].concat();
        let id = json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned();
        json(&stage.by("Ana", &["approval", "withdraw", &id]));
        let entries = json(&stage.by("Ana", &["entry", "list", "--subject", &id]));
        indices.push(entries["items"][0]["index"].to_string());
    }
    assert!(stands_in(&stage, "Mrs. Miller"));

    let (code, hint) = said(&stage.by("Ana", &["entry", "redact", &indices[1], &indices[0]]));
    let parameter = format!("entries=[{},{}]", indices[0], indices[1]);
    assert!(code == 3 && hint.contains(&parameter), "{hint}");
    let ask = ["approval", "request", "redact", "ledger/details", "control", "--param", &parameter];
    let approval = json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned();
    for name in ["Ben", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", &approval]));
    }
    let redact = ["entry", "redact", "--approval", &approval, &indices[1], &indices[0]];
    let redacted = json(&stage.by("Ana", &redact));
    // The search index follows the log, so it hears of it a moment later.
    let words = ["miller", "smith", "Mrs. Miller", "Mr. Smith"];
    let mut looks = 0..500;
    while words.iter().any(|text| stands_in(&stage, text)) {
        assert!(looks.next().is_some(), "it still stands there, while the server runs");
    }
    let shown = json(&stage.by("Chloe", &["entry", "show", &indices[0]]));
    assert!(shown["redacted_by"] == redacted["index"] && shown.get("details").is_none(), "{shown}");
    let credential = stage.text("Chloe.json");
    let shown = said(&run(&["--credential", &credential, "entry", "show", &indices[1]])).1;
    assert!(shown.contains(&format!("deleted by entry {}", redacted["index"])), "{shown}");

    let (database, key) = (stage.text("node/data/ledger.db"), format!("@{}", stage.text("node/log.vkey")));
    let verified = json(&run(&["--json", "ledger", "verify", &database, "--key", &key]));
    assert_eq!(verified["redacted_details"], 2);
    served.stop();
    let told = said(&run(&["ledger", "verify", &database, "--key", &key]));
    assert!(told.0 == 0 && told.1.contains("the details of 2"), "{told:?}");
}

#[test]
fn a_store_is_checked_as_a_whole_and_what_is_derived_is_repaired() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let (database, key) = (stage.text("node/data/ledger.db"), format!("@{}", stage.text("node/log.vkey")));
    let checkpoint = stage.text("node/checkpoint");
    let fsck = |database: &str, more: &[&str]| {
        let mut arguments =
            vec!["--json", "ledger", "fsck", database, "--key", &key, "--checkpoint", &checkpoint];
        arguments.extend(more);
        said(&run(&arguments))
    };
    let document = |said: &str| serde_json::from_str::<serde_json::Value>(said).unwrap();
    let (code, live) = fsck(&database, &[]);
    assert!(code == 0 && document(&live)["intact"] == true, "{live}");
    let (code, refused) = fsck(&database, &["--repair"]);
    assert!(code == 5 && refused.contains("another server already writes"), "{refused}");
    served.stop();

    // A word that is in records only.
    let copy = stage.text("copy.db");
    json(&run(&["--json", "ledger", "copy", &database, &copy]));
    flip(&copy, r#""enrolled_at""#);
    let (code, damaged) = fsck(&copy, &[]);
    let damaged = document(&damaged);
    assert_eq!((code, &damaged["findings"][0]["kind"]), (6, &"record".into()), "{damaged}");
    let shown = said(&run(&["ledger", "fsck", &copy, "--key", &key]));
    assert!(shown.0 == 6 && shown.1.contains("--repair"), "{shown:?}");
    let repaired = said(&run(&["ledger", "fsck", &copy, "--key", &key, "--repair"]));
    assert!(repaired.0 == 0 && repaired.1.contains("will be made again"), "{repaired:?}");
    assert_eq!(fsck(&copy, &[]).0, 0);
    assert_eq!(fsck(&stage.text("missing.db"), &["--repair"]).0, 5);
    assert!(!stage.path("missing.db").exists());
}
