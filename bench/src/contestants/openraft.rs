//! `openraft` 0.9.25, the newest stable version.
//!
//! It cannot be driven by hand: it is tasks on an asynchronous runtime. So there is one `tokio` runtime
//! on the current thread, without I/O, with all nodes. Settings, and why they are the best known:
//!
//! * A burst is sent with `client_write_ff` before any task runs; then all answers are awaited, and that
//!   the followers' machines have applied as much.
//! * `max_payload_entries` is beyond every burst, so that a message is never cut into pieces. No
//!   snapshots, and `replication_lag_threshold` out of reach, so that none are asked for.
//! * No ticks: no heartbeats and no timeouts of elections. `initialize` elects.
//! * The network calls the other node's handle. Nothing is serialized; a command is `Bytes`, so that
//!   copies of an entry share it.
//! * The log is a vector behind an uncontended lock, and a write is done when it is submitted.
//! * `single-term-leader`, as in standard Raft: identities of entries are smaller. `tracing` is off at
//!   compile time.

mod store;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use openraft::error::{InstallSnapshotError, RPCError, RaftError};
use openraft::impls::OneshotResponder;
use openraft::network::RPCOption;
use openraft::raft::responder::Responder;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{Config, EmptyNode, Raft, RaftNetwork, RaftNetworkFactory, SnapshotPolicy};
use tokio::runtime::{Builder, Runtime};

use crate::workload::{Cluster, Commands};
use store::{LogStore, Machine, Progress};

#[derive(Clone, Debug)]
struct Command(Bytes);

openraft::declare_raft_types!(
    Types:
        D = Command,
        R = (),
        Node = EmptyNode,
);

type Called<T, E> = Result<T, RPCError<u64, EmptyNode, E>>;

/// Where in a vector something with this number is.
fn place(number: u64) -> usize {
    usize::try_from(number).expect("what fits into memory")
}

/// The nodes, once all are there.
type Nodes = Arc<OnceLock<Vec<Raft<Types>>>>;

#[derive(Clone)]
struct Network(Nodes);

/// From one node to another.
struct Connection {
    nodes: Nodes,
    to: usize,
}

impl Connection {
    fn node(&self) -> &Raft<Types> {
        &self.nodes.get().expect("all nodes are there before one stands")[self.to]
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, _: &EmptyNode) -> Connection {
        Connection { nodes: self.0.clone(), to: place(target) }
    }
}

impl RaftNetwork<Types> for Connection {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Called<AppendEntriesResponse<u64>, RaftError<u64>> {
        Ok(self.node().append_entries(request).await.expect("the node runs"))
    }

    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Called<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>> {
        unreachable!("no snapshots are taken");
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        _: RPCOption,
    ) -> Called<VoteResponse<u64>, RaftError<u64>> {
        Ok(self.node().vote(request).await.expect("the node runs"))
    }
}

type Answer = <OneshotResponder<Types> as Responder<Types>>::Receiver;

/// The first node leads. Names of nodes are their places.
pub(crate) struct Open {
    runtime: Runtime,
    leader: Raft<Types>,
    progress: Vec<Arc<Progress>>,
    answers: Vec<Answer>,
}

impl Open {
    pub(crate) fn elected(nodes: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let config = Config {
            enable_tick: false,
            max_payload_entries: 1 << 20,
            replication_lag_threshold: u64::MAX,
            snapshot_policy: SnapshotPolicy::Never,
            ..Config::default()
        };
        let config = Arc::new(config.validate().expect("the settings are valid"));
        let progress: Vec<Arc<Progress>> = (0..nodes).map(|_| Arc::default()).collect();
        let leader = runtime.block_on(async {
            let nodes = Nodes::default();
            let mut rafts = Vec::new();
            for (id, progress) in (0..).zip(&progress) {
                let machine = Machine::reporting(progress.clone());
                let (network, log) = (Network(nodes.clone()), LogStore::default());
                let raft = Raft::new(id, config.clone(), network, log, machine).await;
                rafts.push(raft.expect("a node starts"));
            }
            let rafts = nodes.get_or_init(|| rafts);
            let members = (0..rafts.len() as u64).collect::<BTreeSet<_>>();
            rafts[0].initialize(members).await.expect("a new cluster");
            let wait = rafts[0].wait(None);
            wait.current_leader(0, "no other stands").await.expect("the first node leads");
            rafts[0].clone()
        });
        Self { runtime, leader, progress, answers: Vec::new() }
    }
}

impl Cluster for Open {
    fn propose(&mut self, commands: Commands) {
        self.runtime.block_on(async {
            for command in commands.bytes() {
                let answer = self.leader.client_write_ff(Command(command)).await;
                self.answers.push(answer.expect("the leader runs"));
            }
        });
    }

    fn run(&mut self) {
        self.runtime.block_on(async {
            for answer in self.answers.drain(..) {
                answer.await.expect("the leader runs").expect("the leader takes all");
            }
            let applied = self.progress[0].applied.load(Ordering::Relaxed);
            for progress in &self.progress[1..] {
                while progress.applied.load(Ordering::Relaxed) < applied {
                    progress.more.notified().await;
                }
            }
        });
    }

    fn applied(&self) -> Vec<u64> {
        let counts = self.progress.iter().map(|progress| &progress.applied);
        counts.map(|count| count.load(Ordering::Relaxed)).collect()
    }
}
