//! What the guard counts: the workload in its modes, and every single step.

use std::error::Error;

use raft_bench::steps;

use crate::cli::Guard;
use crate::contestants::{OURS, named};
use crate::instructions;
use crate::measure::Case;
use crate::profile::Costs;
use crate::workload::Mode;

/// The workload in one mode.
struct Workload {
    name: &'static str,
    mode: Mode,
    nodes: usize,
    size: usize,
}

const WORKLOADS: [Workload; 6] = [
    Workload { name: "latency", mode: Mode::Latency, nodes: 3, size: 16 },
    Workload { name: "pipelined", mode: Mode::Pipelined, nodes: 3, size: 16 },
    Workload { name: "batch", mode: Mode::Batch, nodes: 3, size: 16 },
    Workload { name: "latency-4k", mode: Mode::Latency, nodes: 3, size: 4 << 10 },
    // More than memory is to hold: each entry puts another out.
    Workload { name: "pipelined-64k", mode: Mode::Pipelined, nodes: 3, size: 64 << 10 },
    Workload { name: "latency-7", mode: Mode::Latency, nodes: 7, size: 16 },
];

/// The names of all scenarios.
pub(crate) fn names() -> Vec<&'static str> {
    let workloads = WORKLOADS.iter().map(|workload| workload.name);
    workloads.chain(steps::ALL.iter().map(|step| step.name)).collect()
}

/// What each scenario takes: for an entry of the workload, or for a step.
pub(crate) fn counted(options: &Guard) -> Result<Vec<(String, Costs)>, Box<dyn Error>> {
    let is_wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let mut counted = Vec::new();
    for workload in WORKLOADS.iter().filter(|workload| is_wanted(workload.name)) {
        counted.push((workload.name.to_owned(), workload.costs()?));
    }
    for step in steps::ALL.iter().filter(|step| is_wanted(step.name)) {
        counted.push((step.name.to_owned(), instructions::of_step(step.name)?));
    }
    Ok(counted)
}

impl Workload {
    fn costs(&self) -> Result<Costs, Box<dyn Error>> {
        let Self { mode, nodes, size, .. } = *self;
        let contestant = named(OURS).ok_or("raft-core takes no part")?;
        instructions::of_entry(&Case { contestant, nodes, size, burst: mode.burst() }, mode)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::names;

    #[test]
    fn every_scenario_has_a_name_of_its_own() {
        let all = names();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
    }
}
