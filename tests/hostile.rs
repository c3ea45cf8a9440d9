//! Goal: nothing that a peer can send panics, grows memory without bound, or stops a node; and what the gate
//! rejects leaves the node as it was.
//!
//! The nodes are those of random runs, stopped anywhere: in every role, in the middle of replication, with
//! uncommitted tails and slow disks. About half of the messages are genuine ones of the same run with one
//! field changed, the others are invented. A well-formed lie may be believed, and may break safety; it
//! may not break the process. Meanwhile callers ask for things, and the driver makes the mistakes that its types
//! allow; in the end every request has its one answer.
//!
//! `HOSTILE_RUNS=50000 HOSTILE_SEED=7 cargo test --release --test hostile` makes other runs, and more of them.

#[path = "hostile/lie.rs"]
mod lie;

#[path = "hostile/victim.rs"]
mod victim;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;

use lie::Lie;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use raft_core::{
    ClusterId, Entry, Envelope, Message, Node, NodeId, PeerFlow, Role, Term, WireVersion,
};
use support::Happened;
use support::chaos::Chaos;
use support::checks::check_memory;
use victim::Victim;

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
    /// What callers asked for meanwhile.
    asked: u64,
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
    let mut settings = chaos.cluster.settings;
    for (lie, choice) in lies {
        let Some((to, envelope)) = tell(lie, &genuine, &victims) else { continue };
        let Some(victim) = victims.get_mut(&to) else { continue };
        let (kind, before) = (envelope.message.kind(), victim.node.last());
        let entries = match &envelope.message {
            Message::AppendEntries(append) => {
                // One entry is always taken, however large.
                let largest = append.entries.iter().map(Entry::size).max().unwrap_or(0);
                settings.max_command_bytes = settings.max_command_bytes.max(largest);
                append.entries.len() as u64
            }
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
        check_memory(&settings, &status);
        assert!(status.last.index.0 <= before.index.0 + entries + 1, "the log holds what was sent");
        let snapshot = victim.node.snapshot().position;
        victim.live(*choice);
        check_memory(&settings, &victim.node.status());
        tally.installed += u64::from(victim.node.snapshot().position > snapshot);
    }
    for victim in victims.values_mut() {
        victim.end();
        tally.borrow_mut().asked += victim.asked();
    }
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`: write a number")))
}

/// Every node of every run, whatever it is sent, works on; what it rejects leaves no trace.
#[test]
fn no_message_breaks_a_node() {
    let tally = RefCell::new(Tally::default());
    let lies = proptest::collection::vec((lie::lie(), any::<usize>()), 1..60);
    let cases = number("HOSTILE_RUNS").map_or(RUNS, |runs| u32::try_from(runs).expect("a few"));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    // Always the same runs, unless others are asked for: what was found once is found again.
    let seed = number("HOSTILE_SEED").unwrap_or(0).to_le_bytes();
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.repeat(4));
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
    println!("requests of callers: {}", tally.asked);
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
