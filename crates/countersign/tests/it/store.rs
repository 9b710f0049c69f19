//! A ledger moved to PostgreSQL and back, by configuration, by file and by address, and served in between.

use std::process::Output;

use countersign_server::cluster::{Cluster, Wishes};
use serde_json::Value;

use crate::stage::{Stage, json, run, said, start};

fn copy(from: &str, to: &str) -> Output {
    run(&["--json", "store", "copy", "--from", from, "--to", to])
}

/// Asks for an approval of a server, under whatever name it listens.
fn ask(stage: &Stage, url: &str) -> Value {
    let credential = stage.text("Ana.json");
    let who = ["--json", "--server", url, "--credential", &credential];
    json(&run(&[&who[..], &["approval", "request", "override", "payout/limit", "production"]].concat()))
}

#[test]
fn a_ledger_moves_to_a_database_is_served_there_and_comes_back() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    ask(&stage, &served.url);
    let cluster = Cluster::start(&Wishes::default()).unwrap();
    cluster.create_database("ledger").unwrap();
    let (config, address) = (stage.text("node/countersign.toml"), cluster.uri("ledger"));
    let (code, locked) = said(&copy(&config, &address));
    assert!(code == 5 && locked.contains("another server already writes"), "{locked}");
    served.stop();

    let key = format!("@{}", stage.text("node/log.vkey"));
    let file = stage.text("node/data/ledger.db");
    let verified = json(&run(&["--json", "ledger", "verify", &file, "--key", &key]));
    let moved = json(&copy(&config, &address));
    assert_eq!((&moved["root"], &moved["entries"]), (&verified["root"], &verified["entries"]));
    assert_eq!((&moved["copied"], moved["from"].as_str()), (&moved["entries"], Some(file.as_str())));
    assert_eq!(json(&copy(&file, &address))["copied"], 0, "whoever asks again has nothing to do");

    let shared = stage.text("node/shared.toml");
    let text = std::fs::read_to_string(&config).unwrap() + &format!("\n[store]\npostgres = \"{address}\"\n");
    std::fs::write(&shared, text).unwrap();
    let (mut child, stdin, announced) = start(&["serve", "--config", &shared, "--with-parent"]);
    ask(&stage, &format!("http://{}", announced["listening"].as_str().unwrap()));
    drop(stdin);
    assert!(child.wait().unwrap().success());

    let (code, ahead) = said(&copy(&config, &shared));
    assert!(code == 6 && ahead.contains("ahead") && ahead.contains("nothing was written"), "{ahead}");
    let back = stage.text("back/ledger.db");
    let returned = json(&copy(&shared, &back));
    assert!(returned["entries"].as_u64() > moved["entries"].as_u64(), "{returned}");
    let checkpoint = stage.text("node/checkpoint");
    let fsck = ["--json", "ledger", "fsck", &back, "--key", &key, "--checkpoint", &checkpoint];
    assert_eq!(json(&run(&fsck))["intact"], true);
    // The file that it came from is an older state of it, and serves again once it has caught up.
    let caught_up = json(&copy(&shared, &config));
    assert_eq!(caught_up["root"], returned["root"]);
    assert!(caught_up["copied"].as_u64() < caught_up["entries"].as_u64(), "{caught_up}");
    let served = stage.serve();
    ask(&stage, &served.url);
    served.stop();
    assert_eq!(json(&run(&["--json", "ledger", "verify", &file, "--key", &key]))["verified"], true);
}

#[test]
fn what_cannot_be_copied_is_said_and_what_was_done_is_told() {
    let (stage, other) = (Stage::new(), Stage::new());
    let (config, target) = (stage.text("node/countersign.toml"), stage.text("target.db"));
    let (code, same) = said(&copy(&config, &stage.text("node/data/ledger.db")));
    assert!(code == 8 && same.contains("are the same store"), "{same}");
    let (code, missing) = said(&copy(&stage.text("missing.db"), &target));
    assert!(code == 5 && missing.contains("missing.db"), "{missing}");
    assert!(!stage.path("missing.db").exists() && !stage.path("target.db").exists());
    let (code, odd) = said(&copy(&config, "postgresql://role:word@db.example/ledger"));
    assert!(code == 8 && odd.contains("PGPASSWORD") && !odd.contains("word@"), "{odd}");

    let (code, told) = said(&run(&["store", "copy", "--from", &config, "--to", &target]));
    assert!(
        code == 0 && told.contains("Both stores hold the same") && told.contains("comparing: 0 of "),
        "{told}"
    );
    let (code, refused) = said(&copy(&other.text("node/countersign.toml"), &target));
    assert!(
        code == 6 && refused.contains("another log") && refused.contains("nothing was written"),
        "{refused}"
    );
}
