//! The driver of a library: a [`Raft`] for the simulator.
//!
//! The library runs in memory, at once; a write follows behind, one at a time, and covers all that differs between the log in
//! memory and the one on the disk. What must not be seen before it is durable waits for the write that covers it. Seen from
//! outside that is a node that syncs within each step, and is slow.
//!
//! Invariants: the first write of a founder stands alone (a crash leaves either no cluster or one with its members); nothing
//! leaves that is of an earlier term than the node's: its log may have become another.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    Append, Entries, Entry, Event, HardState, Instant, LogIndex, LogPosition, Membership, Payload,
    Refusal, Reply, Request, RequestId, Role, Settings, SnapshotMeta, Start, Term, Ticks,
};
use raft_sim::draw::Draw;
use raft_sim::plan::Plan;
use raft_sim::raft::{Committed, Facts, Input, Output, Raft, Task, View};

use crate::library::{Disk, Library, Op, State, Work, last, place};
use crate::requests::{Awaits, Progress, Requests};

/// What does not occur: these drivers take no snapshots and ask their disks for nothing.
#[derive(Debug)]
pub enum Never {}

/// A write, and what is durable with it.
#[derive(Debug)]
pub struct Persist {
    write: raft_core::Write,
    mark: u64,
}

/// Entries for the machine.
#[derive(Debug)]
pub struct Batch {
    entries: Vec<(LogPosition, Option<Bytes>, Option<RequestId>)>,
}

/// A library with its driver.
pub struct Driver<L: Library> {
    library: L,
    settings: Settings,
    now: Instant,
    tick: Ticks,
    next_tick: Instant,
    /// What a founder writes first.
    founding: Option<SnapshotMeta>,
    writing: bool,
    /// The terms of the entries on the disk, those of the write under way included.
    disk: Vec<Term>,
    hard_state: HardState,
    /// How much of that is durable.
    durable: usize,
    durable_term: Term,
    /// Names the library's state after each step.
    mark: u64,
    durable_mark: u64,
    /// Messages that wait for a mark to be durable, with the term in which they were sent.
    held: VecDeque<(u64, Term, L::Message)>,
    committed: VecDeque<(LogPosition, Option<Bytes>)>,
    is_applying: bool,
    applied: LogIndex,
    requests: Requests,
    view: View,
}

impl<L: Library> Driver<L> {
    fn open(settings: Settings, disk: Disk, found: bool, now: Instant) -> Result<Self, String> {
        let tick = Ticks((settings.heartbeat_interval.0 / 2).max(1));
        let (terms, applied) = (disk.log.iter().map(|entry| entry.term).collect(), disk.applied);
        let durable = disk.log.len();
        let hard_state = HardState { term: disk.term, vote: disk.vote, ..HardState::default() };
        let founders = SnapshotMeta {
            position: LogPosition::ZERO,
            membership: Arc::new(disk.founders.clone()),
        };
        let view = View {
            term: disk.term,
            vote: disk.vote,
            role: Role::Follower,
            leader: None,
            snapshot: LogPosition::ZERO,
            base: LogPosition::ZERO,
            last: last(&disk.log),
            durable: last(&disk.log).index,
            commit: LogIndex::ZERO,
            applied,
        };
        let mut driver = Self {
            library: L::open(&settings, disk)?,
            settings,
            now,
            tick,
            next_tick: if found { now } else { now.after(tick) },
            founding: found.then_some(founders),
            writing: false,
            disk: terms,
            hard_state,
            durable,
            durable_term: hard_state.term,
            mark: 0,
            durable_mark: 0,
            held: VecDeque::new(),
            committed: VecDeque::new(),
            is_applying: false,
            applied,
            requests: Requests::default(),
            view,
        };
        driver.look();
        Ok(driver)
    }

    fn state(&self) -> State {
        self.library.state(self.durable_index())
    }

    /// How many entries the log in memory and the one on the disk have in common.
    fn common(&self) -> usize {
        let log = self.library.log();
        let mut common = self.disk.len().min(log.len());
        while common > 0 && self.disk[common - 1] != log[common - 1].term {
            common -= 1;
        }
        common
    }

    /// Up to here the log in memory is durable.
    fn durable_index(&self) -> LogIndex {
        LogIndex(self.common().min(self.durable) as u64)
    }

    // ----- inputs -----

    fn ask(&mut self, request: Request) -> Option<Reply> {
        let id = request.id();
        let leader = self.state().leader;
        self.try_ask(request).err().map(|refusal| Reply {
            request: id,
            outcome: raft_core::Outcome::Refused { refusal, leader },
        })
    }

    fn try_ask(&mut self, request: Request) -> Result<(), Refusal> {
        if self.requests.len() >= self.settings.max_pending_requests {
            return Err(Refusal::Busy);
        }
        let before = self.library.log().len();
        let until = self.now.after(self.settings.request_timeout);
        let (id, awaits) = match request {
            Request::Propose { id, command } => {
                if command.len() as u64 > self.settings.max_command_bytes {
                    return Err(Refusal::TooLarge);
                }
                self.library.take(Op::Propose(command))?;
                (id, Awaits::Entry(last(self.library.log())))
            }
            Request::Read { id } => {
                self.library.take(Op::Read(id))?;
                (id, Awaits::Confirmation)
            }
            Request::ChangeMembership { id, to } => {
                self.library.take(Op::Change((*to).clone()))?;
                // Without an entry there was nothing to change, or nothing that is known of it.
                if self.library.log().len() == before {
                    return Err(Refusal::ChangePending);
                }
                (id, Awaits::Change(last(self.library.log()), to))
            }
            Request::Transfer { id, to } => {
                self.library.take(Op::Transfer(to))?;
                let patience = Ticks(2 * self.settings.election_timeout.0);
                self.requests.add(id, Awaits::Leader(to), self.now.after(patience));
                return Ok(());
            }
        };
        self.requests.add(id, awaits, until);
        Ok(())
    }

    /// A tick, if one is due. What was missed while the node was suspended is not made up for.
    fn pass_time(&mut self) {
        if self.now < self.next_tick || self.founding.is_some() {
            return;
        }
        let next = self.next_tick.after(self.tick);
        self.next_tick = if next > self.now { next } else { self.now.after(self.tick) };
        // A tick is no request, so there is nothing to refuse.
        let _ = self.library.take(Op::Tick);
    }

    fn persisted(&mut self, persist: &Persist) {
        self.writing = false;
        if let Some(hard_state) = persist.write.hard_state {
            self.durable_term = hard_state.term;
        }
        self.durable = self.disk.len();
        self.made_durable(persist.mark);
    }

    fn made_durable(&mut self, mark: u64) {
        if mark > self.durable_mark {
            self.durable_mark = mark;
            self.library.durable(mark);
        }
    }

    // ----- outputs -----

    /// Does what the library wants, until it wants nothing.
    fn carry_out(&mut self, effects: &mut VecDeque<Output<Self>>) {
        loop {
            self.mark += 1;
            let mut work = Work::default();
            self.library.work(self.mark, &mut work);
            self.committed.extend(work.committed);
            for (id, index) in work.reads {
                self.requests.confirmed(id, index);
            }
            let State { term, .. } = self.state();
            let held = work.when_durable.into_iter().map(|message| (self.mark, term, message));
            self.held.extend(held);
            effects.extend(work.at_once.into_iter().map(Output::Send));
            if let Some(persist) = self.next_write() {
                effects.push_back(Output::Persist(persist));
            }
            let is_durable = !self.writing && self.mark > self.durable_mark;
            if is_durable {
                self.made_durable(self.mark);
            }
            self.release(effects);
            // What is durable at once may be news to the library.
            if !is_durable || !self.library.has_more() {
                break;
            }
        }
    }

    fn release(&mut self, effects: &mut VecDeque<Output<Self>>) {
        let now = self.state().term;
        while let Some((mark, ..)) = self.held.front()
            && *mark <= self.durable_mark
        {
            let Some((_, term, message)) = self.held.pop_front() else { break };
            if term == now {
                effects.push_back(Output::Send(message));
            }
        }
    }

    /// What memory holds and the disk does not, as a write, unless one is under way.
    fn next_write(&mut self) -> Option<Persist> {
        if self.writing {
            return None;
        }
        if let Some(founding) = self.founding.take() {
            self.writing = true;
            let write = raft_core::Write { install: Some(founding), ..Default::default() };
            return Some(Persist { write, mark: 0 });
        }
        let State { term, vote, commit, .. } = self.state();
        let log = self.library.log();
        let kept = self.common();
        let hard_state = HardState { term, vote, ..self.hard_state };
        let first = LogIndex(kept as u64 + 1);
        let is_cut = kept < self.disk.len();
        let is_longer = kept < log.len();
        if hard_state == self.hard_state && !is_cut && !is_longer {
            return None;
        }
        let write = raft_core::Write {
            hard_state: (hard_state != self.hard_state).then_some(hard_state),
            truncate_from: is_cut.then_some(first),
            append: is_longer
                .then(|| Append { first, entries: log[kept..].iter().cloned().collect() }),
            commit: Some(commit),
            ..Default::default()
        };
        self.hard_state = hard_state;
        self.durable = self.durable.min(kept);
        self.disk.truncate(kept);
        self.disk.extend(log[kept..].iter().map(|entry| entry.term));
        self.writing = true;
        Some(Persist { write, mark: self.mark })
    }

    /// Hands to the machine what is seen to be committed, and is durable here.
    fn feed_machine(&mut self, effects: &mut VecDeque<Output<Self>>) {
        if self.is_applying {
            return;
        }
        let (mut entries, most) = (Vec::new(), self.durable_index().min(self.view.commit));
        while let Some((position, _)) = self.committed.front()
            && position.index <= most
        {
            let Some((position, command)) = self.committed.pop_front() else { break };
            // A machine that is durable itself has had the first of them.
            if position.index > self.applied {
                entries.push((position, command, self.requests.at(position)));
            }
        }
        if !entries.is_empty() {
            self.is_applying = true;
            effects.push_back(Output::Apply(Batch { entries }));
        }
    }

    fn answer(&mut self, effects: &mut VecDeque<Output<Self>>) {
        let progress = Progress {
            log: self.library.log(),
            applied: self.applied,
            commit: self.view.commit,
            leader: self.view.leader,
            now: self.now,
        };
        effects.extend(self.requests.answers(&progress).into_iter().map(Output::Reply));
    }

    /// What is seen of it. Who stands and wins at once, being alone, has written nothing yet: it is seen to stand, and to
    /// win when its vote is durable.
    fn look(&mut self) {
        let State { term, vote, role, leader, commit } = self.state();
        let is_ahead = role == Role::Leader && term > self.durable_term;
        let before = self.view;
        self.view = View {
            term,
            vote,
            role: if is_ahead { Role::Candidate } else { role },
            leader: leader.filter(|_| !is_ahead),
            last: if is_ahead { before.last } else { last(self.library.log()) },
            durable: self.durable_index(),
            commit: if is_ahead { before.commit } else { commit },
            applied: self.applied,
            ..before
        };
        // What a durable machine has applied was committed.
        self.view.commit = self.view.commit.max(self.applied);
    }
}

impl<L: Library> Raft for Driver<L> {
    type Message = L::Message;
    type Persist = Persist;
    type Apply = Batch;
    type Restore = Never;
    type Take = Never;
    type Chore = Never;
    type Effects = VecDeque<Output<Self>>;

    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String> {
        Self::start_with_log(settings, start, || Entries::EMPTY, now)
    }

    fn start_with_log(
        settings: Settings,
        start: Start,
        log: impl FnOnce() -> Entries,
        now: Instant,
    ) -> Result<Self, String> {
        match start {
            Start::Bootstrap(bootstrap) => {
                let disk = Disk {
                    founders: bootstrap.membership,
                    term: Term::ZERO,
                    vote: None,
                    commit: LogIndex::ZERO,
                    applied: LogIndex::ZERO,
                    log: Vec::new(),
                };
                Self::open(settings, disk, true, now)
            }
            Start::Restart(restored) => {
                let disk = Disk {
                    founders: (*restored.snapshot.membership).clone(),
                    term: restored.hard_state.term,
                    vote: restored.hard_state.vote,
                    commit: restored.commit,
                    applied: restored.applied,
                    log: log().to_vec(),
                };
                if disk.founders.voters().is_empty() {
                    return Err("the disk is empty, and this is no new node".to_owned());
                }
                Self::open(settings, disk, false, now)
            }
            Start::Join(_) | Start::Force(_) => Err(
                "this driver only founds clusters and restarts nodes: make every node a founder"
                    .to_owned(),
            ),
        }
    }

    fn suited(plan: Plan) -> Plan {
        L::suited(plan)
    }

    fn may_change_early() -> bool {
        L::may_change_early()
    }

    fn step(&mut self, now: Instant, input: Input<Self>, effects: &mut Self::Effects) {
        self.now = now;
        match input {
            Input::Tick => self.pass_time(),
            Input::Suppress(_) => {}
            // The library drops what it cannot use.
            Input::Receive(message) => {
                let _ = self.library.take(Op::Receive(message));
            }
            Input::Campaign => {
                let _ = self.library.take(Op::Campaign);
            }
            Input::Persisted(persist) => self.persisted(&persist),
            Input::Applied(batch) => {
                self.is_applying = false;
                if let Some((position, ..)) = batch.entries.last() {
                    self.applied = position.index;
                    self.library.applied(position.index);
                }
            }
            Input::Restored(never) | Input::Taken(never) | Input::Answered(never, _) => {
                match never {}
            }
            Input::Request(request) => {
                let target = match &request {
                    Request::Transfer { to, .. } => Some(*to),
                    _ => None,
                };
                match (self.ask(request), target) {
                    (Some(reply), _) => effects.push_back(Output::Reply(reply)),
                    (None, Some(to)) => {
                        effects.push_back(Output::Event(Event::TransferStarted { to }));
                    }
                    (None, None) => {}
                }
            }
        }
        self.carry_out(effects);
        self.look();
        self.feed_machine(effects);
        self.answer(effects);
    }

    fn pop(effects: &mut Self::Effects) -> Option<Output<Self>> {
        effects.pop_front()
    }

    fn deadline(&self) -> Instant {
        let requests = self.requests.deadline().unwrap_or(Instant::NEVER);
        if self.founding.is_some() { self.now } else { self.next_tick.min(requests) }
    }

    fn view(&self) -> View {
        self.view
    }

    fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.library.log().get(place(index)?)
    }

    fn take_snapshot(&self, _: LogIndex) -> Option<Never> {
        None
    }

    fn oldest_snapshot_in_use(&self) -> LogPosition {
        LogPosition::ZERO
    }

    fn membership(&self) -> &Membership {
        self.library.membership()
    }

    fn is_membership_committed(&self) -> bool {
        let log = self.library.log();
        let since = log.iter().rposition(|entry| matches!(entry.payload, Payload::Membership(_)));
        since.is_none_or(|place| place < usize::try_from(self.view.commit.0).unwrap_or(usize::MAX))
    }

    fn inflight(&self) -> (u64, u64) {
        (0, 0)
    }

    fn invariants(&self) -> Result<(), String> {
        self.library.invariants()
    }

    fn write(persist: &Persist) -> &raft_core::Write {
        &persist.write
    }

    fn restores(never: &Never) -> &SnapshotMeta {
        match *never {}
    }

    fn takes(never: &Never) -> &SnapshotMeta {
        match *never {}
    }

    fn task(never: &Never) -> Task<'_> {
        match *never {}
    }

    fn committed(batch: &Batch) -> impl Iterator<Item = Committed<'_>> {
        batch.entries.iter().map(|(position, command, request)| Committed {
            position: *position,
            command: command.as_ref(),
            request: *request,
        })
    }

    fn facts(message: &L::Message) -> Facts {
        L::facts(message)
    }

    fn malformed(message: &L::Message, draw: &mut Draw) -> Option<L::Message> {
        L::malformed(message, draw)
    }
}
