//! Makes a plan of a seed, by swarm drawing: which faults are on at all, and how hard everything is,
//! differs from seed to seed, so that rare combinations come up instead of one average mixture.
//!
//! Invariant: every choice is drawn by a key of its own ([`Item`]), so a choice that is added, or made
//! differently, changes no other.

mod actions;
mod faults;
mod machine;
mod shape;

use raft_core::{Instant, Ticks};
use serde::{Deserialize, Serialize};

use super::node::{
    ApplyProfile, DiskProfile, Limits, MachineMemory, SnapshotProfile, TRUE_RATE, Workload,
};
use super::{Network, Order, PLAN_VERSION, Plan, PlanError, PlanSettings, Rare, Span};
use crate::draw::{Domain, Draw};

/// The version of the generator: a seed means the same plan as long as this is the same.
pub const GENERATOR_VERSION: u32 = 4;

/// What kind of plans to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Everything that can go wrong, in small clusters under load.
    #[default]
    Default,
    /// The same clusters, and nothing goes wrong.
    Calm,
    /// Five nodes under a steady load, to measure speed.
    Bench,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Default, Self::Calm, Self::Bench];

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Calm => "calm",
            Self::Bench => "bench",
        }
    }

    /// The profile of a name.
    ///
    /// # Errors
    /// [`PlanError::UnknownProfile`], which lists the names.
    pub fn named(name: &str) -> Result<Self, PlanError> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|profile| profile.name()).collect();
            PlanError::UnknownProfile { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

/// What is drawn for a plan. The numbers are part of every seed's meaning: they are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Nodes = 1,
    Heartbeat = 2,
    PreVote = 3,
    CheckQuorum = 4,
    Stickiness = 5,
    Forwarding = 6,
    BatchEntries = 7,
    BatchBytes = 8,
    InflightMessages = 9,
    InflightBytes = 10,
    UncommittedBytes = 11,
    UndurableBytes = 12,
    PendingRequests = 13,
    RequestTimeout = 14,
    Leave = 20,
    Delay = 21,
    SlowMessages = 22,
    Loss = 23,
    Duplicates = 24,
    Order = 25,
    Malformed = 26,
    Gather = 27,
    Write = 30,
    SlowWrites = 31,
    Receipt = 32,
    ApplyLatency = 33,
    ApplyReport = 34,
    Machine = 35,
    Clocks = 36,
    ClockError = 47,
    SnapshotEvery = 37,
    SnapshotLatency = 38,
    SnapshotFailures = 39,
    Clients = 40,
    Operations = 41,
    Think = 42,
    Patience = 43,
    Backoff = 44,
    Follow = 45,
    Stay = 46,
    FaultKinds = 50,
    Episodes = 51,
    Episode = 52,
    Rest = 53,
    StaticCut = 54,
    Downtime = 55,
    Gap = 56,
    Elsewhere = 60,
    StalePlaces = 61,
    CachedBytes = 62,
    RetainedEntries = 63,
    ChunkBytes = 64,
    ReadLease = 65,
    Founders = 70,
    Actions = 71,
    Action = 72,
    Reads = 73,
    OtherSettings = 74,
    LostDisks = 75,
    Sessions = 76,
    MachineFaults = 77,
}

/// The source of a plan's choices.
#[derive(Clone, Copy)]
struct Source {
    seed: u64,
}

impl Source {
    /// The draws for one choice.
    fn of(self, item: Item) -> Draw {
        self.nth(item, 0)
    }

    /// The draws for the `n`th choice of its sort.
    fn nth(self, item: Item, n: u64) -> Draw {
        Draw::new(self.seed, Domain::Plan, &[item as u64, n])
    }
}

impl Plan {
    /// The plan of a seed. The same seed, profile and [`GENERATOR_VERSION`] make the same plan.
    pub fn generate(seed: u64, profile: Profile) -> Self {
        match profile {
            Profile::Default => stormy(seed),
            Profile::Calm => calm(seed),
            Profile::Bench => bench(seed),
        }
    }
}

fn stormy(seed: u64) -> Plan {
    let source = Source { seed };
    let nodes = shape::nodes(source);
    let settings = shape::settings(source);
    let mut script = faults::script(source, nodes, &settings);
    let operations = actions::operations(source, nodes, &settings, script.heal_at, &script.faults);
    script.faults.extend(operations.faults);
    script.faults.sort_by_key(|timed| timed.at);
    Plan {
        version: PLAN_VERSION,
        seed,
        profile: Profile::Default.name().to_owned(),
        nodes,
        founders: actions::founders(source, nodes),
        settings,
        other_settings: shape::other_settings(source, nodes, &settings, script.static_cut),
        network: shape::network(source, &settings),
        disk: shape::disk(source, &settings),
        apply: shape::apply(source, &settings),
        snapshots: shape::snapshots(source, &settings),
        clocks: shape::clocks(source, nodes),
        workload: shape::workload(source, &settings, script.heal_at),
        actions: operations.actions,
        faults: script.faults,
        operations: Vec::new(),
        heal_at: script.heal_at,
        ends_at: None,
        static_cut: script.static_cut,
        limits: Limits::default(),
        overrides: Vec::new(),
    }
}

/// The same cluster and load in good weather.
fn calm(seed: u64) -> Plan {
    let mut plan = stormy(seed);
    let limit = plan.settings.fraction(20);
    Profile::Calm.name().clone_into(&mut plan.profile);
    plan.faults.clear();
    plan.actions.clear();
    plan.founders = plan.nodes;
    plan.static_cut = None;
    plan.network = Network {
        delay: plan.network.delay.capped(limit),
        slow: Rare::NEVER,
        loss_per_million: 0,
        duplicate_per_million: 0,
        malformed_per_million: 0,
        ..plan.network
    };
    plan.disk = DiskProfile {
        write: plan.disk.write.capped(limit),
        slow: Rare::NEVER,
        receipt: plan.disk.receipt,
    };
    plan.apply.latency = plan.apply.latency.capped(limit);
    plan.snapshots.latency = plan.snapshots.latency.capped(limit);
    plan.snapshots.failure_per_million = 0;
    plan.snapshots.stale_per_million = 0;
    plan
}

/// How long the load of the bench profile lasts.
const BENCH_TIME: Instant = Instant(5_000_000);

fn bench(seed: u64) -> Plan {
    let settings = PlanSettings {
        max_batch_entries: 64,
        max_inflight_messages: 256,
        ..PlanSettings::default()
    };
    Plan {
        version: PLAN_VERSION,
        seed,
        profile: Profile::Bench.name().to_owned(),
        nodes: 5,
        founders: 5,
        settings,
        other_settings: None,
        network: Network {
            gather: Ticks(0),
            leave: Span::exactly(0),
            delay: Span::new(200, 2_000),
            slow: Rare::NEVER,
            loss_per_million: 0,
            duplicate_per_million: 0,
            malformed_per_million: 0,
            order: Order::Kept,
        },
        disk: DiskProfile {
            write: Span::new(100, 800),
            slow: Rare::NEVER,
            receipt: Span::exactly(0),
        },
        apply: ApplyProfile {
            latency: Span::new(20, 200),
            report: Span::exactly(0),
            machine: MachineMemory::Rebuilt,
        },
        snapshots: SnapshotProfile { every: 1_000, ..SnapshotProfile::default() },
        clocks: vec![TRUE_RATE; 5],
        workload: Workload {
            clients: 16,
            operations: u64::MAX,
            think: Span::new(1_000, 10_000),
            patience: Span::exactly(2_000_000),
            backoff: Span::exactly(20_000),
            follow_per_million: 1_000_000,
            stay_per_million: 1_000_000,
            read_per_million: 0,
            sessions: 0,
        },
        faults: Vec::new(),
        actions: Vec::new(),
        operations: Vec::new(),
        heal_at: BENCH_TIME,
        ends_at: None,
        static_cut: None,
        limits: Limits { events: u64::MAX },
        overrides: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same seed makes the same plan, another seed another one.
    #[test]
    fn a_seed_is_a_plan() {
        for profile in Profile::ALL {
            assert_eq!(Plan::generate(11, profile), Plan::generate(11, profile));
            assert_ne!(Plan::generate(11, profile), Plan::generate(12, profile));
        }
    }

    /// A draw of another item, or more draws of one, leaves all others as they are.
    #[test]
    fn choices_do_not_share_a_stream() {
        let source = Source { seed: 5 };
        let before = source.of(Item::Think).bits();
        let mut other = source.of(Item::Patience);
        for _ in 0..100 {
            other.bits();
        }
        assert_eq!(source.of(Item::Think).bits(), before);
        assert_ne!(source.nth(Item::Think, 1).bits(), before);
    }

    /// Profiles are found by name, and a wrong name is answered with the right ones.
    #[test]
    fn profiles_have_names() {
        for profile in Profile::ALL {
            assert_eq!(Profile::named(profile.name()), Ok(profile));
        }
        let error = Profile::named("fierce").expect_err("there is none");
        assert!(error.to_string().contains("default, calm, bench"), "{error}");
    }

    /// All sizes of clusters occur, three and five nodes most often.
    #[test]
    fn sizes_vary() {
        let mut counts = [0; 8];
        for seed in 0..1_000 {
            counts[Plan::generate(seed, Profile::Default).nodes as usize] += 1;
        }
        assert!(counts[1..].iter().all(|count| *count > 10), "{counts:?}");
        assert!(counts[3] + counts[5] > 500, "{counts:?}");
    }
}
