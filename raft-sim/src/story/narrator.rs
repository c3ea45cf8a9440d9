//! Makes a story of what a run tells.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raft_core::{Instant, NodeId, Outcome, Payload, PeerFlow, PeerStatus};

use super::causes::{Causes, Given, Number};
use super::{Entry, Event, Peer, State, Story, What};
use crate::machine::Machine;
use crate::plan::Plan;
use crate::raft::View;
use crate::timeline::{Sentences, composed, lost, quiet_changes};
use crate::violation::Violation;
use crate::world::{LogEntry, Started, Trace, TraceEvent};

/// Tells a run as a story.
pub struct Narrator<M> {
    story: Arc<Mutex<Story>>,
    sentences: Sentences<M>,
    causes: Causes,
    machine: PhantomData<fn() -> M>,
}

impl<M> Narrator<M> {
    /// A narrator for a run of a plan, and the story that it fills: it can be looked at from outside a run that does
    /// not return.
    pub fn new(plan: &Plan) -> (Self, Arc<Mutex<Story>>) {
        let story = Story { nodes: plan.node_ids().collect(), events: Vec::new() };
        let story = Arc::new(Mutex::new(story));
        let narrator = Self {
            story: Arc::clone(&story),
            sentences: Sentences::new(plan),
            causes: Causes::default(),
            machine: PhantomData,
        };
        (narrator, story)
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: Event) -> Number {
        let mut story = self.story();
        let number = Number::try_from(story.events.len()).expect("a run ends long before that");
        story.events.push(event);
        number
    }

    /// What a node was given in its present step. A timer that is due is told now that something follows from it.
    fn given(&mut self, id: NodeId) -> Option<Number> {
        match self.causes.node(id).given? {
            Given::Told(number) => Some(number),
            Given::Time(at) => {
                let text = format!("{id}'s timer is due");
                let due = Event { at, node: Some(id), because: None, text, what: What::Due };
                let number = self.push(due);
                self.causes.node(id).given = Some(Given::Told(number));
                Some(number)
            }
        }
    }

    /// What led to an event.
    fn because(&mut self, at: Instant, event: TraceEvent<'_>) -> Option<Number> {
        match event {
            TraceEvent::Sent { facts, .. } => self.given(facts.from),
            TraceEvent::Duplicated { message, .. } | TraceEvent::Malformed { message, .. } => {
                self.causes.sending(message)
            }
            TraceEvent::Lost { message, .. } | TraceEvent::Delivered { message, .. } => {
                self.causes.arrival(message, at)
            }
            TraceEvent::Durable { node, .. } => self.causes.node(node).submitted,
            TraceEvent::Receipt { node } => self.causes.node(node).durable,
            TraceEvent::Applied { node, .. } | TraceEvent::Restored { node, .. } => {
                self.causes.node(node).handed
            }
            TraceEvent::Reported { node, .. } => self.causes.node(node).applied,
            TraceEvent::TaskDone { node, stamp, .. } => self.causes.node(node).tasks.remove(&stamp),
            TraceEvent::SnapshotTaken { node, meta } => {
                self.causes.node(node).reports.get(&meta.position.index).copied()
            }
            TraceEvent::Started { node, .. } | TraceEvent::StartRefused { node, .. } => {
                self.causes.node(node).crashed
            }
            TraceEvent::Crashed { node, point, .. } => self.causes.crash(at, node, point),
            TraceEvent::Paused { .. } => self.causes.fault_now(at),
            TraceEvent::Resumed { node } => self.causes.node(node).paused,
            TraceEvent::FaultEnded { fault } => self.causes.beginning(fault),
            TraceEvent::LinkCut { from, to } => self.causes.cutter(at, from, to),
            TraceEvent::LinkMended { from, to } => self.causes.cut(from, to),
            TraceEvent::GaveUp { op, .. } => self.causes.invocation(op.0),
            TraceEvent::Violated { violation } => self.blamed(violation),
            TraceEvent::Due { .. }
            | TraceEvent::Asked { .. }
            | TraceEvent::Invoked { .. }
            | TraceEvent::Ordered { .. }
            | TraceEvent::Urged { .. }
            | TraceEvent::FaultBegan { .. }
            | TraceEvent::Phase { .. } => None,
            TraceEvent::Changed { node, .. }
            | TraceEvent::Log { node, .. }
            | TraceEvent::Members { node, .. }
            | TraceEvent::Peers { node, .. }
            | TraceEvent::Protocol { node, .. }
            | TraceEvent::Submitted { node, .. }
            | TraceEvent::Handed { node }
            | TraceEvent::Answered { node, .. }
            | TraceEvent::Elected { node, .. }
            | TraceEvent::OrderAnswered { node, .. }
            | TraceEvent::Tasked { node, .. } => self.given(node),
        }
    }

    /// What the node was given that acted first in a violation; the last event if nobody is named.
    fn blamed(&mut self, violation: &Violation) -> Option<Number> {
        let given = violation.nodes.first().and_then(|id| self.given(*id));
        let last = self.story().events.len().checked_sub(1);
        given.or_else(|| last.and_then(|last| Number::try_from(last).ok()))
    }

    /// Remembers what may lead to something later.
    fn remember(&mut self, at: Instant, event: TraceEvent<'_>, number: Number) {
        let causes = &mut self.causes;
        match event {
            TraceEvent::Sent { message, arrives, .. } => causes.sent(message, arrives, number),
            TraceEvent::Duplicated { message, arrives, .. } => {
                causes.duplicated(message, arrives, number);
            }
            TraceEvent::Invoked { op, .. } => causes.invoked(op.0, number),
            TraceEvent::FaultBegan { fault, what, nodes } => {
                causes.fault_began(at, fault, what, nodes, number);
            }
            TraceEvent::LinkCut { from, to } => causes.link_cut(at, from, to, number),
            TraceEvent::Submitted { node, .. } => causes.node(node).submitted = Some(number),
            TraceEvent::Durable { node, .. } => causes.node(node).durable = Some(number),
            TraceEvent::Applied { node, .. } | TraceEvent::Restored { node, .. } => {
                causes.node(node).applied = Some(number);
            }
            TraceEvent::Tasked { node, stamp, .. } => {
                causes.node(node).tasks.insert(stamp, number);
            }
            TraceEvent::Crashed { node, .. } => causes.node(node).crashed = Some(number),
            TraceEvent::Paused { node, .. } => causes.node(node).paused = Some(number),
            TraceEvent::Delivered { facts, .. } => causes.node(facts.to).is_given(number),
            TraceEvent::Reported { node, applied } => {
                let node = causes.node(node);
                node.reports.insert(applied, number);
                node.is_given(number);
            }
            TraceEvent::SnapshotTaken { node, meta } => {
                let node = causes.node(node);
                node.disk.store(meta.position.index);
                node.is_given(number);
            }
            TraceEvent::Malformed { to: node, .. }
            | TraceEvent::Receipt { node }
            | TraceEvent::Started { node, .. }
            | TraceEvent::TaskDone { node, .. }
            | TraceEvent::Ordered { node, .. }
            | TraceEvent::Urged { node, .. } => causes.node(node).is_given(number),
            _ => {}
        }
    }
}

impl<M: Machine> Narrator<M> {
    /// What an event is for programs, and the node at which it is.
    fn what(&mut self, event: TraceEvent<'_>) -> Option<(Option<NodeId>, What)> {
        let (node, what) = match event {
            TraceEvent::Started { node, start, view } => {
                let empty = start == Started::Founding;
                (node, What::Started { state: State::of(&view), empty })
            }
            TraceEvent::StartRefused { node, .. } => (node, What::StartRefused),
            TraceEvent::Changed { node, after, .. } => {
                (node, What::Changed { state: State::of(&after) })
            }
            TraceEvent::Log { node, base, first, entries } => {
                let entries = entries.iter().map(|entry| self.entry(entry)).collect();
                (node, What::Log { base, first, entries })
            }
            TraceEvent::Members { node, members } => {
                let voters = members.voters().to_vec();
                let outgoing = members.outgoing().to_vec();
                (node, What::Members { voters, outgoing, learners: members.learners().to_vec() })
            }
            TraceEvent::Peers { node, peers } => {
                (node, What::Peers { peers: peers.iter().map(Peer::of).collect() })
            }
            TraceEvent::Protocol { node, .. } => (node, What::Said),
            TraceEvent::Applied { node, position, .. } => (node, What::Applied { position }),
            TraceEvent::Reported { node, applied } => (node, What::Reported { applied }),
            TraceEvent::Elected { node, term } => (node, What::Elected { term }),
            TraceEvent::Paused { node, .. } => (node, What::Paused),
            TraceEvent::Resumed { node } => (node, What::Resumed),
            TraceEvent::Invoked { op, client, node, .. } => {
                (node, What::Invoked { op: op.0, client })
            }
            TraceEvent::Answered { op, node, outcome, .. } => {
                let done = matches!(outcome, Outcome::Done { .. } | Outcome::Readable { .. });
                (node, What::Answered { op: op.0, done })
            }
            TraceEvent::GaveUp { op, node } => (node, What::GaveUp { op: op.0 }),
            TraceEvent::Ordered { node, .. }
            | TraceEvent::Urged { node, .. }
            | TraceEvent::OrderAnswered { node, .. } => (node, What::Operator),
            TraceEvent::Tasked { node, .. }
            | TraceEvent::TaskDone { node, .. }
            | TraceEvent::SnapshotTaken { node, .. }
            | TraceEvent::Restored { node, .. } => (node, What::Driver),
            other => return network(other).or_else(|| self.disk(other)).or_else(|| faults(other)),
        };
        Some((Some(node), what))
    }

    /// What becomes of a node's disk, which is followed.
    fn disk(&mut self, event: TraceEvent<'_>) -> Option<(Option<NodeId>, What)> {
        let (node, what) = match event {
            TraceEvent::Submitted { node, .. } => (node, What::Submitted),
            TraceEvent::Durable { node, write } => {
                let disk = &mut self.causes.node(node).disk;
                disk.take(write);
                (node, What::Durable { last: disk.last, term: disk.term, vote: disk.vote })
            }
            TraceEvent::Receipt { node } => (node, What::Receipt),
            TraceEvent::Crashed { node, survived, .. } => {
                let known = self.causes.node(node);
                known.disk.take(survived);
                known.crash();
                (node, What::Crashed { last: known.disk.last })
            }
            _ => return None,
        };
        Some((Some(node), what))
    }

    fn entry(&self, of: &LogEntry<'_>) -> Entry {
        let text = match of.entry.map(|entry| &entry.payload) {
            None => String::new(),
            Some(Payload::Blank) => "blank".to_owned(),
            Some(Payload::Command { data, .. }) => self.sentences.command(data, None),
            Some(Payload::Membership(members)) => composed(members),
        };
        Entry { term: of.term, text }
    }
}

impl<M: Machine> Trace for Narrator<M> {
    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        // What only tells what a step was given, or that it gave something to the machine.
        match event {
            TraceEvent::Due { node } => {
                self.causes.node(node).given = Some(Given::Time(at));
                return;
            }
            TraceEvent::Asked { op, node } => {
                self.causes.node(node).given = self.causes.invocation(op.0).map(Given::Told);
                return;
            }
            TraceEvent::Handed { node } => {
                self.causes.node(node).handed = self.given(node);
                return;
            }
            _ => {}
        }
        let text = match event {
            TraceEvent::Changed { node, before, after } => self
                .sentences
                .of(event)
                .or_else(|| Some(format!("{node} {}", quiet_changes(&before, &after)))),
            TraceEvent::Violated { violation } => Some(told(violation)),
            _ => self.sentences.of(event),
        };
        let Some(text) = text else { return };
        let because = self.because(at, event);
        let Some((node, what)) = self.what(event) else { return };
        let number = self.push(Event { at, node, because, text, what });
        self.remember(at, event, number);
    }
}

/// What becomes of messages: those are between nodes, but for what a node does.
fn network(event: TraceEvent<'_>) -> Option<(Option<NodeId>, What)> {
    Some(match event {
        TraceEvent::Sent { message, facts, nth, arrives, .. } => {
            let arrives = Some(arrives).filter(|at| *at != Instant::NEVER);
            let (to, name, term) = (facts.to, facts.name, facts.term);
            (Some(facts.from), What::Sent { message, to, name, term, nth, arrives })
        }
        TraceEvent::Duplicated { message, arrives, .. } => {
            (None, What::Duplicated { message, arrives })
        }
        TraceEvent::Lost { message, loss, .. } => (None, What::Lost { message, why: lost(loss) }),
        TraceEvent::Delivered { message, facts, .. } => {
            (Some(facts.to), What::Delivered { message })
        }
        TraceEvent::Malformed { message, to, .. } => (Some(to), What::Malformed { message }),
        TraceEvent::LinkCut { from, to } => (None, What::LinkCut { from, to }),
        TraceEvent::LinkMended { from, to } => (None, What::LinkMended { from, to }),
        _ => return None,
    })
}

fn faults(event: TraceEvent<'_>) -> Option<(Option<NodeId>, What)> {
    Some(match event {
        TraceEvent::FaultBegan { fault, nodes, .. } => {
            (None, What::FaultBegan { fault, nodes: nodes.to_vec() })
        }
        TraceEvent::FaultEnded { fault } => (None, What::FaultEnded { fault }),
        TraceEvent::Phase { .. } => (None, What::Phase),
        TraceEvent::Violated { violation } => {
            (None, What::Violated { violation: violation.clone() })
        }
        _ => return None,
    })
}

/// What is violated, in a sentence.
pub(super) fn told(violation: &Violation) -> String {
    format!("VIOLATION {}: {}", violation.property.name(), violation.witness)
}

impl State {
    fn of(view: &View) -> Self {
        Self {
            role: view.role,
            term: view.term,
            vote: view.vote,
            leader: view.leader,
            durable: view.durable,
            commit: view.commit,
            applied: view.applied,
            last: view.last,
        }
    }
}

impl Peer {
    fn of(status: &PeerStatus) -> Self {
        let flow = match status.flow {
            PeerFlow::Probe => "probe",
            PeerFlow::Stream => "stream",
            PeerFlow::Snapshot { .. } => "snapshot",
        };
        Self { id: status.id, matched: status.matched, next: status.next, flow }
    }
}
