//! `raft-core`, with the usual settings and the loop that every driver of it has.

use std::collections::VecDeque;

use raft_bench::driver::{Outside, carry_out};
use raft_bench::group::founders;
use raft_core::{
    Apply, ClusterId, Effects, Envelope, Input, Instant, Node, Payload, Request, RequestId, Role,
};

use crate::workload::{Cluster, Commands, Order};

/// Time stands still but for the election: nothing is ever late.
const NOW: Instant = Instant(1);

pub(crate) struct Ours {
    nodes: Vec<(Node, Order)>,
    leader: usize,
    network: VecDeque<Envelope>,
    effects: Effects,
    requests: u64,
}

/// What a node reaches: the network, and its machine.
struct Reach<'a> {
    network: &'a mut VecDeque<Envelope>,
    order: &'a mut Order,
}

impl Outside for Reach<'_> {
    fn send(&mut self, envelope: Envelope) {
        self.network.push_back(envelope);
    }

    fn apply(&mut self, batch: &Apply) {
        for entry in batch.entries() {
            if let Payload::Command { data, .. } = entry.payload {
                self.order.take(data);
            }
        }
    }
}

impl Ours {
    pub(crate) fn elected(nodes: usize) -> Self {
        let founders = founders(ClusterId(1), nodes, |usual| usual);
        let nodes = founders.map(|node| (node, Order::default())).collect();
        let (network, effects) = (VecDeque::new(), Effects::new());
        let mut cluster = Self { nodes, leader: 0, network, effects, requests: 0 };
        for place in 0..cluster.nodes.len() {
            cluster.step(place, Input::Tick);
        }
        cluster.step(0, Input::Campaign);
        cluster.run();
        assert_eq!(cluster.nodes[0].0.role(), Role::Leader);
        cluster
    }

    fn step(&mut self, place: usize, input: Input) {
        let Self { nodes, network, effects, .. } = self;
        let (node, order) = &mut nodes[place];
        node.step(NOW, input, effects);
        carry_out(node, NOW, effects, &mut Reach { network, order });
    }
}

impl Cluster for Ours {
    fn propose(&mut self, commands: Commands) {
        for command in commands.bytes() {
            self.requests += 1;
            let request = Request::Propose { id: RequestId(self.requests), command };
            let (node, _) = &mut self.nodes[self.leader];
            node.feed(NOW, Input::Request(request), &mut self.effects);
        }
        self.step(self.leader, Input::Tick);
    }

    fn run(&mut self) {
        while let Some(envelope) = self.network.pop_front() {
            let place = usize::try_from(envelope.to.0 - 1).expect("a node of the cluster");
            self.step(place, Input::Receive(envelope));
        }
    }

    fn applied(&self) -> Vec<u64> {
        self.nodes.iter().map(|(_, order)| order.count()).collect()
    }
}
