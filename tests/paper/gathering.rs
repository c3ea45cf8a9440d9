//! Inputs that are there at the same time may be fed one by one and settled together (thesis §10.2.1: batching).

use raft_core::{Effect, Effects, Input, Message, NodeId, Request, RequestId, Role};

use support::{Cluster, E, N1, N2, N3, Pace};

/// Everything that was asked for.
fn all(effects: &mut Effects) -> Vec<Effect> {
    std::iter::from_fn(|| effects.pop()).collect()
}

/// How many entries each append has, and for whom it is.
fn appends(effects: &[Effect]) -> Vec<(NodeId, usize)> {
    let appends = effects.iter().filter_map(|effect| match effect {
        Effect::Send(envelope) => match &envelope.message {
            Message::AppendEntries(append) => Some((envelope.to, append.entries.len())),
            _ => None,
        },
        _ => None,
    });
    appends.collect()
}

/// Proposals that are fed make one message to each peer and one write.
#[test]
fn fed_proposals_make_one_batch() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let now = cluster.now;
    let (mut node, mut effects) = (cluster.node(N1).clone(), Effects::new());
    assert!(node.deadline() > now);
    for number in 0..5 {
        let request = Request::Propose { id: RequestId(100 + number), command: "x".into() };
        node.feed(now, Input::Request(request), &mut effects);
    }
    assert_eq!(node.deadline(), now, "the step is asked for at once");
    assert!(all(&mut effects).is_empty());
    node.step(now, Input::Tick, &mut effects);
    assert!(node.deadline() > now);
    let asked = all(&mut effects);
    assert_eq!(appends(&asked), [(N2, 5), (N3, 5)]);
    let written: Vec<usize> = asked
        .iter()
        .filter_map(|effect| match effect {
            Effect::Persist(persist) => {
                persist.write().append.as_ref().map(|append| append.entries.len())
            }
            _ => None,
        })
        .collect();
    assert_eq!(written, [5]);
}

/// What is refused is answered, whether more comes or not.
#[test]
fn a_fed_request_is_refused_at_once() {
    let cluster = Cluster::of(3);
    let (mut node, mut effects) = (cluster.node(N1).clone(), Effects::new());
    let request = Request::Propose { id: RequestId(7), command: "x".into() };
    node.feed(cluster.now, Input::Request(request), &mut effects);
    assert!(matches!(all(&mut effects)[..], [Effect::Reply(_)]));
}

/// §5.3: a leader that is fed several acknowledgements commits once, as far as the last of them says.
#[test]
fn fed_acknowledgements_commit_together() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N3);
    cluster.host(N1).machine_pace = Pace::Held;
    let commit = cluster.node(N1).commit();
    for command in ["a", "b", "c"] {
        cluster.propose(N1, command);
        cluster.deliver(N1, N2, "AppendEntries");
    }
    let now = cluster.now;
    let (mut node, mut effects) = (cluster.node(N1).clone(), Effects::new());
    for _ in 0..3 {
        let reply = cluster.take(N2, N1, "AppendReply");
        node.feed(now, Input::Receive(reply), &mut effects);
        assert_eq!(node.commit(), commit);
    }
    node.step(now, Input::Tick, &mut effects);
    assert_eq!(node.commit().0, commit.0 + 3);
    let asked = all(&mut effects);
    let batches: Vec<usize> = asked
        .iter()
        .filter_map(|effect| match effect {
            Effect::Apply(apply) => Some(apply.entries().count()),
            _ => None,
        })
        .collect();
    assert_eq!(batches, [3]);
}

/// §5.2: a majority that is fed elects with the step.
#[test]
fn fed_votes_elect_with_the_step() {
    let mut cluster = Cluster::of(3);
    cluster.wait(E);
    cluster.campaign(N1);
    for voter in [N2, N3] {
        cluster.deliver(N1, voter, "RequestPreVote");
        cluster.deliver(voter, N1, "PreVoteReply");
    }
    for voter in [N2, N3] {
        cluster.deliver(N1, voter, "RequestVote");
    }
    let now = cluster.now;
    let (mut node, mut effects) = (cluster.node(N1).clone(), Effects::new());
    for voter in [N2, N3] {
        let vote = cluster.take(voter, N1, "VoteReply");
        node.feed(now, Input::Receive(vote), &mut effects);
        assert_eq!(node.role(), Role::Candidate);
    }
    node.step(now, Input::Tick, &mut effects);
    assert_eq!(node.role(), Role::Leader);
}
