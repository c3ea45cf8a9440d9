//! What a leader sends to one peer: entries, heartbeats, or a snapshot (paper §5.3, §7; thesis §10.2.1).

use crate::effect::{Effect, Effects, Event};
use crate::entry::{Entries, Entry};
use crate::fetch::{Fetch, Reader};
use crate::log::{Limits, Log};
use crate::message::{AppendEntries, InstallSnapshot, Message, SnapshotContent};
use crate::progress::{Allowance, Progress};
use crate::replica::Replica;
use crate::snapshot::{ChunkAnswer, ReadChunk};
use crate::types::{LogIndex, LogPosition, NodeId, Round};

/// The batch that was made last: peers that lack the same entries share it.
#[derive(Debug, Default)]
pub(crate) struct LastBatch(Option<(LogIndex, Limits, Entries)>);

impl LastBatch {
    /// The entries after `after`, made anew unless the last batch is just that.
    fn take(&mut self, log: &Log, after: LogIndex, limits: Limits) -> Entries {
        match &self.0 {
            Some((index, within, entries)) if (*index, *within) == (after, limits) => {
                entries.clone()
            }
            _ => {
                let entries = log.batch_after(after, limits);
                self.0 = Some((after, limits, entries.clone()));
                entries
            }
        }
    }
}

/// Sends as much as the peer's allowance permits, the first batch of it to a peer that is probed. What the log
/// does not hold any more it gets as a snapshot; what is no longer in memory is read first.
pub(crate) fn send_log(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    batch: &mut LastBatch,
    effects: &mut Effects,
) {
    while !progress.is_up_to(replica.log.last_index()) {
        if progress.sending_position().is_some() {
            return read_chunk(replica, to, progress, effects);
        }
        let after = progress.next().previous();
        if after < replica.log.base().index {
            let snapshot = replica.snapshot.clone();
            let position = snapshot.position;
            progress.send_snapshot(snapshot);
            effects.event(Event::SnapshotStarted { peer: to, position });
            continue;
        }
        let last = replica.log.last_index();
        let is_in_memory = progress.next() >= replica.log.cached_first();
        let (next, is_more) = (progress.next(), progress.next() <= last);
        match progress.allowance(is_more, || size_of(replica, next), &replica.config) {
            Allowance::Nothing => return,
            Allowance::Probe => append(replica, to, progress, Entries::EMPTY, effects),
            Allowance::Entries { bytes } if is_in_memory => {
                let entries = replica.config.max_batch_entries;
                let limits = Limits { until: last, bytes, entries };
                let entries = batch.take(&replica.log, after, limits);
                append(replica, to, progress, entries, effects);
            }
            Allowance::Entries { bytes } => return fetch(replica, to, progress, bytes, effects),
        }
    }
}

/// What an entry of the log will take of a window. Of what must be read nobody knows the size: it waits until a whole
/// batch fits.
fn size_of(replica: &Replica, index: LogIndex) -> u64 {
    let batch = replica.config.max_batch_bytes.min(replica.config.max_inflight_bytes);
    replica.log.entry(index).map_or(batch, Entry::size)
}

fn append(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    entries: Entries,
    effects: &mut Effects,
) {
    let index = progress.next().previous();
    let term = replica.log.term_at(index);
    let term = term.expect("a peer's next entry lies in the leader's log or right after it");
    let commit = replica.log.commit();
    let append = AppendEntries { previous: LogPosition::new(term, index), entries, commit };
    progress.tell(commit.min(append.last_index()));
    progress.sent(append.last_index(), append.size(), replica.now);
    replica.send(to, Message::AppendEntries(append), effects);
}

/// Reads entries back for a peer that is far behind.
fn fetch(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    max_bytes: u64,
    effects: &mut Effects,
) {
    if progress.fetch.is_free(replica.now) {
        let ticket = replica.ticket();
        progress.fetch.ask(ticket.number, replica.now);
        let first = progress.next();
        let most = LogIndex(first.0.saturating_add(replica.config.max_batch_entries - 1));
        let last = most.min(replica.log.durable());
        let reader = Reader::Peer(to);
        effects.push(Effect::Fetch(Fetch { ticket, reader, first, last, max_bytes }));
    }
}

/// Entries were read back for a peer. They are sent if it still wants them; when they are not the log's, they are
/// read again after a while.
pub(crate) fn fetched(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    first: LogIndex,
    entries: Option<Entries>,
    effects: &mut Effects,
) {
    let durable = replica.log.durable();
    let Some(entries) = entries.filter(|read| replica.is_log_from(first, read, durable)) else {
        progress.fetch.rest(replica.now.after(replica.config.heartbeat_interval));
        return;
    };
    if progress.next() != first || progress.sending_position().is_some() {
        return;
    }
    let size = || entries.first().map_or(0, Entry::size);
    if let Allowance::Entries { bytes } = progress.allowance(true, size, &replica.config) {
        let total: u64 = entries.iter().map(Entry::size).sum();
        // The window may have narrowed, and a driver may have read too much.
        let fits = entries.len() == 1 || total <= bytes;
        let entries = if fits { entries } else { first_within(&entries, bytes) };
        append(replica, to, progress, entries, effects);
    } else {
        // The next entry is larger than what the window has room for: until it has more, there is no use in
        // reading it again.
        progress.fetch.rest(replica.now.after(replica.config.heartbeat_interval));
    }
}

/// As many of the entries as fit; one at least.
fn first_within(entries: &Entries, bytes: u64) -> Entries {
    let mut sum = 0;
    let mut fits = |(place, entry): &(usize, &Entry)| {
        sum += entry.size();
        *place == 0 || sum <= bytes
    };
    entries.iter().enumerate().take_while(|entry| fits(entry)).map(|(_, e)| e.clone()).collect()
}

/// Says "I lead", and what is committed of that which the peer is known to hold (so that a follower
/// whose log ends in something else cannot take it for committed).
pub(crate) fn send_heartbeat(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    round: Round,
    effects: &mut Effects,
) {
    let commit = tell_commit(replica, progress);
    replica.send(to, Message::Heartbeat { commit, round }, effects);
}

/// Tells a peer what is committed, if it has yet to be told and no message that will be followed by others is on its
/// way to it.
pub(crate) fn send_commit(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    effects: &mut Effects,
) {
    if progress.awaits_commit(replica.log.commit()) {
        let index = tell_commit(replica, progress);
        replica.send(to, Message::Commit { index }, effects);
    }
}

/// What is committed, as far as the peer is known to hold it.
fn tell_commit(replica: &Replica, progress: &mut Progress) -> LogIndex {
    let commit = replica.log.commit().min(progress.matched());
    progress.tell(commit);
    commit
}

/// Asks the driver for the next bytes of the snapshot that a peer is sent. One that has not got anywhere gives way
/// to a newer one.
fn read_chunk(replica: &mut Replica, to: NodeId, progress: &mut Progress, effects: &mut Effects) {
    let Some(sending) = progress.sending() else { return };
    if !sending.is_due(replica.now) {
        return;
    }
    if sending.received() == 0 && sending.position() != replica.snapshot.position {
        sending.replace(replica.snapshot.clone());
    }
    let ticket = replica.ticket();
    sending.ask(ticket.number, replica.now);
    effects.push(Effect::ReadChunk(ReadChunk {
        ticket,
        peer: to,
        snapshot: sending.snapshot().clone(),
        offset: sending.received(),
        max_bytes: replica.config.max_chunk_bytes,
    }));
}

/// Bytes of a snapshot were read for a peer: they are sent, and forgotten.
pub(crate) fn chunk_read(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    answer: ChunkAnswer,
    effects: &mut Effects,
) {
    let Some(sending) = progress.sending() else { return };
    let offset = sending.reading();
    let (content, total) = match answer {
        ChunkAnswer::Chunk { total, data } if is_chunk(offset, total, &data, replica) => {
            (SnapshotContent::Chunk { offset, total, data }, Some(total))
        }
        ChunkAnswer::Locator(locator) if locator.len() <= SnapshotContent::MAX_LOCATOR_BYTES => {
            (SnapshotContent::Locator(locator), None)
        }
        _ => return sending.fail(replica.now.after(replica.config.election_timeout)),
    };
    sending.sent(total, replica.now);
    let install = InstallSnapshot { snapshot: sending.snapshot().clone(), content };
    replica.send(to, Message::InstallSnapshot(alloc::boxed::Box::new(install)), effects);
}

/// Whether the driver's bytes are what was asked for.
fn is_chunk(offset: u64, total: u64, data: &bytes::Bytes, replica: &Replica) -> bool {
    let bytes = data.len() as u64;
    let end = offset.saturating_add(bytes);
    bytes <= replica.config.max_chunk_bytes && end <= total && (bytes > 0 || offset == total)
}
