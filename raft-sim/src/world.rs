//! Runs a plan in virtual time.
//!
//! One ordered queue holds everything that is to happen: arrivals of messages, writes that become
//! durable, receipts, batches that machines have taken, timers, clients, faults. Each is a moment of its
//! own, so a crash can fall between any two of them.
//!
//! Invariants: the same plan gives the same run, event by event, on every machine; looking at a run (a
//! trace, the level of checks) does not change it; messages that have left survive their sender.

mod chores;
mod clients;
mod clock;
mod digest;
mod disk;
mod drive;
mod faults;
mod host;
mod lanes;
mod look;
mod losses;
mod network;
mod operator;
mod phases;
mod queue;
mod runs;
mod sessions;
mod shown;
#[cfg(test)]
pub(crate) mod tests;
mod trace;

use raft_core::{Instant, LogPosition, Membership, NodeId, Role, Term};

use crate::check::{CheckLevel, Checks};
use crate::coverage::Situation;
use crate::history::OpId;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::raft::{Facts, Raft};
use crate::served::Served;
use crate::verdict::{Statistics, Verdict};
use crate::violation::{Property, Violation};

use clients::Client;
use clock::Clock;
use digest::Digest;
use faults::Faults;
use host::Host;
use network::Network;
use operator::Wish;
use phases::Stage;
use queue::{Event, Flights, Queue};

pub use disk::{parts, prefix};
pub use trace::{LogEntry, Loss, NoTrace, Onlooker, Phase, Started, Trace, TraceEvent};

/// What a moment leads to: the run goes on, or something was violated.
type Checked = Result<(), Violation>;

/// A run of a plan.
///
/// ```
/// use raft_sim::kv::Kv;
/// use raft_sim::plan::{Plan, Profile};
///
/// let verdict = raft_sim::world::run::<raft_core::Node, Kv>(&Plan::generate(1, Profile::Calm));
/// assert_eq!(verdict.violation, None);
/// assert!(verdict.statistics.operations_committed > 0);
/// ```
pub struct World<'a, R: Raft, M: Machine, T: Trace = NoTrace> {
    plan: &'a Plan,
    trace: &'a mut T,
    now: u64,
    queue: Queue,
    flights: Flights<Flight<R>>,
    network: Network,
    hosts: Vec<Host<R, M>>,
    /// Filled and emptied by every step.
    effects: R::Effects,
    checks: Checks<M>,
    clients: Vec<Client>,
    /// What the operator has asked for, and how often.
    wishes: Vec<(OpId, Wish)>,
    wishes_made: u64,
    /// How many there were when everything was healed.
    wishes_before_healing: usize,
    faults: Faults,
    stage: Stage,
    founders: Membership,
    statistics: Statistics,
    /// The last entry that a leader is known to have committed.
    committed: LogPosition,
    /// Who won the latest election.
    last_elected: Option<NodeId>,
    /// The latest term that anybody has led.
    last_led: Term,
    digest: Digest,
    violation: Option<Violation>,
    /// What a trace was shown; untouched without one.
    shown: Vec<shown::Shown>,
}

/// A message under way.
struct Flight<R: Raft> {
    message: R::Message,
    facts: Facts,
    /// Names it to whoever looks on; what the network makes of it has the same.
    number: u64,
    /// What is wrong with it, if it is malformed.
    draw: u32,
    sent: u64,
    /// When it leaves, and in which life of its sender: a crash before that loses it.
    leaves: u64,
    life: u32,
    /// As of when its sender had heard from its receiver.
    echo: Instant,
    edition: Edition,
}

/// Whether a message is the one that was sent or something that the network made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edition {
    First,
    Repeated,
    /// No correct peer sends it.
    Malformed,
}

/// Whether a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// There is more to come.
    Running,
    /// It is over: ask for the verdict.
    Ended,
}

/// Runs a plan with all checks.
///
/// # Panics
/// When the Raft or the machine under test does: the caller decides what to make of it.
pub fn run<R: Raft, M: Machine>(plan: &Plan) -> Verdict {
    run_with::<R, M, NoTrace>(plan, &mut NoTrace, CheckLevel::Full)
}

/// Runs a plan with all checks and tells `trace` what happens.
///
/// # Panics
/// When the Raft or the machine under test does: the caller decides what to make of it.
pub fn run_traced<R: Raft, M: Machine, T: Trace>(plan: &Plan, trace: &mut T) -> Verdict {
    run_told::<R, M>(plan, &mut |at, event| trace.record(at, event))
}

/// Runs a plan with all checks and tells `told` what happens.
///
/// # Panics
/// When the Raft or the machine under test does: the caller decides what to make of it.
pub fn run_told<R: Raft, M: Machine>(
    plan: &Plan,
    told: &mut dyn FnMut(Instant, TraceEvent<'_>),
) -> Verdict {
    run_with::<R, M, Onlooker<'_>>(plan, &mut Onlooker::new(told), CheckLevel::Full)
}

/// Runs a plan with as many checks as wanted and tells `trace` what happens.
///
/// # Panics
/// When the Raft or the machine under test does: the caller decides what to make of it.
pub fn run_with<R: Raft, M: Machine, T: Trace>(
    plan: &Plan,
    trace: &mut T,
    level: CheckLevel,
) -> Verdict {
    let mut world = World::<R, M, T>::new(plan, trace, level);
    world.advance(u64::MAX);
    world.verdict()
}

impl<'a, R: Raft, M: Machine, T: Trace> World<'a, R, M, T> {
    /// A run of a plan that has passed [`Plan::validate`], at its beginning.
    ///
    /// # Panics
    /// When the plan has not passed it.
    pub fn new(plan: &'a Plan, trace: &'a mut T, level: CheckLevel) -> Self {
        assert_eq!(plan.validate(), Ok(()), "an invalid plan cannot be run");
        let ids: Vec<NodeId> = plan.node_ids().collect();
        let founders = ids.iter().copied().take(plan.founders as usize);
        let founders = Membership::of_voters(founders).expect("a plan has at least one founder");
        let settings: Vec<_> = ids.iter().map(|id| plan.settings_of(*id)).collect();
        let hosts: Vec<Host<R, M>> = ids
            .iter()
            .zip(&plan.clocks)
            .map(|(id, rate)| {
                Host::new(*id, Clock::new(*rate), Served::new(plan.workload.sessions))
            })
            .collect();
        let mut world = Self {
            plan,
            trace,
            now: 0,
            queue: Queue::new(),
            flights: Flights::new(),
            network: Network::new(plan.seed, hosts.len(), plan.network, &plan.overrides),
            effects: R::Effects::default(),
            checks: Checks::new(&settings, &founders, level).with_sessions(plan.workload.sessions),
            clients: Vec::new(),
            wishes: Vec::new(),
            wishes_made: 0,
            wishes_before_healing: 0,
            faults: Faults::default(),
            stage: Stage::Faults,
            founders,
            statistics: Statistics::default(),
            committed: LogPosition::ZERO,
            last_elected: None,
            last_led: Term::ZERO,
            digest: Digest::default(),
            violation: None,
            shown: hosts.iter().map(|_| shown::Shown::default()).collect(),
            hosts,
        };
        world.schedule_beginnings();
        world
    }

    fn schedule_beginnings(&mut self) {
        for node in 0..self.hosts.len() {
            let stamp = self.hosts[node].number(host::Series::Stamp);
            self.hosts[node].awaited = stamp;
            self.queue.push(0, Event::Restart { node: short(node), stamp });
        }
        if let Some(at) = self.plan.ends_at {
            self.queue.push(at.0, Event::End);
        }
        self.enlist_clients();
        for (fault, timed) in (0..).zip(&self.plan.faults) {
            self.queue.push(timed.at.0, Event::FaultBegins { fault });
        }
        for (action, timed) in (0..).zip(&self.plan.actions) {
            self.queue.push(timed.at.0, Event::Operate { action });
        }
        for (operation, timed) in (0..).zip(&self.plan.operations) {
            self.queue.push(timed.at.0, Event::Listed { operation });
        }
        self.queue.push(self.plan.heal_at.0, Event::Phase { stamp: 0 });
        if self.plan.clocks.iter().any(|rate| *rate != self.plan.clocks[0]) {
            self.checks.note(Situation::ClocksDiffered);
        }
        let is_mixed = |others: &crate::plan::OtherSettings| {
            !others.nodes.is_empty() && others.nodes.len() < self.hosts.len()
        };
        if self.plan.other_settings.as_ref().is_some_and(is_mixed) {
            self.checks.note(Situation::MixedSettings);
        }
    }

    /// Lets the next `events` events happen, unless the run ends before.
    pub fn advance(&mut self, events: u64) -> RunState {
        for _ in 0..events {
            if self.advance_once() == RunState::Ended {
                return RunState::Ended;
            }
        }
        self.state()
    }

    fn state(&self) -> RunState {
        if self.stage == Stage::Over { RunState::Ended } else { RunState::Running }
    }

    fn advance_once(&mut self) -> RunState {
        if self.stage == Stage::Over {
            return RunState::Ended;
        }
        let Some((at, event)) = self.queue.pop() else {
            return self.end(Ok(()));
        };
        debug_assert!(at >= self.now, "time does not go back");
        self.now = at;
        self.statistics.events += 1;
        let mut result = self.happen(event);
        if self.stage == Stage::Over {
            return RunState::Ended;
        }
        if result.is_ok() && self.statistics.events >= self.plan.limits.events {
            result = Err(self.over_budget());
        }
        if result.is_err() { self.end(result) } else { RunState::Running }
    }

    /// What became of the run so far.
    pub fn verdict(self) -> Verdict {
        Verdict {
            seed: self.plan.seed,
            digest: self.digest.value(),
            violation: self.violation,
            statistics: self.statistics,
            coverage: self.checks.coverage,
        }
    }

    /// What is counted so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Arrive { flight } => self.arrive(flight),
            Event::Wake { node, stamp } => self.wake(node.into(), stamp),
            Event::Durable { node, stamp } => self.durable(node.into(), stamp),
            Event::Receipt { node, stamp } => self.receipt(node.into(), stamp),
            Event::Apply { node, stamp } => self.apply(node.into(), stamp),
            Event::Report { node, stamp } => self.report(node.into(), stamp),
            Event::Chore { node, stamp } => self.chore(node.into(), stamp),
            Event::Ask { node, client, attempt } => self.ask(node.into(), client, attempt),
            Event::Operate { action } => self.operate(action),
            Event::Wish { node, wish } => self.wish(node.into(), wish),
            Event::Act { client } => self.act(client),
            Event::Listed { operation } => self.ask_listed(operation),
            Event::End => {
                self.end(Ok(()));
                Ok(())
            }
            Event::Patience { client } => {
                self.lose_patience(client);
                Ok(())
            }
            Event::FaultBegins { fault } => self.fault_begins(fault),
            Event::FaultTurns { fault } => {
                self.fault_turns(fault);
                Ok(())
            }
            Event::Restart { node, stamp } => self.restart(node.into(), stamp),
            Event::Resume { node, stamp } => {
                self.resume(node.into(), stamp);
                Ok(())
            }
            Event::Phase { stamp } => self.next_phase(stamp),
        }
    }

    #[cold]
    fn over_budget(&self) -> Violation {
        let witness = format!(
            "{} events have happened by {} and the run has not ended: somebody keeps doing things without end",
            self.statistics.events, self.now
        );
        Violation::new(Property::EventBudget, Instant(self.now), &[], witness)
    }

    /// Ends the run: what only the whole of it can show is checked now.
    fn end(&mut self, result: Checked) -> RunState {
        let result = result
            .and_then(|()| self.check_snapshots())
            .and_then(|()| self.checks.finish(Instant(self.now)));
        if let Err(mut violation) = result {
            violation.roles = self.roles_of(&violation.nodes);
            self.tell(TraceEvent::Violated { violation: &violation });
            self.digest.add(violation.property as u64);
            self.digest.add(violation.at.0);
            self.violation = Some(violation);
        }
        self.statistics.until(Instant(self.now));
        self.statistics.commits =
            self.hosts.iter().map(|host| host.view.commit.0).max().unwrap_or(0);
        self.statistics.terms = self.hosts.iter().map(|host| host.view.term.0).max().unwrap_or(0);
        for host in &self.hosts {
            for number in
                [host.view.term.0, host.view.last.index.0, host.view.commit.0, host.applied.0]
            {
                self.digest.add(number);
            }
            self.digest.add(host.machine.digest());
        }
        self.stage = Stage::Over;
        RunState::Ended
    }

    fn roles_of(&self, nodes: &[NodeId]) -> Vec<Role> {
        let places = nodes.iter().filter_map(|id| self.place(*id));
        places.map(|place| self.hosts[place].view.role).collect()
    }

    fn check_snapshots(&mut self) -> Checked {
        let at = Instant(self.now);
        self.hosts.iter().try_for_each(|host| self.checks.restored(at, host.id, &host.machine))
    }

    fn tell(&mut self, event: TraceEvent<'_>) {
        if T::ENABLED {
            self.trace.record(Instant(self.now), event);
        }
    }

    /// The place of a node in the world's lists.
    fn place(&self, id: NodeId) -> Option<usize> {
        let place = usize::try_from(id.0.checked_sub(1)?).ok()?;
        (place < self.hosts.len()).then_some(place)
    }
}

/// The place of a node as events carry it.
fn short(node: usize) -> u8 {
    u8::try_from(node).expect("a plan has at most seven nodes")
}
