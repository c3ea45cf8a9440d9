//! Reports of campaigns: those that two shards wrote, and the same with other numbers in them, since a fuzzer of texts comes
//! to few that are still of one campaign.

use std::sync::OnceLock;

use raft_core::{Instant, Node, NodeId};
use raft_sim::campaign::{Campaign, Failure, Group, Seeds, Slowest, Summary};
use raft_sim::kv::Kv;
use raft_sim::violation::{Property, Violation};
use serde_json::Value;

use crate::dice::Dice;
use crate::numbers::Numbers;

/// No report has more of its numbers changed.
const MOST_CHANGES: usize = 16;

/// The report of a shard of a short campaign; without the times that were measured, which are never the same, and with a
/// few situations of many.
///
/// # Panics
/// When the text names no shard.
pub fn of_shard(shard: &str) -> Summary {
    let seeds = Seeds::new(0..2).expect("there are two");
    let shard = shard.parse().expect("it is a shard");
    let mut summary = Campaign { shard, ..Campaign::new(seeds) }.run::<Node, Kv>(|_| ());
    summary.wall_ms = 1_000;
    summary.slowest = Some(Slowest { seed: 1, wall_ms: 10 });
    summary.coverage.truncate(2);
    summary
}

/// The reports of both shards of a campaign, in one of which a run failed.
pub fn shards() -> [Summary; 2] {
    let mut failed = of_shard("1/2");
    let (property, cause) = (Property::Panic, "it broke".to_owned());
    let violation = Violation::new(property, Instant(1), &[NodeId(1)], "it broke at n1");
    failed.failures = vec![Failure { seed: 0, digest: 9, violation, cause: cause.clone() }];
    failed.groups = vec![Group { property, cause, seeds: vec![0] }];
    [failed, of_shard("2/2")]
}

/// The same as text, with numbers changed as some bytes say.
///
/// # Panics
/// Never.
pub fn edited(bytes: &[u8]) -> String {
    static SHARDS: OnceLock<Value> = OnceLock::new();
    let written =
        || serde_json::to_value(shards()).expect("a report holds nothing that JSON cannot");
    let mut reports = SHARDS.get_or_init(written).clone();
    let (mut dice, mut numbers) = (Dice::new(bytes), Numbers::default());
    for _ in 0..MOST_CHANGES {
        if dice.is_empty() {
            break;
        }
        numbers.draw(&mut dice);
    }
    numbers.write(&mut reports, |_| true);
    let reports = reports.as_array().expect("they are two");
    reports.iter().map(Value::to_string).collect()
}
