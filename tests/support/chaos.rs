//! Random runs: messages late, lost, repeated and out of order; links cut; disks, machines and readers slow;
//! nodes crashed in the middle of a write and restarted; members changed, leadership handed over, logs
//! compacted, reads everywhere. The same seed gives the same run.

mod dice;
mod recovery;

use std::collections::BTreeMap;

pub use dice::Dice;
use raft_core::{
    Forwarding, Membership, MembershipParts, NodeId, Priority, RequestId, Role, Settings, Ticks,
    Toggle,
};

use super::lanes::Transport;
use super::{Cluster, E, HEARTBEAT, Pace, disk, settings};

/// A cluster to which things happen at random.
#[derive(Clone, Debug)]
pub struct Chaos {
    pub cluster: Cluster,
    pub dice: Dice,
    /// The command of each proposal; no two are the same.
    proposed: BTreeMap<RequestId, Vec<u8>>,
    /// How often each kind of thing happens in this run.
    weights: [usize; ACTIONS.len()],
    /// One message in so many is lost, one repeated, and one overtaken.
    lost: usize,
    repeated: usize,
    overtaken: usize,
}

/// Something that can happen, and how often it does in the middle.
type Action = (fn(&mut Chaos), usize);

const ACTIONS: [Action; 12] = [
    (Chaos::network, 120),
    (Chaos::time, 17),
    (Chaos::propose, 17),
    (Chaos::read, 4),
    (Chaos::change, 3),
    (Chaos::transfer, 1),
    (Chaos::compact, 5),
    (Chaos::disk, 18),
    (Chaos::lanes, 8),
    (Chaos::machine, 9),
    (Chaos::crash_or_restart, 4),
    (Chaos::cut_or_heal, 4),
];

impl Chaos {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let size = dice.pick(&[1, 2, 3, 3, 3, 4, 5, 5]);
        let settings = draw(seed, &mut dice);
        let mut cluster = Cluster::with(size, settings);
        cluster.transport = dice.pick(&[Transport::Chunks, Transport::Chunks, Transport::Locators]);
        for spare in 0..dice.below(3) as u64 {
            cluster.join(NodeId(size + 1 + spare));
        }
        // Without pre-vote, one that is quick to stand and cannot win keeps a slow one from leading.
        if settings.pre_vote.is_on() && dice.one_in(4) {
            for id in cluster.ids() {
                cluster.host(id).settings.priority = Priority(dice.pick(&[0, 0, 1, 2]));
                cluster.crash(id);
                cluster.restart(id);
            }
        }
        let mut weights = ACTIONS.map(|(_, weight)| weight);
        for weight in &mut weights[2..] {
            *weight *= dice.pick(&[0, 1, 1, 1, 4]);
        }
        let [lost, repeated, overtaken] =
            [[10, 30, 30, 1_000], [5, 20, 20, 1_000], [2, 4, 4, 100]].map(|of| dice.pick(&of));
        let proposed = BTreeMap::new();
        Self { cluster, dice, proposed, weights, lost, repeated, overtaken }
    }

    /// One thing happens.
    pub fn act(&mut self) {
        let mut drawn = self.dice.below(self.weights.iter().sum());
        for ((action, _), weight) in ACTIONS.iter().zip(self.weights) {
            match drawn.checked_sub(weight) {
                Some(rest) => drawn = rest,
                None => return action(self),
            }
        }
    }

    fn node(&mut self) -> NodeId {
        let ids = self.cluster.ids();
        self.dice.pick(&ids)
    }

    /// The leader mostly, if there is one; a node that is up.
    fn asked(&mut self) -> Option<NodeId> {
        let id = match self.cluster.leader() {
            Some(leader) if !self.dice.one_in(4) => leader,
            None if !self.dice.one_in(4) => return None,
            _ => self.node(),
        };
        self.cluster.hosts[&id].node.is_some().then_some(id)
    }

    fn network(&mut self) {
        let waiting = self.cluster.network.len();
        if waiting == 0 {
            return;
        }
        // Mostly in order.
        let place = if self.dice.one_in(self.overtaken) { self.dice.below(waiting) } else { 0 };
        let envelope = self.cluster.network.remove(place);
        if self.cluster.cut.contains(&(envelope.from, envelope.to)) || self.dice.one_in(self.lost) {
            return;
        }
        if self.dice.one_in(self.repeated) {
            self.cluster.network.push(envelope.clone());
        }
        self.cluster.receive(envelope);
    }

    fn time(&mut self) {
        let span = if self.dice.one_in(20) { 2 * E.0 } else { HEARTBEAT.0 };
        let span = Ticks(self.dice.below(usize::try_from(span).expect("a short span")) as u64);
        self.cluster.wait(span);
        let id = self.node();
        match self.dice.below(100) {
            0 | 1 => self.cluster.campaign(id),
            2 => self.cluster.suppress(id, Ticks(2 * E.0)),
            _ => self.cluster.tick(id),
        }
    }

    fn propose(&mut self) {
        if let Some(id) = self.asked() {
            let length = self.dice.pick(&[0, 3, 3, 40, 40, 40, 60, 70]);
            let mut command = format!("{}.", self.proposed.len()).into_bytes();
            command.resize(length.max(command.len()), b'x');
            let request = self.cluster.propose(id, command.clone());
            self.proposed.insert(request, command);
        }
    }

    fn read(&mut self) {
        let id = self.node();
        if self.cluster.hosts[&id].node.is_some() {
            self.cluster.read(id);
        }
    }

    fn transfer(&mut self) {
        if let Some(id) = self.asked() {
            let to = self.node();
            self.cluster.transfer(id, to);
        }
    }

    /// To any members at all, or to one more or less than now.
    fn change(&mut self) {
        let Some(id) = self.asked() else { return };
        let mut parts: MembershipParts =
            Membership::clone(self.cluster.node(id).membership()).into();
        parts.outgoing.clear();
        let changes = if self.dice.one_in(2) { 1 } else { self.cluster.hosts.len() };
        for _ in 0..changes {
            let node = self.node();
            let was_voter = parts.voters.remove(&node);
            let was_learner = parts.learners.remove(&node);
            match self.dice.below(4) {
                0 if was_voter => drop(parts.learners.insert(node)),
                0 | 1 if !was_voter => drop(parts.voters.insert(node)),
                2 if !was_voter && !was_learner => drop(parts.learners.insert(node)),
                3 => {}
                _ => drop(parts.voters.insert(node)),
            }
        }
        if let Ok(to) = Membership::try_from(parts) {
            self.cluster.change(id, to);
        }
    }

    fn compact(&mut self) {
        let id = self.node();
        if self.cluster.hosts[&id].node.is_some() {
            self.cluster.compact(id);
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

    fn lanes(&mut self) {
        let id = self.node();
        match self.dice.below(12) {
            0 => self.cluster.release_lanes(id),
            1 => self.cluster.host(id).fetch_pace = Pace::Held,
            2 => self.cluster.host(id).chunk_pace = Pace::Held,
            3 => self.cluster.fail_fetch(id),
            4 => self.cluster.fail_chunk(id),
            5 => self.cluster.fail_staging(id),
            6..8 => self.cluster.finish_fetch(id),
            8..10 => self.cluster.finish_chunk(id),
            _ => self.cluster.finish_staging(id),
        }
    }

    fn machine(&mut self) {
        let id = self.node();
        if self.dice.one_in(4) {
            self.cluster.save_machine(id);
        }
        self.cluster.host(id).machine_pace = self.dice.pick(&[Pace::Prompt, Pace::Held]);
        self.cluster.finish_apply(id);
    }

    fn crash_or_restart(&mut self) {
        let id = self.node();
        if self.cluster.hosts[&id].node.is_none() {
            self.cluster.restart(id);
        } else if self.dice.one_in(8) {
            self.crash(id);
        }
    }

    /// A crash that keeps any prefix of what is under way.
    pub fn crash(&mut self, id: NodeId) {
        if self.dice.one_in(2) {
            self.cluster.stage_unseen(id);
        }
        let writing = self.cluster.hosts[&id].writing.as_ref();
        let parts = writing.map_or(0, |(_, write)| disk::parts(write));
        let kept = self.dice.below(parts + 1);
        self.cluster.crash_keeping(id, kept);
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

    /// Whether a node that is up leads.
    pub fn leads(&self, id: NodeId) -> bool {
        self.cluster.hosts[&id].node.as_ref().is_some_and(|node| node.role() == Role::Leader)
    }
}

/// Settings for a run: safeguards on or off, and limits from absurd to ample.
fn draw(seed: u64, dice: &mut Dice) -> Settings {
    let toggle = |dice: &mut Dice| dice.pick(&[Toggle::On, Toggle::On, Toggle::Off]);
    let read_lease = dice.pick(&[Toggle::Off, Toggle::Off, Toggle::On]);
    let stickiness = if read_lease.is_on() { Toggle::On } else { toggle(dice) };
    let forwarding = dice.pick(&[Forwarding::ToLeader, Forwarding::ToLeader, Forwarding::Refuse]);
    Settings {
        seed,
        pre_vote: toggle(dice),
        check_quorum: toggle(dice),
        stickiness,
        read_lease,
        forwarding,
        max_batch_entries: dice.pick(&[1, 2, 4_096]),
        max_batch_bytes: dice.pick(&[1, 80, 4_096]),
        max_inflight_messages: dice.pick(&[1, 3, 64]),
        max_inflight_bytes: dice.pick(&[1, 200, 100_000]),
        max_uncommitted_bytes: dice.pick(&[1, 500, 100_000]),
        max_undurable_bytes: dice.pick(&[1, 300, 100_000]),
        max_command_bytes: 64,
        max_cached_bytes: dice.pick(&[0, 200, 1_000, 100_000]),
        retained_entries: dice.pick(&[0, 2, 10, 10_000]),
        max_chunk_bytes: dice.pick(&[5, 50, 10_000]),
        max_pending_requests: dice.pick(&[3, 1_000]),
        request_timeout: dice.pick(&[Ticks(150), Ticks(2_000)]),
        ..settings()
    }
}
