//! Whoever connects and does not say who it is keeps nobody out.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use driver::transport::{
    Client, ConnectError, Connection, Greeting, GreetingError, Hub, Limits, Purpose, Refused,
    connect,
};
use raft_core::ClusterId;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

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
