//! A node's disk as an onlooker can follow it: by the writes that it is told of.
//!
//! Invariant: it holds what `world/disk.rs` holds, as far as a story tells of it.

use raft_core::{Append, LogIndex, NodeId, Term, Write};

/// What a disk holds, without contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) term: Term,
    pub(super) vote: Option<NodeId>,
    /// The last index compacted away.
    base: LogIndex,
    pub(super) last: LogIndex,
    /// The latest snapshot.
    snapshot: LogIndex,
}

impl Disk {
    /// Takes in a write, or what survived of one.
    pub(super) fn take(&mut self, write: &Write) {
        let Write { hard_state, install, truncate_from, append, commit: _, compact } = write;
        if let Some(state) = hard_state {
            (self.term, self.vote) = (state.term, state.vote);
        }
        if let Some(meta) = install {
            self.store(meta.position.index);
        }
        if let Some(first) = truncate_from {
            let kept = LogIndex(first.0.saturating_sub(1)).max(self.base);
            self.last = self.last.min(kept);
        }
        // A log that was removed for a snapshot begins after it.
        if self.last == self.base && self.base < self.snapshot {
            (self.base, self.last) = (self.snapshot, self.snapshot);
        }
        if let Some(Append { entries, .. }) = append {
            self.last = self.last.advanced(entries.len());
        }
        if let Some(base) = compact {
            self.base = self.base.max(base.index);
            self.last = self.last.max(self.base);
        }
    }

    /// A snapshot is on it.
    pub(super) fn store(&mut self, snapshot: LogIndex) {
        self.snapshot = self.snapshot.max(snapshot);
    }
}
