//! Single steps that are measured. Each can be repeated for as long as one likes, and looks whether what should happen
//! does: a step that is quick because it does nothing is not measured.

mod one_node;
mod three_nodes;

/// A step, or the few that belong together.
#[derive(Debug)]
pub struct Step {
    /// Short, for the command line and tables.
    pub name: &'static str,
    /// What is done once.
    pub what: &'static str,
    prepare: fn() -> Box<dyn Repeat>,
}

/// Something that is ready to be done, again and again.
pub trait Repeat {
    /// Does it so many times.
    fn repeat(&mut self, count: u64);
}

impl<F: FnMut()> Repeat for F {
    fn repeat(&mut self, count: u64) {
        for _ in 0..count {
            self();
        }
    }
}

impl Step {
    /// Brings nodes to where the step can be taken.
    pub fn prepare(&self) -> Box<dyn Repeat> {
        (self.prepare)()
    }
}

/// All of them.
pub const ALL: &[Step] = &[
    Step {
        name: "tick-leader",
        what: "a tick at a leader of three, before its heartbeat is due",
        prepare: one_node::tick_leader,
    },
    Step {
        name: "tick-follower",
        what: "a tick at a follower, before its election timeout",
        prepare: one_node::tick_follower,
    },
    Step {
        name: "append",
        what: "a follower takes an entry of 16 bytes, writes it, acknowledges it, and applies the one before",
        prepare: one_node::append,
    },
    Step {
        name: "vote",
        what: "a voter hears of a term, votes, writes that down, and answers",
        prepare: one_node::vote,
    },
    Step {
        name: "heartbeat",
        what: "a leader of three sends its heartbeats, and both are answered",
        prepare: three_nodes::heartbeat,
    },
    Step {
        name: "read",
        what: "a linearizable read at a leader of three, with its round of heartbeats",
        prepare: three_nodes::read,
    },
    Step {
        name: "read-lease",
        what: "the same from a lease, without a message",
        prepare: three_nodes::read_from_lease,
    },
    Step {
        name: "read-follower",
        what: "the same at a follower, which asks the leader",
        prepare: three_nodes::read_at_follower,
    },
    Step {
        name: "propose",
        what: "16 bytes are proposed at a leader of three, committed, and applied by all",
        prepare: three_nodes::propose,
    },
];

/// The step of that name.
pub fn named(name: &str) -> Option<&'static Step> {
    ALL.iter().find(|step| step.name == name)
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn all_can_be_repeated() {
        for step in ALL {
            let mut prepared = step.prepare();
            prepared.repeat(1);
            prepared.repeat(1_000);
        }
    }

    #[test]
    fn names_differ() {
        for (place, step) in ALL.iter().enumerate() {
            assert!(ALL[..place].iter().all(|before| before.name != step.name), "{}", step.name);
        }
    }
}
