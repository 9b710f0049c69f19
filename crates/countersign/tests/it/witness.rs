//! A witness of one's own beside a node: both are real processes, and what they say to each other is what others can check.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdin};

use serde_json::Value;

use crate::stage::{Stage, json, run, said, start};

/// A running witness; killed when dropped, as a crash would.
struct Witness {
    child: Child,
    _stdin: ChildStdin,
    url: String,
    vkey: String,
}

impl Witness {
    fn serve(stage: &Stage) -> Self {
        let config = stage.text("witness/witness.toml");
        let (child, stdin, announced) = start(&["witness", "serve", "--config", &config, "--with-parent"]);
        let url = format!("http://{}", announced["listening"].as_str().unwrap());
        Self { child, _stdin: stdin, url, vkey: announced["vkey"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asks until the answer is right; each question is a process of its own, so nothing spins.
fn until(stage: &Stage, arguments: &[&str], holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let answer = stage.by("Ana", arguments);
        if let Ok(answer) = serde_json::from_slice::<Value>(&answer.stdout)
            && holds(&answer)
        {
            return answer;
        }
    }
    panic!("{arguments:?}: {:?}", said(&stage.by("Ana", arguments)));
}

#[test]
fn a_log_and_its_witness_keep_each_other_honest() {
    let stage = Stage::new();
    let log_key = std::fs::read_to_string(stage.path("node/log.vkey")).unwrap();
    let made = json(&run(&[
        "--json",
        "witness",
        "new",
        &stage.text("witness"),
        "--name",
        "witness.example/harbour",
        "--log",
        log_key.trim(),
        "--listen",
        "127.0.0.1:0",
    ]));
    let mode = std::fs::metadata(stage.path("witness/witness.key")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let witness = Witness::serve(&stage);
    assert_eq!(made["vkey"], witness.vkey.as_str());
    let config = stage.path("node/countersign.toml");
    let node = std::fs::read_to_string(&config).unwrap();
    let vkey = witness.vkey.clone();
    let with = |url: &str| {
        format!("{node}\n[[witnesses]]\nname = \"harbour\"\nvkey = \"{vkey}\"\nurl = \"{url}\"\n")
    };
    std::fs::write(&config, with(&witness.url)).unwrap();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let fares = until(&stage, &["ledger", "witnesses"], |fares| {
        fares["witnessed_size"].is_u64() && fares["witnessed_size"] == fares["signed_size"]
    });
    assert_eq!((&fares["policy"], &fares["witnesses"][0]["lag"]), (&"all".into(), &0.into()), "{fares}");
    let note = json(&stage.by("Ana", &["ledger", "checkpoint", "--witnessed"]));
    assert!(note["checkpoint"].as_str().unwrap().contains("\u{2014} witness.example/harbour "), "{note}");
    let human = {
        let credential = stage.text("Ana.json");
        said(&run(&["--credential", &credential, "ledger", "witnesses"]))
    };
    assert!(human.0 == 0 && human.1.contains("harbour"), "{human:?}");

    // The witness crashes, the log goes on, and the witness goes on from where it was.
    drop(witness);
    json(&stage.by(
        "Ana",
        &["approval", "request", "override", "payout/limit", "production", "--reason", "the log goes on"],
    ));
    until(&stage, &["ledger", "witnesses"], |fares| fares["witnesses"][0]["failing_since"].is_string());
    served.stop();
    let witness = Witness::serve(&stage);
    assert_eq!(witness.vkey, vkey);
    std::fs::write(&config, with(&witness.url)).unwrap();
    let served = stage.serve();
    until(&stage, &["--server", &served.url, "ledger", "witnesses"], |fares| {
        fares["witnessed_size"] == fares["signed_size"] && fares["witnesses"][0]["failing_since"].is_null()
    });
    served.stop();
}

#[test]
fn what_a_witness_cannot_work_with_is_named() {
    let stage = Stage::new();
    let new = |name: &str, log: &str| {
        said(&run(&["witness", "new", &stage.text("w"), "--name", name, "--log", log]))
    };
    let log_key = std::fs::read_to_string(stage.path("node/log.vkey")).unwrap();
    let (code, complaint) = new("two words", log_key.trim());
    assert!(code == 8 && complaint.contains("--name"), "{complaint}");
    let (code, complaint) = new("witness.example/w", "not-a-key");
    assert!(code == 8 && complaint.contains("--log not-a-key"), "{complaint}");
    assert!(!stage.path("w").exists());
    assert_eq!(new("witness.example/w", log_key.trim()).0, 0);
    let (code, complaint) = new("witness.example/w", log_key.trim());
    assert!(code == 8 && complaint.contains("cannot be made"), "{complaint}");
    let config = stage.text("w/witness.toml");
    std::fs::write(stage.path("w/witness.key"), "short").unwrap();
    let (code, complaint) = said(&run(&["witness", "serve", "--config", &config]));
    assert!(code == 8 && complaint.contains("32 bytes in base64"), "{complaint}");
}
