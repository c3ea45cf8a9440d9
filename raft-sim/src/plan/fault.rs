//! The faults of a plan: what goes wrong, when, and for whom.
//!
//! Targets are symbolic where that makes sense ("the leader"): they are resolved at the moment the
//! fault begins, so a plan can aim without knowing who will lead.

use std::fmt;

use raft_core::{Instant, NodeId, Ticks};
use serde::{Deserialize, Serialize};

use super::fault_name::FaultName;
use super::network::{MessageKind, Span};

/// A fault and when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedFault {
    /// When.
    pub at: Instant,
    /// What.
    pub fault: Fault,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Links are down.
    Cut {
        /// Which.
        cut: Cut,
        /// For how long.
        lasts: Ticks,
    },
    /// Links are down and up by turns.
    Flap {
        /// Which.
        cut: Cut,
        /// Down for so long.
        down: Ticks,
        /// Then up for so long.
        up: Ticks,
        /// All in all for so long.
        lasts: Ticks,
    },
    /// Messages of one kind are held back, and then all delivered.
    Hold {
        /// The kind.
        kind: MessageKind,
        /// Those that this node sends; of all nodes, if nobody is named.
        from: Option<Target>,
        /// Those that are for this node; for all nodes, if nobody is named.
        to: Option<Target>,
        /// For how long.
        lasts: Ticks,
    },
    /// Messages of one kind that are sent meanwhile are lost.
    Drop {
        /// The kind.
        kind: MessageKind,
        /// Those that this node sends; of all nodes, if nobody is named.
        from: Option<Target>,
        /// Those that are for this node; for all nodes, if nobody is named.
        to: Option<Target>,
        /// For how long.
        lasts: Ticks,
    },
    /// A node stops without warning, loses what its disk has not taken, and comes back.
    Crash {
        /// Who.
        target: Target,
        /// At which point of its work.
        point: CrashPoint,
        /// How long it stays away.
        down: Ticks,
        /// How many parts of the write under way survive, each appended entry being one: of a write that has fewer, all.
        /// Left to the seed if nothing is said.
        keeps: Option<u64>,
    },
    /// A majority of the nodes crashes at once, the leader among them.
    LoseMajority {
        /// How long each stays away.
        down: Span,
    },
    /// All nodes crash at once.
    PowerLoss {
        /// How long each stays away.
        down: Span,
    },
    /// A node crashes and its disk is lost for good; it is started all the same, and must not come back. Whatever
    /// else the run loses, one node keeps its disk.
    LoseDisk {
        /// Who.
        target: Target,
        /// After how long its driver tries to start it.
        down: Ticks,
    },
    /// A node is suspended: it does nothing, and what arrives waits.
    Pause {
        /// Who.
        target: Target,
        /// For how long.
        lasts: Ticks,
    },
    /// A node's disk is slow: writes handed to it meanwhile take this long.
    SlowDisk {
        /// Whose.
        target: Target,
        /// How long a write takes.
        write: Span,
        /// For how long.
        lasts: Ticks,
    },
    /// A node's machine suffers a fault of its own: [`Machine::suffer`](crate::machine::Machine::suffer). Nothing
    /// happens to a machine that has no such fault.
    Machine {
        /// Whose.
        target: Target,
        /// Which.
        name: FaultName,
    },
}

/// Whom a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// This node.
    Node(NodeId),
    /// The leader of the latest term among those that run; failing that, whoever tries to become one;
    /// failing that, anyone.
    Leader,
    /// Somebody that runs and is not the leader; failing that, anyone.
    Follower,
    /// Anyone that runs.
    Anyone,
}

/// Which links are down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cut {
    /// All links of a node.
    Isolate {
        /// The node.
        target: Target,
        /// In which direction.
        way: Way,
    },
    /// All links between two groups.
    Split {
        /// Is in the first group.
        target: Target,
        /// The size of the first group.
        size: u32,
        /// In which direction, seen from the first group.
        way: Way,
    },
    /// The link between two nodes.
    Link {
        /// One of them.
        target: Target,
        /// The other; somebody else, if it resolves to the same node.
        other: Target,
        /// In which direction, seen from the first.
        way: Way,
    },
    /// All links between two groups that are named.
    Between {
        /// One of them.
        first: Nodes,
        /// The other.
        second: Nodes,
        /// In which direction, seen from the first.
        way: Way,
    },
    /// All links between two halves, but for one node that both can reach.
    Bridge {
        /// The node in between.
        target: Target,
    },
    /// All links but those of a ring, so that every node reaches two others at most.
    Ring,
    /// All links between kinds of members, as the leader sees them: between those who vote no more and those who do
    /// not yet, while a joint configuration is in force; otherwise between the leader with the learners and the
    /// other voters.
    Voters {
        /// In which direction, seen from the old voters, or from the leader and the learners.
        way: Way,
    },
}

/// A set of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Vec<NodeId>", try_from = "Vec<NodeId>")]
pub struct Nodes(u8);

impl Nodes {
    /// Its places, as bits.
    pub(crate) fn places(self) -> u8 {
        self.0
    }

    /// The set of these nodes; `None` if one of them can be in no plan.
    pub fn of(nodes: impl IntoIterator<Item = NodeId>) -> Option<Self> {
        nodes.into_iter().try_fold(Self(0), |set, id| {
            let place = id.0.checked_sub(1).filter(|place| *place < u64::from(super::MAX_NODES))?;
            Some(Self(set.0 | 1 << place))
        })
    }

    /// The nodes, in order.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        (0..8_u64).filter(move |place| self.0 >> place & 1 == 1).map(|place| NodeId(place + 1))
    }

    /// How many there are.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<Nodes> for Vec<NodeId> {
    fn from(nodes: Nodes) -> Self {
        nodes.iter().collect()
    }
}

impl TryFrom<Vec<NodeId>> for Nodes {
    type Error = String;

    fn try_from(nodes: Vec<NodeId>) -> Result<Self, String> {
        Self::of(nodes).ok_or_else(|| format!("nodes are named from 1 to {}", super::MAX_NODES))
    }
}

/// The direction in which a link is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Both.
    Both,
    /// Messages towards the named node are lost; what it sends gets through.
    Inbound,
    /// Messages from the named node are lost; it still hears the others.
    Outbound,
}

/// The point of a node's work at which it crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashPoint {
    /// At once, whatever it does.
    Now,
    /// When it hands the next write to its disk: nothing of the write is done.
    Submit,
    /// When its next write is durable, before it learns that.
    Durable,
    /// After the next step that sends: nothing of what the step asked for is done.
    Send,
    /// After the next step that sends: only some of the messages leave.
    PartSent,
    /// After the next step that sends: the messages have left, nothing else is done.
    Sent,
    /// After the step that takes the next message: nothing of what it asked for is done.
    Deliver,
    /// After the step that learns that a write is durable, when what that releases has left.
    Receipt,
    /// When its machine has taken the next batch, before that is reported.
    Apply,
    /// In the step in which it becomes leader; its write may have begun, some messages may have left. Aimed
    /// at the leader, it strikes whoever wins next.
    Winning,
    /// When its driver has read or staged a part of a snapshot, taken one, or read old entries, before the node
    /// learns that.
    Chore,
}

impl CrashPoint {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Now,
        Self::Submit,
        Self::Durable,
        Self::Send,
        Self::PartSent,
        Self::Sent,
        Self::Deliver,
        Self::Receipt,
        Self::Apply,
        Self::Winning,
        Self::Chore,
    ];

    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Submit => "submit",
            Self::Durable => "durable",
            Self::Send => "send",
            Self::PartSent => "part-sent",
            Self::Sent => "sent",
            Self::Deliver => "deliver",
            Self::Receipt => "receipt",
            Self::Apply => "apply",
            Self::Winning => "winning",
            Self::Chore => "chore",
        }
    }
}

/// A cut that stays while everything else is well: the cluster must make steady progress under it. It
/// leaves a majority of nodes that all reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticCut {
    /// Which links are down: [`Cut::Isolate`] or [`Cut::Link`].
    pub cut: Cut,
    /// How long the cluster has to settle.
    pub settle: Ticks,
    /// How long it is watched afterwards.
    pub lasts: Ticks,
}

/// The kinds of faults, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// One node cut off in both directions.
    Isolate,
    /// Two groups.
    Split,
    /// A node or group cut off in one direction.
    OneWay,
    /// One link down, in one direction or both.
    Link,
    /// Two halves with one node in between.
    Bridge,
    /// Every node reaches two others at most.
    Ring,
    /// Links down and up by turns.
    Flap,
    /// A kind of message held back.
    Hold,
    /// A crash.
    Crash,
    /// A crash of the node that has just won an election.
    CrashWinning,
    /// A majority crashed at once.
    LoseMajority,
    /// All crashed at once.
    PowerLoss,
    /// A node suspended.
    Pause,
    /// A slow disk.
    SlowDisk,
    /// A disk lost for good.
    LoseDisk,
    /// Kinds of members apart.
    Voters,
    /// A kind of message lost.
    Drop,
    /// A fault of a machine's own.
    Machine,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Isolate,
        Self::Split,
        Self::OneWay,
        Self::Link,
        Self::Bridge,
        Self::Ring,
        Self::Flap,
        Self::Hold,
        Self::Crash,
        Self::CrashWinning,
        Self::LoseMajority,
        Self::PowerLoss,
        Self::Pause,
        Self::SlowDisk,
        Self::LoseDisk,
        Self::Voters,
        Self::Drop,
        Self::Machine,
    ];

    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Isolate => "isolate",
            Self::Split => "split",
            Self::OneWay => "one-way",
            Self::Link => "link",
            Self::Bridge => "bridge",
            Self::Ring => "ring",
            Self::Flap => "flap",
            Self::Hold => "hold",
            Self::Crash => "crash",
            Self::CrashWinning => "crash-winning",
            Self::LoseMajority => "lose-majority",
            Self::PowerLoss => "power-loss",
            Self::Pause => "pause",
            Self::SlowDisk => "slow-disk",
            Self::LoseDisk => "lose-disk",
            Self::Voters => "voters",
            Self::Drop => "drop",
            Self::Machine => "machine",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Fault {
    /// What it counts as.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Cut { cut, .. } => cut.kind(),
            Self::Flap { .. } => FaultKind::Flap,
            Self::Hold { .. } => FaultKind::Hold,
            Self::Drop { .. } => FaultKind::Drop,
            Self::Crash { point: CrashPoint::Winning, .. } => FaultKind::CrashWinning,
            Self::Crash { .. } => FaultKind::Crash,
            Self::LoseMajority { .. } => FaultKind::LoseMajority,
            Self::PowerLoss { .. } => FaultKind::PowerLoss,
            Self::Pause { .. } => FaultKind::Pause,
            Self::SlowDisk { .. } => FaultKind::SlowDisk,
            Self::LoseDisk { .. } => FaultKind::LoseDisk,
            Self::Machine { .. } => FaultKind::Machine,
        }
    }

    /// When it is over, if it began at `at`; a crash lasts as long as the node stays away.
    pub fn ends(&self, at: Instant) -> Instant {
        let lasts = match self {
            Self::Cut { lasts, .. }
            | Self::Flap { lasts, .. }
            | Self::Hold { lasts, .. }
            | Self::Drop { lasts, .. }
            | Self::Pause { lasts, .. }
            | Self::SlowDisk { lasts, .. } => *lasts,
            Self::Crash { down, .. } | Self::LoseDisk { down, .. } => *down,
            Self::LoseMajority { down } | Self::PowerLoss { down } => down.max,
            Self::Machine { .. } => Ticks(0),
        };
        at.after(lasts)
    }
}

impl Cut {
    /// What it counts as.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Isolate { way: Way::Both, .. } => FaultKind::Isolate,
            Self::Between { first, second, .. } if first.len() * second.len() == 1 => {
                FaultKind::Link
            }
            Self::Between { way: Way::Both, .. } | Self::Split { way: Way::Both, .. } => {
                FaultKind::Split
            }
            Self::Isolate { .. } | Self::Split { .. } | Self::Between { .. } => FaultKind::OneWay,
            Self::Link { .. } => FaultKind::Link,
            Self::Bridge { .. } => FaultKind::Bridge,
            Self::Ring => FaultKind::Ring,
            Self::Voters { .. } => FaultKind::Voters,
        }
    }
}
