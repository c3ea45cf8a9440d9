//! The specification alone: a run by the book is allowed, and each thing that a node may not do or say is told in its words.

use super::*;

/// Three nodes, and no check but the specification.
fn bare() -> Scene {
    let mut scene = Scene::new(3);
    scene.checks.level = CheckLevel::Specification;
    scene
}

/// A message is sent, and arrives.
fn hears(scene: &mut Scene, from: u64, to: u64, term: u64, claim: Claim) -> Checked {
    scene.sent(from, to, term, claim)?;
    scene.delivered(from, to, term, claim)
}

/// A node stands, others hear of it and vote for it, and it leads.
fn lead(scene: &mut Scene, node: u64, term: u64, voters: &[u64]) -> Checked {
    scene.vote(node, term, node)?;
    let last = scene.node(node).view.last;
    for voter in voters {
        scene.delivered(node, *voter, term, Claim::AskVote { last })?;
        scene.vote(*voter, term, node)?;
    }
    scene.node(node).view.role = Role::Leader;
    scene.step(node)
}

/// The leader n1 sends what it has after `keep` to a node, which takes and acknowledges it.
fn replicate(scene: &mut Scene, node: u64, keep: usize) -> Checked {
    let (log, term) = (scene.node(1).entries.clone(), scene.node(1).view.term);
    let before = keep.checked_sub(1).map_or(Term::ZERO, |place| log[place].term);
    let previous = LogPosition::new(before, LogIndex(keep as u64));
    let entries = u32::try_from(log.len() - keep).expect("few");
    let commit = scene.node(1).view.commit;
    hears(scene, 1, node, term.0, Claim::Append { previous, entries, bytes: 0, commit })?;
    scene.node(node).view.term = term;
    scene.append(node, keep, &log[keep..])?;
    scene.persist(node)?;
    let matched = LogIndex(log.len() as u64);
    hears(scene, node, 1, term.0, Claim::Acknowledge { matched })
}

fn blank(term: u64) -> Entry {
    Entry { term: Term(term), payload: Payload::Blank }
}

/// n1 leads T1 with the vote of n2, and has two entries on its disk.
fn led() -> Scene {
    let mut scene = bare();
    lead(&mut scene, 1, 1, &[2]).expect("by the book");
    scene.append(1, 0, &[blank(1), entry(1, "a")]).expect("by the book");
    scene.persist(1).expect("by the book");
    scene
}

/// All three have the two entries, and n1 and n2 have committed them.
fn committed() -> Scene {
    let mut scene = led();
    for node in [2, 3] {
        replicate(&mut scene, node, 0).expect("by the book");
    }
    scene.commit(1, 2).expect("by the book");
    hears(&mut scene, 1, 2, 1, Claim::Heartbeat { commit: LogIndex(2) }).expect("by the book");
    scene.commit(2, 2).expect("by the book");
    scene
}

/// A state is changed, and the checks see it.
fn changed(mut scene: Scene, node: u64, change: fn(&mut View)) -> Checked {
    change(&mut scene.node(node).view);
    scene.step(node)
}

/// A node hears something, and its log becomes another.
fn took(node: u64, claim: Claim, keep: usize, entries: &[Entry]) -> Checked {
    let mut scene = committed();
    scene.delivered(1, node, 1, claim)?;
    scene.append(node, keep, entries)
}

fn append(index: u64, term: u64, entries: u32) -> Claim {
    Claim::Append { previous: position(index, term), entries, bytes: 0, commit: LogIndex(2) }
}

#[track_caller]
fn departs(result: Checked, in_words: &str) {
    let violation = result.expect_err(in_words);
    assert_eq!(violation.property, Property::Specification);
    assert!(violation.witness.contains(in_words), "{violation}, not `{in_words}`");
}

/// Goal: elections, replication, a crash, and what another leader then appends are all allowed.
#[test]
fn a_run_by_the_book_is_allowed() {
    let mut scene = committed();
    scene.crash(1, &Write::default());
    scene.start(1).expect("it knows what its disk holds");
    lead(&mut scene, 2, 2, &[3]).expect("its log is as good");
    scene.append(2, 2, &[blank(2)]).expect("a leader appends");
    assert_eq!(scene.persist(2), Ok(()));
}

/// Goal: terms do not fall, begin with somebody who stands, and are learnt of from messages (paper §5.1).
#[test]
fn terms_that_nobody_began() {
    departs(changed(committed(), 2, |view| view.term = Term(0)), "back to T0");
    departs(changed(committed(), 2, |view| view.term = Term(5)), "of which nobody told it");
    let mut scene = committed();
    scene.delivered(3, 2, 7, Claim::Nothing).expect("it is only heard");
    departs(changed(scene, 2, |view| (view.term, view.vote) = (Term(7), None)), "nobody has begun");
}

/// Goal: one vote a term, for somebody who stands and asked, with a log as good (paper §5.2, §5.4.1).
#[test]
fn votes_that_may_not_be() {
    departs(changed(committed(), 2, |view| view.vote = None), "took its vote");
    departs(changed(committed(), 2, |view| view.vote = Some(NodeId(3))), "voted twice");
    departs(changed(committed(), 3, |view| view.vote = Some(NodeId(3))), "does not stand");
    departs(changed(committed(), 3, |view| view.vote = Some(NodeId(2))), "has not asked");
    let mut scene = led();
    scene.delivered(1, 3, 1, Claim::AskVote { last: LogPosition::ZERO }).expect("it is heard");
    scene.vote(3, 2, 3).expect("n3 stands, without an entry");
    let asks = Claim::AskVote { last: LogPosition::ZERO };
    scene.delivered(3, 1, 2, asks).expect("it is only heard");
    departs(scene.vote(1, 2, 3), "whose log ends at i2@T1");
}

/// Goal: a leader has the votes of a quorum, its own on its disk (paper §5.2).
#[test]
fn leaders_that_nobody_elected() {
    departs(changed(committed(), 3, |view| view.role = Role::Leader), "without the votes");
    let mut scene = bare();
    scene.node(1).view.term = Term(1);
    scene.node(1).view.vote = Some(NodeId(1));
    scene.node(1).view.role = Role::Candidate;
    scene.step(1).expect("it stands");
    departs(changed(scene, 1, |view| view.role = Role::Leader), "without the votes");
}

/// Goal: a node begins with what its disk holds.
#[test]
fn restarts_from_another_disk() {
    let restarted = |change: fn(&mut View)| {
        let mut scene = committed();
        scene.crash(2, &Write::default());
        change(&mut scene.node(2).view);
        scene.start(2)
    };
    assert_eq!(restarted(|_| ()), Ok(()));
    departs(restarted(|view| view.vote = None), "restarts with another term, vote or log");
    departs(restarted(|view| view.last = position(1, 1)), "restarts with another");
    departs(restarted(|view| view.commit = LogIndex(3)), "restarts with a commit index");
}

/// Goal: a leader appends entries of its term at the end of its log, and removes none (paper Figure 3).
#[test]
fn leaders_that_change_their_logs() {
    departs(committed().append(1, 1, &[]), "removed i2");
    departs(committed().append(1, 2, &[entry(2, "b")]), "of other terms");
}

/// Goal: a follower takes what its leader sent, where it holds the entry before, and removes what contradicts it (paper §5.3).
#[test]
fn entries_that_nobody_sent() {
    departs(committed().append(2, 2, &[entry(1, "x")]), "was sent no entries");
    departs(took(2, append(5, 1, 1), 2, &[entry(1, "x")]), "does not hold the entry before");
    departs(
        took(2, append(2, 1, 1), 2, &[entry(1, "x"), entry(1, "y")]),
        "not to what it was sent",
    );
    departs(took(2, append(1, 1, 0), 1, &[]), "does not contradict");
}

/// Goal: a log begins with a snapshot of what is committed, which a leader sent (paper §7).
#[test]
fn snapshots_that_nobody_sent() {
    let begin = |at: LogPosition| {
        let mut scene = led();
        replicate(&mut scene, 2, 0)?;
        scene.commit(1, 2)?;
        scene.node(3).view.base = at;
        scene.step(3)
    };
    departs(begin(position(2, 1)), "was sent no such snapshot");
    departs(begin(position(3, 1)), "is not committed");
}

/// Goal: a leader commits what is of its term and acknowledged by a quorum; others what they were told (paper §5.4.2).
#[test]
fn commits_that_may_not_be() {
    departs(changed(committed(), 1, |view| view.commit = LogIndex(1)), "fell to i1");
    departs(led().commit(1, 2), "no quorum has acknowledged");
    departs(committed().commit(3, 2), "was not told");
    // n2 leads T2 with two entries of T1 (paper Figure 8).
    let mut scene = led();
    for node in [2, 3] {
        replicate(&mut scene, node, 0).expect("by the book");
    }
    lead(&mut scene, 2, 2, &[3]).expect("by the book");
    departs(scene.commit(2, 2), "of another term");
}

/// Goal: memberships follow one another by joint consensus or by one voter (thesis §4.1, §4.3), and nodes go by the last.
#[test]
fn memberships_that_may_not_follow() {
    let members = |ids: [u64; 3]| Membership::of_voters(ids.map(NodeId)).expect("voters");
    let change = |membership: &Membership| {
        let payload = Payload::Membership(std::sync::Arc::new(membership.clone()));
        Entry { term: Term(1), payload }
    };
    let (others, same) = (members([7, 8, 9]), members([1, 2, 3]));
    departs(committed().append(1, 2, &[change(&others)]), "changed the membership");
    departs(led().append(1, 2, &[change(&same)]), "before it might");
    let mut scene = committed();
    scene.node(1).membership = others;
    departs(scene.append(1, 2, &[change(&same)]), "goes by another membership");
}

/// Goal: what is said is on the disk, and true (paper §5.6, Figure 2; thesis §3.8).
#[test]
fn messages_that_may_not_be_sent() {
    let (one, two) = (LogIndex(1), LogIndex(2));
    let lies = [
        (2, 3, 1, Claim::AskVote { last: position(2, 1) }),
        (3, 1, 1, Claim::GrantVote),
        (2, 3, 1, append(2, 1, 0)),
        (1, 3, 1, append(2, 1, 1)),
        (1, 3, 1, append(1, 2, 1)),
        (2, 3, 1, Claim::Heartbeat { commit: one }),
        (1, 2, 1, Claim::Heartbeat { commit: LogIndex(3) }),
        (1, 2, 1, Claim::Snapshot { position: position(3, 1), bytes: 1 }),
        (2, 1, 1, Claim::Acknowledge { matched: LogIndex(3) }),
        (2, 3, 1, Claim::Acknowledge { matched: two }),
        (2, 1, 2, Claim::Nothing),
    ];
    for (from, to, term, claim) in lies {
        departs(committed().sent(from, to, term, claim), "which its state and disk do not allow");
    }
    // It has taken them, and not written them.
    let mut scene = led();
    hears(
        &mut scene,
        1,
        2,
        1,
        Claim::Append { previous: LogPosition::ZERO, entries: 2, bytes: 0, commit: LogIndex(0) },
    )
    .expect("by the book");
    let log = scene.node(1).entries.clone();
    scene.append(2, 0, &log).expect("by the book");
    departs(scene.sent(2, 1, 1, Claim::Acknowledge { matched: two }), "do not allow");
}
