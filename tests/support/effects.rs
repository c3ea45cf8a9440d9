//! Carries effects out, and checks what must always hold while doing so.

use raft_core::{
    AppendReply, Apply, Ballot, Effect, Envelope, HardState, LogPosition, Message, NodeId, Payload,
    Reader, RecordedInput, Restore, SnapshotReceipt,
};

use super::disk::Disk;
use super::lanes::{Fetching, Reading, Staging};
use super::machine::Machine;
use super::{Cluster, Happened, Pace};

impl Cluster {
    /// Does what a node asks for; returns the receipt, if it is at hand.
    pub(super) fn carry_out(&mut self, id: NodeId, effect: Effect) -> Option<RecordedInput> {
        let (happened, follows) = match effect {
            Effect::Persist(persist) => {
                let (number, write) = (persist.number(), persist.write().clone());
                let host = self.host(id);
                let onto = host.disk.clone();
                assert!(host.writing.is_none(), "one write is under way at a time");
                let follows = if host.disk_pace == Pace::Prompt {
                    host.disk.write(&write);
                    Some(RecordedInput::Persisted(number))
                } else {
                    host.writing = Some((number, write.clone()));
                    None
                };
                (Happened::Wrote { onto: Box::new(onto), write }, follows)
            }
            Effect::Send(envelope) => {
                self.hosts[&id].disk.check_promise(&envelope);
                self.network.push(envelope.clone());
                (Happened::Sent(envelope), None)
            }
            Effect::Apply(apply) => self.apply(id, &apply),
            Effect::Restore(restore) => self.restore(id, &restore),
            Effect::Fetch(fetch) => {
                let fetching = Fetching::of(fetch, self.node(id));
                let most = self.hosts[&id].settings.max_batch_bytes;
                match fetching.reader {
                    Reader::Machine => assert_eq!(fetching.max_bytes, most),
                    Reader::Peer(_) => assert!((1..=most).contains(&fetching.max_bytes)),
                }
                (Happened::Fetches(fetching), self.ask_fetch(id, fetching))
            }
            Effect::ReadChunk(read) => {
                let reading = Reading::of(read, self.node(id));
                let disk = &self.hosts[&id].disk;
                assert!(disk.snapshot_at(reading.position).is_some(), "it was kept for this");
                (Happened::Reads(reading), self.ask_chunk(id, reading))
            }
            Effect::WriteChunk(chunk) => {
                let staging = Staging::chunk(chunk, self.node(id));
                (Happened::Stages(staging.clone()), self.ask_stage(id, staging))
            }
            Effect::FetchSnapshot(fetch) => {
                let staging = Staging::fetch(fetch, self.node(id));
                (Happened::Stages(staging.clone()), self.ask_stage(id, staging))
            }
            Effect::Reply(reply) => {
                self.check_reply(id, &reply);
                (Happened::Replied(reply), None)
            }
            Effect::Event(event) => (Happened::Noted(event), None),
        };
        self.journal.push((id, happened));
        follows
    }

    fn apply(&mut self, id: NodeId, apply: &Apply) -> (Happened, Option<RecordedInput>) {
        let positions = apply.entries().map(|entry| entry.position).collect();
        let last = apply.last();
        let machine = &self.hosts[&id].machine;
        assert_eq!(
            apply.first(),
            machine.applied.next(),
            "no entry is skipped, none applied twice"
        );
        for entry in apply.entries() {
            self.check_agreement(id, entry.position, entry.payload);
            self.host(id).machine.commands.extend(entry.command().cloned());
            if let Some(request) = entry.request {
                self.check_named(id, request, entry.position);
            }
        }
        self.host(id).machine.applied = last;
        (Happened::Applied(positions), self.machine_is_given(id, RecordedInput::Applied(last)))
    }

    /// A machine that is restored holds what the others held at that index.
    fn restore(&mut self, id: NodeId, restore: &Restore) -> (Happened, Option<RecordedInput>) {
        let (position, index) = (restore.snapshot().position, restore.index());
        let snapshot = self.hosts[&id].disk.snapshot_at(position).expect("it was kept for this");
        assert_eq!(&snapshot.meta, restore.snapshot());
        let machine = Machine::of(index, &snapshot.bytes);
        let commands = self.agreed_commands(index);
        assert_eq!(machine.commands, commands, "{id} is restored as of {position} (paper §7)");
        self.host(id).machine = machine;
        (Happened::Restored(position), self.machine_is_given(id, RecordedInput::Applied(index)))
    }

    fn machine_is_given(&mut self, id: NodeId, receipt: RecordedInput) -> Option<RecordedInput> {
        let host = self.host(id);
        assert!(host.applying.is_none(), "one batch or restoration is out at a time");
        if host.machine_pace == Pace::Prompt {
            return Some(receipt);
        }
        host.applying = Some(host.machine.applied);
        None
    }

    fn check_agreement(&mut self, id: NodeId, position: LogPosition, payload: &Payload) {
        let place = usize::try_from(position.index.previous().0).expect("logs here are short");
        if place == self.agreed.len() {
            self.agreed.push((position.term, payload.clone()));
        }
        let entry = (position.term, payload.clone());
        assert_eq!(self.agreed.get(place), Some(&entry), "{id} applies {position} (paper §5.4.3)");
    }
}

impl Disk {
    /// Nothing leaves a node before the disk holds what it promises (paper Figure 2).
    fn check_promise(&self, envelope: &Envelope) {
        let HardState { term, vote, .. } = self.hard_state;
        assert!(term >= envelope.term, "sent before the term was durable: {envelope:?}");
        match &envelope.message {
            Message::VoteReply { ballot: Ballot::Granted } => {
                assert_eq!(vote, Some(envelope.to), "the vote was not durable");
            }
            Message::RequestVote { .. } => {
                assert_eq!(vote, Some(envelope.from), "the own vote was not durable");
            }
            Message::AppendReply(AppendReply::Accepted { matched }) => {
                let last = self.last().index;
                assert!(*matched <= last, "acknowledged before it was durable: {envelope:?}");
            }
            Message::SnapshotReply { position, receipt: SnapshotReceipt::Received(bytes) } => {
                let of_it = |partial: &&raft_core::PartialSnapshot| {
                    (partial.snapshot.position, partial.source) == (*position, envelope.to)
                };
                let staged = self.staged.as_ref().map(|staged| &staged.partial);
                let received = staged.filter(of_it).map_or(0, |partial| partial.received);
                let is_kept = *bytes <= received || self.snapshot().position >= *position;
                assert!(is_kept, "received before it was durable: {envelope:?}");
            }
            _ => {}
        }
    }
}
