//! How a node is driven: the loop that every driver of `raft-core` has (an input, a step, its effects),
//! with a crash at any point of it.

use raft_core::{Instant, LogPosition, NodeId, Role, Ticks};

use super::host::{Gathering, Held, Host, Series, Timer, Work};
use super::network::Carriage;
use super::queue::Event;
use super::trace::{Loss, Trace, TraceEvent};
use super::{Checked, Edition, Flight, World, short};
use crate::coverage::Situation;
use crate::draw::{Domain, Draw};
use crate::machine::Machine;
use crate::plan::CrashPoint;
use crate::raft::{Claim, Facts, Input, Output, Raft, View};
use crate::violation::{Property, Violation};

/// Why a node takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It is due.
    Time,
    /// A message arrived.
    Arrival,
    /// A write is durable.
    Receipt,
    /// A batch was applied.
    Report,
    /// Its driver has done something beside.
    Chore,
    /// A client asks.
    Request,
}

/// When what a step sends leaves its node.
enum Departure {
    /// Not drawn yet; the number of the step.
    Undrawn {
        number: u32,
    },
    At(u64),
}

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    /// Gives a running node an input and carries out what it asks for.
    pub(super) fn step(&mut self, node: usize, input: Input<R>, cause: Cause) -> Checked {
        self.give(node, input, cause);
        let host = &mut self.hosts[node];
        let raft = host.raft.as_ref().expect("it was given something");
        self.statistics.steps += 1;
        let after = raft.view();
        // Many steps change nothing that is seen.
        let changed = (host.view != after).then(|| std::mem::replace(&mut host.view, after));
        let checked = self.checks.stepped(Instant(self.now), host.id, raft, &after);
        if let Some(before) = changed {
            self.changed(node, before, after);
        }
        let before = changed.as_ref().unwrap_or(&after);
        if T::ENABLED && (after.role == Role::Leader || before.role == Role::Leader) {
            self.show_peers(node);
        }
        checked?;
        if after.role == Role::Leader {
            self.check_leases(node, before, &after)?;
        }
        if self.faults.threatens(node) {
            self.carry_out_under_threat(node, cause, before)?;
        } else {
            let mut departure = self.departure(node);
            while let Some(output) = R::pop(&mut self.effects) {
                self.carry_out(node, output, &mut departure)?;
            }
        }
        self.set_timer(node);
        Ok(())
    }

    /// Steps a node, or feeds it if it is to take in more before it does what follows.
    fn give(&mut self, node: usize, input: Input<R>, cause: Cause) {
        let Ticks(span) = self.plan.network.gather;
        let host = &mut self.hosts[node];
        let now = host.clock.local(self.now);
        if span > 0 && cause != Cause::Time {
            let mut gathering = host.gathering.take().unwrap_or_else(|| Gathering {
                until: self.now + span,
                timer: host.due(),
                inputs: 0,
            });
            gathering.inputs += 1;
            host.gathering = Some(gathering);
            running(host).feed(now, input, &mut self.effects);
            return;
        }
        running(host).step(now, input, &mut self.effects);
        if host.gathering.take().is_some_and(|gathering| gathering.inputs > 1) {
            self.checks.note(Situation::InputsGathered);
        }
    }

    /// When what a step sends leaves its node. Each step has a number, whether it sends anything or not.
    fn departure(&mut self, node: usize) -> Departure {
        if self.plan.network.leave.max.0 == 0 {
            return Departure::At(self.now);
        }
        Departure::Undrawn { number: self.hosts[node].number(Series::Leave) }
    }

    /// That time, drawn when it is asked for first.
    fn leaves(&self, node: usize, departure: &mut Departure) -> u64 {
        match *departure {
            Departure::At(at) => at,
            Departure::Undrawn { number } => {
                let key = [node as u64, number.into(), 0];
                let mut draw = Draw::new(self.plan.seed, Domain::Host, &key);
                let at = self.now + self.plan.network.leave.draw(&mut draw);
                *departure = Departure::At(at);
                at
            }
        }
    }

    fn changed(&mut self, node: usize, before: View, after: View) {
        let id = self.hosts[node].id;
        for number in [id.0, after.term.0, after.role as u64, after.last.index.0, after.last.term.0]
        {
            self.digest.add(number);
        }
        self.digest.add(after.commit.0);
        let led = before.role == Role::Leader && before.term == after.term;
        if after.commit > before.commit && (led || after.role == Role::Leader) {
            // A leader commits through entries of its own term (paper §5.4.2).
            self.committed = self.committed.max(LogPosition::new(after.term, after.commit));
        }
        self.digest.add(after.durable.0);
        if has_won(&before, &after) {
            self.statistics.elections += 1;
            if self.last_elected.replace(id).is_some_and(|last| last != id) {
                self.statistics.leader_changes += 1;
            }
            self.tell(TraceEvent::Elected { node: id, term: after.term });
        }
        self.tell(TraceEvent::Changed { node: id, before, after });
        self.show(node);
    }

    /// Who leads a term while another leads a later one has no lease: looked at when somebody is elected, and at each
    /// step of a leader that is not the latest.
    fn check_leases(&mut self, node: usize, before: &View, after: &View) -> Checked {
        if has_won(before, after) && after.term > self.last_led {
            self.last_led = after.term;
            return (0..self.hosts.len())
                .filter(|other| *other != node)
                .try_for_each(|other| self.check_lease(other));
        }
        if after.term < self.last_led { self.check_lease(node) } else { Ok(()) }
    }

    #[cold]
    fn check_lease(&self, node: usize) -> Checked {
        let host = &self.hosts[node];
        let lease = host.raft.as_ref().filter(|_| host.leads()).and_then(R::lease_until);
        let left = lease.map_or(0, |until| until.since(host.local(self.now)).0);
        if left == 0 {
            return Ok(());
        }
        let witness = format!(
            "{}, leader of {}, has a lease for {left} more ticks of its clock, but {} is led already",
            host.id, host.view.term, self.last_led
        );
        Err(Violation::new(Property::ExclusiveLease, Instant(self.now), &[host.id], witness))
    }

    fn carry_out(&mut self, node: usize, output: Output<R>, departure: &mut Departure) -> Checked {
        match output {
            Output::Persist(persist) => self.submit(node, persist),
            Output::Send(message) => {
                let leaves = self.leaves(node, departure);
                self.send(node, message, leaves)
            }
            Output::Apply(batch) => {
                self.hand_to_machine(node, Work::Batch(batch));
                Ok(())
            }
            Output::Restore(restore) => {
                self.hand_to_machine(node, Work::Restore(restore));
                Ok(())
            }
            Output::Chore(chore) => {
                self.begin_chore(node, chore);
                Ok(())
            }
            Output::Reply(reply) => self.answer(node, reply),
            Output::Event(event) => {
                let id = self.id(node);
                self.checks.event(Instant(self.now), id, &event);
                self.tell(TraceEvent::Protocol { node: id, event });
                Ok(())
            }
        }
    }

    /// The same for a node that is to crash at some point of its work, perhaps now.
    #[cold]
    fn carry_out_under_threat(&mut self, node: usize, cause: Cause, before: &View) -> Checked {
        let mut outputs = Vec::new();
        while let Some(output) = R::pop(&mut self.effects) {
            outputs.push(output);
        }
        let sends = outputs.iter().any(|output| matches!(output, Output::Send(_)));
        let writes = outputs.iter().any(|output| matches!(output, Output::Persist(_)));
        let won = has_won(before, &self.hosts[node].view);
        let points = [
            (won, CrashPoint::Winning),
            (cause == Cause::Arrival, CrashPoint::Deliver),
            (sends, CrashPoint::Send),
            (sends, CrashPoint::PartSent),
            (sends, CrashPoint::Sent),
            (writes, CrashPoint::Submit),
            (cause == Cause::Receipt, CrashPoint::Receipt),
        ];
        let mut reached =
            points.into_iter().filter(|(reached, _)| *reached).map(|(_, point)| point);
        let strike = reached.find_map(|point| self.faults.strike(node, point));
        let Some(strike) = strike else {
            let mut departure = self.departure(node);
            return outputs
                .into_iter()
                .try_for_each(|output| self.carry_out(node, output, &mut departure));
        };
        let number = self.hosts[node].number(Series::Strike);
        let mut coins = Draw::new(self.plan.seed, Domain::Host, &[node as u64, number.into(), 1]);
        for output in outputs {
            let lucky = coins.chance(500_000);
            if is_done_before(strike.point, &output, lucky) {
                self.carry_out(node, output, &mut Departure::At(self.now))?;
            }
        }
        self.strike_down(node, strike)
    }

    /// Schedules the node's next wake-up, unless one is scheduled that comes first: that one will look
    /// again.
    pub(super) fn set_timer(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        let Some(due) = host.due() else { return };
        let at = due.max(self.now);
        if at < host.timer.at {
            let stamp = host.number(Series::Stamp);
            host.timer = Timer { at, stamp };
            self.queue.push(at, Event::Wake { node: short(node), stamp });
        }
    }

    pub(super) fn wake(&mut self, node: usize, stamp: u32) -> Checked {
        let host = &mut self.hosts[node];
        if stamp != host.timer.stamp {
            return Ok(());
        }
        host.timer.at = Timer::NONE;
        if host.is_paused() {
            return Ok(());
        }
        match host.due() {
            Some(due) if due <= self.now => {
                // What follows from inputs that were gathered comes of them.
                let timer = host.gathering.as_ref().map_or(Some(due), |gathering| gathering.timer);
                if timer.is_some_and(|timer| timer <= self.now) {
                    self.tell(TraceEvent::Due { node: self.id(node) });
                }
                self.step(node, Input::Tick, Cause::Time)
            }
            _ => {
                self.set_timer(node);
                Ok(())
            }
        }
    }

    // ----- messages -----

    fn send(&mut self, node: usize, message: R::Message, leaves: u64) -> Checked {
        let facts = R::facts(&message);
        let checked = self.checks.sent(Instant(self.now), &facts);
        self.statistics.sent += 1;
        let number = self.statistics.sent;
        let Some(to) = self.place(facts.to) else {
            let (fate, arrives) = (None, Instant::NEVER);
            self.tell(TraceEvent::Sent { message: number, facts, nth: 0, fate, arrives });
            self.lose(number, facts, Loss::Fate);
            return Ok(());
        };
        // The fate is drawn in any case, so that a cut changes no other message's.
        let (nth, fate, carriage) = self.network.carry(&facts, node, to, leaves);
        let is_cut = self.network.is_cut(node, to);
        let arrives = match carriage {
            _ if is_cut => Instant::NEVER,
            Carriage::Lost => Instant::NEVER,
            Carriage::Once(at) | Carriage::Twice(at, _) | Carriage::Malformed(at, _) => Instant(at),
        };
        let fate = Some(fate);
        self.tell(TraceEvent::Sent { message: number, facts, nth, fate, arrives });
        // Whoever looks on has seen what was wrong with it.
        checked?;
        if is_cut {
            self.lose(number, facts, Loss::Cut);
            return Ok(());
        }
        if self.plan.network.malformed_per_million > 0 {
            self.send_malformed(node, to, &message, leaves, number);
        }
        let flight = Flight {
            message,
            facts,
            number,
            draw: 0,
            sent: self.now,
            leaves,
            life: self.hosts[node].life(),
            echo: self.checks.echo(&facts),
            edition: Edition::First,
        };
        match carriage {
            Carriage::Lost => self.lose(number, facts, Loss::Fate),
            Carriage::Once(arrives) => self.launch(arrives, flight),
            Carriage::Malformed(arrives, draw) => {
                self.spoil(to, &flight, arrives, draw);
                self.launch(arrives, flight);
            }
            Carriage::Twice(arrives, again) => {
                self.statistics.duplicated += 1;
                let arrives_again = Instant(again);
                self.tell(TraceEvent::Duplicated {
                    message: number,
                    facts,
                    arrives: arrives_again,
                });
                let repeated = Flight {
                    message: flight.message.clone(),
                    edition: Edition::Repeated,
                    ..flight
                };
                self.launch(arrives, flight);
                self.launch(again, repeated);
            }
        }
        Ok(())
    }

    /// Lets a message be followed by a version that must be rejected, now and then.
    fn send_malformed(
        &mut self,
        node: usize,
        to: usize,
        message: &R::Message,
        leaves: u64,
        number: u64,
    ) {
        let nth = self.hosts[node].number(Series::Malformed);
        let mut draw = self.malformed_draw(node, nth);
        if !draw.chance(self.plan.network.malformed_per_million) {
            return;
        }
        let flight = Flight {
            message: message.clone(),
            facts: R::facts(message),
            number,
            draw: nth,
            sent: self.now,
            leaves,
            life: self.hosts[node].life(),
            echo: Instant(0),
            edition: Edition::Malformed,
        };
        self.spoil_with(to, &flight, &mut draw, None);
    }

    /// What is wrong with a malformed message, by its number.
    fn malformed_draw(&self, node: usize, number: u32) -> Draw {
        Draw::new(self.plan.seed, Domain::Host, &[node as u64, number.into(), 2])
    }

    /// Lets a message be followed by the version of a number.
    fn spoil(&mut self, to: usize, flight: &Flight<R>, arrives: u64, number: u32) {
        let node = self.place(flight.facts.from).expect("a node of the run sends it");
        let mut draw = self.malformed_draw(node, number);
        // Whether there is such a version was drawn first.
        draw.bits();
        let (edition, echo) = (Edition::Malformed, Instant(0));
        let message = flight.message.clone();
        let spoiled = Flight { message, draw: number, edition, echo, ..*flight };
        self.spoil_with(to, &spoiled, &mut draw, Some(arrives));
    }

    fn spoil_with(&mut self, to: usize, flight: &Flight<R>, draw: &mut Draw, at: Option<u64>) {
        let Some(message) = R::malformed(&flight.message, draw) else { return };
        // It travels under the true address, whatever it says.
        let facts = Facts { from: flight.facts.from, to: self.id(to), ..R::facts(&message) };
        let delay = self.plan.network.delay.draw(&mut draw.fork(1));
        self.launch(at.unwrap_or(flight.leaves + delay), Flight { message, facts, ..*flight });
    }

    fn launch(&mut self, arrives: u64, flight: Flight<R>) {
        let flight = self.flights.add(flight);
        self.queue.push(arrives, Event::Arrive { flight });
    }

    fn lose(&mut self, message: u64, facts: Facts, loss: Loss) {
        self.statistics.lost += 1;
        self.tell(TraceEvent::Lost { message, facts, loss });
    }

    pub(super) fn arrive(&mut self, number: u32) -> Checked {
        let to = self.flights.get(number).facts.to;
        let to = self.place(to).expect("messages to nobody were never launched");
        if self.hosts[to].hold(Event::Arrive { flight: number }) == Held::Yes {
            return Ok(());
        }
        let Flight { message, facts, number, draw, sent, leaves, life, echo, edition } =
            self.flights.take(number);
        let from = self.place(facts.from);
        // A sender that does not exist, or another one than sent it, is a lie that the checks look into.
        let has_left = from.is_none_or(|from| self.hosts[from].has_sent(life, leaves));
        let is_cut = from.is_some_and(|from| self.network.is_cut(from, to));
        let loss = match (has_left, is_cut, self.hosts[to].is_up()) {
            (false, _, _) => Some(Loss::NeverLeft),
            (true, true, _) => Some(Loss::Cut),
            (true, false, false) => Some(Loss::Down),
            (true, false, true) => None,
        };
        if let Some(loss) = loss {
            self.lose(number, facts, loss);
            return Ok(());
        }
        if edition == Edition::Malformed {
            self.statistics.malformed += 1;
            self.digest_arrival(&facts);
            self.tell(TraceEvent::Malformed { message: number, draw, to: self.id(to), facts });
            self.check_rejection(to, &message)?;
            return self.step(to, Input::Receive(message), Cause::Arrival);
        }
        self.statistics.delivered += 1;
        if edition == Edition::Repeated {
            self.checks.note(Situation::DuplicateDelivered);
        }
        self.digest_arrival(&facts);
        self.checks.arrives(&facts, Instant(sent), echo);
        self.checks.delivered(Instant(self.now), &facts)?;
        self.tell(TraceEvent::Delivered { message: number, facts, sent: Instant(sent) });
        self.step(to, Input::Receive(message), Cause::Arrival)
    }

    /// What must be rejected leaves no trace. Tried on copies, so that the run is the same without the check.
    fn check_rejection(&mut self, node: usize, message: &R::Message) -> Checked {
        let host = &self.hosts[node];
        let raft = host.raft.as_ref().expect("what arrives at a node that is down is lost");
        let local = host.local(self.now);
        self.checks.malformed(Instant(self.now), local, host.id, raft, message)
    }

    fn digest_arrival(&mut self, facts: &Facts) {
        let Facts { from, to, term, kind, name: _, claim } = facts;
        let (first, second) = match claim {
            Claim::Nothing
            | Claim::GrantVote
            | Claim::GrantPreVote
            | Claim::Refuse
            | Claim::Answer => (0, 0),
            Claim::AskPreVote { last } | Claim::AskVote { last } => (last.index.0, last.term.0),
            Claim::Append { previous, entries, bytes, commit } => {
                (previous.index.0 ^ (bytes << 32), commit.0 ^ (u64::from(*entries) << 40))
            }
            Claim::Heartbeat { commit } => (commit.0, 0),
            Claim::Acknowledge { matched } => (matched.0, 1),
            Claim::Forward { sequence } => (*sequence, 2),
            Claim::Snapshot { position, bytes } => (position.index.0, *bytes),
        };
        self.digest.add(self.now);
        self.digest.add(from.0 << 16 ^ to.0 << 8 ^ u64::from(*kind) ^ term.0 << 24);
        self.digest.add(first);
        self.digest.add(second);
    }

    /// The name of a node.
    pub(super) fn id(&self, node: usize) -> NodeId {
        self.hosts[node].id
    }
}

fn running<R: Raft>(host: &mut Host<R, impl Machine>) -> &mut R {
    host.raft.as_mut().expect("only nodes that run are given anything")
}

/// Whether a step made a leader.
fn has_won(before: &View, after: &View) -> bool {
    after.role == Role::Leader && (before.role != Role::Leader || before.term != after.term)
}

/// Whether an effect is carried out before a crash at a point of the step that asked for it.
fn is_done_before<R: Raft>(point: CrashPoint, output: &Output<R>, lucky: bool) -> bool {
    match point {
        CrashPoint::Send | CrashPoint::Deliver => false,
        CrashPoint::PartSent => matches!(output, Output::Send(_) | Output::Persist(_)) && lucky,
        CrashPoint::Sent => matches!(output, Output::Send(_)),
        // What has begun of the write is torn as in any crash.
        CrashPoint::Winning => match output {
            Output::Persist(_) => true,
            Output::Send(_) => lucky,
            Output::Apply(_)
            | Output::Restore(_)
            | Output::Chore(_)
            | Output::Reply(_)
            | Output::Event(_) => false,
        },
        CrashPoint::Submit => !matches!(output, Output::Persist(_)),
        CrashPoint::Receipt
        | CrashPoint::Now
        | CrashPoint::Durable
        | CrashPoint::Apply
        | CrashPoint::Chore => true,
    }
}
