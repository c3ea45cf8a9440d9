//! Goal: a recorded life, kept as JSON, replays to the same node, bit for bit: the flight recorder works.

use raft_core::{
    Bootstrap, ClusterId, Effect, Effects, Input, Instant, Membership, Node, NodeId, RecordedInput,
    RecordedLine, RecordedNode, RecordedStart, Rejection, Settings,
};
use raft_sim::recording::{Ending, Recording};
use support::Happened;
use support::chaos::Chaos;

/// A receipt that the node refused when it was recorded is refused in the replay, not taken for its own.
#[test]
fn a_foreign_receipt_is_foreign_again() {
    let start = |now| {
        let membership = Membership::of_voters([NodeId(1)]).expect("a voter");
        let config = Settings::new(ClusterId(1), NodeId(1)).validate().expect("sound");
        Node::new(config, Bootstrap { membership }, Instant(now)).expect("a founder")
    };
    let persist = |node: &mut Node, now| {
        let mut effects = Effects::new();
        node.step(Instant(now), Input::Tick, &mut effects);
        match effects.pop() {
            Some(Effect::Persist(persist)) => persist,
            other => panic!("the founding write comes first, not {other:?}"),
        }
    };
    // The first life ends before its incarnation is durable, so the second has the same one.
    let (mut earlier, mut node) = (start(0), start(100));
    let receipt = Input::Persisted(persist(&mut earlier, 0).done());
    let own = persist(&mut node, 100);
    let recorded = RecordedInput::of(&receipt, &node);
    assert_eq!(recorded, RecordedInput::ForeignReceipt);
    let mut replayed = node.clone();
    node.step(Instant(101), receipt, &mut Effects::new());
    replayed.step(Instant(101), recorded.replay(&replayed), &mut Effects::new());
    assert_eq!(node, replayed);
    assert_eq!(node.status().outstanding_write, Some(own.number()), "still waiting for its own");
    assert_eq!(node.status().rejections.count(Rejection::ForeignReceipt), 1);
}

/// The second half of a recording, as a ring keeps it: it begins with the node as it was.
fn later_part(recorded: &[RecordedLine]) -> Vec<RecordedLine> {
    let [RecordedLine::Started(started), rest @ ..] = recorded else { panic!("a life starts") };
    let (mut node, mut effects) = (started.begin().expect("it began like this"), Effects::new());
    let (before, after) = rest.split_at(rest.len() / 2);
    for line in before {
        let RecordedLine::Step(step) = line else { panic!("the status comes last") };
        step.replay(&mut node, &mut effects);
    }
    let node = RecordedLine::Continued(Box::new(RecordedNode::of(&node)));
    std::iter::once(node).chain(after.iter().cloned()).collect()
}

#[test]
fn a_recorded_life_replays_to_an_equal_node() {
    let (mut lives, mut steps) = (0, 0);
    for seed in 0..200 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..1_000 {
            chaos.act();
        }
        let cluster = &chaos.cluster;
        for (id, host) in &cluster.hosts {
            let Some(original) = &host.node else { continue };
            let given = cluster.journal.iter().filter_map(|(of, happened)| match happened {
                Happened::Given(step) if of == id => Some(step.clone()),
                _ => None,
            });
            let started = RecordedStart {
                settings: host.settings,
                start: host.start.0.clone(),
                now: host.start.1,
            };
            let mut recorded = vec![RecordedLine::Started(Box::new(started))];
            recorded.extend(given.map(RecordedLine::Step));
            recorded.push(RecordedLine::Status(Box::new(original.status())));
            for recorded in [later_part(&recorded), recorded] {
                let text = |line| serde_json::to_string(line).expect("plain data") + "\n";
                let text: String = recorded.iter().map(text).collect();
                let recording = Recording::read(&text).expect("what was written can be read");
                let replayed = recording.replay(None).expect("it began like this");
                assert_eq!((replayed.ending, replayed.compared), (Ending::Same, 1), "seed {seed}");
                assert_eq!(replayed.node.as_ref(), Some(original), "seed {seed}");
                steps += replayed.steps;
            }
            lives += 1;
        }
    }
    println!("{lives} lives, {steps} steps");
    assert!(lives > 400 && steps > 20_000);
}
