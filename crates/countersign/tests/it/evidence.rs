//! The case of an approval, from the terminal: exported with and without the server, verified offline, and refused where it must be.

use crate::stage::{Stage, json, run, said};

#[test]
fn a_case_is_exported_once_and_verified_anywhere() {
    let (stage, other) = (Stage::new(), Stage::new());
    let served = stage.serve();
    stage.claim_all(&served.url);
    let requested = json(&stage.by(
        "Ana",
        &["approval", "request", "activate", "policy/main", "control", "--param", "policy_sha256=00"],
    ));
    let case = requested["id"].as_str().unwrap();
    let (online, offline, key) =
        (stage.text("case.html"), stage.text("same.html"), format!("@{}", stage.text("node/log.vkey")));
    let export = ["evidence", "export", case, "--out", &online];
    // Whatever was signed by now is in it; the request is, at the latest, when the server has stopped.
    served.stop();
    let database = stage.text("node/data/ledger.db");
    let export_offline = ["--json", "evidence", "export", case, "--out", &offline, "--database", &database];
    let exported = said(&run(&export_offline));
    assert_eq!(exported.0, 0, "{exported:?}");
    assert_eq!(said(&run(&export_offline)).0, 1, "a file that exists is not overwritten");
    assert_eq!(said(&stage.by("Ana", &export)).0, 5, "no server runs");
    let verify = |file: &str, key: &str| said(&run(&["--json", "evidence", "verify", file, "--key", key]));
    let (code, document) = verify(&offline, &key);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!((code, &document["verified"]), (0, &true.into()), "{document}");
    let stranger = format!("@{}", other.text("node/log.vkey"));
    assert_eq!(verify(&offline, &stranger).0, 6, "another log's key");
    assert_eq!(verify(&offline, "nonsense").0, 8);
    assert_eq!(said(&run(&["evidence", "verify", &offline])).0, 2, "a key must be given");
    let nothing = [
        "evidence",
        "export",
        "apr_00000000000000000000000000000009",
        "--out",
        &online,
        "--database",
        &database,
    ];
    assert_eq!(said(&run(&nothing)).0, 7);
    let odd = ["evidence", "export", "--actor", "everybody", "--out", &online, "--database", &database];
    assert_eq!(said(&run(&odd)).0, 8);
}
