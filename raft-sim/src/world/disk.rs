//! A node's disk: what is durable, and what a crash leaves of a write.
//!
//! Invariant: the image is the sum of all durable writes, the last before each crash in part perhaps: a
//! prefix of its parts in their documented order, and of its entries.

use raft_core::{
    Append, Bootstrap, Entry, HardState, LogIndex, Membership, Restored, SnapshotMeta, Start, Write,
};

use crate::draw::Draw;

/// What a disk holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    hard_state: Option<HardState>,
    snapshot: Option<SnapshotMeta>,
    entries: Vec<Entry>,
    commit: LogIndex,
}

impl Image {
    /// Takes in a write, or what survived of one.
    pub(super) fn take(&mut self, write: &Write) -> Result<(), String> {
        let Write { hard_state, install, truncate_from, append, commit } = write;
        if let Some(hard_state) = hard_state {
            self.hard_state = Some(*hard_state);
        }
        if let Some(snapshot) = install {
            self.entries.clear();
            self.snapshot = Some(snapshot.clone());
        }
        if let Some(first) = truncate_from {
            let kept = first.0.saturating_sub(self.base().0 + 1);
            self.entries.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        if let Some(Append { first, entries }) = append {
            let expected = self.last().next();
            if *first != expected {
                return Err(format!(
                    "appends from {first} to a disk whose log ends before {expected}"
                ));
            }
            self.entries.extend_from_slice(entries);
        }
        if let Some(commit) = commit {
            self.commit = *commit;
        }
        Ok(())
    }

    fn base(&self) -> LogIndex {
        self.snapshot.as_ref().map_or(LogIndex::ZERO, |snapshot| snapshot.position.index)
    }

    /// The last entry on the disk.
    pub(super) fn last(&self) -> LogIndex {
        self.base().advanced(self.entries.len())
    }

    /// How a node with this disk starts. Without the empty snapshot that names the members, nothing that it
    /// did can have been seen by others: then it founds the cluster again.
    pub(super) fn start(&self, founders: &Membership, applied: LogIndex) -> Start {
        let Some(snapshot) = &self.snapshot else {
            return Bootstrap { membership: founders.clone() }.into();
        };
        let hard_state = self.hard_state.unwrap_or_default();
        let entries = self.entries.clone();
        Restored { hard_state, snapshot: snapshot.clone(), entries, commit: self.commit, applied }
            .into()
    }
}

/// How many cuts there are through a write: its parts, each appended entry being one.
pub(super) fn parts(write: &Write) -> u64 {
    let Write { hard_state, install, truncate_from, append, commit } = write;
    let whole =
        [hard_state.is_some(), install.is_some(), truncate_from.is_some(), commit.is_some()];
    let entries = append.as_ref().map_or(0, |append| append.entries.len() as u64);
    whole.into_iter().map(u64::from).sum::<u64>() + entries
}

/// The first `kept` parts of a write.
pub(super) fn prefix(write: &Write, kept: u64) -> Write {
    let mut left = kept;
    let mut survives = |is_there: Option<()>| -> Option<()> {
        is_there?;
        left = left.checked_sub(1)?;
        Some(())
    };
    let hard_state = survives(write.hard_state.map(|_| ())).and(write.hard_state);
    let install = survives(write.install.as_ref().map(|_| ())).and(write.install.clone());
    let truncate_from = survives(write.truncate_from.map(|_| ())).and(write.truncate_from);
    let append = write.append.as_ref().and_then(|append| {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(append.entries.len());
        left -= count as u64;
        let entries = append.entries[..count].iter().cloned().collect();
        (count > 0).then_some(Append { first: append.first, entries })
    });
    let commit = if left > 0 { write.commit } else { None };
    Write { hard_state, install, truncate_from, append, commit }
}

/// What a crash leaves of a write: nothing, all of it, or something in between.
pub(super) fn torn(write: &Write, draw: &mut Draw) -> Write {
    let parts = parts(write);
    match draw.below(3) {
        0 => Write::default(),
        1 => write.clone(),
        _ if parts > 1 => prefix(write, draw.between(1, parts - 1)),
        _ => prefix(write, draw.below(2)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use raft_core::{Incarnation, LogPosition, NodeId, Payload, Term};

    use super::*;
    use crate::draw::Domain;

    fn entry(term: u64) -> Entry {
        Entry { term: Term(term), payload: Payload::Blank }
    }

    fn write() -> Write {
        Write {
            hard_state: Some(HardState { term: Term(2), vote: None, incarnation: Incarnation(1) }),
            install: None,
            truncate_from: Some(LogIndex(2)),
            append: Some(Append {
                first: LogIndex(2),
                entries: [entry(2), entry(2)].into_iter().collect(),
            }),
            commit: Some(LogIndex(1)),
        }
    }

    /// Every prefix keeps exactly its first parts, in the documented order.
    #[test]
    fn prefixes_are_exact() {
        let whole = write();
        assert_eq!(parts(&whole), 5);
        assert_eq!(prefix(&whole, 0), Write::default());
        assert_eq!(prefix(&whole, 1), Write { hard_state: whole.hard_state, ..Write::default() });
        let two = Write { truncate_from: whole.truncate_from, ..prefix(&whole, 1) };
        assert_eq!(prefix(&whole, 2), two);
        let append = Append { first: LogIndex(2), entries: [entry(2)].into_iter().collect() };
        assert_eq!(prefix(&whole, 3), Write { append: Some(append), ..two.clone() });
        assert_eq!(prefix(&whole, 4), Write { append: whole.append.clone(), ..two });
        assert_eq!(prefix(&whole, 5), whole);
    }

    /// Every prefix comes up in crashes, and what is torn is always a prefix.
    #[test]
    fn tearing_leaves_prefixes() {
        let whole = write();
        let mut seen = [false; 6];
        for number in 0..200 {
            let torn = torn(&whole, &mut Draw::new(1, Domain::Tear, &[number]));
            let kept = parts(&torn);
            assert_eq!(torn, prefix(&whole, kept));
            seen[usize::try_from(kept).expect("five at most")] = true;
        }
        assert_eq!(seen, [true; 6]);
    }

    /// The image is the sum of writes; a gap is refused.
    #[test]
    fn the_image_follows_writes() {
        let mut image = Image::default();
        let founders = Membership::of_voters([NodeId(1)]).expect("one voter");
        assert!(matches!(image.start(&founders, LogIndex::ZERO), Start::Bootstrap(_)));
        let membership = Arc::new(founders.clone());
        let first = Write {
            install: Some(SnapshotMeta { position: LogPosition::ZERO, membership }),
            append: Some(Append {
                first: LogIndex(1),
                entries: [entry(1), entry(1), entry(1)].into_iter().collect(),
            }),
            ..write()
        };
        let first = Write { truncate_from: None, ..first };
        assert_eq!(image.take(&first), Ok(()));
        assert_eq!(image.take(&write()), Ok(()));
        let Start::Restart(restored) = image.start(&founders, LogIndex::ZERO) else {
            panic!("the disk is not empty");
        };
        let terms: Vec<Term> = restored.entries.iter().map(|entry| entry.term).collect();
        assert_eq!(terms, [Term(1), Term(2), Term(2)]);
        let gap = Append { first: LogIndex(9), entries: [entry(2)].into_iter().collect() };
        assert!(image.take(&Write { append: Some(gap), ..Write::default() }).is_err());
    }
}
