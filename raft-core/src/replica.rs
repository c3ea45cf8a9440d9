//! The part of a node that does not depend on its role: what it remembers, and its lanes to the outside.
//!
//! Invariant: `hard_state.term` never falls, and the vote changes within a term from nobody to somebody
//! only.

use alloc::sync::Arc;

use crate::config::{Config, Priority};
use crate::effect::{Effect, Effects, Event};
use crate::entry::{Entries, Entry, Payload};
use crate::incoming::Incoming;
use crate::log::Log;
use crate::machine_lane::MachineLane;
use crate::membership::{Membership, Memberships};
use crate::message::{AppendEntries, Envelope, Message, WireVersion};
use crate::outbox::{Outbox, Receiver};
use crate::pending::Pending;
use crate::persist::{HardState, Persisted};
use crate::rejection::{Rejection, Rejections};
use crate::rng::Jitter;
use crate::snapshot::SnapshotMeta;
use crate::token::{Life, Ticket};
use crate::types::{Instant, LogIndex, LogPosition, NodeId, Term, Ticks};
use crate::write_lane::{Purpose, Receipt, WriteLane};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Replica {
    pub(crate) config: Config,
    /// The latest reading of the clock. Never falls.
    pub(crate) now: Instant,
    pub(crate) hard_state: HardState,
    pub(crate) log: Log,
    /// The snapshot that counts. Invariant: at or after the log's base.
    pub(crate) snapshot: SnapshotMeta,
    pub(crate) memberships: Memberships,
    pub(crate) lane: WriteLane,
    pub(crate) incoming: Incoming,
    pub(crate) outbox: Outbox,
    pub(crate) pending: Pending,
    pub(crate) machine: MachineLane,
    pub(crate) jitter: Jitter,
    /// Until then this node votes for nobody: a leader was promised so, and may answer reads on the
    /// strength of it (thesis §6.4.1). It outlives the term.
    pub(crate) promised_until: Instant,
    /// Until then this node does not stand for election by itself.
    pub(crate) suppressed_until: Instant,
    /// Whether what follows from the inputs so far was done.
    pub(crate) is_settled: bool,
    /// How many questions the driver was asked.
    pub(crate) questions: u64,
    pub(crate) rejections: Rejections,
}

impl Replica {
    pub(crate) fn id(&self) -> NodeId {
        self.config.id
    }

    pub(crate) fn term(&self) -> Term {
        self.hard_state.term
    }

    pub(crate) fn life(&self) -> Life {
        self.lane.life()
    }

    pub(crate) fn membership(&self) -> &Arc<Membership> {
        self.memberships.active()
    }

    pub(crate) fn advance_clock(&mut self, now: Instant) {
        self.now = self.now.max(now.min(Instant::LAST));
    }

    /// How long this node waits before it stands for election. A lower priority waits longer (and votes like
    /// any other).
    pub(crate) fn draw_election_timeout(&mut self) -> Ticks {
        let Priority(steps) = self.config.priority;
        let least = self.config.election_timeout;
        Ticks(self.jitter.election_timeout(least).0 + least.0 * u64::from(steps))
    }

    /// Whether this node may stand for election at all: it is entitled to, terms are left, its disk answers (a
    /// candidate whose vote cannot become durable would only disturb), and its log is not about to be another.
    pub(crate) fn may_campaign(&self) -> bool {
        self.is_electable()
            && self.term() < Term::MAX
            && !self.lane.is_stalled(self.now, self.config.election_timeout)
            && !self.lane.is_installing()
    }

    /// Whether it may do so of its own accord.
    pub(crate) fn may_stand(&self) -> bool {
        self.may_campaign() && self.now >= self.suppressed_until && !self.has_promised()
    }

    /// A voter of the membership in force is; until that is known to be committed, a voter of the one before is
    /// too, or nobody may be left who can commit it (thesis §4.2.2).
    pub(crate) fn is_electable(&self) -> bool {
        let is_committed = self.memberships.active_since() <= self.log.commit();
        let before = self.memberships.previous().filter(|_| !is_committed);
        self.membership().is_voter(self.id())
            || before.is_some_and(|membership| membership.is_voter(self.id()))
    }

    /// Whether a leader relies on this node voting for nobody.
    pub(crate) fn has_promised(&self) -> bool {
        self.now < self.promised_until
    }

    /// Promises the leader not to vote for anybody for a while, and says for how long.
    pub(crate) fn promise(&mut self) -> Ticks {
        if !self.config.read_lease.is_on() {
            return Ticks(0);
        }
        self.promised_until = self.now.after(self.config.election_timeout);
        self.config.election_timeout
    }

    /// Numbers a question to the driver.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.questions += 1;
        Ticket { life: self.life(), number: self.questions }
    }

    /// Moves to a later term, in which nobody has this node's vote yet.
    pub(crate) fn enter(&mut self, term: Term) {
        assert!(term > self.term(), "INV-6: the term never falls");
        self.hard_state.term = term;
        self.hard_state.vote = None;
        self.outbox.enter(term);
    }

    pub(crate) fn vote_for(&mut self, candidate: NodeId, effects: &mut Effects) {
        assert!(
            self.hard_state.vote.is_none_or(|vote| vote == candidate),
            "INV-7: one vote a term (paper §5.2)"
        );
        if self.hard_state.vote.is_none() {
            self.hard_state.vote = Some(candidate);
            effects.event(Event::Voted { candidate, term: self.term() });
        }
    }

    /// Sends a message, now or when the hard state it was written under is durable.
    pub(crate) fn send(&mut self, to: NodeId, message: Message, effects: &mut Effects) {
        let envelope = Envelope {
            version: WireVersion::CURRENT,
            cluster: self.config.cluster,
            from: self.id(),
            to,
            term: self.term(),
            message,
        };
        match self.lane.covering(self.hard_state) {
            None => effects.push(Effect::Send(envelope)),
            Some(until) => {
                let receiver = if self.membership().contains(to) {
                    Receiver::Member
                } else {
                    Receiver::Stranger
                };
                self.outbox.withhold(until, envelope, receiver);
            }
        }
    }

    pub(crate) fn is_hard_state_durable(&self) -> bool {
        self.lane.covering(self.hard_state).is_none()
    }

    /// Appends an entry of this node's own making, as the leader of the current term.
    pub(crate) fn append(&mut self, payload: Payload, effects: &mut Effects) -> LogPosition {
        let at = self.log.last_index().next();
        self.meet_membership(at, &payload, effects);
        self.log.append(Entry { term: self.term(), payload })
    }

    /// Takes the leader's entries after `previous`, which the log holds: skips those it has, removes what
    /// contradicts them, appends the rest (paper §5.3). Returns the last index up to which the log now
    /// equals the leader's, which is less than the message's when memory is short.
    pub(crate) fn take_entries(
        &mut self,
        append: AppendEntries,
        effects: &mut Effects,
    ) -> LogIndex {
        let AppendEntries { previous, entries, .. } = append;
        let held = self.log.held(previous.index, &entries);
        let next = previous.index.advanced(held).next();
        let new = entries.into_part(held, usize::MAX);
        if new.is_empty() {
            return next.previous();
        }
        if next <= self.log.last_index() {
            self.truncate_from(next, effects);
        }
        let room = self.room_for(&new);
        let new = new.into_part(0, room);
        let last = next.advanced(new.len()).previous();
        for (offset, entry) in new.iter().enumerate() {
            self.meet_membership(next.advanced(offset), &entry.payload, effects);
        }
        self.log.append_run(new);
        last
    }

    /// How many of these entries may wait for the disk. One always may.
    fn room_for(&self, entries: &Entries) -> usize {
        let waiting = self.log.undurable_bytes();
        let most = self.config.max_undurable_bytes;
        if waiting + entries.size() <= most {
            return entries.len();
        }
        let mut waiting = waiting;
        let fits = |entry: &&Entry| {
            let fits = waiting == 0 || waiting + entry.size() <= most;
            waiting += entry.size();
            fits
        };
        entries.iter().take_while(fits).count()
    }

    /// A membership is in force as soon as it is in the log (thesis §4.1).
    fn meet_membership(&mut self, at: LogIndex, payload: &Payload, effects: &mut Effects) {
        if let Payload::Membership(membership) = payload {
            self.memberships.append(at, membership.clone());
            effects.event(Event::MembershipChanged { at });
        }
    }

    fn truncate_from(&mut self, first: LogIndex, effects: &mut Effects) {
        self.outbox.truncate_from(first);
        self.log.truncate_from(first);
        effects.event(Event::Truncated { from: first });
        if self.memberships.truncate_from(first) {
            effects.event(Event::MembershipChanged { at: self.log.last_index() });
        }
    }

    /// Takes the receipt of a write: the marks move, and what waited for it leaves. Says whether it is the receipt of the
    /// write under way; nothing follows from any other.
    pub(crate) fn persisted(&mut self, receipt: Persisted, effects: &mut Effects) -> bool {
        let number = receipt.number();
        match self.lane.complete(receipt) {
            Receipt::Foreign => {
                self.rejections.add(Rejection::ForeignReceipt);
                false
            }
            Receipt::Durable(purpose) => {
                match purpose {
                    Purpose::Follow => self.log.complete(),
                    Purpose::Install => self.installed(effects),
                }
                self.outbox.release(number, effects);
                true
            }
        }
    }

    /// A snapshot from a leader took the place of the log.
    fn installed(&mut self, effects: &mut Effects) {
        let snapshot = self.incoming.complete().cloned();
        let snapshot = snapshot.expect("what is being installed stays staged");
        let SnapshotMeta { position, membership } = snapshot.clone();
        self.log.install(position);
        self.incoming.clear();
        if membership != *self.membership() {
            effects.event(Event::MembershipChanged { at: position.index });
        }
        self.memberships = Memberships::new(position.index, membership);
        self.snapshot = snapshot;
        effects.event(Event::SnapshotInstalled { position });
    }

    /// Shortens the log to what followers that are a little behind may need.
    pub(crate) fn compact(&mut self, effects: &mut Effects) {
        let retained = self.config.retained_entries;
        let through = LogIndex(self.snapshot.position.index.0.saturating_sub(retained));
        let base = self.log.base();
        self.log.compact(through.min(self.machine.handed));
        if self.log.base() != base {
            effects.event(Event::Compacted { base: self.log.base() });
        }
    }

    /// What is staged of a snapshot and complete takes the place of the log, unless the log came to hold its
    /// position meanwhile: then it is known to be committed up to there, which is returned, and stays. While an
    /// installation is under way nothing is added to the log, nor committed.
    pub(crate) fn start_installation(&mut self, effects: &mut Effects) -> Option<LogIndex> {
        if self.lane.is_installing() {
            return None;
        }
        let snapshot = self.incoming.complete()?.clone();
        if snapshot.position.index <= self.log.commit() && !self.log.holds(snapshot.position) {
            // It contradicts what was committed here while it arrived: somebody lies.
            self.incoming.clear();
            return None;
        }
        if self.log.holds(snapshot.position) {
            self.incoming.clear();
            self.log.commit_to(snapshot.position.index);
            return Some(snapshot.position.index);
        }
        if self.lane.is_free() {
            let persist = self.lane.install(self.hard_state, snapshot, self.now);
            effects.push(Effect::Persist(persist));
        }
        None
    }

    /// Starts the next write, if there is something to write and none is under way.
    pub(crate) fn start_write(&mut self, effects: &mut Effects) {
        if self.lane.is_due(self.hard_state, &self.log) {
            let persist = self.lane.submit(self.hard_state, &mut self.log, self.now);
            effects.push(Effect::Persist(persist));
        }
    }
}
