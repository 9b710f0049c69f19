//! Where entries go, as a stream of bytes: a file or standard output. Each says when what it took cannot be lost any more.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use crate::failure::{Failure, Kind};
use crate::output::Unwritable;

/// Entries that are handed over together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    /// The same for the same entries, also in another attempt.
    pub(crate) id: &'a str,
    pub(crate) items: &'a [&'a str],
    /// What stands after each in a stream.
    pub(crate) ending: &'static str,
}

/// Takes batches, one after the other.
pub(crate) trait Sink {
    /// What stands before the first batch of all.
    fn begin(&mut self, header: String) -> anyhow::Result<()>;

    /// Takes a batch. When it returns, the batch has arrived.
    async fn deliver(&mut self, batch: &Batch<'_>) -> anyhow::Result<()>;

    /// How many bytes have arrived, where that can be found again.
    fn position(&self) -> Option<u64> {
        None
    }

    /// The most entries of one batch.
    fn most(&self) -> usize {
        usize::MAX
    }
}

/// Somewhere bytes can be written to, and then be said to stay.
pub(crate) trait Durable: Write {
    /// Returns when what was written is kept.
    fn keep(&mut self) -> io::Result<()>;
}

impl Durable for File {
    fn keep(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A file that grows.
#[derive(Debug)]
pub(crate) struct Growing<W> {
    out: W,
    bytes: u64,
}

impl Growing<File> {
    /// Opens the file where the cursor says that it ended. What stands behind that was never counted as arrived: a line that was
    /// torn by a crash, or whole ones that come again.
    pub(crate) fn open(path: &Path, arrived: Option<u64>) -> anyhow::Result<Self> {
        let shown = path.display();
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mut file = file.with_context(|| format!("opening `{shown}`"))?;
        let found = file.metadata()?.len();
        let Some(arrived) = arrived else {
            if found > 0 {
                let what = format!("`{shown}` holds something, and no cursor says what");
                return Err(Failure::new(Kind::Malformed, what)
                    .hint("choose another file, or name its cursor")
                    .into());
            }
            sync_folder(path)?;
            return Ok(Self { out: file, bytes: 0 });
        };
        if found < arrived {
            let what = format!("`{shown}` has {found} bytes, but {arrived} were written to it");
            let hint = "bring back what is missing, or begin again with a new file and a new cursor";
            return Err(Failure::new(Kind::Malformed, what).hint(hint).into());
        }
        check_end(&mut file, arrived).with_context(|| format!("reading `{shown}`"))?;
        file.set_len(arrived).with_context(|| format!("repairing `{shown}`"))?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { out: file, bytes: arrived })
    }
}

/// What arrived ended with a line; anything else is another file.
fn check_end(file: &mut File, arrived: u64) -> anyhow::Result<()> {
    let Some(before) = arrived.checked_sub(1) else { return Ok(()) };
    let mut last = [0];
    file.seek(SeekFrom::Start(before))?;
    file.read_exact(&mut last)?;
    if last == [b'\n'] {
        return Ok(());
    }
    Err(Failure::new(Kind::Malformed, "it is not the file that the cursor is of").into())
}

fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("`{}`", folder.display()))
}

impl<W: Durable> Growing<W> {
    #[cfg(test)]
    pub(crate) fn over(out: W, bytes: u64) -> Self {
        Self { out, bytes }
    }

    fn append(&mut self, text: &str) -> anyhow::Result<()> {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.keep()).context("writing the export")?;
        self.bytes += u64::try_from(text.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

impl<W: Durable> Sink for Growing<W> {
    fn begin(&mut self, header: String) -> anyhow::Result<()> {
        self.append(&header)
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> anyhow::Result<()> {
        self.append(&lines(batch))
    }

    fn position(&self) -> Option<u64> {
        Some(self.bytes)
    }
}

/// Standard output: what was flushed has arrived, as far as this program can know.
#[derive(Debug)]
pub(crate) struct Printed;

impl Sink for Printed {
    fn begin(&mut self, header: String) -> anyhow::Result<()> {
        print(&header)
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> anyhow::Result<()> {
        print(&lines(batch))
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Unwritable::from)?)
}

fn lines(batch: &Batch<'_>) -> String {
    batch.items.iter().flat_map(|item| [*item, batch.ending]).collect()
}
