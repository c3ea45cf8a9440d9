//! A disk that does not take a snapshot ends its node, as one that does not take an entry does: the node would wait for
//! it for ever otherwise.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use driver::RequestError;
use driver::runtime::{self, Failure, Functions};
use driver::store::{Identity, Memory, Store, StoreError};
use raft_core::{Entry, LogIndex, LogPosition, PartialSnapshot, Restored, SnapshotMeta, Write};

use crate::support::{self, Words};

/// Has room for a log and not for a snapshot.
struct NoRoom(Memory);

fn full() -> Result<(), StoreError> {
    Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full").into())
}

impl Store for NoRoom {
    fn save(&self, _: &SnapshotMeta, _: &[u8]) -> Result<(), StoreError> {
        full()
    }

    fn stage(&self, _: &PartialSnapshot, _: u64, _: &[u8]) -> Result<(), StoreError> {
        full()
    }

    fn claim(&self, identity: Identity) -> Result<(), StoreError> {
        self.0.claim(identity)
    }

    fn load(&self) -> Result<Option<Restored>, StoreError> {
        self.0.load()
    }

    fn write(&self, write: &Write) -> Result<(), StoreError> {
        self.0.write(write)
    }

    fn entries(
        &self,
        first: LogIndex,
        last: LogIndex,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        self.0.entries(first, last, max_bytes)
    }

    fn chunk(
        &self,
        position: LogPosition,
        offset: u64,
        max_bytes: u64,
    ) -> Result<Option<(u64, Bytes)>, StoreError> {
        self.0.chunk(position, offset, max_bytes)
    }

    fn unstage(&self) -> Result<(), StoreError> {
        self.0.unstage()
    }

    fn delete_before(&self, position: LogPosition) -> Result<(), StoreError> {
        self.0.delete_before(position)
    }
}

fn said(failure: &Failure) {
    let text = failure.to_string();
    assert!(matches!(failure, Failure::Store(StoreError::Io(_))), "{text}");
    assert!(text.contains("the disk is full"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_ends_that_cannot_store_its_own_snapshot() {
    let (hub, options) = support::options(1, 1).await;
    let store: Arc<dyn Store> = Arc::new(NoRoom(Memory::new()));
    let (handle, ended) =
        runtime::start(options, &store, Words::default(), Functions::new(), &hub).expect("starts");
    // More than after which a snapshot is taken.
    let work = async {
        for nth in 0.. {
            match handle.append(format!("w{nth}")).await {
                Ok(_) | Err(RequestError::Refused { .. }) => {}
                Err(error) => return error,
            }
        }
        unreachable!("it goes on until it ends")
    };
    let error = support::within(work).await;
    assert_eq!(error, RequestError::Stopped);
    let failure = support::within(ended).await.expect("no panic").expect_err("it failed");
    said(&failure);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_ends_that_cannot_store_the_snapshot_of_another() {
    let cluster = support::Cluster::start(1).await;
    let leader = &cluster.node(cluster.leader().await).handle;
    // More than the log keeps.
    for nth in 0..400 {
        leader.append(format!("w{nth}")).await.expect("is done");
    }
    let (hub, options) = support::options(2, 2).await;
    let options = runtime::Options { founding: runtime::Founding::Join, ..options };
    let add = driver::members::Change::Add {
        node: raft_core::NodeId(2),
        address: options.address.clone(),
        votes: false,
    };
    let store: Arc<dyn Store> = Arc::new(NoRoom(Memory::new()));
    let (_handle, ended) =
        runtime::start(options, &store, Words::default(), Functions::new(), &hub).expect("starts");
    driver::members::change(leader, &add).await.expect("it is added, without a vote");
    let failure = support::within(ended).await.expect("no panic").expect_err("it failed");
    said(&failure);
}
