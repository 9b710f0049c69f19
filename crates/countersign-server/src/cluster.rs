//! A PostgreSQL of one's own: found on this machine, started in a folder that goes with it, and stopped with whoever started it.
//!
//! For the demo and for tests, never for data that anybody wants to keep. It listens on a Unix socket in its folder and nowhere else
//! unless asked, and it never runs as root: PostgreSQL refuses that, so the superuser's cluster belongs to an unprivileged user. Whoever
//! dies without stopping it has it stopped all the same: a shell holds the other end of a pipe and cleans up when it closes.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::store::postgres::{Address, AddressError};

/// Where to look for the programs beside PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs that are needed; all of them come with the server's package and what it depends on.
const PROGRAMS: [&str; 5] = ["initdb", "pg_basebackup", "pg_ctl", "postgres", "psql"];

/// The oldest version that will do.
const OLDEST: u32 = 15;

/// The superuser of the cluster, whom its socket believes.
const ROLE: &str = "postgres";

/// Users who own a cluster that root starts, the first that exists.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Stops the cluster and removes its folder once its standard input ends.
const LEASH: &str = "cat >/dev/null; \"$0\" -D \"$1/data\" -m immediate -w stop; rm -rf -- \"$1\"";

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// PostgreSQL is not installed, or too old.
    #[error(
        "PostgreSQL {OLDEST} or later is neither in PATH nor in `{DEBIAN}`: install the package `postgresql` (Debian, Ubuntu) or name the folder of its programs in COUNTERSIGN_POSTGRES_BIN"
    )]
    NotFound,
    /// Root may not run it, and there is nobody else.
    #[error("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as")]
    NobodyToRunIt,
    /// A folder or a program cannot be used.
    #[error("`{}`: {cause}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A program failed.
    #[error("`{program}` failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// Its address is not one we would use.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// How a cluster is to be.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Settings beyond the defaults, as `name=value`.
    pub settings: Vec<String>,
    /// Whether it also listens on a free port of the loopback address.
    pub listens: bool,
}

/// A running PostgreSQL. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    folder: PathBuf,
    port: u16,
    leash: Option<Child>,
}

impl Cluster {
    /// Makes one and waits until it takes connections.
    ///
    /// # Errors
    /// What is missing, or what a program said.
    pub fn start(wishes: &Wishes) -> Result<Self, ClusterError> {
        let cluster = Self::empty(wishes)?;
        let data = cluster.data();
        cluster.run("initdb", |it| {
            it.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", ROLE])
                .arg(&data)
        })?;
        cluster.launch(wishes)?;
        Ok(cluster)
    }

    /// Makes a standby that follows this one, and waits until it can be read.
    ///
    /// # Errors
    /// What is missing, or what a program said.
    pub fn standby(&self) -> Result<Self, ClusterError> {
        let standby = Self::empty(&Wishes::default())?;
        let (data, port) = (standby.data(), self.port.to_string());
        standby.run("pg_basebackup", |it| {
            it.args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf", "--username", ROLE])
                .args(["--port", &port, "--host"])
                .arg(&self.folder)
                .arg("--pgdata")
                .arg(&data)
        })?;
        standby.launch(&Wishes::default())?;
        Ok(standby)
    }

    /// Makes a standby the primary, and waits until it is.
    ///
    /// # Errors
    /// What it said.
    pub fn promote(&self) -> Result<(), ClusterError> {
        self.control(|it| it.args(["-w", "promote"]))
    }

    /// A folder for a cluster, and somebody who cleans up after it whatever happens.
    fn empty(wishes: &Wishes) -> Result<Self, ClusterError> {
        let programs = programs()?;
        let folder = fresh_folder()?;
        let owner = owner(&folder)?;
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group)).map_err(|cause| at(&folder, cause))?;
        }
        let port = if wishes.listens { free_port(&folder)? } else { 5432 };
        let mut cluster = Self { programs, owner, folder, port, leash: None };
        cluster.leash = Some(cluster.tie()?);
        Ok(cluster)
    }

    /// Starts the server of this cluster again after [`Cluster::kill`].
    ///
    /// # Errors
    /// What it said.
    pub fn launch(&self, wishes: &Wishes) -> Result<(), ClusterError> {
        let listen = if wishes.listens { "127.0.0.1" } else { "" };
        let mut options = format!("-k '{}' -p {} -h '{listen}'", self.folder.display(), self.port);
        for setting in &wishes.settings {
            options.push_str(&format!(" -c '{setting}'"));
        }
        self.control(|it| it.arg("-l").arg(self.folder.join("log")).args(["-w", "-o", &options, "start"]))
    }

    /// Ends the server without letting it finish anything, as a crash would; what it acknowledged it has on disk.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&self) -> Result<(), ClusterError> {
        self.control(|it| it.args(["-m", "immediate", "-w", "stop"]))
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// What the server said.
    pub fn create_database(&self, name: &str) -> Result<(), ClusterError> {
        self.say("postgres", &format!("CREATE DATABASE \"{name}\""))
    }

    /// Says something to a database as its superuser.
    ///
    /// # Errors
    /// What the server said.
    pub fn say(&self, database: &str, sql: &str) -> Result<(), ClusterError> {
        let (folder, port) = (self.folder.clone(), self.port.to_string());
        self.run("psql", |it| {
            it.args([
                "--no-psqlrc",
                "--quiet",
                "--set",
                "ON_ERROR_STOP=1",
                "--username",
                ROLE,
                "--dbname",
                database,
            ])
            .args(["--port", &port, "--command", sql, "--host"])
            .arg(folder)
        })
    }

    /// The address of one of its databases, on its socket.
    ///
    /// # Errors
    /// The folder's name cannot be part of an address.
    pub fn address(&self, database: &str) -> Result<Address, ClusterError> {
        Ok(Address::parse(&self.uri(database))?)
    }

    /// The same, as it is written.
    #[must_use]
    pub fn uri(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('%', "%25").replace('&', "%26");
        format!("postgresql:///{database}?user={ROLE}&port={}&host={folder}", self.port)
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// The port by which its socket, and what else it listens on, is known.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its files.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn control(&self, with: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), ClusterError> {
        let data = self.data();
        let ran = self.run("pg_ctl", |it| with(it.arg("-D").arg(data)));
        ran.map_err(|error| match error {
            ClusterError::Failed { program, said } => {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                ClusterError::Failed { program, said: format!("{said}\n{log}") }
            }
            error => error,
        })
    }

    fn run(
        &self,
        program: &'static str,
        with: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<(), ClusterError> {
        let path = self.programs.join(program);
        let mut command = self.command(&path);
        with(&mut command);
        let output = command.output().map_err(|cause| at(&path, cause))?;
        if output.status.success() {
            return Ok(());
        }
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(ClusterError::Failed { program, said: said.trim().to_owned() })
    }

    /// A program run as the cluster's owner, in its folder.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).stdin(Stdio::null()).env_remove("PGDATA").env("LC_ALL", "C");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    /// The shell that outlives us just long enough. In a group of its own, so that an interrupt from the terminal leaves it its work.
    fn tie(&self) -> Result<Child, ClusterError> {
        let shell = Path::new("/bin/sh");
        let mut command = self.command(shell);
        command.arg("-c").arg(LEASH).arg(self.programs.join("pg_ctl")).arg(&self.folder).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.spawn().map_err(|cause| at(shell, cause))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            drop(leash.stdin.take());
            // Whether it could clean up is for nobody to know any more.
            drop(leash.wait());
        }
    }
}

/// The folder of the newest programs that will do.
fn programs() -> Result<PathBuf, ClusterError> {
    if let Some(named) = std::env::var_os("COUNTERSIGN_POSTGRES_BIN").map(PathBuf::from) {
        return if is_complete(&named) { Ok(named) } else { Err(ClusterError::NotFound) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let version = |folder: &Path| -> Option<u32> {
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        // `postgres (PostgreSQL) 15.18 (Debian …)`
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().nth(2)?.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
    };
    let installed = fs::read_dir(DEBIAN).into_iter().flatten().filter_map(Result::ok);
    let folders = std::env::split_paths(&path).chain(installed.map(|entry| entry.path().join("bin")));
    let fit = folders.filter(|folder| is_complete(folder)).filter_map(|it| Some((version(&it)?, it)));
    let newest = fit.filter(|(version, _)| *version >= OLDEST).max_by_key(|(version, _)| *version);
    newest.map(|(_, folder)| folder).ok_or(ClusterError::NotFound)
}

fn is_complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}

/// A folder that nobody else can look into, with a name that leaves room for a socket's.
fn fresh_folder() -> Result<PathBuf, ClusterError> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(|error| at(Path::new("/dev/urandom"), io::Error::other(error)))?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = std::env::temp_dir().join(format!("countersign-pg-{name}"));
    DirBuilder::new().mode(0o700).create(&folder).map_err(|cause| at(&folder, cause))?;
    Ok(folder)
}

/// To whom a cluster in this folder has to belong, if not to us.
fn owner(folder: &Path) -> Result<Option<(u32, u32)>, ClusterError> {
    let made_by = fs::metadata(folder).as_ref().map(Metadata::uid).unwrap_or_default();
    if made_by != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|cause| at(Path::new("/etc/passwd"), cause))?;
    let entry = |wanted: &&str| {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            match fields[..] {
                [name, _, user, group, ..] if name == *wanted => {
                    Some((user.parse().ok()?, group.parse().ok()?))
                }
                _ => None,
            }
        })
    };
    UNPRIVILEGED.iter().find_map(entry).map(Some).ok_or(ClusterError::NobodyToRunIt)
}

fn free_port(folder: &Path) -> Result<u16, ClusterError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|cause| at(folder, cause))
}

fn at(path: &Path, cause: io::Error) -> ClusterError {
    ClusterError::Io { path: path.to_owned(), cause }
}
