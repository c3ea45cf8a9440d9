//! Goal: what the scenarios in `tests/scenarios/` say of their runs is so, and they say it in the form in which they would be
//! written.

use std::fs;
use std::path::Path;

use raft_sim::kv::Kv;
use raft_sim::scenario::Scenario;

const FOLDER: &str = "tests/scenarios";

#[test]
fn scenarios_hold() {
    raft_sim::scenarios::<Kv>(FOLDER);
}

/// Each opens with a sentence of its story, and survives being written.
#[test]
fn scenarios_are_told_and_survive() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the entry is readable").path();
        let (name, text) = (path.display(), fs::read_to_string(&path).expect("it is text"));
        assert!(text.starts_with("# "), "{name} opens with a sentence of its story");
        let scenario =
            Scenario::read::<Kv>(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = scenario.write::<Kv>();
        let again =
            Scenario::read::<Kv>(&written).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((&again.plan, &again.expectations), (&scenario.plan, &scenario.expectations));
        assert_eq!(again.write::<Kv>(), written, "{name}");
    }
}
