//! Steps of a cluster of three.

use bytes::Bytes;
use raft_core::{ClusterId, Input, Node, Request, RequestId, Settings, Toggle};

use super::Repeat;
use crate::group::{self, Driver, HEARTBEAT};

const LEADER: usize = 0;
const FOLLOWER: usize = 1;

/// Three nodes, of which the first leads, and nothing left to do.
pub(super) struct Trio {
    pub(super) driver: Driver,
    pub(super) nodes: Vec<Node>,
    requests: u64,
}

impl Trio {
    pub(super) fn elected(adapt: impl Fn(Settings) -> Settings) -> Self {
        let mut driver = Driver::new();
        let mut nodes: Vec<Node> = group::founders(ClusterId(1), 3, adapt).collect();
        group::elect(&mut driver, &mut nodes, LEADER);
        Self { driver, nodes, requests: 0 }
    }

    fn beat(&mut self) {
        self.driver.wait(HEARTBEAT);
        let messages = group::heartbeat(&mut self.driver, &mut self.nodes, LEADER);
        assert_eq!(messages, 4, "two heartbeats, two answers");
    }

    /// Asks for something, and goes on until nothing is left to do. Says how many messages that took.
    fn ask(&mut self, place: usize, request: impl FnOnce(RequestId) -> Request) -> u64 {
        self.requests += 1;
        let request = request(RequestId(self.requests));
        self.driver.step(&mut self.nodes[place], Input::Request(request));
        let messages = self.driver.deliver(&mut self.nodes);
        assert_eq!(self.driver.replies(), self.requests, "every request is answered");
        messages
    }

    fn read(&mut self, place: usize) -> u64 {
        self.ask(place, |id| Request::Read { id })
    }
}

pub(super) fn heartbeat() -> Box<dyn Repeat> {
    let mut trio = Trio::elected(|usual| usual);
    Box::new(move || trio.beat())
}

pub(super) fn read() -> Box<dyn Repeat> {
    let mut trio = Trio::elected(|usual| usual);
    Box::new(move || assert!(trio.read(LEADER) >= 3, "one of two others is asked and answers"))
}

pub(super) fn read_from_lease() -> Box<dyn Repeat> {
    let mut trio = Trio::elected(|usual| Settings { read_lease: Toggle::On, ..usual });
    // The first heartbeats are answered with promises.
    trio.beat();
    Box::new(move || assert_eq!(trio.read(LEADER), 0, "nobody is asked"))
}

pub(super) fn read_at_follower() -> Box<dyn Repeat> {
    let mut trio = Trio::elected(|usual| usual);
    Box::new(move || assert!(trio.read(FOLLOWER) >= 5, "the leader is asked, and asks"))
}

pub(super) fn propose() -> Box<dyn Repeat> {
    let mut trio = Trio::elected(|usual| usual);
    let command = Bytes::from_static(b"sixteen bytes...");
    Box::new(move || {
        trio.ask(LEADER, |id| Request::Propose { id, command: command.clone() });
    })
}
