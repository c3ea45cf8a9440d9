//! What a leader knows of one other member, and how fast it may send to it.
//!
//! A peer is *probed*, one message at a time, until it acknowledges one; then entries are *streamed* to
//! it in a window of messages and bytes. A refusal, or silence while the window is in use, leads back to
//! probing, and the window is forgotten with it. A peer that lacks what the log holds no more is sent a
//! *snapshot*, and nothing else meanwhile.
//!
//! Invariant: `matched < next`.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::config::Config;
use crate::sending::Sending;
use crate::slot::Slot;
use crate::snapshot::SnapshotMeta;
use crate::status::PeerFlow;
use crate::types::{Instant, LogIndex, LogPosition, Round, Ticks};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Progress {
    /// Up to here the peer's durable log is known to equal the leader's. Never falls in a term.
    matched: LogIndex,
    /// The next entry to send.
    next: LogIndex,
    /// The commit index it was last told.
    told: LogIndex,
    /// When something of this term last *arrived* from it.
    heard: Instant,
    flow: Flow,
    /// Entries for it are being read from the log's store.
    pub(crate) fetch: Slot,
    pub(crate) contact: Contact,
    /// It is no member any more, and only waits to hear so.
    pub(crate) departure: Option<Departure>,
}

/// What heartbeats and their answers say of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Contact {
    /// The last round it answered.
    pub(crate) answered: Round,
    /// Until then it votes for nobody else, on the leader's clock and with the drift taken off.
    pub(crate) promised_until: Instant,
    /// How long its last answer took.
    pub(crate) round_trip: Option<Ticks>,
}

/// When a removed member is let go: when it knows the membership without it is committed, or after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Departure {
    pub(crate) membership: LogIndex,
    pub(crate) until: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Flow {
    Probe(Probe),
    Stream(Window),
    Snapshot(Box<Sending>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Probe {
    /// To be sent, with entries.
    Due,
    /// Sent; nothing more goes out before an answer or the next heartbeat.
    Sent(InFlight),
    /// To be sent again. Without entries: nobody may be there to take them.
    DueAgain,
}

/// The messages in flight to a peer.
///
/// Invariant: `bytes` is the sum over `messages`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Window {
    messages: VecDeque<InFlight>,
    bytes: u64,
    /// When it last moved: an acknowledgement came, or it was used after being empty.
    moved: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct InFlight {
    last: LogIndex,
    bytes: u64,
}

/// What may be sent to a peer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// Nothing.
    Nothing,
    /// An append without entries.
    Probe,
    /// An append with entries, of at most this many bytes unless it is a single entry.
    Entries { bytes: u64 },
}

impl Progress {
    /// What a new leader assumes of a peer: that its log may be as long as its own (paper §5.3).
    pub(crate) fn new(last: LogIndex, now: Instant) -> Self {
        Self {
            matched: LogIndex::ZERO,
            next: last.next(),
            told: LogIndex::ZERO,
            heard: now,
            flow: Flow::Probe(Probe::Due),
            fetch: Slot::Free,
            contact: Contact::default(),
            departure: None,
        }
    }

    /// Whether a removed member can be let go.
    pub(crate) fn has_departed(&self, now: Instant) -> bool {
        self.departure
            .is_some_and(|departure| self.told >= departure.membership || now >= departure.until)
    }

    /// The snapshot that is being sent to it.
    pub(crate) fn sending(&mut self) -> Option<&mut Sending> {
        match &mut self.flow {
            Flow::Snapshot(sending) => Some(sending),
            Flow::Probe(_) | Flow::Stream(_) => None,
        }
    }

    /// The position of the snapshot that is being sent to it.
    pub(crate) fn sending_position(&self) -> Option<LogPosition> {
        match &self.flow {
            Flow::Snapshot(sending) => Some(sending.position()),
            Flow::Probe(_) | Flow::Stream(_) => None,
        }
    }

    /// The log does not hold the next entry any more: the peer is sent a snapshot instead.
    pub(crate) fn send_snapshot(&mut self, snapshot: SnapshotMeta) {
        self.flow = Flow::Snapshot(Box::new(Sending::new(snapshot)));
    }

    pub(crate) fn matched(&self) -> LogIndex {
        self.matched
    }

    pub(crate) fn next(&self) -> LogIndex {
        self.next
    }

    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// Something of this term arrived from the peer.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Whether the peer has yet to be told that `commit` is committed, and no message that will be
    /// followed by others is on its way to it.
    pub(crate) fn awaits_commit(&self, commit: LogIndex) -> bool {
        let idle = match &self.flow {
            Flow::Probe(_) | Flow::Snapshot(_) => false,
            Flow::Stream(window) => window.messages.is_empty(),
        };
        idle && self.told < commit.min(self.matched)
    }

    pub(crate) fn tell(&mut self, commit: LogIndex) {
        self.told = self.told.max(commit);
    }

    /// Whether it is sent entries as they come, and has been sent all up to `last`.
    pub(crate) fn is_up_to(&self, last: LogIndex) -> bool {
        self.next > last && matches!(self.flow, Flow::Stream(_))
    }

    /// What may be sent now, if there is a next entry; `size` tells how large it is.
    pub(crate) fn allowance(
        &self,
        is_more: bool,
        size: impl FnOnce() -> u64,
        config: &Config,
    ) -> Allowance {
        match &self.flow {
            Flow::Probe(Probe::Due) if is_more => {
                Allowance::Entries { bytes: config.max_batch_bytes.min(config.max_inflight_bytes) }
            }
            Flow::Probe(Probe::Due | Probe::DueAgain) => Allowance::Probe,
            Flow::Stream(window) if is_more => window.allowance(size, config),
            Flow::Probe(Probe::Sent(_)) | Flow::Snapshot(_) | Flow::Stream(_) => Allowance::Nothing,
        }
    }

    /// An append whose last index is `last` and that carries `bytes` is sent.
    pub(crate) fn sent(&mut self, last: LogIndex, bytes: u64, now: Instant) {
        match &mut self.flow {
            Flow::Probe(probe) => *probe = Probe::Sent(InFlight { last, bytes }),
            Flow::Stream(window) => {
                window.push(InFlight { last, bytes }, now);
                self.next = last.next();
            }
            Flow::Snapshot(_) => {}
        }
    }

    /// The peer holds the leader's log up to `matched`, durably; `base` is where that log begins.
    pub(crate) fn accepted(&mut self, matched: LogIndex, base: LogIndex, now: Instant) {
        let is_news = matched > self.matched;
        if is_news {
            self.fetch.end_rest();
        }
        self.matched = self.matched.max(matched);
        match &mut self.flow {
            Flow::Probe(probe) => {
                // An answer to an earlier message than the probe proves nothing about it.
                if matched.next() >= self.next {
                    let window = Window::after(*probe, self.matched, now);
                    self.next = window.last().unwrap_or(self.matched).next();
                    self.flow = Flow::Stream(window);
                }
            }
            Flow::Stream(window) => {
                window.release(matched);
                if is_news {
                    window.moved = now;
                }
                self.next = self.next.max(self.matched.next());
            }
            // Whether it took the snapshot or found the entries elsewhere: the log goes on from there, or a later
            // snapshot does.
            Flow::Snapshot(sending) => {
                if self.matched >= base.min(sending.position().index) {
                    self.next = self.matched.next();
                    self.flow = Flow::Stream(Window::empty(now));
                }
            }
        }
    }

    /// The peer does not hold `refused`; `agreeable` is the leader's last entry that it may hold.
    pub(crate) fn refused(&mut self, refused: LogPosition, agreeable: LogPosition) {
        let is_stale = match &self.flow {
            Flow::Probe(_) => refused.index.next() != self.next,
            Flow::Stream(_) => refused.index <= self.matched,
            Flow::Snapshot(_) => true,
        };
        if is_stale || refused.index <= self.matched {
            return;
        }
        // The next probe lies strictly before the refused one, so probing ends.
        self.next = agreeable.index.next().min(refused.index).max(self.matched.next());
        self.probe();
    }

    /// What is being read for it may be of no use any more, but goes on being the one thing that is.
    fn probe(&mut self) {
        self.fetch.end_rest();
        self.flow = Flow::Probe(Probe::Due);
    }

    /// A heartbeat is due: unanswered probes are repeated, and a window that has not moved for `patience`
    /// is given up.
    pub(crate) fn heartbeat(&mut self, now: Instant, patience: Ticks) {
        self.fetch.give_up(now, patience);
        let was_heard = now.since(self.heard) < patience;
        match &mut self.flow {
            Flow::Probe(probe @ Probe::Sent(_)) => *probe = Probe::DueAgain,
            Flow::Stream(window) if window.messages.is_empty() => {}
            Flow::Stream(window) => {
                if now.since(window.moved) >= patience {
                    self.next = self.matched.next();
                    self.probe();
                }
            }
            // A peer that does not answer at all is not sent chunk after chunk.
            Flow::Snapshot(sending) if was_heard => sending.give_up(now, patience),
            Flow::Snapshot(_) | Flow::Probe(Probe::Due | Probe::DueAgain) => {}
        }
    }

    pub(crate) fn flow(&self) -> PeerFlow {
        match &self.flow {
            Flow::Probe(_) => PeerFlow::Probe,
            Flow::Stream(_) => PeerFlow::Stream,
            Flow::Snapshot(sending) => {
                PeerFlow::Snapshot { position: sending.position(), received: sending.received() }
            }
        }
    }

    /// Unacknowledged messages and bytes of the window.
    pub(crate) fn inflight(&self) -> (u64, u64) {
        match &self.flow {
            Flow::Probe(_) | Flow::Snapshot(_) => (0, 0),
            Flow::Stream(window) => (window.messages.len() as u64, window.bytes),
        }
    }
}

impl Window {
    fn empty(now: Instant) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, moved: now }
    }

    /// The window after a probe that was answered: what the probe carried beyond `matched` is still on
    /// its way to the peer's disk.
    fn after(probe: Probe, matched: LogIndex, now: Instant) -> Self {
        let mut window = Self::empty(now);
        if let Probe::Sent(message) = probe {
            window.push(message, now);
            window.release(matched);
        }
        window
    }

    /// The last index under way.
    fn last(&self) -> Option<LogIndex> {
        self.messages.back().map(|message| message.last)
    }

    /// Room for an entry of a size and more. An empty window takes one entry, however large.
    fn allowance(&self, size: impl FnOnce() -> u64, config: &Config) -> Allowance {
        let room = config.max_inflight_bytes.saturating_sub(self.bytes);
        let is_full = !self.messages.is_empty()
            && (self.messages.len() as u64 >= config.max_inflight_messages || size() > room);
        if is_full {
            Allowance::Nothing
        } else {
            Allowance::Entries { bytes: room.min(config.max_batch_bytes) }
        }
    }

    fn push(&mut self, message: InFlight, now: Instant) {
        if self.messages.is_empty() {
            self.moved = now;
        }
        self.bytes += message.bytes;
        self.messages.push_back(message);
    }

    fn release(&mut self, matched: LogIndex) {
        while let Some(message) = self.messages.front().filter(|message| message.last <= matched) {
            self.bytes -= message.bytes;
            self.messages.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::types::{ClusterId, NodeId, Term};

    const NOW: Instant = Instant(100);
    const PATIENCE: Ticks = Ticks(20);

    fn config() -> Config {
        let settings = Settings {
            max_inflight_messages: 3,
            max_inflight_bytes: 100,
            max_batch_bytes: 60,
            ..Settings::new(ClusterId(1), NodeId(1))
        };
        settings.validate().expect("sound settings")
    }

    fn at(index: u64) -> LogPosition {
        LogPosition::new(Term(1), LogIndex(index))
    }

    fn is_streaming(progress: &Progress) -> bool {
        progress.flow() == PeerFlow::Stream
    }

    /// Thesis §4.2.2: a removed member is let go when it was told so, or after a while.
    #[test]
    fn a_removed_member_departs_when_it_knows_or_after_a_while() {
        let mut progress = Progress::new(LogIndex(10), NOW);
        assert!(!progress.has_departed(Instant(u64::MAX)), "it is a member");
        progress.departure =
            Some(Departure { membership: LogIndex(7), until: NOW.after(PATIENCE) });
        progress.tell(LogIndex(6));
        assert!(!progress.has_departed(NOW) && progress.has_departed(NOW.after(PATIENCE)));
        progress.tell(LogIndex(7));
        assert!(progress.has_departed(NOW));
    }

    /// A peer that is streamed to and holds everything up to 10.
    fn streaming() -> Progress {
        let mut progress = Progress::new(LogIndex(10), NOW);
        progress.sent(LogIndex(10), 0, NOW);
        progress.accepted(LogIndex(10), LogIndex::ZERO, NOW);
        assert!(is_streaming(&progress));
        progress
    }

    /// One message until an answer comes; then, at each heartbeat, one without entries.
    #[test]
    fn a_probe_is_sent_once() {
        let mut progress = Progress::new(LogIndex(10), NOW);
        assert_eq!(progress.allowance(true, || 5, &config()), Allowance::Entries { bytes: 60 });
        progress.sent(LogIndex(12), 10, NOW);
        assert_eq!(progress.allowance(true, || 5, &config()), Allowance::Nothing);
        progress.heartbeat(NOW, PATIENCE);
        assert_eq!(progress.allowance(true, || 5, &config()), Allowance::Probe);
    }

    /// An acknowledgement of something before the probe proves nothing about the probe.
    #[test]
    fn an_early_acknowledgement_does_not_end_probing() {
        let mut progress = Progress::new(LogIndex(10), NOW);
        progress.accepted(LogIndex(7), LogIndex::ZERO, NOW);
        assert_eq!((progress.matched(), is_streaming(&progress)), (LogIndex(7), false));
        progress.accepted(LogIndex(10), LogIndex::ZERO, NOW);
        assert_eq!((progress.next(), is_streaming(&progress)), (LogIndex(11), true));
    }

    /// B12: the next probe lies strictly before the refused one, and never at or before what is matched.
    #[test]
    fn a_refusal_recedes_and_not_too_far() {
        let mut progress = Progress::new(LogIndex(10), NOW);
        progress.refused(at(10), at(10));
        assert_eq!(progress.next(), LogIndex(10));
        progress.refused(at(10), at(3));
        assert_eq!(progress.next(), LogIndex(10), "a repeated refusal is old news");
        progress.accepted(LogIndex(6), LogIndex::ZERO, NOW);
        progress.refused(at(9), at(2));
        assert_eq!(progress.next(), LogIndex(7), "up to 6 it matches");
        progress.refused(at(6), at(2));
        assert_eq!(progress.next(), LogIndex(7), "nor is that refused any more");
    }

    /// B65: an acknowledgement of what was acknowledged before does not keep a window from being given up.
    #[test]
    fn a_repeated_acknowledgement_is_no_news() {
        for (matched, is_given_up) in [(10, true), (11, false)] {
            let mut progress = streaming();
            progress.sent(LogIndex(11), 10, NOW);
            progress.sent(LogIndex(12), 10, NOW);
            progress.accepted(LogIndex(matched), LogIndex::ZERO, NOW.after(Ticks(1)));
            progress.heartbeat(NOW.after(PATIENCE), PATIENCE);
            assert_eq!(is_streaming(&progress), !is_given_up, "acknowledged up to {matched}");
        }
    }

    /// B67: the window is bounded in messages and bytes; an empty one takes one entry of any size.
    #[test]
    fn the_window_is_bounded() {
        let mut progress = streaming();
        assert_eq!(progress.allowance(false, || 0, &config()), Allowance::Nothing);
        assert_eq!(progress.allowance(true, || 500, &config()), Allowance::Entries { bytes: 60 });
        progress.sent(LogIndex(11), 60, NOW);
        assert_eq!(progress.allowance(true, || 40, &config()), Allowance::Entries { bytes: 40 });
        assert_eq!(progress.allowance(true, || 41, &config()), Allowance::Nothing);
        progress.sent(LogIndex(12), 1, NOW);
        progress.sent(LogIndex(13), 1, NOW);
        assert_eq!(progress.allowance(true, || 1, &config()), Allowance::Nothing, "three messages");
        progress.accepted(LogIndex(11), LogIndex::ZERO, NOW);
        assert_eq!(progress.inflight(), (2, 2));
        assert_eq!(progress.allowance(true, || 1, &config()), Allowance::Entries { bytes: 60 });
    }

    /// B65: a window that stands still is given up, and forgotten; one that moves is not.
    #[test]
    fn a_window_that_stands_still_is_given_up() {
        let mut progress = streaming();
        progress.sent(LogIndex(11), 60, NOW);
        progress.sent(LogIndex(12), 30, NOW);
        let later = NOW.after(Ticks(19));
        progress.heartbeat(later, PATIENCE);
        progress.accepted(LogIndex(11), LogIndex::ZERO, later);
        progress.heartbeat(later.after(Ticks(19)), PATIENCE);
        assert!(is_streaming(&progress));
        progress.heartbeat(later.after(PATIENCE), PATIENCE);
        assert_eq!((is_streaming(&progress), progress.next()), (false, LogIndex(12)));
        assert_eq!(progress.inflight(), (0, 0));
        progress.accepted(LogIndex(12), LogIndex::ZERO, later);
        assert_eq!((progress.inflight(), progress.next()), ((0, 0), LogIndex(13)));
    }

    /// An empty window may stand still for ever.
    #[test]
    fn an_idle_peer_is_not_probed() {
        let mut progress = streaming();
        progress.heartbeat(NOW.after(Ticks(1_000)), PATIENCE);
        assert!(is_streaming(&progress));
    }

    /// A commit is announced once, when nothing is on its way that will carry it, and as far as the peer holds.
    #[test]
    fn a_commit_is_announced_once() {
        let mut progress = streaming();
        assert!(progress.awaits_commit(LogIndex(9)));
        progress.tell(LogIndex(9));
        assert!(!progress.awaits_commit(LogIndex(9)));
        progress.sent(LogIndex(11), 1, NOW);
        assert!(!progress.awaits_commit(LogIndex(10)));
        progress.accepted(LogIndex(11), LogIndex::ZERO, NOW);
        assert!(progress.awaits_commit(LogIndex(10)));
        progress.tell(LogIndex(11));
        assert!(!progress.awaits_commit(LogIndex(12)), "it does not hold that");
    }

    /// B45: a peer that is sent a snapshot is sent nothing else, until it holds what the log begins with, in
    /// whatever way it came to.
    #[test]
    fn a_snapshot_ends_when_the_log_goes_on_from_there() {
        let mut progress = streaming();
        progress.send_snapshot(SnapshotMeta { position: at(50), ..SnapshotMeta::default() });
        assert_eq!(progress.allowance(true, || 1, &config()), Allowance::Nothing);
        progress.refused(at(40), at(3));
        progress.accepted(LogIndex(39), LogIndex(40), NOW);
        assert_eq!(progress.sending_position(), Some(at(50)));
        progress.accepted(LogIndex(40), LogIndex(40), NOW);
        assert_eq!((progress.next(), is_streaming(&progress)), (LogIndex(41), true));
        progress.send_snapshot(SnapshotMeta { position: at(50), ..SnapshotMeta::default() });
        progress.accepted(LogIndex(50), LogIndex(60), NOW);
        assert_eq!(progress.sending_position(), None, "the log was compacted further meanwhile");
    }
}
