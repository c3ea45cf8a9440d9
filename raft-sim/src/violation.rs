//! What can be violated, and by whom and when it was.
//!
//! A [`Property`] is one thing that must hold; its name is stable, for files and command lines. A
//! [`Violation`] is the first moment at which it did not, in one sentence a person understands.

use std::fmt;

use raft_core::{Instant, NodeId, Role};
use serde::{Deserialize, Serialize};

/// Defines [`Property`] with a name and an explanation for each, so that none can be forgotten.
macro_rules! properties {
    ($($property:ident, $name:literal, $explanation:literal;)*) => {
        /// Something that must hold in every run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Property {
            $(#[doc = $explanation] $property,)*
        }

        impl Property {
            /// Every property, in the order in which documents list them.
            pub const ALL: &[Self] = &[$(Self::$property,)*];

            /// The stable name, for files and command lines.
            pub fn name(self) -> &'static str {
                match self { $(Self::$property => $name,)* }
            }

            /// What must hold, in a sentence, with its source.
            pub fn explain(self) -> &'static str {
                match self { $(Self::$property => $explanation,)* }
            }
        }
    };
}

properties! {
    ElectionSafety, "election-safety",
        "At most one leader is elected in a term, over all history (paper §5.2, Figure 3).";
    OneVotePerTerm, "one-vote-per-term",
        "A node gives at most one vote in a term, crashes included (paper §5.2).";
    LeaderAppendOnly, "leader-append-only",
        "A leader never overwrites or deletes entries of its own log (paper §5.3, Figure 3).";
    LogMatching, "log-matching",
        "Logs that hold an entry of the same index and term are equal up to it, and nobody sends entries it does not hold (paper §5.3, Figure 3).";
    LeaderCompleteness, "leader-completeness",
        "An entry committed in a term is in the log of every leader of a later term (paper §5.4, Figure 3).";
    StateMachineSafety, "state-machine-safety",
        "No two nodes commit or apply different entries at the same index, and each applies them in order (paper §5.4.3, Figure 3).";
    CommitDurable, "commit-durable",
        "An entry is committed only when a quorum holds it on disk (paper §5.3; thesis §3.8, §10.2.1).";
    CommitTerm, "commit-term",
        "A leader commits entries of earlier terms only by committing one of its own (paper §5.4.2, Figure 8).";
    CommitKnown, "commit-known",
        "A follower takes as committed only what a leader committed and its own log is known to hold (paper §5.3, Figure 2).";
    Monotonic, "monotonic",
        "Term, commit index and applied index never fall, the vote of a term never changes, and applied <= commit <= last (paper Figure 2).";
    DurableBeforeSend, "durable-before-send",
        "Votes, vote requests, terms and acknowledged entries are on disk before a message says so (paper §5.6, Figure 2; thesis §3.8).";
    DurableKnown, "durable-known",
        "A node never believes more of its log to be on disk than is there (thesis §10.2.1).";
    NeedlessTruncation, "needless-truncation",
        "A follower removes entries only where they contradict the leader's log (paper §5.3, Figure 2).";
    ConfigurationFollowsLog, "configuration-follows-log",
        "The membership in force is the last one in the log, committed or not (thesis §4.1).";
    NonVoterCampaign, "non-voter-campaign",
        "Only a voter of the latest membership, or of the one before while that is uncommitted, stands for election (thesis §4.2.2).";
    OneChangeAtATime, "one-change-at-a-time",
        "A leader changes the membership step by step: the one before is committed, an entry of its own term is, and majorities overlap (thesis §4.1, §4.3; Ongaro, raft-dev, July 2015).";
    ExclusiveLease, "exclusive-lease",
        "While a leader may answer reads from its lease, nobody leads a later term (thesis §6.4.1).";
    TransferEnds, "transfer-ends",
        "A transfer of leadership ends within about an election timeout, whatever becomes of its target, and proposals are taken again (thesis §3.10).";
    ReadConfirmed, "read-confirmed",
        "A leader without a lease lets a read pass when a quorum has answered something that it sent after it was asked (thesis §6.4).";
    DigestsAgree, "digests-agree",
        "State machines that have applied the same entries are in the same state and gave the same outputs, and a snapshot restores the state (paper §2, §7).";
    BoundedMemory, "bounded-memory",
        "A node keeps within its limits: a leader's windows and batches towards every peer, uncommitted bytes, bytes that the disk lacks, pending requests (thesis §10.2.1).";
    WriteLane, "write-lane",
        "A node has one write outstanding at a time, and each continues the log on disk without a gap (thesis §3.8).";
    OneReply, "one-reply",
        "Every request gets exactly one terminal reply, from the node that was asked (thesis §6.3).";
    ClientOrder, "client-order",
        "Clients see what applying the committed log in order gives, in the order of real time, each operation at most once (paper §8; thesis §6.3).";
    Linearizability, "linearizability",
        "The history that clients saw has a legal sequential order that respects real time (paper §8; Herlihy and Wing 1990).";
    ExactlyOnce, "exactly-once",
        "A command of a session takes effect once however often it is sent, and its client is told what it gave (thesis §6.3).";
    Durability, "durability",
        "What was committed or acknowledged stays on the disks of a quorum for ever (paper §5.4; thesis §3.8).";
    StaleLeader, "stale-leader",
        "With check-quorum, a leader that no quorum answers gives up its office (thesis §6.2).";
    Liveness, "liveness",
        "Once the network heals and a majority is up, elections, requests and convergence finish within a bound (paper §5.6).";
    SteadyProgress, "steady-progress",
        "Under a lasting cut of one link or one direction the cluster commits steadily and seldom changes its leader (thesis §4.2.3, §9.6).";
    Specification, "specification",
        "Every step of a node is one that the specification of Raft allows, and so is every message (thesis, Appendix B).";
    RejectedUnchanged, "rejected-unchanged",
        "A message that no correct peer sends is rejected, and leaves its receiver as it was.";
    Invariant, "invariant",
        "The implementation's own invariants hold after every step.";
    MachineInvariant, "machine-invariant",
        "The state machine's own invariant holds after every entry.";
    RestoreFailed, "restore-failed",
        "A node starts again from whatever a crash left on its disk (paper §5.5; thesis §3.8).";
    Panic, "panic",
        "Neither the Raft implementation nor the state machine panics.";
    EventBudget, "event-budget",
        "A run ends within its budget of events.";
    TimeLimit, "time-limit",
        "A run ends within its limit of wall-clock time.";
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A property that did not hold, and the first moment at which it did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// What did not hold.
    pub property: Property,
    /// When, in true virtual time.
    pub at: Instant,
    /// Who took part; the node that acted comes first.
    pub nodes: Vec<NodeId>,
    /// What they were then: a smaller run that fails alike fails with the same roles.
    pub roles: Vec<Role>,
    /// One sentence: who, what, when.
    pub witness: String,
}

impl Violation {
    /// A violation by `nodes` at `at`, told by `witness`.
    #[cold]
    pub fn new(
        property: Property,
        at: Instant,
        nodes: &[NodeId],
        witness: impl Into<String>,
    ) -> Self {
        Self { property, at, nodes: nodes.to_vec(), roles: Vec::new(), witness: witness.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.property, self.at, self.witness)
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the name in a file is the name that is printed, and every explanation is a sentence.
    #[test]
    fn names_and_explanations_are_complete() {
        for property in Property::ALL {
            let json = serde_json::to_string(property).expect("a unit variant serializes");
            assert_eq!(json, format!("\"{}\"", property.name()));
            assert!(property.explain().ends_with('.'), "{property}");
        }
    }
}
