//! Whether a plan can be run, and is worth it.
//!
//! Refused is what would make the simulator fail, what would be taken for a fault of the Raft under test (a
//! request that times out before anybody could answer it), and what would prove nothing (everything is healed
//! before anybody could be elected).

mod events;
mod faults;
mod members;
mod operations;
mod settings;

use std::fmt::Display;

use raft_core::Ticks;

use super::network::{Rare, Span};
use super::node::{LONGEST, RATES, TRUE_RATE};
use super::{Fault, MAX_CLIENTS, MAX_NODES, PLAN_VERSION, Plan, PlanError, StaticCut};
use crate::machine::Machine;

/// The least `max_command_bytes` where clients have sessions, whose commands are a little longer.
const LEAST_SESSION_COMMAND: u64 = 128;
/// Where nearly all messages are lost, nothing happens until everything is healed.
const MOST_LOSS: u64 = 900_000;
/// The most election timeouts that a message usually takes. What may take longer is `network.slow`.
const SLOWEST_MESSAGES: u64 = 4;
/// What waits before it leaves goes on waiting when all is healed, for at most this part of an election timeout.
const LEAVE_PART: u64 = 16;
/// In so many election timeouts the first leader may be elected.
const FIRST_ELECTION: u64 = 2;
/// In so many election timeouts a cluster settles under a static cut.
const SETTLING: u64 = 10;

pub(super) use events::needed as events_needed;

type Checked = Result<(), PlanError>;

impl Plan {
    /// Checks that a machine has the faults that the plan says are its own.
    ///
    /// # Errors
    /// The first that it does not have, and those that it has.
    pub fn validate_for<M: Machine>(&self) -> Checked {
        for (number, timed) in self.faults.iter().enumerate() {
            let Fault::Machine { name, .. } = timed.fault else { continue };
            if !M::FAULTS.contains(&name.as_str()) {
                let known = match M::FAULTS {
                    [] => "this machine has no faults of its own".to_owned(),
                    names => format!("the machine's own are: {}", names.join(", ")),
                };
                return refuse(format!("faults[{number}].fault.machine.name"), name, known);
            }
        }
        Ok(())
    }

    /// Checks that the plan can be run, and that the run can prove something.
    ///
    /// # Errors
    /// The first value that makes no sense, and what would do.
    pub fn validate(&self) -> Checked {
        if self.version != PLAN_VERSION {
            return Err(PlanError::Version { found: self.version.into(), expected: PLAN_VERSION });
        }
        at_least("nodes", self.nodes.into(), 1, "or there is no cluster")?;
        at_most("nodes", self.nodes.into(), MAX_NODES.into(), "no more can be simulated")?;
        settings::check(self)?;
        self.validate_clocks()?;
        self.validate_network()?;
        self.validate_lanes()?;
        self.validate_healing()?;
        self.validate_workload()?;
        members::check(self)?;
        settings::check_others(self)?;
        faults::check(self)?;
        operations::check(self)?;
        if let Some(cut) = &self.static_cut {
            self.validate_static_cut(cut)?;
        }
        events::check(self)
    }

    fn validate_clocks(&self) -> Checked {
        let (rates, nodes) = (self.clocks.len(), self.nodes);
        if rates as u64 != u64::from(nodes) {
            let expected = format!("it must have a rate for each node, and nodes is {nodes}");
            return refuse("clocks", format!("a list of {rates} rates"), expected);
        }
        for (node, rate) in self.clocks.iter().copied().enumerate() {
            let field = format!("clocks[{node}]");
            at_least(&field, rate.into(), RATES.0.into(), "half as fast as time")?;
            at_most(&field, rate.into(), RATES.1.into(), "twice as fast as time")?;
        }
        let slowest = self.clocks.iter().copied().min().unwrap_or(TRUE_RATE);
        let fastest = slowest * 3 / 2;
        for (node, rate) in self.clocks.iter().copied().enumerate() {
            let field = format!("clocks[{node}]");
            let why = format_args!(
                "half as fast again as the slowest of clocks ({slowest}), or the fastest node's election \
                 timeouts always end before those of others begin to"
            );
            at_most(&field, rate.into(), fastest.into(), why)?;
        }
        Ok(())
    }

    fn validate_network(&self) -> Checked {
        let network = &self.network;
        let election = self.settings.election_timeout.0;
        span("network.leave", network.leave)?;
        let most = election / LEAVE_PART;
        let why = format_args!(
            "a sixteenth of settings.election_timeout ({election}), or no leader stays in office"
        );
        at_most("network.leave.max", network.leave.max.0, most, why)?;
        at_most("network.gather", network.gather.0, most, why)?;
        self.usual("network.delay", network.delay)?;
        let most = election * SLOWEST_MESSAGES;
        let why = format_args!(
            "four times settings.election_timeout ({election}); network.slow is for what takes longer"
        );
        at_most("network.delay.max", network.delay.max.0, most, why)?;
        rare("network.slow", network.slow)?;
        let (loss, why) =
            (network.loss_per_million.into(), "or nothing happens before everything is healed");
        at_most("network.loss_per_million", loss, MOST_LOSS, why)?;
        share("network.duplicate_per_million", network.duplicate_per_million)?;
        share("network.malformed_per_million", network.malformed_per_million)
    }

    fn validate_lanes(&self) -> Checked {
        self.usual("disk.write", self.disk.write)?;
        rare("disk.slow", self.disk.slow)?;
        self.usual("disk.receipt", self.disk.receipt)?;
        self.usual("apply.latency", self.apply.latency)?;
        self.usual("apply.report", self.apply.report)
    }

    /// What usually takes longer than half of an election timeout leaves no time for elections.
    fn usual(&self, field: &str, times: Span) -> Checked {
        span(field, times)?;
        let election = self.settings.election_timeout.0;
        let why = format_args!(
            "half of settings.election_timeout ({election}), or nothing happens before everything is \
             healed"
        );
        at_most("min", times.min.0, election / 2, why).map_err(|error| error.inside(field))
    }

    fn validate_healing(&self) -> Checked {
        lasting("heal_at", Ticks(self.heal_at.0))?;
        let election = self.settings.election_timeout.0;
        let why = format_args!(
            "two times settings.election_timeout ({election}), or nobody is elected before everything \
             is healed"
        );
        at_least("heal_at", self.heal_at.0, FIRST_ELECTION * election, why)
    }

    fn validate_workload(&self) -> Checked {
        let load = &self.workload;
        let why = "no more can be simulated";
        at_most("workload.clients", load.clients.into(), MAX_CLIENTS.into(), why)?;
        let spans = [
            ("workload.think", load.think),
            ("workload.patience", load.patience),
            ("workload.backoff", load.backoff),
        ];
        for (field, times) in spans {
            span(field, times)?;
            let why = "or a client tries for ever without time going on";
            at_least("min", times.min.0, 1, why).map_err(|error| error.inside(field))?;
        }
        let election = self.settings.election_timeout.0;
        let why = format_args!(
            "half of settings.election_timeout ({election}), or clients give up before anybody can answer"
        );
        at_least("workload.patience.max", load.patience.max.0, election / 2, why)?;
        let why = "which is heal_at, or clients ask for nothing before everything is healed";
        at_most("workload.think.min", load.think.min.0, self.heal_at.0, why)?;
        if load.sessions > 0 {
            let why = "with workload.sessions, or no command of a session is taken";
            let (field, found) = ("settings.max_command_bytes", self.settings.max_command_bytes);
            at_least(field, found, LEAST_SESSION_COMMAND, why)?;
        }
        share("workload.follow_per_million", load.follow_per_million)?;
        share("workload.stay_per_million", load.stay_per_million)
    }

    fn validate_static_cut(&self, cut: &StaticCut) -> Checked {
        lasting("static_cut.settle", cut.settle)?;
        lasting("static_cut.lasts", cut.lasts)?;
        let (settle, election) = (cut.settle.0, self.settings.election_timeout.0);
        let why = format_args!(
            "ten times settings.election_timeout ({election}), or the cluster has not settled when it \
             is watched"
        );
        at_least("static_cut.settle", settle, SETTLING * election, why)?;
        let load = &self.workload;
        let why = "which is static_cut.settle, or no client asks while the cluster is watched";
        at_most("workload.think.max", load.think.max.0, settle, why)?;
        at_most("workload.backoff.max", load.backoff.max.0, settle, why)?;
        if self.settings.request_timeout.0 > settle {
            at_most("workload.patience.max", load.patience.max.0, settle, why)?;
        }
        let why = "with a static_cut, or there is no progress to see";
        at_least("workload.clients", load.clients.into(), 1, why)?;
        faults::check_static(self, cut)
    }
}

fn refuse(field: impl Into<String>, found: impl Display, expected: impl Into<String>) -> Checked {
    let (field, found, expected) = (field.into(), found.to_string(), expected.into());
    Err(PlanError::Impossible { field, found, expected })
}

fn at_least(field: &str, found: u64, least: u64, why: impl Display) -> Checked {
    if found < least {
        return refuse(field, found, format!("it must be at least {least}, {why}"));
    }
    Ok(())
}

fn at_most(field: &str, found: u64, most: u64, why: impl Display) -> Checked {
    if found > most {
        return refuse(field, found, format!("it must be at most {most}, {why}"));
    }
    Ok(())
}

fn span(field: &str, span: Span) -> Checked {
    let Span { min, max } = span;
    if min > max {
        let expected = format!("it must be at most {field}.max, which is {max}");
        return refuse(format!("{field}.min"), min, expected);
    }
    lasting("max", max).map_err(|error| error.inside(field))
}

fn rare(field: &str, rare: Rare) -> Checked {
    share("per_million", rare.per_million).map_err(|error| error.inside(field))?;
    span(&format!("{field}.takes"), rare.takes)
}

fn share(field: &str, per_million: u32) -> Checked {
    at_most(field, per_million.into(), 1_000_000, "a million in a million")
}

fn lasting(field: &str, ticks: Ticks) -> Checked {
    at_most(field, ticks.0, LONGEST.0, "about eleven days in microseconds")
}

#[cfg(test)]
mod tests;
