//! `kv` on a store that is broken on purpose: a server for tests, and for nothing else.
//!
//! The environment variable `KV_FAULT` says what is wrong with the store:
//!
//! * `volatile`: nothing, but what was not synced is lost when the process is killed, as in a power loss. (A process
//!   that is killed leaves its unsynced writes to the system, which keeps them: a missing sync would not show.)
//! * `sync-does-nothing`: that, and syncing does nothing.
//! * `early-receipt`: a write is done a few milliseconds after the node was told that it is.
//! * `full-at=BYTES`: the disk holds so many bytes.
//!
//! The process ends when its standard input does, or, on Linux, the thread that started it: it must outlive no test.

use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use driver::store::disk::{Defect, Volatile};
use driver::store::{Identity, Journaled, Store, StoreError};
use kv::cli::{self, Faults};
use raft_core::{Entry, LogIndex, LogPosition, PartialSnapshot, Restored, SnapshotMeta, Write};
#[cfg(target_os = "linux")]
use rustix::process::{Signal, set_parent_process_death_signal};

const VARIABLE: &str = "KV_FAULT";

fn main() -> ExitCode {
    if let Err(error) = Fault::chosen() {
        eprintln!("kv-under-faults: {error}");
        return ExitCode::FAILURE;
    }
    thread::spawn(end_with_whoever_started_this);
    // That thread does nothing while the process is stopped.
    #[cfg(target_os = "linux")]
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        eprintln!("kv-under-faults: it may outlive its test: {error}");
        return ExitCode::FAILURE;
    }
    cli::main(Faults { open })
}

fn end_with_whoever_started_this() {
    // Nothing is written there: a read ends when the other side is gone.
    drop(io::stdin().read_to_end(&mut Vec::new()));
    std::process::exit(1);
}

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Disk(Defect),
    EarlyReceipt,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let full = text.strip_prefix("full-at=").and_then(|bytes| bytes.parse().ok());
        match (text, full) {
            ("volatile", _) => Ok(Self::Disk(Defect::None)),
            ("sync-does-nothing", _) => Ok(Self::Disk(Defect::SyncDoesNothing)),
            ("early-receipt", _) => Ok(Self::EarlyReceipt),
            (_, Some(at)) => Ok(Self::Disk(Defect::Full { at })),
            _ => Err(format!(
                "{VARIABLE} is '{text}': set it to volatile, sync-does-nothing, early-receipt or full-at=BYTES"
            )),
        }
    }
}

impl Fault {
    fn chosen() -> Result<Self, String> {
        std::env::var(VARIABLE).unwrap_or_default().parse()
    }
}

/// Small, so that it is full now and then.
const JOURNAL_BYTES: u64 = 256 * 1024;

fn open(folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
    let fault = Fault::chosen().map_err(io::Error::other)?;
    let (database, journal) = match fault {
        // The journal has all its blocks from the beginning.
        Fault::Disk(defect @ Defect::Full { .. }) => (defect, Defect::None),
        Fault::Disk(defect) => (defect, defect),
        Fault::EarlyReceipt => (Defect::None, Defect::None),
    };
    let store = Journaled::on(
        Volatile::in_file(&folder.join("node.redb"), database)?,
        Volatile::in_file(&folder.join("node.journal"), journal)?,
        JOURNAL_BYTES,
    )?;
    Ok(match fault {
        Fault::EarlyReceipt => Arc::new(EarlyReceipt::new(Arc::new(store))),
        Fault::Disk(_) => Arc::new(store),
    })
}

/// So long after the receipt a write is done.
const LATE: Duration = Duration::from_millis(5);

/// Says that a write is durable before it is. Everything else is done as it should be, after the writes before it.
struct EarlyReceipt {
    store: Arc<Journaled>,
    writes: Mutex<Sender<(Instant, Write)>>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    state: Mutex<State>,
    is_done: Condvar,
}

#[derive(Default)]
struct State {
    outstanding: u64,
    failure: Option<StoreError>,
}

impl EarlyReceipt {
    fn new(store: Arc<Journaled>) -> Self {
        let (writes, queue) = mpsc::channel();
        let progress = Arc::<Progress>::default();
        let (late, reports) = (store.clone(), progress.clone());
        thread::spawn(move || write_late(&late, &queue, &reports));
        Self { store, writes: Mutex::new(writes), progress }
    }

    /// The store, when all writes before now are done.
    fn settled(&self) -> &Journaled {
        let state = lock(&self.progress.state);
        let is_busy = |state: &mut State| state.outstanding > 0;
        drop(self.progress.is_done.wait_while(state, is_busy));
        &self.store
    }
}

fn write_late(store: &Journaled, queue: &Receiver<(Instant, Write)>, progress: &Progress) {
    for (due, write) in queue {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let done = store.write(&write);
        let mut state = lock(&progress.state);
        state.outstanding -= 1;
        state.failure = state.failure.take().or(done.err());
        progress.is_done.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for EarlyReceipt {
    fn claim(&self, identity: Identity) -> Result<(), StoreError> {
        self.settled().claim(identity)
    }

    fn load(&self) -> Result<Option<Restored>, StoreError> {
        self.settled().load()
    }

    fn write(&self, write: &Write) -> Result<(), StoreError> {
        let mut state = lock(&self.progress.state);
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        state.outstanding += 1;
        // The thread ends with this store.
        drop(lock(&self.writes).send((Instant::now() + LATE, write.clone())));
        Ok(())
    }

    fn entries(
        &self,
        first: LogIndex,
        last: LogIndex,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        self.settled().entries(first, last, max_bytes)
    }

    fn save(&self, meta: &SnapshotMeta, state: &[u8]) -> Result<(), StoreError> {
        self.settled().save(meta, state)
    }

    fn chunk(
        &self,
        position: LogPosition,
        offset: u64,
        max_bytes: u64,
    ) -> Result<Option<(u64, Bytes)>, StoreError> {
        self.settled().chunk(position, offset, max_bytes)
    }

    fn stage(&self, partial: &PartialSnapshot, offset: u64, data: &[u8]) -> Result<(), StoreError> {
        self.settled().stage(partial, offset, data)
    }

    fn unstage(&self) -> Result<(), StoreError> {
        self.settled().unstage()
    }

    fn delete_before(&self, position: LogPosition) -> Result<(), StoreError> {
        self.settled().delete_before(position)
    }
}
