//! Groups that have nothing to do, as a process has them in which each part of the data is a cluster of its own: what
//! they hold, and what it takes that their leaders stay.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use raft_bench::allocations::{ARE_COUNTED, counted, uncounted};
use raft_bench::group::{self, Driver, HEARTBEAT};
use raft_core::{ClusterId, Input, Node};

use crate::cli::Idle;
use crate::layout::aligned;
use crate::measure::{float, median};
use crate::{instructions, machine};

/// Heartbeat intervals after which nothing that is remembered of them grows any more.
const SETTLED: u32 = 100;

/// So many groups are enough to count instructions, and so many rounds.
const COUNTED_GROUPS: u64 = 100;
const FEW: u64 = 10;
const MANY: u64 = 30;

/// What is done with all groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Task {
    /// A heartbeat interval passes.
    Heartbeat,
    /// Every node takes a tick, and nothing is due.
    Tick,
    /// Every node says when it must be stepped next.
    Deadline,
}

impl Task {
    const ALL: [Self; 3] = [Self::Heartbeat, Self::Tick, Self::Deadline];

    fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Tick => "tick",
            Self::Deadline => "deadline",
        }
    }

    fn what(self, size: usize) -> String {
        match self {
            Self::Heartbeat => {
                format!("a heartbeat interval: 1 tick, {0} heartbeats, {0} answers", size - 1)
            }
            Self::Tick => format!("{size} ticks, when nothing is due"),
            Self::Deadline => format!("{size} looks at `Node::deadline`"),
        }
    }
}

/// Groups side by side, all of one size. Who leads differs from one to the next.
struct Groups {
    driver: Driver,
    nodes: Vec<Node>,
    size: usize,
}

impl Groups {
    fn elected(count: u64, size: usize) -> Self {
        let (mut driver, mut nodes) = (Driver::new(), Vec::new());
        nodes.reserve_exact(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(size));
        for cluster in 0..count {
            nodes.extend(group::founders(ClusterId(cluster), size, |usual| usual));
        }
        for (place, group) in nodes.chunks_exact_mut(size).enumerate() {
            group::elect(&mut driver, group, place % size);
        }
        Self { driver, nodes, size }
    }

    fn carry_out(&mut self, task: Task) {
        let Self { driver, nodes, size } = self;
        match task {
            Task::Heartbeat => {
                driver.wait(HEARTBEAT);
                let expected = 2 * (*size as u64 - 1);
                for (place, group) in nodes.chunks_exact_mut(*size).enumerate() {
                    let messages = group::heartbeat(driver, group, place % *size);
                    assert_eq!(messages, expected, "every heartbeat is answered");
                }
            }
            Task::Tick => nodes.iter_mut().for_each(|node| driver.step(node, Input::Tick)),
            Task::Deadline => {
                black_box(nodes.iter().map(Node::deadline).min());
            }
        }
    }

    /// The median of the nanoseconds for a group.
    #[expect(clippy::disallowed_methods, reason = "this is what is measured")]
    fn nanoseconds(&mut self, task: Task, rounds: u32) -> f64 {
        let groups = (self.nodes.len() / self.size) as u64;
        let mut round = || {
            let began = Instant::now();
            uncounted(|| self.carry_out(task));
            began.elapsed().as_secs_f64() * 1e9 / float(groups)
        };
        median((0..rounds).map(|_| round()).collect())
    }
}

/// Does that so many times, and prints nothing. Nothing is measured here: the program is.
pub(crate) fn carry_out(task: Task, size: usize, rounds: u64) {
    let mut groups = Groups::elected(COUNTED_GROUPS, size);
    for _ in 0..rounds {
        groups.carry_out(task);
    }
}

/// Measures all, and prints tables.
pub(crate) fn print(options: &Idle) -> Result<(), Box<dyn Error>> {
    let Idle { groups: count, nodes: size, rounds } = *options;
    println!("{}\n", machine::description(&[]).trim_end());
    println!(
        "{count} groups of {size} nodes, each with a leader and a log of one entry, which all have applied.\n"
    );
    let mut groups = Groups::elected(0, size);
    let resident = machine::resident_bytes();
    let elected = counted(|| groups = Groups::elected(count, size)).kept_bytes;
    let later = counted(|| (0..SETTLED).for_each(|_| groups.carry_out(Task::Heartbeat))).kept_bytes;
    let resident = machine::resident_bytes().zip(resident).map(|(now, before)| now - before);
    let held = [
        ("heap, once elected".to_owned(), ARE_COUNTED.then_some(elected)),
        (
            format!("heap, {SETTLED} heartbeat intervals later"),
            ARE_COUNTED.then_some(elected + later),
        ),
        ("resident memory, then".to_owned(), resident),
    ];
    print_memory(&held, count, size);
    if !ARE_COUNTED {
        println!("The heap is not counted: the program was built without.");
    }
    println!("A `Node` itself, which is among that, has {} bytes.\n", size_of::<Node>());
    print_costs(&mut groups, rounds)
}

fn print_memory(held: &[(String, Option<i64>)], groups: u64, size: usize) {
    let mut rows = vec![["bytes", "a group", "a node"].map(str::to_owned).to_vec()];
    for (what, bytes) in held {
        let part = |parts: u64| match bytes.and_then(|bytes| u64::try_from(bytes).ok()) {
            Some(bytes) => format!("{:.0}", float(bytes) / float(parts)),
            None => "-".to_owned(),
        };
        rows.push(vec![what.clone(), part(groups), part(groups * size as u64)]);
    }
    println!("{}", aligned(&rows).join("\n"));
}

fn print_costs(groups: &mut Groups, rounds: u32) -> Result<(), Box<dyn Error>> {
    let can_count = instructions::valgrind().is_some();
    let size = groups.size;
    let mut rows = vec![["for a group", "ns", "instructions"].map(str::to_owned).to_vec()];
    let mut beat = 0.0;
    for task in Task::ALL {
        let nanoseconds = groups.nanoseconds(task, rounds);
        let instructions = can_count.then(|| instructions_of(task, size)).transpose()?;
        let instructions =
            instructions.map_or_else(|| "-".to_owned(), |count| format!("{count:.0}"));
        rows.push(vec![task.what(size), format!("{nanoseconds:.0}"), instructions]);
        if task == Task::Heartbeat {
            beat = nanoseconds;
        }
    }
    println!("{}", aligned(&rows).join("\n"));
    if !can_count {
        println!("Instructions are not counted: there is no valgrind.");
    }
    let count = (groups.nodes.len() / size) as u64;
    let milliseconds = beat * float(count) / 1e6;
    println!("All {count} groups together need {milliseconds:.1} ms for each heartbeat interval.");
    Ok(())
}

fn instructions_of(task: Task, size: usize) -> Result<f64, Box<dyn Error>> {
    let size = size.to_string();
    let costs = instructions::difference(&["idle-once", task.name(), &size], FEW, MANY)?;
    Ok(costs.instructions / float(COUNTED_GROUPS))
}

#[cfg(test)]
mod tests {
    use super::{Groups, Task};

    #[test]
    fn idle_groups_stay_as_they_are() {
        let mut groups = Groups::elected(7, 3);
        let leaders = |groups: &Groups| {
            groups.nodes.iter().map(|node| (node.role(), node.term())).collect::<Vec<_>>()
        };
        let before = leaders(&groups);
        for _ in 0..30 {
            for task in Task::ALL {
                groups.carry_out(task);
            }
        }
        assert_eq!(leaders(&groups), before);
    }
}
