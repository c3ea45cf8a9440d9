//! Small scopes with exact numbers of states.

use raft_core::Node;

use super::*;

fn small() -> Scope {
    Scope { nodes: 2, founders: 2, terms: 1, entries: 1, crashes: 0, ..Scope::default() }
}

#[test]
fn two_nodes() {
    let explored = explore::<Node>(small(), Limits::default(), |_| ()).expect("it makes sense");
    panic!("{explored:?}");
}
