//! What happens in a run, in sentences for people. They name no times: whoever prints them knows those.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use bytes::Bytes;
use raft_core::{
    Event, Instant, LogIndex, Membership, NodeId, Outcome, PeerStatus, Request, StepDown, Write,
};

use super::words::seconds;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::raft::{Answer, Claim, Facts, Task, View};
use crate::scenario::fault_text;
use crate::served::describe;
use crate::world::{LogEntry, Loss, Started, TraceEvent};

/// Puts a run into sentences.
pub(crate) struct Sentences<M> {
    /// What clients still wait for, by operation.
    asked: BTreeMap<u64, Bytes>,
    /// Whether clients have sessions.
    has_sessions: bool,
    machine: PhantomData<fn() -> M>,
}

impl<M> Sentences<M> {
    /// For a run of a plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let has_sessions = plan.workload.sessions > 0;
        Self { asked: BTreeMap::new(), has_sessions, machine: PhantomData }
    }
}

impl<M: Machine> Sentences<M> {
    /// The sentence for an event; none for one that only shows in others.
    pub(crate) fn of(&mut self, event: TraceEvent<'_>) -> Option<String> {
        Some(match event {
            TraceEvent::Started { node, start, view } => started(node, start, &view),
            TraceEvent::Changed { node, before, after } => {
                format!("{node} {}", changes(&before, &after)?)
            }
            TraceEvent::Invoked { op, client, node, command, .. } => {
                self.asked.insert(op.0, command.clone());
                format!("client {client} asks {node}: {} ({op})", self.command(command, None))
            }
            TraceEvent::Answered { op, node, outcome, output } => {
                let asked = self.asked.remove(&op.0);
                let what =
                    asked.map_or_else(String::new, |it| format!("{}, ", self.command(&it, output)));
                format!("{node} answers {op}: {what}{}", answer(outcome))
            }
            TraceEvent::GaveUp { op, node } => {
                format!("the client of {op} no longer waits for {node}")
            }
            TraceEvent::Applied { node, position, command, output } => {
                let what = command.map_or_else(
                    || "an entry of the protocol's".to_owned(),
                    |it| self.command(it, output),
                );
                format!("{node} applies {position}: {what}")
            }
            other => network(other)
                .or_else(|| disk(other))
                .or_else(|| driver(other))
                .or_else(|| faults(other))
                .or_else(|| states(other))?,
        })
    }

    /// A command for people.
    pub(crate) fn command(&self, command: &Bytes, output: Option<&Bytes>) -> String {
        command_words::<M>(self.has_sessions, command, output)
    }
}

/// A command for people. The machine's own words, unless they panic: a trace must not change a run.
pub(crate) fn command_words<M: Machine>(
    has_sessions: bool,
    command: &Bytes,
    output: Option<&Bytes>,
) -> String {
    let said = crate::campaign::catch(|| describe::<M>(has_sessions, command, output));
    said.unwrap_or_else(|_| format!("{command:?}"))
}

/// Whom an event concerns; everybody if nobody is named.
pub(crate) fn concerned(event: TraceEvent<'_>) -> Vec<NodeId> {
    match event {
        TraceEvent::Started { node, .. }
        | TraceEvent::StartRefused { node, .. }
        | TraceEvent::Changed { node, .. }
        | TraceEvent::Log { node, .. }
        | TraceEvent::Members { node, .. }
        | TraceEvent::Peers { node, .. }
        | TraceEvent::Protocol { node, .. }
        | TraceEvent::Due { node }
        | TraceEvent::Submitted { node, .. }
        | TraceEvent::Durable { node, .. }
        | TraceEvent::Receipt { node }
        | TraceEvent::Handed { node }
        | TraceEvent::Applied { node, .. }
        | TraceEvent::Reported { node, .. }
        | TraceEvent::Crashed { node, .. }
        | TraceEvent::Paused { node, .. }
        | TraceEvent::Resumed { node }
        | TraceEvent::Invoked { node, .. }
        | TraceEvent::Asked { node, .. }
        | TraceEvent::Answered { node, .. }
        | TraceEvent::GaveUp { node, .. }
        | TraceEvent::Elected { node, .. }
        | TraceEvent::Ordered { node, .. }
        | TraceEvent::Urged { node, .. }
        | TraceEvent::OrderAnswered { node, .. }
        | TraceEvent::Tasked { node, .. }
        | TraceEvent::TaskDone { node, .. }
        | TraceEvent::SnapshotTaken { node, .. }
        | TraceEvent::Restored { node, .. } => vec![node],
        TraceEvent::Sent { facts, .. }
        | TraceEvent::Duplicated { facts, .. }
        | TraceEvent::Lost { facts, .. }
        | TraceEvent::Delivered { facts, .. }
        | TraceEvent::Malformed { facts, .. } => vec![facts.from, facts.to],
        TraceEvent::LinkCut { from, to } | TraceEvent::LinkMended { from, to } => vec![from, to],
        TraceEvent::FaultBegan { .. }
        | TraceEvent::FaultEnded { .. }
        | TraceEvent::Phase { .. }
        | TraceEvent::Violated { .. } => Vec::new(),
    }
}

fn network(event: TraceEvent<'_>) -> Option<String> {
    Some(match event {
        TraceEvent::Sent { facts, .. } => {
            format!("{} -> {} {}", facts.from, facts.to, message(&facts))
        }
        TraceEvent::Duplicated { facts, .. } => {
            format!("{} -> {} again: {}", facts.from, facts.to, message(&facts))
        }
        TraceEvent::Lost { facts, loss, .. } => {
            format!("{} -x {} {} {}", facts.from, facts.to, message(&facts), lost(loss))
        }
        TraceEvent::Delivered { facts, .. } => {
            format!("{} <- {} {}", facts.to, facts.from, message(&facts))
        }
        TraceEvent::Malformed { to, facts, .. } => {
            format!("{to} <- {} malformed: {}", facts.from, message(&facts))
        }
        TraceEvent::LinkCut { from, to } => format!("CUT {from} -x {to}"),
        TraceEvent::LinkMended { from, to } => format!("MENDED {from} -> {to}"),
        _ => return None,
    })
}

/// Why a message never arrives.
pub(crate) fn lost(loss: Loss) -> &'static str {
    match loss {
        Loss::Fate => "lost",
        Loss::Cut => "lost: the link is cut",
        Loss::Down => "lost: the receiver is down",
        Loss::NeverLeft => "lost: the sender crashed before it left",
    }
}

/// What becomes of a node and its disk.
fn disk(event: TraceEvent<'_>) -> Option<String> {
    Some(match event {
        TraceEvent::Submitted { node, write } => format!("{node} writes {}", written(write)),
        TraceEvent::Durable { node, write } => format!("{node} has on disk: {}", written(write)),
        TraceEvent::Receipt { node } => format!("{node} learns that its write is durable"),
        TraceEvent::Reported { node, applied } => {
            format!("{node} learns that its machine is at {applied}")
        }
        TraceEvent::StartRefused { node, reason } => {
            format!("{node} lost its disk and may not come back: {reason}")
        }
        TraceEvent::Crashed { node, point, survived, .. } => format!(
            "{node} CRASHES at point {}; of its outstanding write survived: {}",
            point.name(),
            written(survived)
        ),
        TraceEvent::Paused { node, .. } => format!("{node} is paused"),
        TraceEvent::Resumed { node } => format!("{node} goes on"),
        _ => return None,
    })
}

/// What shows in a node beside its visible state.
fn states(event: TraceEvent<'_>) -> Option<String> {
    Some(match event {
        TraceEvent::Elected { node, term } => format!("{node} IS ELECTED in {term}"),
        TraceEvent::Protocol { node, event } => format!("{node} {}", protocol(event)?),
        TraceEvent::Due { node } => format!("{node}'s timer is due"),
        TraceEvent::Log { node, base, first, entries } => {
            format!("{node}'s log {}", holds(base, first, entries))
        }
        TraceEvent::Members { node, members } => format!("{node} goes by {}", composed(members)),
        TraceEvent::Peers { node, peers } => format!("{node} knows of {}", known(peers)),
        _ => return None,
    })
}

fn holds(base: LogIndex, first: LogIndex, entries: &[LogEntry<'_>]) -> String {
    let after = if base == LogIndex::ZERO { String::new() } else { format!(" (after {base})") };
    match entries.len() {
        0 => format!("ends before {first}{after}"),
        count => format!("holds {first}..={}{after}", first.advanced(count - 1)),
    }
}

fn names(nodes: &[NodeId]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A membership in words: `voters n1, n2, learners n3`.
pub(crate) fn composed(members: &Membership) -> String {
    let mut text = format!("voters {}", names(members.voters()));
    for (who, nodes) in [("before", members.outgoing()), ("learners", members.learners())] {
        if !nodes.is_empty() {
            text = format!("{text}, {who} {}", names(nodes));
        }
    }
    text
}

fn known(peers: &[PeerStatus]) -> String {
    if peers.is_empty() {
        return "no peers any more".to_owned();
    }
    let peer = |peer: &PeerStatus| format!("{} to {}, next {}", peer.id, peer.matched, peer.next);
    peers.iter().map(peer).collect::<Vec<_>>().join("; ")
}

/// What operators ask for, and what drivers do beside.
fn driver(event: TraceEvent<'_>) -> Option<String> {
    Some(match event {
        TraceEvent::Ordered { node, request } => {
            format!("the operator asks {node}: {}", wish(request))
        }
        TraceEvent::Urged { node, suppressed: None } => {
            format!("the operator tells {node} to stand for election")
        }
        TraceEvent::Urged { node, suppressed: Some(span) } => {
            format!("the operator tells {node} not to stand for {} s", seconds(Instant(span.0)))
        }
        TraceEvent::OrderAnswered { node, outcome } => {
            format!("{node} answers the operator: {}", answer(outcome))
        }
        TraceEvent::Tasked { node, task, .. } => {
            format!("{node} asks its driver to {}", errand(task))
        }
        TraceEvent::TaskDone { node, answer, .. } => format!("{node}'s driver {}", done(answer)),
        TraceEvent::SnapshotTaken { node, meta } => {
            format!("{node} has a snapshot at {}", meta.position)
        }
        TraceEvent::Restored { node, meta } => {
            format!("{node}'s machine is restored to {}", meta.position)
        }
        _ => return None,
    })
}

fn wish(request: &Request) -> String {
    match request {
        Request::ChangeMembership { to, .. } => composed(to),
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

fn faults(event: TraceEvent<'_>) -> Option<String> {
    let number =
        |fault: Option<u32>| fault.map_or_else(|| "static".to_owned(), |it| format!("#{it}"));
    Some(match event {
        TraceEvent::FaultBegan { fault, what, nodes } => {
            let on = if nodes.is_empty() { String::new() } else { format!(" on {}", names(nodes)) };
            format!("FAULT {} begins{on}: {}", number(fault), fault_text(what))
        }
        TraceEvent::FaultEnded { fault } => format!("FAULT {} ends", number(fault)),
        TraceEvent::Phase { phase } => format!("PHASE {}", phase.name()),
        _ => return None,
    })
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

/// What differs between two states of a node that a column shows as the same.
pub(crate) fn quiet_changes(before: &View, after: &View) -> String {
    let mut changes = Vec::new();
    if before.durable != after.durable {
        changes.push(format!("has its log to {} on its disk", after.durable));
    }
    if before.applied != after.applied {
        changes.push(format!("has {} applied", after.applied));
    }
    if before.snapshot != after.snapshot {
        changes.push(format!("counts its snapshot at {}", after.snapshot));
    }
    if changes.is_empty() { "has another state".to_owned() } else { changes.join(", ") }
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
        Claim::GrantVote | Claim::GrantPreVote => " granted".to_owned(),
        Claim::Refuse => " refused".to_owned(),
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

/// What became of a request.
pub(crate) fn answer(outcome: Outcome) -> String {
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
