//! The command itself: its streams passed through and digested as they come, signals passed on, its end measured.
//!
//! Memory is bounded whatever it writes. Nothing here decides what the outcome means.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use countersign_api::permit::{Run, Written};
use rustix::process::{Pid, kill_process};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How much is passed on at once, bytes.
const CHUNK: usize = 64 * 1024;

/// How long something that outlives the command may keep its streams open before they are let go.
const GRACE: Duration = Duration::from_secs(2);

/// The signals that would end this program, and are the command's while it runs.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// Ctrl-C at a terminal reaches the command by itself, because both are in its foreground.
    at_terminal: bool,
}

impl Signals {
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            at_terminal: std::io::stdin().is_terminal(),
        })
    }

    async fn next(&mut self) -> rustix::process::Signal {
        tokio::select! {
            _ = self.interrupt.recv() => rustix::process::Signal::INT,
            _ = self.terminate.recv() => rustix::process::Signal::TERM,
            _ = self.hang_up.recv() => rustix::process::Signal::HUP,
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) run: Run,
    /// Why it could not be started, if it could not.
    pub(super) not_started: Option<String>,
    /// What a shell would have said.
    code: u8,
}

impl Ended {
    /// It said so itself, and nobody told it to stop.
    pub(super) fn succeeded(&self) -> bool {
        self.run.exit_code == Some(0) && self.run.interrupted_by.is_none() && self.not_started.is_none()
    }

    /// The exit code to pass on. An interrupted command that still said 0 was interrupted.
    pub(super) fn code(&self) -> u8 {
        match self.run.interrupted_by {
            Some(signal) if self.code == 0 => by_signal(signal),
            _ => self.code,
        }
    }
}

/// As shells say it.
fn by_signal(signal: i32) -> u8 {
    u8::try_from(signal).ok().and_then(|signal| signal.checked_add(128)).unwrap_or(u8::MAX)
}

/// Runs the command to its end.
pub(super) async fn perform(command: &[OsString], mut signals: Signals) -> anyhow::Result<Ended> {
    let (program, arguments) = command.split_first().context("no command is given")?;
    let begun = Instant::now();
    let spawned = Command::new(program).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Ok(never_began(&error)),
    };
    let (stop, stopped) = watch::channel(());
    let out = child.stdout.take().context("the command has no standard output")?;
    let err = child.stderr.take().context("the command has no standard error")?;
    let out = tokio::spawn(pass_on(out, std::io::stdout(), stopped.clone()));
    let err = tokio::spawn(pass_on(err, std::io::stderr(), stopped));
    let mut interrupted_by = None;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.context("waiting for the command")?,
            signal = signals.next() => {
                interrupted_by = Some(signal.as_raw());
                forward(&child, signal, signals.at_terminal);
            }
        }
    };
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let written = async { (out.await, err.await) };
    tokio::pin!(written);
    let (stdout, stderr) = tokio::select! {
        both = &mut written => both,
        () = tokio::time::sleep(GRACE) => {
            drop(stop);
            written.await
        }
    };
    let (stdout, stderr) =
        (stdout.context("reading standard output")?, stderr.context("reading standard error")?);
    let run = Run {
        exit_code: status.code(),
        signal: status.signal(),
        interrupted_by,
        duration_ms,
        stdout,
        stderr,
    };
    Ok(Ended { run, not_started: None, code: code(status) })
}

fn code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => by_signal(signal),
        (None, None) => u8::MAX,
    }
}

fn never_began(error: &std::io::Error) -> Ended {
    let nothing = || Written { bytes: 0, sha256: hex(Sha256::new()) };
    let run = Run {
        exit_code: None,
        signal: None,
        interrupted_by: None,
        duration_ms: 0,
        stdout: nothing(),
        stderr: nothing(),
    };
    let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    Ended { run, not_started: Some(error.to_string()), code }
}

fn forward(child: &Child, signal: rustix::process::Signal, at_terminal: bool) {
    if at_terminal && signal == rustix::process::Signal::INT {
        return;
    }
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // It may have ended in this moment; then there is nobody left to tell.
    let _ = pid.map(|pid| kill_process(pid, signal));
}

/// Passes on what is read until it ends, or until it is told to stop. Whoever does not want to read on is not written to any more, and the
/// command learns of it as it would have without us.
async fn pass_on<R, W>(mut from: R, mut to: W, mut stopped: watch::Receiver<()>) -> Written
where
    R: AsyncRead + Unpin,
    W: Write,
{
    let (mut digest, mut bytes, mut buffer) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
    loop {
        let read = tokio::select! {
            biased;
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = stopped.changed() => 0,
        };
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        digest.update(chunk);
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        let passed = tokio::task::block_in_place(|| to.write_all(chunk).and_then(|()| to.flush()));
        if passed.is_err() {
            break;
        }
    }
    Written { bytes, sha256: hex(digest) }
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
