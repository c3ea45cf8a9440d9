//! Entries as values: what they count against budgets, and when they are the same.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use raft_core::{Entries, Entry, Membership, MembershipParts, NodeId, Payload, Term};

fn command(term: u64, text: &'static str) -> Entry {
    Entry { term: Term(term), payload: Payload::command(text) }
}

fn hash(entries: &Entries) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(entries)
}

/// An entry counts what its payload holds beside a fixed charge: the bytes of a command, and of a membership eight a name
/// and what is said of the members.
#[test]
fn an_entry_counts_what_it_holds() {
    let overhead = Entry { term: Term(1), payload: Payload::Blank }.size();
    assert_eq!(command(1, "four").size(), overhead + 4);
    let ids = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
    let membership = Membership::try_from(MembershipParts {
        voters: ids(&[1, 2, 3]),
        outgoing: ids(&[3, 4]),
        learners: ids(&[5]),
        contexts: BTreeMap::from([(NodeId(1), "here".into()), (NodeId(5), "there".into())]),
    });
    let payload = Payload::Membership(Arc::new(membership.expect("it is sound")));
    assert_eq!(Entry { term: Term(1), payload }.size(), overhead + 6 * 8 + 4 + 5);
}

/// Entries are what they hold, whoever shares them.
#[test]
fn entries_are_what_they_hold() {
    let entries: Entries = [command(1, "a"), command(2, "b")].into_iter().collect();
    let again: Entries = [command(1, "a"), command(2, "b")].into_iter().collect();
    assert_eq!((&entries, hash(&entries)), (&again, hash(&again)));
    let others = [
        Entries::EMPTY,
        [command(1, "a")].into_iter().collect(),
        [command(1, "a"), command(2, "c")].into_iter().collect(),
        [command(1, "a"), command(3, "b")].into_iter().collect(),
    ];
    for other in others {
        assert_ne!(entries, other);
        assert_ne!(hash(&entries), hash(&other), "{other:?}");
    }
    let text = format!("{entries:?}");
    assert!(text.contains("Term(1)") && text.contains("Term(2)"), "{text}");
}
