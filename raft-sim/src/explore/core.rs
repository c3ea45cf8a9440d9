//! The core that is explored: `raft-core`'s, or in tests one that is wrong on purpose.

use raft_core::{Effects, Envelope, Input, Instant, Node, Settings, Start};

/// A node that can be copied and stepped.
pub trait Core: Clone + Send + Sync + 'static {
    /// Starts a node.
    ///
    /// # Errors
    /// What is wrong with the disk, in words.
    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String>;

    /// The node inside.
    fn node(&self) -> &Node;

    /// Takes one input.
    fn step(&mut self, now: Instant, input: Input, effects: &mut Effects);

    /// What it makes of a message that it sends; nothing, if it does not.
    fn says(envelope: Envelope) -> Option<Envelope> {
        Some(envelope)
    }
}

impl Core for Node {
    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String> {
        let config = settings.validate().map_err(|error| error.to_string())?;
        Self::new(config, start, now).map_err(|error| error.to_string())
    }

    fn node(&self) -> &Node {
        self
    }

    fn step(&mut self, now: Instant, input: Input, effects: &mut Effects) {
        Self::step(self, now, input, effects);
    }
}
