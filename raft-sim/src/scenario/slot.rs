//! Tables of named values: what a header line may say, each with the place in the plan where that is kept.
//!
//! Invariant: what [`Slot::text`] writes is what [`Slot::read`] reads, for every value.

use raft_core::{Forwarding, Priority, Ticks, Toggle};

use super::error::ScenarioError;
use super::values::{name_in, number, per_million, span, span_text, ticks, ticks_text};
use super::words::Words;
use crate::plan::{MachineMemory, Order, Plan, PlanSettings, Rare, Span};
use crate::units::share_text;

/// A place in `T`, by the type of what is kept there.
#[derive(Clone, Copy)]
pub(super) enum Slot<T> {
    Time(fn(&mut T) -> &mut Ticks),
    Times(fn(&mut T) -> &mut Span),
    Rare(fn(&mut T) -> &mut Rare),
    Share(fn(&mut T) -> &mut u32),
    Count(fn(&mut T) -> &mut u64),
    Few(fn(&mut T) -> &mut u32),
    Toggle(fn(&mut T) -> &mut Toggle),
    Forwarding(fn(&mut T) -> &mut Forwarding),
    Priority(fn(&mut T) -> &mut Priority),
    Order(fn(&mut T) -> &mut Order),
    Memory(fn(&mut T) -> &mut MachineMemory),
}

const TOGGLES: [(&str, Toggle); 2] = [("on", Toggle::On), ("off", Toggle::Off)];
const FORWARDINGS: [(&str, Forwarding); 2] =
    [("to-leader", Forwarding::ToLeader), ("refuse", Forwarding::Refuse)];
const ORDERS: [(&str, Order); 2] = [("any", Order::Any), ("kept", Order::Kept)];
const MEMORIES: [(&str, MachineMemory); 2] =
    [("rebuilt", MachineMemory::Rebuilt), ("durable", MachineMemory::Durable)];

impl<T> Slot<T> {
    /// Reads the value.
    pub(super) fn read(&self, of: &mut T, words: &mut Words<'_>) -> Result<(), ScenarioError> {
        match self {
            Self::Time(place) => *place(of) = ticks(words)?,
            Self::Times(place) => *place(of) = span(words)?,
            Self::Rare(place) => {
                let per_million = per_million(words)?;
                *place(of) = Rare { per_million, takes: span(words)? };
            }
            Self::Share(place) => *place(of) = per_million(words)?,
            Self::Count(place) => *place(of) = number(words)?,
            Self::Few(place) => *place(of) = number(words)?,
            Self::Toggle(place) => *place(of) = words.choose(TOGGLES)?,
            Self::Forwarding(place) => *place(of) = words.choose(FORWARDINGS)?,
            Self::Priority(place) => *place(of) = Priority(number(words)?),
            Self::Order(place) => *place(of) = words.choose(ORDERS)?,
            Self::Memory(place) => *place(of) = words.choose(MEMORIES)?,
        }
        Ok(())
    }

    /// The value as it is read.
    pub(super) fn text(&self, of: &mut T) -> String {
        match self {
            Self::Time(place) => ticks_text(*place(of)),
            Self::Times(place) => span_text(*place(of)),
            Self::Rare(place) => {
                let Rare { per_million, takes } = *place(of);
                format!("{} {}", share_text(per_million), span_text(takes))
            }
            Self::Share(place) => share_text(*place(of)),
            Self::Count(place) => place(of).to_string(),
            Self::Few(place) => place(of).to_string(),
            Self::Toggle(place) => name_in(&TOGGLES, *place(of)).to_owned(),
            Self::Forwarding(place) => name_in(&FORWARDINGS, *place(of)).to_owned(),
            Self::Priority(place) => place(of).0.to_string(),
            Self::Order(place) => name_in(&ORDERS, *place(of)).to_owned(),
            Self::Memory(place) => name_in(&MEMORIES, *place(of)).to_owned(),
        }
    }
}

/// A value with the name that lines have for it.
pub(super) type Named<T> = (&'static str, Slot<T>);

/// What `set` sets.
pub(super) const SETTINGS: &[Named<PlanSettings>] = &[
    ("election-timeout", Slot::Time(|of| &mut of.election_timeout)),
    ("heartbeat-interval", Slot::Time(|of| &mut of.heartbeat_interval)),
    ("pre-vote", Slot::Toggle(|of| &mut of.pre_vote)),
    ("check-quorum", Slot::Toggle(|of| &mut of.check_quorum)),
    ("stickiness", Slot::Toggle(|of| &mut of.stickiness)),
    ("forwarding", Slot::Forwarding(|of| &mut of.forwarding)),
    ("max-batch-bytes", Slot::Count(|of| &mut of.max_batch_bytes)),
    ("max-batch-entries", Slot::Count(|of| &mut of.max_batch_entries)),
    ("max-inflight-messages", Slot::Count(|of| &mut of.max_inflight_messages)),
    ("max-inflight-bytes", Slot::Count(|of| &mut of.max_inflight_bytes)),
    ("max-uncommitted-bytes", Slot::Count(|of| &mut of.max_uncommitted_bytes)),
    ("max-undurable-bytes", Slot::Count(|of| &mut of.max_undurable_bytes)),
    ("max-command-bytes", Slot::Count(|of| &mut of.max_command_bytes)),
    ("max-pending-requests", Slot::Count(|of| &mut of.max_pending_requests)),
    ("request-timeout", Slot::Time(|of| &mut of.request_timeout)),
    ("max-cached-bytes", Slot::Count(|of| &mut of.max_cached_bytes)),
    ("retained-entries", Slot::Count(|of| &mut of.retained_entries)),
    ("max-chunk-bytes", Slot::Count(|of| &mut of.max_chunk_bytes)),
    ("read-lease", Slot::Toggle(|of| &mut of.read_lease)),
    ("max-clock-drift", Slot::Share(|of| &mut of.max_clock_drift_ppm)),
    ("priority", Slot::Priority(|of| &mut of.priority)),
];

/// A line of several named values, in any order.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) slots: &'static [Named<Plan>],
}

/// The lines that describe the surroundings of the nodes.
pub(super) const GROUPS: &[Group] = &[
    Group {
        name: "network",
        slots: &[
            ("delay", Slot::Times(|plan| &mut plan.network.delay)),
            ("gather", Slot::Time(|plan| &mut plan.network.gather)),
            ("leave", Slot::Times(|plan| &mut plan.network.leave)),
            ("slow", Slot::Rare(|plan| &mut plan.network.slow)),
            ("loss", Slot::Share(|plan| &mut plan.network.loss_per_million)),
            ("duplicate", Slot::Share(|plan| &mut plan.network.duplicate_per_million)),
            ("malformed", Slot::Share(|plan| &mut plan.network.malformed_per_million)),
            ("order", Slot::Order(|plan| &mut plan.network.order)),
        ],
    },
    Group {
        name: "disk",
        slots: &[
            ("write", Slot::Times(|plan| &mut plan.disk.write)),
            ("slow", Slot::Rare(|plan| &mut plan.disk.slow)),
            ("receipt", Slot::Times(|plan| &mut plan.disk.receipt)),
        ],
    },
    Group {
        name: "machine",
        slots: &[
            ("latency", Slot::Times(|plan| &mut plan.apply.latency)),
            ("report", Slot::Times(|plan| &mut plan.apply.report)),
            ("memory", Slot::Memory(|plan| &mut plan.apply.machine)),
        ],
    },
    Group {
        name: "snapshots",
        slots: &[
            ("every", Slot::Count(|plan| &mut plan.snapshots.every)),
            ("latency", Slot::Times(|plan| &mut plan.snapshots.latency)),
            ("failure", Slot::Share(|plan| &mut plan.snapshots.failure_per_million)),
            ("elsewhere", Slot::Share(|plan| &mut plan.snapshots.elsewhere_per_million)),
            ("stale", Slot::Share(|plan| &mut plan.snapshots.stale_per_million)),
        ],
    },
    Group {
        name: "workload",
        slots: &[
            ("clients", Slot::Few(|plan| &mut plan.workload.clients)),
            ("operations", Slot::Count(|plan| &mut plan.workload.operations)),
            ("think", Slot::Times(|plan| &mut plan.workload.think)),
            ("patience", Slot::Times(|plan| &mut plan.workload.patience)),
            ("backoff", Slot::Times(|plan| &mut plan.workload.backoff)),
            ("follow", Slot::Share(|plan| &mut plan.workload.follow_per_million)),
            ("stay", Slot::Share(|plan| &mut plan.workload.stay_per_million)),
            ("read", Slot::Share(|plan| &mut plan.workload.read_per_million)),
            ("sessions", Slot::Count(|plan| &mut plan.workload.sessions)),
        ],
    },
    Group { name: "limits", slots: &[("events", Slot::Count(|plan| &mut plan.limits.events))] },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Profile;

    /// Goal: every setting that a plan file has can be set, by the same name.
    #[test]
    fn every_setting_has_its_name() {
        let json = serde_json::to_value(PlanSettings::default()).expect("settings are numbers");
        let fields = json.as_object().expect("settings are named").keys();
        let known = |field: &str| {
            let name = field.trim_end_matches("_ppm").replace('_', "-");
            SETTINGS.iter().any(|(other, _)| *other == name)
        };
        assert!(fields.clone().all(|field| known(field)), "{json}");
        assert_eq!(fields.count(), SETTINGS.len());
    }

    /// Goal: what a slot writes it reads, and no two slots are one place.
    #[test]
    fn slots_survive() {
        for seed in 0..200 {
            let plan = Plan::generate(seed, Profile::Default);
            let mut read = Plan::benign(plan.seed, plan.nodes);
            for (_, slot) in GROUPS.iter().flat_map(|group| group.slots) {
                let text = slot.text(&mut plan.clone());
                let mut words = Words::new(1, &text);
                slot.read(&mut read, &mut words).expect("it was written");
                assert_eq!((slot.text(&mut read), words.finish()), (text.clone(), Ok(())));
            }
            assert_eq!(
                (read.network, read.disk, read.apply),
                (plan.network, plan.disk, plan.apply)
            );
            assert_eq!((read.snapshots, read.workload), (plan.snapshots, plan.workload));
            assert_eq!(read.limits, plan.limits);
        }
    }
}
