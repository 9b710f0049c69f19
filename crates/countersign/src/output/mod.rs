//! What is printed: JSON for programs, tables for people. Nothing else in this binary writes to standard output, except the demo.

use std::fmt;
use std::io::Write as _;

use serde::Serialize;

mod table;

pub(crate) use countersign_evidence::text::visible;
pub(crate) use table::{Table, fields};

/// Where and in which form answers go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Shows a value: itself as JSON, or what `human` makes of it.
    pub(crate) fn show<T: Serialize>(
        self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        if self.json { line(&serde_json::to_string(value)?) } else { line(&human(value)) }
    }

    /// Tells people something; programs are not disturbed.
    pub(crate) fn say(self, text: &str) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { line(text) }
    }
}

/// Standard output took no more. Apart from other input and output, because whoever closed it has seen enough: that is no failure.
#[derive(Debug)]
pub(crate) struct Unwritable(std::io::Error);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "standard output cannot be written: {}", self.0)
    }
}

impl std::error::Error for Unwritable {}

impl From<std::io::Error> for Unwritable {
    fn from(error: std::io::Error) -> Self {
        Self(error)
    }
}

impl Unwritable {
    pub(crate) fn is_closed(&self) -> bool {
        self.0.kind() == std::io::ErrorKind::BrokenPipe
    }
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    Ok(written.map_err(Unwritable)?)
}
