//! The real `ssh-keygen`: makes keys, signs, and says whether it accepts a signature.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A folder of its own with keys in it.
pub(crate) struct Keygen {
    folder: tempfile::TempDir,
}

impl Keygen {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> (bool, String) {
        let mut child = Command::new("ssh-keygen")
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`ssh-keygen` of OpenSSH is needed: `scripts/test` installs it");
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said.into_owned())
    }

    /// Makes a key; the line of its `.pub` file.
    pub(crate) fn make(&self, name: &str, kind: &[&str]) -> String {
        let (made, said) = self.run(&[kind, &["-q", "-N", "", "-C", "a comment", "-f", name]].concat(), b"");
        assert!(made, "{said}");
        fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap()
    }

    /// The fingerprint it shows for a public key.
    pub(crate) fn fingerprint(&self, line: &str) -> String {
        fs::write(self.path("shown.pub"), line).unwrap();
        let (shown, said) = self.run(&["-l", "-f", "shown.pub"], b"");
        assert!(shown, "{said}");
        said.split(' ').nth(1).unwrap().to_owned()
    }

    /// Signs; the armor.
    pub(crate) fn sign(&self, key: &str, (namespace, hash): (&str, &str), message: &[u8]) -> String {
        let hash = format!("hashalg={hash}");
        let (signed, said) =
            self.run(&["-Y", "sign", "-q", "-f", key, "-n", namespace, "-O", &hash], message);
        assert!(signed, "{said}");
        said
    }

    /// Whether it accepts a signature of `ana` with this key.
    pub(crate) fn accepts(&self, (key, armor): (&str, &str), namespace: &str, message: &[u8]) -> bool {
        fs::write(self.path("allowed"), format!("ana namespaces=\"{namespace}\" {key}\n")).unwrap();
        fs::write(self.path("signature"), armor).unwrap();
        let verify = ["-Y", "verify", "-f", "allowed", "-I", "ana", "-n", namespace, "-s", "signature"];
        self.run(&verify, message).0
    }
}
