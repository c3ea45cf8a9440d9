//! Connections byte by byte: frames, greetings, and what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use driver::transport::{Greeting, PROTOCOL_VERSION, Purpose};
use raft_core::{ClusterId, NodeId};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The cluster of the tests.
pub(crate) const CLUSTER: ClusterId = ClusterId(1);

/// A frame: the length, then as many bytes.
pub(crate) fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a test sends no more");
    [&length.to_le_bytes(), bytes].concat()
}

/// The frame of a message.
pub(crate) fn message(message: &impl Serialize) -> Vec<u8> {
    frame(&postcard::to_stdvec(message).expect("plain data has bytes"))
}

/// How every connection begins.
pub(crate) fn preface(version: u16) -> Vec<u8> {
    message(&(*b"RAFT", version))
}

/// How a node begins.
pub(crate) fn as_node(from: NodeId, to: NodeId) -> Vec<u8> {
    // Nobody listens there.
    let purpose = Purpose::Peer { from, to, address: "127.0.0.1:1".to_owned() };
    greeting(&Greeting { cluster: CLUSTER, purpose })
}

/// How a client begins.
pub(crate) fn as_client() -> Vec<u8> {
    greeting(&Greeting { cluster: CLUSTER, purpose: Purpose::Client })
}

/// How somebody begins.
pub(crate) fn greeting(greeting: &Greeting) -> Vec<u8> {
    [preface(PROTOCOL_VERSION), message(greeting)].concat()
}

/// The contents of the frames at the beginning of some bytes.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some((frame, rest)) = rest.split_at_checked(length) else { break };
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

/// Connects. Whoever is busy, or has too many connections, need not be there.
pub(crate) async fn reach(address: SocketAddr) -> Option<TcpStream> {
    let reached = timeout(Duration::from_secs(1), TcpStream::connect(address)).await;
    reached.ok()?.ok()
}

/// Sends some bytes, as far as the other side takes them.
pub(crate) async fn send(stream: &mut TcpStream, bytes: &[u8]) {
    drop(timeout(Duration::from_secs(1), stream.write_all(bytes)).await);
}

/// What comes within some time, until the end of it or of the connection.
pub(crate) async fn heard(stream: &mut TcpStream, within: Duration) -> Vec<u8> {
    let mut heard = Vec::new();
    drop(timeout(within, stream.read_to_end(&mut heard)).await);
    heard
}

/// What is answered over HTTP, as text.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let Some(mut stream) = reach(address).await else { return "not reached".to_owned() };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    send(&mut stream, request.as_bytes()).await;
    String::from_utf8_lossy(&heard(&mut stream, Duration::from_secs(5)).await).into_owned()
}
