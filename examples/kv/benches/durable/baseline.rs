//! Group commit and nothing else: what is asked while a batch is being synced is the next batch.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use driver::transport::Connection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

const FILES: usize = 3;
const QUORUM: usize = 2;
const MAX_FRAME_BYTES: usize = 1024 * 1024;

type Waiting = (Vec<u8>, oneshot::Sender<()>);

pub(crate) struct Baseline {
    address: SocketAddr,
}

impl Baseline {
    pub(crate) async fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let (asked, waiting) = unbounded_channel();
        let (synced, syncs) = unbounded_channel();
        let files = (0..FILES).map(|nth| {
            let file = File::create(folder.join(format!("baseline-{nth}"))).expect("a file");
            syncing(file, synced.clone())
        });
        let files = files.collect();
        tokio::spawn(commit(waiting, files, syncs));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(serve(stream, asked.clone()));
            }
        });
        Self { address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A thread that appends and syncs.
fn syncing(mut file: File, synced: UnboundedSender<u64>) -> Sender<(u64, Vec<u8>)> {
    let (batches, given) = channel::<(u64, Vec<u8>)>();
    thread::spawn(move || {
        for (number, bytes) in given {
            file.write_all(&bytes).expect("there is room");
            file.sync_data().expect("the disk works");
            if synced.send(number).is_err() {
                return;
            }
        }
    });
    batches
}

/// One batch at a time, in all files; it is done when a quorum has synced it.
async fn commit(
    mut waiting: UnboundedReceiver<Waiting>,
    files: Vec<Sender<(u64, Vec<u8>)>>,
    mut syncs: UnboundedReceiver<u64>,
) {
    let mut batch = Vec::new();
    for number in 0.. {
        if waiting.recv_many(&mut batch, 4_096).await == 0 {
            return;
        }
        let bytes: Vec<u8> = batch.iter().flat_map(|(bytes, _)| bytes).copied().collect();
        for file in &files {
            file.send((number, bytes.clone())).expect("the thread lives");
        }
        let mut done = 0;
        while done < QUORUM {
            done += usize::from(syncs.recv().await == Some(number));
        }
        for (_, answer) in batch.drain(..) {
            // A client that has gone does not wait.
            let _ = answer.send(());
        }
    }
}

async fn serve(stream: TcpStream, asked: UnboundedSender<Waiting>) {
    stream.set_nodelay(true).expect("a socket");
    let Connection { mut reading, mut writing } = Connection::new(stream, MAX_FRAME_BYTES);
    while let Ok(bytes) = reading.next::<Vec<u8>>().await {
        let (answer, answered) = oneshot::channel();
        if asked.send((bytes, answer)).is_err() || answered.await.is_err() {
            return;
        }
        if writing.send(&()).await.is_err() {
            return;
        }
    }
}

/// A client of it.
pub(crate) struct Caller(Connection);

impl Caller {
    pub(crate) async fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self(Connection::new(stream, MAX_FRAME_BYTES))
    }

    pub(crate) async fn write(&mut self, bytes: Vec<u8>) {
        self.0.writing.send(&bytes).await.expect("the server lives");
        self.0.reading.next::<()>().await.expect("the server answers");
    }
}
