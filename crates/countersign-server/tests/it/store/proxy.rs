//! Stands between a store and its PostgreSQL, understands as much of the protocol as it needs to, and cuts the connection where it is told
//! to: before an append or a commit gets through, or after it was carried out and before anybody is told.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use countersign_server::store::postgres::Address;

/// What gets cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The statement that appends.
    Append,
    /// The end of a transaction that held the head.
    Commit,
}

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the server hears of it.
    Before,
    /// Once the server has answered, which nobody else hears.
    After,
    /// The same, and from then on nobody gets through.
    AfterForGood,
}

/// A proxy for one server.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: PathBuf,
    plan: Mutex<Plan>,
    cuts: AtomicU32,
}

#[derive(Default)]
struct Plan {
    cut: Option<(Message, When)>,
    closed: bool,
}

impl Proxy {
    pub(crate) fn before(server: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared =
            Arc::new(Shared { server: server.to_owned(), plan: Mutex::default(), cuts: AtomicU32::new(0) });
        let serving = Arc::clone(&shared);
        // Ends with the test's process; a proxy nobody connects to does nothing.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(&client));
            }
        });
        Self { port, shared }
    }

    /// A database's address by way of this proxy.
    pub(crate) fn address(&self, database: &str) -> Address {
        let uri = format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port);
        Address::parse(&uri).expect("an address")
    }

    /// Cuts the next one.
    pub(crate) fn cut(&self, message: Message, when: When) {
        self.shared.plan.lock().unwrap().cut = Some((message, when));
    }

    /// Lets connections through again.
    pub(crate) fn open(&self) {
        *self.shared.plan.lock().unwrap() = Plan::default();
    }

    /// How often something was cut.
    pub(crate) fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) {
        let closed = self.plan.lock().unwrap().closed;
        if let (false, Ok(server)) = (closed, UnixStream::connect(&self.server)) {
            // An end of either side ends both, however it comes about.
            drop(self.relay(client, &server));
            drop(server.shutdown(Shutdown::Both));
        }
        drop(client.shutdown(Shutdown::Both));
    }

    fn relay(&self, client: &TcpStream, server: &UnixStream) -> io::Result<()> {
        let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
        to.write_all(&startup(&mut from)?)?;
        // Answers are passed on by another thread, which a cut after the fact takes the server's next answer away from.
        let held = Arc::new(Mutex::new(false));
        let answers = (server.try_clone()?, client.try_clone()?, Arc::clone(&held));
        let back = thread::spawn(move || pass_back(answers));
        let mut appending = Vec::new();
        loop {
            let frame = frame(&mut from)?;
            if let Some(name) = prepares_append(&frame) {
                appending.push(name);
            }
            let cut = what(&frame, &appending).and_then(|message| self.planned(message));
            match cut {
                None => to.write_all(&frame)?,
                Some(When::Before) => return Ok(()),
                Some(when) => {
                    *held.lock().unwrap() = true;
                    to.write_all(&frame)?;
                    if frame[0] != b'Q' {
                        // Execute and Sync follow.
                        to.write_all(&self::frame(&mut from)?)?;
                        to.write_all(&self::frame(&mut from)?)?;
                    }
                    self.plan.lock().unwrap().closed |= when == When::AfterForGood;
                    // Ends with the answer it held back.
                    drop(back.join());
                    return Ok(());
                }
            }
        }
    }

    fn planned(&self, message: Message) -> Option<When> {
        let mut plan = self.plan.lock().unwrap();
        let (_, when) = plan.cut.take_if(|(planned, _)| *planned == message)?;
        self.cuts.fetch_add(1, Ordering::Relaxed);
        Some(when)
    }
}

/// Passes answers on, until one is held back: then it waits for that and ends.
fn pass_back((mut server, mut client, held): (UnixStream, TcpStream, Arc<Mutex<bool>>)) -> io::Result<()> {
    loop {
        let frame = frame(&mut server)?;
        if !*held.lock().unwrap() {
            client.write_all(&frame)?;
        } else if frame[0] == b'Z' {
            return client.shutdown(Shutdown::Both);
        }
    }
}

/// The first message, which alone has no type.
fn startup(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    rest(from, length.to_vec(), length)
}

fn frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    rest(from, head.to_vec(), [head[1], head[2], head[3], head[4]])
}

fn rest(from: &mut impl Read, mut begun: Vec<u8>, length: [u8; 4]) -> io::Result<Vec<u8>> {
    let left = usize::try_from(u32::from_be_bytes(length)).expect("a length") - 4;
    let start = begun.len();
    begun.resize(start + left, 0);
    from.read_exact(&mut begun[start..])?;
    Ok(begun)
}

/// The name of the statement, if this prepares the one that appends.
fn prepares_append(frame: &[u8]) -> Option<Vec<u8>> {
    let mut texts = frame.get(5..)?.split(|byte| *byte == 0);
    let (name, sql) = (texts.next()?, texts.next()?);
    (frame[0] == b'P' && sql.starts_with(b"SELECT countersign.append(")).then(|| name.to_vec())
}

fn what(frame: &[u8], appending: &[Vec<u8>]) -> Option<Message> {
    let mut texts = frame.get(5..)?.split(|byte| *byte == 0);
    match frame[0] {
        b'B' => {
            let statement = texts.nth(1)?;
            appending.iter().any(|name| name == statement).then_some(Message::Append)
        }
        b'Q' if texts.next() == Some(b"COMMIT") => Some(Message::Commit),
        _ => None,
    }
}
