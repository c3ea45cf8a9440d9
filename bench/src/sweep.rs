//! What an entry costs when one thing is varied: the nodes, the size of commands, the burst, or the length of the log.

use std::time::Instant;

use raft_bench::allocations::uncounted;

use crate::cli::Plot;
use crate::contestants::{Contestant, FLOOR, OURS};
use crate::measure::{Case, float, in_rounds, median};
use crate::workload::carry_out;

/// One place on a chart.
#[derive(Clone, Copy)]
struct Step {
    nodes: usize,
    size: usize,
    burst: u64,
}

/// What is not varied.
const USUAL: Step = Step { nodes: 3, size: 16, burst: 64 };

/// Of a round, unless they are large, or the bursts are.
const ENTRIES: u64 = 20_000;

/// The bytes of a round's commands, about, since they are kept.
const BYTES: u64 = 32 << 20;

/// The longest log of all but the floor and `raft-core`: a longer one would take too long, or too much memory.
const LONGEST: u64 = 1_000_000;

/// A chart.
pub(crate) struct Sweep {
    /// Of the file.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What is varied, and its values.
    pub(crate) varied: &'static str,
    pub(crate) values: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

/// What a contestant needs: nanoseconds for an entry at each value, but for those where it cannot be measured.
pub(crate) struct Line {
    pub(crate) contestant: &'static Contestant,
    pub(crate) points: Vec<Option<f64>>,
}

pub(crate) fn nodes(options: &Plot) -> Sweep {
    let counts = [1, 3, 5, 7];
    Sweep {
        name: "nodes",
        title: "Nodes (commands of 16 B, 64 at a time)",
        varied: "nodes",
        values: counts.iter().map(usize::to_string).collect(),
        lines: lines(options, &counts.map(|nodes| Step { nodes, ..USUAL })),
    }
}

pub(crate) fn payload(options: &Plot) -> Sweep {
    let sizes = [16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10];
    Sweep {
        name: "payload",
        title: "Payload (3 nodes, 64 at a time)",
        varied: "size of a command",
        values: ["16 B", "64 B", "256 B", "1 KiB", "4 KiB", "16 KiB", "64 KiB"]
            .map(str::to_owned)
            .to_vec(),
        lines: lines(options, &sizes.map(|size| Step { size, ..USUAL })),
    }
}

pub(crate) fn burst(options: &Plot) -> Sweep {
    let bursts = [1, 4, 16, 64, 256, 1_024, 4_096];
    Sweep {
        name: "burst",
        title: "Burst (3 nodes, commands of 16 B)",
        varied: "commands at a time",
        values: bursts.iter().map(u64::to_string).collect(),
        lines: lines(options, &bursts.map(|burst| Step { burst, ..USUAL })),
    }
}

pub(crate) fn length(options: &Plot) -> Sweep {
    let lengths: Vec<u64> = (3..=9)
        .map(|power| 10_u64.pow(power))
        .filter(|length| *length <= options.longest)
        .collect();
    let contestants =
        options.contestants().into_iter().filter(|contestant| contestant.can_have(USUAL.nodes));
    let line = |contestant: &'static Contestant| {
        let longest = if [FLOOR, OURS].contains(&contestant.name) { u64::MAX } else { LONGEST };
        let lengths: Vec<u64> =
            lengths.iter().copied().filter(|length| *length <= longest).collect();
        let rounds: Vec<Vec<f64>> =
            (0..options.rounds).map(|_| growing(contestant, &lengths)).collect();
        let at = |place: usize| median(rounds.iter().map(|round| round[place]).collect());
        Line { contestant, points: (0..lengths.len()).map(|place| Some(at(place))).collect() }
    };
    Sweep {
        name: "length",
        title: "Length of the log (3 nodes, commands of 16 B, 64 at a time)",
        varied: "entries in the log",
        values: lengths.iter().map(u64::to_string).collect(),
        lines: contestants.map(line).collect(),
    }
}

/// The lines of all contestants.
fn lines(options: &Plot, steps: &[Step]) -> Vec<Line> {
    let contestants = options.contestants();
    let empty = |contestant| Line { contestant, points: Vec::new() };
    let mut lines: Vec<Line> = contestants.into_iter().map(empty).collect();
    for step in steps {
        let Step { nodes, size, burst } = *step;
        let entries = ENTRIES.min(BYTES / size as u64).max(4 * burst);
        let cases: Vec<Case> = lines
            .iter()
            .filter(|line| line.contestant.can_have(nodes))
            .map(|line| Case { contestant: line.contestant, nodes, size, burst })
            .collect();
        let rounds = in_rounds(options.rounds, &cases, entries);
        for line in &mut lines {
            let place = cases.iter().position(|case| case.contestant.name == line.contestant.name);
            line.points
                .push(place.map(|place| median(rounds.iter().map(|round| round[place]).collect())));
        }
    }
    lines
}

/// The nanoseconds for each of the last entries before the log is as long as that.
#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn growing(contestant: &Contestant, lengths: &[u64]) -> Vec<f64> {
    let mut cluster = (contestant.elected)(USUAL.nodes);
    let mut nanoseconds = Vec::new();
    for length in lengths {
        let timed = ENTRIES.min(length / 2);
        let before = length - timed - cluster.applied()[0];
        let mut carry_out =
            |count| uncounted(|| carry_out(&mut *cluster, USUAL.burst, USUAL.size, count));
        carry_out(before);
        let began = Instant::now();
        carry_out(timed);
        nanoseconds.push(began.elapsed().as_secs_f64() * 1e9 / float(timed));
    }
    nanoseconds
}
