//! Changes of membership: one at a time, each within reach of the one before.

use super::*;

fn voters(ids: &[u64]) -> Membership {
    Membership::of_voters(ids.iter().copied().map(NodeId)).expect("there are voters")
}

fn joint(from: &[u64], to: &[u64]) -> Membership {
    let set = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
    let parts = MembershipParts { voters: set(to), outgoing: set(from), ..Default::default() };
    parts.try_into().expect("there are voters")
}

/// The node's log takes the membership in after the entries that it keeps.
fn change(scene: &mut Scene, node: u64, keep: usize, term: u64, to: &Membership) -> Checked {
    scene.node(node).membership = to.clone();
    let payload = Payload::Membership(to.clone().into());
    scene.append(node, keep, &[Entry { term: Term(term), payload }])
}

pub(super) fn a_change_on_top_of_another() -> Checked {
    let mut scene = Scene::settled();
    change(&mut scene, 1, 3, 1, &voters(&[1, 2])).expect("sound");
    change(&mut scene, 1, 4, 1, &voters(&[1]))
}

/// Goal: a leader's next change waits for the one before; a follower takes both at once.
#[test]
fn a_change_waits_for_the_one_before() {
    fires(a_change_on_top_of_another(), Property::OneChangeAtATime);
    let mut scene = Scene::settled();
    change(&mut scene, 3, 3, 1, &voters(&[1, 2])).expect("sound");
    assert_eq!(change(&mut scene, 3, 4, 1, &voters(&[1])), Ok(()));
}

/// Goal: a new leader's change waits for an entry of its own term; the way out of a joint membership does not.
#[test]
fn a_change_waits_for_an_entry_of_the_term() {
    let elected = |before: Option<&Membership>| {
        let mut scene = Scene::settled();
        if let Some(before) = before {
            for node in 1..=3 {
                change(&mut scene, node, 3, 1, before).expect("sound");
                scene.persist(node).expect("sound");
            }
            scene.commit(1, 4).expect("sound");
            scene.commit(2, 4).expect("sound");
        }
        scene.elect(2, 2, &[3]).expect("sound");
        scene
    };
    let result = change(&mut elected(None), 2, 3, 2, &voters(&[1, 2]));
    fires(result, Property::OneChangeAtATime);
    let before = joint(&[1, 2, 3], &[2, 3]);
    assert_eq!(change(&mut elected(Some(&before)), 2, 4, 2, &voters(&[2, 3])), Ok(()));
}

/// Goal: one step is one voter, or into or out of a joint membership of both.
#[test]
fn a_change_that_is_too_large_fires() {
    let step = |to: &Membership| change(&mut Scene::settled(), 1, 3, 1, to);
    assert_eq!(step(&voters(&[1, 3])), Ok(()));
    assert_eq!(step(&joint(&[1, 2, 3], &[2])), Ok(()));
    fires(step(&voters(&[2])), Property::OneChangeAtATime);
    fires(step(&joint(&[1, 2], &[2])), Property::OneChangeAtATime);
}
