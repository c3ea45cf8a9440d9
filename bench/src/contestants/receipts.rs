//! The floor of a Raft that survives crashes: as the other floor, nobody checks anything, no term is compared and no
//! timer set. But nodes are values that are given inputs and ask for effects, as in `raft-core`, in messages of its types; what is not
//! on the disk is neither acknowledged nor counted, one batch is at the machine at a time, and whoever proposed is answered.
//!
//! Entries are kept in the runs that they came in, so that nothing is copied.

use std::collections::VecDeque;
use std::hint::black_box;
use std::mem;

use raft_core::{
    AppendEntries, AppendReply, ClusterId, Entries, Entry, Envelope, LogIndex, LogPosition,
    Message, NodeId, Outcome, Payload, Reply, RequestId, Term, WireVersion,
    quorum::reached_by_majority,
};

use crate::workload::{Cluster, Commands, Order};

const LEADER: NodeId = NodeId(1);

enum Effect {
    Send(Envelope),
    Write { last: LogIndex, entries: Entries },
    Apply(Entries),
    Reply(Reply),
}

enum Input {
    Receive(Envelope),
    Written(LogIndex),
    Applied(usize),
}

struct Node {
    id: NodeId,
    others: Vec<NodeId>,
    members: Vec<NodeId>,
    /// Proposed, and in no run yet.
    open: Vec<Entry>,
    /// What is not applied, each run with the index of its last entry.
    runs: VecDeque<(LogIndex, Entries)>,
    last: LogIndex,
    durable: LogIndex,
    commit: LogIndex,
    applied: LogIndex,
    is_applying: bool,
    /// Up to where each member has the log, by its place.
    matched: Vec<LogIndex>,
}

impl Node {
    fn new(id: NodeId, nodes: u64) -> Self {
        let members: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        Self {
            id,
            others: members.iter().copied().filter(|other| *other != id).collect(),
            matched: vec![LogIndex::ZERO; members.len()],
            members,
            open: Vec::new(),
            runs: VecDeque::new(),
            last: LogIndex::ZERO,
            durable: LogIndex::ZERO,
            commit: LogIndex::ZERO,
            applied: LogIndex::ZERO,
            is_applying: false,
        }
    }

    fn send(&self, to: NodeId, message: Message, effects: &mut VecDeque<Effect>) {
        let (version, cluster, term) = (WireVersion::CURRENT, ClusterId(1), Term(1));
        let envelope = Envelope { version, cluster, from: self.id, to, term, message };
        effects.push_back(Effect::Send(envelope));
    }

    /// What was proposed goes to everybody, and to the disk.
    fn settle(&mut self, effects: &mut VecDeque<Effect>) {
        let entries: Entries = self.open.drain(..).collect();
        let previous = LogPosition::new(Term(1), self.last);
        for to in &self.others {
            let (entries, commit) = (entries.clone(), self.commit);
            let append = AppendEntries { previous, entries, commit };
            self.send(*to, Message::AppendEntries(append), effects);
        }
        self.append(entries, effects);
    }

    fn append(&mut self, entries: Entries, effects: &mut VecDeque<Effect>) {
        self.last = LogIndex(self.last.0 + entries.len() as u64);
        self.runs.push_back((self.last, entries.clone()));
        effects.push_back(Effect::Write { last: self.last, entries });
    }

    fn step(&mut self, input: Input, effects: &mut VecDeque<Effect>) {
        match input {
            Input::Receive(Envelope { from, message, .. }) => match message {
                Message::AppendEntries(AppendEntries { entries, .. }) => {
                    self.append(entries, effects);
                }
                Message::AppendReply(AppendReply::Accepted { matched }) => {
                    self.count(from, matched, effects);
                }
                Message::Commit { index } => {
                    self.commit = index;
                    self.apply(effects);
                }
                _ => unreachable!("nobody sends anything else"),
            },
            Input::Written(last) => {
                self.durable = last;
                if self.id == LEADER {
                    self.count(LEADER, last, effects);
                } else {
                    let accepted = AppendReply::Accepted { matched: last };
                    self.send(LEADER, Message::AppendReply(accepted), effects);
                    self.apply(effects);
                }
            }
            Input::Applied(count) => {
                self.is_applying = false;
                if self.id == LEADER {
                    for offset in 1..=count as u64 {
                        let position = LogPosition::new(Term(1), LogIndex(self.applied.0 + offset));
                        let outcome = Outcome::Done { position };
                        let request = RequestId(position.index.0);
                        effects.push_back(Effect::Reply(Reply { request, outcome }));
                    }
                }
                self.applied = LogIndex(self.applied.0 + count as u64);
                self.apply(effects);
            }
        }
    }

    fn count(&mut self, from: NodeId, matched: LogIndex, effects: &mut VecDeque<Effect>) {
        let place = |id: NodeId| usize::try_from(id.0 - 1).expect("a member");
        self.matched[place(from)] = matched;
        let agreed = reached_by_majority(&self.members, |id| self.matched[place(id)]);
        let agreed = agreed.expect("there are members");
        if agreed > self.commit {
            self.commit = agreed;
            for to in &self.others {
                self.send(*to, Message::Commit { index: agreed }, effects);
            }
        }
        self.apply(effects);
    }

    fn apply(&mut self, effects: &mut VecDeque<Effect>) {
        let until = self.commit.min(self.durable);
        if !self.is_applying && self.runs.front().is_some_and(|(last, _)| *last <= until) {
            let (_, entries) = self.runs.pop_front().expect("it was just seen");
            self.is_applying = true;
            effects.push_back(Effect::Apply(entries));
        }
    }
}

struct Member {
    node: Node,
    order: Order,
    effects: VecDeque<Effect>,
}

impl Member {
    fn step(&mut self, input: Input, network: &mut Vec<Envelope>) {
        self.node.step(input, &mut self.effects);
        self.carry_out(network);
    }

    fn carry_out(&mut self, network: &mut Vec<Envelope>) {
        let Self { node, order, effects } = self;
        loop {
            let answer = match effects.pop_front() {
                Some(Effect::Send(envelope)) => {
                    network.push(envelope);
                    continue;
                }
                Some(Effect::Write { last, entries }) => {
                    black_box(entries);
                    Input::Written(last)
                }
                Some(Effect::Apply(entries)) => {
                    for entry in entries.iter() {
                        if let Payload::Command { data, .. } = &entry.payload {
                            order.take(data);
                        }
                    }
                    Input::Applied(entries.len())
                }
                Some(Effect::Reply(reply)) => {
                    black_box(reply);
                    continue;
                }
                None => return,
            };
            node.step(answer, effects);
        }
    }
}

/// The first node leads.
pub(crate) struct Receipts {
    members: Vec<Member>,
    network: Vec<Envelope>,
    arrived: Vec<Envelope>,
}

impl Receipts {
    pub(crate) fn new(nodes: usize) -> Self {
        let nodes = nodes as u64;
        let member = |id| Member {
            node: Node::new(NodeId(id), nodes),
            order: Order::default(),
            effects: VecDeque::new(),
        };
        let members = (1..=nodes).map(member).collect();
        Self { members, network: Vec::new(), arrived: Vec::new() }
    }
}

impl Cluster for Receipts {
    fn propose(&mut self, commands: Commands) {
        let leader = &mut self.members[0];
        let entry = |data| Entry { term: Term(1), payload: Payload::command(data) };
        leader.node.open.extend(commands.bytes().map(entry));
        leader.node.settle(&mut leader.effects);
        leader.carry_out(&mut self.network);
    }

    fn run(&mut self) {
        while !self.network.is_empty() {
            mem::swap(&mut self.network, &mut self.arrived);
            for envelope in self.arrived.drain(..) {
                let place = usize::try_from(envelope.to.0 - 1).expect("a node of the cluster");
                self.members[place].step(Input::Receive(envelope), &mut self.network);
            }
        }
    }

    fn applied(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.order.count()).collect()
    }
}
