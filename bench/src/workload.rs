//! The workload, the same for everybody: nodes in one thread, messages moved by hand, a disk that needs no time. A leader
//! is elected; then commands are proposed in bursts, and each burst goes on until every node has applied it.

use std::ops::Range;

use bytes::Bytes;

/// How many commands are proposed at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// One.
    Latency,
    /// Sixty-four.
    Pipelined,
    /// A thousand.
    Batch,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::Latency, Self::Pipelined, Self::Batch];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Pipelined => "pipelined",
            Self::Batch => "batch",
        }
    }

    pub(crate) fn burst(self) -> u64 {
        match self {
            Self::Latency => 1,
            Self::Pipelined => 64,
            Self::Batch => 1_000,
        }
    }
}

/// A cluster of some Raft, in this thread.
pub(crate) trait Cluster {
    /// Proposes commands at the leader, which takes them all.
    fn propose(&mut self, commands: Commands);

    /// Does all there is to do until nothing is left: messages, writes, and what is committed.
    fn run(&mut self);

    /// How many commands each node has applied, one after the other.
    fn applied(&self) -> Vec<u64>;
}

/// Commands with consecutive numbers, of one size.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    pub(crate) numbers: Range<u64>,
    pub(crate) size: usize,
}

impl Commands {
    /// They begin with their numbers.
    pub(crate) fn vectors(self) -> impl Iterator<Item = Vec<u8>> {
        let Self { numbers, size } = self;
        numbers.map(move |number| {
            let mut command = vec![0; size];
            command[..8].copy_from_slice(&number.to_le_bytes());
            command
        })
    }

    pub(crate) fn bytes(self) -> impl Iterator<Item = Bytes> {
        self.vectors().map(Bytes::from)
    }
}

/// A state machine that only looks whether commands come in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order(u64);

impl Order {
    /// Takes the next command.
    ///
    /// # Panics
    /// When it is another one.
    pub(crate) fn take(&mut self, command: &[u8]) {
        let number = command.first_chunk().map(|number| u64::from_le_bytes(*number));
        assert_eq!(number, Some(self.0), "commands are applied in order");
        self.0 += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.0
    }
}

/// Has `count` more commands carried out by every node, `burst` at a time.
///
/// # Panics
/// When they are not.
pub(crate) fn carry_out(cluster: &mut dyn Cluster, burst: u64, size: usize, count: u64) {
    let begin = cluster.applied()[0];
    let (end, mut next) = (begin + count, begin);
    while next < end {
        let numbers = next..(next + burst).min(end);
        next = numbers.end;
        cluster.propose(Commands { numbers, size });
        cluster.run();
    }
    assert!(cluster.applied().iter().all(|applied| *applied == end), "every node has applied all");
}
