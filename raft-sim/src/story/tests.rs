//! Tests of stories: that causes are right, and that what is told adds up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use raft_core::{Ballot, Envelope, LogIndex, LogPosition, Message, NodeId, Term};

use super::*;
use crate::kv::Kv;
use crate::plan::{Plan, Profile};
use crate::verdict::Verdict;
use crate::world::tests::broken::{Broken, Flaw};
use crate::world::{run, run_traced};

/// The story of a plan, and what became of the run.
pub(super) fn told_of(plan: &Plan) -> (Story, Verdict) {
    let (mut narrator, story) = Narrator::<Kv>::new(plan);
    let verdict = run_traced::<raft_core::Node, Kv, _>(plan, &mut narrator);
    let story = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (story, verdict)
}

/// The stories of some seeds.
fn stories() -> impl Iterator<Item = Story> {
    (0..50).map(|seed| told_of(&Plan::generate(seed, Profile::Default)).0)
}

/// Goal: telling a run does not change it.
#[test]
fn a_story_changes_nothing() {
    for seed in 0..20 {
        let plan = Plan::generate(seed, Profile::Default);
        assert_eq!(told_of(&plan).1, run::<raft_core::Node, Kv>(&plan), "seed {seed}");
    }
}

/// Goal: what led to an event came before it, at no later time; and time does not go back, but for a timer that is told
/// with what follows from it.
#[test]
fn causes_come_before_effects() {
    for story in stories() {
        for (number, event) in story.events.iter().enumerate() {
            if let Some(because) = event.because {
                assert!((because as usize) < number, "{event:?}");
                assert!(story.events[because as usize].at <= event.at, "{event:?}");
            }
        }
        assert!(story.events.is_sorted_by_key(|event| event.at));
    }
}

/// Goal: what a node does comes of something that it was given, at the same moment, and what must have a cause has it.
#[test]
fn every_step_was_given_something() {
    for seed in 0..50 {
        let plan = Plan::generate(seed, Profile::Default);
        let gathers = plan.network.gather.0 > 0;
        let story = told_of(&plan).0;
        for event in &story.events {
            let cause = event.because.map(|number| &story.events[number as usize]);
            let is_step = matches!(
                event.what,
                What::Changed { .. }
                    | What::Log { .. }
                    | What::Members { .. }
                    | What::Peers { .. }
                    | What::Sent { .. }
                    | What::Submitted
                    | What::Answered { .. }
                    | What::Elected { .. }
                    | What::Said
            );
            if is_step {
                let cause = cause.unwrap_or_else(|| panic!("nothing led to {event:?}"));
                let is_input = matches!(
                    cause.what,
                    What::Delivered { .. }
                        | What::Malformed { .. }
                        | What::Receipt
                        | What::Due
                        | What::Reported { .. }
                        | What::Driver
                        | What::Operator
                        | What::Invoked { .. }
                        | What::Started { .. }
                );
                assert!(is_input && cause.node == event.node, "{cause:?} led to {event:?}");
                let waits = matches!(cause.what, What::Invoked { .. });
                assert!(waits || gathers || cause.at == event.at, "{cause:?} led to {event:?}");
                // Also when the vote, or the reply, was taken in some time before.
                let by_others = match event.what {
                    What::Elected { .. } => plan.nodes > 1,
                    _ => false,
                };
                assert!(!by_others || cause.what != What::Due, "{cause:?} led to {event:?}");
            }
            match event.what {
                What::Durable { .. } => {
                    assert_eq!(cause.map(|it| &it.what), Some(&What::Submitted));
                }
                What::Receipt => {
                    assert!(cause.is_some_and(|it| matches!(it.what, What::Durable { .. })));
                }
                What::Applied { .. } | What::Reported { .. } | What::FaultEnded { .. } => {
                    assert!(cause.is_some(), "{event:?}");
                }
                What::Resumed => assert_eq!(cause.map(|it| &it.what), Some(&What::Paused)),
                What::Paused => {
                    assert!(cause.is_some_and(|it| matches!(it.what, What::FaultBegan { .. })));
                }
                _ => {}
            }
        }
    }
}

/// Goal: whatever arrives or is lost was sent or copied, and every copy arrives once at most.
#[test]
fn whatever_arrives_was_sent() {
    let mut copies_arrived = 0;
    for story in stories() {
        let mut used = BTreeSet::new();
        for event in &story.events {
            let (message, counts) = match event.what {
                What::Delivered { message } => (message, true),
                What::Lost { message, .. }
                | What::Malformed { message }
                | What::Duplicated { message, .. } => (message, false),
                _ => continue,
            };
            let because = event.because.unwrap_or_else(|| panic!("nobody sent {event:?}"));
            match story.events[because as usize].what {
                What::Sent { message: sent, .. } => assert_eq!(sent, message),
                What::Duplicated { message: copied, .. } => {
                    assert_eq!(copied, message);
                    copies_arrived += 1;
                }
                ref other => panic!("{other:?} led to {event:?}"),
            }
            assert!(!counts || used.insert(because), "it arrives twice: {event:?}");
        }
    }
    assert!(copies_arrived > 50, "{copies_arrived}");
}

/// A log, rebuilt from what is told of it.
#[derive(Default)]
struct Rebuilt {
    base: LogIndex,
    terms: Vec<Term>,
}

impl Rebuilt {
    fn take(&mut self, base: LogIndex, first: LogIndex, entries: &[Entry]) {
        let kept = first.0.checked_sub(self.base.0 + 1).expect("it changes after the base");
        let kept = usize::try_from(kept).expect("a log fits into memory");
        if kept > self.terms.len() {
            // A log that begins behind a snapshot.
            assert_eq!(base.next(), first);
            (self.base, self.terms) = (base, Vec::new());
        } else {
            self.terms.truncate(kept);
        }
        self.terms.extend(entries.iter().map(|entry| entry.term));
        let gone = usize::try_from(base.0 - self.base.0).expect("a log fits into memory");
        self.terms.drain(..gone);
        self.base = base;
    }

    fn agrees(&self, last: LogPosition) -> bool {
        let index = self.base.advanced(self.terms.len());
        index == last.index && self.terms.last().is_none_or(|term| *term == last.term)
    }
}

/// Goal: the changes of a log that are told add up to what its node says that it ends with.
#[test]
fn logs_add_up() {
    for story in stories() {
        let mut logs: BTreeMap<NodeId, (Rebuilt, LogPosition)> = BTreeMap::new();
        for event in &story.events {
            let id = event.node.unwrap_or(NodeId(0));
            let (log, last) = logs.entry(id).or_default();
            match &event.what {
                What::Log { base, first, entries } => log.take(*base, *first, entries),
                // A change of the log follows the change of the state.
                _ => assert!(log.agrees(*last), "{event:?}, but it ends with {last}"),
            }
            match &event.what {
                What::Changed { state } => *last = state.last,
                What::Started { state, .. } => (*log, *last) = (Rebuilt::default(), state.last),
                _ => {}
            }
        }
    }
}

/// Goal: a node starts with what was last said to be on its disk.
#[test]
fn disks_add_up() {
    let mut restarts = 0;
    for story in stories() {
        let mut disks = BTreeMap::new();
        for event in &story.events {
            match &event.what {
                What::Durable { last, .. } | What::Crashed { last } => {
                    disks.insert(event.node, *last);
                }
                What::Started { state, empty: false } => {
                    assert_eq!(disks.get(&event.node), Some(&state.durable), "{event:?}");
                    restarts += 1;
                }
                _ => {}
            }
        }
    }
    assert!(restarts > 50, "{restarts}");
}

/// Grants every vote that it is refused.
struct Usurper;

impl Flaw for Usurper {
    fn hears(mut envelope: Envelope) -> Envelope {
        if let Message::VoteReply { ballot } = &mut envelope.message {
            *ballot = Ballot::Granted;
        }
        envelope
    }
}

/// The first run of a node that is wrong in which that comes out.
fn violated() -> (Story, Violation) {
    let found = (0..200).find_map(|seed| {
        let plan = Plan::generate(seed, Profile::Default);
        let (mut narrator, story) = Narrator::<Kv>::new(&plan);
        let verdict = run_traced::<Broken<Usurper>, Kv, _>(&plan, &mut narrator);
        let story = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
        verdict.violation.map(|violation| (story, violation))
    });
    found.expect("two are elected in a term before long")
}

/// Goal: the chain of a violation begins with the violation, ends with something that nothing led to, and each link was led
/// to by a later one of the chain.
#[test]
fn a_violation_has_a_chain() {
    let (story, violation) = violated();
    let chain = story.why(story.violated().expect("it is told"));
    let events: Vec<&Event> = chain.iter().map(|number| &story.events[*number]).collect();
    assert!(matches!(&events[0].what, What::Violated { violation: told } if *told == violation));
    assert!(chain.is_sorted_by(|later, earlier| later > earlier));
    assert_eq!(events.last().expect("it has links").because, None);
    let kinds = |wanted: fn(&What) -> bool| events.iter().filter(|it| wanted(&it.what)).count();
    assert!(kinds(|what| matches!(what, What::Delivered { .. })) > 1, "{events:?}");
    let sent = kinds(|what| matches!(what, What::Sent { .. }));
    assert!(sent >= kinds(|what| matches!(what, What::Delivered { .. })), "{events:?}");
    assert!(kinds(|what| matches!(what, What::Elected { .. })) > 0, "{events:?}");
    for event in &events {
        let because = event.because.map(|number| number as usize);
        assert!(because.is_none_or(|because| chain.contains(&because)), "{event:?}");
    }
}

/// Goal: the text of a chain is in the order of time, ends with the violation, and says how much it leaves out.
#[test]
fn a_chain_is_told_in_lines() {
    let (story, violation) = violated();
    let event = story.violated().expect("it is told");
    let whole = story.chain(event, usize::MAX);
    let last = format!("-   VIOLATION {}: {}", violation.property.name(), violation.witness);
    assert!(whole.trim_end().ends_with(&last), "{whole}");
    assert!(whole.lines().next().is_some_and(|line| !line.contains("left out")), "{whole}");
    let short = story.chain(event, 3);
    let left_out = whole.lines().count() - 3;
    assert!(short.starts_with(&format!("      ({left_out} earlier links are left out)\n")));
    assert_eq!(
        short.lines().skip(1).collect::<Vec<_>>(),
        whole.lines().skip(left_out).collect::<Vec<_>>()
    );
    assert!(story.reasons().starts_with("How it came to that:\n"));
    assert_eq!(told_of(&Plan::generate(0, Profile::Default)).0.reasons(), "");
}
