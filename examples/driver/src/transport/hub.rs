//! The listener of a process: lets connections in, and hands on what arrives to the nodes it is for.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raft_core::{ClusterId, NodeId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::connection::{Connection, Reading};
use super::greeting::{self, Greeting, GreetingError, MAX_GREETING_BYTES, Purpose, Refused};
use super::socket;
use super::strangers::Strangers;
use super::tls::{self, Tls};
use crate::packet::Packet;

/// What a listener puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at a time, of nodes and clients together. There may be as many again that have not
    /// greeted yet.
    pub connections: usize,
    /// The most bytes of a frame.
    pub frame_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_024, frame_bytes: 32 * 1024 * 1024 }
    }
}

/// A TLS handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// So much waits for a node before its peers' connections have to wait.
const INBOX: usize = 4_096;
/// So many clients wait to be served.
const BACKLOG: usize = 64;

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Without certificates anybody who can reach the port is believed.
    #[error(
        "without certificates it listens on a loopback address only, not on {0}: give certificates, or listen on 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Io {
        /// The address.
        address: SocketAddr,
        /// What went wrong.
        error: io::Error,
    },
}

/// Something that arrived from another node.
#[derive(Debug)]
pub struct Arrival {
    /// Who sent it.
    pub from: NodeId,
    /// Where that node says it can be reached.
    pub address: Arc<str>,
    /// What it says.
    pub packet: Packet,
}

/// A client that was let in. It counts among the connections as long as this is kept.
#[derive(Debug)]
pub struct Client {
    /// The connection.
    pub connection: Connection,
    _permit: OwnedSemaphorePermit,
}

/// A listener. It stops when the last copy is dropped.
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
    _listening: Arc<Listening>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Shared {
    tls: Option<Tls>,
    limits: Limits,
    permits: Arc<Semaphore>,
    nodes: Mutex<BTreeMap<(ClusterId, NodeId), mpsc::Sender<Arrival>>>,
    clients: Mutex<BTreeMap<ClusterId, mpsc::Sender<Client>>>,
}

impl Hub {
    /// Listens.
    ///
    /// # Errors
    /// When the address cannot be had, or should not be listened on.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<Tls>,
        limits: Limits,
    ) -> Result<Self, BindError> {
        if tls.is_none() && !address.ip().is_loopback() {
            return Err(BindError::NotLoopback(address));
        }
        let failed = |error| BindError::Io { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let permits = Arc::new(Semaphore::new(limits.connections));
        let (nodes, clients) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { tls, limits, permits, nodes, clients });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { shared, _listening: Arc::new(Listening(task.abort_handle())), address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificates.
    pub fn tls(&self) -> Option<&Tls> {
        self.shared.tls.as_ref()
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// From now on, what is for a node arrives here.
    pub fn node(&self, cluster: ClusterId, node: NodeId) -> mpsc::Receiver<Arrival> {
        let (sender, receiver) = mpsc::channel(INBOX);
        lock(&self.shared.nodes).insert((cluster, node), sender);
        receiver
    }

    /// From now on, clients of a cluster arrive here.
    pub fn clients(&self, cluster: ClusterId) -> mpsc::Receiver<Client> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        lock(&self.shared.clients).insert(cluster, sender);
        receiver
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut strangers = Strangers::new(shared.limits.connections);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let shared = shared.clone();
                let greeted = tokio::spawn(async move {
                    match shared.let_in(stream).await {
                        // No stranger any more: a task that nobody ends.
                        Ok(guest) => drop(tokio::spawn(guest.stay(peer))),
                        Err(error) => tracing::debug!(%peer, %error, "nobody was let in"),
                    }
                });
                strangers.add(greeted.abort_handle());
            }
            Err(error) => {
                // Out of file descriptors, most likely: some will be free again.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A connection that was let in. It counts as long as this is kept.
enum Guest {
    Node {
        reading: Reading,
        from: NodeId,
        address: Arc<str>,
        inbox: mpsc::Sender<Arrival>,
        _permit: OwnedSemaphorePermit,
    },
    Client(mpsc::Sender<Client>, Client),
}

impl Guest {
    async fn stay(self, peer: SocketAddr) {
        match self {
            Self::Node { mut reading, from, address, inbox, _permit } => {
                if let Err(error) = receive(&mut reading, from, address, &inbox).await {
                    tracing::debug!(%peer, node = from.0, %error, "a connection ended");
                }
            }
            // Whoever served clients may have stopped; then the connection ends here.
            Self::Client(queue, client) => drop(queue.send(client).await),
        }
    }
}

impl Shared {
    async fn let_in(&self, stream: TcpStream) -> Result<Guest, GreetingError> {
        let failed = |error| GreetingError::Frame(super::FrameError::Io(error));
        socket::prepare(&stream).map_err(failed)?;
        let Some(tls) = &self.tls else {
            return self.greeted(Connection::new(stream, MAX_GREETING_BYTES), |_, _| true).await;
        };
        let stream = timeout(HANDSHAKE, tls.accept(stream)).await;
        let stream = stream.map_err(|_| GreetingError::Silent)?.map_err(failed)?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first).cloned();
        let is_node = move |cluster, node| {
            certificate.as_ref().is_some_and(|certificate| tls::is_node(certificate, cluster, node))
        };
        self.greeted(Connection::new(stream, MAX_GREETING_BYTES), is_node).await
    }

    async fn greeted(
        &self,
        mut connection: Connection,
        is_node: impl Fn(ClusterId, NodeId) -> bool,
    ) -> Result<Guest, GreetingError> {
        let greeting = greeting::hear(&mut connection).await?;
        let place = self.place(greeting, is_node);
        let answer = place.as_ref().map(|_| ()).map_err(Clone::clone);
        greeting::answer(&mut connection, answer).await?;
        connection.reading.allow(self.limits.frame_bytes);
        connection.writing.allow(self.limits.frame_bytes);
        Ok(match place? {
            Place::Node { from, address, inbox, permit } => {
                let Connection { reading, .. } = connection;
                Guest::Node { reading, from, address: address.into(), inbox, _permit: permit }
            }
            Place::Client { queue, permit } => {
                Guest::Client(queue, Client { connection, _permit: permit })
            }
        })
    }

    /// Where somebody belongs who has greeted, if anywhere.
    fn place(
        &self,
        Greeting { cluster, purpose }: Greeting,
        is_node: impl Fn(ClusterId, NodeId) -> bool,
    ) -> Result<Place, Refused> {
        let permit = || self.permits.clone().try_acquire_owned().map_err(|_| Refused::Full);
        match purpose {
            Purpose::Peer { from, .. } if !is_node(cluster, from) => {
                Err(Refused::Certificate(from))
            }
            Purpose::Peer { from, to, address } => {
                let inbox = lock(&self.nodes).get(&(cluster, to)).cloned();
                let inbox = inbox.ok_or(Refused::NotHere)?;
                Ok(Place::Node { from, address, inbox, permit: permit()? })
            }
            Purpose::Client => {
                let queue = lock(&self.clients).get(&cluster).cloned();
                let queue = queue.ok_or(Refused::NotHere)?;
                Ok(Place::Client { queue, permit: permit()? })
            }
        }
    }
}

/// What is there for somebody who has greeted.
enum Place {
    Node {
        from: NodeId,
        address: String,
        inbox: mpsc::Sender<Arrival>,
        permit: OwnedSemaphorePermit,
    },
    Client {
        queue: mpsc::Sender<Client>,
        permit: OwnedSemaphorePermit,
    },
}

/// Hands on what a node sends, until the connection or the receiver ends.
async fn receive(
    reading: &mut Reading,
    from: NodeId,
    address: Arc<str>,
    inbox: &mpsc::Sender<Arrival>,
) -> Result<(), super::FrameError> {
    loop {
        let packet: Packet = reading.next().await?;
        if matches!(&packet, Packet::Raft(envelope) if envelope.from != from) {
            tracing::warn!(node = from.0, "a node speaks for another one: not listening");
            continue;
        }
        if inbox.send(Arrival { from, address: address.clone(), packet }).await.is_err() {
            return Ok(());
        }
    }
}
