//! What is committed goes to the machine, and the machine's snapshots shorten the log.
//!
//! Only what is committed *and durable here* is handed over. A machine that is behind the log is restored from the
//! snapshot first; entries that are no longer in memory are read back.

use alloc::vec::Vec;

use crate::apply::{Applied, Apply};
use crate::effect::{Effect, Effects};
use crate::entry::Entries;
use crate::fetch::{Fetch, Fetched, Reader};
use crate::log::Limits;
use crate::rejection::Rejection;
use crate::replica::Replica;
use crate::slot::Slot;
use crate::snapshot::{Restore, SnapshotMeta, SnapshotTaken, TakeSnapshot};
use crate::types::{LogIndex, LogPosition};

impl Replica {
    /// Takes the receipt of a batch or of a restoration: its requests are answered.
    pub(crate) fn applied(&mut self, receipt: &Applied, effects: &mut Effects) {
        let is_outstanding = !self.machine.is_idle() && receipt.last == self.machine.handed;
        if receipt.life == self.life() && is_outstanding {
            self.machine.applied = receipt.last;
            self.machine.restoring = None;
            self.pending.applied(receipt.last, effects);
        } else {
            self.rejections.add(Rejection::ForeignReceipt);
        }
    }

    /// Whether nothing waits for the machine, nor the machine for anything.
    pub(crate) fn is_machine_content(&self) -> bool {
        self.machine.is_idle()
            && self.machine.handed >= self.log.commit().min(self.log.durable())
            && self.pending.reads.len() == 0
    }

    /// Hands the machine what it lacks, if it is idle.
    pub(crate) fn hand_to_machine(&mut self, effects: &mut Effects) {
        self.machine.fetch.give_up(self.now, self.config.election_timeout);
        self.machine.fetch.wake(self.now);
        if !self.machine.is_idle() {
            return;
        }
        if self.machine.applied < self.log.base().index {
            self.restore_machine(effects);
            return;
        }
        let first = self.machine.handed.next();
        let until = self.log.commit().min(self.log.durable());
        if first > until {
            return;
        }
        if first >= self.log.cached_first() {
            let limits = self.batch_limits(until);
            self.apply(first, self.log.batch_after(self.machine.handed, limits), effects);
        } else if self.machine.fetch.is_free(self.now) {
            let ticket = self.ticket();
            self.machine.fetch.ask(ticket.number, self.now);
            let most = self.machine.handed.0.saturating_add(self.config.max_batch_entries);
            let last = until.min(LogIndex(most));
            let max_bytes = self.config.max_batch_bytes;
            let reader = Reader::Machine;
            effects.push(Effect::Fetch(Fetch { ticket, reader, first, last, max_bytes }));
        }
    }

    fn batch_limits(&self, until: LogIndex) -> Limits {
        let bytes = self.config.max_batch_bytes;
        Limits { until, bytes, entries: self.config.max_batch_entries }
    }

    /// The log does not reach back to where the machine is.
    fn restore_machine(&mut self, effects: &mut Effects) {
        let index = self.snapshot.position.index;
        debug_assert!(index >= self.log.base().index, "INV-19: the snapshot reaches the log");
        self.machine.handed = index;
        self.machine.restoring = Some(self.snapshot.position);
        self.machine.fetch = Slot::Free;
        self.pending.skip(index, effects);
        let snapshot = self.snapshot.clone();
        effects.push(Effect::Restore(Restore { snapshot, life: self.life() }));
    }

    fn apply(&mut self, first: LogIndex, entries: Entries, effects: &mut Effects) {
        self.machine.handed = self.machine.handed.advanced(entries.len());
        debug_assert!(
            self.machine.handed <= self.log.commit().min(self.log.durable()),
            "INV-8: only what is committed and durable is applied"
        );
        let requests: Vec<_> = self.pending.applying(first, &entries, self.life(), effects);
        effects.push(Effect::Apply(Apply::new(self.life(), first, entries, requests)));
    }

    /// Entries were read back for the machine. When they are not the log's, they are read again after a while.
    pub(crate) fn fetched(&mut self, fetched: Fetched, effects: &mut Effects) {
        if !self.machine.fetch.answer(fetched.ticket.number) {
            self.rejections.add(Rejection::ForeignReceipt);
            return;
        }
        let until = self.log.commit().min(self.log.durable());
        let is_next = self.machine.is_idle() && fetched.first == self.machine.handed.next();
        match fetched.entries {
            Some(entries) if is_next && self.is_log_from(fetched.first, &entries, until) => {
                self.apply(fetched.first, entries, effects);
            }
            _ => self.machine.fetch.rest(self.now.after(self.config.heartbeat_interval)),
        }
    }

    /// Whether these are entries of the log from `first` on, and none after `until`.
    pub(crate) fn is_log_from(&self, first: LogIndex, entries: &Entries, until: LogIndex) -> bool {
        let last = first.advanced(entries.len()).previous();
        !entries.is_empty() && last <= until && self.log.agrees_with(first, entries)
    }

    /// The permission to take a snapshot of the machine as of `index`; `None` when there is no reason to, or
    /// the membership as of then is not known here.
    pub(crate) fn take_snapshot(&self, index: LogIndex) -> Option<TakeSnapshot> {
        let is_new = index > self.snapshot.position.index && index <= self.machine.handed;
        let term = self.log.term_at(index).filter(|_| is_new)?;
        let membership = self.memberships.as_of(index)?.clone();
        let meta = SnapshotMeta { position: LogPosition::new(term, index), membership };
        (!meta.membership.voters().is_empty()).then(|| TakeSnapshot { meta, life: self.life() })
    }

    /// A snapshot of the machine is durable: it counts from now on, and the log may be shortened.
    pub(crate) fn snapshot_taken(&mut self, receipt: SnapshotTaken, effects: &mut Effects) {
        if receipt.life != self.life() {
            self.rejections.add(Rejection::ForeignReceipt);
            return;
        }
        // A newer one may have been installed meanwhile.
        if receipt.meta.position.index > self.snapshot.position.index {
            self.snapshot = receipt.meta;
            self.memberships.compact(self.snapshot.position.index);
            self.compact(effects);
        }
    }
}
