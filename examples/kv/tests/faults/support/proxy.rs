//! One direction between two nodes: a TCP proxy that can be cut.
//!
//! Packets flow one way on each connection, from the node that made it, so that a proxy in front of a node for one
//! other node is a link in one direction.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What a link does with what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Passes it on.
    Open,
    /// Breaks connections, and lets none be made.
    Broken,
    /// Passes nothing on, and nobody is told. What is sent meanwhile arrives late, unless the link breaks.
    Silent,
}

/// A link as it is now.
#[derive(Clone, Copy, Debug)]
struct State {
    passage: Passage,
    /// How often it was broken: connections end when they see another number.
    breaks: u64,
}

/// A link.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    heard: Heard,
    task: AbortHandle,
}

/// What was sent on each connection, as far as it is kept.
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// So much of each connection is kept, of so many connections.
const KEPT_BYTES: usize = 256 * 1024;
const KEPT_CONNECTIONS: usize = 4;

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// A link to an address, open.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let (state, seen) = watch::channel(State { passage: Passage::Open, breaks: 0 });
        let heard = Heard::default();
        let task = tokio::spawn(accept(listener, target, seen, heard.clone())).abort_handle();
        Self { address, state, heard, task }
    }

    /// The beginnings of the first connections, from the node that made them.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it is reached.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it does this.
    pub(crate) fn set(&self, passage: Passage) {
        self.state.send_modify(|state| {
            state.passage = passage;
            state.breaks += u64::from(passage == Passage::Broken);
        });
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    state: watch::Receiver<State>,
    heard: Heard,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let breaks = state.borrow().breaks;
        let ear = Ear::new(&heard);
        let link = Watched { breaks, state: state.clone() };
        tokio::spawn(async move {
            // Whatever ends it, ends both directions.
            drop(carry(stream, target, link, ear).await);
        });
    }
}

async fn carry(
    stream: TcpStream,
    target: SocketAddr,
    mut link: Watched,
    ear: Option<Ear>,
) -> io::Result<()> {
    link.opened().await?;
    let (from, to) = (stream, TcpStream::connect(target).await?);
    from.set_nodelay(true)?;
    to.set_nodelay(true)?;
    let (from_read, from_write) = from.into_split();
    let (to_read, to_write) = to.into_split();
    tokio::select! {
        ended = pump(from_read, to_write, link.clone(), ear) => ended,
        ended = pump(to_read, from_write, link.clone(), None) => ended,
        broken = link.broken() => Err(broken),
    }
}

/// Passes bytes on, as long as they may pass.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut link: Watched,
    ear: Option<Ear>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        // What is on its way when the link is cut is held up.
        link.opened().await?;
        if count == 0 {
            return Ok(());
        }
        if let Some(ear) = &ear {
            ear.hear(&buffer[..count]);
        }
        to.write_all(&buffer[..count]).await?;
    }
}

/// Keeps what is sent on a connection.
struct Ear {
    heard: Heard,
    nth: usize,
}

impl Ear {
    /// For one connection more, if there are not enough.
    fn new(heard: &Heard) -> Option<Self> {
        let mut all = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = all.len();
        (nth < KEPT_CONNECTIONS).then(|| {
            all.push(Vec::new());
            Self { heard: heard.clone(), nth }
        })
    }

    fn hear(&self, bytes: &[u8]) {
        let mut all = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut all[self.nth];
        if kept.len() < KEPT_BYTES {
            kept.extend_from_slice(bytes);
        }
    }
}

/// A link as a connection on it sees it.
#[derive(Clone, Debug)]
struct Watched {
    state: watch::Receiver<State>,
    breaks: u64,
}

impl Watched {
    /// Waits until the link is open.
    async fn opened(&mut self) -> io::Result<()> {
        let breaks = self.breaks;
        let may_go_on = |state: &State| state.breaks != breaks || state.passage != Passage::Silent;
        let state = self.state.wait_for(may_go_on).await.map_err(io::Error::other)?;
        if state.breaks == breaks && state.passage == Passage::Open {
            Ok(())
        } else {
            Err(io::Error::other("the link is broken"))
        }
    }

    /// Waits until the link breaks.
    async fn broken(&mut self) -> io::Error {
        let breaks = self.breaks;
        let broken = self.state.wait_for(|state| state.breaks != breaks).await;
        io::Error::other(format!("the link is broken, and lives on: {}", broken.is_ok()))
    }
}
