//! Goal: what a node was told, in a ring of files, is lived again by the simulator and ends in the same state.

use std::fs;
use std::sync::Arc;

use driver::recorder::{Record, recordings};
use driver::store::Memory;
use raft_core::Role;
use raft_sim::recording::{Ending, Recording};

use crate::support::{begin, eventually, options};

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_the_ring_is_lived_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (hub, mut options) = options(1, 1).await;
    let record = Record { folder: folder.path().to_owned(), files: 3, file_bytes: 10_000 };
    options.record = Some(record);
    let (handle, ended) = begin(&options, Arc::new(Memory::new()), &hub).expect("starts");
    eventually("it leads", || async {
        handle.status().await.ok().filter(|status| status.role == Role::Leader)
    })
    .await;
    for nth in 0..500 {
        handle.append(format!("w{nth}")).await.expect("is done");
    }
    handle.stop().await;
    ended.await.expect("does not panic").expect("stops because it is told to");
    drop(handle);
    let (mut steps, mut compared) = (0, 0);
    let files = eventually("the recorder has written all it was given", || async {
        let files = recordings(folder.path()).expect("can be read");
        let whole = |path| fs::read_to_string(path).is_ok_and(|text| text.ends_with('\n'));
        files.iter().all(whole).then_some(files)
    })
    .await;
    assert_eq!(files.len(), 3, "the oldest are gone: {files:?}");
    for path in files {
        let text = fs::read_to_string(&path).expect("can be read");
        assert!(text.starts_with("{\"continued\""), "the life began in a file that is gone");
        let recording = Recording::read(&text).expect("it is a recording");
        let replayed = recording.replay(None).expect("a node begins like this");
        assert_eq!(replayed.ending, Ending::Same, "{}", path.display());
        steps += replayed.steps;
        compared += replayed.compared;
    }
    assert!(steps > 100 && compared >= 2, "{steps} steps, {compared} statuses");
}
