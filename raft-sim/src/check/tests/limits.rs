//! What nodes hold.

use super::*;
use crate::history::OpId;
use raft_core::{Outcome, Refusal};

/// What an entry with a command of one letter counts.
const EACH: u64 = 35;

fn letters(count: usize) -> Vec<Entry> {
    ["c", "d", "e", "f", "g", "h"][..count].iter().map(|value| entry(1, value)).collect()
}

fn large() -> Entry {
    let value = Bytes::from(vec![b'x'; 5_000]);
    Entry { term: Term(1), payload: Payload::command(Command::Put { key: 0, value }.encode()) }
}

fn settled(change: fn(&mut Settings)) -> Scene {
    let mut settings = settings();
    change(&mut settings);
    Scene::settled_with(&settings)
}

/// Goal: the letters are as large as the limits below suppose.
#[test]
fn entries_have_their_size() {
    assert_eq!(entry(1, "c").size(), EACH);
}

/// Goal: a leader that takes proposals although too much is uncommitted fires, and a follower may hold as much.
#[test]
fn a_leader_that_refuses_nothing_fires() {
    let scene = || settled(|settings| settings.max_uncommitted_bytes = 3 * EACH);
    let mut leader = scene();
    assert_eq!(leader.append(1, 3, &letters(3)), Ok(()));
    fires(leader.append(1, 6, &letters(1)), Property::BoundedMemory);

    let mut leader = scene();
    leader.append(1, 3, &letters(3)).expect("sound");
    leader.append(2, 3, &letters(3)).expect("sound");
    leader.persist(1).expect("sound");
    leader.persist(2).expect("sound");
    leader.commit(1, 4).expect("sound");
    assert_eq!(leader.append(1, 6, &letters(1)), Ok(()), "a commit makes room");

    let mut leader = scene();
    assert_eq!(leader.append(1, 3, &[large()]), Ok(()), "one may be large");
    fires(leader.append(1, 4, &letters(1)), Property::BoundedMemory);

    let mut leader = scene();
    leader.append(1, 3, &letters(3)).expect("sound");
    assert_eq!(leader.append(2, 3, &letters(5)), Ok(()), "a follower is not asked");
}

/// Goal: a node that takes more than its disk keeps up with fires, whoever leads; what is being written is not
/// on disk yet, and what is on disk counts no more, known or not.
#[test]
fn a_node_that_outruns_its_disk_fires() {
    let scene = || settled(|settings| settings.max_undurable_bytes = 3 * EACH);
    for node in [1, 2] {
        let mut scene = scene();
        assert_eq!(scene.append(node, 3, &letters(3)), Ok(()));
        let write = scene.pending_write(node);
        scene.checks.submitted(scene.at(), NodeId(node), &write).expect("sound");
        fires(scene.append(node, 6, &letters(1)), Property::BoundedMemory);
    }
    let mut slow = scene();
    slow.append(2, 3, &letters(3)).expect("sound");
    let write = slow.pending_write(2);
    slow.checks.durable(slow.at(), NodeId(2), &write).expect("sound");
    assert_eq!(slow.append(2, 6, &letters(3)), Ok(()), "the disk has taken the first three");

    let mut slow = scene();
    assert_eq!(slow.append(2, 3, &[large()]), Ok(()), "one may be large");
    fires(slow.append(2, 4, &letters(1)), Property::BoundedMemory);
}

/// Goal: a node that keeps more requests than it may fires; refusals, answers and crashes make room.
#[test]
fn a_node_that_keeps_too_many_requests_fires() {
    let busy = Outcome::Refused { refusal: Refusal::Busy, leader: None };
    let ask = |scene: &mut Scene, id| {
        scene.checks.invoked(scene.at(), OpId(id), 0, NodeId(1), &put("z"));
        scene.checks.proposed(scene.at(), NodeId(1))
    };
    let full = || {
        let mut scene = settled(|settings| settings.max_pending_requests = 2);
        for id in 1..=3 {
            ask(&mut scene, id).expect("the third is to be refused");
        }
        scene
    };
    fires(ask(&mut full(), 4), Property::BoundedMemory);
    let mut scene = full();
    scene.checks.answered(scene.at(), OpId(3), NodeId(1), &busy, None).expect("sound");
    assert_eq!(ask(&mut scene, 4), Ok(()));
    let mut scene = full();
    scene.crash(1, &Write::default());
    scene.start(1).expect("sound");
    assert_eq!(ask(&mut scene, 4), Ok(()));
}
