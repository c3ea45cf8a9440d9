//! What must hold of a node after every step, whatever the step was.

use raft_core::{
    Effects, Input, Instant, LogIndex, Node, NodeId, RecordedInput, Role, Settings, Status, Term,
};

use super::{Cluster, Truthful};

/// What an entry may exceed a byte limit by: a command that was within its own limit, a membership, and their
/// fixed charges.
const SLACK: u64 = 512;
/// What the core promises at most to hold back while the disk works.
const MAX_WITHHELD: u64 = 1_024;

impl Cluster {
    pub(super) fn check_node(&mut self, id: NodeId) {
        let node = self.node(id);
        assert_eq!(node.invariants(), Ok(()), "{}", node.status());
        if node.role() == Role::Leader {
            let leader = *self.leaders.entry(self.node(id).term()).or_insert(id);
            assert_eq!(leader, id, "one leader a term (paper §5.2)");
        }
        if self.truthful == Truthful::Yes {
            self.check_commit(id);
        }
        check_memory(&self.hosts[&id].settings, &self.node(id).status());
        self.delete_old_snapshots(id);
    }

    /// Nodes agree on what is committed; a leader has all of it; and when it commits more, a quorum of disks
    /// holds that (paper §5.4, thesis §4.3).
    fn check_commit(&mut self, id: NodeId) {
        let node = self.node(id);
        let (commit, role) = (node.commit(), node.role());
        let before = self.checked.insert(id, commit).unwrap_or_default();
        if commit == before && role != Role::Leader {
            return;
        }
        let node = self.node(id);
        let own = node.term_at(commit).expect("what is committed is in the log");
        if let Some(term) = self.committed.get(&commit) {
            assert_eq!(own, *term, "{id} commits {commit} (paper §5.4.3)");
        }
        if role == Role::Leader {
            if let Some((last, term)) = self.committed.last_key_value() {
                let has_it = node.base().index > *last || node.term_at(*last) == Some(*term);
                let is_deposed = self.leaders.keys().any(|later| *later > node.term());
                assert!(has_it || is_deposed, "{id} leads without {last} (paper §5.4.3)");
            }
            if commit > before && own == node.term() {
                self.check_quorum(id, commit, own);
            }
        }
        if commit > LogIndex::ZERO {
            self.committed.insert(commit, own);
        }
    }

    fn check_quorum(&self, leader: NodeId, index: LogIndex, term: Term) {
        let holds = |id: NodeId| {
            let disk = self.hosts.get(&id).map(|host| &host.disk);
            disk.is_some_and(|disk| {
                let at_index = disk.entry(index).map(|entry| entry.term);
                at_index == Some(term) || disk.snapshot().position.index >= index
            })
        };
        let node = self.node(leader);
        let is_held = node.membership().reached_by_quorum(holds) == Some(true);
        assert!(is_held, "{leader} commits {index} without a quorum: {}", self.describe());
    }
}

/// A node that was fed a report of its disk or machine and asks for no step has nothing to do, and is as if it had been
/// stepped.
pub fn check_content(node: &Node, now: Instant, input: &RecordedInput) {
    if !matches!(input, RecordedInput::Persisted(_) | RecordedInput::Applied(_)) {
        return;
    }
    let (mut fed, mut effects) = (node.clone(), Effects::new());
    // What is due by now is not the report's doing.
    fed.step(now, Input::Tick, &mut effects);
    fed.feed(now, input.replay(node), &mut effects);
    if fed.deadline() <= now {
        return;
    }
    while effects.pop().is_some() {}
    let before = fed.clone();
    fed.step(now, Input::Tick, &mut effects);
    assert!(effects.is_empty(), "it asked for no step after {input:?}, but {:?}", effects.pop());
    assert_eq!(fed, before, "it asked for no step after {input:?}");
}

/// Fine point 10: what is cached is within the budget, or waits for the disk or for a quorum; and of that there is
/// a limit too.
pub fn check_memory(settings: &Settings, status: &Status) {
    let waiting = settings.max_undurable_bytes.max(settings.max_uncommitted_bytes);
    let slack = settings.max_command_bytes.saturating_add(SLACK);
    let most = settings.max_cached_bytes.max(waiting.saturating_add(slack));
    assert!(status.cached_bytes <= most, "{} bytes cached: {status}", status.cached_bytes);
    assert!(status.pending_requests <= settings.max_pending_requests);
    assert!(status.withheld_messages <= MAX_WITHHELD);
}
