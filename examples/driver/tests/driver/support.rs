//! A cluster in one process, and a machine that collects words.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use driver::clock::ticks;
use driver::machine::{Image, Machine};
use driver::replica::SnapshotPolicy;
use driver::runtime::{self, Founding, Functions, Options, Running, StartError};
use driver::store::{Memory, Store};
use driver::transport::{Hub, Limits};
use driver::{Handle, Happened, RequestError, members};
use raft_core::{ClusterId, LogPosition, NodeId, Role, Settings};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};

/// All words in the order of the log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Words(Vec<(LogPosition, String)>);

impl Words {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.iter().map(|(_, word)| word.clone()).collect()
    }

    pub(crate) fn at(&self, position: LogPosition) -> Option<String> {
        self.0.iter().find(|(at, _)| *at == position).map(|(_, word)| word.clone())
    }
}

impl Machine for Words {
    fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes {
        self.0.push((position, String::from_utf8_lossy(command).into_owned()));
        self.0.len().to_string().into()
    }

    fn image(&self) -> Image {
        let words = self.clone();
        Box::new(move || postcard::to_stdvec(&words).expect("words have bytes").into())
    }

    fn restore(&mut self, state: &Bytes) -> Result<(), String> {
        *self = postcard::from_bytes(state).map_err(|error| error.to_string())?;
        Ok(())
    }
}

pub(crate) struct Member {
    pub(crate) handle: Handle<Words>,
    pub(crate) store: Arc<Memory>,
    pub(crate) options: Options,
    pub(crate) ended: Option<Running>,
}

/// Nodes that share one listener.
pub(crate) struct Cluster {
    pub(crate) hub: Hub,
    pub(crate) nodes: Vec<Member>,
}

fn settings(id: u64) -> Settings {
    Settings {
        election_timeout: ticks(Duration::from_millis(300)),
        heartbeat_interval: ticks(Duration::from_millis(50)),
        request_timeout: ticks(Duration::from_secs(10)),
        retained_entries: 10,
        max_cached_bytes: 4_096,
        max_chunk_bytes: 1_000,
        ..Settings::new(ClusterId(1), NodeId(id))
    }
}

pub(crate) async fn options(id: u64, founders: u64) -> (Hub, Options) {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let hub = Hub::bind(any, None, Limits::default()).await.expect("a port");
    let options = options_at(&hub, id, founders);
    (hub, options)
}

fn options_at(hub: &Hub, id: u64, founders: u64) -> Options {
    let address = hub.address().to_string();
    let founders = (1..=founders).map(|id| (NodeId(id), address.clone()));
    Options {
        settings: settings(id),
        founding: Founding::Found(founders.collect::<BTreeMap<_, _>>()),
        address,
        routes: BTreeMap::new(),
        snapshots: SnapshotPolicy { entries: 100, bytes: u64::MAX },
        record: None,
    }
}

fn functions() -> Functions<Words> {
    let functions = Functions::new()
        .with("greet", |handle: Handle<Words>, who: Bytes| async move {
            let words = String::from_utf8_lossy(&who).into_owned();
            handle.append(who).await.map_err(|error| error.to_string())?;
            Ok(format!("hello {words}, says {}", handle.id().0).into())
        })
        .with("fail", |_, _| async { Err("it fails".to_owned()) });
    members::with_changes(functions)
}

pub(crate) fn begin(
    options: &Options,
    store: Arc<Memory>,
    hub: &Hub,
) -> Result<(Handle<Words>, Running), StartError> {
    let store: Arc<dyn Store> = store;
    runtime::start(options.clone(), &store, Words::default(), functions(), hub)
}

impl Cluster {
    pub(crate) async fn start(count: u64) -> Self {
        let (hub, _) = options(1, count).await;
        let mut cluster = Self { hub, nodes: Vec::new() };
        for id in 1..=count {
            let options = options_at(&cluster.hub, id, count);
            cluster.add(options);
        }
        cluster
    }

    fn add(&mut self, options: Options) {
        let store = Arc::new(Memory::new());
        let (handle, ended) = begin(&options, store.clone(), &self.hub).expect("starts");
        self.nodes.push(Member { handle, store, options, ended: Some(ended) });
    }

    /// Starts one more node, and answers its address.
    pub(crate) fn join(&mut self, id: NodeId) -> String {
        let options = Options { founding: Founding::Join, ..options_at(&self.hub, id.0, 1) };
        let address = options.address.clone();
        self.add(options);
        address
    }

    pub(crate) fn node(&self, id: NodeId) -> &Member {
        self.nodes.iter().find(|node| node.handle.id() == id).expect("there is such a node")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Member {
        self.nodes.iter_mut().find(|node| node.handle.id() == id).expect("there is such a node")
    }

    /// The node that leads, by its own account and that of a majority.
    pub(crate) async fn leader(&self) -> NodeId {
        eventually("a leader", || async {
            let mut leads = None;
            for node in &self.nodes {
                let Ok(status) = node.handle.status().await else { continue };
                if status.role == Role::Leader && node.handle.read(|_| ()).await.is_ok() {
                    leads = Some(node.handle.id());
                }
            }
            leads
        })
        .await
    }

    pub(crate) async fn stop(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        node.handle.stop().await;
        let ended = node.ended.take().expect("it runs").await.expect("it does not panic");
        ended.expect("it stops because it is told to");
    }

    pub(crate) fn start_again(&mut self, id: NodeId) -> broadcast::Receiver<Happened> {
        let hub = self.hub.clone();
        let node = self.node_mut(id);
        let (handle, ended) = begin(&node.options, node.store.clone(), &hub).expect("starts");
        let events = handle.events();
        (node.handle, node.ended) = (handle, Some(ended));
        events
    }
}

/// Appends, again and again until it is done.
pub(crate) async fn persist(handle: &Handle<Words>, word: &'static str) {
    eventually("the word is appended", || async {
        match handle.append_within(word, Duration::from_secs(5)).await {
            Ok(appended) => Some(appended),
            Err(RequestError::Refused { .. } | RequestError::Lost) => None,
            Err(other) => panic!("nobody knows whether {word} was appended: {other}"),
        }
    })
    .await;
}

pub(crate) fn drained(mut events: broadcast::Receiver<Happened>) -> Vec<Happened> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), work).await.expect("it happens within 20 seconds")
}

pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    look: impl Fn() -> F,
) -> T {
    let work = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = timeout(Duration::from_secs(20), work).await;
    waited.unwrap_or_else(|_| panic!("20 seconds went by without this: {what}"))
}
