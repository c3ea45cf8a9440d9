//! The end of a random run: all faults end, and everything must come right.

use std::collections::BTreeMap;

use raft_core::{LogIndex, NodeId, Outcome, Payload, RequestId, Ticks};

use super::Chaos;
use crate::{Cluster, E, Pace};

/// How many election timeouts a healed cluster has to settle down.
const PATIENCE: u64 = 20;
/// How many it may need at most to find a leader: without pre-vote, two that stand again and again can be in each
/// other's way for a while.
const ELECTION_PATIENCE: u64 = 300;
/// How many it has to bring everyone up to date: with limits that let one entry through at a time, and that one
/// only when the leader has lost its patience, this takes a while.
const LONG_PATIENCE: u64 = 600;

impl Chaos {
    /// Ends all faults; the cluster must then agree on a leader and on everything, take a command, and have
    /// answered every request truthfully.
    pub fn recover(&mut self) {
        let cluster = &mut self.cluster;
        cluster.heal();
        for id in cluster.ids() {
            if cluster.hosts[&id].node.is_none() {
                cluster.restart(id);
            }
            cluster.host(id).machine_pace = Pace::Prompt;
            cluster.finish_apply(id);
            cluster.release_disk(id);
            cluster.release_lanes(id);
        }
        cluster.pass(Ticks(PATIENCE * E.0));
        let mut patience = ELECTION_PATIENCE;
        while patience > 0 && (patience == ELECTION_PATIENCE || cluster.leader().is_none()) {
            stop_strangers(cluster);
            cluster.pass(Ticks(PATIENCE * E.0));
            patience -= PATIENCE;
        }
        let leader = cluster.leader();
        let leader =
            leader.unwrap_or_else(|| panic!("no leader is found:\n{}", cluster.describe()));
        let mut request = cluster.propose(leader, "last");
        let mut patience = LONG_PATIENCE;
        while patience > 0 && !has_converged(cluster, request) {
            cluster.pass(Ticks(5 * E.0));
            patience -= 5;
            // The leader may have been too busy, or another one been elected.
            let was_in_vain = cluster.outcome(request).is_some() && !cluster.is_done(request);
            if let (true, Some(leader)) = (was_in_vain, cluster.leader()) {
                request = cluster.propose(leader, "last");
            }
        }
        let leader = cluster.leader().expect("a cluster without faults keeps its leader");
        assert!(!cluster.node(leader).membership().is_joint(), "a joint configuration is left");
        check_convergence(cluster, leader, request);
        let timeout = cluster.settings.request_timeout;
        cluster.pass(timeout);
        assert_eq!(cluster.unanswered(), [], "every request has an answer");
        self.check_proposals();
    }

    /// Each proposal took effect once at most, and as its answer says.
    fn check_proposals(&self) {
        let mut applied: BTreeMap<&[u8], u64> = BTreeMap::new();
        for (_, payload) in &self.cluster.agreed {
            if let Payload::Command { data, .. } = payload {
                *applied.entry(data).or_default() += 1;
            }
        }
        for (request, command) in &self.proposed {
            let times = applied.get(&command[..]).copied().unwrap_or(0);
            match self.cluster.outcome(*request) {
                Some(Outcome::Done { .. }) => assert_eq!(times, 1, "{request} was done"),
                Some(Outcome::Refused { .. } | Outcome::Lost { .. }) => {
                    assert_eq!(times, 0, "{request} had no effect");
                }
                _ => assert!(times <= 1, "{request} had an effect {times} times"),
            }
        }
    }
}

/// Nodes that belong to the cluster no more are switched off, where the safeguards are off that keep them from
/// disturbing the others (thesis §4.2.3).
fn stop_strangers(cluster: &mut Cluster) {
    let settings = cluster.settings;
    if settings.pre_vote.is_on() && settings.stickiness.is_on() {
        return;
    }
    // Who leads may still be disputed; who is a member is not, once the latest log is known.
    let latest = cluster.ids().into_iter().max_by_key(|id| cluster.node(*id).last());
    let latest = latest.expect("there are nodes");
    if !cluster.node(latest).is_membership_committed() {
        return; // Those that are to leave may be needed for it.
    }
    let members = cluster.node(latest).membership().clone();
    for id in cluster.ids().into_iter().filter(|id| !members.contains(*id)) {
        cluster.isolate(id);
    }
}

/// Whether a command was done, and every member has applied it and all that the leader has.
fn has_converged(cluster: &Cluster, request: RequestId) -> bool {
    let Some(leader) = cluster.leader().filter(|_| cluster.is_done(request)) else { return false };
    let leads = cluster.node(leader);
    let mut members = leads.membership().members().into_iter();
    members.all(|id| cluster.node(id).applied() == leads.last().index)
}

/// So it is; and logs, machines and memberships are equal.
fn check_convergence(cluster: &Cluster, leader: NodeId, request: RequestId) {
    assert!(has_converged(cluster, request), "{}", cluster.describe());
    let members = cluster.node(leader).membership().clone();
    for id in cluster.ids().into_iter().filter(|id| members.contains(*id)) {
        let (node, leads) = (cluster.node(id), cluster.node(leader));
        assert_eq!(node.last(), leads.last());
        let first = node.base().index.max(leads.base().index).0;
        for index in (first..=node.last().index.0).map(LogIndex) {
            assert_eq!(node.term_at(index), leads.term_at(index), "{id} at {index}");
        }
        assert_eq!(node.membership(), leads.membership());
        assert_eq!(cluster.commands(id), cluster.commands(leader));
    }
}
