//! Real connections: slow ones, silent ones, and those that ask.

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

/// A server that says from which port it was asked.
struct House {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

async fn house(bounds: Bounds) -> House {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let whence = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.port().to_string() };
    let router = Router::new().route("/", get(whence));
    let (stop, stopped) = oneshot::channel();
    let told = async { drop(stopped.await) };
    let task = tokio::spawn(serve(listener, (router, bounds), told));
    House { address, stop, task }
}

impl House {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Asks over an open connection; whether it is answered rightly.
async fn asks(stream: &mut TcpStream) -> bool {
    if stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    let port = stream.local_addr().unwrap().port().to_string();
    while !answer.ends_with(port.as_bytes()) {
        let mut part = [0; 512];
        match stream.read(&mut part).await {
            Ok(read @ 1..) => answer.extend_from_slice(&part[..read]),
            _ => return false,
        }
    }
    answer.starts_with(b"HTTP/1.1 200 ")
}

/// Everything until the other side is gone, however it goes.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    all
}

/// Time goes on by itself as soon as nobody has anything to do.
#[tokio::test(start_paused = true)]
async fn a_head_that_comes_too_slowly_is_waited_for_no_longer() {
    let house = house(Bounds::default()).await;
    let begun = tokio::time::Instant::now();
    let mut slow = house.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    assert!(!rest(&mut slow).await.starts_with(b"HTTP/1.1 200"));
    assert!((HEAD..2 * HEAD).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let mut genuine = house.connect().await;
    assert!(asks(&mut genuine).await && asks(&mut genuine).await, "one connection, two requests");
    // Whoever asked and then sends nothing is not kept for ever either.
    rest(&mut genuine).await;
    assert!(begun.elapsed() < 4 * HEAD);
}

#[tokio::test]
async fn when_there_are_too_many_the_one_goes_that_never_asked() {
    let house = house(Bounds { head: Duration::from_secs(3_600), most: 3 }).await;
    let mut asking = house.connect().await;
    assert!(asks(&mut asking).await);
    let (mut silent, mut slow) = (house.connect().await, house.connect().await);
    slow.write_all(b"GET / HT").await.unwrap();
    let mut newer = house.connect().await;
    assert!(asks(&mut newer).await, "there is room for somebody newer");
    assert_eq!(rest(&mut silent).await, b"", "it waited longest and asked for nothing");
    assert!(asks(&mut asking).await, "who has asked stays");
    slow.write_all(b"TP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    slow.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200", "the other silent one was not touched");
    // All of them have asked: the next one is sent away.
    assert!(!asks(&mut house.connect().await).await);
    drop(asking);
    loop {
        // Until the server knows that one has gone.
        if asks(&mut house.connect().await).await {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn when_it_stops_requests_under_way_are_answered_and_nobody_new() {
    let house = house(Bounds::default()).await;
    let mut idle = house.connect().await;
    assert!(asks(&mut idle).await);
    house.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, b"", "an idle one is closed");
    house.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(house.address).await.is_err());
}
