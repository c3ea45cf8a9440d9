//! What clients may see: one answer each, in the order of the committed log and of real time.

use bytes::Bytes;
use raft_core::{Instant, LogIndex, LogPosition, NodeId, Outcome, Refusal, Role};

use super::ghost::{Content, Effect};
use super::node::Watched;
use super::{CheckLevel, Checks, SEARCH_BUDGET};
use crate::coverage::Situation;
use crate::hash::hash_bytes;
use crate::history::{Fate, Manner, OpId, Operation, Route};
use crate::linearizability::{self, Finding};
use crate::machine::Machine;
use crate::violation::{Property, Violation};

/// The node of operations that may be asked of any.
const NOBODY: NodeId = NodeId(0);

impl<M: Machine> Checks<M> {
    /// A client asks a node for something.
    pub fn invoked(&mut self, at: Instant, op: OpId, client: u32, node: NodeId, command: &Bytes) {
        if self.level != CheckLevel::Full {
            return;
        }
        let route = self.route(node);
        self.history.invoke(at, op, client, node, route, command);
    }

    fn route(&self, node: NodeId) -> Route {
        let place = self.place_of(node);
        let leads = place.is_some_and(|place| self.nodes[place].view.role == Role::Leader);
        if leads { Route::Leader } else { Route::Forwarded }
    }

    /// A client asks for something that is to take effect once, however often it is sent; `op` names the first
    /// attempt.
    pub fn invoked_once(&mut self, at: Instant, op: OpId, client: u32, command: &Bytes) {
        if self.level == CheckLevel::Full {
            self.once.invoke(at, op, client, NOBODY, Route::Leader, command);
        }
    }

    /// The client is told what came of it.
    pub fn answered_once(
        &mut self,
        at: Instant,
        op: OpId,
        outcome: Outcome,
        output: Option<&Bytes>,
    ) {
        if self.level == CheckLevel::Full {
            let answered = self.once.answer(at, op, NOBODY, outcome, output);
            debug_assert!(answered.is_ok(), "a client hears of what it asked for, once");
        }
    }

    /// What a client asks of a node is asked as a read, and the node is stepped with it next.
    pub fn reads(&mut self, op: OpId, node: NodeId) {
        if self.level == CheckLevel::Full {
            // It may have waited while the node was suspended, and what it meets now counts.
            let route = self.route(node);
            self.history.reads(op, self.ghost.last_index(), route);
        }
    }

    /// A client is told what became of what it asked for.
    ///
    /// # Errors
    /// When it was told before, or is told what is not so.
    pub fn answered(
        &mut self,
        at: Instant,
        op: OpId,
        node: NodeId,
        reply: &Outcome,
        output: Option<&Bytes>,
    ) -> Result<(), Violation> {
        let Some(place) = self.watched(node)? else { return Ok(()) };
        self.nodes[place].pending = self.nodes[place].pending.saturating_sub(1);
        let operation = self.history.answer(at, op, node, *reply, output).map_err(|error| {
            Violation::new(Property::OneReply, at, &[node], format!("{error} (now {reply:?})"))
        })?;
        let (route, floor, command) = (operation.route, operation.floor, operation.command.clone());
        let (manner, invoked) = (operation.manner, operation.invoked);
        match reply {
            Outcome::Done { position } => {
                self.check_done(at, op, place, *position, &command, output)?;
                check_floor(at, op, node, *position, floor)?;
                if route == Route::Forwarded {
                    self.coverage.note(Situation::ProposalForwarded);
                }
            }
            Outcome::Readable { index } if manner == Manner::Read => {
                self.check_readable(at, op, place, *index, floor, output)?;
                if route == Route::Leader {
                    self.check_confirmed(at, op, place, *index, invoked)?;
                }
                self.note_read(at, place, route, invoked);
            }
            Outcome::Refused { refusal: Refusal::LeadershipLost, .. } => {
                self.coverage.note(Situation::ReadRefusedByDeposition);
            }
            Outcome::Refused { refusal, .. } => {
                self.coverage.note(Situation::ProposalRefused);
                match refusal {
                    Refusal::Busy => self.note(Situation::ProposalBusy),
                    Refusal::Transferring => self.check_transfer(at, place)?,
                    _ => {}
                }
            }
            Outcome::Lost { position } => {
                self.check_lost(at, op, node, *position)?;
                self.coverage.note(Situation::ProposalLost);
            }
            Outcome::Unknown if route == Route::Forwarded => {
                self.coverage.note(Situation::ForwardUnknown);
            }
            Outcome::Unknown => {}
            Outcome::Readable { .. } | Outcome::Transferred { .. } => {
                let witness = format!("{node} answered {op} with {reply:?}, which was not asked");
                return Err(Violation::new(Property::OneReply, at, &[node], witness));
            }
        }
        Ok(())
    }

    /// A read sees everything that was committed when it was asked, whoever knew, and reads a machine that has got
    /// there. (That is more than clients can notice: a leader that is confirmed after the question, or holds a lease,
    /// has committed whatever anyone has.)
    fn check_readable(
        &self,
        at: Instant,
        op: OpId,
        place: usize,
        index: LogIndex,
        floor: LogIndex,
        output: Option<&Bytes>,
    ) -> Result<(), Violation> {
        let Watched { id: node, machine, .. } = self.nodes[place];
        let wrong = |witness| Err(Violation::new(Property::ClientOrder, at, &[node], witness));
        if index < floor {
            return wrong(format!(
                "{node} let {op} read at {index}, but when it asked, everything up to {floor} was committed"
            ));
        }
        if index > machine || output.is_none() {
            return wrong(format!(
                "{node} let {op} read at {index}, but its machine has come only to {machine}"
            ));
        }
        Ok(())
    }

    /// A leader lets a read pass that it was asked for at `asked`. With leases on, it need not ask anybody; after a
    /// change of members nobody can tell which of them it had to ask.
    fn check_confirmed(
        &self,
        at: Instant,
        op: OpId,
        place: usize,
        index: LogIndex,
        asked: Instant,
    ) -> Result<(), Violation> {
        let watched = &self.nodes[place];
        let has_changed = watched.log.membership().is_some_and(|(since, _)| *since > index);
        if watched.view.role != Role::Leader || watched.settings.read_lease.is_on() || has_changed {
            return Ok(());
        }
        let followed = |node: NodeId| match self.place_of(node) {
            Some(peer) if peer != place => self.echoes.followed(place, peer) >= asked,
            _ => true,
        };
        if watched.membership(&self.initial).reached_by_quorum(followed) == Some(true) {
            return Ok(());
        }
        let id = watched.id;
        let witness = format!(
            "{id} let {op} read at {index}, but no quorum has answered anything that it sent after {asked}, when it was asked"
        );
        Err(Violation::new(Property::ReadConfirmed, at, &[id], witness))
    }

    fn note_read(&mut self, at: Instant, place: usize, route: Route, invoked: Instant) {
        self.coverage.note(Situation::ReadAnswered);
        if route == Route::Forwarded {
            self.coverage.note(Situation::ReadForwarded);
        } else if at == invoked && self.nodes[place].membership(&self.initial).voters().len() > 1 {
            self.coverage.note(Situation::ReadFromLease);
        }
    }

    /// What was lost has another entry committed in its place: being truncated somewhere is not enough
    /// (paper Figure 8).
    fn check_lost(
        &self,
        at: Instant,
        op: OpId,
        node: NodeId,
        position: LogPosition,
    ) -> Result<(), Violation> {
        let committed = self.ghost.log.at(position.index).map(|link| link.term);
        if committed.is_some_and(|term| term != position.term) {
            return Ok(());
        }
        let witness = format!(
            "{node} told that {op} is lost at {position}, where no other entry is committed"
        );
        Err(Violation::new(Property::ClientOrder, at, &[node], witness))
    }

    /// What was done is committed, is what was asked, was done by this node's machine, and gave the output that
    /// was told.
    fn check_done(
        &mut self,
        at: Instant,
        op: OpId,
        place: usize,
        position: LogPosition,
        command: &Bytes,
        output: Option<&Bytes>,
    ) -> Result<(), Violation> {
        let Watched { id: node, machine, .. } = self.nodes[place];
        let wrong = |property, witness| Err(Violation::new(property, at, &[node], witness));
        let term = self.ghost.log.at(position.index).map(|link| link.term);
        let slot = self.ghost.slot_mut(position.index).filter(|_| term == Some(position.term));
        let Some(slot) = slot else {
            let witness =
                format!("{node} told that {op} is done at {position}, which is not committed");
            return wrong(Property::Durability, witness);
        };
        if !slot.content.accepts(Some(command)) {
            let shown = self.served.describe(command, None);
            let witness = format!(
                "{node} told that {op} ({shown}) is done at {position}, which is another entry"
            );
            return wrong(Property::ClientOrder, witness);
        }
        if let Some(other) = slot.operation.replace(op) {
            let witness =
                format!("{node} told that {op} is done at {position}, as {other} was before");
            return wrong(Property::ClientOrder, witness);
        }
        let Some(output) = output.filter(|_| position.index <= machine) else {
            let witness = format!(
                "{node} told that {op} is done at {position}, but its machine, which has come to {machine}, gave no output"
            );
            return wrong(Property::ClientOrder, witness);
        };
        let gave = slot.effect.and_then(|effect| effect.output);
        if gave.is_some_and(|gave| gave != hash_bytes(0, output)) {
            let shown = self.served.describe(command, Some(output));
            let witness = format!(
                "{node} told {op} ({shown}) another output than the machines gave at {position}"
            );
            return wrong(Property::ClientOrder, witness);
        }
        Ok(())
    }

    /// The run is over: what can only be judged as a whole.
    ///
    /// # Errors
    /// When clients saw what the committed log does not explain, or nothing explains.
    pub fn finish(&mut self, at: Instant) -> Result<(), Violation> {
        self.finish_order(at)?;
        self.search(at, SEARCH_BUDGET)?;
        let departure = self.departure.take().filter(|_| self.level != CheckLevel::None);
        departure.map_or(Ok(()), Err)
    }

    /// The end-of-run checks in linear time: the committed log, applied in order by a fresh machine, gives what
    /// was seen; every committed command was asked for, and at most as often as it is there.
    ///
    /// # Errors
    /// The first entry that is not explained.
    pub fn finish_order(&mut self, at: Instant) -> Result<(), Violation> {
        if self.level != CheckLevel::Full {
            return Ok(());
        }
        if let Some(violation) = self.pending.take() {
            return Err(violation);
        }
        for _ in 0..self.elections.split_votes() {
            self.coverage.note(Situation::SplitVote);
        }
        self.check_replay(at)?;
        self.check_asked(at)
    }

    /// The search that knows nothing of Raft, with a budget of states. What it cannot decide is counted in the
    /// coverage.
    ///
    /// # Errors
    /// When the history has no legal order.
    pub fn search(&mut self, at: Instant, budget: u64) -> Result<(), Violation> {
        if self.level != CheckLevel::Full {
            return Ok(());
        }
        // With sessions, what travels is not what clients mean, even if all they have done is to open one.
        let history = if self.served.has_sessions() { &self.once } else { &self.history };
        let (finding, searches) = linearizability::check::<M>(history, budget);
        self.coverage.searches.merge(&searches);
        let Finding::Violated(stuck) = finding else { return Ok(()) };
        let operation = history.operation(stuck.operation);
        // A client with a session asks one node after another.
        let asked = operation.map(|operation| operation.node).filter(|node| *node != NOBODY);
        let witness = format!(
            "no order explains what clients saw: after {} of {} operations nothing lets {} take effect in time",
            stuck.placed,
            stuck.of,
            operation.map_or(stuck.operation.to_string(), |op| described(op, M::describe))
        );
        Err(Violation::new(Property::Linearizability, at, asked.as_slice(), witness))
    }

    fn check_replay(&self, at: Instant) -> Result<(), Violation> {
        let mut machine = self.served.fresh();
        let last = self.ghost.last_index();
        for index in (1..=last.0).map(LogIndex) {
            let Some(slot) = self.ghost.slot(index) else { break };
            let position =
                LogPosition::new(self.ghost.log.at(index).unwrap_or_default().term, index);
            let output = match &slot.content {
                Content::Unseen => break,
                Content::Internal => None,
                Content::Command(command) => Some(machine.apply(position, command)),
            };
            let Some(Effect { digest, output: gave }) = slot.effect else { continue };
            if digest != machine.digest() {
                let witness = format!(
                    "a fresh machine that applies the log up to {position} is in another state"
                );
                return Err(Violation::new(Property::DigestsAgree, at, &[], witness));
            }
            let output_hash = output.as_ref().map(|output| hash_bytes(0, output));
            if gave.is_some() && gave != output_hash {
                let asked = slot.operation.map_or(String::new(), |op| format!(" ({op})"));
                let witness = format!("a fresh machine gives another output at {position}{asked}");
                return Err(Violation::new(Property::ClientOrder, at, &[], witness));
            }
        }
        Ok(())
    }

    /// Commands carry no name, so they are counted by content: each content is committed at most as often as
    /// operations that may have taken effect asked for it.
    fn check_asked(&self, at: Instant) -> Result<(), Violation> {
        let operations = self.history.operations();
        let may = operations.iter().filter(|operation| operation.fate() != Fate::Never);
        let mut asked: Vec<u64> = may.map(|operation| hash_bytes(0, &operation.command)).collect();
        asked.sort_unstable();
        let mut committed = Vec::new();
        for index in (1..=self.ghost.last_index().0).map(LogIndex) {
            if let Some(Content::Command(command)) =
                self.ghost.slot(index).map(|slot| &slot.content)
            {
                committed.push((hash_bytes(0, command), index, command));
            }
        }
        committed.sort_unstable_by_key(|(hash, index, _)| (*hash, *index));
        let mut asked = asked.into_iter().peekable();
        for (hash, index, command) in committed {
            while asked.next_if(|asked| *asked < hash).is_some() {}
            if asked.next_if_eq(&hash).is_none() {
                let refused = operations.iter().find(|operation| {
                    operation.fate() == Fate::Never && operation.command == *command
                });
                let witness = match refused {
                    Some(refused) => format!(
                        "{} is committed at {index}, although its client was told that it never takes effect",
                        described(refused, |command, output| self.served.describe(command, output))
                    ),
                    None => format!(
                        "{} is committed at {index}, once more than anybody asked for it",
                        self.served.describe(command, None)
                    ),
                };
                return Err(Violation::new(Property::ClientOrder, at, &[], witness));
            }
        }
        Ok(())
    }
}

/// What was known done before the operation was invoked comes before it in the log.
fn check_floor(
    at: Instant,
    op: OpId,
    node: NodeId,
    position: LogPosition,
    floor: LogIndex,
) -> Result<(), Violation> {
    if position.index > floor {
        return Ok(());
    }
    let witness = format!(
        "{op} is done at {position}, but an operation that was done before it was invoked is at {floor}"
    );
    Err(Violation::new(Property::ClientOrder, at, &[node], witness))
}

/// An operation in words: what, by whom, where, when.
fn described(
    operation: &Operation,
    describe: impl FnOnce(&Bytes, Option<&Bytes>) -> String,
) -> String {
    let output = operation.answer.as_ref().and_then(|answer| answer.output.as_ref());
    let of = match operation.node {
        NOBODY => "in a session".to_owned(),
        node => format!("of {node}"),
    };
    format!(
        "{} ({}, asked by client {} at {} {of})",
        operation.id,
        describe(&operation.command, output),
        operation.client,
        operation.invoked,
    )
}
