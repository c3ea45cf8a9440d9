//! `raft-core`, with the loop that every driver of it has.

use std::collections::VecDeque;

use raft_core::{
    Bootstrap, ClusterId, Effect, Effects, Envelope, Input, Instant, Membership, Node, NodeId,
    Payload, Request, RequestId, Role, Settings,
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

impl Ours {
    pub(crate) fn elected(nodes: usize) -> Self {
        let ids = || (1..=nodes as u64).map(NodeId);
        let membership = Membership::of_voters(ids()).expect("there are voters");
        let node = |id| {
            let settings = Settings::new(ClusterId(1), id);
            let config = settings.validate().expect("the usual settings are valid");
            let bootstrap = Bootstrap { membership: membership.clone() };
            (Node::new(config, bootstrap, Instant(0)).expect("a founder"), Order::default())
        };
        let nodes = ids().map(node).collect();
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
        self.nodes[place].0.step(NOW, input, &mut self.effects);
        self.carry_out(place);
    }

    fn carry_out(&mut self, place: usize) {
        let (node, order) = &mut self.nodes[place];
        while let Some(effect) = self.effects.pop() {
            let answer = match effect {
                Effect::Send(envelope) => {
                    self.network.push_back(envelope);
                    continue;
                }
                Effect::Persist(persist) => Input::Persisted(persist.done()),
                Effect::Apply(apply) => {
                    for entry in apply.entries() {
                        if let Payload::Command { data, .. } = entry.payload {
                            order.take(data);
                        }
                    }
                    Input::Applied(apply.done())
                }
                Effect::Restore(restore) => Input::Applied(restore.done()),
                _ => continue,
            };
            node.feed(NOW, answer, &mut self.effects);
            if self.effects.is_empty() && node.deadline() <= NOW {
                node.step(NOW, Input::Tick, &mut self.effects);
            }
        }
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
