//! What must hold of the state machines: the same entries in the same order, the same states.

use bytes::Bytes;
use raft_core::{Instant, LogPosition, NodeId, SnapshotMeta};

use super::Checks;
use super::ghost::Effect;
use super::node::Watched;
use crate::coverage::Situation;
use crate::hash::hash_bytes;
use crate::machine::Machine;
use crate::served::Served;
use crate::violation::{Property, Violation};

impl<M: Machine> Checks<M> {
    /// A node's machine was given an entry: every entry, commands and others alike.
    ///
    /// # Errors
    /// When it is not the committed entry that comes next, the machine's state is not that of the others, or a command
    /// of a session takes effect again.
    pub fn applied(
        &mut self,
        at: Instant,
        node: NodeId,
        position: LogPosition,
        command: Option<&Bytes>,
        machine: &Served<M>,
        output: Option<&Bytes>,
    ) -> Result<(), Violation> {
        let Some(place) = self.watched(node)? else { return Ok(()) };
        self.check_order(at, place, position)?;
        self.check_content(at, node, position, command)?;
        let effect =
            Effect { digest: machine.digest(), output: output.map(|output| hash_bytes(0, output)) };
        self.check_effect(at, node, position, effect)?;
        if let Some((session, sequence)) = machine.ran_twice() {
            let witness = format!(
                "at {node} command {} of the session opened at {} took effect again at {position}",
                sequence.0, session.0
            );
            return Err(Violation::new(Property::ExactlyOnce, at, &[node], witness));
        }
        self.coverage.meet(machine.marks());
        machine.invariant().map_err(|wrong| {
            let witness = format!("{node}'s machine after {position}: {wrong}");
            Violation::new(Property::MachineInvariant, at, &[node], witness)
        })
    }

    /// A node's machine was taken a snapshot of.
    ///
    /// # Errors
    /// When it does not stand for a committed position, or names another membership than was in force there.
    pub fn took(
        &mut self,
        at: Instant,
        node: NodeId,
        meta: &SnapshotMeta,
    ) -> Result<(), Violation> {
        let Some(place) = self.watched(node)? else { return Ok(()) };
        let index = meta.position.index;
        self.nodes[place].snapshot = self.nodes[place].snapshot.max(index);
        self.coverage.note(Situation::SnapshotTaken);
        if meta.membership.is_joint() {
            self.coverage.note(Situation::SnapshotWhileJoint);
        }
        self.check_snapshot(at, node, meta)
    }

    fn check_snapshot(
        &self,
        at: Instant,
        node: NodeId,
        meta: &SnapshotMeta,
    ) -> Result<(), Violation> {
        let SnapshotMeta { position, membership } = meta;
        let wrong = |property, what: &str| {
            let witness = format!("{node} has a snapshot at {position}, {what}");
            Err(Violation::new(property, at, &[node], witness))
        };
        if self.ghost.log.at(position.index).map(|link| link.term) != Some(position.term) {
            return wrong(Property::StateMachineSafety, "which is not committed");
        }
        let expected = self.ghost.log.membership_at(position.index).unwrap_or(&self.initial);
        if expected != membership {
            return wrong(
                Property::ConfigurationFollowsLog,
                "which names another membership than was in force there",
            );
        }
        Ok(())
    }

    /// A node's machine was restored from a snapshot in the middle of the run.
    ///
    /// # Errors
    /// When its state is not that of a machine that has applied the log so far, or it went back.
    pub fn machine_restored(
        &mut self,
        at: Instant,
        node: NodeId,
        meta: &SnapshotMeta,
        machine: &Served<M>,
    ) -> Result<(), Violation> {
        let Some(place) = self.watched(node)? else { return Ok(()) };
        self.check_snapshot(at, node, meta)?;
        self.coverage.note(Situation::MachineRestored);
        let index = meta.position.index;
        let before = std::mem::replace(&mut self.nodes[place].machine, index);
        if index <= before {
            let witness = format!("{node}'s machine went from {before} back to {index}");
            return Err(Violation::new(Property::Monotonic, at, &[node], witness));
        }
        let effect = Effect { digest: machine.digest(), output: None };
        self.check_effect(at, node, meta.position, effect)
    }

    /// The run is over: a machine comes back from its snapshot in the same state.
    ///
    /// # Errors
    /// When it does not.
    pub fn restored(
        &mut self,
        at: Instant,
        node: NodeId,
        machine: &Served<M>,
    ) -> Result<(), Violation> {
        if self.watched(node)?.is_none() {
            return Ok(());
        }
        let wrong = match machine.restore(&machine.snapshot()) {
            Ok(restored) if restored.digest() == machine.digest() => return Ok(()),
            Ok(_) => "gives a machine in another state".to_owned(),
            Err(reason) => format!("cannot be restored: {reason}"),
        };
        let witness = format!("the snapshot of {node}'s machine {wrong}");
        Err(Violation::new(Property::DigestsAgree, at, &[node], witness))
    }

    fn check_order(
        &mut self,
        at: Instant,
        place: usize,
        position: LogPosition,
    ) -> Result<(), Violation> {
        let Watched { id, view, machine, .. } = &mut self.nodes[place];
        let before = std::mem::replace(machine, position.index);
        let wrong =
            |witness| Err(Violation::new(Property::StateMachineSafety, at, &[*id], witness));
        if position.index != before.next() {
            return wrong(format!("{id} applied {position} right after {before}"));
        }
        if position.index > view.commit {
            return wrong(format!("{id} applied {position}, but committed only {}", view.commit));
        }
        Ok(())
    }

    fn check_content(
        &mut self,
        at: Instant,
        node: NodeId,
        position: LogPosition,
        command: Option<&Bytes>,
    ) -> Result<(), Violation> {
        let term = self.ghost.log.at(position.index).map(|link| link.term);
        let accepted = term == Some(position.term)
            && self
                .ghost
                .slot_mut(position.index)
                .is_some_and(|slot| slot.content.accepts(command));
        if accepted {
            return Ok(());
        }
        let shown =
            command.map_or("nothing".to_owned(), |command| self.served.describe(command, None));
        let witness =
            format!("{node} applied {shown} at {position}, but another entry is committed there");
        Err(Violation::new(Property::StateMachineSafety, at, &[node], witness))
    }

    fn check_effect(
        &mut self,
        at: Instant,
        node: NodeId,
        position: LogPosition,
        effect: Effect,
    ) -> Result<(), Violation> {
        let Some(slot) = self.ghost.slot_mut(position.index) else { return Ok(()) };
        let first = slot.effect.get_or_insert(effect);
        first.output = first.output.or(effect.output);
        let same_output = effect.output.is_none() || first.output == effect.output;
        if first.digest == effect.digest && same_output {
            return Ok(());
        }
        let what = if first.digest == effect.digest { "its output" } else { "its digest" };
        let witness = format!(
            "{node}'s machine differs from the first that applied {position}: {what} is another"
        );
        Err(Violation::new(Property::DigestsAgree, at, &[node], witness))
    }
}
