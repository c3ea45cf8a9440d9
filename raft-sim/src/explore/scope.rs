//! How much is explored: how many nodes, and how often what may happen.

use raft_core::{ClusterId, Membership, MembershipParts, NodeId, Settings, Ticks, Toggle};

use crate::timeline::put;

/// The most nodes: the names of more have too many permutations.
pub const MAX_NODES: u64 = 5;

/// The bounds of a search. Losses have none: see [`Scope::losses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// How many nodes there are.
    pub nodes: u64,
    /// How many of them, from n1, found the cluster; the others wait to be added.
    pub founders: u64,
    /// Where the search begins.
    pub start: Beginning,
    /// The last term in which somebody may stand.
    pub terms: u64,
    /// How often somebody may be told to stand; without a number, as often as terms allow.
    pub campaigns: Option<u8>,
    /// How many commands are proposed.
    pub entries: u8,
    /// How many nodes crash, and come back with what is on their disks.
    pub crashes: u8,
    /// How many messages are lost by an event of its own. A message that is never delivered is as good as lost, so that
    /// every run with losses is explored whatever this is; more than none only makes the search larger.
    pub losses: u8,
    /// How many messages arrive a second time.
    pub duplicates: u8,
    /// How many times a leader finds that a heartbeat is due.
    pub heartbeats: u8,
    /// How many changes of membership are asked for.
    pub changes: u8,
    /// How many snapshots are taken; each shortens its node's log.
    pub snapshots: u8,
    /// Whether candidates ask first whether they could win.
    pub pre_vote: bool,
    /// Whether states that differ only in the names of nodes count as one.
    pub symmetry: bool,
    /// Whether answers of past terms that would change nothing are taken out of the network.
    pub forgets: bool,
    /// The most unacknowledged messages to a peer.
    pub window: u64,
    /// The most entries in a message.
    pub batch: u64,
}

/// Where a search begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beginning {
    /// With founders that have done nothing yet, in term 0.
    #[default]
    Founded,
    /// With n1 in office in term 1, everybody having its first entry and knowing that it is committed.
    Led,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            nodes: 3,
            founders: 3,
            start: Beginning::Founded,
            terms: 2,
            campaigns: None,
            entries: 1,
            crashes: 1,
            losses: 0,
            duplicates: 0,
            heartbeats: 0,
            changes: 0,
            snapshots: 0,
            pre_vote: false,
            symmetry: true,
            forgets: true,
            window: 64,
            batch: 64,
        }
    }
}

/// Why a scope cannot be explored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Too few or too many nodes.
    #[error("{0} nodes: there must be 1 to {MAX_NODES}")]
    Nodes(u64),
    /// Too few or too many founders.
    #[error(
        "{founders} founders of {nodes} nodes: there must be at least one, and no more than nodes"
    )]
    Founders {
        /// How many found the cluster.
        founders: u64,
        /// How many there are.
        nodes: u64,
    },
    /// Pre-votes cost no term, so that nothing else bounds them.
    #[error("with pre-vote on, campaigns must be bounded: give their number too")]
    UnboundedCampaigns,
    /// A window or a batch of nothing.
    #[error("the window and the batch must be at least 1")]
    NoRoom,
}

impl Scope {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn validate(&self) -> Result<(), ScopeError> {
        let Self { nodes, founders, .. } = *self;
        if nodes == 0 || nodes > MAX_NODES {
            return Err(ScopeError::Nodes(nodes));
        }
        if founders == 0 || founders > nodes {
            return Err(ScopeError::Founders { founders, nodes });
        }
        if self.pre_vote && self.campaigns.is_none() {
            return Err(ScopeError::UnboundedCampaigns);
        }
        if self.window == 0 || self.batch == 0 {
            return Err(ScopeError::NoRoom);
        }
        Ok(())
    }

    /// The scope in a line.
    pub fn told(&self) -> String {
        let Self { nodes, founders, terms, entries, crashes, duplicates, .. } = *self;
        let mut text =
            format!("{nodes} nodes, {terms} terms, {entries} entries, {crashes} crashes");
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                put(&mut text, format_args!(", {count} {what}"));
            }
        };
        say(u64::from(duplicates), "duplicates");
        say(u64::from(self.heartbeats), "heartbeats");
        say(u64::from(self.changes), "changes of membership");
        say(u64::from(self.snapshots), "snapshots");
        say(u64::from(self.campaigns.unwrap_or(0)), "campaigns");
        say(u64::from(self.losses), "losses as events");
        say(if founders < nodes { founders } else { 0 }, "founders");
        text.push_str(", any losses");
        for (is_so, what) in [
            (self.start == Beginning::Led, "from a leader on"),
            (self.pre_vote, "with pre-vote"),
            (!self.symmetry, "without symmetry"),
            (!self.forgets, "with all late answers"),
        ] {
            if is_so {
                put(&mut text, format_args!(", {what}"));
            }
        }
        text
    }

    /// The nodes, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.nodes).map(NodeId)
    }

    /// Who founds the cluster.
    pub(super) fn founding(&self) -> Membership {
        Membership::of_voters((1..=self.founders).map(NodeId)).expect("there are founders")
    }

    /// What every node runs with. Whatever keeps a leader in office by time alone is off, since no time passes; a log is
    /// shortened to its snapshot.
    pub(super) fn settings(&self, id: NodeId) -> Settings {
        Settings {
            election_timeout: ELECTION_TIMEOUT,
            heartbeat_interval: HEARTBEAT_INTERVAL,
            request_timeout: Ticks(u64::MAX / 4),
            pre_vote: if self.pre_vote { Toggle::On } else { Toggle::Off },
            check_quorum: Toggle::Off,
            stickiness: Toggle::Off,
            retained_entries: 0,
            max_inflight_messages: self.window,
            max_batch_entries: self.batch,
            ..Settings::new(ClusterId(1), id)
        }
    }

    /// The memberships that are asked for: any of the nodes as voters, the others as learners or as nobody. Whatever the
    /// nodes are called, it is the same list.
    pub(super) fn targets(&self) -> Vec<Membership> {
        if self.changes == 0 {
            return Vec::new();
        }
        let mut targets = Vec::new();
        for voters in 1..1_u64 << self.nodes {
            let (ins, outs): (Vec<_>, Vec<_>) =
                self.ids().partition(|id| voters >> (id.0 - 1) & 1 == 1);
            let with = |learners: &[NodeId]| MembershipParts {
                voters: ins.iter().copied().collect(),
                learners: learners.iter().copied().collect(),
                ..MembershipParts::default()
            };
            let alone = (!outs.is_empty()).then(|| with(&[]));
            targets.extend(alone.into_iter().chain([with(&outs)]));
        }
        targets.into_iter().map(|parts| parts.try_into().expect("voters are no learners")).collect()
    }

    /// The ways to call the nodes otherwise: by the old name, from 0 for nobody.
    pub(super) fn renamings(&self) -> Vec<Vec<u64>> {
        let names: Vec<u64> = (0..=self.nodes).collect();
        let mut found = vec![names];
        if !self.symmetry {
            return found;
        }
        let is_founder = |name: u64| name <= self.founders;
        for place in 1..names_len(self.nodes) {
            for of in 0..found.len() {
                for other in place + 1..names_len(self.nodes) {
                    if is_founder(place as u64) == is_founder(other as u64) {
                        let mut renamed = found[of].clone();
                        renamed.swap(place, other);
                        found.push(renamed);
                    }
                }
            }
        }
        found
    }
}

fn names_len(nodes: u64) -> usize {
    usize::try_from(nodes + 1).expect("few nodes")
}

/// How long a node waits, in ticks of its own clock.
pub(super) const ELECTION_TIMEOUT: Ticks = Ticks(10_000);
/// A fifth of the time after which a leader repeats what was not answered.
pub(super) const HEARTBEAT_INTERVAL: Ticks = Ticks(1_000);
/// How late a leader is with a heartbeat: so late that it repeats what was not answered.
pub(super) const PATIENCE: Ticks = Ticks(ELECTION_TIMEOUT.0 / 2);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Goal: every way to call the founders otherwise, and the others, each once.
    #[test]
    fn renamings_are_permutations_of_equals() {
        for (nodes, founders, count) in [(1, 1, 1), (2, 2, 2), (3, 3, 6), (4, 4, 24), (5, 3, 12)] {
            let renamings = Scope { nodes, founders, ..Scope::default() }.renamings();
            let different: BTreeSet<_> = renamings.iter().collect();
            assert_eq!((renamings.len(), different.len()), (count, count));
            for names in renamings {
                assert!(names.iter().collect::<BTreeSet<_>>().len() == names.len());
                assert!(
                    names[1..]
                        .iter()
                        .zip(1..)
                        .all(|(new, old)| (*new <= founders) == (old <= founders))
                );
            }
        }
    }
}
