//! Goal: a recorded life, kept as JSON, replays to the same node, bit for bit: the flight recorder works.

mod support;

use raft_core::{Effects, Node, RecordedStep, Settings, Start};
use support::Happened;
use support::chaos::Chaos;

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
            let recording: Vec<RecordedStep> = given.collect();
            let text = serde_json::to_string(&(&host.start.0, &recording)).expect("plain data");
            let (start, read): (Start, Vec<RecordedStep>) =
                serde_json::from_str(&text).expect("what was written can be read");
            assert_eq!(read, recording);

            let config = Settings { id: *id, ..cluster.settings }.validate().expect("as before");
            let mut node = Node::new(config, start, host.start.1).expect("as before");
            let mut effects = Effects::new();
            for step in &read {
                let input = step.input.replay(&node);
                node.step(step.now, input, &mut effects);
            }
            assert_eq!(&node, original, "seed {seed}");
            lives += 1;
            steps += read.len();
        }
    }
    println!("{lives} lives, {steps} steps");
    assert!(lives > 400 && steps > 20_000);
}
