//! The phases of a run: faults, then everything is healed, then (in some plans) one cut stays and there
//! must be steady progress, and last the cluster must elect, commit through every node and converge.

use raft_core::{Instant, NodeId, Outcome, Refusal};

use super::faults::STATIC_CUT;
use super::host::{Activity, Progress, Series};
use super::losses::Forced;
use super::queue::Event;
use super::trace::{Phase, Trace, TraceEvent};
use super::{Checked, World, short};
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::plan::{Action, Cut, Fault, Span, StaticCut, Way};
use crate::raft::Raft;
use crate::violation::{Property, Violation};

/// How many election timeouts the cluster has, once everything is healed, to do all it must.
const PATIENCE: u64 = 40;
/// And how many more for each node that is asked.
const PATIENCE_PER_NODE: u64 = 6;
/// How many election timeouts the cluster has, once everything is healed, to take all nodes in again.
const MENDING: u64 = 60;
/// After how many election timeouts without a leader a majority that lost its disks is given up.
const HOPE: u64 = 30;
/// Within so many election timeouts there must be a commit under a static cut.
const STEADY_WINDOW: u64 = 6;
/// So many leaders may be elected while a static cut is watched, once the cluster has settled.
const STEADY_ELECTIONS: u64 = 1;
/// After the healing, so many election timeouts for a leader to be found before it is cut off again.
const GATHERING: u64 = 6;
/// Delays after the healing are at most this part of an election timeout.
const FAIR_PART: u64 = 16;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Faults happen.
    Faults,
    /// Everything is healed; all nodes shall vote again.
    Mending { until: u64, hope: u64 },
    /// A static cut is to follow.
    Gathering,
    /// The static cut is there; the cluster settles.
    Settling { most: Option<u64> },
    /// The static cut is there; the cluster is watched. So many elections there may have been by the end.
    Watching { until: u64, commit: u64, most: u64 },
    /// The prober asks each node.
    Probing,
    /// Nobody asks any more; the nodes must become equal.
    Converging,
    /// The run has ended.
    Over,
}

impl Stage {
    /// Whether faults are over.
    pub(super) fn is_healed(self) -> bool {
        self != Self::Faults
    }
}

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    /// The next phase begins, or the present one is looked at.
    pub(super) fn next_phase(&mut self, stamp: u32) -> Checked {
        let election = self.plan.settings.election_timeout.0;
        match self.stage {
            Stage::Faults => {
                self.heal();
                self.mend(self.now + HOPE * election)
            }
            Stage::Mending { until, hope } => self.look_at_members(until, hope),
            Stage::Gathering => {
                if let Some(StaticCut { cut, settle, lasts }) = self.plan.static_cut {
                    self.tell(TraceEvent::Phase { phase: Phase::StaticCut });
                    self.begin_cut(STATIC_CUT, &Fault::Cut { cut, lasts }, &cut);
                    let most = self.elections_needed(&cut);
                    // Whoever is left may have to bring each other up to date before anything is committed.
                    self.wait(Stage::Settling { most }, settle.0 + self.catching_up());
                }
                Ok(())
            }
            Stage::Settling { most } => {
                let lasts = self.plan.static_cut.map_or(0, |cut| cut.lasts.0);
                let most = most.unwrap_or(self.statistics.elections + STEADY_ELECTIONS);
                self.watch_on(self.now + lasts, most);
                Ok(())
            }
            Stage::Watching { until, commit, most } => self.look(until, commit, most),
            Stage::Probing | Stage::Converging => self.look_at_liveness(stamp),
            Stage::Over => Ok(()),
        }
    }

    /// All nodes are to vote; `hope` ends when a membership is forced, if it comes to that.
    fn mend(&mut self, hope: u64) -> Checked {
        let election = self.plan.settings.election_timeout.0;
        let patience = MENDING * election + self.plan.longest_request_timeout();
        let until = self.now + patience + self.catching_up();
        self.stage = Stage::Mending { until, hope };
        self.look_at_members(until, hope)
    }

    /// All nodes vote again, or are asked to.
    fn look_at_members(&mut self, until: u64, hope: u64) -> Checked {
        let changes =
            self.plan.actions.iter().any(|timed| matches!(timed.action, Action::Members { .. }));
        let is_whole = !changes
            && self.plan.founders == self.plan.nodes
            && self.survivors().count() == self.hosts.len();
        if is_whole || self.is_mended() {
            self.after_mending();
            return Ok(());
        }
        if self.now >= hope && self.is_hopeless() {
            if self.force_membership()? == Forced::WithLoss {
                self.end(Ok(()));
                return Ok(());
            }
            return self.mend(u64::MAX);
        }
        if self.now >= until {
            let witness = format!(
                "long after everything was healed the nodes do not all vote again: {}",
                self.roles()
            );
            let leaders = self.leaders();
            return Err(Violation::new(Property::Liveness, Instant(self.now), &leaders, witness));
        }
        self.wait(Stage::Mending { until, hope }, self.plan.settings.fraction(2));
        self.mend_members()
    }

    fn after_mending(&mut self) {
        let election = self.plan.settings.election_timeout.0;
        match self.plan.static_cut {
            Some(_) => {
                self.wake_clients();
                self.wait(Stage::Gathering, GATHERING * election);
            }
            None => self.start_liveness(),
        }
    }

    fn wait(&mut self, stage: Stage, span: u64) {
        self.stage = stage;
        self.queue.push(self.now + span, Event::Phase { stamp: 0 });
    }

    /// A span, milder once everything is healed.
    pub(super) fn softened(&self, span: Span) -> Span {
        if self.stage.is_healed() {
            span.capped(self.plan.settings.fraction(FAIR_PART))
        } else {
            span
        }
    }

    /// Ends all faults at once.
    fn heal(&mut self) {
        self.stage = Stage::Mending { until: u64::MAX, hope: u64::MAX };
        self.faults.clear();
        self.wishes_before_healing = self.wishes.len();
        let longest = self.plan.settings.fraction(FAIR_PART);
        self.change_links(|network| network.heal(longest));
        for node in 0..self.hosts.len() {
            self.hosts[node].slow = None;
            if !self.hosts[node].is_up() && !self.hosts[node].has_lost_disk() {
                let stamp = self.hosts[node].number(Series::Stamp);
                self.hosts[node].awaited = stamp;
                self.queue.push(self.now, Event::Restart { node: short(node), stamp });
            }
            if let Activity::Paused { stamp, .. } = self.hosts[node].activity {
                self.queue.push(self.now, Event::Resume { node: short(node), stamp });
            }
            self.speed_up(node, longest);
        }
    }

    /// Writes and batches that were to take long take no longer than they would now.
    fn speed_up(&mut self, node: usize, longest: u64) {
        let host = &mut self.hosts[node];
        let fresh = host.number(Series::Write);
        if let Some(writing) = &mut host.writing {
            writing.stamp = fresh;
            let node = short(node);
            let event = match writing.progress {
                Progress::Pending => Event::Durable { node, stamp: fresh },
                Progress::Durable => Event::Receipt { node, stamp: fresh },
            };
            self.queue.push(self.now + longest, event);
        }
        for chore in &host.chores {
            let event = Event::Chore { node: short(node), stamp: chore.stamp() };
            self.queue.push(self.now + longest, event);
        }
        // If the batch is taken or reported before, nothing is left for these.
        if let Some(applying) = &host.applying {
            let event = Event::Apply { node: short(node), stamp: applying.stamp };
            self.queue.push(self.now + longest, event);
        }
        if let Some(reporting) = &host.reporting {
            let event = Event::Report { node: short(node), stamp: reporting.stamp };
            self.queue.push(self.now + longest, event);
        }
    }

    // ----- steady progress under a static cut -----

    /// How many elections there may have been by the end of the static cut, if that can be said already. A
    /// leader that all follow is not deposed by the loss of one link: whoever misses it is refused by
    /// those who still hear it (thesis §4.2.3, §9.6).
    fn elections_needed(&self, cut: &Cut) -> Option<u64> {
        let leaders = self.leaders();
        let [leader] = leaders.as_slice() else { return None };
        let term = self.hosts[self.place(*leader)?].view.term;
        let all_follow = self.hosts.iter().all(|host| {
            host.is_up() && host.view.term == term && host.view.leader == Some(*leader)
        });
        let is_one_link = matches!(cut, Cut::Link { .. });
        (is_one_link && all_follow).then_some(self.statistics.elections)
    }

    fn watch_on(&mut self, until: u64, most: u64) {
        let commit = self.greatest_commit();
        let window = STEADY_WINDOW * self.plan.settings.election_timeout.0;
        self.wait(Stage::Watching { until, commit, most }, window);
    }

    fn look(&mut self, until: u64, commit: u64, most: u64) -> Checked {
        if self.greatest_commit() == commit {
            let what = format!(
                "nothing was committed after i{commit} for {STEADY_WINDOW} election timeouts"
            );
            return Err(self.unsteady(&what));
        }
        if self.statistics.elections > most {
            let more = self.statistics.elections - most;
            let what = format!("leaders were elected without need, {more} more than there may be");
            return Err(self.unsteady(&what));
        }
        if self.now < until {
            self.watch_on(until, most);
            return Ok(());
        }
        match self.plan.static_cut.map(|cut| cut.cut) {
            Some(Cut::Link { way: Way::Both, .. }) => {
                self.checks.note(Situation::OneLinkCutProgress);
            }
            Some(Cut::Link { .. } | Cut::Isolate { way: Way::Inbound | Way::Outbound, .. }) => {
                self.checks.note(Situation::OneWayCutProgress);
            }
            _ => {}
        }
        self.change_links(|network| network.mend(STATIC_CUT));
        self.tell(TraceEvent::FaultEnded { fault: None });
        self.start_liveness();
        Ok(())
    }

    #[cold]
    fn unsteady(&self, what: &str) -> Violation {
        let cut: Vec<String> =
            self.network.down().pairs().map(|(from, to)| format!("{from} to {to}")).collect();
        let witness = format!(
            "with the links {} cut for long and all else well, {what}: {}",
            cut.join(", "),
            self.roles()
        );
        Violation::new(Property::SteadyProgress, Instant(self.now), &self.leaders(), witness)
    }

    fn greatest_commit(&self) -> u64 {
        let running = self.hosts.iter().filter(|host| host.is_up());
        running.map(|host| host.view.commit.0).max().unwrap_or(0)
    }

    // ----- liveness -----

    fn start_liveness(&mut self) {
        self.stage = Stage::Probing;
        self.tell(TraceEvent::Phase { phase: Phase::Liveness });
        self.start_probing();
        let election = self.plan.settings.election_timeout.0;
        let timeouts = PATIENCE + PATIENCE_PER_NODE * u64::from(self.plan.nodes);
        let asking = 2 * self.plan.longest_request_timeout();
        let bound = timeouts * election + asking + self.catching_up();
        // The deadline has a stamp of its own; looks in between have none.
        self.queue.push(self.now + bound, Event::Phase { stamp: DEADLINE });
    }

    /// How long the node that is furthest behind may take to catch up. In the worst case entries travel one by one,
    /// each there and back and through two disks.
    fn catching_up(&self) -> u64 {
        let longest = self.survivors().map(|host| host.view.last.index.0).max().unwrap_or(0);
        let shortest = self.survivors().map(|host| host.view.commit.0).min().unwrap_or(0);
        longest.saturating_sub(shortest) * self.plan.settings.fraction(FAIR_PART / 4)
    }

    /// The prober has succeeded through every node.
    pub(super) fn all_probed(&mut self) {
        self.stage = Stage::Converging;
        self.queue.push(self.now, Event::Phase { stamp: 0 });
    }

    fn look_at_liveness(&mut self, stamp: u32) -> Checked {
        if stamp == DEADLINE {
            return Err(self.not_live());
        }
        if self.stage == Stage::Converging {
            if self.unlike().is_none() {
                self.end(Ok(()));
            } else {
                self.queue
                    .push(self.now + self.plan.settings.fraction(4), Event::Phase { stamp: 0 });
            }
        }
        Ok(())
    }

    /// What still differs between the nodes, in words.
    fn unlike(&self) -> Option<(Vec<NodeId>, String)> {
        let leaders = self.leaders();
        let [leader] = leaders.as_slice() else {
            return Some((leaders, "there is not exactly one leader".to_owned()));
        };
        let leader = self.place(*leader)?;
        let goal = &self.hosts[leader];
        for host in self.survivors() {
            let (view, id) = (&host.view, host.id);
            let behind = view.term != goal.view.term
                || view.commit != goal.view.last.index
                || view.last != goal.view.last
                || host.applied != view.commit;
            if behind {
                let what = format!(
                    "{id} ({}, last {}, commit {}, applied {}) is not where the leader {} is ({}, last {})",
                    view.term,
                    view.last,
                    view.commit,
                    host.applied,
                    goal.id,
                    goal.view.term,
                    goal.view.last
                );
                return Some((vec![id, goal.id], what));
            }
            if host.machine.digest() != goal.machine.digest() {
                return Some((
                    vec![id, goal.id],
                    format!("{id}'s machine differs from {}'s", goal.id),
                ));
            }
            if host.unanswered > 0 {
                return Some((
                    vec![id],
                    format!("{id} owes {} requests an answer", host.unanswered),
                ));
            }
        }
        None
    }

    #[cold]
    fn not_live(&self) -> Violation {
        let leaders = self.leaders();
        let (nodes, missing) = if let Some(node) = self.unprobed() {
            let id = self.id(node);
            if leaders.is_empty() {
                (vec![id], "there is no leader".to_owned())
            } else if let Some(size) = self.refused_as_too_large() {
                let limit = self.plan.settings.max_command_bytes;
                let what = format!(
                    "{id} was asked for nothing that it may take: the last command has \
                     {size} bytes and max_command_bytes is {limit} (raise it in the plan's settings, or \
                     let the machine draw smaller commands)"
                );
                (vec![id], what)
            } else {
                (vec![id], format!("no operation asked of {id} was committed"))
            }
        } else {
            self.unlike().unwrap_or_default()
        };
        let witness = format!("long after everything was healed {missing}: {}", self.roles());
        Violation::new(Property::Liveness, Instant(self.now), &nodes, witness)
    }

    /// The size of the prober's last command, if the cluster was asked for it and refused it for that.
    fn refused_as_too_large(&self) -> Option<u64> {
        let operations = self.checks.history().operations();
        let last = operations.iter().rfind(|operation| operation.client == self.prober())?;
        match last.answer.as_ref()?.outcome {
            Outcome::Refused { refusal: Refusal::TooLarge, .. } => Some(last.command.len() as u64),
            _ => None,
        }
    }

    fn leaders(&self) -> Vec<NodeId> {
        self.hosts.iter().filter(|host| host.leads()).map(|host| host.id).collect()
    }

    /// Who is what, for people.
    fn roles(&self) -> String {
        let one = |host: &super::host::Host<R, M>| {
            let role = if host.is_up() { host.view.role.to_string() } else { "down".to_owned() };
            format!("{} is {role} in {}", host.id, host.view.term)
        };
        self.hosts.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The stamp of the event that ends the last phase's patience.
const DEADLINE: u32 = 1;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use raft_core::{LogPosition, Node};

    use super::*;
    use crate::draw::Draw;
    use crate::kv::{Command, Kv};
    use crate::plan::{Plan, Profile};
    use crate::world::run;

    /// Only the first stage has faults.
    #[test]
    fn healing_is_for_good() {
        assert!(!Stage::Faults.is_healed());
        assert!(Stage::Gathering.is_healed() && Stage::Converging.is_healed());
    }

    fn plan() -> Plan {
        let mut plan = Plan::generate(2, Profile::Bench);
        plan.workload.operations = 200;
        plan.heal_at = Instant(2_000_000);
        plan
    }

    /// A batch that the machine would have taken, or reported, long after the end does not keep a node behind
    /// for ever.
    #[test]
    fn healing_ends_slow_batches() {
        let slow = Span::new(75_000, 60_000_000);
        let mut taking = plan();
        taking.apply.latency = slow;
        assert_eq!(run::<Node, Kv>(&taking).violation, None);
        let mut reporting = plan();
        reporting.apply.report = slow;
        assert_eq!(run::<Node, Kv>(&reporting).violation, None);
    }

    /// A store whose clients ask for more than a command may hold.
    #[derive(Clone, Default)]
    struct Verbose(Kv);

    impl Machine for Verbose {
        fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes {
            self.0.apply(position, command)
        }

        fn digest(&self) -> u64 {
            self.0.digest()
        }

        fn snapshot(&self) -> Bytes {
            self.0.snapshot()
        }

        fn restore(snapshot: &Bytes) -> Result<Self, String> {
            Kv::restore(snapshot).map(Self)
        }

        fn command(_: &mut Draw) -> Bytes {
            Command::Put { key: 0, value: Bytes::from(vec![7; 998]) }.encode()
        }
    }

    /// A machine whose commands are all too large is told so, and not that the cluster is stuck.
    #[test]
    fn commands_that_are_too_large_are_named() {
        let mut plan = plan();
        plan.settings.max_command_bytes = 1_000;
        assert_eq!(run::<Node, Verbose>(&plan).violation, None);
        plan.settings.max_command_bytes = 999;
        let violation = run::<Node, Verbose>(&plan).violation.expect("nothing can be asked for");
        assert_eq!(violation.property, Property::Liveness);
        let Violation { witness, .. } = violation;
        assert!(witness.contains("1000 bytes and max_command_bytes is 999"), "{witness}");
    }
}
