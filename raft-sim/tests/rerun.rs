//! A run on record, held against a node that has changed: one that sends a message more of a new kind.
//!
//! The new kind changes no fate of the others, so nearly all of the record happens again.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use raft_core::{
    Apply, Entry, Envelope, Instant, LogIndex, LogPosition, Membership, Message, Node, NodeId,
    Persist, Restore, Settings, SnapshotMeta, Start, TakeSnapshot, Term, Ticks, Write,
};
use raft_sim::campaign;
use raft_sim::kv::Kv;
use raft_sim::plan::{Plan, Profile, Span};
use raft_sim::raft::{Claim, Committed, Facts, Input, Output, Raft, Task, View};
use raft_sim::rerun::Strict;
use raft_sim::run_file::{Registrar, RunFile};
use raft_sim::story::Narrator;

const LIMIT: Duration = Duration::from_secs(60);

/// The number of the new kind: the ones before it are those of the paper.
const GOSSIP: u8 = 17;

/// A node that sends gossip with every heartbeat.
struct Chatty(Node);

/// What chatty nodes send each other.
#[derive(Clone, Debug)]
enum Chat {
    Inner(Envelope),
    Gossip { from: NodeId, to: NodeId, term: Term },
}

/// What a step asks for, and the gossip that goes with it.
#[derive(Default)]
struct Effects {
    inner: <Node as Raft>::Effects,
    gossip: VecDeque<Chat>,
}

/// Nobody listens to gossip.
fn heard(input: Input<Chatty>) -> Option<Input<Node>> {
    Some(match input {
        Input::Receive(Chat::Gossip { .. }) => return None,
        Input::Receive(Chat::Inner(envelope)) => Input::Receive(envelope),
        Input::Tick => Input::Tick,
        Input::Persisted(persist) => Input::Persisted(persist),
        Input::Applied(apply) => Input::Applied(apply),
        Input::Restored(restore) => Input::Restored(restore),
        Input::Taken(take) => Input::Taken(take),
        Input::Answered(chore, answer) => Input::Answered(chore, answer),
        Input::Request(request) => Input::Request(request),
        Input::Campaign => Input::Campaign,
        Input::Suppress(span) => Input::Suppress(span),
    })
}

impl Raft for Chatty {
    type Message = Chat;
    type Persist = Persist;
    type Apply = Apply;
    type Restore = Restore;
    type Take = TakeSnapshot;
    type Chore = <Node as Raft>::Chore;
    type Effects = Effects;

    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String> {
        <Node as Raft>::start(settings, start, now).map(Self)
    }

    fn step(&mut self, now: Instant, input: Input<Self>, effects: &mut Effects) {
        if let Some(input) = heard(input) {
            Raft::step(&mut self.0, now, input, &mut effects.inner);
        }
    }

    fn feed(&mut self, now: Instant, input: Input<Self>, effects: &mut Effects) {
        if let Some(input) = heard(input) {
            Raft::feed(&mut self.0, now, input, &mut effects.inner);
        }
    }

    fn pop(effects: &mut Effects) -> Option<Output<Self>> {
        if let Some(gossip) = effects.gossip.pop_front() {
            return Some(Output::Send(gossip));
        }
        Some(match <Node as Raft>::pop(&mut effects.inner)? {
            Output::Send(envelope) => {
                if let Message::Heartbeat { .. } = envelope.message {
                    let Envelope { from, to, term, .. } = envelope;
                    effects.gossip.push_back(Chat::Gossip { from, to, term });
                }
                Output::Send(Chat::Inner(envelope))
            }
            Output::Persist(persist) => Output::Persist(persist),
            Output::Apply(apply) => Output::Apply(apply),
            Output::Restore(restore) => Output::Restore(restore),
            Output::Chore(chore) => Output::Chore(chore),
            Output::Reply(reply) => Output::Reply(reply),
            Output::Event(event) => Output::Event(event),
        })
    }

    fn facts(message: &Chat) -> Facts {
        match message {
            Chat::Inner(envelope) => Node::facts(envelope),
            Chat::Gossip { from, to, term } => {
                let (from, to, term) = (*from, *to, *term);
                Facts { from, to, term, kind: GOSSIP, name: "Gossip", claim: Claim::Nothing }
            }
        }
    }

    fn deadline(&self) -> Instant {
        self.0.deadline()
    }

    fn view(&self) -> View {
        self.0.view()
    }

    fn entry(&self, index: LogIndex) -> Option<&Entry> {
        Raft::entry(&self.0, index)
    }

    fn term(&self, index: LogIndex) -> Option<Term> {
        Raft::term(&self.0, index)
    }

    fn take_snapshot(&self, index: LogIndex) -> Option<TakeSnapshot> {
        Raft::take_snapshot(&self.0, index)
    }

    fn oldest_snapshot_in_use(&self) -> LogPosition {
        Raft::oldest_snapshot_in_use(&self.0)
    }

    fn membership(&self) -> &Membership {
        Raft::membership(&self.0)
    }

    fn is_membership_committed(&self) -> bool {
        Raft::is_membership_committed(&self.0)
    }

    fn inflight(&self) -> (u64, u64) {
        Raft::inflight(&self.0)
    }

    fn invariants(&self) -> Result<(), String> {
        Raft::invariants(&self.0)
    }

    fn write(persist: &Persist) -> &Write {
        Node::write(persist)
    }

    fn restores(restore: &Restore) -> &SnapshotMeta {
        Node::restores(restore)
    }

    fn takes(take: &TakeSnapshot) -> &SnapshotMeta {
        Node::takes(take)
    }

    fn task(chore: &Self::Chore) -> Task<'_> {
        Node::task(chore)
    }

    fn committed(apply: &Apply) -> impl Iterator<Item = Committed<'_>> {
        Node::committed(apply)
    }
}

/// The record of a plan's run.
fn recorded(plan: &Plan) -> RunFile {
    let (narrator, story) = Narrator::<Kv>::new(plan);
    let (registrar, fates) = Registrar::new();
    let onlookers = (narrator, registrar);
    let verdict = campaign::replay::<Node, Kv, _>(plan.clone(), onlookers, LIMIT).verdict;
    let story = story.lock().unwrap_or_else(PoisonError::into_inner);
    let fates = fates.lock().unwrap_or_else(PoisonError::into_inner);
    let violated = verdict.violation.map(|violation| violation.property);
    RunFile::new(plan.clone(), fates.clone(), &story, violated)
}

/// Goal: without a change the rerun is the same, strictly and guided, whatever happens in the run.
#[test]
fn an_unchanged_node_is_the_same() {
    for seed in 0..20 {
        let run = recorded(&Plan::generate(seed, Profile::Default));
        let events = run.marks.len() as u64;
        assert_eq!(run.strict::<Node, Kv>(LIMIT), Strict::Same { events }, "seed {seed}");
        let guided = run.guided::<Node, Kv>(LIMIT);
        assert_eq!((guided.again, guided.divergence.as_ref()), (events, None), "seed {seed}");
        assert!(run.is_met_by(&guided));
    }
}

/// A plan in which messages leave at once and none is forged: both are drawn by the step. And nobody waits for more to
/// come: what is new would make it wait as well.
fn plan(seed: u64) -> Plan {
    let mut plan = Plan::generate(seed, Profile::Default);
    plan.network.leave = Span::exactly(0);
    plan.network.gather = Ticks(0);
    plan.network.malformed_per_million = 0;
    plan
}

/// Goal: a strict rerun of a node that sends more names the first message that is new.
#[test]
fn a_strict_rerun_names_what_is_new() {
    let mut named = 0;
    for seed in 0..10 {
        let run = recorded(&plan(seed));
        // A lone node has nobody to talk to.
        let Strict::Differs(divergence) = run.strict::<Chatty, Kv>(LIMIT) else { continue };
        let found = divergence.found.expect("it goes on");
        assert!(found.text.contains(" Gossip T"), "seed {seed}: {found:?}");
        named += 1;
    }
    assert!(named > 5, "{named}");
}

/// Goal: guided by the recorded fates, nearly all of the record happens again although a new kind of message is between. (A crash
/// in the middle of a step draws a coin for each message of the step, and what survives of a run after that is less.)
#[test]
fn a_guided_rerun_goes_on() {
    let (mut recorded_events, mut again) = (0, 0);
    for seed in 0..10 {
        let run = recorded(&plan(seed));
        let guided = run.guided::<Chatty, Kv>(LIMIT);
        assert!(guided.again * 4 > guided.recorded * 3, "seed {seed}: {guided:?}");
        assert!(run.is_met_by(&guided), "seed {seed}: {:?}", guided.violated);
        let has_company = run.plan.nodes > 1;
        assert_eq!(guided.divergence.is_some(), has_company, "seed {seed}");
        recorded_events += guided.recorded;
        again += guided.again;
    }
    assert!(again * 100 > recorded_events * 95, "{again} of {recorded_events}");
}

/// Goal: the fates on record hold against what the network would do on its own.
#[test]
fn recorded_fates_decide() {
    let run = recorded(&plan(2));
    assert!(!run.fates.is_empty());
    let mut lossy = run.clone();
    lossy.plan.network.loss_per_million = 900_000;
    lossy.plan.network.slow.per_million = 500_000;
    let Strict::Differs(_) = lossy.strict::<Node, Kv>(LIMIT) else { panic!("much is lost") };
    assert_eq!(lossy.guided::<Node, Kv>(LIMIT).divergence, None);
}
