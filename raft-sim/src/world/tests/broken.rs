//! Nodes that are wrong in one way each, and machines too: what the world must notice of them.
//!
//! A [`Broken`] node is `raft-core`'s but for its [`Flaw`].

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use raft_core::{
    Apply, ClusterId, Effects, Entry, Envelope, HardState, Instant, Join, LogIndex, LogPosition,
    Membership, Message, Node, Persist, Restore, Settings, SnapshotMeta, Start, TakeSnapshot, Term,
    Ticks, Toggle, Write,
};

use super::plan;
use crate::campaign::{Campaign, Seeds, run_guarded};
use crate::core_adapter::Chore;
use crate::draw::Draw;
use crate::kv::Kv;
use crate::machine::Machine;
use crate::plan::{CrashPoint, Cut, Fault, Plan, StaticCut, Target, Way};
use crate::raft::{Committed, Facts, Input, Output, Raft, Task, View};
use crate::violation::{Property, Violation};
use crate::world::run;

/// What is wrong with a node. Nothing is, unless a flaw says so.
pub(crate) trait Flaw: 'static {
    /// The settings that it goes by.
    fn settings(settings: Settings) -> Settings {
        settings
    }

    /// Whether it starts from what it is given.
    fn starts(_start: &Start) -> bool {
        true
    }

    /// What it takes the start that it is given for.
    fn takes_for(start: Start) -> Start {
        start
    }

    /// What it makes of a message before it looks at it.
    fn hears(envelope: Envelope) -> Envelope {
        envelope
    }

    /// What it does before each step.
    fn before_step() {}

    /// Whether it sends a message that it should.
    fn sends(_message: &Message) -> bool {
        true
    }

    /// When it wants to be stepped next.
    fn deadline(node: &Node) -> Instant {
        node.deadline()
    }

    /// Until when it thinks that it holds a lease.
    fn lease_until(node: &Node) -> Option<Instant> {
        Raft::lease_until(node)
    }
}

/// A node with a flaw.
pub(crate) struct Broken<F>(Node, PhantomData<F>);

impl<F: Flaw> Raft for Broken<F> {
    type Message = Envelope;
    type Persist = Persist;
    type Apply = Apply;
    type Restore = Restore;
    type Take = TakeSnapshot;
    type Chore = Chore;
    type Effects = Effects;

    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String> {
        if !F::starts(&start) {
            return Err("it will not".to_owned());
        }
        let node = <Node as Raft>::start(F::settings(settings), F::takes_for(start), now)?;
        Ok(Self(node, PhantomData))
    }

    fn step(&mut self, now: Instant, input: Input<Self>, effects: &mut Effects) {
        F::before_step();
        let input = match input {
            Input::Tick => Input::Tick,
            Input::Receive(envelope) => Input::Receive(F::hears(envelope)),
            Input::Persisted(persist) => Input::Persisted(persist),
            Input::Applied(apply) => Input::Applied(apply),
            Input::Restored(restore) => Input::Restored(restore),
            Input::Taken(take) => Input::Taken(take),
            Input::Answered(chore, answer) => Input::Answered(chore, answer),
            Input::Request(request) => Input::Request(request),
            Input::Campaign => Input::Campaign,
            Input::Suppress(span) => Input::Suppress(span),
        };
        Raft::step(&mut self.0, now, input, effects);
    }

    fn pop(effects: &mut Effects) -> Option<Output<Self>> {
        loop {
            return Some(match <Node as Raft>::pop(effects)? {
                Output::Send(envelope) if !F::sends(&envelope.message) => continue,
                Output::Send(envelope) => Output::Send(envelope),
                Output::Persist(persist) => Output::Persist(persist),
                Output::Apply(apply) => Output::Apply(apply),
                Output::Restore(restore) => Output::Restore(restore),
                Output::Chore(chore) => Output::Chore(chore),
                Output::Reply(reply) => Output::Reply(reply),
                Output::Event(event) => Output::Event(event),
            });
        }
    }

    fn deadline(&self) -> Instant {
        F::deadline(&self.0)
    }

    fn view(&self) -> View {
        self.0.view()
    }

    fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.0.entry(index)
    }

    fn term(&self, index: LogIndex) -> Option<Term> {
        Raft::term(&self.0, index)
    }

    fn take_snapshot(&self, index: LogIndex) -> Option<TakeSnapshot> {
        self.0.take_snapshot(index)
    }

    fn oldest_snapshot_in_use(&self) -> LogPosition {
        self.0.oldest_snapshot_in_use()
    }

    fn membership(&self) -> &Membership {
        self.0.membership()
    }

    fn is_membership_committed(&self) -> bool {
        self.0.is_membership_committed()
    }

    fn inflight(&self) -> (u64, u64) {
        self.0.inflight()
    }

    fn lease_until(&self) -> Option<Instant> {
        F::lease_until(&self.0)
    }

    fn twin(&self) -> Option<Self> {
        Some(Self(self.0.clone(), PhantomData))
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0.same_state(&other.0)
    }

    fn invariants(&self) -> Result<(), String> {
        Raft::invariants(&self.0)
    }

    fn write(persist: &Persist) -> &Write {
        persist.write()
    }

    fn restores(restore: &Restore) -> &SnapshotMeta {
        <Node as Raft>::restores(restore)
    }

    fn takes(take: &TakeSnapshot) -> &SnapshotMeta {
        <Node as Raft>::takes(take)
    }

    fn task(chore: &Chore) -> Task<'_> {
        <Node as Raft>::task(chore)
    }

    fn committed(apply: &Apply) -> impl Iterator<Item = Committed<'_>> {
        <Node as Raft>::committed(apply)
    }

    fn facts(envelope: &Envelope) -> Facts {
        Node::facts(envelope)
    }

    fn malformed(envelope: &Envelope, draw: &mut Draw) -> Option<Envelope> {
        Node::malformed(envelope, draw)
    }
}

/// A machine that writes nothing into its snapshot.
#[derive(Clone, Default)]
struct Forgetful(Kv);

impl Machine for Forgetful {
    fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes {
        self.0.apply(position, command)
    }

    fn digest(&self) -> u64 {
        self.0.digest()
    }

    fn snapshot(&self) -> Bytes {
        Kv::default().snapshot()
    }

    fn restore(snapshot: &Bytes) -> Result<Self, String> {
        Kv::restore(snapshot).map(Self)
    }

    fn command(draw: &mut Draw) -> Bytes {
        Kv::command(draw)
    }
}

fn violation<R: Raft, M: Machine>(plan: &Plan) -> Violation {
    run::<R, M>(plan).violation.expect("the run is not clean")
}

/// A plan with a lasting cut of the link between the leader and another node.
fn with_lasting_cut() -> Plan {
    let mut plan = plan(&[]);
    let cut = Cut::Link { target: Target::Leader, other: Target::Anyone, way: Way::Both };
    let election = plan.settings.election_timeout.0;
    let (settle, lasts) = (Ticks(20 * election), Ticks(20 * election));
    plan.static_cut = Some(StaticCut { cut, settle, lasts });
    plan
}

fn plan_with_crash() -> Plan {
    let crash = Fault::Crash {
        target: Target::Leader,
        point: CrashPoint::Now,
        down: Ticks(200_000),
        keeps: None,
    };
    plan(&[(800_000, crash)])
}

fn plan_with_pause() -> Plan {
    plan(&[(800_000, Fault::Pause { target: Target::Leader, lasts: Ticks(1_000_000) })])
}

fn plan_with_malformed() -> Plan {
    let mut plan = plan(&[]);
    plan.network.malformed_per_million = 20_000;
    plan
}

struct Flawless;

impl Flaw for Flawless {}

/// Never acknowledges entries.
struct Mute;

impl Flaw for Mute {
    fn sends(message: &Message) -> bool {
        !matches!(message, Message::AppendReply(_))
    }
}

/// Goes without whatever keeps a leader in office.
struct Restless;

impl Flaw for Restless {
    fn settings(settings: Settings) -> Settings {
        Settings { pre_vote: Toggle::Off, stickiness: Toggle::Off, ..settings }
    }
}

/// Does not come back from its disk.
pub(crate) struct Gone;

impl Flaw for Gone {
    fn starts(start: &Start) -> bool {
        !matches!(start, Start::Restart(_))
    }
}

/// Takes an empty disk for that of a newcomer, whatever it was told.
struct Amnesiac;

impl Flaw for Amnesiac {
    fn takes_for(start: Start) -> Start {
        match start {
            Start::Restart(restored) if restored.hard_state == HardState::default() => Join.into(),
            other => other,
        }
    }
}

/// Always has something to do at once.
struct Sleepless;

impl Flaw for Sleepless {
    fn deadline(_: &Node) -> Instant {
        Instant(0)
    }
}

/// Does not return from a step.
struct Endless;

impl Flaw for Endless {
    fn before_step() {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

struct Panicking;

impl Flaw for Panicking {
    fn before_step() {
        panic!("nothing works");
    }
}

/// Trusts that nobody is elected behind its back.
struct Trusting;

impl Flaw for Trusting {
    fn lease_until(_: &Node) -> Option<Instant> {
        Some(Instant::NEVER)
    }
}

/// Takes a message of any cluster for one of its own.
struct Credulous;

impl Flaw for Credulous {
    fn hears(envelope: Envelope) -> Envelope {
        Envelope { cluster: ClusterId(1), ..envelope }
    }
}

/// Nodes that acknowledge nothing commit nothing.
pub(crate) fn not_live() -> Violation {
    violation::<Broken<Mute>, Kv>(&plan(&[]))
}

/// Nodes that stand for election whenever they hear nobody depose a leader that all others hear.
pub(crate) fn unsteady() -> Violation {
    violation::<Broken<Restless>, Kv>(&with_lasting_cut())
}

/// A leader is suspended and believes that no other can be elected meanwhile.
pub(crate) fn lease_not_exclusive() -> Violation {
    violation::<Broken<Trusting>, Kv>(&plan_with_pause())
}

/// A node crashes and does not come back.
pub(crate) fn not_restored() -> Violation {
    violation::<Broken<Gone>, Kv>(&plan_with_crash())
}

/// Nodes that are always due do things without end.
pub(crate) fn over_budget() -> Violation {
    let mut plan = plan(&[]);
    plan.limits.events = 100_000;
    violation::<Broken<Sleepless>, Kv>(&plan)
}

/// A message of another cluster is believed.
pub(crate) fn not_rejected() -> Violation {
    violation::<Broken<Credulous>, Kv>(&plan_with_malformed())
}

/// A run does not return.
pub(crate) fn over_time() -> Violation {
    let seeds = Seeds::new(0..1).expect("the band is not empty");
    let campaign = Campaign { seed_limit: Duration::from_millis(100), ..Campaign::new(seeds) };
    let summary = campaign.run::<Broken<Endless>, Kv>(|_| ());
    summary.failures.into_iter().next().expect("the only seed fails").violation
}

/// A step panics.
pub(crate) fn panicked() -> Violation {
    let guarded = run_guarded::<Broken<Panicking>, Kv>(&plan(&[]));
    guarded.verdict.violation.expect("a panic is a violation")
}

fn caught(violation: &Violation, property: Property, says: &str) {
    assert_eq!(violation.property, property, "{violation}");
    assert!(violation.witness.contains(says), "{violation}");
}

/// Goal: a cluster that commits nothing is not live, and under a lasting cut not steady either.
#[test]
fn a_cluster_that_commits_nothing_fires() {
    caught(&not_live(), Property::Liveness, "no operation asked of");
    let violation = violation::<Broken<Mute>, Kv>(&with_lasting_cut());
    caught(&violation, Property::SteadyProgress, "nothing was committed");
}

/// Goal: under a lasting cut of one link, a leader that all others hear stays.
#[test]
fn a_cluster_that_deposes_its_leaders_fires() {
    caught(&unsteady(), Property::SteadyProgress, "elected without need");
}

/// Goal: a lease that is held while another leads is seen, whether or not anybody reads.
#[test]
fn a_lease_that_outlasts_the_leader_fires() {
    caught(&lease_not_exclusive(), Property::ExclusiveLease, "is led already");
}

/// Goal: a node that cannot start from its disk is a violation, and not a node that stays down.
#[test]
fn a_node_that_does_not_come_back_fires() {
    caught(&not_restored(), Property::RestoreFailed, "it will not");
}

/// Goal: a node that never falls quiet ends the run, not the patience of people.
#[test]
fn a_node_that_never_falls_quiet_fires() {
    caught(&over_budget(), Property::EventBudget, "100000 events");
}

/// Goal: what a gate lets through that it should reject is seen.
#[test]
fn a_gate_that_stands_open_fires() {
    caught(&not_rejected(), Property::RejectedUnchanged, "ClusterId(2)");
}

/// Goal: a step that does not return fails its seed, and so does one that panics.
#[test]
fn a_step_that_does_not_return_fires() {
    caught(&over_time(), Property::TimeLimit, "100 ms");
    caught(&panicked(), Property::Panic, "nothing works");
}

/// Goal: a machine that does not come back from its snapshot is found at the end of the run.
#[test]
fn a_forgetful_machine_fires() {
    let violation = violation::<Node, Forgetful>(&plan(&[]));
    caught(&violation, Property::DigestsAgree, "snapshot");
}

/// Goal: it is the flaws that are caught: without one, the same plans are clean.
#[test]
fn a_flawless_node_is_clean() {
    let mut malformed = plan_with_malformed();
    malformed.faults = plan_with_crash().faults;
    for plan in [malformed, with_lasting_cut(), plan_with_pause()] {
        assert_eq!(run::<Broken<Flawless>, Kv>(&plan).violation, None);
    }
}

/// Goal: an old name with an empty disk is refused; one that is let in all the same is caught.
#[test]
fn a_node_that_comes_back_without_its_disk_is_caught() {
    let lost = Fault::LoseDisk { target: Target::Leader, down: Ticks(100_000) };
    let plan = plan(&[(800_000, lost)]);
    assert_eq!(run::<Broken<Flawless>, Kv>(&plan).violation, None);
    let violation = violation::<Broken<Amnesiac>, Kv>(&plan);
    assert_eq!(violation.property, Property::Monotonic);
    assert!(violation.witness.contains("restarted in T0"), "{}", violation.witness);
}
