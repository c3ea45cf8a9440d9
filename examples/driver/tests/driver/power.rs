//! A machine with the two files of a store, whose power fails.

use driver::store::disk::{Defect, Platter, Power, Volatile};
use driver::store::{Journaled, Store};

/// Small, so that it is full now and then.
const JOURNAL_BYTES: u64 = 12 * 1024;

pub(crate) struct Machine {
    pub(crate) power: Power,
    platters: [Platter; 2],
    files: [Volatile<Platter>; 2],
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::with([Platter::default(), Platter::default()])
    }

    fn with(platters: [Platter; 2]) -> Self {
        let power = Power::default();
        let file =
            |platter: &Platter| Volatile::powered(platter.clone(), Defect::None, power.clone());
        let files = [file(&platters[0]), file(&platters[1])];
        Self { power, platters, files }
    }

    pub(crate) fn open(&self) -> Journaled {
        let [database, journal] = self.files.clone();
        Journaled::on(database, journal, JOURNAL_BYTES).expect("what a crash left opens")
    }

    /// How many changes of each file were not synced.
    pub(crate) fn unsynced(&self) -> [usize; 2] {
        [self.files[0].unsynced(), self.files[1].unsynced()]
    }

    /// Another machine, with what was synced on this one.
    pub(crate) fn copy(&self) -> Self {
        Self::with([self.platters[0].copy(), self.platters[1].copy()])
    }

    /// The power fails, and so many of the unsynced changes of each file had reached the disk.
    pub(crate) fn crashed(self, store: impl Store, database: usize, journal: usize) -> Self {
        self.files[0].crash(database).expect("memory does not fail");
        self.files[1].crash(journal).expect("memory does not fail");
        drop(store);
        Self::with(self.platters)
    }
}
