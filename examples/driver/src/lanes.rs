//! Threads that wait for the disk, so that nobody else has to.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::UnboundedSender;

use crate::job::{Done, Job, Lane};
use crate::store::{Store, StoreError};

/// What came of a piece of work.
pub(crate) type Finished = Result<Done, StoreError>;

/// A thread for each lane. They end when this is dropped and their work is done.
#[derive(Debug)]
pub(crate) struct Lanes {
    log: mpsc::Sender<Job>,
    reads: mpsc::Sender<Job>,
    snapshots: mpsc::Sender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Lanes {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no threads left.
    pub(crate) fn start(
        name: &str,
        store: &Arc<dyn Store>,
        finished: &UnboundedSender<Finished>,
    ) -> std::io::Result<Self> {
        let mut threads = Vec::new();
        let mut lane = |what: &str| {
            let (sender, jobs) = mpsc::channel::<Job>();
            let (store, finished) = (store.clone(), finished.clone());
            let thread = thread::Builder::new().name(format!("{name} {what}"));
            threads.push(thread.spawn(move || work(&*store, &jobs, &finished))?);
            Ok::<_, std::io::Error>(sender)
        };
        let (log, reads, snapshots) = (lane("log")?, lane("reads")?, lane("snapshots")?);
        Ok(Self { log, reads, snapshots, threads })
    }

    /// Hands over a piece of work.
    pub(crate) fn take(&self, job: Job) {
        let lane = match job.lane() {
            Lane::Log => &self.log,
            Lane::Reads => &self.reads,
            Lane::Snapshots => &self.snapshots,
        };
        // A lane ends by itself only after a failure, which has been reported: the node is about to stop.
        drop(lane.send(job));
    }

    /// Waits until all work that was handed over is done.
    pub(crate) fn join(self) {
        let Self { log, reads, snapshots, threads } = self;
        drop((log, reads, snapshots));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

fn work(store: &dyn Store, jobs: &mpsc::Receiver<Job>, finished: &UnboundedSender<Finished>) {
    for job in jobs {
        let done = job.run(store);
        // The node tells of the first failure it hears of, and that may be what followed from this one.
        if let Err(error) = &done {
            tracing::error!(%error, "the store failed");
        }
        let is_over = done.is_err();
        if finished.send(done).is_err() || is_over {
            return;
        }
    }
}
