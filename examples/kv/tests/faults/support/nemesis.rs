//! Draws what is done to a cluster, round after round. In each it inflicts a fault or two, waits, heals everything, and
//! measures how long it takes until service is back; also before the healing, when a majority is left.

use std::time::Duration;

use raft_core::NodeId;
use tokio::time::sleep;

use super::cluster::{Cluster, ELECTION};
use super::dice::Dice;
use super::disk_filling;
use super::faults::{Deed, Fault, Leaves, around, into, out_of};
use super::network::Link;
use super::proxy::Passage;
use super::recovery;

/// What became of a round.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    /// What was done.
    pub(crate) faults: Vec<Fault>,
    /// How long it took until a write succeeded in spite of the faults, where that can be expected.
    pub(crate) failover: Option<Duration>,
    /// How long it took until a write succeeded after everything was healed.
    pub(crate) recovery: Option<Duration>,
    /// What was not as it should be.
    pub(crate) problems: Vec<String>,
}

/// Draws faults.
#[derive(Clone, Debug)]
pub(crate) struct Nemesis {
    dice: Dice,
    round: u64,
}

impl Nemesis {
    /// The faults of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed, 0), round: 0 }
    }

    /// One round.
    pub(crate) async fn round(&mut self, cluster: &mut Cluster) -> Round {
        self.round += 1;
        let faults = self.draw(cluster).await;
        let mut problems = Vec::new();
        for fault in &faults {
            problems.extend(fault.inflict(cluster).await.err());
        }
        let failover = match &faults[..] {
            [Fault { leaves: Leaves::Majority, .. }] if self.dice.chance(70) => served(
                recovery::of_writes(cluster).await,
                "although a majority is left",
                &mut problems,
            ),
            _ => None,
        };
        let longest = if self.dice.chance(80) { 5 } else { 12 };
        sleep(self.dice.time(Duration::ZERO, longest * ELECTION)).await;
        problems.extend(cluster.dead());
        if self.dice.chance(30) {
            cluster.network.reset();
        }
        cluster.heal();
        let recovery = recovery::of_writes(cluster).await;
        let recovery = served(recovery, "after everything was healed", &mut problems);
        problems.extend(cluster.dead());
        if faults.iter().any(|fault| matches!(fault.deed, Deed::FillDisk(_))) {
            disk_filling::make_room(cluster).await;
        }
        if self.dice.chance(50) {
            problems.extend(recovery::of_every_node(cluster).await);
        }
        sleep(self.dice.time(Duration::ZERO, 2 * ELECTION)).await;
        Round { faults, failover, recovery, problems }
    }

    async fn draw(&mut self, cluster: &Cluster) -> Vec<Fault> {
        let nodes = cluster.nodes();
        // What every run, however short, has.
        if self.round == 1 {
            let deed = Deed::Kill(nodes);
            return vec![Fault { kind: "all killed at once", deed, leaves: Leaves::Nothing }];
        }
        if self.dice.chance(8) {
            // Alone: only a cluster that serves fills a disk.
            let deed = Deed::FillDisk(self.dice.pick(&nodes));
            return vec![Fault { kind: "disk full", deed, leaves: Leaves::Majority }];
        }
        let count = if self.dice.chance(30) { 2 } else { 1 };
        let mut faults = Vec::new();
        for _ in 0..count {
            let leader = cluster.leader().await;
            let leader = leader.unwrap_or_else(|| self.dice.pick(&nodes));
            faults.push(match self.dice.below(100) {
                0..40 => self.kill(leader, &nodes),
                40..60 => self.stop(leader, &nodes),
                _ => self.cut(leader, &nodes),
            });
        }
        faults
    }

    fn some(&mut self, nodes: &[NodeId]) -> Vec<NodeId> {
        let count = 1 + self.dice.place(nodes.len());
        self.dice.pick_many(nodes, count)
    }

    fn kill(&mut self, leader: NodeId, nodes: &[NodeId]) -> Fault {
        let (kind, killed) = match self.dice.below(4) {
            0 => ("all killed at once", nodes.to_vec()),
            1 => ("leader killed", vec![leader]),
            2 => ("some killed", self.some(nodes)),
            _ => {
                let times = 2 + self.dice.below(3);
                let pause = |_| self.dice.time(Duration::ZERO, ELECTION);
                let pauses = (0..times).map(pause).collect();
                let deed = Deed::KillAgain(self.dice.pick(nodes), pauses);
                let kind = "killed again while it starts";
                return Fault { kind, deed, leaves: Leaves::Majority };
            }
        };
        let leaves = left(killed.len(), nodes);
        Fault { kind, deed: Deed::Kill(killed), leaves }
    }

    fn stop(&mut self, leader: NodeId, nodes: &[NodeId]) -> Fault {
        let (kind, stopped) = match self.dice.below(4) {
            0 => ("all stopped", nodes.to_vec()),
            1 => ("some stopped", self.some(nodes)),
            _ => ("leader stopped", vec![leader]),
        };
        let leaves = left(stopped.len(), nodes);
        Fault { kind, deed: Deed::Stop(stopped), leaves }
    }

    fn cut(&mut self, leader: NodeId, nodes: &[NodeId]) -> Fault {
        let all: Vec<Link> = nodes.iter().flat_map(|id| out_of(&[*id], nodes)).collect();
        let (kind, links, leaves) = match self.dice.below(6) {
            0 => ("leader isolated", around(&[leader], nodes), Leaves::Majority),
            1 => ("leader not heard", out_of(&[leader], nodes), Leaves::Majority),
            2 => ("leader hears nobody", into(&[leader], nodes), Leaves::Majority),
            3 => {
                let group = self.dice.pick_many(nodes, nodes.len() / 2);
                ("split in two", around(&group, nodes), Leaves::Majority)
            }
            4 => ("nobody hears anybody", all, Leaves::Nothing),
            _ => {
                let count = 1 + self.dice.place(all.len());
                let some = self.dice.pick_many(&all, count);
                ("some links cut one way", some, Leaves::Nothing)
            }
        };
        let how = self.dice.pick(&[Passage::Broken, Passage::Silent]);
        Fault { kind, deed: Deed::Cut(links, how), leaves }
    }
}

/// What is left without so many nodes.
fn left(without: usize, nodes: &[NodeId]) -> Leaves {
    if 2 * without < nodes.len() { Leaves::Majority } else { Leaves::Nothing }
}

/// Service must be back, and soon.
fn served(after: Option<Duration>, when: &str, problems: &mut Vec<String>) -> Option<Duration> {
    match after {
        None => problems.push(format!("no write succeeds any more, {when}")),
        Some(time) if time > recovery::limit() => problems.push(format!(
            "service was back after {:.1} election timeouts, {when}; it should be after {:.0}",
            recovery::in_elections(time),
            recovery::in_elections(recovery::limit())
        )),
        Some(_) => {}
    }
    after
}
