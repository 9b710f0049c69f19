//! What must survive a power cut: not only what is in a file, but that there is one.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes it durable that the file is where it is. What is in it is not looked at.
pub(crate) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
