//! Real handshakes, and everything that is none.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::super::certificates::Certificates;
use super::super::certificates::tests::{Shelf, made};
use super::*;

/// A door that greets whoever comes in.
struct House {
    address: SocketAddr,
    root: CertificateDer<'static>,
    task: JoinHandle<()>,
    _shelf: Shelf,
}

impl House {
    async fn with(bounds: Bounds) -> Self {
        let made = made(2090);
        let shelf = Shelf::holding(&made);
        let spoken = Certificates::open(shelf.config()).unwrap().spoken().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut door = Door::new(tcp, spoken, bounds);
        let address = door.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, peer) = door.accept().await;
                assert!(peer.ip().is_loopback());
                tokio::spawn(async move { stream.write_all(b"hello").await });
            }
        });
        let root = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
        Self { address, root, task, _shelf: shelf }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn speak(&self, version: &'static SupportedProtocolVersion) -> ClientStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, self.connect().await).await.unwrap()
    }

    async fn greets(&self) {
        let mut greeting = [0; 5];
        self.speak(&version::TLS13).await.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"hello");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Everything until the other side is gone, however it goes.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    all
}

#[tokio::test]
async fn tls_1_3_and_1_2_are_spoken() {
    let house = House::with(Bounds::default()).await;
    for version in [&version::TLS13, &version::TLS12] {
        let mut stream = house.speak(version).await;
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"hello");
    }
}

#[tokio::test]
async fn a_request_in_clear_is_told_what_would_be_right() {
    let house = House::with(Bounds::default()).await;
    let mut stream = house.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let answer = String::from_utf8(rest(stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("tls_required"), "{answer}");
    assert!(answer.contains("application/problem+json") && answer.contains("https://"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(body).unwrap()["hint"].is_string());
    house.greets().await;
}

#[tokio::test]
async fn whoever_says_nothing_or_nonsense_is_sent_away_and_keeps_nobody_out() {
    let house = House::with(Bounds { patience: Duration::from_millis(50), most: 8 }).await;
    let silent = house.connect().await;
    let mut odd = house.connect().await;
    odd.write_all(&[0; 64]).await.unwrap();
    drop(house.connect().await);
    house.greets().await;
    assert_eq!(rest(silent).await, b"");
    // An alert of TLS, and the end.
    assert_eq!(rest(odd).await.first(), Some(&21));
}

#[tokio::test]
async fn when_there_are_too_many_the_one_that_waited_longest_goes() {
    let house = House::with(Bounds { patience: Duration::from_secs(3_600), most: 2 }).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(house.connect().await);
    }
    // Of two places this takes one, so the first two of the silent are gone, and not the third.
    house.greets().await;
    let third = silent.pop().unwrap();
    for gone in silent {
        assert_eq!(rest(gone).await, b"");
    }
    assert_eq!(third.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}
