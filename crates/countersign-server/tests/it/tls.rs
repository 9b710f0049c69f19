//! A node that speaks TLS itself: the API behind a real handshake, and a certificate that is renewed while it serves.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use countersign_server::config::{NodeConfig, TlsConfig};
use countersign_server::node::Node;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::node::{begun, key};

type Stream = TlsStream<tokio::net::TcpStream>;

/// An authority whose certificates the client trusts.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    trusting: Arc<ClientConfig>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("a root");
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).expect("a root");
        let trusting =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
        Self { issuer: Issuer::new(params, key), trusting: Arc::new(trusting) }
    }

    /// Puts a fresh certificate for `localhost` and its key into the folder.
    fn issue(&self, folder: &Path) -> TlsConfig {
        let made = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
        let certificate = params.signed_by(&made, &self.issuer).expect("a certificate");
        let path = folder.join("tls.crt");
        std::fs::write(&path, certificate.pem()).expect("written");
        TlsConfig { certificate: path, key: key(folder, "tls.key", &made.serialize_pem()) }
    }

    async fn connect(&self, node: SocketAddr, from: [u8; 4]) -> Stream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((from, 0))).expect("one of the machine's own addresses");
        let tcp = socket.connect(node).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(self.trusting.clone()).connect(name, tcp).await.expect("a handshake")
    }

    /// What the node shows now.
    async fn shown(&self, node: SocketAddr) -> Vec<u8> {
        let stream = self.connect(node, [127, 0, 0, 1]).await;
        stream.get_ref().1.peer_certificates().expect("certificates")[0].to_vec()
    }
}

/// Sends one request; the whole answer.
async fn ask(mut stream: Stream, head: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_served_over_tls_and_knows_where_requests_come_from() {
    let (folder, config) = begun().await;
    let authority = Authority::new();
    let tls = Some(authority.issue(folder.path()));
    let node = Node::start(&NodeConfig { tls, ..config }).await.expect("it starts");
    let address = node.address();
    let (stop, told) = oneshot::channel::<()>();
    let running = tokio::spawn(node.run(async move { drop(told.await) }));

    let ready = ask(authority.connect(address, [127, 0, 0, 1]).await, "GET /readyz", "").await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let metrics = ask(authority.connect(address, [127, 0, 0, 1]).await, "GET /metrics", "").await;
    assert!(metrics.contains("countersign_tls_certificate_expires_seconds"), "{metrics}");
    let wrong = serde_json::json!({ "claim": "csc_guess", "credential_sha256": "0".repeat(64) }).to_string();
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let stream = authority.connect(address, [127, 0, 0, 1]).await;
        let answer = ask(stream, "POST /admin/people/claim", &wrong).await;
        statuses.push(answer.split(' ').nth(1).unwrap_or_default().to_owned());
    }
    assert!(statuses.contains(&"429".to_owned()), "{statuses:?}");
    let elsewhere = authority.connect(address, [127, 0, 1, 1]).await;
    let answer = ask(elsewhere, "POST /admin/people/claim", &wrong).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "another network does not wait: {answer}");

    stop.send(()).expect("it listens");
    running.await.expect("no panic").expect("no failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (folder, config) = begun().await;
    let authority = Authority::new();
    let tls = Some(authority.issue(folder.path()));
    let node = Node::start(&NodeConfig { tls, ..config }).await.expect("it starts");
    let address = node.address();
    let (stop, told) = oneshot::channel::<()>();
    let running = tokio::spawn(node.run(async move { drop(told.await) }));

    let first = authority.shown(address).await;
    let open = authority.connect(address, [127, 0, 0, 1]).await;
    authority.issue(folder.path());
    let hangup = Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status();
    assert!(hangup.expect("kill").success());
    let renewed = async { while authority.shown(address).await == first {} };
    tokio::time::timeout(Duration::from_secs(60), renewed).await.expect("another certificate is shown");
    let answer = ask(open, "GET /healthz", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "who was connected stays connected: {answer}");

    stop.send(()).expect("it listens");
    running.await.expect("no panic").expect("no failure");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_before_anything_is_served() {
    let (folder, config) = begun().await;
    let authority = Authority::new();
    let before = authority.issue(folder.path());
    let kept = folder.path().join("kept.crt");
    std::fs::copy(&before.certificate, &kept).expect("copied");
    let tls = Some(TlsConfig { certificate: kept, ..authority.issue(folder.path()) });
    let message = Node::start(&NodeConfig { tls, ..config }).await.expect_err("refused").to_string();
    assert!(message.starts_with("server.tls: key: it is not the key of the first certificate"), "{message}");
}
