//! A cluster of processes on the loopback address, each with its own folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use driver::transport::Tls;
use kv::client::{self, Client};
use raft_core::{NodeId, Role};
use tempfile::TempDir;

use super::network::Network;
use super::ports;
use super::process::Process;

/// The least election timeout: each is drawn from it up to twice as much.
pub(crate) const ELECTION: Duration = Duration::from_millis(300);
/// The longest election timeout that may be drawn.
pub(crate) const LONGEST_ELECTION: Duration = Duration::from_millis(600);

/// How a cluster is to be.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// How many nodes.
    pub(crate) nodes: u64,
    /// What is wrong with their stores: a value of `KV_FAULT`.
    pub(crate) fault: &'static str,
    /// Puts certificates into the folder, and gives that of clients.
    pub(crate) certify: Option<fn(&Path, &[NodeId]) -> Tls>,
    /// What else each node is told, of the folder and its number.
    pub(crate) also: fn(&Path, NodeId) -> Vec<String>,
}

impl Shape {
    /// What is wrong with stores with which nothing is wrong.
    pub(crate) const SOUND: &str = "volatile";

    /// Nodes that lose at most what they did not sync.
    pub(crate) fn sound(nodes: u64) -> Self {
        Self { nodes, fault: Self::SOUND, certify: None, also: |_, _| Vec::new() }
    }
}

/// A cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    shape: Shape,
    folder: TempDir,
    addresses: BTreeMap<NodeId, SocketAddr>,
    processes: BTreeMap<NodeId, Process>,
    /// Those that were stopped or killed on purpose, and are expected not to answer.
    down: BTreeSet<NodeId>,
    /// The certificates of clients.
    tls: Option<Tls>,
    /// The links.
    pub(crate) network: Network,
}

impl Cluster {
    /// A cluster whose nodes have just been started.
    pub(crate) async fn start(shape: Shape) -> Self {
        let folder = tempfile::Builder::new().prefix("kv-faults-").tempdir().expect("a folder");
        let node = |id| (NodeId(id), SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())));
        let addresses: BTreeMap<NodeId, SocketAddr> = (1..=shape.nodes).map(node).collect();
        let network = Network::between(&addresses).await;
        let nodes: Vec<NodeId> = addresses.keys().copied().collect();
        let tls = shape.certify.map(|certify| certify(folder.path(), &nodes));
        let (processes, down) = (BTreeMap::new(), BTreeSet::new());
        let mut cluster = Self { shape, folder, addresses, processes, down, tls, network };
        for id in nodes {
            cluster.begin(id);
        }
        cluster
    }

    /// The nodes' names.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.addresses.keys().copied().collect()
    }

    /// Where a node listens.
    pub(crate) fn address(&self, id: NodeId) -> SocketAddr {
        self.addresses[&id]
    }

    /// Where all nodes listen.
    pub(crate) fn servers(&self) -> Vec<String> {
        self.addresses.values().map(ToString::to_string).collect()
    }

    /// The folder of everything, for this process alone or for good.
    pub(crate) fn keep(self) -> PathBuf {
        let Self { folder, processes, .. } = self;
        drop(processes);
        folder.keep()
    }

    /// The folder of everything.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of a node's store.
    pub(crate) fn store(&self, id: NodeId) -> PathBuf {
        self.folder.path().join(format!("n{}", id.0)).join("node.redb")
    }

    /// Starts a node, or starts it again.
    pub(crate) fn begin(&mut self, id: NodeId) {
        self.begin_with(id, self.shape.fault);
    }

    /// Starts a node with something else wrong with its store.
    pub(crate) fn begin_with(&mut self, id: NodeId, fault: &str) {
        self.processes.remove(&id);
        let log = self.folder.path().join(format!("n{}.log", id.0));
        let process = Process::start(&self.arguments(id), fault, &log);
        self.processes.insert(id, process);
        self.down.remove(&id);
    }

    fn arguments(&self, id: NodeId) -> Vec<String> {
        let folder = self.folder.path().join(format!("n{}", id.0));
        let mut arguments: Vec<String> = [
            "serve",
            "--id",
            &id.0.to_string(),
            "--data",
            &folder.display().to_string(),
            "--listen",
            &self.address(id).to_string(),
            "--election-timeout",
            &format!("{}ms", ELECTION.as_millis()),
            "--request-timeout",
            "3s",
            // Small, so that logs are compacted and snapshots sent all the time, in many chunks.
            "--snapshot-entries",
            "300",
            "--retained-entries",
            "100",
            "--chunk-bytes",
            "32768",
        ]
        .map(str::to_owned)
        .into();
        for (node, address) in &self.addresses {
            arguments.extend(["--member".to_owned(), format!("{}={address}", node.0)]);
        }
        for (node, address) in self.network.routes(id) {
            arguments.extend(["--route".to_owned(), format!("{}={address}", node.0)]);
        }
        arguments.extend((self.shape.also)(self.folder.path(), id));
        arguments
    }

    /// A process.
    pub(crate) fn process(&mut self, id: NodeId) -> &mut Process {
        self.processes.get_mut(&id).expect("every node was started")
    }

    /// Kills nodes, as nearly at once as can be.
    pub(crate) fn kill(&mut self, ids: &[NodeId]) {
        for id in ids {
            self.process(*id).begin_to_kill();
        }
        for id in ids {
            self.process(*id).kill();
        }
        self.down.extend(ids);
    }

    /// Stops nodes: they live, and do nothing.
    pub(crate) fn stop(&mut self, ids: &[NodeId]) {
        for id in ids {
            self.process(*id).stop();
        }
        self.down.extend(ids);
    }

    /// All nodes run, and all links are open, after this.
    pub(crate) fn heal(&mut self) {
        self.network.heal();
        for id in std::mem::take(&mut self.down) {
            self.process(id).resume();
            if self.process(id).ended().is_some() {
                self.begin(id);
            }
        }
    }

    /// Expects that a node ends by itself.
    pub(crate) fn expect_end(&mut self, id: NodeId) {
        self.down.insert(id);
    }

    /// Nodes that have ended, though nobody meant them to: how, and what they said last.
    pub(crate) fn dead(&mut self) -> Vec<String> {
        let mut dead = Vec::new();
        for (id, process) in &mut self.processes {
            if self.down.contains(id) {
                continue;
            }
            if let Some(status) = process.ended() {
                let words = process.last_words();
                dead.push(format!("node {} ended by itself ({status}):\n{words}", id.0));
            }
        }
        dead
    }

    /// How a client asks this cluster, with no more patience than this.
    pub(crate) fn client_options(&self, patience: Duration) -> client::Options {
        let (attempt, tls) = (LONGEST_ELECTION.min(patience), self.tls.clone());
        client::Options { patience, attempt, tls, ..client::Options::new(self.servers()) }
    }

    /// How a client asks one node.
    pub(crate) fn options_at(&self, id: NodeId, patience: Duration) -> client::Options {
        let servers = vec![self.address(id).to_string()];
        client::Options { servers, ..self.client_options(patience) }
    }

    /// The node that says it leads, in the latest term.
    pub(crate) async fn leader(&self) -> Option<NodeId> {
        const PATIENCE: Duration = Duration::from_millis(200);
        let mut leaders = Vec::new();
        for id in self.nodes() {
            let status = Client::new(self.options_at(id, PATIENCE)).status().await;
            let leads = status.ok().filter(|status| status.role == Role::Leader);
            leaders.extend(leads.map(|status| (status.hard_state.term, id)));
        }
        leaders.into_iter().max().map(|(_, id)| id)
    }

    /// How often the nodes have logged a word.
    pub(crate) fn logged(&self, word: &str) -> usize {
        let log = |id: NodeId| self.folder.path().join(format!("n{}.log", id.0));
        let count = |id| fs::read_to_string(log(id)).map_or(0, |text| text.matches(word).count());
        self.nodes().into_iter().map(count).sum()
    }

    /// How many bytes the store of a node has.
    pub(crate) fn store_bytes(&self, id: NodeId) -> u64 {
        fs::metadata(self.store(id)).map_or(0, |file| file.len())
    }
}
