//! What the examples read, for the target `decode`.

use std::fmt::Debug;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::{env, fs, process};

use bytes::Bytes;
use driver::machine::Machine;
use driver::members::Change;
use driver::packet::Packet;
use driver::transport::{Connection, Greeting, Refused};
use kv::machine::{Command, Kv, Output};
use kv::protocol::{Request, Response};
use raft_browser::BrowserNode;
use raft_core::{ClusterId, Instant, LogIndex, LogPosition, Node, NodeId, Settings, Term};
use raft_fuzz::formats::{EXAMPLES, Read, packed, said, text};
use raft_redis::disk::{Disk, Identity};
use raft_redis::{frame, store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{duplex, join, sink};
use tokio::runtime::{Builder, Runtime};

/// What is done with each form that the examples read.
pub(crate) const READ: [Read; EXAMPLES.len()] = [
    stream::<Packet>,
    stream::<Request>,
    stream::<Response>,
    stream::<Greeting>,
    stream::<Result<(), Refused>>,
    packed::<Command>,
    packed::<Output>,
    packed::<Change>,
    kv_state,
    kv_log,
    redis_frame,
    redis_log,
    packed::<store::Command>,
    browser_records,
];

/// No frame of a connection may be longer here.
const MAX_FRAME_BYTES: usize = 1 << 16;
/// The cluster and the node that files and frames are for.
const CLUSTER: ClusterId = ClusterId(7);
const NODE: NodeId = NodeId(2);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().build().expect("it needs nothing"))
}

/// What arrives on a connection, frame by frame, until something is no frame or no message.
fn stream<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Result<(), String> {
    let arriving = join(Cursor::new(bytes.to_vec()), sink());
    let mut connection = Connection::new(arriving, MAX_FRAME_BYTES);
    runtime().block_on(async {
        loop {
            let message: T = connection.reading.next().await.map_err(|error| said(&error))?;
            assert_eq!(sent(&message).await, message);
        }
    })
}

/// A message, after it was sent to somebody else.
async fn sent<T: Serialize + DeserializeOwned>(message: &T) -> T {
    let (here, there) = duplex(4 * MAX_FRAME_BYTES);
    let mut here = Connection::new(here, 2 * MAX_FRAME_BYTES);
    let mut there = Connection::new(there, 2 * MAX_FRAME_BYTES);
    here.writing.send(message).await.expect("what arrived can be sent");
    there.reading.next().await.expect("what was sent can be read")
}

/// The state of a store, as its snapshots hold it.
fn kv_state(bytes: &[u8]) -> Result<(), String> {
    let (mut store, mut again) = (Kv::default(), Kv::default());
    store.restore(&Bytes::copy_from_slice(bytes)).map_err(|error| said(&error))?;
    let state = store.image()();
    again.restore(&state).expect("what was written can be read");
    assert_eq!(again.image()(), state);
    Ok(())
}

/// Commands of a log, whose lengths stand before them: whatever they are, the store goes on, and its state can be kept.
fn kv_log(mut bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("no commands".to_owned());
    }
    let (mut store, mut again) = (Kv::default(), Kv::default());
    for index in 1.. {
        let Some((length, rest)) = bytes.split_first() else { break };
        let (command, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        let position = LogPosition::new(Term(1), LogIndex(index));
        store.apply(position, &Bytes::copy_from_slice(command));
        bytes = rest;
    }
    again.restore(&store.image()()).expect("what was written can be read");
    assert_eq!((again.len(), again.sessions()), (store.len(), store.sessions()));
    Ok(())
}

fn redis_frame(bytes: &[u8]) -> Result<(), String> {
    let envelope = frame::decode(bytes, CLUSTER, NODE).map_err(|error| said(&error))?;
    let frame = frame::encode(&envelope).expect("it was no longer before");
    assert_eq!(frame::decode(&frame, CLUSTER, NODE), Ok(envelope));
    Ok(())
}

/// Records of a log on disk, whose lengths stand before them, each with the right checksum; what is left at the end has
/// none. The disk is opened, or not and says why; then it is as it was when it is opened again.
fn redis_log(mut bytes: &[u8]) -> Result<(), String> {
    let (folder, identity) = (folder(), Identity { cluster: CLUSTER, node: NODE });
    let mut file = record(&[0, 7, 2]); // Whose disk it is.
    while let Some((body, rest)) =
        bytes.split_first().and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)))
    {
        file.extend(record(body));
        bytes = rest;
    }
    file.extend(bytes);
    fs::write(folder.join("raft.log"), &file).expect("the folder can be written to");
    let mut disk = Disk::open(&folder, identity).map_err(|error| said(&error))?;
    let restored = disk.restored();
    drop(disk);
    let mut again = Disk::open(&folder, identity).expect("it was opened before");
    assert_eq!(again.torn_bytes(), 0, "what was torn is gone");
    let restored_again = again.restored();
    assert_eq!(restored.is_ok(), restored_again.is_ok());
    let restored = restored.map_err(|error| said(&error))?;
    assert_eq!(restored, restored_again.expect("it is as before"));
    let config = Settings::new(CLUSTER, NODE).validate().expect("they are sound");
    let node = restored.map(|restored| Node::new(config, restored, Instant(1)));
    node.transpose().map(drop).map_err(|error| said(&error))
}

/// A record as it lies on the disk.
fn record(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("it is short").to_le_bytes();
    let mut sum = crc32fast::Hasher::new();
    sum.update(&length);
    sum.update(body);
    [&length, &sum.finalize().to_le_bytes(), body].concat()
}

/// A folder of this process, in memory if there is one.
fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { env::temp_dir() };
    let folder = parent.join(format!("raft-fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// What a page's database may hold, and then what another page may send.
fn browser_records(bytes: &[u8]) -> Result<(), String> {
    let text = text(bytes)?;
    let mut node = BrowserNode::new(2, &[1, 2, 3], 0, 1_000, text)?;
    node.tick(1_000);
    node.receive(1_000, 1, text);
    Ok(())
}
