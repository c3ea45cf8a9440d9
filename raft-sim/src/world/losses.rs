//! Disks that are lost for good, and what an operator does about it.
//!
//! A node that lost its disk is a stranger under an old name: it may have voted and acknowledged. Its driver tries to
//! start it again all the same, from the empty disk, and the Raft under test must refuse. When so many are lost that
//! no quorum is left, the operator forces the survivors to be the cluster, by the book: all are stopped, and the one
//! with the latest log is started with a membership of its own making.

use raft_core::{Force, HardState, Membership, NodeId, Restored, Start};

use super::host::Host;
use super::trace::{Trace, TraceEvent};
use super::{Checked, World};
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::plan::{CrashPoint, Fault, Target};
use crate::raft::Raft;

/// What became of an attempt to force a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forced {
    /// The survivors go on.
    Yes,
    /// What no survivor holds was committed: there is nothing left to check.
    WithLoss,
}

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    /// A node crashes, and its disk is gone. The last one that has a disk keeps it.
    pub(super) fn lose_disk(
        &mut self,
        number: u32,
        fault: &Fault,
        target: Target,
        down: u64,
    ) -> Checked {
        let Some(node) = self.resolve(target, number) else { return Ok(()) };
        let is_last = self.survivors().count() <= 1;
        if !self.hosts[node].is_up() || is_last {
            return Ok(());
        }
        self.struck(number, fault, 1 << node);
        self.crash(node, CrashPoint::Now, down)?;
        self.hosts[node].lose_disk();
        self.checks.note(Situation::DiskLost);
        Ok(())
    }

    /// How the driver of a node that lost its disk tries to start it.
    pub(super) fn amnesiac() -> Start {
        Restored {
            hard_state: HardState::default(),
            snapshot: raft_core::SnapshotMeta::default(),
            log: raft_core::LogSummary::default(),
            commit: raft_core::LogIndex::ZERO,
            applied: raft_core::LogIndex::ZERO,
            partial: None,
        }
        .into()
    }

    /// A node that lost its disk was refused, as it must be: it stays away.
    pub(super) fn refused(&mut self, node: usize, reason: &str) {
        self.checks.note(Situation::AmnesiaRefused);
        let id = self.id(node);
        self.digest.add(self.now ^ id.0 << 48 ^ 1 << 60);
        self.tell(TraceEvent::StartRefused { node: id, reason });
    }

    /// The nodes that have their disks.
    pub(super) fn survivors(&self) -> impl Iterator<Item = &Host<R, M>> {
        self.hosts.iter().filter(|host| !host.has_lost_disk())
    }

    /// Whether somebody leads whom a quorum of its members can hear.
    fn is_led(&self) -> bool {
        let lives =
            |id: NodeId| self.place(id).is_some_and(|place| !self.hosts[place].has_lost_disk());
        self.hosts.iter().filter(|host| host.leads()).any(|host| {
            let membership = host.raft.as_ref().map(R::membership);
            membership.and_then(|members| members.reached_by_quorum(lives)) == Some(true)
        })
    }

    /// Whether there is no hope but force: disks are lost, nobody leads, and nobody could.
    pub(super) fn is_hopeless(&self) -> bool {
        let is_lossy = self.hosts.iter().any(Host::has_lost_disk);
        is_lossy && !self.is_led() && !self.survivors().any(|host| self.could_win(host))
    }

    /// Whether enough survivors would vote for a node, by its membership and their logs. A leader that nobody makes look for
    /// its quorum stays in office, and votes for nobody.
    fn could_win(&self, host: &Host<R, M>) -> bool {
        let clings = |voter: &Host<R, M>| {
            let settings = self.plan.settings_of(voter.id);
            voter.leads() && voter.id != host.id && !settings.check_quorum.is_on()
        };
        let grants = |id: NodeId| {
            let voter = self.place(id).map(|place| &self.hosts[place]);
            voter.is_some_and(|voter| {
                !voter.has_lost_disk() && voter.view.last <= host.view.last && !clings(voter)
            })
        };
        let members = host.raft.as_ref().map(R::membership);
        members.is_some_and(|members| {
            members.is_voter(host.id) && members.reached_by_quorum(grants) == Some(true)
        })
    }

    /// Stops every survivor and forces a membership of all of them upon the one with the latest log.
    pub(super) fn force_membership(&mut self) -> Result<Forced, crate::violation::Violation> {
        let survivors: Vec<NodeId> = self.survivors().map(|host| host.id).collect();
        for node in 0..self.hosts.len() {
            self.crash(node, CrashPoint::Now, 1)?;
        }
        let latest = (0..self.hosts.len())
            .filter(|node| !self.hosts[*node].has_lost_disk())
            .max_by_key(|node| self.hosts[*node].image.last_position())
            .expect("one disk is never lost");
        let membership = Membership::of_voters(survivors).expect("there are survivors");
        let Start::Restart(restored) = self.start_from_disk(latest) else {
            // Only newcomers are left, who hold nothing.
            self.checks.note(Situation::ForcedWithLoss);
            return Ok(Forced::WithLoss);
        };
        // A log holds what was committed if it ends no earlier (paper §5.4.3).
        if self.hosts[latest].image.last_position() < self.committed {
            self.checks.note(Situation::ForcedWithLoss);
            return Ok(Forced::WithLoss);
        }
        self.checks.note(Situation::MembershipForced);
        self.digest.add(self.now ^ 1 << 59);
        self.start_as(latest, Force { restored, membership }.into())?;
        Ok(Forced::Yes)
    }

    /// When the nodes that lost their disks stay away, whoever is left is to vote.
    pub(super) fn everyone_left(&self) -> Membership {
        let survivors = self.survivors().map(|host| host.id);
        Membership::of_voters(survivors).expect("one disk is never lost")
    }
}

#[cfg(test)]
mod tests {
    use raft_core::{Instant, Node};

    use super::*;
    use crate::check::CheckLevel;
    use crate::kv::Kv;
    use crate::plan::{Plan, Profile, TimedFault};
    use crate::world::{NoTrace, run, run_with};

    fn losing(nodes: &[u64]) -> Plan {
        let mut plan = Plan::generate(2, Profile::Calm);
        (plan.nodes, plan.founders, plan.clocks) = (3, 3, plan.clocks[..3].to_vec());
        plan.other_settings = None;
        let lose = |node: &u64| Fault::LoseDisk {
            target: Target::Node(NodeId(*node)),
            down: raft_core::Ticks(1_000),
        };
        plan.faults = nodes
            .iter()
            .map(|node| TimedFault { at: Instant(1_000_000 + node), fault: lose(node) })
            .collect();
        plan
    }

    /// A node that lost its disk is refused, and the others go on without it.
    #[test]
    fn the_others_go_on_without_a_node_that_lost_its_disk() {
        let verdict = run::<Node, Kv>(&losing(&[2]));
        assert_eq!(verdict.violation, None);
        assert!(verdict.coverage.count(Situation::AmnesiaRefused) > 0);
        assert_eq!(verdict.coverage.count(Situation::MembershipForced), 0);
    }

    /// One survivor of three is forced to be the cluster; unless what was committed is gone, it goes on.
    #[test]
    fn a_survivor_of_a_lost_majority_is_forced() {
        let verdicts = [[1, 2], [1, 3], [2, 3]].map(|lost| run::<Node, Kv>(&losing(&lost)));
        assert!(verdicts.iter().all(|verdict| verdict.violation.is_none()));
        let count = |situation| {
            verdicts.iter().map(|verdict| verdict.coverage.count(situation)).sum::<u64>()
        };
        let (forced, lost) = (count(Situation::MembershipForced), count(Situation::ForcedWithLoss));
        assert!(forced >= 1 && forced + lost == 3, "{forced} and {lost}");
    }

    /// Whether a membership is forced, and whether the run goes on, does not depend on who looks.
    #[test]
    fn force_does_not_depend_on_the_checks() {
        for lost in [[1, 2], [1, 3], [2, 3]] {
            let plan = losing(&lost);
            let unchecked = run_with::<Node, Kv, _>(&plan, &mut NoTrace, CheckLevel::None);
            assert_eq!(unchecked.digest, run::<Node, Kv>(&plan).digest, "{lost:?}");
        }
    }
}
