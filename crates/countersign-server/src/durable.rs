//! Small files that must not be lost: replaced as a whole, and on the disk before anybody hears of it.
//!
//! The last signed checkpoint is one, kept outside the database so that a restored backup cannot sign a fork; a witness' memory is
//! another. What is in them is for their readers to judge.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file beside this one whose name goes on with `.` and the ending.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Replaces the file's content; durable when it returns.
///
/// # Errors
/// The file, one beside it, or their folder cannot be written.
pub fn save(path: &Path, text: &str) -> io::Result<()> {
    // A name of its own for each file: two files in one folder are written at the same time.
    let next = beside(path, "next");
    let mut file = File::create(&next)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The file's content, if there is a file.
///
/// # Errors
/// The file is there but cannot be read.
pub fn load(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
