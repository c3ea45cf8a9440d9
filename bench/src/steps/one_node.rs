//! Steps of one node of three. What the others say is made up.

use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, Ballot, Cause, ClusterId, Entry, Envelope, Input, LogPosition,
    Message, Node, NodeId, Payload, Term, Ticks, WireVersion,
};

use super::Repeat;
use super::three_nodes::Trio;
use crate::group::{Driver, HEARTBEAT};

const LEADER: usize = 0;
const FOLLOWER: usize = 1;

/// One of three nodes, for which nothing is left to do.
struct Member {
    driver: Driver,
    node: Node,
}

impl Member {
    fn of_trio(place: usize) -> Self {
        let Trio { driver, mut nodes, .. } = Trio::elected(|usual| usual);
        Self { driver, node: nodes.swap_remove(place) }
    }

    fn tick(&mut self) {
        self.driver.step(&mut self.node, Input::Tick);
        assert!(self.driver.take_message().is_none(), "nothing is due");
    }

    /// Hears something, and says what it answers.
    fn hear(&mut self, from: NodeId, term: Term, message: Message) -> Message {
        let envelope = Envelope {
            version: WireVersion::CURRENT,
            cluster: ClusterId(1),
            from,
            to: self.node.id(),
            term,
            message,
        };
        self.driver.step(&mut self.node, Input::Receive(envelope));
        let answer = self.driver.take_message().expect("it answers");
        assert!(self.driver.take_message().is_none(), "it answers once");
        answer.message
    }
}

pub(super) fn tick_leader() -> Box<dyn Repeat> {
    let mut leader = Member::of_trio(LEADER);
    Box::new(move || leader.tick())
}

pub(super) fn tick_follower() -> Box<dyn Repeat> {
    let mut follower = Member::of_trio(FOLLOWER);
    Box::new(move || follower.tick())
}

pub(super) fn append() -> Box<dyn Repeat> {
    let mut follower = Member::of_trio(FOLLOWER);
    let leader = follower.node.leader().expect("it was elected");
    let term = follower.node.term();
    let mut previous = follower.node.last();
    let command = Bytes::from_static(b"sixteen bytes...");
    Box::new(move || {
        let entry = Entry { term, payload: Payload::command(command.clone()) };
        let entries = std::iter::once(entry).collect();
        let append = AppendEntries { previous, entries, commit: previous.index };
        let answer = follower.hear(leader, term, Message::AppendEntries(append));
        let matched = previous.index.next();
        let accepted = Message::AppendReply(AppendReply::Accepted { matched });
        assert_eq!(answer, accepted, "its log has the entry");
        previous = LogPosition::new(term, matched);
    })
}

pub(super) fn vote() -> Box<dyn Repeat> {
    let mut voter = Member::of_trio(FOLLOWER);
    // Nobody votes against a leader that is heard.
    voter.driver.wait(Ticks(10 * HEARTBEAT.0));
    let mut term = voter.node.term();
    // The candidate's log is the same.
    let last = voter.node.last();
    Box::new(move || {
        term = term.next().expect("terms are many");
        let request = Message::RequestVote { last, cause: Cause::Timeout };
        let answer = voter.hear(NodeId(3), term, request);
        assert_eq!(answer, Message::VoteReply { ballot: Ballot::Granted }, "it votes");
    })
}
