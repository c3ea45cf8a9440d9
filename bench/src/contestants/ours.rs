//! `raft-core`, with the usual settings and the loop that every driver of it has.

use std::mem;

use raft_bench::driver::{Outside, carry_out};
use raft_bench::group::founders;
use raft_core::{
    Apply, ClusterId, Effects, Envelope, Input, Instant, Node, Payload, Request, RequestId, Role,
};

use crate::workload::{Cluster, Commands, Order};

/// Time stands still but for the election: nothing is ever late.
const NOW: Instant = Instant(1);

struct Member {
    node: Node,
    order: Order,
    effects: Effects,
}

pub(crate) struct Ours {
    members: Vec<Member>,
    leader: usize,
    network: Vec<Envelope>,
    /// What is being delivered.
    arrived: Vec<Envelope>,
    requests: u64,
}

/// What a node reaches: the network, and its machine.
struct Reach<'a> {
    network: &'a mut Vec<Envelope>,
    order: &'a mut Order,
}

impl Outside for Reach<'_> {
    fn send(&mut self, envelope: Envelope) {
        self.network.push(envelope);
    }

    fn apply(&mut self, batch: &Apply) {
        for entry in batch.entries() {
            if let Payload::Command { data, .. } = entry.payload {
                self.order.take(data);
            }
        }
    }
}

impl Member {
    fn step(&mut self, input: Input, network: &mut Vec<Envelope>) {
        let Self { node, order, effects } = self;
        node.step(NOW, input, effects);
        carry_out(node, NOW, effects, &mut Reach { network, order });
    }

    fn feed(&mut self, input: Input) {
        self.node.feed(NOW, input, &mut self.effects);
    }
}

impl Ours {
    pub(crate) fn elected(nodes: usize) -> Self {
        let founders = founders(ClusterId(1), nodes, |usual| usual);
        let member = |node| Member { node, order: Order::default(), effects: Effects::new() };
        let members = founders.map(member).collect();
        let (network, arrived) = (Vec::new(), Vec::new());
        let mut cluster = Self { members, leader: 0, network, arrived, requests: 0 };
        for member in &mut cluster.members {
            member.step(Input::Tick, &mut cluster.network);
        }
        cluster.members[0].step(Input::Campaign, &mut cluster.network);
        cluster.run();
        assert_eq!(cluster.members[0].node.role(), Role::Leader);
        cluster
    }
}

impl Cluster for Ours {
    fn propose(&mut self, commands: Commands) {
        let leader = &mut self.members[self.leader];
        for command in commands.bytes() {
            self.requests += 1;
            let request = Request::Propose { id: RequestId(self.requests), command };
            leader.feed(Input::Request(request));
        }
        leader.step(Input::Tick, &mut self.network);
    }

    /// All that has arrived is fed, and then each node that has something to do does it.
    fn run(&mut self) {
        while !self.network.is_empty() {
            mem::swap(&mut self.network, &mut self.arrived);
            for envelope in self.arrived.drain(..) {
                let place = usize::try_from(envelope.to.0 - 1).expect("a node of the cluster");
                self.members[place].feed(Input::Receive(envelope));
            }
            for member in &mut self.members {
                if member.node.deadline() <= NOW {
                    member.step(Input::Tick, &mut self.network);
                }
            }
        }
    }

    fn applied(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.order.count()).collect()
    }
}
