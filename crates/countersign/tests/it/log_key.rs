//! The log's key is rotated with the commands people use, and whoever pinned either key can verify, also after a restart.

use crate::stage::{Stage, json, run, said};

/// Draws a key, names it in the configuration, and gives its public half.
fn next_key(stage: &Stage, name: &str) -> String {
    let file = stage.text(name);
    let drawn = json(&run(&["--json", "log-key", "new", &file, "--origin", "test.example/log"]));
    let config = stage.path("node/countersign.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let with = format!("next_log_key = \"file:{file}\"\nsealing_key =");
    std::fs::write(&config, text.replace("sealing_key =", &with)).unwrap();
    assert_eq!(
        said(&run(&["log-key", "new", &file, "--origin", "test.example/log"])).0,
        8,
        "nothing is overwritten"
    );
    drawn["vkey"].as_str().unwrap().to_owned()
}

fn approved(stage: &Stage, vkey: &str) -> String {
    let parameter = format!("new_key={vkey}");
    let request = ["approval", "request", "rotate", "log-key/main", "control", "--param", &parameter];
    let id = json(&stage.by("Ana", &request))["id"].as_str().unwrap().to_owned();
    for name in ["Ben", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", &id]));
    }
    id
}

fn verified(stage: &Stage, key: &str) -> serde_json::Value {
    json(&run(&["--json", "ledger", "verify", &stage.text("node/data/ledger.db"), "--key", key]))
}

#[test]
fn the_key_is_rotated_and_both_pinned_keys_verify_before_and_after_a_restart() {
    let stage = Stage::new();
    let old = std::fs::read_to_string(stage.path("node/log.vkey")).unwrap().trim().to_owned();
    let new = next_key(&stage, "next.key");
    let served = stage.serve();
    stage.claim_all(&served.url);
    let (code, complaint) = said(&stage.by("Ana", &["log-key", "rotate"]));
    assert!(code == 3 && complaint.contains("new_key=VKEY"), "{complaint}");
    let wrong = approved(&stage, &old);
    let (code, complaint) = said(&stage.by("Ana", &["log-key", "rotate", "--approval", &wrong]));
    assert!(code == 3 && complaint.contains("parameters_mismatch"), "{complaint}");

    let follow = |url: &str, key: &str| {
        let (log, memory) = (format!("{url}/ledger"), stage.text("followed"));
        said(&run(&["--json", "ledger", "follow", &log, "--once", "--state", &memory, "--key", key]))
    };
    assert_eq!(follow(&served.url, &old).0, 0);

    let id = approved(&stage, &new);
    let keys = json(&stage.by("Ana", &["log-key", "rotate", "--approval", &id]));
    let named: Vec<&str> =
        keys["keys"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert_eq!(named, [old.as_str(), new.as_str()]);
    assert_eq!(json(&stage.by("Ben", &["log-key", "show"])), keys);
    served.stop();
    let full = verified(&stage, &old);
    assert_eq!((&full["keys"], &full["unsigned_entries"]), (&2.into(), &0.into()));
    assert_eq!(verified(&stage, &new)["signed_entries"], full["signed_entries"]);

    let served = stage.serve();
    let index = keys["keys"][1]["entry"].to_string();
    for (name, key) in [("Ben", &old), ("Chloe", &new)] {
        let stage_by = stage_with_server(&stage, name, &served.url);
        let proved = json(&run(&[&stage_by[..], &["ledger", "prove", &index, "--key", key]].concat()));
        assert_eq!(proved["entry"]["leaf"]["kind"], "log.key_rotated");
    }
    // A follower who goes on with the old key is led to the new one; one who pins the new key goes on from there.
    for key in [&old, &new] {
        let (code, told) = follow(&served.url, key);
        assert_eq!(code, 0, "{told}");
    }
    served.stop();

    // The configuration names the new key alone from now on; the old one alone starts nothing.
    let config = stage.path("node/countersign.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.starts_with("next_log_key"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&config, &without).unwrap();
    let (code, complaint) = said(&run(&["serve", "--config", &stage.text("node/countersign.toml")]));
    assert!(code == 8 && complaint.contains(&old) && complaint.contains(&new), "{complaint}");
    let log_key = without.lines().find(|line| line.starts_with("log_key")).unwrap();
    let moved = format!("log_key = \"file:{}\"", stage.text("next.key"));
    std::fs::write(&config, without.replace(log_key, &moved)).unwrap();
    stage.serve().stop();
    verified(&stage, &old);
}

/// The arguments by which somebody speaks to the server where it is now.
fn stage_with_server<'a>(stage: &Stage, name: &str, url: &'a str) -> [&'a str; 5] {
    let credential: &'static str = Box::leak(stage.text(&format!("{name}.json")).into_boxed_str());
    ["--json", "--credential", credential, "--server", url]
}
