//! The clients: each has one operation at a time and clings to a node until it is disappointed.
//!
//! Invariants: every attempt is an operation of its own, so a retry after a refusal cannot be mistaken for
//! the refused one; an operation whose answer nobody waits for any more is never asked again.
//!
//! The last client is the prober: once everything is healed it asks each node in turn.

use bytes::Bytes;
use raft_core::session::{Sequence, Session};
use raft_core::{Instant, Outcome, Refusal, Request, RequestId};

use super::drive::Cause;
use super::host::Held;
use super::phases::Stage;
use super::queue::Event;
use super::sessions::Settled;
use super::trace::{Trace, TraceEvent};
use super::{Checked, World, short};
use crate::draw::{Domain, Draw};
use crate::history::OpId;
use crate::machine::Machine;
use crate::plan::Asks;
use crate::raft::{Input, Raft};

/// An operation's name is its client's number in the low bits, and the attempt's above.
pub(super) const CLIENT_BITS: u32 = 10;

/// No moment at all.
const NEVER: u64 = u64::MAX;

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    /// The node it will ask, or has asked.
    node: usize,
    attempts: u32,
    /// What it asks for, until that is settled.
    pub(super) asks: Option<Wanted>,
    pub(super) session: Option<Session>,
    waiting: Option<Waiting>,
    /// When its patience is looked at next.
    watched_at: u64,
    work: Work,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) bytes: Bytes,
    pub(super) purpose: Purpose,
}

/// What that is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A command.
    Command,
    /// A read; the operation by which a client with sessions knows it.
    Read { once: OpId },
    /// A command of its session, and the operation of its first attempt.
    Do { sequence: Sequence, once: OpId },
    /// A session.
    Open,
    /// The end of its session.
    Close,
}

/// An operation without an answer.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    op: OpId,
    until: u64,
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// It has an attempt coming, or waits for an answer.
    Busy,
    /// It was told to begin nothing.
    Resting,
    /// It asks for what the plan lists, and for nothing else.
    Listed,
    /// It asks each node in turn; this is the one to succeed through next.
    Probing { next: usize },
}

/// What a client draws. Each has a key of its own.
#[derive(Clone, Copy)]
pub(super) enum Choice {
    Begin = 0,
    Think = 1,
    Patience = 2,
    Backoff = 3,
    Follow = 4,
    Stay = 5,
    Node = 6,
    Read = 7,
    Abandon = 8,
    Close = 9,
}

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    pub(super) fn enlist_clients(&mut self) {
        for number in 0..self.plan.workload.clients {
            let node = self.other_node(number, 0, None);
            self.clients.push(Client::new(node));
            let first = self.plan.workload.think.draw(&mut self.choice(number, Choice::Begin));
            self.queue.push(first, Event::Act { client: number });
        }
        let listed = self.plan.operations.iter().map(|timed| timed.client + 1).max().unwrap_or(0);
        for _ in 0..listed {
            self.clients.push(Client { work: Work::Listed, ..Client::new(0) });
        }
        let mut prober = Client::new(0);
        prober.work = Work::Probing { next: 0 };
        self.clients.push(prober);
    }

    /// The prober's number.
    pub(super) fn prober(&self) -> u32 {
        u32::try_from(self.clients.len() - 1).expect("a plan has at most 256 clients")
    }

    /// The node through which the prober has yet to succeed; none if it has through all.
    pub(super) fn unprobed(&self) -> Option<usize> {
        match self.clients[self.prober() as usize].work {
            Work::Probing { next } => (next..self.hosts.len()).find(|node| self.is_asked(*node)),
            _ => None,
        }
    }

    /// Whether the prober asks a node: not one that lost its disk.
    fn is_asked(&self, node: usize) -> bool {
        !self.hosts[node].has_lost_disk()
    }

    /// The prober asks the next node.
    pub(super) fn start_probing(&mut self) {
        let next = self.unprobed().expect("one node has its disk");
        let prober = self.prober() as usize;
        let prober = &mut self.clients[prober];
        (prober.work, prober.node) = (Work::Probing { next }, next);
        self.queue.push(self.now, Event::Act { client: self.prober() });
    }

    /// Clients that were told to rest go on.
    pub(super) fn wake_clients(&mut self) {
        for number in 0..self.plan.workload.clients {
            let client = &mut self.clients[number as usize];
            if client.work == Work::Resting {
                client.work = Work::Busy;
                self.later(number, Choice::Think);
            }
        }
    }

    pub(super) fn choice(&self, number: u32, choice: Choice) -> Draw {
        let attempts = self.clients.get(number as usize).map_or(0, |client| client.attempts.into());
        Draw::new(self.plan.seed, Domain::Client, &[number.into(), attempts, choice as u64])
    }

    /// A node to ask, other than `than`.
    fn other_node(&self, number: u32, salt: u64, than: Option<usize>) -> usize {
        let nodes = self.hosts.len();
        let mut draw = self.choice(number, Choice::Node).fork(salt);
        let mut others = (0..nodes).filter(|node| Some(*node) != than);
        let nth = draw.below(others.clone().count() as u64);
        usize::try_from(nth).ok().and_then(|nth| others.nth(nth)).unwrap_or(0)
    }

    /// The client acts again after a while.
    fn later(&mut self, number: u32, why: Choice) {
        if self.clients[number as usize].work == Work::Listed {
            return;
        }
        let load = &self.plan.workload;
        let span = match why {
            Choice::Backoff => load.backoff,
            _ => load.think,
        };
        let span =
            if self.stage.is_healed() { span.capped(self.plan.settings.fraction(1)) } else { span };
        let pause = span.draw(&mut self.choice(number, why));
        self.queue.push(self.now + pause, Event::Act { client: number });
    }

    /// Whether a client may ask something now.
    fn may_begin(&self, number: u32) -> bool {
        let client = &self.clients[number as usize];
        if let Work::Probing { .. } = client.work {
            return self.stage == Stage::Probing && self.unprobed().is_some();
        }
        match self.stage {
            Stage::Faults => {
                client.asks.is_some()
                    || self.statistics.operations_begun < self.plan.workload.operations
            }
            Stage::Gathering | Stage::Settling { .. } | Stage::Watching { .. } => true,
            // A node that is far behind may only just keep up with a load; now it must catch up.
            Stage::Mending { .. } | Stage::Probing | Stage::Converging | Stage::Over => false,
        }
    }

    /// A client begins an operation, or tries again.
    pub(super) fn act(&mut self, number: u32) -> Checked {
        let client = &mut self.clients[number as usize];
        debug_assert!(client.waiting.is_none(), "a client has one operation at a time");
        client.attempts += 1;
        if !self.may_begin(number) {
            let client = &mut self.clients[number as usize];
            if client.work == Work::Busy {
                client.work = Work::Resting;
            }
            return Ok(());
        }
        let node = self.clients[number as usize].node;
        if !self.hosts[node].is_up() {
            self.clients[number as usize].node = self.other_node(number, 0, Some(node));
            self.later(number, Choice::Backoff);
            return Ok(());
        }
        let until = self.now + self.patience(number);
        let attempt = self.clients[number as usize].attempts;
        let op = operation(number, attempt);
        let wanted = self.clients[number as usize].asks.take();
        let wanted = wanted.unwrap_or_else(|| self.next_request(number, attempt, op));
        self.begin_waiting(number, wanted, until)
    }

    /// A client asks for what the plan lists. It waits for the answer until it asks for something else.
    pub(super) fn ask_listed(&mut self, nth: u32) -> Checked {
        if self.stage.is_healed() {
            return Ok(());
        }
        let timed = &self.plan.operations[nth as usize];
        let (number, bytes) = (timed.client, timed.command.0.clone());
        let node = self.place(timed.node).expect("a plan that was validated names its nodes");
        if let Some(waiting) = self.clients[number as usize].waiting {
            self.give_up(number, waiting.op);
        }
        if !self.hosts[node].is_up() {
            return Ok(());
        }
        let reads = timed.asks == Asks::Read && M::default().query(&bytes).is_some();
        let client = &mut self.clients[number as usize];
        client.attempts += 1;
        client.node = node;
        let once = operation(number, client.attempts);
        let purpose = if reads { Purpose::Read { once } } else { Purpose::Command };
        self.statistics.operations_begun += 1;
        self.begin_waiting(number, Wanted { bytes, purpose }, NEVER)
    }

    /// A client asks its node for something, and waits.
    fn begin_waiting(&mut self, number: u32, wanted: Wanted, until: u64) -> Checked {
        let client = &mut self.clients[number as usize];
        let (node, attempt) = (client.node, client.attempts);
        let op = operation(number, attempt);
        client.asks = Some(wanted.clone());
        client.waiting = Some(Waiting { op, until });
        self.watch(number);
        let id = self.id(node);
        self.digest.add(self.now ^ op.0 << 32);
        self.checks.invoked(Instant(self.now), op, number, id, &wanted.bytes);
        let asks = match wanted.purpose {
            Purpose::Read { .. } => Asks::Read,
            _ => Asks::Command,
        };
        let command = &wanted.bytes;
        self.tell(TraceEvent::Invoked { op, client: number, node: id, asks, command });
        self.hosts[node].unanswered += 1;
        let asker = u16::try_from(number).expect("a plan has at most 256 clients");
        let event = Event::Ask { node: short(node), client: asker, attempt };
        if self.hosts[node].hold(event) == Held::Yes {
            return Ok(());
        }
        self.propose(node, op, wanted)
    }

    fn propose(&mut self, node: usize, op: OpId, wanted: Wanted) -> Checked {
        self.tell(TraceEvent::Asked { op, node: self.id(node) });
        self.checks.proposed(Instant(self.now), self.id(node))?;
        let id = RequestId(op.0);
        let request = if let Purpose::Read { .. } = wanted.purpose {
            self.checks.reads(op, self.id(node));
            Request::Read { id }
        } else {
            Request::Propose { id, command: wanted.bytes }
        };
        self.step(node, Input::Request(request), Cause::Request)
    }

    /// What was asked of a node while it was suspended reaches it, if the client still waits.
    pub(super) fn ask(&mut self, node: usize, asker: u16, attempt: u32) -> Checked {
        let event = Event::Ask { node: short(node), client: asker, attempt };
        if !self.hosts[node].is_up() || self.hosts[node].hold(event) == Held::Yes {
            return Ok(());
        }
        let op = operation(asker.into(), attempt);
        let client = &self.clients[usize::from(asker)];
        match (&client.waiting, &client.asks) {
            (Some(waiting), Some(wanted)) if waiting.op == op => {
                let wanted = wanted.clone();
                self.propose(node, op, wanted)
            }
            _ => {
                // It hung up: the request never reaches the node.
                self.hosts[node].unanswered = self.hosts[node].unanswered.saturating_sub(1);
                Ok(())
            }
        }
    }

    // ----- patience -----

    fn patience(&self, number: u32) -> u64 {
        let span = self.plan.workload.patience;
        let election = self.plan.settings.election_timeout.0;
        let span = if number == self.prober() {
            span.capped(4 * election)
        } else if self.stage.is_healed() {
            span.capped(2 * election)
        } else {
            span
        };
        span.draw(&mut self.choice(number, Choice::Patience))
    }

    /// Sees to it that the client's patience is looked at when it ends.
    fn watch(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        let Some(waiting) = client.waiting else { return };
        if waiting.until < client.watched_at {
            client.watched_at = waiting.until;
            self.queue.push(waiting.until, Event::Patience { client: number });
        }
    }

    /// A client's patience may have ended.
    pub(super) fn lose_patience(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        if client.watched_at != self.now {
            return;
        }
        client.watched_at = NEVER;
        match client.waiting {
            None => {}
            Some(waiting) if waiting.until > self.now => self.watch(number),
            Some(waiting) => {
                let asked = client.node;
                self.give_up(number, waiting.op);
                let stays =
                    self.choice(number, Choice::Stay).chance(self.plan.workload.stay_per_million);
                self.clients[number as usize].node = match self.clients[number as usize].work {
                    Work::Probing { next } => next,
                    _ if stays && !self.stage.is_healed() => asked,
                    _ => self.other_node(number, 0, Some(asked)),
                };
                self.later(number, Choice::Think);
            }
        }
    }

    /// The client no longer waits: what becomes of its operation it will not know.
    fn give_up(&mut self, number: u32, op: OpId) {
        let client = &mut self.clients[number as usize];
        client.waiting = None;
        let node = client.node;
        self.despair(number);
        self.digest.add(self.now ^ op.0 << 16);
        self.tell(TraceEvent::GaveUp { op, node: self.id(node) });
    }

    /// A node has crashed: whoever waits for it waits in vain.
    pub(super) fn desert(&mut self, node: usize) {
        for number in 0..=self.prober() {
            let client = &self.clients[number as usize];
            let Some(waiting) = client.waiting.filter(|_| client.node == node) else { continue };
            self.give_up(number, waiting.op);
            self.clients[number as usize].node = self.other_node(number, 1, Some(node));
            self.later(number, Choice::Backoff);
        }
    }

    // ----- answers -----

    /// An operation was answered; its client goes on, if it still waits.
    pub(super) fn client_answered(
        &mut self,
        op: OpId,
        outcome: Outcome,
        output: Option<&Bytes>,
    ) -> Checked {
        let number = op.0 & ((1 << CLIENT_BITS) - 1);
        let Ok(number) = u32::try_from(number) else { return Ok(()) };
        let Some(client) = self.clients.get_mut(number as usize) else { return Ok(()) };
        if client.waiting.is_none_or(|waiting| waiting.op != op) {
            return Ok(());
        }
        client.waiting = None;
        match outcome {
            Outcome::Refused { refusal, leader } => {
                if refusal == Refusal::TooLarge {
                    client.forget();
                }
                let asked = client.node;
                let hint = leader.and_then(|leader| self.place(leader));
                self.clients[number as usize].node = self.after_refusal(number, asked, hint);
                self.later(number, Choice::Backoff);
            }
            Outcome::Done { .. } | Outcome::Readable { .. } => {
                let settled = self.heard(number, outcome, output)?;
                let client = &mut self.clients[number as usize];
                match &mut client.work {
                    Work::Probing { next } if settled == Settled::Yes => {
                        *next += 1;
                        self.probed();
                    }
                    _ => self.later(number, Choice::Think),
                }
            }
            Outcome::Transferred { .. } | Outcome::Lost { .. } | Outcome::Unknown => {
                self.despair(number);
                self.later(number, Choice::Think);
            }
        }
        Ok(())
    }

    fn after_refusal(&self, number: u32, asked: usize, hint: Option<usize>) -> usize {
        if let Work::Probing { next } = self.clients[number as usize].work {
            return hint.filter(|hint| *hint != asked).unwrap_or(next);
        }
        let follows =
            self.choice(number, Choice::Follow).chance(self.plan.workload.follow_per_million);
        match hint {
            Some(leader) if follows && leader != asked => leader,
            _ => self.other_node(number, 0, Some(asked)),
        }
    }

    /// The prober has succeeded through a node.
    fn probed(&mut self) {
        if self.unprobed().is_some() {
            self.start_probing();
        } else {
            self.all_probed();
        }
    }
}

/// The name of a client's operation.
fn operation(client: u32, attempt: u32) -> OpId {
    OpId(u64::from(attempt) << CLIENT_BITS | u64::from(client))
}

impl Client {
    fn new(node: usize) -> Self {
        Self {
            node,
            attempts: 0,
            asks: None,
            session: None,
            waiting: None,
            watched_at: NEVER,
            work: Work::Busy,
        }
    }
}
