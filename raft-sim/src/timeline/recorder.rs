//! Turns what a run tells into rows.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use raft_core::{Event, Instant, NodeId, Outcome, Request, StepDown, Write};

use super::words::seconds;
use super::{NodeState, Row, Standing, Timeline};
use crate::machine::Machine;
use crate::plan::Plan;
use crate::raft::{Answer, Claim, Facts, Task, View};
use crate::served::describe;
use crate::world::{Loss, Started, Trace, TraceEvent};

/// Records a run. Clones record into the same timeline, so that it can be looked at from outside a run
/// that does not return.
pub struct Recorder<M> {
    timeline: Arc<Mutex<Timeline>>,
    states: BTreeMap<NodeId, NodeState>,
    /// What clients still wait for, by operation.
    asked: BTreeMap<u64, Bytes>,
    /// Whether clients have sessions.
    has_sessions: bool,
    machine: PhantomData<fn() -> M>,
}

impl<M> Recorder<M> {
    /// A recorder for a run of a plan, and the timeline that it fills.
    pub fn new(plan: &Plan) -> (Self, Arc<Mutex<Timeline>>) {
        let timeline = Timeline { nodes: plan.node_ids().collect(), rows: Vec::new() };
        let timeline = Arc::new(Mutex::new(timeline));
        let recorder = Self {
            timeline: Arc::clone(&timeline),
            states: BTreeMap::new(),
            asked: BTreeMap::new(),
            has_sessions: plan.workload.sessions > 0,
            machine: PhantomData,
        };
        (recorder, timeline)
    }

    fn push(&self, row: Row) {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner).rows.push(row);
    }

    fn row(&self, at: Instant, nodes: &[NodeId], text: String) {
        self.push(Row { at, nodes: nodes.to_vec(), text, state: None });
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

impl<M: Machine> Recorder<M> {
    fn words(&self, command: &Bytes, output: Option<&Bytes>) -> String {
        words::<M>(self.has_sessions, command, output)
    }
}

impl<M: Machine> Trace for Recorder<M> {
    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        match event {
            TraceEvent::Started { node, start, view } => {
                self.states.insert(node, NodeState::default());
                self.seen(at, node, &view, started(node, start, &view));
            }
            TraceEvent::Changed { node, before, after } => {
                // What else changed (what it holds durable and applied) has rows of its own.
                if let Some(changes) = changes(&before, &after) {
                    self.seen(at, node, &after, format!("{node} {changes}"));
                }
            }
            TraceEvent::Crashed { node, point, survived, restart } => {
                let text = format!(
                    "{node} CRASHES at point {}; of its outstanding write survived: {}; starts again at {}",
                    point.name(),
                    written(survived),
                    moment(restart)
                );
                self.stands(at, node, Standing::Down, text);
            }
            TraceEvent::Paused { node, until } => {
                let text = format!("{node} is paused until {}", moment(until));
                self.stands(at, node, Standing::Paused, text);
            }
            TraceEvent::Resumed { node } => {
                self.stands(at, node, Standing::Up, format!("{node} goes on"));
            }
            TraceEvent::Violated { violation } => {
                self.timeline.lock().unwrap_or_else(PoisonError::into_inner).mark(violation);
            }
            TraceEvent::Invoked { op, client, node, command, .. } => {
                self.asked.insert(op.0, command.clone());
                let asked = self.words(command, None);
                self.row(at, &[node], format!("client {client} asks {node}: {asked} ({op})"));
            }
            TraceEvent::Answered { op, node, outcome, output } => {
                let asked = self.asked.remove(&op.0);
                let what =
                    asked.map_or_else(String::new, |it| format!("{}, ", self.words(&it, output)));
                self.row(at, &[node], format!("{node} answers {op}: {what}{}", answer(outcome)));
            }
            other => {
                if let Some((nodes, text)) = described::<M>(self.has_sessions, other) {
                    self.row(at, &nodes, text);
                }
            }
        }
    }
}

/// Whom an event that changes nobody's state concerns, and what it is. Nothing for events that another
/// row says better.
fn described<M: Machine>(
    has_sessions: bool,
    event: TraceEvent<'_>,
) -> Option<(Vec<NodeId>, String)> {
    let row = match event {
        TraceEvent::Protocol { node, event } => {
            (vec![node], format!("{node} {}", protocol(event)?))
        }
        TraceEvent::Sent { .. }
        | TraceEvent::Duplicated { .. }
        | TraceEvent::Lost { .. }
        | TraceEvent::Delivered { .. } => network(event)?,
        TraceEvent::Submitted { node, write } => {
            (vec![node], format!("{node} writes {}", written(write)))
        }
        TraceEvent::Durable { node, write } => {
            (vec![node], format!("{node} has on disk: {}", written(write)))
        }
        TraceEvent::Receipt { node } => {
            (vec![node], format!("{node} learns that its write is durable"))
        }
        TraceEvent::Applied { node, position, command, output } => {
            let what = command.map_or_else(
                || "an entry of the protocol's".to_owned(),
                |it| words::<M>(has_sessions, it, output),
            );
            (vec![node], format!("{node} applies {position}: {what}"))
        }
        TraceEvent::Reported { node, applied } => {
            (vec![node], format!("{node} learns that its machine is at {applied}"))
        }
        TraceEvent::StartRefused { node, reason } => {
            (vec![node], format!("{node} lost its disk and may not come back: {reason}"))
        }
        TraceEvent::GaveUp { op, node } => {
            (vec![node], format!("the client of {op} no longer waits for {node}"))
        }
        other => driver(other).or_else(|| faults(other))?,
    };
    Some(row)
}

fn network(event: TraceEvent<'_>) -> Option<(Vec<NodeId>, String)> {
    let (facts, text) = match event {
        // That it is lost has a row of its own.
        TraceEvent::Sent { arrives: Instant::NEVER, .. } => return None,
        TraceEvent::Sent { facts, arrives, .. } => {
            let Facts { from, to, .. } = facts;
            (facts, format!("{from} -> {to} {}, arrives {}", message(&facts), moment(arrives)))
        }
        TraceEvent::Duplicated { facts, arrives, .. } => {
            let Facts { from, to, .. } = facts;
            (
                facts,
                format!("{from} -> {to} again: {}, arrives {}", message(&facts), moment(arrives)),
            )
        }
        TraceEvent::Lost { facts, loss, .. } => {
            let Facts { from, to, .. } = facts;
            let why = match loss {
                Loss::Fate => "lost",
                Loss::Cut => "lost: the link is cut",
                Loss::Down => "lost: the receiver is down",
                Loss::NeverLeft => "lost: the sender crashed before it left",
            };
            (facts, format!("{from} -x {to} {} {why}", message(&facts)))
        }
        TraceEvent::Delivered { facts, sent, .. } => {
            let Facts { from, to, .. } = facts;
            (facts, format!("{to} <- {from} {}, sent {}", message(&facts), moment(sent)))
        }
        _ => return None,
    };
    Some((vec![facts.from, facts.to], text))
}

/// What operators ask for, and what drivers do beside.
fn driver(event: TraceEvent<'_>) -> Option<(Vec<NodeId>, String)> {
    let (node, text) = match event {
        TraceEvent::Ordered { node, request } => {
            (node, format!("the operator asks {node}: {}", wish(request)))
        }
        TraceEvent::Urged { node, suppressed: None } => {
            (node, format!("the operator tells {node} to stand for election"))
        }
        TraceEvent::Urged { node, suppressed: Some(span) } => (
            node,
            format!("the operator tells {node} not to stand for {} s", seconds(Instant(span.0))),
        ),
        TraceEvent::OrderAnswered { node, outcome } => {
            (node, format!("{node} answers the operator: {}", answer(outcome)))
        }
        TraceEvent::Tasked { node, task } => {
            (node, format!("{node} asks its driver to {}", errand(task)))
        }
        TraceEvent::TaskDone { node, answer } => {
            (node, format!("{node}'s driver {}", done(answer)))
        }
        TraceEvent::SnapshotTaken { node, meta } => {
            (node, format!("{node} has a snapshot at {}", meta.position))
        }
        TraceEvent::Restored { node, meta } => {
            (node, format!("{node}'s machine is restored to {}", meta.position))
        }
        _ => return None,
    };
    Some((vec![node], text))
}

fn wish(request: &Request) -> String {
    let names =
        |nodes: &[NodeId]| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match request {
        Request::ChangeMembership { to, .. } if to.learners().is_empty() => {
            format!("voters {}", names(to.voters()))
        }
        Request::ChangeMembership { to, .. } => {
            format!("voters {}, learners {}", names(to.voters()), names(to.learners()))
        }
        Request::Transfer { to, .. } => format!("hand over to {to}"),
        Request::Propose { .. } | Request::Read { .. } => format!("{request:?}"),
    }
}

/// What a driver is asked to do.
pub(crate) fn errand(task: Task<'_>) -> String {
    match task {
        Task::Fetch { first, last, .. } => format!("read back {first} to {last}"),
        Task::ReadChunk { position, offset, .. } => {
            format!("read the snapshot at {position} from byte {offset}")
        }
        Task::WriteChunk { partial, offset, data } => format!(
            "stage {} bytes at {offset} of the snapshot at {}",
            data.len(),
            partial.snapshot.position
        ),
        Task::FetchSnapshot { source, snapshot, .. } => {
            format!("fetch the snapshot at {} that {source} names", snapshot.position)
        }
    }
}

fn done(answer: &Answer) -> String {
    match answer {
        Answer::Entries(entries) => format!("read back {} entries", entries.len()),
        Answer::Chunk { total, data } => format!("read {} of {total} bytes", data.len()),
        Answer::Located(_) => "named a place for the snapshot".to_owned(),
        Answer::Staged => "staged it".to_owned(),
        Answer::Found(meta) => format!("found the snapshot at {}", meta.position),
        Answer::Failed => "FAILED".to_owned(),
    }
}

fn faults(event: TraceEvent<'_>) -> Option<(Vec<NodeId>, String)> {
    match event {
        TraceEvent::FaultBegan { fault, what, nodes } => {
            let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
            let on =
                if names.is_empty() { String::new() } else { format!(" on {}", names.join(", ")) };
            let number = fault.map_or_else(|| "static".to_owned(), |number| format!("#{number}"));
            Some((Vec::new(), format!("FAULT {number} begins{on}: {what:?}")))
        }
        TraceEvent::FaultEnded { fault } => {
            let number = fault.map_or_else(|| "static".to_owned(), |number| format!("#{number}"));
            Some((Vec::new(), format!("FAULT {number} ends")))
        }
        TraceEvent::LinkCut { from, to } => Some((vec![from, to], format!("CUT {from} -x {to}"))),
        TraceEvent::LinkMended { from, to } => {
            Some((vec![from, to], format!("MENDED {from} -> {to}")))
        }
        TraceEvent::Phase { phase } => Some((Vec::new(), format!("PHASE {}", phase.name()))),
        TraceEvent::Elected { node, term } => {
            Some((vec![node], format!("{node} IS ELECTED in {term}")))
        }
        _ => None,
    }
}

fn started(node: NodeId, start: Started, view: &View) -> String {
    match start {
        Started::Founding => format!("{node} starts with an empty disk"),
        Started::Forced => {
            format!("{node} is FORCED to go on from its disk: {}, last {}", view.term, view.last)
        }
        Started::FromDisk => {
            format!(
                "{node} starts from its disk: {}, last {}, commit {}",
                view.term, view.last, view.commit
            )
        }
    }
}

/// What differs between two states of a node, as far as its column shows it.
pub(crate) fn changes(before: &View, after: &View) -> Option<String> {
    let named =
        |node: Option<NodeId>| node.map_or_else(|| "nobody".to_owned(), |node| node.to_string());
    let mut changes = Vec::new();
    if before.term != after.term {
        changes.push(format!("term {} to {}", before.term, after.term));
    }
    if before.role != after.role {
        changes.push(format!("becomes {} (was {})", after.role, before.role));
    }
    if before.vote != after.vote && after.vote.is_some() {
        changes.push(format!("votes for {}", named(after.vote)));
    }
    if before.leader != after.leader {
        changes.push(format!("follows {}", named(after.leader)));
    }
    if before.base != after.base {
        changes.push(format!("log begins at {}", after.base));
    }
    if before.last != after.last {
        changes.push(format!("last entry {} to {}", before.last, after.last));
    }
    if before.commit != after.commit {
        changes.push(format!("commits {} to {}", before.commit, after.commit));
    }
    (!changes.is_empty()).then(|| changes.join(", "))
}

/// What the protocol reported, unless a change of state shows it.
pub(crate) fn protocol(event: Event) -> Option<String> {
    match event {
        Event::ElectionTimeout { term } => {
            Some(format!("has heard no leader for too long in {term}"))
        }
        Event::SteppedDown { term, reason } => {
            let why = match reason {
                StepDown::QuorumUnheard => "it has not heard from a quorum",
                StepDown::DiskStalled => "its disk does not answer",
                _ => "it must",
            };
            Some(format!("gives up leading {term}: {why}"))
        }
        Event::Truncated { from } => Some(format!("removes its log from {from} on")),
        Event::MembershipChanged { at } => {
            Some(format!("has another membership in force since {at}"))
        }
        _ => None,
    }
}

/// A message in few words: `AppendEntries T3 after i4@T1 +2 commit i3`.
pub(crate) fn message(facts: &Facts) -> String {
    let Facts { name, term, .. } = facts;
    let says = match facts.claim {
        Claim::Nothing | Claim::Answer => String::new(),
        Claim::AskPreVote { last } | Claim::AskVote { last } => format!(" last {last}"),
        Claim::GrantVote => " granted".to_owned(),
        Claim::Append { previous, entries, commit, .. } => {
            format!(" after {previous} +{entries} commit {commit}")
        }
        Claim::Heartbeat { commit } => format!(" commit {commit}"),
        Claim::Acknowledge { matched } => format!(" matched {matched}"),
        Claim::Forward { sequence } => format!(" number {sequence}"),
        Claim::Snapshot { position, bytes } => format!(" at {position}, {bytes} bytes"),
    };
    format!("{name} {term}{says}")
}

fn answer(outcome: Outcome) -> String {
    match outcome {
        Outcome::Done { position } => format!("done at {position}"),
        Outcome::Refused { refusal, leader } => {
            let hint = leader.map_or_else(String::new, |leader| format!(" (it names {leader})"));
            format!("refused, {refusal}{hint}")
        }
        Outcome::Lost { position } => {
            format!("lost: another entry was committed instead of {position}")
        }
        Outcome::Readable { index } => format!("readable at {index}"),
        Outcome::Transferred { leader } => format!("{leader} leads"),
        Outcome::Unknown => "its fate is unknown".to_owned(),
    }
}

/// What a write holds: `T3 voting n1, i5..=i7`.
fn written(write: &Write) -> String {
    let Write { hard_state, install, truncate_from, append, commit, compact } = write;
    let mut parts = Vec::new();
    if let Some(state) = hard_state {
        let vote = state.vote.map_or_else(String::new, |node| format!(" voting {node}"));
        parts.push(format!("{}{vote}", state.term));
    }
    if let Some(meta) = install {
        parts.push(format!("a snapshot at {}", meta.position));
    }
    if let Some(from) = truncate_from {
        parts.push(format!("truncation from {from}"));
    }
    if let Some(append) = append {
        let last = append.first.advanced(append.entries.len().saturating_sub(1));
        parts.push(format!("{}..={last}", append.first));
    }
    if let Some(commit) = commit {
        parts.push(format!("commit {commit}"));
    }
    if let Some(base) = compact {
        parts.push(format!("compaction to {base}"));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// A command for people. The machine's own words, unless they panic: a trace must not change a run.
fn words<M: Machine>(has_sessions: bool, command: &Bytes, output: Option<&Bytes>) -> String {
    let said = crate::campaign::catch(|| describe::<M>(has_sessions, command, output));
    said.unwrap_or_else(|_| format!("{command:?}"))
}

fn moment(at: Instant) -> String {
    if at == Instant::NEVER { "never".to_owned() } else { seconds(at) }
}
