//! Who takes part.

mod floor;
#[cfg(feature = "peers")]
mod omnipaxos;
#[cfg(feature = "peers")]
mod openraft;
mod ours;
#[cfg(feature = "peers")]
mod raft_io;
#[cfg(feature = "peers")]
mod raft_rs;
mod receipts;
#[cfg(feature = "sailing-proto")]
mod sailing_proto;

use crate::workload::Cluster;

/// A Raft, or something that does what no Raft can do without.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// Whose version in `Cargo.lock` says what it is.
    pub(crate) package: Option<&'static str>,
    /// Makes a cluster of so many nodes, whose leader is elected.
    pub(crate) elected: fn(usize) -> Box<dyn Cluster>,
    /// It cannot be a cluster of fewer nodes.
    fewest_nodes: usize,
}

impl Contestant {
    const fn new(
        name: &'static str,
        package: Option<&'static str>,
        elected: fn(usize) -> Box<dyn Cluster>,
    ) -> Self {
        Self { name, package, elected, fewest_nodes: 1 }
    }

    /// Whether it can be a cluster of so many nodes.
    pub(crate) fn can_have(&self, nodes: usize) -> bool {
        nodes >= self.fewest_nodes
    }
}

pub(crate) const FLOOR: &str = "floor";

/// The floor of what waits for its disk.
const RECEIPTS: &str = "floor-receipts";

/// The name of `raft-core`, which the others are compared with.
pub(crate) const OURS: &str = "raft-core";

pub(crate) const ALL: &[Contestant] = &[
    Contestant::new(FLOOR, None, |nodes| Box::new(floor::Floor::new(nodes))),
    Contestant::new(RECEIPTS, None, |nodes| Box::new(receipts::Receipts::new(nodes))),
    Contestant::new(OURS, Some("raft-core"), |nodes| Box::new(ours::Ours::elected(nodes))),
    #[cfg(feature = "peers")]
    Contestant::new("raft-rs", Some("raft"), |nodes| Box::new(raft_rs::RaftRs::elected(nodes))),
    #[cfg(feature = "peers")]
    Contestant::new("raft-io", Some("raft-io"), |nodes| Box::new(raft_io::RaftIo::elected(nodes))),
    #[cfg(feature = "peers")]
    Contestant {
        fewest_nodes: 2,
        ..Contestant::new("omnipaxos", Some("omnipaxos"), |nodes| {
            Box::new(omnipaxos::Omni::elected(nodes))
        })
    },
    #[cfg(feature = "peers")]
    Contestant::new("openraft", Some("openraft"), |nodes| Box::new(openraft::Open::elected(nodes))),
    #[cfg(feature = "sailing-proto")]
    Contestant::new("sailing-proto", Some("sailing-proto"), |nodes| {
        Box::new(sailing_proto::Sailing::elected(nodes))
    }),
];

pub(crate) fn named(name: &str) -> Option<&'static Contestant> {
    ALL.iter().find(|contestant| contestant.name == name)
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::workload::carry_out;

    #[test]
    fn everybody_carries_out_all() {
        for contestant in ALL {
            for nodes in (1..=7).filter(|nodes| contestant.can_have(*nodes)) {
                let mut cluster = (contestant.elected)(nodes);
                for (burst, count) in [(1, 10), (64, 100), (1_000, 3_000)] {
                    carry_out(&mut *cluster, burst, 16, count);
                }
                assert_eq!(cluster.applied(), vec![3_110; nodes], "{}", contestant.name);
            }
        }
    }

    /// A burst of these is more than one message may hold.
    #[test]
    fn everybody_carries_out_large_commands() {
        for contestant in ALL.iter().filter(|contestant| contestant.can_have(3)) {
            let mut cluster = (contestant.elected)(3);
            carry_out(&mut *cluster, 64, 16 << 10, 128);
            assert_eq!(cluster.applied(), [128; 3], "{}", contestant.name);
        }
    }
}
