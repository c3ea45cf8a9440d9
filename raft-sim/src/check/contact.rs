//! From whom a leader has heard, and how long ago, on a clock that stops while the node is paused.
//!
//! A leader that runs is stepped at least once a heartbeat interval, because it must send. A longer gap between two steps
//! is a pause, and counts as two intervals: so nobody is judged for time in which it could not act.

use raft_core::{Instant, Settings, Ticks};

/// One node's memory of whom it has heard while it leads.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    /// How long the node has been awake.
    awake: u64,
    stepped: Instant,
    /// When it won, on the awake clock.
    won: u64,
    /// When it was last judged, on the awake clock.
    judged: u64,
    /// When the latest transfer of this leadership began, on the awake clock.
    handing_over: Option<u64>,
    /// When each node was last heard from in this leadership, on the awake clock.
    heard: Vec<u64>,
}

impl Contact {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            awake: 0,
            stepped: Instant(0),
            won: 0,
            judged: 0,
            handing_over: None,
            heard: vec![0; nodes],
        }
    }

    /// How long a leader may go unheard: two election timeouts by a clock that is too slow, and two
    /// heartbeat intervals.
    pub(crate) fn limit(settings: &Settings) -> Ticks {
        let timeouts = settings.election_timeout.0.saturating_mul(2);
        Ticks(
            timeouts
                .saturating_add(timeouts / 10)
                .saturating_add(2 * settings.heartbeat_interval.0),
        )
    }

    fn gap(&self, at: Instant, settings: &Settings) -> u64 {
        at.since(self.stepped).0.min(settings.heartbeat_interval.0.saturating_mul(2))
    }

    /// The node is stepped.
    pub(crate) fn step(&mut self, at: Instant, settings: &Settings) {
        self.awake += self.gap(at, settings);
        self.stepped = at;
    }

    /// A message of the leader's term from the node at `place` is about to be handled.
    pub(crate) fn hear(&mut self, at: Instant, place: usize, settings: &Settings) {
        self.heard[place] = self.awake + self.gap(at, settings);
    }

    /// The node has just won, or leads other members than before: all have their time to answer.
    pub(crate) fn win(&mut self) {
        self.won = self.awake;
        self.judged = self.awake;
        self.heard.fill(0);
    }

    /// The node has just won: what it began in an earlier office is over.
    pub(crate) fn enter_office(&mut self) {
        self.handing_over = None;
        self.win();
    }

    /// The leader begins to hand its office over.
    pub(crate) fn hand_over(&mut self) {
        self.handing_over = Some(self.awake);
    }

    /// How long ago the latest transfer of this leadership began, if there was one.
    pub(crate) fn handing_over_for(&self) -> Option<Ticks> {
        self.handing_over.map(|since| Ticks(self.awake - since))
    }

    /// How long ago the node at `place` was heard from, at most as long ago as the election was won;
    /// the node itself is heard always.
    pub(crate) fn silence(&self, own: usize, place: Option<usize>) -> Ticks {
        match place {
            Some(place) if place == own => Ticks(0),
            Some(place) => Ticks(self.awake.saturating_sub(self.heard[place].max(self.won))),
            None => Ticks(self.awake.saturating_sub(self.won)),
        }
    }

    /// Whether it is time to judge again: once a heartbeat interval is enough.
    pub(crate) fn is_due(&mut self, settings: &Settings) -> bool {
        let due = self.awake - self.judged >= settings.heartbeat_interval.0;
        if due {
            self.judged = self.awake;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::{ClusterId, NodeId};

    /// Goal: silence counts while the node is stepped, and hardly while it is paused.
    #[test]
    fn a_pause_is_not_silence() {
        let settings = Settings::new(ClusterId(1), NodeId(1));
        let beat = settings.heartbeat_interval.0;
        let mut contact = Contact::new(2);
        contact.win();
        for n in 1..=10 {
            contact.step(Instant(n * beat), &settings);
        }
        assert_eq!(contact.silence(0, Some(1)), Ticks(10 * beat));
        assert_eq!(contact.silence(0, Some(0)), Ticks(0));
        contact.step(Instant(1_000_000), &settings);
        assert_eq!(contact.silence(0, Some(1)), Ticks(12 * beat));
        contact.hear(Instant(1_000_000), 1, &settings);
        contact.step(Instant(1_000_000), &settings);
        assert_eq!(contact.silence(0, Some(1)), Ticks(0));
    }
}
