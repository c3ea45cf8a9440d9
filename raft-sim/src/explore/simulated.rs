//! A way to a violation as a plan for the simulator: the same steps, at times of their own.
//!
//! Each step has its moment; messages and writes take just as long as the steps say, what never arrives is lost, and
//! timers are so long that nobody acts of its own accord. What depends on time cannot be expressed: heartbeats, and what a
//! node does after a crash in the time for which it may have promised its vote. Whether the run violates the same
//! property shows when it is run.

use raft_core::{Envelope, Instant, NodeId, Ticks, Toggle};

use super::scope::Scope;
use super::search::Found;
use super::told::{Event, Step};
use crate::draw::{Domain, Draw};
use crate::machine::Machine;
use crate::plan::{
    Action, Asks, CommandBytes, CrashPoint, Fate, Fault, MessageKind, Override, Plan, Span, Target,
    TimedAction, TimedFault, TimedOperation,
};
use crate::raft::Raft;

/// Between two steps.
const PACE: u64 = 1_000;
/// Before the first: by then founding writes are durable.
const BEGIN: u64 = 10_000;
/// Nobody waits for so long.
const LONG: u64 = 100_000_000;
/// Around the moment at which a write is handed to the disk.
const AROUND: u64 = 10;

/// The plan that takes the same steps.
///
/// # Errors
/// Which step cannot be expressed, and why.
///
/// # Panics
/// Never: a scope has few nodes.
pub fn plan<M: Machine>(scope: &Scope, found: &Found) -> Result<Plan, String> {
    let mut plan = Plan::benign(0, u32::try_from(scope.nodes).expect("few nodes"));
    plan.founders = u32::try_from(scope.founders).expect("few nodes");
    let settings = &mut plan.settings;
    (settings.election_timeout, settings.heartbeat_interval) = (Ticks(LONG), Ticks(LONG / 2));
    (settings.check_quorum, settings.stickiness) = (Toggle::Off, Toggle::Off);
    settings.pre_vote = if scope.pre_vote { Toggle::On } else { Toggle::Off };
    (settings.max_inflight_messages, settings.max_batch_entries) = (scope.window, scope.batch);
    settings.request_timeout = Ticks(4 * LONG);
    plan.workload.patience = Span::exactly(LONG);
    let mut writer = Writer { plan, steps: &found.steps, sent: Vec::new() };
    for (place, step) in found.steps.iter().enumerate() {
        writer.step::<M>(place, step)?;
    }
    writer.plan.faults.sort_by_key(|fault| fault.at);
    writer.plan.ends_at = Some(Instant(moment(found.steps.len())));
    writer.plan.heal_at = writer.plan.usual_healing(Instant(0));
    Ok(writer.plan)
}

/// When a step is taken.
fn moment(place: usize) -> u64 {
    BEGIN + PACE * place as u64
}

struct Writer<'a> {
    plan: Plan,
    steps: &'a [Step],
    /// Messages that were sent, with what their kinds, links and terms are counted by.
    sent: Vec<(NodeId, NodeId, u8, u64)>,
}

impl Writer<'_> {
    fn step<M: Machine>(&mut self, place: usize, step: &Step) -> Result<(), String> {
        let at = Instant(moment(place));
        match &step.what {
            Event::Delivered(..) | Event::Lost(_) | Event::Persisted => {}
            Event::Crashed(kept) => self.fault(
                at.0,
                Fault::Crash {
                    target: Target::Node(step.node),
                    point: CrashPoint::Now,
                    down: Ticks(PACE / 4),
                    keeps: Some(*kept as u64),
                },
            ),
            Event::Campaigned => self.action(at, Action::Campaign { node: step.node }),
            Event::Asked => {
                let client = u32::try_from(self.plan.operations.len()).expect("few commands");
                let command = CommandBytes(M::command(&mut Draw::new(
                    0,
                    Domain::Machine,
                    &[u64::from(client)],
                )));
                let asks = Asks::Command;
                let node = step.node;
                self.plan.operations.push(TimedOperation { at, client, node, asks, command });
            }
            Event::Changed(to) => {
                let (voters, learners) = (to.voters().to_vec(), to.learners().to_vec());
                self.action(at, Action::Members { voters, learners });
            }
            Event::Beat => {
                return Err(format!("step {}: when a heartbeat is due depends on time", place + 1));
            }
            Event::Snapshot => {
                return Err(format!(
                    "step {}: when a snapshot is taken depends on how many entries were applied",
                    place + 1
                ));
            }
        }
        if step.begins_to_write {
            self.write(place, step.node);
        }
        for envelope in &step.sends {
            self.send(place, envelope);
        }
        Ok(())
    }

    fn fault(&mut self, at: u64, fault: Fault) {
        self.plan.faults.push(TimedFault { at: Instant(at), fault });
    }

    fn action(&mut self, at: Instant, action: Action) {
        self.plan.actions.push(TimedAction { at, action });
    }

    /// A write that begins here takes until its receipt comes, or until long after the end.
    fn write(&mut self, place: usize, node: NodeId) {
        let later = self.steps.iter().enumerate().skip(place + 1);
        let ends =
            later.into_iter().find(|(_, step)| step.node == node && step.what == Event::Persisted);
        // A node that crashed begins to write when it comes back.
        let begins = match self.steps[place].what {
            Event::Crashed(_) => moment(place) + PACE / 4,
            _ => moment(place),
        };
        let takes = ends.map_or(LONG, |(end, _)| moment(end) - begins);
        self.fault(
            begins - AROUND,
            Fault::SlowDisk {
                target: Target::Node(node),
                write: Span::exactly(takes),
                lasts: Ticks(2 * AROUND),
            },
        );
    }

    /// What becomes of a message that is sent here.
    fn send(&mut self, place: usize, envelope: &Envelope) {
        let facts = raft_core::Node::facts(envelope);
        let kind = MessageKind::ALL.into_iter().find(|kind| kind.number() == facts.kind);
        let kind = kind.expect("every kind has a number");
        let key = (facts.from, facts.to, facts.kind, facts.term.0);
        let nth = self.sent.iter().filter(|sent| **sent == key).count() as u64;
        self.sent.push(key);
        // Of equal messages the first that was sent arrives first.
        let equal_before = self.steps[..place].iter().flat_map(|step| &step.sends);
        let skip = equal_before.filter(|sent| *sent == envelope).count();
        let mut arrivals =
            self.steps.iter().enumerate().filter_map(|(at, step)| match &step.what {
                Event::Delivered(arrived, _) if **arrived == *envelope => Some(at),
                _ => None,
            });
        let delay = |at: usize| Ticks(moment(at) - moment(place));
        let fate = match (arrivals.nth(skip), arrivals.next().filter(|_| skip == 0)) {
            (None, _) => Fate::Lost,
            (Some(at), Some(again)) if self.is_twice(at) => {
                Fate::Twice { delay: delay(at), again: delay(again) }
            }
            (Some(at), _) => Fate::Once { delay: delay(at) },
        };
        let (from, to, term) = (facts.from, facts.to, facts.term);
        self.plan.overrides.push(Override { from, to, kind, term, nth, fate });
    }

    fn is_twice(&self, place: usize) -> bool {
        matches!(self.steps[place].what, Event::Delivered(_, true))
    }
}
