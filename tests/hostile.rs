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

use lie::Lie;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use raft_core::{
    ClusterId, Effect, Effects, Envelope, Instant, LogIndex, Message, Node, NodeId, RecordedInput,
    Role, Term, Ticks, WireVersion, WriteNumber,
};
use support::chaos::Chaos;
use support::{E, Happened, Host};

/// How many runs are stopped; each is sent a series of messages.
const RUNS: u32 = 1_500;
/// What the core promises at most to hold back while the disk works.
const MAX_WITHHELD: u64 = 1_024;

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
}

/// A node under attack, with a disk and a machine that answer sooner or later.
struct Victim {
    node: Node,
    now: Instant,
    writing: Option<WriteNumber>,
    applying: Option<LogIndex>,
    effects: Effects,
}

impl Victim {
    fn new(host: &Host, now: Instant) -> Option<Self> {
        let node = host.node.clone()?;
        let writing = host.writing.as_ref().map(|(number, _)| *number);
        Some(Self { node, now, writing, applying: host.applying, effects: Effects::new() })
    }

    fn step(&mut self, input: &RecordedInput) {
        let input = input.replay(&self.node);
        self.node.step(self.now, input, &mut self.effects);
        while let Some(effect) = self.effects.pop() {
            match effect {
                Effect::Persist(persist) => self.writing = Some(persist.number()),
                Effect::Apply(apply) => self.applying = Some(apply.last()),
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

    /// The disk and the machine answer, and time passes.
    fn live(&mut self, choice: usize) {
        match choice % 7 {
            0 => {
                if let Some(number) = self.writing.take() {
                    self.step(&RecordedInput::Persisted(number));
                }
            }
            1 => {
                if let Some(last) = self.applying.take() {
                    self.step(&RecordedInput::Applied(last));
                }
            }
            2 => {
                self.now = self.now.after(Ticks(E.0 / 2));
                self.step(&RecordedInput::Tick);
            }
            3 => self.step(&RecordedInput::Campaign),
            _ => {}
        }
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
                term: Term(node.term().0 + u64::from(*kind % 5 == 4)),
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
        let (kind, role, before) =
            (envelope.message.kind(), victim.node.role(), victim.node.last());
        let entries = match &envelope.message {
            Message::AppendEntries(append) => append.entries.len() as u64,
            // A new leader appends a blank entry, and a leader what is forwarded to it.
            _ => 1,
        };
        let mut tally = tally.borrow_mut();
        tally.sent += 1;
        tally.mutated += u64::from(matches!(lie, Lie::Mutated { .. }));
        *tally.roles.entry(role).or_default() += 1;
        tally.mid_replication += u64::from(victim.node.max_inflight().0 > 0);
        tally.uncommitted_tail += u64::from(before.index > victim.node.commit());
        let accepted = victim.receive(envelope);
        let (sent, believed) = tally.kinds.entry(kind).or_default();
        *sent += 1;
        *believed += u64::from(accepted);

        let status = victim.node.status();
        assert!(status.withheld_messages <= MAX_WITHHELD);
        assert!(status.pending_requests <= chaos.cluster.settings.max_pending_requests);
        assert!(status.last.index.0 <= before.index.0 + entries + 1, "the log holds what was sent");
        victim.live(*choice);
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
    println!("by role: {:?}", tally.roles);
    for (kind, (sent, accepted)) in &tally.kinds {
        println!("{kind:16} {sent:6} sent, {:3}% accepted", accepted * 100 / sent);
    }
    assert!(tally.mutated * 3 >= tally.sent, "a third are mutations of genuine messages");
    assert_eq!(tally.kinds.len(), lie::KINDS, "every kind was sent");
    assert!(tally.kinds.values().all(|(sent, accepted)| *accepted > 0 && accepted < sent));
    assert_eq!(tally.roles.len(), 4, "every role was attacked");
    assert!(tally.mid_replication > 100 && tally.uncommitted_tail > 100);
}
