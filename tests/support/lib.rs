//! A small cluster under full control: nothing is delivered, synced, applied, read or timed out unless the
//! test says so. Tests on top of it read like the scenarios of the paper.
//!
//! What is always checked here, whatever the test is about: one leader a term; no two machines that disagree,
//! nor one that skips an entry or is restored to anything but what the others held; one answer a request, and
//! a true one; reads that see everything that was done before; nothing sent before the disk holds what it
//! promises; memory within its limits; and the core's own invariants.

#![expect(missing_docs, clippy::missing_panics_doc, reason = "for tests, whose names say more")]

pub mod chaos;
pub mod checks;
pub mod disk;
mod effects;
pub mod fields;
pub mod lanes;
pub mod machine;
pub mod messages;
pub mod requests;
pub mod scenes;
mod views;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use disk::Disk;
use lanes::{Fetching, Lanes, Reading, Staging, Transport};
use machine::Machine;
use raft_core::{
    Bootstrap, ClusterId, Effects, Envelope, Event, Force, HardState, Instant, Join, LogIndex,
    LogPosition, Membership, Node, NodeId, Outcome, Payload, RecordedInput, RecordedStep, Reply,
    RequestId, Role, Settings, Start, Term, Ticks, Write, WriteNumber,
};
use requests::Asked;

/// The least election timeout of the clusters here.
pub const E: Ticks = Ticks(100);
/// The heartbeat interval of the clusters here.
pub const HEARTBEAT: Ticks = Ticks(10);

pub const N1: NodeId = NodeId(1);
pub const N2: NodeId = NodeId(2);
pub const N3: NodeId = NodeId(3);
pub const N4: NodeId = NodeId(4);
pub const N5: NodeId = NodeId(5);

/// The settings that tests start from.
pub fn settings() -> Settings {
    Settings {
        election_timeout: E,
        heartbeat_interval: HEARTBEAT,
        request_timeout: Ticks(10_000),
        ..Settings::new(ClusterId(7), N1)
    }
}

/// Whether a disk or a machine does its work at once, or only when the test says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Prompt,
    Held,
}

/// What a node was given and what it asked for, in order.
#[derive(Clone, Debug)]
pub enum Happened {
    Given(RecordedStep),
    Wrote { onto: Box<Disk>, write: Write },
    Sent(Envelope),
    Applied(Vec<LogPosition>),
    Restored(LogPosition),
    Fetches(Fetching),
    Reads(Reading),
    Stages(Staging),
    Replied(Reply),
    Noted(Event),
}

/// A node with its disk and its state machine.
#[derive(Clone, Debug)]
pub struct Host {
    pub settings: Settings,
    /// `None` while crashed.
    pub node: Option<Node>,
    /// What the present life began with, and when.
    pub start: (Start, Instant),
    pub disk: Disk,
    pub disk_pace: Pace,
    pub writing: Option<(WriteNumber, Write)>,
    pub machine_pace: Pace,
    pub applying: Option<LogIndex>,
    pub machine: Machine,
    /// What the machine keeps over a crash: nothing, unless a test says so.
    pub saved: Machine,
    /// How fast entries are read back, and how fast chunks are read and staged.
    pub fetch_pace: Pace,
    pub chunk_pace: Pace,
    pub lanes: Lanes,
}

impl Host {
    fn new(settings: Settings, start: (Start, Instant), disk: Disk) -> Self {
        Self {
            settings,
            node: None,
            start,
            disk,
            disk_pace: Pace::Prompt,
            writing: None,
            machine_pace: Pace::Prompt,
            applying: None,
            machine: Machine::default(),
            saved: Machine::default(),
            fetch_pace: Pace::Prompt,
            chunk_pace: Pace::Prompt,
            lanes: Lanes::default(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Cluster {
    pub now: Instant,
    pub settings: Settings,
    pub hosts: BTreeMap<NodeId, Host>,
    /// Sent and not yet delivered, oldest first.
    pub network: Vec<Envelope>,
    /// Directed links on which everything is lost.
    pub cut: BTreeSet<(NodeId, NodeId)>,
    pub transport: Transport,
    pub journal: Vec<(NodeId, Happened)>,
    pub outcomes: BTreeMap<RequestId, Outcome>,
    requests: u64,
    asked: BTreeMap<RequestId, Asked>,
    leaders: BTreeMap<Term, NodeId>,
    /// What the machines were given, by index from 1.
    pub agreed: Vec<(Term, Payload)>,
    /// What is committed: the term at each index that some node knew to be the last such.
    committed: BTreeMap<LogIndex, Term>,
    /// Up to here a node's commit index was checked.
    checked: BTreeMap<NodeId, LogIndex>,
    truthful: Truthful,
}

/// Whether all messages are the nodes' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truthful {
    Yes,
    /// A test plays a peer that lies, so what is committed need not be.
    No,
}

impl Cluster {
    /// A new cluster of nodes `1..=size`, none of which has been stepped.
    pub fn of(size: u64) -> Self {
        Self::with(size, settings())
    }

    /// The same with chosen settings.
    pub fn with(size: u64, settings: Settings) -> Self {
        let empty: Vec<&[u64]> = vec![&[]; usize::try_from(size).expect("a small number")];
        Self::with_logs(settings, &empty)
    }

    /// A cluster whose node `i` wakes with a log of the given terms, as if after a long history. A
    /// node without entries is a founder.
    pub fn with_logs(settings: Settings, logs: &[&[u64]]) -> Self {
        let ids: Vec<NodeId> = (1..).map(NodeId).take(logs.len()).collect();
        let founders = Membership::of_voters(ids.iter().copied()).expect("there are nodes");
        let mut cluster = Self {
            now: Instant(1_000),
            settings,
            hosts: BTreeMap::new(),
            network: Vec::new(),
            cut: BTreeSet::new(),
            transport: Transport::Chunks,
            journal: Vec::new(),
            outcomes: BTreeMap::new(),
            requests: 0,
            asked: BTreeMap::new(),
            leaders: BTreeMap::new(),
            agreed: Vec::new(),
            committed: BTreeMap::new(),
            checked: BTreeMap::new(),
            truthful: Truthful::Yes,
        };
        for (id, terms) in ids.into_iter().zip(logs) {
            let start = (Bootstrap { membership: founders.clone() }.into(), cluster.now);
            let disk = Disk::with_log(&founders, terms);
            let host = Host::new(Settings { id, ..settings }, start, disk);
            cluster.hosts.insert(id, host);
            cluster.restart(id);
        }
        if logs.iter().any(|terms| !terms.is_empty()) {
            // They were there before, and vote for nobody until what they may have promised is over.
            cluster.now = cluster.now.after(settings.election_timeout);
        }
        cluster
    }

    /// A new node with an empty disk, which waits to be told who its cluster is.
    pub fn join(&mut self, id: NodeId) {
        let start = (Join.into(), self.now);
        let host = Host::new(Settings { id, ..self.settings }, start, Disk::default());
        assert!(self.hosts.insert(id, host).is_none(), "the name was never used");
        self.restart(id);
    }

    pub fn host(&mut self, id: NodeId) -> &mut Host {
        self.hosts.get_mut(&id).expect("the node is of this cluster")
    }

    /// A node that is up.
    pub fn node(&self, id: NodeId) -> &Node {
        self.hosts[&id].node.as_ref().expect("the node is up")
    }

    pub fn ids(&self) -> Vec<NodeId> {
        self.hosts.keys().copied().collect()
    }

    // ----- what tests do -----

    pub fn step(&mut self, id: NodeId, input: RecordedInput) {
        let mut effects = Effects::new();
        let mut todo = VecDeque::from([input]);
        let mut patience = 10_000;
        while let Some(input) = todo.pop_front() {
            patience -= 1;
            assert!(patience > 0, "{id} is never content: {input:?}");
            let now = self.now;
            let Some(node) = &mut self.host(id).node else { return };
            checks::check_content(node, now, &input);
            let real = input.replay(node);
            node.step(now, real, &mut effects);
            self.journal.push((id, Happened::Given(RecordedStep { now, input })));
            while let Some(effect) = effects.pop() {
                todo.extend(self.carry_out(id, effect));
            }
            self.check_node(id);
        }
    }

    /// Delivers a message, wherever it comes from; nothing arrives at a node that was never started.
    pub fn receive(&mut self, envelope: Envelope) {
        if self.hosts.contains_key(&envelope.to) {
            self.step(envelope.to, RecordedInput::Receive(envelope));
        }
    }

    /// From now on messages may be forged that no correct peer would send.
    pub fn forge(&mut self) {
        self.truthful = Truthful::No;
    }

    /// Takes the oldest message of a kind out of the network, to be delivered later or never.
    pub fn take(&mut self, from: NodeId, to: NodeId, kind: &str) -> Envelope {
        self.find(from, to, kind)
            .unwrap_or_else(|| panic!("no {kind} from {from} to {to} in {:#?}", self.network))
    }

    /// The same, if there is one.
    pub fn find(&mut self, from: NodeId, to: NodeId, kind: &str) -> Option<Envelope> {
        let place = self.network.iter().position(|envelope| {
            envelope.from == from && envelope.to == to && envelope.message.kind() == kind
        })?;
        Some(self.network.remove(place))
    }

    /// Delivers the oldest message of a kind.
    pub fn deliver(&mut self, from: NodeId, to: NodeId, kind: &str) {
        let envelope = self.take(from, to, kind);
        self.receive(envelope);
    }

    /// Delivers the oldest message, unless it is lost; says whether there was one.
    pub fn deliver_next(&mut self) -> bool {
        let is_any = !self.network.is_empty();
        if is_any {
            let envelope = self.network.remove(0);
            if !self.cut.contains(&(envelope.from, envelope.to)) {
                self.receive(envelope);
            }
        }
        is_any
    }

    /// Delivers everything, and what follows from it, until the network is quiet. No time passes.
    pub fn settle(&mut self) {
        let mut patience = 1_000_000;
        while self.deliver_next() {
            patience -= 1;
            assert!(patience > 0, "the network never becomes quiet");
        }
    }

    /// Lets time pass without anyone noticing.
    pub fn wait(&mut self, span: Ticks) {
        self.now = self.now.after(span);
    }

    /// Lets time pass with timers and an instant network.
    pub fn pass(&mut self, span: Ticks) {
        let end = self.now.after(span);
        let mut patience = 100_000;
        loop {
            self.settle();
            let nodes =
                || self.hosts.iter().filter_map(|(id, host)| Some((*id, host.node.as_ref()?)));
            let due = nodes().map(|(_, node)| node.deadline()).min().unwrap_or(Instant::NEVER);
            if due > end {
                break;
            }
            self.now = self.now.max(due);
            let now = self.now;
            let late = nodes().filter(|(_, node)| node.deadline() <= now).map(|(id, _)| id);
            for id in late.collect::<Vec<_>>() {
                self.step(id, RecordedInput::Tick);
            }
            patience -= 1;
            assert!(patience > 0, "a deadline does not move on");
        }
        self.now = end;
    }

    pub fn tick(&mut self, id: NodeId) {
        self.step(id, RecordedInput::Tick);
    }

    pub fn campaign(&mut self, id: NodeId) {
        self.step(id, RecordedInput::Campaign);
    }

    /// Makes a node the leader, after its rivals have been quiet for long enough.
    pub fn elect(&mut self, id: NodeId) {
        self.wait(E);
        self.campaign(id);
        self.settle();
        assert_eq!(self.node(id).role(), Role::Leader, "{}", self.node(id).status());
        self.tick(id);
        self.settle();
    }

    pub fn crash(&mut self, id: NodeId) {
        self.crash_keeping(id, 0);
    }

    /// Crashes a node whose disk had taken the first `parts` parts of the write under way.
    pub fn crash_keeping(&mut self, id: NodeId, parts: usize) {
        let host = self.host(id);
        if let Some((_, write)) = host.writing.take() {
            host.disk.write_prefix(&write, parts);
        }
        host.node = None;
        host.applying = None;
        host.lanes = Lanes::default();
        host.machine = host.saved.clone();
        self.forget_requests(id);
    }

    pub fn restart(&mut self, id: NodeId) {
        let host = self.host(id);
        if host.disk.hard_state != HardState::default() {
            let restored = host.disk.restored(host.saved.applied);
            host.start.0 = restored.expect("leaders write no falling terms").into();
        }
        self.start(id);
    }

    /// Starts a survivor of a lost majority with a membership that nobody voted for.
    pub fn force(&mut self, id: NodeId, membership: Membership) {
        let host = self.host(id);
        let restored = host.disk.restored(host.saved.applied);
        let restored = restored.expect("leaders write no falling terms");
        host.start.0 = Force { restored, membership }.into();
        self.start(id);
    }

    fn start(&mut self, id: NodeId) {
        let now = self.now;
        let host = self.host(id);
        let config = host.settings.validate().expect("the settings are sound");
        host.start.1 = now;
        let node = Node::new(config, host.start.0.clone(), now);
        host.node = Some(node.expect("what the disk holds is consistent"));
        self.journal
            .retain(|(node, happened)| *node != id || !matches!(happened, Happened::Given(_)));
        self.tick(id);
    }

    pub fn cut(&mut self, one: NodeId, other: NodeId) {
        self.cut.extend([(one, other), (other, one)]);
    }

    /// Cuts a node off from all others.
    pub fn isolate(&mut self, id: NodeId) {
        for other in self.ids() {
            self.cut(id, other);
        }
    }

    pub fn isolate_all(&mut self, ids: &[NodeId]) {
        for id in ids {
            self.isolate(*id);
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    pub fn hold_disk(&mut self, id: NodeId) {
        self.host(id).disk_pace = Pace::Held;
    }

    /// Completes the write under way, if there is one.
    pub fn sync(&mut self, id: NodeId) {
        if let Some((number, write)) = self.host(id).writing.take() {
            self.host(id).disk.write(&write);
            self.step(id, RecordedInput::Persisted(number));
        }
    }

    pub fn release_disk(&mut self, id: NodeId) {
        self.host(id).disk_pace = Pace::Prompt;
        self.sync(id);
    }

    /// Lets the machine keep over a crash what it holds now.
    pub fn save_machine(&mut self, id: NodeId) {
        let host = self.host(id);
        host.saved = host.machine.clone();
    }

    /// Completes the batch that the machine works on, if there is one.
    pub fn finish_apply(&mut self, id: NodeId) {
        if let Some(last) = self.host(id).applying.take() {
            self.step(id, RecordedInput::Applied(last));
        }
    }
}
