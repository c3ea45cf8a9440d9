//! State machines and clients.

use super::*;
use crate::check::SEARCH_BUDGET;
use crate::coverage::Situation;
use crate::history::OpId;
use raft_core::{HardState, Incarnation, Outcome, Refusal};

const REFUSED: Outcome = Outcome::Refused { refusal: Refusal::NoLeader, leader: None };

pub(super) fn done(index: u64) -> Outcome {
    Outcome::Done { position: position(index, 1) }
}

/// Settled, and applied everywhere; nobody is known to have asked for the commands "a" and "b" yet.
pub(super) fn applied() -> Scene {
    let mut scene = Scene::settled();
    for node in 1..=3 {
        for index in 1..=3 {
            scene.apply(node, index).expect("sound");
        }
    }
    scene
}

pub(super) fn invoke(scene: &mut Scene, id: u64, command: &Bytes) {
    scene.now += 1;
    scene.checks.invoked(Instant(scene.now), OpId(id), 0, NodeId(1), command);
}

pub(super) fn answer(
    scene: &mut Scene,
    id: u64,
    outcome: Outcome,
    output: Option<&'static str>,
) -> Checked {
    scene.now += 1;
    let output = output.map(|output| Bytes::from_static(output.as_bytes()));
    scene.checks.answered(Instant(scene.now), OpId(id), NodeId(1), &outcome, output.as_ref())
}

/// Goal: clients that are told the truth see a clean run.
#[test]
fn truthful_answers_are_clean() {
    let mut scene = applied();
    invoke(&mut scene, 1, &put("a"));
    answer(&mut scene, 1, done(2), Some("ok")).expect("sound");
    invoke(&mut scene, 2, &put("b"));
    invoke(&mut scene, 3, &put("b"));
    answer(&mut scene, 2, Outcome::Unknown, None).expect("sound");
    answer(&mut scene, 3, REFUSED, None).expect("sound");
    // How the nodes came to be where they are is not shown: the specification has nothing to say.
    assert_eq!(scene.checks.finish_order(Instant(99)), Ok(()));
    assert_eq!(scene.checks.search(Instant(99), SEARCH_BUDGET), Ok(()));
    assert_eq!(scene.checks.coverage.searches.searched, 1);
    assert_eq!(scene.checks.coverage.count(Situation::ProposalRefused), 1);
    assert_eq!(scene.checks.history().done(), 1);
}

/// Goal: one answer each, to what was asked.
#[test]
fn a_second_or_unasked_answer_fires() {
    let mut scene = applied();
    fires(answer(&mut scene, 1, REFUSED, None), Property::OneReply);
    invoke(&mut scene, 1, &put("a"));
    answer(&mut scene, 1, REFUSED, None).expect("sound");
    fires(answer(&mut scene, 1, done(2), Some("ok")), Property::OneReply);
}

/// Goal: what is done is committed, is what was asked, and gave what was told.
#[test]
fn untrue_answers_fire() {
    let told = |outcome, output| {
        let mut scene = applied();
        invoke(&mut scene, 1, &put("a"));
        answer(&mut scene, 1, outcome, output)
    };
    assert_eq!(told(done(2), Some("ok")), Ok(()));
    fires(told(done(4), Some("ok")), Property::Durability);
    fires(told(Outcome::Done { position: position(2, 2) }, None), Property::Durability);
    fires(told(done(3), Some("ok")), Property::ClientOrder);
    fires(told(done(1), None), Property::ClientOrder);
    fires(told(done(2), Some("other")), Property::ClientOrder);
}

/// Goal: two operations are not done by one entry, and the log respects real time.
#[test]
fn answers_out_of_order_fire() {
    let mut scene = applied();
    invoke(&mut scene, 1, &put("a"));
    invoke(&mut scene, 2, &put("a"));
    answer(&mut scene, 1, done(2), Some("ok")).expect("sound");
    fires(answer(&mut scene, 2, done(2), Some("ok")), Property::ClientOrder);
    let mut scene = applied();
    invoke(&mut scene, 1, &put("b"));
    answer(&mut scene, 1, done(3), Some("ok")).expect("sound");
    invoke(&mut scene, 2, &put("a"));
    fires(answer(&mut scene, 2, done(2), Some("ok")), Property::ClientOrder);
}

/// Goal: a read sees what was committed when it was asked, told to a client or not.
#[test]
fn a_read_that_is_behind_fires() {
    let read = |index| {
        let mut scene = applied();
        invoke(&mut scene, 1, &Command::Get { key: 0 }.encode());
        scene.checks.reads(OpId(1), NodeId(1));
        scene.checks.arrives(&facts(2, 1, 1, Claim::Answer), Instant(99), Instant(99));
        answer(&mut scene, 1, Outcome::Readable { index: LogIndex(index) }, Some("b"))
    };
    assert_eq!(read(3), Ok(()));
    fires(read(2), Property::ClientOrder);
}

/// A leader lets a read pass after an answer that its peer sent before it had heard of the read.
pub(super) fn a_read_that_nobody_confirms() -> Checked {
    read_after(Instant(1))
}

/// The leader lets a read pass when it has an answer to something that it sent at `sent`.
fn read_after(sent: Instant) -> Checked {
    let mut scene = applied();
    invoke(&mut scene, 1, &Command::Get { key: 0 }.encode());
    scene.checks.reads(OpId(1), NodeId(1));
    let question = facts(1, 2, 1, Claim::Heartbeat { commit: LogIndex(3) });
    scene.checks.arrives(&question, sent, Instant(0));
    let reply = facts(2, 1, 1, Claim::Answer);
    let echo = scene.checks.echo(&reply);
    scene.checks.arrives(&reply, scene.at(), echo);
    answer(&mut scene, 1, Outcome::Readable { index: LogIndex(3) }, Some("b"))
}

/// Goal: a read passes when a quorum has answered what was sent after it was asked, not before.
#[test]
fn a_read_is_confirmed_after_it_was_asked() {
    fires(a_read_that_nobody_confirms(), Property::ReadConfirmed);
    assert_eq!(read_after(Instant(1_000)), Ok(()));
}

/// Goal: what is done was done by the machine of the node that says so, and comes with its output.
#[test]
fn what_is_not_applied_is_not_done() {
    let mut scene = applied();
    invoke(&mut scene, 1, &put("a"));
    fires(answer(&mut scene, 1, done(2), None), Property::ClientOrder);

    // The other machines have it already, so its output is known; that of n1 has not come so far.
    let mut scene = Scene::settled();
    for index in 1..=2 {
        scene.apply(2, index).expect("sound");
    }
    scene.apply(1, 1).expect("sound");
    invoke(&mut scene, 1, &put("a"));
    fires(answer(&mut scene, 1, done(2), Some("ok")), Property::ClientOrder);
    let mut scene = Scene::settled();
    for index in 1..=2 {
        scene.apply(1, index).expect("sound");
    }
    invoke(&mut scene, 1, &put("a"));
    assert_eq!(answer(&mut scene, 1, done(2), Some("ok")), Ok(()));
}

/// Goal: an operation is lost only where an entry of another term is committed.
#[test]
fn what_is_not_decided_is_not_lost() {
    for index in [2, 9] {
        let mut scene = applied();
        invoke(&mut scene, 1, &put("z"));
        let lost = Outcome::Lost { position: LogPosition::new(Term(1), LogIndex(index)) };
        fires(answer(&mut scene, 1, lost, None), Property::ClientOrder);
    }
}

/// Goal: what was refused, or never asked for, or asked for once, is not committed, not at all, not twice.
#[test]
fn commands_that_nobody_may_have_asked_for_fire() {
    let lost = Outcome::Lost { position: LogPosition::new(Term(0), LogIndex(2)) };
    for outcome in [REFUSED, lost] {
        let mut scene = applied();
        invoke(&mut scene, 1, &put("a"));
        invoke(&mut scene, 2, &put("b"));
        answer(&mut scene, 2, outcome, None).expect("sound");
        let result = scene.checks.finish(Instant(99));
        assert!(result.as_ref().is_err_and(|wrong| wrong.witness.contains("op 2")), "{result:?}");
        fires(result, Property::ClientOrder);
    }
    let mut scene = applied();
    invoke(&mut scene, 1, &put("a"));
    fires(scene.checks.finish(Instant(99)), Property::ClientOrder);
    let mut scene = applied();
    invoke(&mut scene, 1, &put("a"));
    invoke(&mut scene, 2, &put("b"));
    scene.append(1, 3, &[entry(1, "a")]).expect("sound");
    scene.append(2, 3, &[entry(1, "a")]).expect("sound");
    scene.persist(1).expect("sound");
    scene.persist(2).expect("sound");
    scene.commit(1, 4).expect("sound");
    scene.apply(1, 4).expect("sound");
    fires(scene.checks.finish(Instant(99)), Property::ClientOrder);
}

/// Goal: a stale read shows in the search, which knows nothing of the log.
#[test]
fn a_stale_read_fires() {
    let mut scene = applied();
    overwrite(&mut scene);
    assert_eq!(scene.checks.search(Instant(99), SEARCH_BUDGET), Ok(()));
    let mut scene = read_a_stale_value();
    fires(scene.checks.search(Instant(99), SEARCH_BUDGET), Property::Linearizability);
    assert_eq!(scene.checks.search(Instant(99), 1), Ok(()));
    assert_eq!(scene.checks.coverage.searches.inconclusive, 1);
}

/// A client has been told of two writes, and another reads the value of the first.
pub(super) fn read_a_stale_value() -> Scene {
    let mut scene = applied();
    overwrite(&mut scene);
    tell(&mut scene, 3, &Command::Get { key: 0 }.encode(), "a");
    scene
}

fn overwrite(scene: &mut Scene) {
    tell(scene, 1, &put("a"), "ok");
    tell(scene, 2, &put("b"), "ok");
}

/// The history takes an answer, whatever the log says.
fn tell(scene: &mut Scene, id: u64, command: &Bytes, output: &'static str) {
    invoke(scene, id, command);
    let (at, op) = (Instant(scene.now), OpId(id));
    let output = Bytes::from_static(output.as_bytes());
    scene.checks.history.answer(at, op, NodeId(1), done(id), Some(&output)).expect("asked");
}

/// Goal: an entry that is skipped, repeated, not committed, or another than the committed one fires.
#[test]
fn wrong_applications_fire() {
    let mut scene = Scene::settled();
    fires(scene.apply(1, 2), Property::StateMachineSafety);
    let mut scene = applied();
    fires(scene.apply(1, 3), Property::StateMachineSafety);
    let mut scene = applied();
    scene.append(1, 3, &[entry(1, "c")]).expect("sound");
    fires(scene.apply(1, 4), Property::StateMachineSafety);
    let mut scene = Scene::settled();
    scene.apply(2, 1).expect("sound");
    scene.node(2).entries[1] = entry(1, "x");
    fires(scene.apply(2, 2), Property::StateMachineSafety);
}

/// Goal: machines that differ in state or output at one index fire, and so does one that a replay does not explain.
#[test]
fn machines_that_differ_fire() {
    let mut scene = Scene::settled();
    for index in 1..=3 {
        scene.apply(1, index).expect("sound");
    }
    let other = Command::Put { key: 1, value: Bytes::from_static(b"z") }.encode();
    scene.machines[1].apply(LogPosition::ZERO, &other);
    fires(scene.apply(2, 1), Property::DigestsAgree);

    let mut scene = Scene::settled();
    invoke(&mut scene, 1, &put("a"));
    invoke(&mut scene, 2, &put("b"));
    scene.machines[0].apply(LogPosition::ZERO, &other);
    scene.apply(1, 1).expect("the first decides");
    fires(scene.checks.finish(Instant(99)), Property::DigestsAgree);
}

/// A machine whose invariant is that it has taken no command.
#[derive(Clone, Default)]
pub(super) struct Fragile(u64);

impl Machine for Fragile {
    fn apply(&mut self, _: LogPosition, _: &Bytes) -> Bytes {
        self.0 += 1;
        Bytes::new()
    }

    fn digest(&self) -> u64 {
        self.0
    }

    fn snapshot(&self) -> Bytes {
        Bytes::new()
    }

    fn restore(_: &Bytes) -> Result<Self, String> {
        Ok(Self::default())
    }

    fn invariant(&self) -> Result<(), String> {
        if self.0 == 0 { Ok(()) } else { Err("a command was taken".to_owned()) }
    }

    fn command(_: &mut crate::draw::Draw) -> Bytes {
        Bytes::new()
    }
}

/// Goal: a machine that does not come back from its snapshot fires at the end of the run.
#[test]
fn a_machine_that_its_snapshot_does_not_restore_fires() {
    let mut scene = applied();
    let machine = scene.machines[0].clone();
    assert_eq!(scene.checks.restored(Instant(99), NodeId(1), &machine), Ok(()));
    let membership = Membership::of_voters([NodeId(1)]).expect("a voter");
    let mut checks = Checks::<Fragile>::new(&[settings()], &membership, CheckLevel::Full);
    // It restores nothing, which does for a machine that has taken nothing.
    assert_eq!(checks.restored(Instant(99), NodeId(1), &Served::bare(Fragile(0))), Ok(()));
    fires(
        checks.restored(Instant(99), NodeId(1), &Served::bare(Fragile(1))),
        Property::DigestsAgree,
    );
}

/// Goal: a machine's own invariant is checked after each entry.
#[test]
fn a_broken_machine_fires() {
    let membership = Membership::of_voters([NodeId(1)]).expect("a voter");
    let mut checks = Checks::<Fragile>::new(&[settings()], &membership, CheckLevel::Full);
    let mut fake = Scene::new(1).nodes.remove(0);
    checks.started(Instant(0), NodeId(1), &fake).expect("sound");
    fake.entries = vec![entry(1, "a")];
    (fake.view.term, fake.view.vote) = (Term(1), Some(NodeId(1)));
    let hard_state =
        HardState { term: Term(1), vote: Some(NodeId(1)), incarnation: Incarnation(1) };
    let vote = Write { hard_state: Some(hard_state), ..Write::default() };
    checks.durable(Instant(1), NodeId(1), &vote).expect("sound");
    fake.view.role = Role::Leader;
    fake.view.last = position(1, 1);
    checks.stepped(Instant(1), NodeId(1), &fake, &fake.view).expect("sound");
    let entries = fake.entries.iter().cloned().collect();
    let append = Some(Append { first: LogIndex(1), entries });
    checks.durable(Instant(2), NodeId(1), &Write { append, ..Write::default() }).expect("sound");
    fake.view.commit = LogIndex(1);
    checks.stepped(Instant(3), NodeId(1), &fake, &fake.view).expect("sound");
    let (command, mut machine) = (put("a"), Served::bare(Fragile::default()));
    let output = machine.apply(position(1, 1), &command);
    let result = checks.applied(
        Instant(4),
        NodeId(1),
        position(1, 1),
        Some(&command),
        &machine,
        Some(&output),
    );
    fires(result, Property::MachineInvariant);
}
