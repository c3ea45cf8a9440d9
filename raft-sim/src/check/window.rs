//! What a leader has under way to one peer, counted from the messages alone.
//!
//! Counted is only what is certain: ranges that go on where the last one ended, in one leadership, and that
//! no delivered acknowledgement covers. A range that starts at or before what was sent already begins a
//! new count, because the leader has gone back to probing.

use std::collections::VecDeque;

use raft_core::{LogIndex, Settings, Term};

/// The ranges under way from one leader to one peer.
#[derive(Debug, Default)]
pub(crate) struct Window {
    term: Term,
    /// The last index sent.
    top: LogIndex,
    ranges: VecDeque<(LogIndex, u64)>,
    bytes: u64,
    fill: Fill,
    /// Parts of snapshots sent since the peer was heard.
    parts: u32,
}

/// So many parts of a snapshot may be sent to a peer that is not heard meanwhile: one, and one more when something
/// came from it just before.
const PARTS_UNHEARD: u32 = 2;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fill {
    #[default]
    Room,
    /// It was full since it was last empty.
    Full,
}

/// A range of entries in one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) term: Term,
    pub(crate) first: LogIndex,
    pub(crate) last: LogIndex,
    pub(crate) bytes: u64,
}

/// What a send or an acknowledgement did to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing remarkable.
    Usual,
    /// It is full now and was not.
    Filled,
    /// It is empty now and was full.
    Drained,
    /// It holds more than it may.
    Overfull { messages: u64, bytes: u64 },
}

impl Window {
    /// A range is sent. One message more than allowed is forgiven: a probe may be under way when
    /// pipelining begins.
    pub(crate) fn send(&mut self, range: Range, settings: &Settings) -> Change {
        let Range { term, first, last, bytes } = range;
        if term != self.term || first <= self.top {
            self.ranges.clear();
            (self.bytes, self.fill) = (0, Fill::Room);
            if term != self.term {
                (self.term, self.parts) = (term, 0);
            }
        }
        self.top = last;
        self.ranges.push_back((last, bytes));
        self.bytes += bytes;
        let messages = self.ranges.len() as u64;
        let largest = settings.max_batch_bytes.max(bytes);
        let too_many = messages > settings.max_inflight_messages.saturating_add(1);
        let too_much = self.bytes > settings.max_inflight_bytes.saturating_add(largest);
        if too_many || (too_much && messages > 2) {
            return Change::Overfull { messages, bytes: self.bytes };
        }
        let full =
            messages >= settings.max_inflight_messages || self.bytes >= settings.max_inflight_bytes;
        if full && self.fill == Fill::Room && settings.max_inflight_messages > 1 {
            self.fill = Fill::Full;
            return Change::Filled;
        }
        Change::Usual
    }

    /// A part of a snapshot is sent. To a peer that is silent there is no use in sending more and more.
    pub(crate) fn send_part(&mut self, term: Term) -> Change {
        if term != self.term {
            *self = Self { term, ..Self::default() };
        }
        self.parts += 1;
        if self.parts > PARTS_UNHEARD {
            return Change::Overfull { messages: self.parts.into(), bytes: 0 };
        }
        Change::Usual
    }

    /// Anything from the peer is delivered.
    pub(crate) fn hear(&mut self) {
        self.parts = 0;
    }

    /// An acknowledgement of everything through `matched` is delivered to the leader of `term`.
    pub(crate) fn acknowledge(&mut self, term: Term, matched: LogIndex) -> Change {
        if term != self.term {
            return Change::Usual;
        }
        while let Some((last, bytes)) = self.ranges.front().copied() {
            if last > matched {
                return Change::Usual;
            }
            self.bytes -= bytes;
            self.ranges.pop_front();
        }
        match std::mem::take(&mut self.fill) {
            Fill::Full => Change::Drained,
            Fill::Room => Change::Usual,
        }
    }

    /// The leader has lost its memory.
    pub(crate) fn forget(&mut self) {
        self.ranges.clear();
        (self.top, self.bytes, self.fill) = (LogIndex::ZERO, 0, Fill::Room);
        self.parts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::{ClusterId, NodeId};

    fn settings() -> Settings {
        Settings {
            max_inflight_messages: 3,
            max_inflight_bytes: 100,
            max_batch_bytes: 50,
            ..Settings::new(ClusterId(1), NodeId(1))
        }
    }

    fn range(first: u64, bytes: u64) -> Range {
        Range { term: Term(1), first: LogIndex(first), last: LogIndex(first), bytes }
    }

    /// Goal: a leader that streams on without acknowledgements is caught, by messages and by bytes.
    #[test]
    fn streaming_on_is_overfull() {
        let mut window = Window::default();
        let sent = [1, 2, 3, 4, 5].map(|first| window.send(range(first, 1), &settings()));
        assert_eq!(sent[..4], [Change::Usual, Change::Usual, Change::Filled, Change::Usual]);
        assert_eq!(sent[4], Change::Overfull { messages: 5, bytes: 5 });
        let mut window = Window::default();
        let sent = [1, 2, 3].map(|first| window.send(range(first, 60), &settings()));
        assert_eq!(
            sent,
            [Change::Usual, Change::Filled, Change::Overfull { messages: 3, bytes: 180 }]
        );
    }

    /// Goal: part after part to a peer that says nothing is too much; to one that does, or in another term, not.
    #[test]
    fn parts_for_a_silent_peer_are_overfull() {
        let mut window = Window::default();
        for _ in 0..9 {
            assert_eq!(window.send_part(Term(1)), Change::Usual);
            assert_eq!(window.send_part(Term(1)), Change::Usual);
            window.hear();
        }
        for _ in 0..2 {
            assert_eq!(window.send_part(Term(2)), Change::Usual);
        }
        assert_eq!(window.send_part(Term(2)), Change::Overfull { messages: 3, bytes: 0 });
        assert_eq!(window.send_part(Term(3)), Change::Usual);
    }

    /// Goal: acknowledgements make room, going back begins anew, one oversize range may go alone.
    #[test]
    fn acknowledgements_and_probes_make_room() {
        let mut window = Window::default();
        for round in 0..5 {
            for first in 1..=3 {
                window.send(range(round * 3 + first, 10), &settings());
            }
            assert_eq!(window.acknowledge(Term(1), LogIndex(round * 3 + 2)), Change::Usual);
            assert_eq!(window.acknowledge(Term(1), LogIndex(round * 3 + 3)), Change::Drained);
        }
        for _ in 0..9 {
            assert_eq!(window.send(range(9, 10), &settings()), Change::Usual);
        }
        assert_eq!(window.send(range(10, 5_000), &settings()), Change::Filled);
    }
}
