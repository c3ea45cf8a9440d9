//! What a campaign came to, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::cluster::ELECTION;
use super::nemesis::Round;
use super::recorder::{Counts, Kind};
use super::recovery;

/// What a campaign came to.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// How many nodes there were.
    pub(crate) nodes: u64,
    /// What was wrong with their stores.
    pub(crate) fault: &'static str,
    /// From which everything was drawn.
    pub(crate) seed: u64,
    /// How long it took.
    pub(crate) time: Duration,
    /// The rounds.
    pub(crate) rounds: Vec<Round>,
    /// The operations, by kind.
    pub(crate) counts: BTreeMap<Kind, Counts>,
    /// How often a log was compacted, and a snapshot of another node installed.
    pub(crate) compactions: usize,
    pub(crate) installations: usize,
    /// What was not as it should be.
    pub(crate) problems: Vec<String>,
}

impl Report {
    fn faults(&self) -> BTreeMap<&'static str, u64> {
        let mut faults = BTreeMap::new();
        for fault in self.rounds.iter().flat_map(|round| &round.faults) {
            *faults.entry(fault.kind).or_default() += 1;
        }
        faults
    }

    fn times(&self, time: fn(&Round) -> Option<Duration>) -> Option<String> {
        let mut times: Vec<Duration> = self.rounds.iter().filter_map(time).collect();
        times.sort_unstable();
        let (median, slowest) = (times.get(times.len() / 2)?, times.last()?);
        Some(format!(
            "{:.1} E as a rule and {:.1} E at the slowest, of {}",
            recovery::in_elections(*median),
            recovery::in_elections(*slowest),
            times.len()
        ))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, fault, seed, time, rounds, counts, problems, .. } = self;
        writeln!(
            f,
            "{nodes} nodes with stores that are '{fault}', {:.0} s, seed {seed}",
            time.as_secs_f64()
        )?;
        for (kind, Counts { done, unknown, without_effect }) in counts {
            writeln!(
                f,
                "  {kind:<15} {done:>7} done {unknown:>6} unknown {without_effect:>6} without effect"
            )?;
        }
        writeln!(
            f,
            "  logs compacted {} times, snapshots of other nodes installed {} times",
            self.compactions, self.installations
        )?;
        writeln!(f, "  faults in {} rounds:", rounds.len())?;
        for (kind, count) in self.faults() {
            writeln!(f, "    {count:>4} {kind}")?;
        }
        if let Some(times) = self.times(|round| round.failover) {
            writeln!(f, "  service in spite of a fault that leaves a majority: after {times}")?;
        }
        if let Some(times) = self.times(|round| round.recovery) {
            writeln!(f, "  service after everything was healed: after {times}")?;
        }
        writeln!(
            f,
            "  (E, the election timeout, is {} ms; each is drawn from E to 2E; {:.0} E are expected, {:.0} E the limit)",
            ELECTION.as_millis(),
            recovery::in_elections(recovery::expected()),
            recovery::in_elections(recovery::limit())
        )?;
        if problems.is_empty() {
            return writeln!(
                f,
                "  verdict: everything acknowledged is there, and the history is linearizable"
            );
        }
        writeln!(f, "  verdict: {} PROBLEMS", problems.len())?;
        problems.iter().try_for_each(|problem| writeln!(f, "{problem}"))
    }
}
