//! Every check of a run, made as it happens.
//!
//! The world tells [`Checks`] what happens, in the order in which it happens; the answer to a thing that must not
//! happen is a [`Violation`]. Each call costs amortised constant time, whatever the length of the run: logs are
//! compared by one hash that stands for a whole prefix, and nothing is copied. (Machines behind a table of sessions give
//! their digest by encoding it, which costs its size.)
//!
//! The order of calls: `started` after a start, `forced` after one with a forced membership; `stepped` after each step and before its effects are
//! carried out; then `submitted` and `sent` for its effects. `durable` when a write is on disk (its receipt comes
//! later), or `crashed` with what is left of it. `delivered` just before the receiver is stepped. `applied` after
//! each entry, commands and others alike. `invoked` when a client asks, `proposed` just before the node is stepped
//! with what it asked, `reads` or `ordered` before that when it is a read or an operator's request, `answered` or
//! `order_answered` for the answer. `took` when a snapshot is taken, `machine_restored` when a machine becomes one.
//! `malformed` just before a node is stepped with what it must reject.
//! `restored` for each machine when the run is over, then `finish`.

mod clients;
mod commit;
mod contact;
mod disk;
mod echoes;
mod elections;
mod ghost;
mod leader;
mod limits;
mod log;
mod machines;
mod malformed;
pub(crate) mod memberships;
mod mirror;
mod node;
mod ordered;
mod orders;
mod specification;
mod traffic;
mod window;

use std::sync::Arc;

use raft_core::{Event, Instant, LogPosition, Membership, NodeId, Role, Settings, StepDown};

use self::echoes::Echoes;
use self::elections::{Elections, KnownEntries};
use self::ghost::Ghost;
use self::node::{Power, Watched};
use self::window::Window;
use crate::coverage::{Coverage, Situation};
use crate::history::History;
use crate::machine::Machine;
use crate::raft::{Raft, View};
use crate::served::Served;
use crate::spec::Spec;
use crate::violation::{Property, Violation};

/// How many states a linearizability search may visit at the end of a run.
pub const SEARCH_BUDGET: u64 = 100_000;

/// Whether checks are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckLevel {
    /// All of them.
    #[default]
    Full,
    /// Only that steps and messages are what the specification of Raft allows, and that at once: for seeing what it
    /// catches by itself.
    Specification,
    /// None: for measuring what the checks cost.
    None,
}

/// What is left of the outstanding write after a crash: a prefix of its parts. Empty when nothing is.
pub type Survived = raft_core::Write;

/// All checks of one run.
#[derive(Debug)]
pub struct Checks<M> {
    /// What the run has met.
    pub coverage: Coverage,
    level: CheckLevel,
    /// The membership that the cluster starts with.
    initial: Arc<Membership>,
    nodes: Vec<Watched>,
    /// What each node has under way to each other: `from * nodes + to`.
    windows: Vec<Window>,
    echoes: Echoes,
    ghost: Ghost,
    elections: Elections,
    entries: KnownEntries,
    history: History,
    orders: Vec<orders::Ordered>,
    turbulence: memberships::Turbulence,
    /// A violation found where none could be reported.
    pending: Option<Violation>,
    loss: Loss,
    /// What clients did that have sessions, each command once however often it was sent.
    once: History,
    /// A machine of the kind that replicas have.
    served: Served<M>,
    spec: Spec,
    /// The first step or message that the specification does not allow.
    departure: Option<Violation>,
}

/// The worst loss of nodes since something was committed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// A majority was up all the time.
    Minority,
    /// No majority was up.
    Majority,
    /// Nobody was up.
    Everyone,
}

impl<M: Machine> Checks<M> {
    /// Checks of a run of nodes with these settings.
    pub fn new(nodes: &[Settings], membership: &Membership, level: CheckLevel) -> Self {
        let initial = Arc::new(membership.clone());
        let mut coverage = Coverage::default();
        if membership.voters().len() % 2 == 0 {
            coverage.note(Situation::EvenCluster);
        }
        if nodes.len() == 1 {
            coverage.note(Situation::SingleNode);
        }
        Self {
            coverage,
            level,
            nodes: nodes
                .iter()
                .map(|settings| Watched::new(*settings, membership, nodes.len()))
                .collect(),
            windows: nodes.iter().flat_map(|_| nodes.iter().map(|_| Window::default())).collect(),
            echoes: Echoes::new(nodes.len()),
            ghost: Ghost::new(initial.clone()),
            spec: Spec::new(nodes.iter().map(|settings| settings.id), initial.clone()),
            departure: None,
            initial,
            elections: Elections::default(),
            entries: KnownEntries::default(),
            history: History::default(),
            orders: Vec::new(),
            turbulence: memberships::Turbulence::default(),
            pending: None,
            loss: Loss::Minority,
            once: History::default(),
            served: Served::bare(M::default()),
        }
    }

    /// The machines are behind tables of at most so many sessions.
    #[must_use]
    pub fn with_sessions(mut self, max_sessions: u64) -> Self {
        self.served = Served::new(max_sessions);
        self
    }

    /// A node was started, for the first time or with what its disk holds.
    ///
    /// # Errors
    /// When it does not know what its disk says, or what it believes cannot be.
    pub fn started<R: Raft>(
        &mut self,
        at: Instant,
        node: NodeId,
        raft: &R,
    ) -> Result<(), Violation> {
        self.specified(at, node, |spec, place| spec.started(place, &raft.view(), raft))?;
        self.begin(at, node, raft, |disk, _| disk)
    }

    /// A node was started with what its disk holds and a membership that is forced upon it.
    ///
    /// # Errors
    /// As for [`Checks::started`]. Nothing but the membership is new.
    pub fn forced<R: Raft>(
        &mut self,
        at: Instant,
        node: NodeId,
        raft: &R,
    ) -> Result<(), Violation> {
        self.specified(at, node, |spec, place| {
            spec.forced(place, &raft.view(), raft);
            Ok(())
        })?;
        self.begin(at, node, raft, |disk, view| LogPosition::new(view.term, disk.index.next()))
    }

    fn begin<R: Raft>(
        &mut self,
        at: Instant,
        node: NodeId,
        raft: &R,
        expected: impl FnOnce(LogPosition, &View) -> LogPosition,
    ) -> Result<(), Violation> {
        let Some(place) = self.watched(node)? else { return Ok(()) };
        let view = raft.view();
        let nodes = self.nodes.len();
        let watched = &mut self.nodes[place];
        watched.power = Power::On;
        watched.log.follow(&watched.disk);
        let disk = watched.disk.last();
        let fresh = Watched::new(watched.settings, &self.initial, nodes);
        let before = View { last: disk, ..fresh.view };
        (watched.view, watched.machine, watched.contact) = (view, view.applied, fresh.contact);
        (watched.inflight, watched.largest_batch) = (fresh.inflight, 0);
        if let Some(crashed) = watched.crashed {
            let (down, timeout) = (at.since(crashed), watched.settings.election_timeout);
            if down <= timeout {
                self.coverage.note(Situation::QuickRestart);
            } else if down.0 > timeout.0.saturating_mul(3) {
                self.coverage.note(Situation::LateRestart);
            }
        }
        self.windows[place * nodes..(place + 1) * nodes].iter_mut().for_each(Window::forget);
        self.check_restart(at, place, expected(disk, &view))?;
        self.take_view(at, place, &before, raft)?;
        self.check_membership(at, place, raft.membership())?;
        raft.invariants().map_err(|wrong| broken_invariant(at, node, &wrong))
    }

    /// A node was stepped, and has this view now; its effects are not carried out yet.
    ///
    /// # Errors
    /// When its state, or the change of its state, must not be.
    pub fn stepped<R: Raft>(
        &mut self,
        at: Instant,
        node: NodeId,
        raft: &R,
        view: &View,
    ) -> Result<(), Violation> {
        self.specified(at, node, |spec, place| spec.stepped(place, view, raft))?;
        let Some(place) = self.watched(node)? else { return Ok(()) };
        self.check_inflight(at, place)?;
        let watched = &mut self.nodes[place];
        watched.contact.step(at, &watched.settings);
        if watched.view != *view {
            let before = std::mem::replace(&mut watched.view, *view);
            self.take_view(at, place, &before, raft)?;
        }
        if view.role == Role::Leader {
            self.nodes[place].inflight = raft.inflight();
            self.check_contact(at, place)?;
        } else {
            self.nodes[place].inflight = (0, 0);
        }
        raft.invariants().map_err(|wrong| broken_invariant(at, node, &wrong))
    }

    /// All that a changed view says.
    fn take_view<R: Raft>(
        &mut self,
        at: Instant,
        place: usize,
        before: &View,
        raft: &R,
    ) -> Result<(), Violation> {
        let view = self.nodes[place].view;
        self.check_monotonic(at, place, before)?;
        if view.last != before.last {
            self.follow_log(at, place, before, raft)?;
        }
        if view.role != before.role || view.term != before.term {
            self.check_role(at, place, before)?;
        }
        if view.durable != before.durable || view.last != before.last {
            self.check_durable_mark(at, place)?;
        }
        if view.commit != before.commit {
            self.follow_commit(at, place, before, raft)?;
        }
        Ok(())
    }

    /// A node said what happened inside it.
    pub fn event(&mut self, _at: Instant, node: NodeId, event: &Event) {
        if let Event::SteppedDown { reason, .. } = event {
            match reason {
                StepDown::QuorumUnheard => self.note(Situation::CheckQuorumDeposition),
                StepDown::DiskStalled => self.note(Situation::DiskStallStepDown),
                StepDown::Removed => self.note(Situation::LeaderRemoved),
                _ => {}
            }
        }
        match event {
            Event::SnapshotInstalled { position } => {
                self.note(Situation::SnapshotInstalled);
                let membership = self.ghost.log.membership_at(position.index);
                if membership.is_some_and(|membership| membership.is_joint()) {
                    self.note(Situation::SnapshotInstalledJoint);
                }
            }
            Event::Compacted { .. } => self.note(Situation::LogCompacted),
            Event::TransferStarted { .. } => {
                if let Some(place) = self.place_of(node) {
                    self.nodes[place].contact.hand_over();
                }
            }
            _ => {}
        }
    }

    /// The run has met a situation.
    pub fn note(&mut self, situation: Situation) {
        self.coverage.note(situation);
    }

    /// What clients asked and were told.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The last entry that is committed.
    pub fn committed(&self) -> LogPosition {
        self.ghost.log.last()
    }

    /// How many terms had a leader.
    pub fn elections_won(&self) -> u64 {
        self.elections.won
    }

    /// How many times another node than before became the leader.
    pub fn leader_changes(&self) -> u64 {
        self.elections.changes
    }

    /// The place of a node, unless there is nothing to check. Reports what was found where nothing could
    /// be reported.
    fn watched(&mut self, node: NodeId) -> Result<Option<usize>, Violation> {
        if self.level != CheckLevel::Full {
            return Ok(None);
        }
        if self.pending.is_some() {
            return self.pending.take().map_or(Ok(None), Err);
        }
        Ok(self.place_of(node))
    }

    /// Names usually count from 1, so the first guess is nearly always right.
    fn place_of(&self, node: NodeId) -> Option<usize> {
        let guess = usize::try_from(node.0.wrapping_sub(1)).unwrap_or(usize::MAX);
        match self.nodes.get(guess) {
            Some(watched) if watched.id == node => Some(guess),
            _ => self.nodes.iter().position(|watched| watched.id == node),
        }
    }
}

fn broken_invariant(at: Instant, node: NodeId, wrong: &str) -> Violation {
    Violation::new(Property::Invariant, at, &[node], format!("{node}: {wrong}"))
}

#[cfg(test)]
mod tests;
