//! A node made by `new` and `init`, served by a real process, and people who claimed their credentials.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The people, in the order of their enrolment.
pub(crate) const PEOPLE: [&str; 3] = ["Ana", "Ben", "Chloe"];

/// Runs the binary to its end, without a trace of the environment's own settings.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    for name in ["COUNTERSIGN_CREDENTIAL_FILE", "COUNTERSIGN_SERVER", "COUNTERSIGN_SABOTAGE"] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// Starts a server that ends with its standard input, and reads the line in which it announces where it listens.
pub(crate) fn start(arguments: &[&str]) -> (Child, ChildStdin, Value) {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, stdin, serde_json::from_str(&line).unwrap())
}

/// The exit code and what was said on both outputs.
pub(crate) fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code().unwrap_or(-1), text.concat())
}

/// The one JSON document a successful command printed.
#[track_caller]
pub(crate) fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{:?}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder with a node in it.
pub(crate) struct Stage {
    folder: TempDir,
}

/// A running server; it ends when this value is dropped.
pub(crate) struct Served {
    child: Child,
    _stdin: ChildStdin,
    pub(crate) url: String,
}

impl Stage {
    /// `new` and `init`.
    pub(crate) fn new() -> Self {
        Self::governed_by(&[])
    }

    /// `new` and `init`, with these rules added to the policy that `new` wrote.
    pub(crate) fn governed_by(rules: &[Value]) -> Self {
        Self::frozen_by(rules, &[])
    }

    /// The same, with freezes of these names that hold an action for this century.
    pub(crate) fn frozen_by(rules: &[Value], freezes: &[(&str, &str)]) -> Self {
        Self::written(|_| {
            let rules = rules.iter().map(rule);
            rules.chain(freezes.iter().map(freeze)).collect()
        })
    }

    /// `new` and `init`, with this added to the policy that `new` wrote, for the people it enrolled.
    pub(crate) fn written(more: impl FnOnce(&Self) -> String) -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        let node = stage.text("node");
        let mut arguments =
            vec!["--json", "new", &node, "--origin", "test.example/log", "--listen", "127.0.0.1:0"];
        arguments.extend(PEOPLE.iter().flat_map(|name| ["--person", name]));
        json(&run(&arguments));
        let policy = stage.path("node/policy.toml");
        let mut text = std::fs::read_to_string(&policy).unwrap();
        text += &more(&stage);
        std::fs::write(&policy, text).unwrap();
        let (config, claims) = (stage.text("node/countersign.toml"), stage.text("claims"));
        json(&run(&["--json", "init", "--config", &config, "--claims", &claims]));
        stage
    }

    /// The id of one of the people.
    pub(crate) fn person(&self, name: &str) -> String {
        let people: toml::Table =
            std::fs::read_to_string(self.path("node/people.toml")).unwrap().parse().unwrap();
        let each = people.values().find_map(toml::Value::as_array).unwrap();
        let named = each.iter().find(|person| person["name"].as_str() == Some(name)).unwrap();
        named["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// `serve`, until the value is dropped.
    pub(crate) fn serve(&self) -> Served {
        let config = self.text("node/countersign.toml");
        let (child, stdin, announced) = start(&["serve", "--config", &config, "--with-parent"]);
        let url = format!("http://{}", announced["listening"].as_str().unwrap());
        Served { child, _stdin: stdin, url }
    }

    /// Everybody replaces their claim.
    pub(crate) fn claim_all(&self, server: &str) {
        for name in PEOPLE {
            let (claim, saved) =
                (self.text(&format!("claims/{name}.claim")), self.text(&format!("{name}.json")));
            json(&run(&["--json", "--server", server, "claim", "--claim", &claim, "--save", &saved]));
        }
    }

    /// Runs a command as one of the people, for its JSON.
    pub(crate) fn by(&self, name: &str, arguments: &[&str]) -> Output {
        let credential = self.text(&format!("{name}.json"));
        let mut all = vec!["--json", "--credential", &credential];
        all.extend(arguments);
        run(&all)
    }
}

/// A rule as a policy file has it; what it does not say is what the other rules of the stage say.
fn rule(rule: &Value) -> String {
    let mut whole = serde_json::json!({
        "requesters": ["operators"], "executors": ["operators"], "approval": "required", "quorum": { "operators": 2 },
        "pending_seconds": 600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 60,
    });
    if rule["approval"] == "not-required" {
        whole.as_object_mut().unwrap().remove("quorum");
    }
    whole.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    let lines = whole.as_object().unwrap().iter().map(|(key, value)| match value {
        // A table in one line has `=` where JSON has `:`.
        Value::Object(_) => format!("{key} = {}\n", value.to_string().replace("\":", "\" = ")),
        _ => format!("{key} = {value}\n"),
    });
    format!("\n[[rules]]\n{}", lines.collect::<String>())
}

/// A freeze as a policy file has it: its name, and what it holds.
fn freeze((name, action): &(&str, &str)) -> String {
    let words: Vec<&str> = action.split(' ').collect();
    let [verb, resource, environment] = words[..] else { panic!("`{action}` is no action") };
    format!(
        "\n[[freezes]]\nname = \"{name}\"\nverb = \"{verb}\"\nresource = \"{resource}\"\nenvironment = \"{environment}\"\n\
         from = \"2001-01-01T00:00:00Z\"\nuntil = \"2101-01-01T00:00:00Z\"\n"
    )
}

impl Served {
    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) {
        drop(self._stdin);
        assert!(self.child.wait().unwrap().success());
    }
}
