//! The links between all nodes, one in each direction.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use raft_core::NodeId;

use super::proxy::{Passage, Proxy};

/// From whom, to whom.
pub(crate) type Link = (NodeId, NodeId);

/// All links.
#[derive(Debug)]
pub(crate) struct Network {
    links: BTreeMap<Link, Proxy>,
}

impl Network {
    /// All nodes reach each other.
    pub(crate) async fn between(nodes: &BTreeMap<NodeId, SocketAddr>) -> Self {
        let mut links = BTreeMap::new();
        for from in nodes.keys() {
            for (to, address) in nodes.iter().filter(|(to, _)| *to != from) {
                links.insert((*from, *to), Proxy::to(*address).await);
            }
        }
        Self { links }
    }

    /// How a node is told to reach the others.
    pub(crate) fn routes(&self, from: NodeId) -> impl Iterator<Item = (NodeId, SocketAddr)> {
        let own = self.links.iter().filter(move |((node, _), _)| *node == from);
        own.map(|((_, to), proxy)| (*to, proxy.address()))
    }

    /// What was sent on the first connections of a link.
    pub(crate) fn heard(&self, link: Link) -> Vec<Vec<u8>> {
        self.links[&link].heard()
    }

    /// Cuts links.
    pub(crate) fn cut(&self, links: &[Link], how: Passage) {
        for link in links {
            self.links[link].set(how);
        }
    }

    /// All nodes reach each other again. What was held up on silent links arrives now, unless they are broken first.
    pub(crate) fn heal(&self) {
        for proxy in self.links.values() {
            proxy.set(Passage::Open);
        }
    }

    /// Breaks what connections there are; new ones can be made at once.
    pub(crate) fn reset(&self) {
        for proxy in self.links.values() {
            proxy.set(Passage::Broken);
            proxy.set(Passage::Open);
        }
    }
}
