//! Whether a plan can be run.

use raft_core::{Instant, NodeId, Ticks};

use super::fault::{Cut, Fault, StaticCut, Target};
use super::network::{Fate, Rare, Span};
use super::node::{LONGEST, RATES};
use super::{MAX_CLIENTS, MAX_NODES, PLAN_VERSION, Plan, PlanError};

/// The most copies, faults or overrides that a plan may list.
const MOST_ITEMS: usize = 1_000_000;

type Checked = Result<(), PlanError>;

impl Plan {
    /// Checks that the plan can be run.
    ///
    /// # Errors
    /// The first value that makes no sense, and what would do.
    pub fn validate(&self) -> Checked {
        if self.version != PLAN_VERSION {
            return Err(PlanError::Version { found: self.version.into(), expected: PLAN_VERSION });
        }
        if self.nodes == 0 || self.nodes > MAX_NODES {
            return impossible(
                "nodes",
                format!("is {}: it must be from 1 to {MAX_NODES}", self.nodes),
            );
        }
        self.settings.of(self.seed, NodeId(1)).validate().map_err(|error| {
            PlanError::impossible("settings", format!("are contradictory: {error}"))
        })?;
        if self.settings.election_timeout > LONGEST || self.settings.request_timeout > LONGEST {
            return impossible("settings", format!("hold a time above {LONGEST} microseconds"));
        }
        self.validate_clocks()?;
        self.validate_profiles()?;
        self.validate_workload()?;
        self.validate_faults()?;
        if let Some(cut) = &self.static_cut {
            self.validate_static_cut(cut)?;
        }
        self.validate_overrides()
    }

    fn validate_clocks(&self) -> Checked {
        if self.clocks.len() as u64 != u64::from(self.nodes) {
            return impossible(
                "clocks",
                format!(
                    "has {} rates for {} nodes: give each node one",
                    self.clocks.len(),
                    self.nodes
                ),
            );
        }
        let (least, greatest) = RATES;
        match self.clocks.iter().find(|rate| !(least..=greatest).contains(*rate)) {
            Some(rate) => impossible(
                "clocks",
                format!("holds the rate {rate}: rates are from {least} to {greatest}"),
            ),
            None => Ok(()),
        }
    }

    fn validate_profiles(&self) -> Checked {
        span("network.leave", self.network.leave)?;
        span("network.delay", self.network.delay)?;
        rare("network.slow", self.network.slow)?;
        share("network.loss_per_million", self.network.loss_per_million)?;
        share("network.duplicate_per_million", self.network.duplicate_per_million)?;
        share("network.malformed_per_million", self.network.malformed_per_million)?;
        span("disk.write", self.disk.write)?;
        rare("disk.slow", self.disk.slow)?;
        span("disk.receipt", self.disk.receipt)?;
        span("apply.latency", self.apply.latency)?;
        span("apply.report", self.apply.report)?;
        let rate = self.network.loss_per_million;
        if rate == 1_000_000 {
            return impossible("network.loss_per_million", "is 1000000: then nothing ever arrives");
        }
        if self.limits.events == 0 {
            return impossible("limits.events", "is 0: a run needs at least one");
        }
        moment("heal_at", self.heal_at)
    }

    fn validate_workload(&self) -> Checked {
        let load = &self.workload;
        if load.clients > MAX_CLIENTS {
            let reason = format!("is {}: at most {MAX_CLIENTS} are possible", load.clients);
            return impossible("workload.clients", reason);
        }
        span("workload.think", load.think)?;
        span("workload.patience", load.patience)?;
        span("workload.backoff", load.backoff)?;
        // Otherwise a client would try for ever without time going on.
        for (field, span) in
            [("workload.patience", load.patience), ("workload.backoff", load.backoff)]
        {
            if span.min.0 == 0 {
                return impossible(field, "begins at 0: it must be at least 1 microsecond");
            }
        }
        share("workload.follow_per_million", load.follow_per_million)?;
        share("workload.stay_per_million", load.stay_per_million)
    }

    fn validate_faults(&self) -> Checked {
        if self.faults.len() > MOST_ITEMS || self.overrides.len() > MOST_ITEMS {
            return impossible("faults", format!("or overrides are more than {MOST_ITEMS}"));
        }
        let mut before = Instant(0);
        for (number, timed) in self.faults.iter().enumerate() {
            let field = format!("faults[{number}]");
            moment(&field, timed.at)?;
            if timed.at < before {
                return impossible(
                    field,
                    format!("begins at {} before its predecessor: sort them", timed.at),
                );
            }
            if timed.at > self.heal_at {
                let reason = format!("begins at {} after heal_at {}", timed.at, self.heal_at);
                return impossible(field, reason);
            }
            before = timed.at;
            self.validate_fault(&field, &timed.fault)?;
        }
        Ok(())
    }

    fn validate_fault(&self, field: &str, fault: &Fault) -> Checked {
        match fault {
            Fault::Cut { cut, lasts } => {
                lasting(field, *lasts)?;
                self.validate_cut(field, cut)
            }
            Fault::Flap { cut, down, up, lasts } => {
                lasting(field, *lasts)?;
                lasting(field, *down)?;
                lasting(field, *up)?;
                if down.0 == 0 || up.0 == 0 {
                    return impossible(
                        field,
                        "flaps without time going on: down and up must be at least 1",
                    );
                }
                self.validate_cut(field, cut)
            }
            Fault::Hold { from, lasts, kind: _ } => {
                lasting(field, *lasts)?;
                from.map_or(Ok(()), |target| self.validate_target(field, target))
            }
            Fault::Crash { target, down, point: _ } => {
                lasting(field, *down)?;
                self.validate_target(field, *target)
            }
            Fault::LoseMajority { down } | Fault::PowerLoss { down } => span(field, *down),
            Fault::Pause { target, lasts } => {
                lasting(field, *lasts)?;
                self.validate_target(field, *target)
            }
            Fault::SlowDisk { target, write, lasts } => {
                lasting(field, *lasts)?;
                span(field, *write)?;
                self.validate_target(field, *target)
            }
        }
    }

    fn validate_cut(&self, field: &str, cut: &Cut) -> Checked {
        match cut {
            Cut::Isolate { target, .. } | Cut::Bridge { target } => {
                self.validate_target(field, *target)
            }
            Cut::Split { target, size, .. } => {
                if *size == 0 || *size > self.nodes {
                    let reason = format!("splits off {size} of {} nodes", self.nodes);
                    return impossible(field, reason);
                }
                self.validate_target(field, *target)
            }
            Cut::Link { target, other, .. } => {
                self.validate_target(field, *target)?;
                self.validate_target(field, *other)
            }
            Cut::Ring => Ok(()),
        }
    }

    fn validate_target(&self, field: &str, target: Target) -> Checked {
        match target {
            Target::Node(node) => self.validate_node(field, node),
            Target::Leader | Target::Follower | Target::Anyone => Ok(()),
        }
    }

    fn validate_node(&self, field: &str, node: NodeId) -> Checked {
        if node.0 == 0 || node.0 > u64::from(self.nodes) {
            return impossible(
                field,
                format!("names {node}, but the nodes are n1 to n{}", self.nodes),
            );
        }
        Ok(())
    }

    /// Without these safeguards Raft promises no progress under a partial cut (thesis §9.6).
    fn validate_static_cut(&self, cut: &StaticCut) -> Checked {
        lasting("static_cut", cut.settle)?;
        lasting("static_cut", cut.lasts)?;
        let settings = &self.settings;
        let safeguards = [settings.pre_vote, settings.check_quorum, settings.stickiness];
        if !safeguards.iter().all(|toggle| toggle.is_on()) {
            let reason = "needs pre_vote, check_quorum and stickiness on: without them Raft may make no \
                          progress under a partial cut";
            return impossible("static_cut", reason);
        }
        if self.nodes < 3 {
            return impossible(
                "static_cut",
                "needs 3 nodes at least: fewer cannot do without a link",
            );
        }
        if self.workload.clients == 0 {
            return impossible(
                "static_cut",
                "needs a client: without load there is no progress to see",
            );
        }
        match cut.cut {
            Cut::Isolate { .. } | Cut::Link { .. } => self.validate_cut("static_cut", &cut.cut),
            Cut::Split { .. } | Cut::Bridge { .. } | Cut::Ring => impossible(
                "static_cut",
                "must isolate one node or cut one link: other cuts may leave no majority connected",
            ),
        }
    }

    fn validate_overrides(&self) -> Checked {
        for (number, item) in self.overrides.iter().enumerate() {
            let field = format!("overrides[{number}]");
            self.validate_node(&field, item.from)?;
            self.validate_node(&field, item.to)?;
            match item.fate {
                Fate::Lost => {}
                Fate::Once { delay } => lasting(&field, delay)?,
                Fate::Twice { delay, again } => {
                    lasting(&field, delay)?;
                    lasting(&field, again)?;
                }
            }
        }
        Ok(())
    }
}

fn impossible(field: impl Into<String>, reason: impl Into<String>) -> Checked {
    Err(PlanError::impossible(field, reason))
}

fn span(field: &str, span: Span) -> Checked {
    if span.min > span.max {
        return impossible(
            field,
            format!("goes from {} down to {}: swap them", span.min, span.max),
        );
    }
    lasting(field, span.max)
}

fn rare(field: &str, rare: Rare) -> Checked {
    share(field, rare.per_million)?;
    span(field, rare.takes)
}

fn share(field: &str, per_million: u32) -> Checked {
    if per_million > 1_000_000 {
        return impossible(
            field,
            format!("is {per_million} in a million: at most 1000000 is possible"),
        );
    }
    Ok(())
}

fn lasting(field: &str, ticks: Ticks) -> Checked {
    if ticks > LONGEST {
        return impossible(
            field,
            format!("holds {ticks} microseconds: at most {LONGEST} are possible"),
        );
    }
    Ok(())
}

fn moment(field: &str, at: Instant) -> Checked {
    lasting(field, Ticks(at.0))
}

#[cfg(test)]
mod tests {
    use super::super::{Profile, TimedFault};
    use super::*;

    fn refused(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = Plan::generate(3, Profile::Calm);
        change(&mut plan);
        let text = plan.validate().expect_err("the plan makes no sense").to_string();
        assert!(!text.contains('\n'), "{text}");
        text
    }

    /// Values that cannot be run are named, with what would do.
    #[test]
    fn impossible_values_are_named() {
        assert!(refused(|plan| plan.nodes = 8).contains("nodes is 8"));
        assert!(refused(|plan| plan.nodes += 1).contains("rates"));
        assert!(refused(|plan| plan.network.delay = Span::new(9, 3)).contains("network.delay"));
        assert!(refused(|plan| plan.network.loss_per_million = 2_000_000).contains("in a million"));
        assert!(
            refused(|plan| plan.settings.heartbeat_interval = Ticks(1 << 30)).contains("heartbeat")
        );
        assert!(refused(|plan| plan.heal_at = Instant::NEVER).contains("heal_at"));
        let crash = Fault::Crash {
            target: Target::Node(NodeId(9)),
            point: super::super::CrashPoint::Now,
            down: Ticks(1),
        };
        let text = refused(|plan| plan.faults.push(TimedFault { at: Instant(5), fault: crash }));
        assert!(text.contains("faults[0] names n9"), "{text}");
    }

    /// What the generator makes can be run.
    #[test]
    fn generated_plans_are_valid() {
        for seed in 0..2_000 {
            for profile in Profile::ALL {
                assert_eq!(Plan::generate(seed, profile).validate(), Ok(()));
            }
        }
    }
}
