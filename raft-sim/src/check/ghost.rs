//! The committed log that nobody keeps: what the cluster as a whole has decided.
//!
//! The first node whose commit index reaches an entry adds it here; everybody else must agree, for ever. Beside each
//! entry stands what the state machines made of it.
//!
//! Invariants: nothing is ever removed or changed; `slots` has an element for each entry of `log`; the
//! terms in `committed_in` never fall.

use std::sync::Arc;

use bytes::Bytes;
use raft_core::{Entry, LogIndex, Membership, Payload, Term};

use super::mirror::{Mirror, place};
use crate::history::OpId;

/// What a committed entry carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Not seen yet: the node that committed it did not have it in memory.
    Unseen,
    /// Nothing for the machine.
    Internal,
    /// A command.
    Command(Bytes),
}

/// What machines made of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The machine's digest after it.
    pub(crate) digest: u64,
    /// The hash of its output.
    pub(crate) output: Option<u64>,
}

/// What is known of a committed entry beside its place in the log.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) content: Content,
    /// The latest term in which this entry or one before it was committed.
    pub(crate) committed_in: Term,
    /// What the first machine that applied it made of it.
    pub(crate) effect: Option<Effect>,
    /// The operation whose client was told that this is its entry.
    pub(crate) operation: Option<OpId>,
}

/// The committed log.
#[derive(Debug)]
pub(crate) struct Ghost {
    pub(crate) log: Mirror,
    slots: Vec<Slot>,
    /// The membership as of the last committed entry.
    pub(crate) membership: Arc<Membership>,
}

impl Content {
    /// What an entry carries.
    pub(crate) fn of(entry: Option<&Entry>) -> Self {
        match entry.map(|entry| &entry.payload) {
            None => Self::Unseen,
            Some(Payload::Blank | Payload::Membership(_)) => Self::Internal,
            Some(Payload::Command { data, .. }) => Self::Command(data.clone()),
        }
    }

    /// Whether a machine was given what this is; what was not seen yet, is what the machine was given.
    pub(crate) fn accepts(&mut self, command: Option<&Bytes>) -> bool {
        match (&*self, command) {
            (Self::Unseen, command) => {
                *self = command.map_or(Self::Internal, |command| Self::Command(command.clone()));
                true
            }
            (Self::Internal, None) => true,
            // Nodes share the allocation, so that the pointers are nearly always equal.
            (Self::Command(own), Some(other)) => {
                (own.as_ptr() == other.as_ptr() && own.len() == other.len()) || own == other
            }
            (Self::Internal, Some(_)) | (Self::Command(_), None) => false,
        }
    }
}

impl Ghost {
    pub(crate) fn new(membership: Arc<Membership>) -> Self {
        Self { log: Mirror::default(), slots: Vec::new(), membership }
    }

    pub(crate) fn last_index(&self) -> LogIndex {
        self.log.last_index()
    }

    pub(crate) fn slot(&self, index: LogIndex) -> Option<&Slot> {
        self.slots.get(place(index)?)
    }

    pub(crate) fn slot_mut(&mut self, index: LogIndex) -> Option<&mut Slot> {
        self.slots.get_mut(place(index)?)
    }

    /// Commits what `log` holds after the last committed entry, through `commit`.
    pub(crate) fn extend<'a>(
        &mut self,
        log: &Mirror,
        commit: LogIndex,
        term: Term,
        entry: impl Fn(LogIndex) -> Option<&'a Entry>,
    ) {
        let from = self.last_index();
        let committed_in = self.slots.last().map_or(term, |slot| slot.committed_in.max(term));
        self.log.extend_from(log, from, commit);
        for index in (from.0 + 1..=commit.0).map(LogIndex) {
            let content = Content::of(entry(index));
            self.slots.push(Slot { content, committed_in, effect: None, operation: None });
        }
        if let Some((_, membership)) = self.log.membership() {
            self.membership = membership.clone();
        }
    }

    /// The last entry that was committed in a term before `term`.
    pub(crate) fn committed_before(&self, term: Term) -> LogIndex {
        match self.slots.last() {
            Some(last) if last.committed_in < term => self.last_index(),
            _ => LogIndex(self.slots.partition_point(|slot| slot.committed_in < term) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: entries are attributed to the term that committed them, not to the one that created them.
    #[test]
    fn entries_know_the_term_that_committed_them() {
        let mut log = Mirror::default();
        for term in [1, 1, 3] {
            log.append(&Entry { term: Term(term), payload: Payload::Blank });
        }
        let mut ghost = Ghost::new(Arc::default());
        ghost.extend(&log, LogIndex(1), Term(1), |_| None);
        ghost.extend(&log, LogIndex(3), Term(3), |_| None);
        assert_eq!([1, 2, 3, 4].map(|term| ghost.committed_before(Term(term)).0), [0, 1, 1, 3]);
    }

    /// Goal: an entry's content is fixed by whoever shows it first.
    #[test]
    fn content_is_fixed_once_seen() {
        let (one, same, other) =
            (Bytes::from("one"), Bytes::from(vec![b'o', b'n', b'e']), Bytes::from("two"));
        let mut content = Content::Unseen;
        assert!(content.accepts(Some(&one)) && content.accepts(Some(&same)));
        assert!(!content.accepts(Some(&other)) && !content.accepts(None));
        assert!(Content::Unseen.accepts(None) && !Content::Internal.accepts(Some(&one)));
    }
}
