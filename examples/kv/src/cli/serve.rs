//! `kv serve`.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use driver::clock::ticks;
use driver::members::{self, Change};
use driver::recorder::Record;
use driver::replica::SnapshotPolicy;
use driver::runtime::{self, Failure, Founding, Functions, Options};
use driver::store::{Journaled, Memory, Store, StoreError};
use driver::transport::{Hub, Limits};
use driver::{Handle, Happened};
use raft_core::{ClusterId, NodeId, Priority, Settings, Toggle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tracing_subscriber::EnvFilter;

use super::files;
use super::run::Common;
use super::settings::{ServerSettings, by_node};
use crate::client::{self, Client};
use crate::machine::Kv;
use crate::metrics::Metrics;
use crate::server;

/// How the store is opened: as it should be, or broken on purpose by a test.
#[derive(Clone, Copy)]
pub struct Faults {
    /// Opens the store in a folder.
    pub open: fn(&Path) -> Result<Arc<dyn Store>, StoreError>,
}

impl Faults {
    /// None.
    pub const NONE: Self = Self { open: |folder| Ok(Arc::new(Journaled::open(folder)?)) };
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faults")
    }
}

pub(super) fn listen_to_log(filter: &str, as_json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("--log {filter}: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if as_json {
        log.json().init();
    } else {
        log.init();
    }
    Ok(())
}

/// Runs a server until it is told to stop, or fails.
pub(super) async fn run(
    settings: ServerSettings,
    common: &Common,
    faults: Faults,
) -> Result<(), String> {
    let listen = settings.listen.ok_or("--listen is missing: say where, such as 127.0.0.1:7001")?;
    let certificates = common.certificates.clone().or(settings.certificates.clone());
    let tls = certificates.load()?;
    let limits = Limits::default();
    let limits = Limits {
        connections: settings.max_connections.unwrap_or(limits.connections),
        frame_bytes: settings.max_frame_bytes.unwrap_or(limits.frame_bytes),
    };
    files::make_room(limits.connections);
    let id = identity(&settings)?;
    let store = open(&settings, faults)?;
    let is_new = store.load().map_err(|error| error.to_string())?.is_none();
    let hub = Hub::bind(listen, tls, limits).await.map_err(|error| error.to_string())?;
    let cluster = ClusterId(common.cluster);
    let options = options(&settings, cluster, id, hub.address().to_string())?;
    let address = options.address.clone();
    let functions = members::with_changes(Functions::new());
    let (handle, ended) = runtime::start(options, &store, Kv::default(), functions, &hub)
        .map_err(|error| error.to_string())?;
    drop(store);
    tokio::spawn(tell(handle.clone()));
    tokio::spawn(server::serve(handle.clone(), hub.clients(cluster)));
    if let Some(at) = settings.metrics {
        let at = Metrics::of(handle.clone()).listen(at).await;
        let at = at.map_err(|error| format!("cannot listen for metrics: {error}"))?;
        tracing::info!(address = %at, "metrics");
    }
    tracing::info!(node = id.0, cluster = cluster.0, %address, "serving");
    if let (true, Some(contact)) = (is_new, settings.join.clone()) {
        let options = client::Options {
            cluster,
            tls: hub.tls().cloned(),
            ..client::Options::new(vec![contact])
        };
        let add = Change::Add { node: id, address, votes: !settings.learner };
        tokio::spawn(join(options, add));
    }
    until_told(handle, ended).await
}

fn identity(settings: &ServerSettings) -> Result<NodeId, String> {
    match (settings.id, settings.memory) {
        (Some(0), _) => Err("--id 0: numbers begin with 1".to_owned()),
        (Some(id), false) => Ok(NodeId(id)),
        (None, false) => Err("--id is missing: give the node a number that was never used in this cluster".to_owned()),
        (Some(_), true) => Err(
            "--memory and --id: a node that forgets everything is another one at each start, and draws its number: \
             leave --id out, or use --data"
                .to_owned(),
        ),
        (None, true) => {
            let drawn = getrandom::u64().map_err(|error| format!("no random number: {error}"))?;
            // Fits into what other languages call an integer.
            Ok(NodeId(drawn >> 12 | 1))
        }
    }
}

fn open(settings: &ServerSettings, faults: Faults) -> Result<Arc<dyn Store>, String> {
    let Some(folder) = &settings.data else {
        if settings.memory {
            return Ok(Arc::new(Memory::new()));
        }
        return Err("--data is missing: say where to keep everything, or --memory to keep nothing"
            .to_owned());
    };
    let made = std::fs::create_dir_all(folder);
    made.map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    (faults.open)(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn options(
    settings: &ServerSettings,
    cluster: ClusterId,
    id: NodeId,
    listening: String,
) -> Result<Options, String> {
    let usual = Settings::new(cluster, id);
    let election_timeout = settings.election_timeout.unwrap_or(Duration::from_secs(1));
    let heartbeat_interval = settings.heartbeat_interval.unwrap_or(election_timeout / 10);
    let request_timeout = settings.request_timeout.unwrap_or(Duration::from_secs(10));
    let address = settings.advertise.clone().unwrap_or(listening);
    let founders = by_node(&settings.members);
    let founding = match (&settings.join, founders.is_empty()) {
        // Alone, for now: others may join.
        (None, true) if settings.memory => Founding::Found([(id, address.clone())].into()),
        (Some(_), _) | (None, true) => Founding::Join,
        (None, false) if founders.contains_key(&id) => Founding::Found(founders),
        (None, false) => {
            return Err(format!(
                "--member does not name this node: add --member {}={address}",
                id.0
            ));
        }
    };
    let policy = SnapshotPolicy::default();
    Ok(Options {
        settings: Settings {
            election_timeout: ticks(election_timeout),
            heartbeat_interval: ticks(heartbeat_interval),
            request_timeout: ticks(request_timeout),
            read_lease: if settings.read_lease { Toggle::On } else { Toggle::Off },
            priority: Priority(settings.priority.unwrap_or(0)),
            retained_entries: settings.retained_entries.unwrap_or(usual.retained_entries),
            max_chunk_bytes: settings.chunk_bytes.unwrap_or(usual.max_chunk_bytes),
            max_batch_bytes: settings.batch_bytes.unwrap_or(usual.max_batch_bytes),
            max_batch_entries: settings.batch_entries.unwrap_or(usual.max_batch_entries),
            max_command_bytes: settings.command_bytes.unwrap_or(usual.max_command_bytes),
            ..usual
        },
        founding,
        address,
        routes: by_node(&settings.routes),
        snapshots: SnapshotPolicy {
            entries: settings.snapshot_entries.unwrap_or(policy.entries),
            bytes: settings.snapshot_bytes.unwrap_or(policy.bytes),
        },
        record: settings.record.clone().map(Record::into),
    })
}

/// Asks to be added, until somebody does.
async fn join(options: client::Options, add: Change) {
    loop {
        match Client::new(options.clone()).change(add.clone()).await {
            Ok(()) => return tracing::info!("joined the cluster"),
            Err(error) => tracing::warn!(%error, "not added to the cluster yet"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Writes what happens to the log.
async fn tell(handle: Handle<Kv>) {
    let mut events = handle.events();
    drop(handle);
    loop {
        match events.recv().await {
            Ok(Happened::Raft(event)) => tracing::info!(?event),
            Ok(other) => tracing::info!(?other),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "events were not told"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Runs until somebody wants it to end, and ends in order: what was asked before is answered.
async fn until_told(handle: Handle<Kv>, mut ended: runtime::Running) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot wait for signals: {error}");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = &mut ended => return judged(ended),
    }
    tracing::info!("stopping");
    hand_over(&handle).await;
    handle.stop().await;
    judged(ended.await)
}

/// A leader hands over before it stops, so that nobody has to wait for an election.
async fn hand_over(handle: &Handle<Kv>) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let Ok(status) = handle.status().await else { return };
    let best = status.peers.iter().filter(|peer| status.membership.is_voter(peer.id));
    if let Some(best) = best.max_by_key(|peer| peer.matched) {
        // It stops all the same when nobody takes over.
        drop(tokio::time::timeout(PATIENCE, handle.transfer(best.id)).await);
    }
}

fn judged(ended: Result<Result<(), Failure>, tokio::task::JoinError>) -> Result<(), String> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(panic) => Err(format!("the node panicked: {panic}")),
    }
}
