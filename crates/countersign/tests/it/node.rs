//! From an empty folder to a server, and everything that must be refused on the way with a clear word.

use std::os::unix::fs::PermissionsExt as _;

use crate::stage::{Stage, json, run, said};

#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let (found, complaint) = said(&run(arguments));
    assert_eq!(found, code, "{complaint}");
    for word in words {
        assert!(complaint.contains(word), "`{word}` is not in:\n{complaint}");
    }
}

#[test]
fn nothing_is_ever_overwritten_and_keys_are_private() {
    let stage = Stage::new();
    let (node, config) = (stage.text("node"), stage.text("node/countersign.toml"));
    refused(&["new", &node, "--origin", "x.example", "--person", "Ana"], 8, &["cannot be made", "hint"]);
    refused(&["init", "--config", &config], 8, &["already holds a log"]);
    for key in ["node/keys/log.key", "node/keys/sealing.key", "claims/Ana.claim"] {
        let mode = std::fs::metadata(stage.path(key)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{key}");
    }
}

#[test]
fn a_second_server_and_an_odd_configuration_are_refused() {
    let stage = Stage::new();
    let config = stage.text("node/countersign.toml");
    let served = stage.serve();
    refused(&["serve", "--config", &config], 5, &["another server already writes"]);
    served.stop();
    let text = std::fs::read_to_string(&config).unwrap();
    let odd = stage.text("node/odd.toml");
    std::fs::write(&odd, text.replace("listen =", "lissten =")).unwrap();
    refused(
        &["serve", "--config", &odd],
        8,
        &["odd.toml:2", "unknown key `lissten`", "did you mean `listen`"],
    );
    refused(&["serve", "--config", &stage.text("none.toml")], 8, &["none.toml", "cannot be read"]);
}

#[test]
fn a_policy_is_checked_with_line_and_nearest_key() {
    let stage = Stage::new();
    let policy = stage.text("node/policy.toml");
    let sound = json(&run(&["--json", "policy", "check", &policy]));
    assert_eq!(sound["policy_sha256"].as_str().unwrap().len(), 64);
    let text = std::fs::read_to_string(&policy).unwrap();
    for (from, to, words) in [
        (
            "approval = \"required\"",
            "aproval = \"required\"",
            ["unknown key `aproval`", "did you mean `approval`"],
        ),
        ("quorum = { operators = 2 }", "quorum = { operators = 0 }", ["policy.toml", "0"]),
        ("quorum = { operators = 2 }", "quorum = { nobody = 2 }", ["nobody", "policy.toml"]),
    ] {
        std::fs::write(&policy, text.replacen(from, to, 1)).unwrap();
        refused(&["policy", "check", &policy], 8, &words);
    }
}

#[test]
fn a_secret_is_named_by_reference_and_never_shown() {
    let stage = Stage::new();
    let config = stage.text("node/countersign.toml");
    let init = |secret: &str| said(&run(&["init", "--config", &config, "--secret", secret]));
    let (code, complaint) = init("webhook-signing/stripe@production=hunter2");
    assert!(code == 8 && complaint.contains("file:"), "{complaint}");
    assert_eq!(init("webhook-signing/stripe").0, 8);
    assert_eq!(init("webhook-signing/stripe@production=env:COUNTERSIGN_TEST_NOT_SET").0, 8);
    assert!(stage.root().exists());
}
