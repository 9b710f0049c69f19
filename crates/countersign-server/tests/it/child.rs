//! The other process of those tests that need one, to be killed or to have a rule broken in it: this very binary, run again with
//! a role. Parent and child speak in lines.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Running, ChildStdin, ChildStdout, Command, Stdio};

/// The environment variable that gives a process its role.
const ROLE: &str = "COUNTERSIGN_TEST_ROLE";

/// Begins each of the child's lines, among whatever the test harness says.
const MARK: &str = "child: ";

/// Not a check by itself: run by [`Child::start`], it is the child. Without a role it checks that an unknown one is noticed.
#[test]
fn plays_its_role() {
    match std::env::var(ROLE) {
        Ok(role) if role == "engine" => crate::power::child::play(),
        Ok(role) if role == "forks" => crate::witness::play_forks(),
        Ok(role) if role == "witness" => crate::witness::play(),
        Ok(role) if role == "no-overlay" => crate::engine::overlay::play(),
        Ok(role) => panic!("there is no role `{role}`"),
        Err(_) => {
            let mut nobody = Child::start(Command::new("env"), "nobody");
            assert_eq!(nobody.line(), None);
            assert!(!nobody.running.wait().expect("it ends").success());
        }
    }
}

/// Says a line to the parent.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{MARK}{line}").and_then(|()| out.flush()).expect("the parent listens");
}

/// Another process of this binary; killed when dropped.
pub(crate) struct Child {
    running: Running,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Child {
    /// Starts the role. `through` is the `env` program with whatever variables the child is to have.
    pub(crate) fn start(mut through: Command, role: &str) -> Self {
        let binary = std::env::current_exe().expect("this binary");
        let mut running = through
            .env(ROLE, role)
            .arg(binary)
            .args(["--exact", "child::plays_its_role", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the child starts");
        let orders = running.stdin.take().expect("a pipe");
        let answers = BufReader::new(running.stdout.take().expect("a pipe"));
        Self { running, orders, answers }
    }

    /// Gives an order. A child that is gone is noticed by its answers.
    pub(crate) fn order(&mut self, order: &str) {
        drop(writeln!(self.orders, "{order}").and_then(|()| self.orders.flush()));
    }

    /// The child's next line, or the shim's `cut`; none when it has ended.
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line).expect("the child speaks UTF-8") == 0 {
                return None;
            }
            let line = line.trim_end();
            if let Some(said) = line.strip_prefix(MARK) {
                return Some(said.to_owned());
            }
            if line == "cut" {
                return Some(line.to_owned());
            }
        }
    }

    /// Kills the process and gives everything it had still said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.running.kill().expect("it can be killed");
        self.running.wait().expect("it ends");
        std::iter::from_fn(|| self.line()).collect()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.running.kill());
        drop(self.running.wait());
    }
}
