//! What people do from the terminal, from the claim to the finished permit, and what they are told when it is not possible.

use crate::stage::{Stage, json, run, said};

const PAYOUT: [&str; 3] = ["override", "payout/limit", "production"];

#[test]
fn two_other_people_agree_and_the_work_is_done() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let ask =
        [&["approval", "request"][..], &PAYOUT, &["--param", "limit_minor=5000", "--reason", "quarter end"]];
    let request = json(&stage.by("Ana", &ask.concat()));
    let id = request["id"].as_str().unwrap();
    let reserve = |limit: &str| {
        let limit = format!("limit_minor={limit}");
        stage.by(
            "Ana",
            &[&["permit", "reserve"][..], &PAYOUT, &["--approval", id, "--param", &limit]].concat(),
        )
    };
    let own = said(&stage.by("Ana", &["approval", "approve", id]));
    assert!(own.0 == 3 && own.1.contains("self_approval"), "{own:?}");
    let early = said(&reserve("5000"));
    assert!(early.0 == 3 && early.1.contains("approval_pending") && early.1.contains("Chloe"), "{early:?}");
    for name in ["Ben", "Chloe"] {
        json(&stage.by(name, &["approval", "approve", id]));
    }
    assert_eq!(json(&stage.by("Ben", &["approval", "wait", id]))["status"], "approved");
    let other = said(&reserve("5001"));
    assert!(other.0 == 3 && other.1.contains("parameters_mismatch"), "{other:?}");
    let permit = json(&reserve("5000"));
    let permit = permit["id"].as_str().unwrap();
    assert_eq!(json(&stage.by("Ana", &["permit", "start", permit]))["status"], "started");
    assert_eq!(json(&stage.by("Ana", &["permit", "finish", permit, "succeeded"]))["status"], "succeeded");
    let again = said(&reserve("5000"));
    assert!(again.0 == 3 && again.1.contains("approval_consumed"), "{again:?}");
    served.stop();
}

#[test]
fn people_are_told_who_could_help_and_nothing_hidden_reaches_their_terminal() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let ask = [&["approval", "request"][..], &PAYOUT, &["--reason", "pay \u{202e}001"]].concat();
    let id = json(&stage.by("Ana", &ask))["id"].as_str().unwrap().to_owned();
    let [ana, ben] = ["Ana.json", "Ben.json"].map(|name| stage.text(name));
    let shown = said(&run(&["--credential", &ben, "approval", "show", &id])).1;
    assert!(shown.contains("pay \\u{202e}001") && !shown.contains('\u{202e}'), "{shown}");
    assert!(
        shown.contains("2 of operators: Ben, Chloe") || shown.contains("2 of operators: Chloe, Ben"),
        "{shown}"
    );
    let reserve = [&["--credential", &ana, "permit", "reserve"][..], &PAYOUT].concat();
    let (code, complaint) = said(&run(&reserve));
    assert_eq!(code, 3);
    for word in ["error:", "needs 2 more of operators: Ben, Chloe", "code: approval_required", "hint:"] {
        assert!(complaint.contains(word), "{complaint}");
    }
    let explain = [&["--credential", &ana, "policy", "explain"][..], &PAYOUT].concat();
    let (code, explanation) = said(&run(&explain));
    assert_eq!(code, 0, "{explanation}");
    for words in ["may request", "2 of operators: Ben, Chloe", "Ana executes  yes"] {
        assert!(explanation.contains(words), "{explanation}");
    }
    served.stop();
}

#[test]
fn waiting_ends_as_the_request_does_and_somebody_may_stand_in() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let ask = || {
        let request = json(&stage.by("Ana", &[&["approval", "request"][..], &PAYOUT].concat()));
        request["id"].as_str().unwrap().to_owned()
    };
    let (denied, withdrawn, late) = (ask(), ask(), ask());
    json(&stage.by("Ben", &["approval", "deny", &denied, "--reason", "not now"]));
    json(&stage.by("Ana", &["approval", "withdraw", &withdrawn]));
    for (id, code) in [(&denied, 10), (&withdrawn, 12)] {
        assert_eq!(said(&stage.by("Ana", &["approval", "wait", id])).0, code);
    }
    assert_eq!(said(&stage.by("Ana", &["approval", "wait", &late, "--timeout", "1"])).0, 5);
    let listed = |who: &str, flag: &str| {
        let page = json(&stage.by(who, &["approval", "list", flag]));
        page["items"].as_array().unwrap().len()
    };
    assert_eq!([listed("Ana", "--mine"), listed("Ben", "--for-me"), listed("Ben", "--stuck")], [3, 1, 0]);
    let person = |who: &str| json(&stage.by(who, &["whoami"]))["id"].as_str().unwrap().to_owned();
    let (ben, chloe) = (person("Ben"), person("Chloe"));
    let until = ["--until", "2099-01-01T00:00:00Z"];
    let delegate = [&["approval", "delegate", &chloe][..], &until].concat();
    let (code, complaint) = said(&stage.by("Ben", &delegate));
    assert!(code == 8 && complaint.contains("wrong_period"), "{complaint}");
    let (code, complaint) = said(&stage.by("Chloe", &["approval", "approve", &late, "--for", &ben]));
    assert!(code == 3 && complaint.contains("not_a_delegate"), "{complaint}");
    assert_eq!(said(&stage.by("Ben", &["approval", "undelegate"])).0, 3);
    json(&stage.by("Chloe", &["approval", "approve", &late]));
    assert_eq!(json(&stage.by("Chloe", &["approval", "revoke", &late]))["votes"], serde_json::json!([]));
    assert_eq!(json(&stage.by("Ana", &["approval", "delegations"]))["items"], serde_json::json!([]));
    assert_eq!(json(&stage.by("Ana", &["approval", "reciprocal"]))["items"], serde_json::json!([]));
    served.stop();
}

#[test]
fn a_claim_works_once_and_a_lost_server_is_said_to_be_lost() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let (claim, other) = (stage.text("claims/Ana.claim"), stage.text("other.json"));
    let again = ["--server", &served.url, "claim", "--claim", &claim, "--save", &other];
    let (code, complaint) = said(&run(&again));
    assert!(code == 3 && complaint.contains("unknown_claim"), "{complaint}");
    assert!(!stage.path("other.json").exists(), "a refused claim leaves no credential behind");
    let mine = stage.text("Ana.json");
    let repeated = ["--json", "--server", &served.url, "claim", "--claim", &claim, "--save", &mine];
    assert_eq!(
        json(&run(&repeated))["name"],
        "Ana",
        "the same claim with the same credential may be repeated"
    );
    let elsewhere = ["--server", "http://127.0.0.1:9", "claim", "--claim", &claim, "--save", &mine];
    assert_eq!(said(&run(&elsewhere)).0, 8, "a credential is for one server");
    assert_eq!(json(&stage.by("Ana", &["whoami"]))["name"], "Ana");
    served.stop();
    let (code, complaint) = said(&stage.by("Ana", &["whoami"]));
    assert!(code == 5 && complaint.contains("cannot reach"), "{complaint}");
}

#[test]
fn mistakes_are_named_before_anything_is_sent() {
    let stage = Stage::new();
    let (code, complaint) = said(&stage.by("Ana", &["whoami"]));
    assert!(code == 4 && complaint.contains("countersign claim"), "{complaint}");
    assert_eq!(said(&run(&["approval"])).0, 2);
    let served = stage.serve();
    stage.claim_all(&served.url);
    for parameter in ["limit=1.5", "limit", "limit=9007199254740993"] {
        let ask = [&["approval", "request"][..], &PAYOUT, &["--param", parameter]].concat();
        assert_eq!(said(&stage.by("Ana", &ask)).0, 8, "{parameter}");
    }
    let odd = said(&stage.by("Ana", &["approval", "request", "Override", "payout/limit", "production"]));
    assert!(odd.0 == 8 && odd.1.contains("`Override` is not a name"), "{odd:?}");
    assert_eq!(said(&stage.by("Ana", &["approval", "show", "apr_00000000000000000000000000000001"])).0, 7);
    served.stop();
}

#[test]
fn lists_and_records_are_shown_to_people_and_programs() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    for noun in ["person", "approval", "permit", "rotation", "secret", "incident", "entry"] {
        assert!(json(&stage.by("Chloe", &[noun, "list"]))["items"].is_array(), "{noun}");
        let credential = stage.text("Chloe.json");
        assert_eq!(said(&run(&["--credential", &credential, noun, "list"])).0, 0, "{noun}");
    }
    let policy = json(&stage.by("Chloe", &["policy", "show"]));
    assert_eq!(policy["bootstrap"], true);
    assert!(said(&run(&["completions", "bash"])).1.contains("countersign"));
    served.stop();
}
