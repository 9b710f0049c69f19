//! Programs of the demo as processes of their own: this binary, started again under another name.
//!
//! A server announces its address in one line on its standard output and ends when its standard input does, so nothing outlives the
//! demo, however the demo ends.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that listens.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// Kept open: the server ends when it is closed.
    _stdin: Option<ChildStdin>,
    address: SocketAddr,
}

#[derive(Deserialize)]
struct Announcement {
    listening: SocketAddr,
}

impl Server {
    /// Starts this binary with the arguments and waits until it listens; what it logs goes to the file.
    pub(super) async fn start(arguments: &[&OsStr], log: &Path) -> anyhow::Result<Self> {
        let what = spoken(arguments);
        let logged = std::fs::File::options().create(true).append(true).open(log);
        let logged = logged.with_context(|| format!("opening `{}`", log.display()))?;
        let mut child = command(arguments)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(logged)
            .spawn()
            .with_context(|| format!("starting `{what}`"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("the child has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let first = first.with_context(|| format!("`{what}` did not listen within {PATIENCE:?}"))?;
        let Some(line) = first.with_context(|| format!("reading what `{what}` says"))? else {
            bail!("`{what}` ended before it listened; it said:\n{}", last_lines(log));
        };
        let Announcement { listening: address } =
            serde_json::from_str(&line).with_context(|| format!("`{what}` said `{line}`"))?;
        Ok(Self { child, _stdin: stdin, address })
    }

    /// Where it listens, as a link.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it with SIGKILL: it learns nothing and finishes nothing.
    pub(super) async fn kill(mut self) -> anyhow::Result<ExitStatus> {
        self.child.start_kill().context("killing a server")?;
        self.child.wait().await.context("waiting for a killed server")
    }
}

/// What a command that ended printed, and how it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ended {
    /// The standard output, if the command succeeded.
    pub(super) fn successful(self) -> anyhow::Result<String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => bail!("it ended with {code:?} and said:\n{}{}", self.stdout, self.stderr),
        }
    }
}

/// Runs this binary with the arguments to its end.
pub(super) async fn run(arguments: &[&OsStr]) -> anyhow::Result<Ended> {
    let output = command(arguments)?.stdin(Stdio::null()).output().await;
    let output = output.with_context(|| format!("running `{}`", spoken(arguments)))?;
    Ok(Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn command(arguments: &[&OsStr]) -> anyhow::Result<Command> {
    let mut command = Command::new(program()?);
    command.args(arguments).kill_on_drop(true);
    Ok(command)
}

/// This binary.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("finding this program's own file")
}

fn spoken(arguments: &[&OsStr]) -> String {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    format!("countersign {}", words.join(" "))
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
