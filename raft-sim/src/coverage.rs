//! What a run met, and whether a campaign met enough to have proved anything.
//!
//! A [`Situation`] is something that a simulator of Raft must have seen before "no violation" means much.
//! [`Coverage`] counts situations in one run. A [`Scorecard`] sums up many runs: a situation that fewer
//! runs met than its minimum share demands makes the campaign vacuous.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::Mark;

/// Defines [`Situation`]: variant, stable name, minimum share of seeds per million, sentence.
macro_rules! situations {
    ($($situation:ident, $name:literal, $minimum:literal, $sentence:literal;)*) => {
        /// Something that happened in a run and that a campaign should have met.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Situation {
            $(#[doc = $sentence] $situation,)*
        }

        impl Situation {
            /// Every situation, in the order of the scorecard.
            pub const ALL: &[Self] = &[$(Self::$situation,)*];

            /// The stable name, for files and reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$situation => $name,)* }
            }

            /// What it is, in a sentence.
            pub fn explain(self) -> &'static str {
                match self { $(Self::$situation => $sentence,)* }
            }

            /// In how many of a million seeds of a default campaign it must occur at least.
            pub fn minimum_per_million(self) -> u32 {
                match self { $(Self::$situation => $minimum,)* }
            }
        }
    };
}

// The minimum shares are about a quarter of what 6,000 seeds of the default profile met, so that a campaign of
// 1,000 does not fall below one by chance.
situations! {
    LeaderElected, "leader-elected", 990_000, "A leader was elected.";
    LeaderChanged, "leader-changed", 800_000, "Another node than before was elected leader.";
    SplitVote, "split-vote", 80_000, "Two candidates or more asked for votes in a term that nobody won.";
    TwoLeaders, "two-leaders", 40_000, "A node was elected while another still led an earlier term.";
    PreVoteRefused, "pre-vote-refused", 200_000, "A pre-vote was asked of a node that had to refuse it.";
    VoteRefusedForLog, "vote-refused-for-log", 200_000, "A vote was asked for by a candidate with an older log.";
    CheckQuorumDeposition, "check-quorum-deposition", 150_000, "A leader stepped down because no quorum answered it.";
    DiskStallStepDown, "disk-stall-step-down", 60_000, "A leader stepped down because its own disk did not answer.";
    EntryTruncated, "entry-truncated", 200_000, "Entries that another leader contradicted were removed.";
    TruncatedWhileWriting, "truncated-while-writing", 20_000, "A log was truncated while a write was outstanding.";
    FollowerBacktracked, "follower-backtracked", 400_000, "A follower did not hold the entry before those it was sent.";
    OlderTermOnQuorum, "older-term-on-quorum", 80_000, "An entry of an earlier term was on the disks of a quorum, yet uncommitted (Figure 8).";
    OlderTermCommitted, "older-term-committed", 300_000, "Entries of an earlier term were committed through one of the current term.";
    TwoTermsLate, "two-terms-late", 100_000, "A message was delivered at least two terms late.";
    DuplicateDelivered, "duplicate-delivered", 120_000, "A message was delivered twice.";
    MalformedRejected, "malformed-rejected", 70_000, "A message that no correct peer sends was rejected without a trace.";
    WindowFilled, "window-filled", 120_000, "A leader's window to a peer was full.";
    WindowDrained, "window-drained", 100_000, "A leader's window to a peer was full, then drained by acknowledgements.";
    OversizeEntry, "oversize-entry", 80_000, "An entry larger than a batch may be travelled alone.";
    VoteLost, "vote-lost", 15_000, "A crash lost a vote that was not durable yet.";
    SuffixLost, "suffix-lost", 200_000, "A crash lost entries that were not durable yet.";
    TornWrite, "torn-write", 10_000, "A crash left a part of the outstanding write.";
    CrashWhileWriting, "crash-while-writing", 200_000, "A node crashed while a write was outstanding.";
    CrashBeforeReceipt, "crash-before-receipt", 30_000, "A node crashed after entries were durable and before it was told.";
    CrashOnWinning, "crash-on-winning", 150_000, "A leader crashed before an entry of its term was on its disk.";
    LeaderCrashed, "leader-crashed", 250_000, "A leader crashed.";
    MajorityLossRecovered, "majority-loss-recovered", 70_000, "A majority was down, and later the cluster committed again.";
    TotalLossRecovered, "total-loss-recovered", 50_000, "Every node was down, and later the cluster committed again.";
    QuickRestart, "quick-restart", 150_000, "A node was back within an election timeout of its crash.";
    LateRestart, "late-restart", 70_000, "A node was down for more than three election timeouts.";
    NodePaused, "node-paused", 70_000, "A node was paused and went on later.";
    ClocksDiffered, "clocks-differed", 120_000, "Clocks ran at different rates.";
    SlowMachine, "slow-machine", 10_000, "A machine took longer than a heartbeat interval for its entries.";
    SlowDisk, "slow-disk", 150_000, "A disk took longer than a heartbeat interval for a write.";
    PartitionHealed, "partition-healed", 250_000, "A partition came and was healed.";
    OneWayCutProgress, "one-way-cut-progress", 40_000, "The cluster committed while one direction between two nodes was cut.";
    OneLinkCutProgress, "one-link-cut-progress", 10_000, "The cluster committed while the link between two nodes was cut.";
    ProposalForwarded, "proposal-forwarded", 200_000, "A proposal made at a follower was done.";
    ForwardUnknown, "forward-unknown", 150_000, "A proposal made at a follower was reported as unknown.";
    ProposalLost, "proposal-lost", 70_000, "A proposal was reported as lost: another entry was committed in its place.";
    ProposalRefused, "proposal-refused", 500_000, "A proposal was refused with a reason.";
    ProposalBusy, "proposal-busy", 30_000, "A proposal was refused because too much was pending.";
    SnapshotTaken, "snapshot-taken", 160_000, "A snapshot of a machine was taken.";
    SnapshotWhileJoint, "snapshot-while-joint", 40_000, "A snapshot was taken as of a joint configuration.";
    SnapshotInstalled, "snapshot-installed", 110_000, "A snapshot from the leader was installed.";
    SnapshotInstalledJoint, "snapshot-installed-joint", 7_750, "A snapshot that names a joint configuration was installed.";
    SnapshotOverOtherLog, "snapshot-over-other-log", 70_000, "A snapshot replaced entries that were not committed.";
    SnapshotChunked, "snapshot-chunked", 10_000, "A snapshot arrived in several chunks.";
    SnapshotFetched, "snapshot-fetched", 20_000, "A snapshot was fetched from elsewhere.";
    StaleSnapshotFound, "stale-snapshot-found", 300, "The place that a leader named held another snapshot.";
    MachineRestored, "machine-restored", 120_000, "A machine was restored from a snapshot.";
    EntriesFetched, "entries-fetched", 230_000, "Entries that were no longer in memory were read back.";
    ChoreFailed, "chore-failed", 40_000, "Old entries or a snapshot could not be read or written.";
    LogCompacted, "log-compacted", 140_000, "A log was compacted.";
    MembershipChanged, "membership-changed", 150_000, "A change of membership was done.";
    ChangeRefusedPending, "change-refused-pending", 50_000, "A change of membership was refused because another was under way.";
    ChangeRefusedEarly, "change-refused-early", 30_000, "A change of membership was refused because the leader had not committed anything yet.";
    JointEntered, "joint-entered", 100_000, "A joint configuration was committed.";
    JointLeftByAnother, "joint-left-by-another", 30_000, "A joint configuration was left by another leader than entered it.";
    JointPartitioned, "joint-partitioned", 25_000, "Old and new voters were cut off from each other while both had to agree.";
    ConfigurationTruncated, "configuration-truncated", 10_000, "A membership was removed with the log that held it.";
    LeaderRemoved, "leader-removed", 50_000, "A leader stepped down because its cluster had removed it.";
    TwoChangesAndCrash, "two-changes-and-crash", 20_000, "Within an election timeout the membership changed twice and a node crashed.";
    NodeJoined, "node-joined", 60_000, "A node with an empty disk joined.";
    LeadershipTransferred, "leadership-transferred", 40_000, "Leadership was handed over.";
    TransferAborted, "transfer-aborted", 10_000, "A transfer of leadership came to nothing.";
    ReadAnswered, "read-answered", 190_000, "A linearizable read was answered.";
    ReadForwarded, "read-forwarded", 120_000, "A linearizable read was answered by a node that did not lead.";
    ReadFromLease, "read-from-lease", 40_000, "A read was answered at once, from a lease.";
    ReadRefusedByDeposition, "read-refused-by-deposition", 150_000, "A read was refused because the leader that was to confirm it was deposed.";
    MixedSettings, "mixed-settings", 40_000, "Some nodes were configured otherwise than others.";
    DiskLost, "disk-lost", 10_000, "A node lost its disk for good.";
    AmnesiaRefused, "amnesia-refused", 10_000, "A node that had lost its disk was refused when it came back under its name.";
    MembershipForced, "membership-forced", 1_000, "A membership of survivors was forced upon a cluster that could elect nobody.";
    ForcedWithLoss, "forced-with-loss", 0, "A cluster could elect nobody, and no survivor held everything that was committed.";
    SessionUsed, "session-used", 30_000, "A client was told the output of a command of its session.";
    SessionRepeated, "session-repeated", 20_000, "A client with a session sent a command again whose fate it did not know.";
    SessionExpired, "session-expired", 10_000, "A client found its session expired.";
    InputsGathered, "inputs-gathered", 100_000, "A node took in several inputs before it did what followed from them.";
    EvenCluster, "even-cluster", 50_000, "The cluster had an even number of voters.";
    SingleNode, "single-node", 8_000, "The cluster had one node.";
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the linearizability searches went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searches {
    /// Parts of histories that were searched.
    pub searched: u64,
    /// Those among them that ran out of budget before there was an answer.
    pub inconclusive: u64,
    /// States visited in all.
    pub states: u64,
    /// Histories that were not searched, because what the machine does depends on positions in the log.
    pub skipped: u64,
}

impl Searches {
    /// Adds those of another run, as [`Statistics::merge`](crate::verdict::Statistics::merge) does.
    pub fn merge(&mut self, other: &Self) {
        self.searched = self.searched.saturating_add(other.searched);
        self.inconclusive = self.inconclusive.saturating_add(other.inconclusive);
        self.states = self.states.saturating_add(other.states);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }
}

const SITUATIONS: usize = Situation::ALL.len();
/// The most marks that a machine may have: a bit each.
const MARKS: usize = 64;

/// How often each situation occurred in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "CoverageParts", from = "CoverageParts")]
pub struct Coverage {
    counts: [u64; SITUATIONS],
    /// The marks of the machine's own that were met, a bit each.
    marks: u64,
    /// How the linearizability searches went.
    pub searches: Searches,
}

/// [`Coverage`] as it is written to files: only what occurred, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct CoverageParts {
    situations: BTreeMap<Situation, u64>,
    marks: u64,
    searches: Searches,
}

impl From<Coverage> for CoverageParts {
    fn from(coverage: Coverage) -> Self {
        let situations = coverage.iter().filter(|(_, count)| *count > 0).collect();
        Self { situations, marks: coverage.marks, searches: coverage.searches }
    }
}

impl From<CoverageParts> for Coverage {
    fn from(parts: CoverageParts) -> Self {
        let mut coverage = Self { marks: parts.marks, searches: parts.searches, ..Self::default() };
        for (situation, count) in parts.situations {
            coverage.counts[situation as usize] = count;
        }
        coverage
    }
}

impl Default for Coverage {
    fn default() -> Self {
        Self { counts: [0; SITUATIONS], marks: 0, searches: Searches::default() }
    }
}

impl Coverage {
    /// Counts one occurrence.
    pub fn note(&mut self, situation: Situation) {
        self.counts[situation as usize] += 1;
    }

    /// Notes that marks of the machine's own were met.
    pub(crate) fn meet(&mut self, marks: u64) {
        self.marks |= marks;
    }

    /// The marks of the machine's own that were met: bit `n` for the `n`th of [`Machine::MARKS`](crate::Machine::MARKS).
    pub fn marks(&self) -> u64 {
        self.marks
    }

    /// How often it occurred.
    pub fn count(&self, situation: Situation) -> u64 {
        self.counts[situation as usize]
    }

    /// Every situation with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Situation, u64)> + '_ {
        Situation::ALL.iter().copied().zip(self.counts)
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.marks |= other.marks;
        self.searches.merge(&other.searches);
    }
}

/// Which situations the runs of a campaign met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scorecard {
    seeds: u64,
    seeds_with: [u64; SITUATIONS],
    /// In how many seeds each mark of the machine's own was met.
    seeds_with_mark: [u64; MARKS],
    total: Coverage,
}

/// How a situation stands after a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Often enough.
    Seen,
    /// It occurred, in fewer seeds than it should.
    TooRare,
    /// It did not occur. Whether that makes the campaign vacuous depends on the number of seeds.
    Missing,
}

/// One line of a [`Scorecard`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The situation.
    pub situation: Situation,
    /// In how many seeds it occurred.
    pub seeds: u64,
    /// How often it occurred in all.
    pub total: u64,
    /// In how many of a million seeds it occurred.
    pub share_per_million: u64,
    /// In how many of a million seeds it must occur.
    pub minimum_per_million: u32,
    /// In how many seeds of this campaign it must occur.
    pub demanded: u64,
    /// How it stands.
    pub standing: Standing,
}

/// How a mark of the machine's own stands after a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkScore {
    /// Its name.
    pub mark: String,
    /// In how many seeds it was met.
    pub seeds: u64,
    /// In how many of a million seeds it was met.
    pub share_per_million: u64,
    /// In how many of a million seeds it must be met.
    pub minimum_per_million: u32,
    /// In how many seeds of this campaign it must be met.
    pub demanded: u64,
    /// How it stands.
    pub standing: Standing,
}

impl MarkScore {
    /// How a mark stands that was met in so many of all seeds.
    pub(crate) fn new(mark: &str, minimum_per_million: u32, seeds: u64, all: u64) -> Self {
        let demanded = demanded(minimum_per_million, all);
        Self {
            mark: mark.to_owned(),
            seeds,
            share_per_million: share(seeds, all),
            minimum_per_million,
            demanded,
            standing: Standing::of(seeds, demanded),
        }
    }
}

/// In how many seeds something must occur. Rounded down: a short campaign is not asked for what it can hardly meet.
fn demanded(minimum_per_million: u32, seeds: u64) -> u64 {
    seeds.saturating_mul(u64::from(minimum_per_million)) / 1_000_000
}

fn share(seeds: u64, all: u64) -> u64 {
    seeds.saturating_mul(1_000_000).checked_div(all).unwrap_or(0)
}

impl Standing {
    fn of(seeds: u64, demanded: u64) -> Self {
        match seeds {
            0 => Self::Missing,
            seeds if seeds < demanded => Self::TooRare,
            _ => Self::Seen,
        }
    }
}

impl Default for Scorecard {
    fn default() -> Self {
        Self {
            seeds: 0,
            seeds_with: [0; SITUATIONS],
            seeds_with_mark: [0; MARKS],
            total: Coverage::default(),
        }
    }
}

impl Scorecard {
    /// Takes in the coverage of one seed's run.
    pub fn add(&mut self, coverage: &Coverage) {
        self.seeds += 1;
        for (seeds, (_, count)) in self.seeds_with.iter_mut().zip(coverage.iter()) {
            *seeds += u64::from(count > 0);
        }
        for (bit, seeds) in self.seeds_with_mark.iter_mut().enumerate() {
            *seeds += coverage.marks >> bit & 1;
        }
        self.total.merge(coverage);
    }

    /// Takes in what is written of another part of the campaign: in how many of its seeds each situation occurred, and how
    /// often.
    pub(crate) fn add_counted(
        &mut self,
        seeds: u64,
        counts: impl Fn(Situation) -> (u64, u64),
        searches: &Searches,
    ) {
        let add = |count: &mut u64, more: u64| *count = count.saturating_add(more);
        add(&mut self.seeds, seeds);
        for situation in Situation::ALL {
            let (with, total) = counts(*situation);
            add(&mut self.seeds_with[*situation as usize], with);
            add(&mut self.total.counts[*situation as usize], total);
        }
        self.total.searches.merge(searches);
    }

    /// Takes in another part of the campaign. The order of parts does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        for (seeds, more) in self.seeds_with.iter_mut().zip(other.seeds_with) {
            *seeds += more;
        }
        for (seeds, more) in self.seeds_with_mark.iter_mut().zip(other.seeds_with_mark) {
            *seeds += more;
        }
        self.total.merge(&other.total);
    }

    /// How many seeds were taken in.
    pub fn seeds(&self) -> u64 {
        self.seeds
    }

    /// How the linearizability searches of all seeds went.
    pub fn searches(&self) -> &Searches {
        &self.total.searches
    }

    /// Where one situation stands.
    pub fn score(&self, situation: Situation) -> Score {
        let seeds = self.seeds_with[situation as usize];
        let minimum_per_million = situation.minimum_per_million();
        let demanded = demanded(minimum_per_million, self.seeds);
        Score {
            situation,
            seeds,
            total: self.total.count(situation),
            share_per_million: share(seeds, self.seeds),
            minimum_per_million,
            demanded,
            standing: Standing::of(seeds, demanded),
        }
    }

    /// Where the marks of the machine's own stand: those beyond the 64th are left out.
    pub fn mark_scores(&self, marks: &[Mark]) -> Vec<MarkScore> {
        let scores = marks.iter().zip(self.seeds_with_mark);
        let score = |(mark, seeds): (&Mark, u64)| {
            MarkScore::new(mark.name, mark.minimum_per_million, seeds, self.seeds)
        };
        scores.map(score).collect()
    }

    /// Every situation with where it stands.
    pub fn scores(&self) -> impl Iterator<Item = Score> + '_ {
        Situation::ALL.iter().map(|situation| self.score(*situation))
    }

    /// The situations that occurred in fewer seeds than demanded; with none, the campaign is not vacuous.
    pub fn vacuous(&self) -> Vec<Score> {
        self.scores().filter(|score| score.seeds < score.demanded).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the name in a file is the name that is printed; minimum shares are shares.
    #[test]
    fn names_sentences_and_shares_are_sound() {
        for (place, situation) in Situation::ALL.iter().enumerate() {
            let json = serde_json::to_string(situation).expect("a unit variant serializes");
            assert_eq!(json, format!("\"{situation}\""));
            assert_eq!(*situation as usize, place);
            assert!(situation.explain().ends_with('.'), "{situation}");
            assert!(situation.minimum_per_million() <= 1_000_000, "{situation}");
        }
    }

    /// Goal: coverage survives a file.
    #[test]
    fn coverage_round_trips() {
        let mut coverage = Coverage::default();
        coverage.note(Situation::VoteLost);
        coverage.note(Situation::VoteLost);
        coverage.searches.states = 7;
        let json = serde_json::to_string(&coverage).expect("plain data serializes");
        assert!(json.contains("\"vote-lost\":2"), "{json}");
        assert_eq!(
            serde_json::from_str::<Coverage>(&json).expect("what was written is read"),
            coverage
        );
    }

    /// Goal: a situation is missing, too rare or seen; parts of a campaign sum up in any order.
    #[test]
    fn a_scorecard_tells_missing_from_rare_from_seen() {
        let mut seen = Coverage::default();
        seen.note(Situation::LeaderElected);
        let (mut first, mut second) = (Scorecard::default(), Scorecard::default());
        for seed in 0..1_000 {
            let part = if seed % 2 == 0 { &mut first } else { &mut second };
            let mut coverage = seen.clone();
            if seed == 5 {
                coverage.note(Situation::LeaderChanged);
                coverage.note(Situation::LeaderChanged);
            }
            part.add(&coverage);
        }
        let mut backwards = second.clone();
        backwards.merge(&first);
        first.merge(&second);
        assert_eq!(first, backwards);
        assert_eq!(first.score(Situation::LeaderElected).standing, Standing::Seen);
        let changed = first.score(Situation::LeaderChanged);
        assert_eq!((changed.standing, changed.seeds, changed.total), (Standing::TooRare, 1, 2));
        assert_eq!(first.score(Situation::SplitVote).standing, Standing::Missing);
        let vacuous: Vec<_> = first.vacuous().iter().map(|score| score.situation).collect();
        assert!(
            vacuous.contains(&Situation::SplitVote) && vacuous.contains(&Situation::LeaderChanged)
        );
        assert!(!vacuous.contains(&Situation::LeaderElected));
        assert!(Scorecard::default().vacuous().is_empty(), "no seeds, nothing demanded");
    }
}
