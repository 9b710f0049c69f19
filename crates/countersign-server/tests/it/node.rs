//! A node begins, serves and stops; whatever is wrong with its surroundings is found before it serves, and named.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::id::PersonId;
use countersign_ledger::hash::sha256;
use countersign_server::config::{Endpoint, NodeConfig, ProofNonce, Witnesses};
use countersign_server::genesis::NewPerson;
use countersign_server::node::{Beginning, Node, NodeError, initialise};
use countersign_server::secrets::SecretRef;
use countersign_server::store::sqlite::SqliteStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;

/// A configuration in a folder of its own, with the data folder not yet made.
pub(super) fn configured() -> (tempfile::TempDir, NodeConfig) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = NodeConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        public_url: None,
        dpop_nonce: ProofNonce::Demanded,
        tls: None,
        data: folder.path().join("data"),
        postgres: None,
        origin: "ledger.test/node".into(),
        log_key: key(folder.path(), "log.key", &STANDARD.encode([7; 32])),
        next_log_key: None,
        permit_key: Some(key(folder.path(), "permit.key", &STANDARD.encode([42; 32]))),
        sealing_key: key(folder.path(), "sealing.key", &STANDARD.encode([8; 32])),
        checkpoint: folder.path().join("checkpoint"),
        endpoints: BTreeMap::new(),
        issuers: BTreeMap::new(),
        providers: BTreeMap::new(),
        witnesses: Witnesses::default(),
    };
    (folder, config)
}

/// A secret in a file that only its owner can read.
pub(super) fn key(folder: &Path, name: &str, text: &str) -> SecretRef {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).expect("a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("it is written");
    SecretRef::File(path)
}

pub(super) fn beginning() -> Beginning {
    let rule = serde_json::json!({
        "name": "activate", "verb": "activate", "resource": "policy/main", "environment": "control",
        "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 1 },
        "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
    });
    let policy = serde_json::json!({
        "name": "test", "groups": { "engineers": [PersonId(1)], "approvers": [PersonId(2)] }, "access": { "read": ["engineers"] }, "rules": [rule],
    });
    let people =
        [(1, "Ana"), (2, "Ben")].map(|(id, name)| NewPerson { id: PersonId(id), name: name.into() }).to_vec();
    Beginning { policy: serde_json::from_value(policy).expect("a policy"), people, secrets: Vec::new() }
}

/// A log that was begun.
pub(super) async fn begun() -> (tempfile::TempDir, NodeConfig) {
    let (folder, config) = configured();
    let claims = initialise(&config, beginning()).await.expect("it begins");
    assert_eq!(claims.len(), 2);
    (folder, config)
}

async fn refusal(config: &NodeConfig) -> String {
    Node::start(config).await.expect_err("it does not start").to_string()
}

/// One plain request; the whole answer.
pub(super) async fn get(node: &str, path: &str) -> String {
    get_by(node, path, "nobody").await
}

/// The same with somebody's credential.
pub(super) async fn get_by(node: &str, path: &str, credential: &str) -> String {
    let mut stream = TcpStream::connect(node).await.expect("it listens");
    let head = format!("GET {path} HTTP/1.1\r\nhost: {node}\r\nconnection: close\r\n");
    let request = format!("{head}authorization: Bearer {credential}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_serves_until_it_is_told_to_stop_and_starts_again() {
    let (_folder, config) = begun().await;
    for _ in 0..2 {
        let node = Node::start(&config).await.expect("it starts");
        let address = node.address().to_string();
        let (stop, told) = oneshot::channel::<()>();
        let running = tokio::spawn(node.run(async move { drop(told.await) }));
        let ready = get(&address, "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
        assert!(ready.to_lowercase().contains("x-request-id: "), "{ready}");
        assert!(get(&address, "/metrics").await.contains("countersign_ledger_entries"));
        stop.send(()).expect("it listens");
        running.await.expect("no panic").expect("no failure");
        assert!(TcpStream::connect(&address).await.is_err(), "nobody listens any more");
    }
}

/// One request with a JSON body; the whole answer.
pub(super) async fn post(node: &str, path: &str, body: &serde_json::Value) -> String {
    let mut stream = TcpStream::connect(node).await.expect("it listens");
    let (head, body) =
        (format!("POST {path} HTTP/1.1\r\nhost: {node}\r\nconnection: close\r\n"), body.to_string());
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

/// A write that hangs may be of a revocation, for all that the others know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_write_hangs_beyond_the_bound_nobody_is_let_in() {
    let (_folder, config) = configured();
    let claims = initialise(&config, beginning()).await.expect("it begins");
    let node = Node::start(&config).await.expect("it starts");
    let address = node.address().to_string();
    let (stop, told) = oneshot::channel::<()>();
    let running = tokio::spawn(node.run(async move { drop(told.await) }));
    let claiming = |nth: usize, credential: &str| {
        let claim = &claims[nth];
        serde_json::json!({ "claim": claim.claim.as_str(), "credential_sha256": sha256(credential.as_bytes()).to_string() })
    };
    let claimed = post(&address, "/admin/people/claim", &claiming(0, "cst_ana")).await;
    assert!(claimed.starts_with("HTTP/1.1 200"), "{claimed}");
    let me = || get_by(&address, "/admin/people/me", "cst_ana");
    assert!(me().await.starts_with("HTTP/1.1 200"));

    let other = rusqlite::Connection::open(config.database()).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes now");
    let (target, body) = (address.clone(), claiming(1, "cst_ben"));
    let hanging = tokio::spawn(async move { post(&target, "/admin/people/claim", &body).await });
    while !me().await.contains("\"stale\"") {}
    assert!(get(&address, "/readyz").await.starts_with("HTTP/1.1 503"));
    other.execute_batch("ROLLBACK").expect("it is free again");
    assert!(hanging.await.expect("no panic").starts_with("HTTP/1.1 200"));
    while !me().await.starts_with("HTTP/1.1 200") {}
    stop.send(()).expect("it listens");
    running.await.expect("no panic").expect("no failure");
}

/// The status of a wrong claim that is sent from an address of this machine.
async fn wrong_claim(node: SocketAddr, from: [u8; 4]) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((from, 0))).expect("one of the machine's own addresses");
    let mut stream = socket.connect(node).await.expect("it listens");
    let body = serde_json::json!({ "claim": "csc_guess", "credential_sha256": "0".repeat(64) }).to_string();
    let head = format!("POST /admin/people/claim HTTP/1.1\r\nhost: {node}\r\nconnection: close\r\n");
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// That a network waits is tested with a clock of the test's own; here it is told from its neighbour by the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_claims_are_counted_by_the_network_that_the_connection_comes_from() {
    let (_folder, config) = begun().await;
    let node = Node::start(&config).await.expect("it starts");
    let address = node.address();
    let (stop, told) = oneshot::channel::<()>();
    let running = tokio::spawn(node.run(async move { drop(told.await) }));
    // More than are free; how many of the others wait depends on how fast this machine is.
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(wrong_claim(address, [127, 0, 0, 1]).await);
    }
    assert_eq!(statuses[..10], vec!["403"; 10]);
    assert!(statuses.contains(&"429".to_owned()), "{statuses:?}");
    assert_eq!(wrong_claim(address, [127, 0, 1, 1]).await, "403", "another network does not wait");
    stop.send(()).expect("it listens");
    running.await.expect("no panic").expect("no failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_a_process() {
    let ((_one, first), (_two, second)) = (begun().await, begun().await);
    let nodes = [Node::start(&first).await.expect("one"), Node::start(&second).await.expect("two")];
    assert_ne!(nodes[0].address(), nodes[1].address());
    for node in nodes {
        node.run(std::future::ready(())).await.expect("it stops");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beginning_makes_a_private_folder_and_a_signed_checkpoint_once() {
    let (_folder, config) = begun().await;
    let mode = std::fs::metadata(&config.data).expect("a folder").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    let note = std::fs::read_to_string(&config.checkpoint).expect("a checkpoint");
    assert!(note.starts_with("ledger.test/node\n"), "{note}");
    let size = entries(&config.database());
    let again = initialise(&config, beginning()).await.expect_err("once only");
    assert!(matches!(again, NodeError::AlreadyInitialised(_)), "{again}");
    assert_eq!(entries(&config.database()), size);
}

fn entries(database: &Path) -> u64 {
    SqliteStore::open_read_only(database).expect("a reader").head().expect("a head").size()
}

#[tokio::test]
async fn without_genesis_the_hint_is_to_run_init() {
    let (_folder, config) = configured();
    let message = refusal(&config).await;
    assert!(message.contains("countersign init") && message.contains("ledger.db"), "{message}");
    assert!(!config.data.exists(), "looking leaves nothing behind");

    std::fs::create_dir(&config.data).expect("a folder");
    drop(SqliteStore::open(config.database()).expect("an empty database"));
    assert!(refusal(&config).await.contains("countersign init"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_on_the_same_data_is_refused() {
    let (_folder, config) = begun().await;
    let first = Node::start(&config).await.expect("it starts");
    let message = refusal(&config).await;
    assert!(message.contains("another server already writes"), "{message}");
    assert!(message.contains(&config.database().display().to_string()), "{message}");
    first.run(std::future::ready(())).await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_or_origin_is_refused_and_signs_nothing() {
    let (folder, config) = begun().await;
    let before = std::fs::read_to_string(&config.checkpoint).expect("a checkpoint");
    let other = key(folder.path(), "other.key", &STANDARD.encode([9; 32]));
    let message = refusal(&NodeConfig { log_key: other, ..config.clone() }).await;
    assert!(message.starts_with("log_key: ") && message.contains("ledger.test/node+"), "{message}");
    let message = refusal(&NodeConfig { origin: "ledger.test/other".into(), ..config.clone() }).await;
    assert!(message.starts_with("origin: ") && message.contains("ledger.test/node"), "{message}");
    assert_eq!(std::fs::read_to_string(&config.checkpoint).expect("a checkpoint"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_key_is_read_and_named_and_alone_it_is_not_enough() {
    let (folder, config) = begun().await;
    let next = || Some(key(folder.path(), "next.key", &STANDARD.encode([9; 32])));
    let node = Node::start(&NodeConfig { next_log_key: next(), ..config.clone() }).await.expect("it starts");
    node.run(std::future::ready(())).await.expect("it stops");
    let short = Some(key(folder.path(), "short.key", "short"));
    let message = refusal(&NodeConfig { next_log_key: short, ..config.clone() }).await;
    assert!(message.starts_with("next_log_key: what it refers to is not 32 bytes"), "{message}");
    // The log names neither: all three are shown.
    let other = key(folder.path(), "other.key", &STANDARD.encode([10; 32]));
    let message = refusal(&NodeConfig { log_key: other, next_log_key: next(), ..config }).await;
    assert!(message.starts_with("log_key: "), "{message}");
    assert_eq!(message.matches("ledger.test/node+").count(), 3, "{message}");
}

#[tokio::test]
async fn an_odd_key_is_named_as_the_configuration_names_it() {
    let (folder, config) = configured();
    let short = || key(folder.path(), "short.key", &STANDARD.encode([7; 31]));
    let absent = SecretRef::File(folder.path().join("absent.key"));
    let endpoint = |reference: SecretRef| Endpoint {
        hook_url: "http://127.0.0.1:1/hook".parse().expect("a link"),
        probe_url: None,
        key: reference,
    };
    let with =
        |reference: SecretRef| BTreeMap::from([("app-a".parse().expect("a name"), endpoint(reference))]);
    for (odd, expected) in [
        (NodeConfig { log_key: short(), ..config.clone() }, "log_key: what it refers to is not 32 bytes"),
        (
            NodeConfig { sealing_key: short(), ..config.clone() },
            "sealing_key: what it refers to is not 32 bytes",
        ),
        (NodeConfig { log_key: absent.clone(), ..config.clone() }, "log_key: cannot read the secret file"),
        (
            NodeConfig { endpoints: with(short()), ..config.clone() },
            "endpoints.app-a.key: what it refers to is not `whsec_`",
        ),
        (NodeConfig { endpoints: with(absent), ..config.clone() }, "endpoints.app-a.key: cannot read"),
        (NodeConfig { origin: "two words".into(), ..config.clone() }, "origin: "),
    ] {
        let message = refusal(&odd).await;
        assert!(message.starts_with(expected), "{message}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let (folder, config) = configured();
    // Nobody can make files there, whatever their rights, so the test means the same for root.
    let unwritable = NodeConfig { data: PathBuf::from("/proc/self"), ..config.clone() };
    let message = initialise(&unwritable, beginning()).await.expect_err("refused").to_string();
    assert!(message.contains("/proc/self") && message.contains("check the data folder"), "{message}");

    let file = folder.path().join("log.key");
    let message = initialise(&NodeConfig { data: file, ..config.clone() }, beginning()).await;
    assert!(message.expect_err("refused").to_string().starts_with("data: the folder"));

    let checkpoint = folder.path().join("not mounted").join("checkpoint");
    let message = initialise(&NodeConfig { checkpoint, ..config }, beginning()).await;
    let message = message.expect_err("refused").to_string();
    assert!(message.starts_with("checkpoint: the folder") && message.contains("not mounted"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_is_named_and_the_data_are_free_again() {
    let (_folder, config) = begun().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("an address");
    let message = refusal(&NodeConfig { listen, ..config.clone() }).await;
    assert!(message.starts_with(&format!("listen: cannot listen on `{listen}`")), "{message}");
    let node = Node::start(&config).await.expect("it starts elsewhere");
    node.run(std::future::ready(())).await.expect("it stops");
}
