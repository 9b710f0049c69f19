//! What was used already: a file of lines that only grows, each on the disk before the deed may be done.
//!
//! Nothing is ever forgotten, so no permit can outlive the memory of it: a line is less than a hundred bytes, and a deed has at most a
//! few. Several processes of one executor may share the file: each looks and writes under its lock.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::durable::sync_folder;

/// The memory of a guard.
#[derive(Debug)]
pub struct Spent {
    path: PathBuf,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    file: File,
    /// How much of the file is known.
    read: u64,
    known: HashSet<String>,
}

/// Why something cannot be spent.
#[derive(Debug, thiserror::Error)]
pub enum SpentError {
    /// It was used already.
    #[error("`{0}` was used already")]
    Already(String),
    /// The file does not say, so nothing is done.
    #[error("`{}`: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl Spent {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// It cannot be opened, read or made durable.
    pub fn open(path: &Path) -> Result<Self, SpentError> {
        let failed = |cause| SpentError::File { path: path.to_owned(), cause };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        sync_folder(path).map_err(failed)?;
        let memory = Memory { file, read: 0, known: HashSet::new() };
        Ok(Self { path: path.to_owned(), memory: Mutex::new(memory) })
    }

    /// Writes the tokens down, all or none, unless one of them is there. They are on the disk when this returns.
    ///
    /// # Errors
    /// [`SpentError::Already`], or the file fails.
    pub fn spend(&self, tokens: &[String]) -> Result<(), SpentError> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |cause| SpentError::File { path: self.path.clone(), cause };
        memory.file.lock().map_err(failed)?;
        let outcome = memory.spend(tokens);
        memory.file.unlock().map_err(failed)?;
        match outcome {
            Ok(None) => Ok(()),
            Ok(Some(token)) => Err(SpentError::Already(token)),
            Err(cause) => Err(failed(cause)),
        }
    }
}

impl Memory {
    /// Gives back the first token that was spent before.
    fn spend(&mut self, tokens: &[String]) -> io::Result<Option<String>> {
        let torn = self.catch_up()?;
        if let Some(token) = tokens.iter().find(|token| self.known.contains(*token)) {
            return Ok(Some(token.clone()));
        }
        // A line that a crash tore off was never answered for: it is closed, and what follows stands on lines of its own.
        let mut lines = String::from(if torn { "\n" } else { "" });
        for token in tokens {
            lines.push_str(token);
            lines.push('\n');
        }
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_all()?;
        self.catch_up()?;
        Ok(None)
    }

    /// Reads what was written since, also by others; says whether the last line has no end.
    fn catch_up(&mut self) -> io::Result<bool> {
        self.file.seek(SeekFrom::Start(self.read))?;
        let mut text = String::new();
        self.file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let (lines, rest) = text.split_at(whole);
        self.known.extend(lines.lines().map(ToOwned::to_owned));
        self.read = self.read.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX));
        Ok(!rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn tokens(name: &str) -> Vec<String> {
        vec![format!("prm_{name}"), format!("apr_{name}")]
    }

    /// The flaw: a memory that forgets while what it remembers is still good.
    #[test]
    fn replay_cache_shorter_than_validity() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent");
        Spent::open(&path).unwrap().spend(&tokens("1")).unwrap();
        for number in 2..20 {
            Spent::open(&path).unwrap().spend(&tokens(&number.to_string())).unwrap();
        }
        // However many came after it, and whoever opens the file later.
        let again = Spent::open(&path).unwrap();
        assert!(matches!(again.spend(&tokens("1")), Err(SpentError::Already(token)) if token == "prm_1"));
        // One agreement is good for one deed, whatever the permit is called.
        let other = vec!["prm_other".to_owned(), "apr_1".to_owned()];
        assert!(matches!(again.spend(&other), Err(SpentError::Already(token)) if token == "apr_1"));
        assert!(again.spend(&tokens("other")).is_ok(), "what was refused spent nothing");
    }

    #[test]
    fn a_torn_line_spends_nothing_and_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent");
        std::fs::write(&path, "prm_1\napr_1\nprm_2").unwrap();
        let spent = Spent::open(&path).unwrap();
        assert!(spent.spend(&tokens("1")).is_err());
        spent.spend(&tokens("2")).unwrap();
        assert!(Spent::open(&path).unwrap().spend(&tokens("2")).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "prm_1\napr_1\nprm_2\nprm_2\napr_2\n");
    }

    #[test]
    fn of_many_who_spend_the_same_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent");
        let memories: Vec<Spent> = (0..4).map(|_| Spent::open(&path).unwrap()).collect();
        let won = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for memory in memories.iter().cycle().take(64) {
                scope.spawn(|| {
                    if memory.spend(&tokens("1")).is_ok() {
                        won.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(won.into_inner(), 1);
    }
}
