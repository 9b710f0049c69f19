//! The guard in a program of its own, with a real node: what is admitted is done once, whoever asks again and however often the program
//! is started; and without the node a document still holds, but nothing is begun.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use countersign_api::Reason;
use countersign_client::guard::{Assurance, Guard, Pinned};
use countersign_client::{Client, Credential, Patience};
use countersign_core::action::Action;
use countersign_core::id::PersonId;
use countersign_ledger::note::VerifierKey;
use serde_json::{Value, json as object};

use crate::stage::{Served, Stage, json};

/// The environment variable with what the program is to do, and for whom: JSON.
const ORDERS: &str = "COUNTERSIGN_TEST_GUARD";

/// Begins each of the program's lines, among whatever the test harness says.
const MARK: &str = "program: ";

/// Not a check by itself: run by [`said`], it is the guarded program. Without orders it checks that senseless ones are noticed.
#[test]
fn is_the_program() {
    match std::env::var(ORDERS) {
        Ok(orders) => guarded(&serde_json::from_str(&orders).unwrap()),
        Err(_) => assert!(!program("{}").status.success()),
    }
}

fn say(line: &str) {
    // A line of its own, whatever stands before it.
    writeln!(std::io::stdout().lock(), "\n{MARK}{line}").unwrap();
}

/// What a program that checks its permits itself does: admit, start online, and only then the deed, which is a line in a file.
fn guarded(orders: &Value) {
    let text = |name: &str| orders[name].as_str().unwrap();
    let pinned = Pinned {
        permit_keys: vec![VerifierKey::parse(text("permit_key")).unwrap()],
        log: "test.example/log".to_owned(),
        log_keys: vec![VerifierKey::parse(text("log_key")).unwrap()],
        roster: None,
        assurance: Assurance::ServersWord,
    };
    let guard = Guard::open(pinned, Path::new(text("spent"))).unwrap();
    let document = std::fs::read(text("document")).unwrap();
    let action: Action = serde_json::from_value(orders["action"].clone()).unwrap();
    let executor: PersonId = text("executor").parse().unwrap();
    let wanted = (&action, &orders["parameters"]);
    match guard.check(&document, wanted, executor) {
        Ok(verified) => say(&format!("{} holds", verified.leave.permit)),
        Err(error) => return say(&format!("refused: {error}")),
    }
    if orders["look"] == true {
        return begin(orders);
    }
    for _ in 0..2 {
        match guard.admit(&document, wanted, executor) {
            Ok(_) => begin(orders),
            Err(error) => say(&format!("refused: {error}")),
        }
    }
}

/// Starts the permit and does the deed, or does nothing.
fn begin(orders: &Value) {
    let text = |name: &str| orders[name].as_str().unwrap();
    let credential = Credential::parse(text("credential")).unwrap();
    let once = Patience { attempts: 1, ..Patience::default() };
    let client = Client::new(text("server"), Some(&credential)).unwrap().with_patience(once);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(client.start_permit(text("permit"), &Reason::default())) {
        Ok(permit) => {
            let mut deeds = std::fs::File::options().append(true).create(true).open(text("deeds")).unwrap();
            writeln!(deeds, "{}", permit.id).unwrap();
            say(&permit.status);
        }
        Err(_) => say("not started"),
    }
}

/// Another process of this binary, run to its end.
fn program(orders: &str) -> Output {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.env(ORDERS, orders).args(["--exact", "guard::is_the_program", "--nocapture"]);
    program.stdin(Stdio::null()).output().unwrap()
}

/// What the program says.
fn said(orders: &Value) -> Vec<String> {
    let output = program(&orders.to_string());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.strip_prefix(MARK)).map(ToOwned::to_owned).collect()
}

/// One permit of Ana's, its document in a file, and what the program has pinned.
struct Given {
    stage: Stage,
    orders: Value,
}

impl Given {
    fn permit() -> (Self, Served) {
        let rule = object!({ "name": "deploy", "verb": "deploy", "resource": "app/web", "environment": "production",
                             "approval": "not-required" });
        let stage = Stage::governed_by(&[rule]);
        let served = stage.serve();
        stage.claim_all(&served.url);
        let reserve = ["permit", "reserve", "deploy", "app/web", "production", "--param", "image=sha256:abc"];
        let permit = json(&stage.by("Ana", &reserve));
        let id = permit["id"].as_str().unwrap();
        let document = stage.text("permit.json");
        json(&stage.by("Ana", &["permit", "document", id, "--out", &document]));
        let key = |kind: &str, member: &str| {
            let listed = json(&stage.by("Ana", &["entry", "list", "--kind", kind]));
            let leaf = listed["items"][0]["leaf_text"].as_str().unwrap();
            serde_json::from_str::<Value>(leaf).unwrap()["data"][member].as_str().unwrap().to_owned()
        };
        let saved: Value = serde_json::from_slice(&std::fs::read(stage.path("Ana.json")).unwrap()).unwrap();
        let orders = object!({
            "document": document, "permit": id, "permit_key": key("log.permit_key_named", "key"), "log_key": key("log.created", "log_key"),
            "executor": permit["executor"]["id"], "action": permit["action"], "parameters": { "image": "sha256:abc" },
            "spent": stage.text("spent"), "deeds": stage.text("deeds"),
            "server": served.url, "credential": saved["credential"],
        });
        (Self { stage, orders }, served)
    }

    /// What the program says, told something else in one place.
    fn program(&self, member: &str, value: Value) -> Vec<String> {
        let mut orders = self.orders.clone();
        orders[member] = value;
        said(&orders)
    }

    fn id(&self) -> &str {
        self.orders["permit"].as_str().unwrap()
    }

    /// The permits under which something was done, in order.
    fn deeds(&self) -> String {
        std::fs::read_to_string(self.stage.path("deeds")).unwrap_or_default()
    }
}

#[test]
fn what_is_admitted_is_done_once_also_by_a_program_that_is_started_again() {
    let (given, served) = Given::permit();
    let id = given.id();
    let other = given.program("parameters", object!({ "image": "sha256:abd" }));
    assert_eq!(other, ["refused: the permit is for other parameters"]);
    let already = format!("refused: `{id}` was used already");
    assert_eq!(
        given.program("look", object!(false)),
        [format!("{id} holds"), "started".into(), already.clone()]
    );
    let shown = json(&given.stage.by("Ana", &["permit", "show", id]));
    assert_eq!(shown["status"], "started");
    let again = given.program("look", object!(false));
    assert_eq!(again, [format!("{id} holds"), already.clone(), already]);
    assert_eq!(given.deeds(), format!("{id}\n"));
    // Another memory admits it: that is what the start online is for.
    let elsewhere = given.program("spent", object!(given.stage.text("elsewhere")));
    assert_eq!(elsewhere[1], "not started");
    assert_eq!(given.deeds(), format!("{id}\n"));
    served.stop();
}

#[test]
fn the_permit_of_a_stopped_node_holds_but_nothing_is_begun() {
    let (given, served) = Given::permit();
    served.stop();
    let id = given.id();
    assert_eq!(given.program("look", object!(true)), [format!("{id} holds"), "not started".into()]);
    assert_eq!(given.deeds(), "");
    // Looking spent nothing: once the node is back, it is done.
    let served = given.stage.serve();
    let said = given.program("server", object!(served.url));
    assert_eq!(said[..2], [format!("{id} holds"), "started".into()]);
    assert_eq!(given.deeds(), format!("{id}\n"));
    served.stop();
}
