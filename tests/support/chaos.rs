//! Random runs: messages late, lost, repeated and out of order; links cut; disks slow; nodes crashed in the
//! middle of a write and restarted. The same seed gives the same run.

use raft_core::{Forwarding, LogIndex, NodeId, Role, Settings, Ticks, Toggle};

use super::{Cluster, E, HEARTBEAT, Pace, disk, settings};

/// A small generator (splitmix64): good enough to choose what happens next.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = (bits ^ (bits >> 31)) % bound as u64;
        usize::try_from(drawn).expect("the bound was a usize")
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A cluster to which things happen at random.
#[derive(Clone, Debug)]
pub(crate) struct Chaos {
    pub(crate) cluster: Cluster,
    pub(crate) dice: Dice,
}

impl Chaos {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let size = dice.pick(&[1, 2, 3, 3, 3, 4, 5, 5]);
        let toggle = |dice: &mut Dice| dice.pick(&[Toggle::On, Toggle::On, Toggle::Off]);
        let settings = Settings {
            seed,
            pre_vote: toggle(&mut dice),
            check_quorum: toggle(&mut dice),
            stickiness: toggle(&mut dice),
            forwarding: dice.pick(&[
                Forwarding::ToLeader,
                Forwarding::ToLeader,
                Forwarding::Refuse,
            ]),
            max_batch_entries: dice.pick(&[1, 2, 4_096]),
            max_batch_bytes: dice.pick(&[1, 80, 4_096]),
            max_inflight_messages: dice.pick(&[1, 3, 64]),
            max_inflight_bytes: dice.pick(&[1, 200, 100_000]),
            max_uncommitted_bytes: dice.pick(&[1, 500, 100_000]),
            max_undurable_bytes: dice.pick(&[1, 300, 100_000]),
            max_command_bytes: 64,
            max_pending_requests: dice.pick(&[3, 1_000]),
            request_timeout: dice.pick(&[Ticks(150), Ticks(2_000)]),
            ..settings()
        };
        Self { cluster: Cluster::with(size, settings), dice }
    }

    /// One thing happens.
    pub(crate) fn act(&mut self) {
        match self.dice.below(100) {
            0..64 => self.network(),
            64..74 => self.time(),
            74..84 => self.propose(),
            84..95 => self.disk(),
            95..97 => self.crash_or_restart(),
            97..99 => self.cut_or_heal(),
            _ => self.machine(),
        }
    }

    fn node(&mut self) -> NodeId {
        let ids = self.cluster.ids();
        self.dice.pick(&ids)
    }

    fn network(&mut self) {
        let waiting = self.cluster.network.len();
        if waiting == 0 {
            return;
        }
        // Mostly in order.
        let place = if self.dice.one_in(4) { self.dice.below(waiting) } else { 0 };
        let envelope = self.cluster.network.remove(place);
        if self.cluster.cut.contains(&(envelope.from, envelope.to)) || self.dice.one_in(30) {
            return;
        }
        if self.dice.one_in(20) {
            self.cluster.network.push(envelope.clone());
        }
        self.cluster.receive(envelope);
    }

    fn time(&mut self) {
        let span = if self.dice.one_in(20) { 2 * E.0 } else { HEARTBEAT.0 };
        let span = Ticks(self.dice.below(usize::try_from(span).expect("a short span")) as u64);
        self.cluster.wait(span);
        let id = self.node();
        if self.dice.one_in(50) {
            self.cluster.campaign(id);
        } else {
            self.cluster.tick(id);
        }
    }

    fn propose(&mut self) {
        let id = match self.cluster.leader() {
            Some(leader) if !self.dice.one_in(4) => leader,
            None if !self.dice.one_in(4) => return,
            _ => self.node(),
        };
        if self.cluster.hosts[&id].node.is_some() {
            let length = self.dice.pick(&[0, 3, 3, 40, 40, 40, 60, 70]);
            self.cluster.propose(id, vec![b'x'; length]);
        }
    }

    fn disk(&mut self) {
        let id = self.node();
        match self.cluster.hosts[&id].disk_pace {
            Pace::Prompt if self.dice.one_in(4) => self.cluster.hold_disk(id),
            Pace::Prompt => {}
            Pace::Held if self.dice.one_in(6) => self.cluster.release_disk(id),
            Pace::Held => self.cluster.sync(id),
        }
    }

    fn machine(&mut self) {
        let id = self.node();
        self.cluster.host(id).machine_pace = self.dice.pick(&[Pace::Prompt, Pace::Held]);
        self.cluster.finish_apply(id);
    }

    fn crash_or_restart(&mut self) {
        let id = self.node();
        let host = &self.cluster.hosts[&id];
        if host.node.is_none() {
            self.cluster.restart(id);
        } else if self.dice.one_in(8) {
            let parts = host.writing.as_ref().map_or(0, |(_, write)| disk::parts(write));
            let kept = self.dice.below(parts + 1);
            self.cluster.crash_keeping(id, kept);
        }
    }

    fn cut_or_heal(&mut self) {
        let (one, other) = (self.node(), self.node());
        match self.dice.below(6) {
            0 => self.cluster.isolate(self.cluster.leader().unwrap_or(one)),
            1 => self.cluster.cut(one, other),
            2 => drop(self.cluster.cut.insert((one, other))),
            _ => self.cluster.heal(),
        }
    }

    /// Ends all faults; the cluster must then agree on a leader and on everything, and take a command.
    pub(crate) fn recover(&mut self) {
        let cluster = &mut self.cluster;
        cluster.heal();
        for id in cluster.ids() {
            if cluster.hosts[&id].node.is_none() {
                cluster.restart(id);
            }
            cluster.host(id).machine_pace = Pace::Prompt;
            cluster.finish_apply(id);
            cluster.release_disk(id);
        }
        cluster.pass(Ticks(20 * E.0));
        let leader = cluster.leader().expect("a healed cluster elects a leader");
        assert_eq!(cluster.role(leader), Role::Leader);
        let last = cluster.last(leader);
        cluster.propose(leader, "last");
        cluster.pass(Ticks(5 * E.0));
        for id in cluster.ids() {
            assert!(cluster.node(id).applied() > LogIndex(last), "{}", cluster.node(id).status());
            assert_eq!(cluster.terms(id), cluster.terms(leader));
            assert_eq!(cluster.commands(id), cluster.commands(leader));
        }
    }
}
