//! A small cluster under full control: nothing is delivered, synced, applied or timed out unless the test
//! says so. Tests on top of it read like the scenarios of the paper.
//!
//! What is always checked here, whatever the test is about: one leader a term, no two machines that
//! disagree, one answer a request, nothing sent before the disk holds what it promises, and the core's own
//! invariants.

#![expect(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod chaos;
pub(crate) mod disk;
mod effects;
pub(crate) mod messages;
mod views;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use disk::Disk;
use raft_core::{
    Bootstrap, ClusterId, Effects, Envelope, Event, HardState, Instant, LogIndex, LogPosition,
    Membership, Node, NodeId, Outcome, Payload, RecordedInput, RecordedStep, Reply, Request,
    RequestId, Role, Settings, Start, Term, Ticks, Write, WriteNumber,
};

/// The least election timeout of the clusters here.
pub(crate) const E: Ticks = Ticks(100);
/// The heartbeat interval of the clusters here.
pub(crate) const HEARTBEAT: Ticks = Ticks(10);

pub(crate) const N1: NodeId = NodeId(1);
pub(crate) const N2: NodeId = NodeId(2);
pub(crate) const N3: NodeId = NodeId(3);
pub(crate) const N4: NodeId = NodeId(4);
pub(crate) const N5: NodeId = NodeId(5);

/// The settings that tests start from.
pub(crate) fn settings() -> Settings {
    Settings {
        election_timeout: E,
        heartbeat_interval: HEARTBEAT,
        request_timeout: Ticks(10_000),
        ..Settings::new(ClusterId(7), N1)
    }
}

/// Whether a disk or a machine does its work at once, or only when the test says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Prompt,
    Held,
}

/// What a node was given and what it asked for, in order.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    Given(RecordedStep),
    Wrote { onto: Disk, write: Write },
    Sent(Envelope),
    Applied(Vec<LogPosition>),
    Replied(Reply),
    Noted(Event),
}

/// A node with its disk and its state machine. The machine is volatile: a restart rebuilds it.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// `None` while crashed.
    pub(crate) node: Option<Node>,
    /// What the present life began with, and when.
    pub(crate) start: (Start, Instant),
    pub(crate) disk: Disk,
    pub(crate) disk_pace: Pace,
    pub(crate) writing: Option<(WriteNumber, Write)>,
    pub(crate) machine_pace: Pace,
    pub(crate) applying: Option<LogIndex>,
    pub(crate) commands: Vec<Bytes>,
}

#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) now: Instant,
    pub(crate) settings: Settings,
    pub(crate) hosts: BTreeMap<NodeId, Host>,
    /// Sent and not yet delivered, oldest first.
    pub(crate) network: Vec<Envelope>,
    /// Directed links on which everything is lost.
    pub(crate) cut: BTreeSet<(NodeId, NodeId)>,
    pub(crate) journal: Vec<(NodeId, Happened)>,
    outcomes: BTreeMap<RequestId, Outcome>,
    requests: u64,
    leaders: BTreeMap<Term, NodeId>,
    /// What the machines were given, by index from 1.
    agreed: Vec<(Term, Payload)>,
}

impl Cluster {
    /// A new cluster of nodes `1..=size`, none of which has been stepped.
    pub(crate) fn of(size: u64) -> Self {
        Self::with(size, settings())
    }

    /// The same with chosen settings.
    pub(crate) fn with(size: u64, settings: Settings) -> Self {
        let empty: Vec<&[u64]> = vec![&[]; usize::try_from(size).expect("a small number")];
        Self::with_logs(settings, &empty)
    }

    /// A cluster whose node `i` wakes with a log of the given terms, as if after a long history. A
    /// node without entries is a founder.
    pub(crate) fn with_logs(settings: Settings, logs: &[&[u64]]) -> Self {
        let ids: Vec<NodeId> = (1..).map(NodeId).take(logs.len()).collect();
        let founders = Membership::of_voters(ids.iter().copied()).expect("there are nodes");
        let mut cluster = Self {
            now: Instant(1_000),
            settings,
            hosts: BTreeMap::new(),
            network: Vec::new(),
            cut: BTreeSet::new(),
            journal: Vec::new(),
            outcomes: BTreeMap::new(),
            requests: 0,
            leaders: BTreeMap::new(),
            agreed: Vec::new(),
        };
        for (id, terms) in ids.into_iter().zip(logs) {
            let host = Host {
                node: None,
                start: (Bootstrap { membership: founders.clone() }.into(), cluster.now),
                disk: Disk::with_log(&founders, terms),
                disk_pace: Pace::Prompt,
                writing: None,
                machine_pace: Pace::Prompt,
                applying: None,
                commands: Vec::new(),
            };
            cluster.hosts.insert(id, host);
            cluster.restart(id);
        }
        cluster
    }

    pub(crate) fn host(&mut self, id: NodeId) -> &mut Host {
        self.hosts.get_mut(&id).expect("the node is of this cluster")
    }

    /// A node that is up.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.hosts[&id].node.as_ref().expect("the node is up")
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.hosts.keys().copied().collect()
    }

    // ----- what tests do -----

    pub(crate) fn step(&mut self, id: NodeId, input: RecordedInput) {
        let mut effects = Effects::new();
        let mut todo = VecDeque::from([input]);
        while let Some(input) = todo.pop_front() {
            let now = self.now;
            let Some(node) = &mut self.host(id).node else { return };
            let real = input.replay(node);
            node.step(now, real, &mut effects);
            self.journal.push((id, Happened::Given(RecordedStep { now, input })));
            while let Some(effect) = effects.pop() {
                todo.extend(self.carry_out(id, effect));
            }
            self.check_leader(id);
        }
    }

    /// Delivers a message, wherever it comes from.
    pub(crate) fn receive(&mut self, envelope: Envelope) {
        self.step(envelope.to, RecordedInput::Receive(envelope));
    }

    /// Takes the oldest message of a kind out of the network, to be delivered later or never.
    pub(crate) fn take(&mut self, from: NodeId, to: NodeId, kind: &str) -> Envelope {
        self.find(from, to, kind)
            .unwrap_or_else(|| panic!("no {kind} from {from} to {to} in {:#?}", self.network))
    }

    /// The same, if there is one.
    pub(crate) fn find(&mut self, from: NodeId, to: NodeId, kind: &str) -> Option<Envelope> {
        let place = self.network.iter().position(|envelope| {
            envelope.from == from && envelope.to == to && envelope.message.kind() == kind
        })?;
        Some(self.network.remove(place))
    }

    /// Delivers the oldest message of a kind.
    pub(crate) fn deliver(&mut self, from: NodeId, to: NodeId, kind: &str) {
        let envelope = self.take(from, to, kind);
        self.receive(envelope);
    }

    /// Delivers everything, and what follows from it, until the network is quiet. No time passes.
    pub(crate) fn settle(&mut self) {
        let mut patience = 100_000;
        while !self.network.is_empty() {
            let envelope = self.network.remove(0);
            if !self.cut.contains(&(envelope.from, envelope.to)) {
                self.receive(envelope);
            }
            patience -= 1;
            assert!(patience > 0, "the network never becomes quiet");
        }
    }

    /// Lets time pass without anyone noticing.
    pub(crate) fn wait(&mut self, span: Ticks) {
        self.now = self.now.after(span);
    }

    /// Lets time pass with timers and an instant network.
    pub(crate) fn pass(&mut self, span: Ticks) {
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

    pub(crate) fn tick(&mut self, id: NodeId) {
        self.step(id, RecordedInput::Tick);
    }

    pub(crate) fn campaign(&mut self, id: NodeId) {
        self.step(id, RecordedInput::Campaign);
    }

    /// Makes a node the leader, after its rivals have been quiet for long enough.
    pub(crate) fn elect(&mut self, id: NodeId) {
        self.wait(E);
        self.campaign(id);
        self.settle();
        assert_eq!(self.node(id).role(), Role::Leader, "{}", self.node(id).status());
        self.tick(id);
        self.settle();
    }

    pub(crate) fn propose(&mut self, id: NodeId, command: impl Into<Bytes>) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        let request_input = Request::Propose { id: request, command: command.into() };
        self.step(id, RecordedInput::Request(request_input));
        request
    }

    /// The one answer of a request, if it has been given.
    pub(crate) fn outcome(&self, request: RequestId) -> Option<Outcome> {
        self.outcomes.get(&request).copied()
    }

    pub(crate) fn crash(&mut self, id: NodeId) {
        self.crash_keeping(id, 0);
    }

    /// Crashes a node whose disk had taken the first `parts` parts of the write under way.
    pub(crate) fn crash_keeping(&mut self, id: NodeId, parts: usize) {
        let host = self.host(id);
        if let Some((_, write)) = host.writing.take() {
            host.disk.write_prefix(&write, parts);
        }
        host.node = None;
        host.applying = None;
        host.commands.clear();
    }

    pub(crate) fn restart(&mut self, id: NodeId) {
        let config = Settings { id, ..self.settings }.validate().expect("the settings are sound");
        let now = self.now;
        let host = self.host(id);
        if host.disk.restored.hard_state != HardState::default() {
            host.start.0 = host.disk.restored.clone().into();
        }
        host.start.1 = now;
        let node = Node::new(config, host.start.0.clone(), now);
        host.node = Some(node.expect("what the disk holds is consistent"));
        self.journal
            .retain(|(node, happened)| *node != id || !matches!(happened, Happened::Given(_)));
        self.tick(id);
    }

    pub(crate) fn cut(&mut self, one: NodeId, other: NodeId) {
        self.cut.extend([(one, other), (other, one)]);
    }

    /// Cuts a node off from all others.
    pub(crate) fn isolate(&mut self, id: NodeId) {
        for other in self.ids() {
            self.cut(id, other);
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    pub(crate) fn hold_disk(&mut self, id: NodeId) {
        self.host(id).disk_pace = Pace::Held;
    }

    /// Completes the write under way, if there is one.
    pub(crate) fn sync(&mut self, id: NodeId) {
        if let Some((number, write)) = self.host(id).writing.take() {
            self.host(id).disk.write(&write);
            self.step(id, RecordedInput::Persisted(number));
        }
    }

    pub(crate) fn release_disk(&mut self, id: NodeId) {
        self.host(id).disk_pace = Pace::Prompt;
        self.sync(id);
    }

    /// Completes the batch that the machine works on, if there is one.
    pub(crate) fn finish_apply(&mut self, id: NodeId) {
        if let Some(last) = self.host(id).applying.take() {
            self.step(id, RecordedInput::Applied(last));
        }
    }
}
