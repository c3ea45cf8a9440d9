//! Groups of nodes: clusters of `raft-core`, whose messages are moved by hand and whose time is a number. Any number of
//! them can share one [`Driver`].

use std::collections::VecDeque;

use raft_core::{
    Bootstrap, ClusterId, Effects, Envelope, Input, Instant, Membership, Node, NodeId, Reply, Role,
    Settings, Ticks,
};

use crate::driver::{Outside, carry_out};

/// How often the leaders of these groups let their followers hear from them.
pub const HEARTBEAT: Ticks = Settings::new(ClusterId(0), NodeId(0)).heartbeat_interval;

/// Moves time, messages and effects.
#[derive(Debug, Default)]
pub struct Driver {
    now: Instant,
    effects: Effects,
    network: Network,
}

#[derive(Debug, Default)]
struct Network {
    messages: VecDeque<Envelope>,
    replies: u64,
}

impl Outside for Network {
    fn send(&mut self, envelope: Envelope) {
        self.messages.push_back(envelope);
    }

    fn answer(&mut self, _reply: Reply) {
        self.replies += 1;
    }
}

impl Driver {
    /// A driver whose time begins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Time goes on.
    pub fn wait(&mut self, span: Ticks) {
        self.now = self.now.after(span);
    }

    /// How many requests were answered so far.
    pub fn replies(&self) -> u64 {
        self.network.replies
    }

    /// A node takes an input, and what it asks for is carried out but for messages, which wait.
    pub fn step(&mut self, node: &mut Node, input: Input) {
        node.step(self.now, input, &mut self.effects);
        carry_out(node, self.now, &mut self.effects, &mut self.network);
    }

    /// The message that has waited for longest.
    pub fn take_message(&mut self) -> Option<Envelope> {
        self.network.messages.pop_front()
    }

    /// Delivers messages within a group, until none is left. Says how many there were.
    ///
    /// # Panics
    /// When one is for somebody else.
    pub fn deliver(&mut self, group: &mut [Node]) -> u64 {
        let mut delivered = 0;
        while let Some(envelope) = self.take_message() {
            let place = usize::try_from(envelope.to.0 - 1).expect("a member of the group");
            self.step(&mut group[place], Input::Receive(envelope));
            delivered += 1;
        }
        delivered
    }
}

/// The founders of a group, which are named from 1 on.
///
/// # Panics
/// When the settings contradict each other.
pub fn founders(
    cluster: ClusterId,
    nodes: usize,
    adapt: impl Fn(Settings) -> Settings,
) -> impl Iterator<Item = Node> {
    let ids = move || (1..=nodes as u64).map(NodeId);
    let membership = Membership::of_voters(ids()).expect("there are voters");
    ids().map(move |id| {
        let config = adapt(Settings::new(cluster, id)).validate().expect("settings that agree");
        let bootstrap = Bootstrap { membership: membership.clone() };
        Node::new(config, bootstrap, Instant(0)).expect("a founder")
    })
}

/// The founders elect one of them.
///
/// # Panics
/// When they do not.
pub fn elect(driver: &mut Driver, group: &mut [Node], leader: usize) {
    for node in &mut *group {
        driver.step(node, Input::Tick);
    }
    driver.step(&mut group[leader], Input::Campaign);
    driver.deliver(group);
    assert_eq!(group[leader].role(), Role::Leader, "whoever stands alone is elected");
    assert!(group.iter().all(|node| node.leader() == group[leader].leader()), "all follow");
}

/// A round of heartbeats, when one is due, with its answers. Says how many messages that were.
pub fn heartbeat(driver: &mut Driver, group: &mut [Node], leader: usize) -> u64 {
    driver.step(&mut group[leader], Input::Tick);
    driver.deliver(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_idle_keeps_its_leader() {
        let mut driver = Driver::new();
        let mut group: Vec<Node> = founders(ClusterId(1), 5, |usual| usual).collect();
        elect(&mut driver, &mut group, 3);
        for _ in 0..100 {
            driver.wait(HEARTBEAT);
            assert_eq!(heartbeat(&mut driver, &mut group, 3), 8, "four heartbeats, four answers");
        }
        assert!(group.iter().all(|node| node.leader() == Some(NodeId(4))));
    }
}
