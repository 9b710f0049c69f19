//! The last checkpoint that was seen, in a file, and the proof of a fork beside it. It judges nothing.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::Fork;
use crate::durable::sync_folder;

/// The file that remembers the last checkpoint: the signed note itself, so that it can be read, compared and shown around.
#[derive(Clone, Debug)]
pub struct Memory {
    path: PathBuf,
}

impl Memory {
    /// A memory in this file, which need not exist yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The note that was remembered last, if any.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn recall(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(&self.path) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers a note in place of the one before; durable when it returns, and never half a note.
    ///
    /// # Errors
    /// The file or one beside it cannot be written.
    pub fn remember(&self, note: &str) -> io::Result<()> {
        let next = self.beside("next");
        write(&mut File::create(&next)?, note)?;
        fs::rename(&next, &self.path)?;
        sync_folder(&self.path)
    }

    /// Keeps the proof of a fork in a file of its own, and says which: both notes, word by word. What was remembered stays, so that
    /// looking again finds the fork again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, fork: &Fork) -> io::Result<PathBuf> {
        let text = serde_json::to_string_pretty(fork).map_err(io::Error::other)? + "\n";
        let names = std::iter::once("fork.json".to_owned()).chain((2..).map(|n| format!("fork-{n}.json")));
        for name in names {
            let path = self.beside(&name);
            // A proof is never overwritten, not even by another one; the same one is kept once.
            match File::create_new(&path) {
                Ok(mut file) => {
                    write(&mut file, &text)?;
                    sync_folder(&self.path)?;
                    return Ok(path);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if fs::read_to_string(&path)? == text {
                        return Ok(path);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::StorageFull.into())
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".");
        name.push(ending);
        name.into()
    }
}

fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
