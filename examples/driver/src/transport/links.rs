//! Connections to other nodes: one to each, made when there is something to say, and made again when it breaks.
//!
//! What cannot be sent soon is dropped: Raft does not count on any message, and what is old is of no use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use raft_core::{ClusterId, Membership, NodeId};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::connection::{Connection, FrameError};
use super::greeting::{Greeting, Purpose};
use super::tls::Tls;
use super::{ConnectError, connect};
use crate::packet::Packet;

/// So many packets wait for a connection; more are dropped.
const QUEUE: usize = 4_096;
/// So many are sent at a time.
const BATCH: usize = 256;
/// How long to wait before the next attempt to connect: twice as long after each, up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));
/// So many nodes are known that are no members: those that come to be some, and those that were. Anybody can claim to be
/// one more.
const OUTSIDERS: usize = 64;
/// An attempt takes no longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What becomes of connections to other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// There is one.
    Connected(NodeId),
    /// It broke.
    Disconnected(NodeId),
}

/// Who we are, to those we connect to.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
    /// Where it can be reached.
    pub address: String,
    /// Its certificates.
    pub tls: Option<Tls>,
    /// The most bytes of a frame.
    pub max_frame_bytes: usize,
}

/// Connections to other nodes. They end when this is dropped.
#[derive(Debug)]
pub struct Links {
    origin: Arc<Origin>,
    /// Nodes that are reached elsewhere than where they say.
    routes: BTreeMap<NodeId, String>,
    peers: BTreeMap<NodeId, Link>,
    events: broadcast::Sender<LinkEvent>,
}

#[derive(Debug)]
struct Link {
    address: watch::Sender<String>,
    queue: mpsc::Sender<Packet>,
    /// Whether the address is from the membership: what a node says of itself counts for less.
    is_member: bool,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Links {
    /// No connections yet.
    pub fn new(origin: Origin, routes: BTreeMap<NodeId, String>) -> Self {
        let (events, _) = broadcast::channel(256);
        Self { origin: Arc::new(origin), routes, peers: BTreeMap::new(), events }
    }

    /// What becomes of the connections from now on.
    pub fn events(&self) -> broadcast::Receiver<LinkEvent> {
        self.events.subscribe()
    }

    /// Members are where the membership says.
    pub fn follow(&mut self, membership: &Membership) {
        let own = self.origin.node;
        for id in membership.members().into_iter().filter(|id| *id != own) {
            let context = membership.context(id).map(|context| context.to_vec());
            if let Some(address) = context.and_then(|context| String::from_utf8(context).ok()) {
                self.set(id, address, true);
            }
        }
        for (id, link) in &mut self.peers {
            link.is_member = membership.context(*id).is_some();
        }
    }

    /// A node says where it is. Members are believed to be where the membership says instead.
    pub fn learn(&mut self, node: NodeId, address: &str) {
        match self.peers.get(&node) {
            Some(link) if link.is_member => return,
            Some(_) => {}
            None => self.make_room(),
        }
        self.set(node, address.to_owned(), false);
    }

    /// Forgets somebody if one outsider more would be too many. Whoever is one makes itself known again.
    fn make_room(&mut self) {
        let outsiders = || self.peers.iter().filter(|(_, link)| !link.is_member);
        if outsiders().count() >= OUTSIDERS {
            let forgotten = outsiders().next().map(|(id, _)| *id).expect("there are some");
            self.peers.remove(&forgotten);
        }
    }

    fn set(&mut self, node: NodeId, address: String, is_member: bool) {
        let address = self.routes.get(&node).cloned().unwrap_or(address);
        if let Some(link) = self.peers.get_mut(&node) {
            link.is_member = is_member;
            link.address.send_if_modified(|known| {
                let is_new = *known != address;
                *known = address;
                is_new
            });
            return;
        }
        let (address, at) = watch::channel(address);
        let (queue, packets) = mpsc::channel(QUEUE);
        let (origin, events) = (self.origin.clone(), self.events.clone());
        let task = tokio::spawn(run(origin, node, at, packets, events)).abort_handle();
        self.peers.insert(node, Link { address, queue, is_member, task });
    }

    /// Sends something, if the node's address is known and its connection keeps up.
    pub fn send(&self, to: NodeId, packet: Packet) {
        if let Some(link) = self.peers.get(&to) {
            // Full means that it is not reached; what is dropped is made up for by the protocol.
            drop(link.queue.try_send(packet));
        }
    }
}

/// Keeps one connection.
async fn run(
    origin: Arc<Origin>,
    node: NodeId,
    mut address: watch::Receiver<String>,
    mut packets: mpsc::Receiver<Packet>,
    events: broadcast::Sender<LinkEvent>,
) {
    let mut pause = PAUSES.0;
    // Nobody connects before there is something to say.
    while let Some(first) = packets.recv().await {
        let at = address.borrow_and_update().clone();
        match timeout(PATIENCE, reach(&origin, node, &at)).await {
            Ok(Ok(connection)) => {
                pause = PAUSES.0;
                // Nobody may be listening to this.
                drop(events.send(LinkEvent::Connected(node)));
                tracing::debug!(node = node.0, at, "connected");
                let ended = carry(connection, first, &mut packets, &mut address).await;
                tracing::debug!(node = node.0, at, %ended, "disconnected");
                drop(events.send(LinkEvent::Disconnected(node)));
            }
            Ok(Err(error)) => tracing::debug!(node = node.0, %error, "no connection"),
            Err(_) => tracing::debug!(node = node.0, at, "no connection in time"),
        }
        tokio::select! {
            () = sleep(pause) => {}
            _ = address.changed() => {}
        }
        pause = (2 * pause).min(PAUSES.1);
        while packets.try_recv().is_ok() {}
    }
}

async fn reach(origin: &Origin, to: NodeId, address: &str) -> Result<Connection, ConnectError> {
    let Origin { cluster, node, address: own, tls, max_frame_bytes } = origin;
    let purpose = Purpose::Peer { from: *node, to, address: own.clone() };
    let greeting = Greeting { cluster: *cluster, purpose };
    connect(address, tls.as_ref(), &greeting, *max_frame_bytes).await
}

/// Sends what there is to send, until the connection breaks or the node is elsewhere.
async fn carry(
    mut connection: Connection,
    first: Packet,
    packets: &mut mpsc::Receiver<Packet>,
    address: &mut watch::Receiver<String>,
) -> FrameError {
    let mut batch = vec![first];
    loop {
        for packet in batch.drain(..) {
            if let Err(error) = connection.writing.add(&packet).await {
                return error;
            }
        }
        if let Err(error) = connection.writing.flush().await {
            return error;
        }
        tokio::select! {
            count = packets.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    return FrameError::Closed;
                }
            }
            // Nothing comes this way but the end.
            end = connection.reading.next::<()>() => return end.err().unwrap_or(FrameError::Closed),
            _ = address.changed() => return FrameError::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_claims_to_be_many_is_not_remembered_for_long() {
        let (cluster, address) = (ClusterId(1), "127.0.0.1:1".to_owned());
        let origin = Origin { cluster, node: NodeId(1), address, tls: None, max_frame_bytes: 1024 };
        let mut links = Links::new(origin, BTreeMap::new());
        let members = Membership::of_voters([NodeId(1), NodeId(2)]).expect("two voters");
        let mut parts = raft_core::MembershipParts::from(members);
        parts.contexts.insert(NodeId(2), "127.0.0.1:2".into());
        links.follow(&Membership::try_from(parts).expect("two voters"));
        for id in 3..1_000 {
            links.learn(NodeId(id), "127.0.0.1:3");
        }
        assert_eq!(links.peers.len(), 1 + OUTSIDERS);
        assert!(links.peers[&NodeId(2)].is_member, "members stay");
        assert!(links.peers.contains_key(&NodeId(999)), "and who was there last");
    }
}
