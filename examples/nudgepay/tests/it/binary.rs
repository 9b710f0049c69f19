//! The `nudgepay` binary as its parent sees it: one announcing line, and an end when the parent goes.
//!
//! What the programs do once they run is tested in the other modules, inside the test.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use serde_json::{Value, json};

use crate::stage::{self, HOOK_KEY, PATIENCE};

fn configuration(folder: &Path, extra: &Value) -> PathBuf {
    let mut config = json!({
        "listen": "127.0.0.1:0", "data_dir": folder.join("data"), "hook_key": HOOK_KEY,
        "initial_secret": stage::secret(1).reveal(), "lifetime": "with_parent"
    });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let path = folder.join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn spawn(program: &str, config: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nudgepay"));
    command.arg(program).arg(config).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn both_programs_announce_one_line_and_end_with_their_parent() {
    for (program, extra) in
        [("app", json!({ "provider_url": "http://127.0.0.1:9" })), ("provider", json!({}))]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut child = spawn(program, &configuration(folder.path(), &extra));
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let announced: Value = serde_json::from_str(&line).unwrap();
        let address = announced["listening"].as_str().unwrap();
        std::net::TcpStream::connect(address).unwrap();

        // Its output ends when it does; a program that stays is ended here, so that the test fails and does
        // not hang.
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            let mut rest = String::new();
            let _ = ended.send(out.read_to_string(&mut rest).map(|_| rest));
        });
        drop(child.stdin.take());
        let Ok(rest) = end.recv_timeout(PATIENCE) else {
            child.kill().unwrap();
            panic!("`{program}` outlives its parent");
        };
        let rest = rest.unwrap();
        assert!(child.wait().unwrap().success(), "{program}");
        assert_eq!((announced.as_object().unwrap().len(), rest.as_str()), (1, ""), "{program}");
    }
}

#[test]
fn a_wrong_configuration_is_told_without_quoting_a_key() {
    let folder = tempfile::tempdir().unwrap();
    for (extra, expect) in [
        (json!({ "hook_key": "whsec_hidden_but_not_base64" }), "is not a valid configuration (line 1"),
        (json!({ "surprise": 1 }), "is not a valid configuration (line 1"),
        (json!({ "workers": 0 }), "nudgepay: `workers` is not between 1 and 64"),
        (json!({ "listen": "0.0.0.0:0" }), "nudgepay: `0.0.0.0:0` is not a loopback address"),
    ] {
        let output = spawn("provider", &configuration(folder.path(), &extra)).wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(message.contains(expect) && !message.contains("hidden"), "{message}");
    }
}
