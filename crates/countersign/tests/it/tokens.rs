//! A service token from the terminal: issued, exchanged, used in its owner's name, and revoked.

use crate::stage::{Stage, json, run, said};

#[test]
fn a_token_asks_within_its_scopes_until_it_is_revoked() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let (file, narrower) = (stage.text("token.json"), stage.text("narrower.json"));
    let issue = |scope: &str, save: &str| {
        let words =
            ["token", "issue", "payouts", "--environment", "production", "--scope", scope, "--save", save];
        stage.by("Ana", &words)
    };
    let (code, told) = said(&issue("rotate:payout/limit", &file));
    assert!(code == 3 && told.contains("scope_not_offered"), "{told}");
    assert!(!std::path::Path::new(&file).exists(), "a clear no leaves nothing behind");
    let issued = json(&issue("override:payout/limit", &file));
    let id = issued["service_token"]["id"].as_str().unwrap();
    assert!(issued.get("token").is_none(), "what is in a file is not shown: {issued}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("cstk_"));

    let with = |file: &str, words: &[&str]| run(&[&["--json", "--credential", file], words].concat());
    let exchange =
        ["token", "exchange", "--scope", "override:payout/limit", "--lifetime", "60", "--save", &narrower];
    assert_eq!(json(&with(&file, &exchange))["service_token"]["parent"], id);
    let ask =
        |action: [&'static str; 3]| [&["approval", "request"], &action[..], &["--param", "limit=5"]].concat();
    let payout = ["override", "payout/limit", "production"];
    let asked = json(&with(&narrower, &ask(payout)));
    assert_eq!(asked["requester"]["name"], "Ana");
    for other in [["override", "payout/limit", "staging"], ["delete", "payout/limit", "production"]] {
        let (code, told) = said(&with(&narrower, &ask(other)));
        assert!(code == 3 && told.contains("out_of_scope"), "{told}");
    }
    let vote = ["approval", "approve", asked["id"].as_str().unwrap()];
    let (code, told) = said(&with(&narrower, &vote));
    assert!(code == 3 && told.contains("tokens_never_vote"), "{told}");

    let revoked = json(&stage.by("Ana", &["token", "revoke", id, "--reason", "leaked"]));
    assert_eq!(revoked["status"], "revoked");
    for file in [&file, &narrower] {
        let (code, told) = said(&with(file, &ask(payout)));
        assert!(code == 4 && told.contains("unauthenticated"), "{code} {told}");
    }
    let listed = json(&stage.by("Ana", &["token", "list"]));
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    served.stop();
}
