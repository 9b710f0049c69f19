//! The log over real HTTP, followed by other people's code: `tlog_tiles` makes its proofs from our tiles, `signed_note` opens our notes.

use std::future::Future;
use std::net::SocketAddr;

use countersign_core::digest::Digest;
use countersign_core::{Command, permit};
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::proof::ProofFile;
use countersign_server::engine::Engine;
use countersign_server::http;
use countersign_server::search::{Place, Search};
use countersign_server::store::memory::MemoryStore;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, HashReader, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record,
    prove_tree, record_hash, tree_hash,
};
use tokio::task::JoinSet;

use crate::engine::fixture::{self, ANA, ORIGIN};

/// A log that is served, and somebody outside who asks for it.
pub(super) struct Served {
    pub(super) engine: Engine,
    pub(super) address: SocketAddr,
    client: Client,
}

/// An answer as it arrived.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Served {
    pub(super) async fn start() -> Self {
        let engine = fixture::started(Box::new(MemoryStore::new())).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let search = Search::start(&engine, Place::memory());
        let router = http::router((engine.clone(), search), http::recorder());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let tls =
            rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
        let client =
            Client::builder().no_proxy().no_gzip().tls_backend_preconfigured(tls).build().expect("a client");
        Self { engine, address, client }
    }

    /// Appends until the log has this many entries, and waits until they are signed.
    pub(super) async fn grow(&self, size: u64) {
        let missing = size.checked_sub(self.engine.size()).expect("it is smaller");
        let mut appending = JoinSet::new();
        for _ in 0..missing {
            let engine = self.engine.clone();
            appending.spawn(async move { fixture::by(&engine, ANA, reserve()).await });
        }
        for committed in appending.join_all().await {
            committed.expect("it is reserved");
        }
        self.signed(size).await;
    }

    /// Waits until so many entries are signed.
    pub(super) async fn signed(&self, size: u64) {
        self.engine.signatures().wait_for(|signed| *signed >= size).await.expect("it runs");
    }

    async fn ask(&self, method: Method, (path, encoding): (&str, &str)) -> Answer {
        let url = format!("http://{}/ledger/{path}", self.address);
        let mut request = self.client.request(method, url);
        if !encoding.is_empty() {
            request = request.header("accept-encoding", HeaderValue::from_str(encoding).expect("a header"));
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, body: answer.bytes().await.expect("a body").to_vec() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, (path, "")).await
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status.as_u16()
    }

    /// The checkpoint, as other people's code reads it.
    async fn checkpoint(&self) -> Checkpoint {
        let answer = self.get("checkpoint").await;
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        let note = Note::from_bytes(&answer.body).expect("a signed note");
        let key = StandardVerifier::new(&fixture::signer().vkey()).expect("a verifier");
        let (verified, unknown) = note.verify(&VerifierList::new(vec![Box::new(key)])).expect("it is signed");
        assert_eq!((verified.len(), unknown.len()), (1, 0));
        let checkpoint = Checkpoint::from_bytes(note.text()).expect("a checkpoint");
        assert_eq!(checkpoint.origin(), ORIGIN);
        checkpoint
    }
}

fn reserve() -> Command {
    let parameters_sha256 = Digest::of(b"parameters");
    Command::ReservePermit(permit::Reserve {
        action: fixture::ping(),
        parameters_sha256,
        approval: None,
        exceptions: Vec::new(),
    })
}

/// Their reader of tiles, over our HTTP. It insists on the tiles of a tree of one size, as the specification says.
struct Fetching<'a>(&'a Served);

/// Their paths name the height of tiles, those of the specification do not.
fn path(tile: &Tile) -> String {
    tile.path().replace("tile/8/", "tile/").replace("tile/data/", "tile/entries/")
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

impl TileReader for Fetching<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let fetch = |tile: &Tile| {
            let answer = wait(self.0.get(&path(tile)));
            assert_eq!(answer.status, StatusCode::OK, "{}", path(tile));
            assert_eq!(answer.header("content-type"), "application/octet-stream");
            assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
            Ok(answer.body)
        };
        tiles.iter().map(fetch).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_code_follows_the_log_from_its_tiles() {
    let served = Served::start().await;
    let mut before: Option<Checkpoint> = None;
    // Below, at and above the edges of tiles; 600 has two full tiles of level 0, so level 1 matters.
    for size in [40, 256, 257, 512, 600] {
        served.grow(size).await;
        let now = served.checkpoint().await;
        assert_eq!(now.size(), size);
        let fetching = Fetching(&served);
        let tree = TileHashReader::new(now.size(), *now.hash(), &fetching);
        assert_eq!(tree_hash(size, &tree).expect("a root"), *now.hash());
        for index in [0, 1, size / 2, size - 1] {
            let proof = prove_record(size, index, &tree).expect("a proof");
            let leaf = tree.read_hashes(&[tlog_tiles::stored_hash_index(0, index)]).expect("a leaf hash");
            check_record(&proof, size, *now.hash(), index, leaf[0]).expect("the entry is in the tree");
        }
        if let Some(before) = before {
            let proof = prove_tree(size, before.size(), &tree).expect("a proof");
            check_tree(&proof, size, *now.hash(), before.size(), *before.hash()).expect("the log went on");
        }
        before = Some(now);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bundles_hold_the_entries_that_the_tree_is_of() {
    let served = Served::start().await;
    served.grow(300).await;
    let mut hashes = Vec::new();
    for (bundle, width) in [("000", 256), ("001.p/44", 44)] {
        let plain = served.get(&format!("tile/entries/{bundle}")).await;
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
        let mut rest = plain.body.as_slice();
        for _ in 0..width {
            let (length, after) = rest.split_first_chunk::<2>().expect("a length");
            let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            let leaf: serde_json::Value = serde_json::from_slice(entry).expect("a leaf");
            assert_eq!(leaf["index"], hashes.len());
            hashes.push(record_hash(entry));
            rest = after;
        }
        assert!(rest.is_empty());
    }
    let now = served.checkpoint().await;
    let fetching = Fetching(&served);
    let tree = TileHashReader::new(now.size(), *now.hash(), &fetching);
    let places: Vec<u64> = (0..now.size()).map(|index| tlog_tiles::stored_hash_index(0, index)).collect();
    assert!(tree.read_hashes(&places).expect("leaf hashes") == hashes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_file_convinces_whoever_has_the_entry_and_the_key() {
    let served = Served::start().await;
    served.grow(300).await;
    let keys = [fixture::signer().verifier()];
    for index in [0, 255, 256, 299] {
        let answer = served.get(&format!("proof/{index}")).await;
        let file: ProofFile = std::str::from_utf8(&answer.body).expect("text").parse().expect("a proof file");
        let entries = served.engine.read(move |reader| reader.entries(index, 1)).await.expect("a reader");
        let leaf = leaf_hash(&entries[0].leaf);
        assert_eq!(file.index, index);
        assert_eq!(file.verify(leaf, ORIGIN, &keys).expect("it proves").size, 300);
        assert!(file.verify(leaf_hash(b"another"), ORIGIN, &keys).is_err());
    }
    assert_eq!(served.status("proof/300").await, 404);
    assert_eq!(served.status("proof/-1").await, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_checkpoint_vouches_for_is_not_there() {
    let served = Served::start().await;
    served.grow(300).await;
    for there in ["tile/0/000", "tile/0/001.p/44", "tile/0/000.p/255", "tile/0/001.p/1", "tile/1/000.p/1"] {
        assert_eq!(served.status(there).await, 200, "{there}");
    }
    for there in ["tile/entries/000", "tile/entries/000.p/7", "tile/entries/001.p/44"] {
        assert_eq!(served.status(there).await, 200, "{there}");
    }
    for absent in [
        "tile/0/001",
        "tile/0/001.p/45",
        "tile/0/002.p/1",
        "tile/1/000",
        "tile/1/000.p/2",
        "tile/2/000.p/1",
        "tile/entries/001",
        "tile/entries/001.p/45",
        "tile/63/000.p/1",
        "tile/0/x072/x057/x594/x037/x927/935",
    ] {
        let answer = served.get(absent).await;
        assert_eq!(answer.status.as_u16(), 404, "{absent}");
        assert_eq!(answer.header("cache-control"), "no-store", "it may be there in a moment");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tile_has_one_name() {
    let served = Served::start().await;
    served.grow(300).await;
    for odd in [
        "tile/0/0",
        "tile/00/000",
        "tile/+0/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/x000/000",
        "tile/0/x0/000",
        "tile/0/0000",
        "tile/0/000/000",
        "tile/0/000%2Ep%2F255",
        "tile/0/00%30",
        "tile/entries/0",
        "tile/entries/x000/000",
        "tile/0/000?",
        "tile/0/000?x=1",
        "tile/entries/000.p/-1",
        "tile/0/000/",
        "tile/data/000",
        "tile/0/000.p/1/2",
    ] {
        let answer = served.get(odd).await;
        assert_eq!(answer.status.as_u16(), 400, "{odd}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_shrink_for_those_who_take_gzip_and_heads_have_no_body() {
    let served = Served::start().await;
    served.grow(300).await;
    let plain = served.get("tile/entries/000").await.body;
    for (accepted, expected) in
        [("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("identity", ""), ("gzip;q=0", "")]
    {
        let answer = served.ask(Method::GET, ("tile/entries/000", accepted)).await;
        assert_eq!(answer.header("content-encoding"), expected, "{accepted}");
        let shrunk = answer.body.len() * 3 < plain.len() && answer.body.starts_with(b"\x1f\x8b");
        assert_eq!(shrunk, expected == "gzip", "{accepted}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    }
    let hashes = served.ask(Method::GET, ("tile/0/000", "gzip")).await;
    assert_eq!((hashes.header("content-encoding"), hashes.body.len()), ("", 8_192));
    let head = served.ask(Method::HEAD, ("tile/0/000", "")).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (StatusCode::OK, "8192", 0));
    let head = served.ask(Method::HEAD, ("tile/0/009", "")).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::NOT_FOUND, 0));
}
