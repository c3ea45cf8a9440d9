//! Situations in which several tests begin.

use raft_core::{Settings, Ticks};

use super::lanes::Staging;
use super::{Cluster, E, HEARTBEAT, N1, N3, settings};

/// Chunks of so many bytes.
pub const CHUNK: u64 = 8;

/// Small chunks, and no entries kept before a snapshot.
pub fn small_chunks() -> Settings {
    Settings { max_chunk_bytes: CHUNK, retained_entries: 0, ..settings() }
}

/// Three nodes led by n1. n3 was away while ten commands were committed at 2 to 11, and these were compacted; now it
/// can be reached again.
pub fn lagging(settings: Settings) -> Cluster {
    let mut cluster = Cluster::with(3, settings);
    cluster.elect(N1);
    cluster.isolate(N3);
    for number in 0..10 {
        cluster.propose(N1, format!("{number}"));
        cluster.settle();
    }
    assert!(cluster.compact(N1), "there is something to take a snapshot of");
    assert_eq!(cluster.base(N1), 11);
    cluster.heal();
    cluster.journal.clear();
    cluster
}

impl Cluster {
    /// Lets the leader notice that what it has sent to n3 is lost.
    pub fn lose_patience(&mut self, leader: raft_core::NodeId) {
        self.wait(Ticks(E.0 / 2 + HEARTBEAT.0));
        self.tick(leader);
    }

    /// The offsets of the chunks that a node was asked to stage, from the journal.
    pub fn staged_offsets(&self, id: raft_core::NodeId) -> Vec<u64> {
        let offsets = self.journal.iter().filter_map(|(of, happened)| match happened {
            super::Happened::Stages(Staging::Chunk { offset, .. }) if *of == id => Some(*offset),
            _ => None,
        });
        offsets.collect()
    }
}
