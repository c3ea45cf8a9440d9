//! Small scopes with exact numbers of states, and cores that are wrong in one way.

use raft_core::{
    Ballot, ClusterId, Effects, Envelope, Input, Instant, Message, Node, NodeId, Settings, Start,
};

use super::fingerprint::{Origin, of_node};
use super::local::{Happening, Local};
use super::*;
use crate::violation::Property;

fn two() -> Scope {
    Scope { nodes: 2, founders: 2, ..Scope::default() }
}

fn explored<C: Core>(scope: Scope) -> Explored {
    explore::<C>(scope, Limits::default(), |_| ()).expect("the scope makes sense")
}

/// Goal: two nodes, two terms, an entry and a crash are clean, and there are just so many states.
#[test]
fn two_nodes_are_clean() {
    let found = explored::<Node>(two());
    assert!(found.is_complete && found.found.is_none());
    assert_eq!((found.progress.states, found.progress.depth), (10_203, 29));
}

/// Goal: states that differ in the names of nodes are one, and the verdict is the same.
#[test]
fn symmetry_saves_states_and_changes_no_verdict() {
    let with = explored::<Node>(two());
    let without = explored::<Node>(Scope { symmetry: false, ..two() });
    assert!(with.is_complete && without.is_complete);
    assert!(
        2 * with.progress.states >= without.progress.states,
        "two names make two states of one at most"
    );
    assert!(3 * with.progress.states < 2 * without.progress.states);
    let broken = [true, false].map(|symmetry| explored::<Generous>(Scope { symmetry, ..two() }));
    let lengths = broken.each_ref().map(|it| it.found.as_ref().expect("it is found").steps.len());
    assert_eq!(lengths[0], lengths[1]);
}

/// Goal: what is taken out of the network, and losses that are no events, change no verdict and no length.
#[test]
fn what_is_left_out_changes_no_verdict() {
    let scope = Scope { crashes: 0, ..two() };
    let less = explored::<Node>(scope);
    for more in [Scope { forgets: false, ..scope }, Scope { losses: 1, ..scope }] {
        let more = explored::<Node>(more);
        assert!(less.is_complete && more.is_complete && more.found.is_none());
        assert!(more.progress.states > less.progress.states);
    }
    let lengths = [(0, true), (0, false), (1, true)].map(|(losses, forgets)| {
        let found = explored::<Generous>(Scope { losses, forgets, ..scope }).found;
        found.expect("it is found").steps.len()
    });
    assert_eq!(lengths, [lengths[0]; 3]);
}

/// Goal: how many threads search makes no difference to what is counted.
#[test]
fn threads_change_nothing() {
    let one = explored::<Node>(two());
    let limits = Limits { jobs: 3, ..Limits::default() };
    let three = explore::<Node>(two(), limits, |_| ()).expect("the scope makes sense");
    assert_eq!(
        (one.progress.states, one.progress.transitions, one.progress.depth),
        (three.progress.states, three.progress.transitions, three.progress.depth)
    );
}

/// Goal: a search that is given up says so.
#[test]
fn a_search_that_is_given_up_is_not_complete() {
    let limits = Limits { states: Some(100), ..Limits::default() };
    let found = explore::<Node>(two(), limits, |_| ()).expect("the scope makes sense");
    assert!(!found.is_complete && found.found.is_none());
}

/// Goal: an uncommitted entry is not taken for the committed one that a leader has compacted at its place. (It was, after 17 steps
/// and 330,505 states.)
#[test]
fn what_a_leader_has_compacted_is_not_what_a_follower_removes() {
    let scope = Scope {
        start: Beginning::Led,
        entries: 2,
        crashes: 0,
        snapshots: 1,
        campaigns: Some(1),
        window: 1,
        ..Scope::default()
    };
    let limits = Limits { states: Some(340_000), jobs: 2, ..Limits::default() };
    let found = explore::<Node>(scope, limits, |_| ()).expect("the scope makes sense");
    assert!(found.found.is_none());
}

/// Gives its vote to whoever asks, or says so.
#[derive(Clone)]
struct Generous(Node);

impl Core for Generous {
    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String> {
        <Node as Core>::start(settings, start, now).map(Self)
    }

    fn node(&self) -> &Node {
        &self.0
    }

    fn step(&mut self, now: Instant, input: Input, effects: &mut Effects) {
        self.0.step(now, input, effects);
    }

    fn says(mut envelope: Envelope) -> Option<Envelope> {
        if let Message::VoteReply { ballot } = &mut envelope.message {
            *ballot = Ballot::Granted;
        }
        Some(envelope)
    }
}

/// Goal: a core that gives two votes is found on the shortest way: both stand, one hears the other, and says yes.
#[test]
fn a_generous_core_is_found_on_the_shortest_way() {
    let found = explored::<Generous>(two()).found.expect("it is found");
    assert_eq!(found.breach.property, Property::OneVotePerTerm);
    let steps: Vec<&str> = found.steps.iter().map(|step| step.text.as_str()).collect();
    assert_eq!(steps.len(), 5, "{steps:#?}");
    assert!(steps[3].contains("RequestVote"), "{steps:#?}");
}

/// Goal: the steps to a violation can be taken in the simulator.
#[test]
fn what_is_found_is_a_plan() {
    let found = explored::<Generous>(two()).found.expect("it is found");
    let plan = simulated::<crate::kv::Kv>(&two(), &found).expect("elections can be expressed");
    assert_eq!(plan.validate(), Ok(()));
    assert!(plan.actions.len() >= 2, "both stand");
}

/// Goal: two nodes that differ only in how often they were started, in their clocks and in what they have rejected, are one;
/// and one with another term is another.
#[test]
fn counters_make_no_difference() {
    let scope = two();
    let local = Local::<Node>::begin(&scope, NodeId(1)).expect("it starts");
    let mut other = local.take(&scope, Happening::Crash(0)).expect("it comes back").local;
    other = other.take(&scope, Happening::Persisted).expect("it writes").local;
    let stranger = Envelope {
        cluster: ClusterId(9),
        ..letter::token(NodeId(2), NodeId(1), raft_core::Term(1))
    };
    other = other.take(&scope, Happening::Receive(&stranger)).expect("it is rejected").local;
    assert_ne!(local.node(), other.node());
    let print = |local: &Local<Node>| {
        let origin = Origin::of(local.node(), local.clock, false);
        of_node(local.node(), &local.log, &[0, 1, 2], origin)
    };
    assert_eq!(print(&local), print(&other));
    let stands = local.take(&scope, Happening::Campaign).expect("it stands").local;
    assert_ne!(print(&local), print(&stands));
}
