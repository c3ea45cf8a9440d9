//! The faults that a machine has of its own, drawn into the plan of a seed.

use raft_core::Instant;

use super::{Item, Profile, Source};
use crate::machine::Machine;
use crate::plan::{Fault, FaultName, Plan, Target, TimedFault};

/// The most faults of a machine's own in a plan.
const MOST: u64 = 8;

impl Plan {
    /// The plan of a seed for a machine: that of [`Plan::generate`], and in two of three plans of the default profile some
    /// of the faults that the machine has of its own ([`Machine::FAULTS`]). Without any the two are the same.
    ///
    /// # Panics
    /// When a name of [`Machine::FAULTS`] is not as it must be.
    pub fn generate_for<M: Machine>(seed: u64, profile: Profile) -> Self {
        let mut plan = Self::generate(seed, profile);
        if profile == Profile::Default && !M::FAULTS.is_empty() {
            plan.faults.extend(faults(Source { seed }, M::FAULTS, plan.heal_at));
            plan.faults.sort_by_key(|timed| timed.at);
        }
        plan
    }
}

fn faults(source: Source, names: &[&str], heal_at: Instant) -> Vec<TimedFault> {
    let mut draw = source.of(Item::MachineFaults);
    if draw.chance(333_333) {
        return Vec::new();
    }
    let names: Vec<FaultName> = names
        .iter()
        .map(|name| name.parse().unwrap_or_else(|error| panic!("Machine::FAULTS: {error}")))
        .collect();
    let targets = [Target::Leader, Target::Follower, Target::Anyone];
    let mut fault = || TimedFault {
        at: Instant(draw.between(1, heal_at.0.max(1))),
        fault: Fault::Machine { target: *draw.pick(&targets), name: *draw.pick(&names) },
    };
    let first = fault();
    let count = source.nth(Item::MachineFaults, 1).below(MOST);
    std::iter::once(first).chain((0..count).map(|_| fault())).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use raft_core::LogPosition;

    use super::*;
    use crate::draw::Draw;

    #[derive(Clone, Default)]
    struct Frail;

    impl Machine for Frail {
        const FAULTS: &'static [&'static str] = &["shake", "soak"];

        fn apply(&mut self, _position: LogPosition, _command: &Bytes) -> Bytes {
            Bytes::new()
        }

        fn digest(&self) -> u64 {
            0
        }

        fn snapshot(&self) -> Bytes {
            Bytes::new()
        }

        fn restore(_snapshot: &Bytes) -> Result<Self, String> {
            Ok(Self)
        }

        fn command(_draw: &mut Draw) -> Bytes {
            Bytes::new()
        }
    }

    /// Goal: a machine's faults are drawn into most plans, all of them sooner or later; without them the plan is what it is
    /// for any machine.
    #[test]
    fn faults_of_a_machine_are_drawn() {
        let mut met = std::collections::BTreeSet::new();
        let mut plans_with = 0;
        for seed in 0..300 {
            let mut plan = Plan::generate_for::<Frail>(seed, Profile::Default);
            plan.validate().expect("it can be run");
            let before = plan.faults.len();
            plan.faults.retain(|timed| match timed.fault {
                Fault::Machine { name, .. } => {
                    met.insert(name.to_string());
                    false
                }
                _ => true,
            });
            plans_with += u64::from(plan.faults.len() < before);
            assert_eq!(plan, Plan::generate(seed, Profile::Default));
        }
        assert!(met.iter().eq(["shake", "soak"]), "{met:?}");
        assert!((150..250).contains(&plans_with), "{plans_with}");
        let calm = Plan::generate_for::<Frail>(1, Profile::Calm);
        assert_eq!(calm, Plan::generate(1, Profile::Calm));
    }
}
