//! A data folder on a disk whose power can be cut, or whose process can be killed; see `shim.c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::child::{FOLDER, SABOTAGE};
use crate::child::Child;

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// SIGKILL: the operating system still writes what it was given.
    Killed,
    /// The power is cut before this sync, counted from 0: only what was synced is left.
    PowerCut(u32),
}

/// The compiled shim.
pub(super) struct Shim {
    folder: TempDir,
}

impl Shim {
    pub(super) fn compile() -> Self {
        let folder = TempDir::new().expect("a folder");
        let source = folder.path().join("shim.c");
        fs::write(&source, include_str!("shim.c")).expect("a file");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(compiler);
        command
            .args(["-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o"])
            .arg(folder.path().join("shim.so"));
        let status = command.arg(source).args(["-ldl", "-lpthread"]).status().expect("a C compiler");
        assert!(status.success(), "the shim does not compile");
        Self { folder }
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }
}

/// What survived so far.
pub(super) struct Disk {
    data: TempDir,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self { data: TempDir::new().expect("a folder") }
    }

    pub(super) fn path(&self) -> &Path {
        self.data.path()
    }

    /// A copy to look at, so that looking changes nothing.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::new();
        for file in fs::read_dir(self.path()).expect("a folder") {
            let file = file.expect("an entry");
            fs::copy(file.path(), copy.path().join(file.file_name())).expect("a copy");
        }
        copy
    }

    /// Starts a child on this disk. `sabotage` is the rule it breaks.
    pub(super) fn child(&self, sabotage: Option<&str>) -> Child {
        Child::start(self.environment(sabotage), "engine")
    }

    /// The same under the shim; the second is where the shim keeps what was synced.
    pub(super) fn child_with_power(
        &self,
        (shim, syncs): (&Shim, u32),
        sabotage: Option<&str>,
    ) -> (Child, TempDir) {
        let shadow = TempDir::new().expect("a folder");
        let mut command = self.environment(sabotage);
        let variable = |name: &str, value: &Path| format!("{name}={}", value.display());
        command.arg(variable("LD_PRELOAD", &shim.library())).arg(variable("POWER_SHADOW", shadow.path()));
        command.arg(format!("POWER_SYNCS={syncs}"));
        (Child::start(command, "engine"), shadow)
    }

    fn environment(&self, sabotage: Option<&str>) -> Command {
        let mut command = Command::new("env");
        command.env(FOLDER, self.path());
        if let Some(name) = sabotage {
            command.env(SABOTAGE, name);
        }
        command
    }

    /// The disk after the power was cut: every name the folder had at its last sync, with the content of its file's last sync.
    pub(super) fn of_shadow(shadow: &Path) -> Self {
        let disk = Self::new();
        for name in fs::read_dir(shadow.join("names")).expect("the shadow's names") {
            let name = name.expect("an entry");
            let inode = fs::read_link(name.path()).expect("a link");
            // A file that was never synced has a name and nothing in it.
            let content = fs::read(shadow.join("content").join(inode)).unwrap_or_default();
            fs::write(disk.path().join(name.file_name()), content).expect("a file");
        }
        disk
    }
}
