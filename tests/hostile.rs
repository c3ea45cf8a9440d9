//! Goal: nothing that a peer can send panics, grows memory without bound, or stops a node; and what the gate
//! rejects leaves the node as it was.
//!
//! The nodes are those of random runs, stopped anywhere: in every role, in the middle of replication, with
//! uncommitted tails and slow disks. About half of the messages are genuine ones of the same run with one
//! field changed, the others are invented. A well-formed lie may be believed, and may break safety; it
//! may not break the process.

mod support;

#[path = "hostile/lie.rs"]
mod lie;

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use lie::Lie;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use raft_core::{
    ClusterId, Effect, Effects, Envelope, Input, Instant, Message, Node, NodeId, PeerFlow,
    RecordedInput, Role, Term, Ticks, WireVersion,
};
use support::chaos::Chaos;
use support::checks::check_memory;
use support::disk::Snapshot;
use support::lanes::{Fetching, Reading, Staging, Transport};
use support::{E, Happened, Host};

/// How many runs are stopped; each is sent a series of messages.
const RUNS: u32 = 1_500;

/// What was sent, and what became of it.
#[derive(Debug, Default)]
struct Tally {
    /// For each kind: sent, and accepted.
    kinds: BTreeMap<&'static str, (u64, u64)>,
    /// How many were sent to each role.
    roles: BTreeMap<Role, u64>,
    sent: u64,
    mutated: u64,
    /// Sent to nodes with unacknowledged messages, and with uncommitted entries.
    mid_replication: u64,
    uncommitted_tail: u64,
    /// To nodes that change members, that send a snapshot, that receive one, and that were handed over to.
    mid_change: u64,
    sending_snapshots: u64,
    receiving_snapshots: u64,
    handing_over: u64,
    /// Snapshots that were installed under attack.
    installed: u64,
}

impl Tally {
    fn note_state(&mut self, node: &Node) {
        let status = node.status();
        *self.roles.entry(status.role).or_default() += 1;
        self.mid_replication += u64::from(node.max_inflight().0 > 0);
        self.uncommitted_tail += u64::from(status.last.index > status.commit);
        self.mid_change += u64::from(status.membership.is_joint());
        let is_sent_one = |flow: PeerFlow| matches!(flow, PeerFlow::Snapshot { .. });
        self.sending_snapshots += u64::from(status.peers.iter().any(|peer| is_sent_one(peer.flow)));
        self.receiving_snapshots += u64::from(status.arriving.is_some());
        self.handing_over += u64::from(status.transfer_to.is_some());
    }
}

/// A node under attack, with a disk, a machine and readers that answer sooner or later.
struct Victim {
    node: Node,
    host: Host,
    now: Instant,
    effects: Effects,
}

impl Victim {
    fn new(host: &Host, now: Instant) -> Option<Self> {
        let node = host.node.clone()?;
        Some(Self { node, host: host.clone(), now, effects: Effects::new() })
    }

    fn step(&mut self, input: &RecordedInput) {
        let input = input.replay(&self.node);
        self.node.step(self.now, input, &mut self.effects);
        let Self { node, host, effects, .. } = self;
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Persist(persist) => {
                    host.writing = Some((persist.number(), persist.write().clone()));
                }
                Effect::Apply(apply) => host.applying = Some(apply.last()),
                Effect::Restore(restore) => host.applying = Some(restore.index()),
                Effect::Fetch(fetch) => host.lanes.fetches.push(Fetching::of(fetch, node)),
                Effect::ReadChunk(read) => host.lanes.chunks.push(Reading::of(read, node)),
                Effect::WriteChunk(chunk) => {
                    host.lanes.staging = Some(Staging::chunk(chunk, node));
                }
                Effect::FetchSnapshot(fetch) => {
                    host.lanes.staging = Some(Staging::fetch(fetch, node));
                }
                Effect::Send(_) | Effect::Reply(_) | Effect::Event(_) => {}
            }
        }
    }

    /// Does what is due now, so that a further step at the same time does nothing of its own.
    fn rest(&mut self) {
        self.step(&RecordedInput::Tick);
        if self.node.deadline() <= self.now {
            self.step(&RecordedInput::Tick); // the first heartbeats of a leader that has just won
        }
    }

    /// Receives a message; says whether it was accepted. One that is rejected must change nothing.
    fn receive(&mut self, envelope: Envelope) -> bool {
        self.rest();
        let before = self.node.clone();
        let input = RecordedInput::Receive(envelope);
        self.node.step(self.now, input.replay(&before), &mut self.effects);
        let rejected = self.node.status().rejections.total() - before.status().rejections.total();
        assert!(rejected <= 1);
        if rejected == 1 {
            assert!(self.effects.is_empty(), "a rejected message has no effect: {input:?}");
            assert!(self.node.equals_but_for_rejections(&before), "nor a trace: {input:?}");
            return false;
        }
        // Once more, for the effects: the same step on the same node is the same.
        drop(std::mem::take(&mut self.effects));
        self.node = before;
        self.step(&input);
        assert_eq!(self.node.invariants(), Ok(()), "after {input:?}");
        true
    }

    /// The disk, the machine and the readers answer, and time passes.
    fn live(&mut self, choice: usize) {
        let answer = match choice % 12 {
            0..3 => self.host.writing.take().map(|(number, write)| {
                self.host.disk.write(&write);
                RecordedInput::Persisted(number)
            }),
            3 => self.host.applying.take().map(RecordedInput::Applied),
            4 | 5 => self.stage(),
            6 => self.host.lanes.fetches.pop().map(|fetching| fetching.done(&self.host.disk)),
            7 => {
                let reading = self.host.lanes.chunks.pop();
                reading.map(|reading| reading.done(&self.host.disk, Transport::Chunks))
            }
            8 => {
                self.now = self.now.after(Ticks(E.0 / 2));
                Some(RecordedInput::Tick)
            }
            9 => Some(RecordedInput::Campaign),
            10 => {
                // It may have applied nothing of what it says it has.
                let take = self.node.take_snapshot(self.node.applied());
                take.map(|take| {
                    self.host.disk.keep(take.meta().clone(), Bytes::new());
                    RecordedInput::of(&Input::SnapshotTaken(take.done()), &self.node)
                })
            }
            _ => None,
        };
        if let Some(input) = answer {
            self.step(&input);
        }
    }

    /// Stages what has arrived; of a snapshot that is to be fetched, just what was asked for is found.
    fn stage(&mut self) -> Option<RecordedInput> {
        let staging = self.host.lanes.staging.take()?;
        let found = match &staging {
            Staging::Fetch { snapshot, .. } => {
                Some(Snapshot { meta: snapshot.clone(), bytes: Bytes::new() })
            }
            Staging::Chunk { .. } => None,
        };
        Some(staging.done(&mut self.host.disk, found))
    }
}

/// What a lie becomes at this moment: the message and the node it reaches.
fn tell(
    lie: &Lie,
    genuine: &[Envelope],
    victims: &BTreeMap<NodeId, Victim>,
) -> Option<(NodeId, Envelope)> {
    match lie {
        Lie::Mutated { genuine: place, field, value } => {
            let original = genuine.get(place % genuine.len().max(1))?;
            let mut envelope = original.clone();
            lie::mutate(&mut envelope, *field, *value);
            Some((original.to, envelope))
        }
        Lie::Invented { to, kind, values } => {
            let (to, victim) = victims.iter().nth(to % victims.len().max(1))?;
            let node = &victim.node;
            let envelope = Envelope {
                version: WireVersion::CURRENT,
                cluster: ClusterId(7),
                from: NodeId(to.0 % 3 + 1),
                to: *to,
                term: Term(node.term().0 + u64::from(values[6].is_odd())),
                message: lie::invent(*kind, values, node.term(), node.last()),
            };
            Some((*to, envelope))
        }
    }
}

fn attack(seed: u64, steps: usize, lies: &[(Lie, usize)], tally: &RefCell<Tally>) {
    let mut chaos = Chaos::new(seed);
    for _ in 0..steps {
        chaos.act();
    }
    let cluster = &chaos.cluster;
    let sent = cluster.journal.iter().filter_map(|(_, happened)| match happened {
        Happened::Sent(envelope) => Some(envelope.clone()),
        _ => None,
    });
    let genuine: Vec<Envelope> = sent.collect();
    let hosts = cluster.hosts.iter();
    let mut victims: BTreeMap<NodeId, Victim> =
        hosts.filter_map(|(id, host)| Some((*id, Victim::new(host, cluster.now)?))).collect();
    for (lie, choice) in lies {
        let Some((to, envelope)) = tell(lie, &genuine, &victims) else { continue };
        let Some(victim) = victims.get_mut(&to) else { continue };
        let (kind, before) = (envelope.message.kind(), victim.node.last());
        let entries = match &envelope.message {
            Message::AppendEntries(append) => append.entries.len() as u64,
            // A new leader appends a blank entry, and a leader what is forwarded to it.
            _ => 1,
        };
        let mut tally = tally.borrow_mut();
        tally.sent += 1;
        tally.mutated += u64::from(matches!(lie, Lie::Mutated { .. }));
        tally.note_state(&victim.node);
        let accepted = victim.receive(envelope);
        let (sent, believed) = tally.kinds.entry(kind).or_default();
        *sent += 1;
        *believed += u64::from(accepted);

        let status = victim.node.status();
        check_memory(&chaos.cluster.settings, &status);
        assert!(status.last.index.0 <= before.index.0 + entries + 1, "the log holds what was sent");
        let snapshot = victim.node.snapshot().position;
        victim.live(*choice);
        tally.installed += u64::from(victim.node.snapshot().position > snapshot);
    }
}

/// Every node of every run, whatever it is sent, works on; what it rejects leaves no trace.
#[test]
fn no_message_breaks_a_node() {
    let tally = RefCell::new(Tally::default());
    let lies = proptest::collection::vec((lie::lie(), any::<usize>()), 1..60);
    let config = Config { cases: RUNS, failure_persistence: None, ..Config::default() };
    // Always the same runs: what was found once is found again.
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, random)
        .run(&(any::<u64>(), 0_usize..900, lies), |(seed, steps, lies)| {
            attack(seed, steps, &lies, &tally);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));

    let tally = tally.into_inner();
    println!("{} messages, {} of them mutations of genuine ones", tally.sent, tally.mutated);
    println!("to leaders with messages in flight: {}", tally.mid_replication);
    println!("to nodes with uncommitted entries: {}", tally.uncommitted_tail);
    println!("to nodes in a joint configuration: {}", tally.mid_change);
    println!("to leaders that send a snapshot: {}", tally.sending_snapshots);
    println!("to nodes that receive one: {}", tally.receiving_snapshots);
    println!("to leaders that hand over: {}", tally.handing_over);
    println!("snapshots that counted in between: {}", tally.installed);
    println!("by role: {:?}", tally.roles);
    for (kind, (sent, accepted)) in &tally.kinds {
        println!("{kind:16} {sent:6} sent, {:3}% accepted", accepted * 100 / sent);
    }
    assert!(tally.mutated * 3 >= tally.sent, "a third are mutations of genuine messages");
    assert_eq!(tally.kinds.len(), lie::KINDS, "every kind was sent");
    assert!(tally.kinds.values().all(|(sent, accepted)| *accepted > 0 && accepted < sent));
    assert_eq!(tally.roles.len(), 4, "every role was attacked");
    assert!(tally.mid_replication > 100 && tally.uncommitted_tail > 100);
    assert!(tally.mid_change > 100 && tally.handing_over > 10 && tally.installed > 100);
    assert!(tally.sending_snapshots > 100 && tally.receiving_snapshots > 100);
}
