//! Turns what a run tells into rows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use raft_core::{Instant, NodeId};

use super::sentences::{Sentences, concerned};
use super::words::seconds;
use super::{NodeState, Row, Standing, Timeline};
use crate::machine::Machine;
use crate::plan::Plan;
use crate::raft::View;
use crate::world::{Trace, TraceEvent};

/// Records a run. Clones record into the same timeline, so that it can be looked at from outside a run
/// that does not return.
pub struct Recorder<M> {
    timeline: Arc<Mutex<Timeline>>,
    states: BTreeMap<NodeId, NodeState>,
    sentences: Sentences<M>,
}

impl<M> Recorder<M> {
    /// A recorder for a run of a plan, and the timeline that it fills.
    pub fn new(plan: &Plan) -> (Self, Arc<Mutex<Timeline>>) {
        let timeline = Timeline { nodes: plan.node_ids().collect(), rows: Vec::new() };
        let timeline = Arc::new(Mutex::new(timeline));
        let recorder = Self {
            timeline: Arc::clone(&timeline),
            states: BTreeMap::new(),
            sentences: Sentences::new(plan),
        };
        (recorder, timeline)
    }

    fn push(&self, row: Row) {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner).rows.push(row);
    }

    fn seen(&mut self, at: Instant, node: NodeId, view: &View, text: String) {
        let NodeState { role, term, commit, last, .. } = NodeState::of(view);
        let state = self.states.entry(node).or_default();
        *state = NodeState { standing: state.standing, role, term, commit, last };
        let state = Some(*state);
        self.push(Row { at, nodes: vec![node], text, state });
    }

    fn stands(&mut self, at: Instant, node: NodeId, standing: Standing, text: String) {
        let state = self.states.entry(node).or_default();
        state.standing = standing;
        let state = Some(*state);
        self.push(Row { at, nodes: vec![node], text, state });
    }
}

impl NodeState {
    pub(crate) fn of(view: &View) -> Self {
        Self {
            standing: Standing::Up,
            role: view.role,
            term: view.term,
            commit: view.commit,
            last: view.last.index,
        }
    }
}

impl<M: Machine> Trace for Recorder<M> {
    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        if let TraceEvent::Violated { violation } = event {
            self.timeline.lock().unwrap_or_else(PoisonError::into_inner).mark(violation);
        }
        let Some(text) = self.sentences.of(event).filter(|_| has_row(event)) else { return };
        let text = text + &times(event);
        match event {
            TraceEvent::Started { node, view, .. } => {
                self.states.insert(node, NodeState::default());
                self.seen(at, node, &view, text);
            }
            TraceEvent::Changed { node, after, .. } => self.seen(at, node, &after, text),
            TraceEvent::Crashed { node, .. } => self.stands(at, node, Standing::Down, text),
            TraceEvent::Paused { node, .. } => self.stands(at, node, Standing::Paused, text),
            TraceEvent::Resumed { node } => self.stands(at, node, Standing::Up, text),
            other => self.push(Row { at, nodes: concerned(other), text, state: None }),
        }
    }
}

/// Whether an event has a row: not if another row says it better, or only a program wants to know it.
fn has_row(event: TraceEvent<'_>) -> bool {
    match event {
        // That it is lost has a row of its own.
        TraceEvent::Sent { arrives, .. } => arrives != Instant::NEVER,
        // A change of state shows the rest of it.
        TraceEvent::Log { .. }
        | TraceEvent::Members { .. }
        | TraceEvent::Peers { .. }
        | TraceEvent::Due { .. } => false,
        _ => true,
    }
}

/// The other times of an event than its own.
fn times(event: TraceEvent<'_>) -> String {
    match event {
        TraceEvent::Sent { arrives, .. } | TraceEvent::Duplicated { arrives, .. } => {
            format!(", arrives {}", moment(arrives))
        }
        TraceEvent::Delivered { sent, .. } => format!(", sent {}", moment(sent)),
        TraceEvent::Crashed { restart, .. } => format!("; starts again at {}", moment(restart)),
        TraceEvent::Paused { until, .. } => format!(" until {}", moment(until)),
        _ => String::new(),
    }
}

fn moment(at: Instant) -> String {
    if at == Instant::NEVER { "never".to_owned() } else { seconds(at) }
}
