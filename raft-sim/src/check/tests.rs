//! Every check, made to fire by a sequence of calls that a broken implementation would cause, and kept silent by
//! the same sequence done right.

mod clients;
mod disk;
mod limits;
mod memberships;
mod properties;
mod safety;
mod specification;
mod traffic;

use bytes::Bytes;
use raft_core::{
    Append, ClusterId, Entry, HardState, Incarnation, Instant, LogIndex, LogPosition, Membership,
    MembershipParts, NodeId, Payload, Role, Settings, SnapshotMeta, Term, Write,
};

use super::{CheckLevel, Checks};
use crate::kv::{Command, Kv};
use crate::machine::Machine;
use crate::raft::{Claim, Committed, Facts, Input, Output, Raft, Task, View};
use crate::served::Served;
use crate::violation::{Property, Violation};

type Checked = Result<(), Violation>;

/// What a fake does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Nothing.
    Rejects,
    /// It believes it.
    Believes,
    /// It stays as it was, but answers.
    Answers,
}

/// A Raft that does nothing: tests write its state.
#[derive(Clone)]
struct Fake {
    gate: Gate,
    view: View,
    entries: Vec<Entry>,
    membership: Membership,
    inflight: (u64, u64),
    broken: Option<&'static str>,
}

impl Raft for Fake {
    type Message = ();
    type Persist = Write;
    type Apply = ();
    type Restore = SnapshotMeta;
    type Take = SnapshotMeta;
    type Chore = ();
    /// How many messages are to be sent.
    type Effects = u32;

    fn start(_: Settings, _: raft_core::Start, _: Instant) -> Result<Self, String> {
        Err("made by hand".to_owned())
    }

    fn step(&mut self, _: Instant, input: Input<Self>, effects: &mut u32) {
        match (input, self.gate) {
            (Input::Receive(()), Gate::Believes) => self.view.term = Term(9),
            (Input::Receive(()), Gate::Answers) => *effects += 1,
            _ => {}
        }
    }

    fn pop(effects: &mut u32) -> Option<Output<Self>> {
        *effects = effects.checked_sub(1)?;
        Some(Output::Send(()))
    }

    fn deadline(&self) -> Instant {
        Instant::NEVER
    }

    fn view(&self) -> View {
        self.view
    }

    fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.entries.get(super::mirror::place(index)?)
    }

    fn take_snapshot(&self, _: LogIndex) -> Option<SnapshotMeta> {
        None
    }

    fn oldest_snapshot_in_use(&self) -> LogPosition {
        self.view.snapshot
    }

    fn membership(&self) -> &Membership {
        &self.membership
    }

    fn is_membership_committed(&self) -> bool {
        true
    }

    fn inflight(&self) -> (u64, u64) {
        self.inflight
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn invariants(&self) -> Result<(), String> {
        self.broken.map_or(Ok(()), |wrong| Err(wrong.to_owned()))
    }

    fn write(persist: &Write) -> &Write {
        persist
    }

    fn restores(restore: &SnapshotMeta) -> &SnapshotMeta {
        restore
    }

    fn takes(take: &SnapshotMeta) -> &SnapshotMeta {
        take
    }

    fn task((): &()) -> Task<'_> {
        unreachable!("a fake asks for nothing")
    }

    fn committed((): &()) -> impl Iterator<Item = Committed<'_>> {
        std::iter::empty()
    }

    fn facts((): &()) -> Facts {
        facts(1, 2, 1, Claim::Nothing)
    }
}

fn facts(from: u64, to: u64, term: u64, claim: Claim) -> Facts {
    Facts { from: NodeId(from), to: NodeId(to), term: Term(term), kind: 0, name: "Message", claim }
}

fn position(index: u64, term: u64) -> LogPosition {
    LogPosition::new(Term(term), LogIndex(index))
}

fn put(value: &'static str) -> Bytes {
    Command::Put { key: 0, value: Bytes::from_static(value.as_bytes()) }.encode()
}

fn entry(term: u64, value: &'static str) -> Entry {
    Entry { term: Term(term), payload: Payload::command(put(value)) }
}

fn settings() -> Settings {
    Settings {
        max_batch_entries: 4,
        max_batch_bytes: 200,
        max_inflight_messages: 3,
        max_inflight_bytes: 1_000,
        ..Settings::new(ClusterId(1), NodeId(1))
    }
}

/// A cluster whose every move is written by hand, under all checks. Nodes are named from 1.
struct Scene {
    checks: Checks<Kv>,
    nodes: Vec<Fake>,
    disks: Vec<Vec<Entry>>,
    hard_states: Vec<HardState>,
    machines: Vec<Served<Kv>>,
    now: u64,
}

impl Scene {
    fn new(count: u64) -> Self {
        Self::with(count, &settings())
    }

    fn with(count: u64, settings: &Settings) -> Self {
        let ids: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let membership = Membership::of_voters(ids.iter().copied()).expect("there are voters");
        let each: Vec<Settings> = ids.iter().map(|id| Settings { id: *id, ..*settings }).collect();
        let checks = Checks::new(&each, &membership, CheckLevel::Full);
        let fresh = super::node::Watched::new(*settings, &membership, 1).view;
        let fake = || Fake {
            gate: Gate::Rejects,
            view: fresh,
            entries: Vec::new(),
            membership: membership.clone(),
            inflight: (0, 0),
            broken: None,
        };
        let mut scene = Self {
            checks,
            nodes: ids.iter().map(|_| fake()).collect(),
            disks: ids.iter().map(|_| Vec::new()).collect(),
            hard_states: ids.iter().map(|_| HardState::default()).collect(),
            machines: ids.iter().map(|_| Served::bare(Kv::default())).collect(),
            now: 0,
        };
        for node in 1..=count {
            scene.start(node).expect("a fresh node is sound");
        }
        scene
    }

    fn node(&mut self, node: u64) -> &mut Fake {
        &mut self.nodes[place(node)]
    }

    fn at(&self) -> Instant {
        Instant(self.now)
    }

    fn start(&mut self, node: u64) -> Checked {
        self.now += 1;
        self.checks.started(Instant(self.now), NodeId(node), &self.nodes[place(node)])
    }

    /// Lets the checks see the node's state as after a step.
    fn step(&mut self, node: u64) -> Checked {
        self.now += 1;
        let fake = &mut self.nodes[place(node)];
        let term = fake.entries.last().map_or(Term::ZERO, |entry| entry.term);
        fake.view.last = LogPosition::new(term, LogIndex(fake.entries.len() as u64));
        let fake = &self.nodes[place(node)];
        self.checks.stepped(Instant(self.now), NodeId(node), fake, &fake.view)
    }

    /// Makes the node's whole state durable, as one write from submission to receipt.
    fn persist(&mut self, node: u64) -> Checked {
        let write = self.pending_write(node);
        self.checks.submitted(self.at(), NodeId(node), &write)?;
        self.checks.durable(self.at(), NodeId(node), &write)?;
        self.remember(node, &write);
        let fake = self.node(node);
        fake.view.durable = LogIndex(fake.entries.len() as u64);
        self.step(node)
    }

    /// What the node's disk lacks.
    fn pending_write(&self, node: u64) -> Write {
        let (fake, disk) = (&self.nodes[place(node)], &self.disks[place(node)]);
        let common = disk.iter().zip(&fake.entries).take_while(|(old, new)| old == new).count();
        let index = LogIndex(common as u64).next();
        Write {
            hard_state: Some(HardState {
                term: fake.view.term,
                vote: fake.view.vote,
                incarnation: Incarnation(1),
            }),
            truncate_from: (common < disk.len()).then_some(index),
            append: (common < fake.entries.len()).then(|| Append {
                first: index,
                entries: fake.entries[common..].iter().cloned().collect(),
            }),
            ..Write::default()
        }
    }

    fn remember(&mut self, node: u64, write: &Write) {
        let disk = &mut self.disks[place(node)];
        if let Some(from) = write.truncate_from {
            disk.truncate(place(from.0));
        }
        if let Some(append) = &write.append {
            disk.extend(append.entries.iter().cloned());
        }
        self.hard_states[place(node)] = write.hard_state.unwrap_or(self.hard_states[place(node)]);
    }

    /// Crashes the node; `survived` is left of what it waited for.
    fn crash(&mut self, node: u64, survived: &Write) {
        self.now += 1;
        self.checks.crashed(self.at(), NodeId(node), survived);
        self.remember(node, survived);
        let (disk, hard_state) = (self.disks[place(node)].clone(), self.hard_states[place(node)]);
        let term = disk.last().map_or(Term::ZERO, |entry| entry.term);
        let last = LogPosition::new(term, LogIndex(disk.len() as u64));
        self.machines[place(node)] = Served::bare(Kv::default());
        let fake = self.node(node);
        fake.entries = disk;
        fake.view = View {
            term: hard_state.term,
            vote: hard_state.vote,
            role: Role::Follower,
            leader: None,
            snapshot: LogPosition::ZERO,
            base: LogPosition::ZERO,
            last,
            durable: last.index,
            commit: LogIndex::ZERO,
            applied: LogIndex::ZERO,
        };
    }

    /// The node votes for another, or for itself, durably, and says so.
    fn vote(&mut self, node: u64, term: u64, candidate: u64) -> Checked {
        let fake = self.node(node);
        (fake.view.term, fake.view.vote) = (Term(term), Some(NodeId(candidate)));
        fake.view.role = if node == candidate { Role::Candidate } else { Role::Follower };
        self.step(node)?;
        self.persist(node)?;
        let claim = if node == candidate {
            Claim::AskVote { last: self.nodes[place(node)].view.last }
        } else {
            Claim::GrantVote
        };
        self.checks.sent(self.at(), &facts(node, candidate, term, claim))
    }

    /// The node wins a term with the votes of `voters`.
    fn elect(&mut self, node: u64, term: u64, voters: &[u64]) -> Checked {
        self.vote(node, term, node)?;
        for voter in voters {
            self.vote(*voter, term, node)?;
        }
        self.node(node).view.role = Role::Leader;
        self.step(node)
    }

    /// The node's log takes entries in after those that it keeps.
    fn append(&mut self, node: u64, keep: usize, entries: &[Entry]) -> Checked {
        let fake = self.node(node);
        fake.entries.truncate(keep);
        fake.entries.extend_from_slice(entries);
        fake.view.durable = fake.view.durable.min(LogIndex(keep as u64));
        self.step(node)
    }

    /// The node's commit index moves.
    fn commit(&mut self, node: u64, index: u64) -> Checked {
        self.node(node).view.commit = LogIndex(index);
        self.step(node)
    }

    /// The node's machine takes the entry at `index`.
    fn apply(&mut self, node: u64, index: u64) -> Checked {
        let entry = self.nodes[place(node)].entries[place(index)].clone();
        let position = position(index, entry.term.0);
        let machine = &mut self.machines[place(node)];
        let command = match &entry.payload {
            Payload::Command { data, .. } => Some(data),
            Payload::Blank | Payload::Membership(_) => None,
        };
        let output = command.map(|command| machine.apply(position, command));
        self.checks.applied(
            Instant(self.now),
            NodeId(node),
            position,
            command,
            machine,
            output.as_ref(),
        )
    }

    fn sent(&mut self, from: u64, to: u64, term: u64, claim: Claim) -> Checked {
        self.checks.sent(self.at(), &facts(from, to, term, claim))
    }

    fn delivered(&mut self, from: u64, to: u64, term: u64, claim: Claim) -> Checked {
        self.checks.delivered(self.at(), &facts(from, to, term, claim))
    }

    /// Three nodes; the first leads term 1, and all hold and have committed a blank and two commands.
    fn settled() -> Self {
        Self::settled_with(&settings())
    }

    fn settled_with(settings: &Settings) -> Self {
        let mut scene = Self::with(3, settings);
        scene.elect(1, 1, &[2, 3]).expect("a sound election");
        let log = [Entry { term: Term(1), payload: Payload::Blank }, entry(1, "a"), entry(1, "b")];
        for node in 1..=3 {
            scene.append(node, 0, &log).expect("a sound append");
            scene.persist(node).expect("a sound write");
        }
        for node in 1..=3 {
            scene.commit(node, 3).expect("a sound commit");
        }
        scene
    }
}

fn place(node: u64) -> usize {
    usize::try_from(node - 1).expect("small")
}

#[track_caller]
fn fires(result: Checked, property: Property) {
    let violation = result.expect_err("the check must fire");
    assert_eq!(violation.property, property, "{violation}");
    assert!(!violation.witness.is_empty());
}

/// Goal: with checks off nothing is judged.
#[test]
fn without_checks_nothing_fires() {
    let mut scene = Scene::settled();
    scene.checks.level = CheckLevel::None;
    scene.node(2).view.term = Term::ZERO;
    assert_eq!(scene.step(2), Ok(()));
    assert_eq!(scene.checks.finish(Instant(9)), Ok(()));
}
