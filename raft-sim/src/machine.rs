//! The state machine under test: the user's own, or the built-in key-value store.

use bytes::Bytes;
use raft_core::LogPosition;

use crate::draw::Draw;

/// What a machine makes of the positions of commands in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Positions {
    /// Nothing: only the order of commands matters.
    #[default]
    Ignored,
    /// Its outputs or its state depend on them.
    Used,
}

/// A situation of a machine's own that a campaign should meet, as it should meet those of
/// [`Situation`](crate::coverage::Situation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// A stable name, for reports: `overdrawn`.
    pub name: &'static str,
    /// In how many of a million seeds of a default campaign it must occur at least.
    pub minimum_per_million: u32,
}

/// A replicated state machine that can be simulated.
///
/// It must be deterministic: the same commands at the same positions give the same outputs and digests.
pub trait Machine: Default + Clone {
    /// Whether outputs or states depend on the positions that [`Machine::apply`] is given, as those of a store
    /// do that answers with revisions. Nobody knows the position of an operation that was never answered, so
    /// the search for a linear order is left out for such a machine, and counted as left out. The
    /// check against the order of the log is made all the same.
    const POSITIONS: Positions = Positions::Ignored;

    /// Situations of its own that a campaign should meet, at most 64: the summary lists them, and a campaign of the
    /// command that met one too rarely has failed. [`Machine::marks`] says which of them were met.
    const MARKS: &'static [Mark] = &[];

    /// The names of faults of its own: what befalls a machine that no entry of the log tells it, as the loss of what
    /// it had cached. Seeds draw them into their plans; a scenario says `machine n2 suffers lost-cache`. A name has 1
    /// to 24 small letters, digits and hyphens. [`Machine::suffer`] is told when one strikes.
    const FAULTS: &'static [&'static str] = &[];

    /// Applies a committed command and says what the client is told.
    fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes;

    /// What a command would answer that changes nothing; `None` for one that must go through the log. Clients ask
    /// for such commands as linearizable reads now and then.
    fn query(&self, _command: &Bytes) -> Option<Bytes> {
        None
    }

    /// A digest of the whole state. It is asked after every entry, so keep it up to date as commands are
    /// applied. Machines in the same state have the same digest, and others another.
    fn digest(&self) -> u64;

    /// The whole state.
    fn snapshot(&self) -> Bytes;

    /// A machine in the state of a snapshot.
    ///
    /// # Errors
    /// What is wrong with the snapshot, in words.
    fn restore(snapshot: &Bytes) -> Result<Self, String>;

    /// What must always hold of the state; asked after every entry.
    ///
    /// # Errors
    /// What does not hold, in words.
    fn invariant(&self) -> Result<(), String> {
        Ok(())
    }

    /// Which of its [`Machine::MARKS`] it has met: bit `n` for the `n`th. It is asked after every entry, and what was
    /// once met stays met in the run, whatever becomes of this machine.
    fn marks(&self) -> u64 {
        0
    }

    /// A fault of its own befalls it: one of [`Machine::FAULTS`]. Only `draw` decides what else there is to decide. The
    /// replicas must stay equal all the same: its state, as [`Machine::digest`] tells it, and its outputs are compared
    /// with theirs as ever.
    fn suffer(&mut self, _fault: &str, _draw: &mut Draw) {}

    /// A command for a simulated client. Only `draw` decides what it is.
    fn command(draw: &mut Draw) -> Bytes;

    /// The part of the state that a command concerns, if commands on different parts are independent of
    /// each other. It keeps the linearizability search small.
    fn partition(_command: &Bytes) -> Option<u64> {
        None
    }

    /// The command that a text stands for; `None` if it stands for none. It is asked for the commands of a
    /// [scenario](crate::scenario), whose lines have them in words where the machine has words for them.
    fn parse_command(_text: &str) -> Option<Bytes> {
        None
    }

    /// A command as [`Machine::parse_command`] reads it; `None` for one that has no words, which is then written as
    /// bytes.
    fn command_text(_command: &Bytes) -> Option<String> {
        None
    }

    /// A command, and its output if there is one yet, for people: `put k3 = 17`.
    fn describe(command: &Bytes, output: Option<&Bytes>) -> String {
        match output {
            Some(output) => format!("{command:?} -> {output:?}"),
            None => format!("{command:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use raft_core::Node;

    use super::*;
    use crate::plan::{Plan, Profile, TRUE_RATE};
    use crate::verdict::Verdict;
    use crate::violation::Property;
    use crate::world::run;

    /// Answers where a command is in the log, and where the one before is.
    #[derive(Clone, Default)]
    struct Revisions<const KIND: u8> {
        last: LogPosition,
    }

    /// Does not say that it uses positions.
    const SILENT: u8 = 0;
    /// Says so.
    const DECLARED: u8 = 1;
    /// Says so, and never gives the same answer twice.
    const STRAYING: u8 = 2;

    thread_local! {
        static APPLIED: Cell<u64> = const { Cell::new(0) };
    }

    impl<const KIND: u8> Machine for Revisions<KIND> {
        const POSITIONS: Positions =
            if KIND == SILENT { Positions::Ignored } else { Positions::Used };

        fn apply(&mut self, position: LogPosition, _command: &Bytes) -> Bytes {
            let before = std::mem::replace(&mut self.last, position);
            let stray = if KIND == STRAYING { APPLIED.replace(APPLIED.get() + 1) } else { 0 };
            Bytes::from(format!("{position}, after {before} {stray}"))
        }

        fn digest(&self) -> u64 {
            self.last.index.0 ^ self.last.term.0 << 40
        }

        fn snapshot(&self) -> Bytes {
            let LogPosition { term, index } = self.last;
            [term.0.to_le_bytes(), index.0.to_le_bytes()].concat().into()
        }

        fn restore(snapshot: &Bytes) -> Result<Self, String> {
            let number = |from: usize| {
                let bytes = snapshot.get(from..from + 8)?.try_into().ok()?;
                Some(u64::from_le_bytes(bytes))
            };
            let (Some(term), Some(index)) = (number(0), number(8)) else {
                return Err("it is shorter than two numbers".to_owned());
            };
            let (term, index) = (raft_core::Term(term), raft_core::LogIndex(index));
            Ok(Self { last: LogPosition::new(term, index) })
        }

        fn command(draw: &mut Draw) -> Bytes {
            Bytes::copy_from_slice(&draw.bits().to_le_bytes())
        }
    }

    fn verdicts<const KIND: u8>() -> Vec<Verdict> {
        let plans = (0..10).map(|seed| Plan::generate(seed, Profile::Default));
        plans.map(|plan| run::<Node, Revisions<KIND>>(&plan)).collect()
    }

    /// Goal: without the declaration a sound machine is accused, because the search does not know where the
    /// operations are that nobody heard of again; with it the machine is not searched, and that is counted.
    #[test]
    fn machines_that_use_positions_are_not_searched() {
        let silent = verdicts::<SILENT>();
        assert!(silent.iter().all(|verdict| verdict.coverage.searches.skipped == 0));
        let accused = silent.iter().filter_map(|verdict| verdict.violation.as_ref());
        let accused: Vec<Property> = accused.map(|violation| violation.property).collect();
        assert!(accused.len() > 5, "most runs have open operations: {accused:?}");
        assert!(accused.iter().all(|property| *property == Property::Linearizability));
        for Verdict { violation, coverage, .. } in verdicts::<DECLARED>() {
            assert_eq!(violation, None);
            assert_eq!((coverage.searches.searched, coverage.searches.skipped), (0, 1));
        }
    }

    /// Goal: what the search is not asked, the order of the log still answers.
    #[test]
    fn machines_that_use_positions_are_checked_against_the_log() {
        let mut alone = Plan::generate(1, Profile::Calm);
        (alone.nodes, alone.founders, alone.clocks) = (1, 1, vec![TRUE_RATE]);
        alone.other_settings = None;
        assert_eq!(run::<Node, Revisions<DECLARED>>(&alone).violation, None);
        let violation = run::<Node, Revisions<STRAYING>>(&alone).violation;
        let property = violation.map(|violation| violation.property);
        assert_eq!(property, Some(Property::ClientOrder));
    }
}
