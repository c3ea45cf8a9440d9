//! Whoever connects and does not say who it is keeps nobody out; and whoever does not answer is not waited for.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use driver::packet::Packet;
use driver::transport::{
    Client, ConnectError, Connection, Greeting, GreetingError, Hub, Limits, LinkEvent, Links,
    Origin, Purpose, Refused, connect,
};
use raft_core::{ClusterId, NodeId};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

const CLUSTER: ClusterId = ClusterId(1);
const LIMIT: usize = 4;
/// Much shorter than what the silent are given.
const SOON: Duration = Duration::from_secs(2);

async fn hub() -> (Hub, mpsc::Receiver<Client>) {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let limits = Limits { connections: LIMIT, ..Limits::default() };
    let hub = Hub::bind(any, None, limits).await.expect("a port");
    let clients = hub.clients(CLUSTER);
    (hub, clients)
}

async fn greet(hub: &Hub) -> Result<Connection, ConnectError> {
    let greeting = Greeting { cluster: CLUSTER, purpose: Purpose::Client };
    let address = hub.address().to_string();
    timeout(SOON, connect(&address, None, &greeting, 1024)).await.expect("an answer comes soon")
}

async fn silent(hub: &Hub) -> TcpStream {
    TcpStream::connect(hub.address()).await.expect("it listens")
}

#[tokio::test]
async fn the_silent_keep_nobody_out() {
    let (hub, mut clients) = hub().await;
    let mut strangers = Vec::new();
    let (mut guests, mut served) = (Vec::new(), Vec::new());
    for _ in 0..LIMIT {
        for _ in 0..LIMIT {
            strangers.push(silent(&hub).await);
        }
        guests.push(greet(&hub).await.expect("there is room for guests"));
        served.push(clients.recv().await.expect("it is handed on"));
    }
    let refused = greet(&hub).await.map(drop).expect_err("there are as many guests as may be");
    let ConnectError::Greeting { error: GreetingError::Refused(why), .. } = refused else {
        panic!("refused in another way: {refused}");
    };
    assert_eq!(why, Refused::Full);
    drop(served.pop());
    greet(&hub).await.expect("one is gone");
}

#[tokio::test]
async fn the_one_that_was_silent_for_longest_goes() {
    let (hub, _clients) = hub().await;
    let mut first = silent(&hub).await;
    let mut others = Vec::new();
    for _ in 1..LIMIT {
        others.push(silent(&hub).await);
    }
    let heard = timeout(Duration::from_millis(100), first.read_u8()).await;
    assert!(heard.is_err(), "there is room for it yet: {heard:?}");
    others.push(silent(&hub).await);
    let heard = timeout(SOON, first.read_u8()).await.expect("it is told soon");
    assert!(heard.is_err(), "nothing is said to it: {heard:?}");
    greet(&hub).await.expect("others are let in");
}

/// A link on which nothing is acknowledged is made anew, and not waited for. (What is not read here stands for what
/// is lost on the way.)
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_stalls_is_given_up() {
    let (hub, _clients) = hub().await;
    let (us, them) = (NodeId(1), NodeId(2));
    let unread = hub.node(CLUSTER, them);
    let address = hub.address().to_string();
    let max_frame_bytes = Limits::default().frame_bytes;
    let origin = Origin { cluster: CLUSTER, node: us, address, tls: None, max_frame_bytes };
    let mut links = Links::new(origin, BTreeMap::new());
    let mut events = links.events();
    links.learn(them, &hub.address().to_string());
    let work = async {
        let mut became = Vec::new();
        while became != [LinkEvent::Connected(them), LinkEvent::Disconnected(them)] {
            for _ in 0..100 {
                links.send(them, Packet::Message(Bytes::from_static(&[7; 4_096])));
            }
            became.extend(events.try_recv());
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(20), work).await.expect("it is given up");
    drop(unread);
}

/// A computer that is not there does not answer. (One whose queue of new connections is full does not either.)
#[tokio::test]
async fn a_connection_that_is_not_made_is_given_up() {
    let listener = TcpSocket::new_v4().expect("a socket");
    listener.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
    let listener = listener.listen(1).expect("listens");
    let address = listener.local_addr().expect("an address");
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        waiting.push(stream.expect("there is room yet"));
    }
    let began = Instant::now();
    let greeting = Greeting { cluster: CLUSTER, purpose: Purpose::Client };
    let failed = connect(&address.to_string(), None, &greeting, 1024).await.map(drop);
    let failed = failed.expect_err("nobody answers");
    assert!(matches!(failed, ConnectError::Unreachable { .. }), "{failed}");
    assert!(began.elapsed() < 2 * SOON, "after {:?}", began.elapsed());
}
