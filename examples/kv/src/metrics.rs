//! Numbers for Prometheus, in its text form over HTTP: `GET /metrics`; and `GET /status` as JSON.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use driver::{Handle, Happened};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use raft_core::{Event, Rejection, Role, Status};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{sleep, timeout};

use crate::machine::Kv;

/// So many are answered at a time, and each for no longer than this.
const CONNECTIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
/// A request has no more bytes.
const REQUEST_BYTES: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// What is counted as it happens.
#[derive(Clone, Debug, Default)]
struct Counted {
    leader_changes: Counter,
    elections: Counter,
    snapshots_installed: Counter,
    compactions: Counter,
    slow_heartbeats: Family<Peer, Counter>,
    connections: Family<Peer, Counter>,
    disconnections: Family<Peer, Counter>,
}

/// The numbers of a node.
#[derive(Clone, Debug)]
pub struct Metrics {
    counted: Counted,
    handle: Handle<Kv>,
}

impl Metrics {
    /// Counts from now on.
    pub fn of(handle: Handle<Kv>) -> Self {
        let metrics = Self { counted: Counted::default(), handle };
        tokio::spawn(metrics.counted.clone().count(metrics.handle.events()));
        metrics
    }

    /// Answers whoever asks, at an address.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn listen(self, address: SocketAddr) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        tokio::spawn(self.accept(listener));
        Ok(address)
    }

    async fn accept(self, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: some will be free again.
                    tracing::warn!(%error, "a connection for metrics could not be accepted");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // One too many is closed at once.
            let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
            let metrics = self.clone();
            tokio::spawn(async move {
                metrics.converse(stream).await;
                drop(permit);
            });
        }
    }

    /// Answers one request.
    async fn converse(self, stream: TcpStream) {
        let answer = service_fn(|request| {
            let metrics = self.clone();
            async move { Ok::<_, Infallible>(metrics.answer(&request).await) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(REQUEST_BYTES)
            .serve_connection(TokioIo::new(stream), answer);
        match timeout(PATIENCE, served).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a request for metrics was not answered"),
            Err(_) => tracing::debug!("a request for metrics took too long"),
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        const TEXT: &str = "text/plain; charset=utf-8";
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let path = request.uri().path();
        if request.method() != Method::GET || !matches!(path, "/metrics" | "/status") {
            let there = "there is GET /metrics and GET /status\n";
            return response(StatusCode::NOT_FOUND, TEXT, there.to_owned());
        }
        let Ok(status) = self.handle.status().await else {
            let gone = "the node has stopped\n".to_owned();
            return response(StatusCode::SERVICE_UNAVAILABLE, TEXT, gone);
        };
        if path == "/status" {
            let json = serde_json::to_string_pretty(&status).unwrap_or_default();
            return response(StatusCode::OK, "application/json", json + "\n");
        }
        let keys = self.handle.read_stale(|kv| (kv.len(), kv.sessions())).await;
        response(StatusCode::OK, OPEN_METRICS, self.text(&status, keys.unwrap_or_default()))
    }

    fn text(&self, status: &Status, (keys, sessions): (usize, usize)) -> String {
        let mut registry = Registry::with_prefix("raft");
        self.counted.register(&mut registry);
        let gauge = |registry: &mut Registry, name: &str, help: &str, value: u64| {
            let gauge = Gauge::<u64, AtomicU64>::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        };
        let is_leader = u64::from(status.role == Role::Leader);
        let numbers = [
            ("is_leader", "Whether this node leads", is_leader),
            ("leader", "Who leads, 0 for nobody", status.leader.map_or(0, |id| id.0)),
            ("term", "The latest term seen", status.hard_state.term.0),
            ("incarnation", "How often the node was started", status.hard_state.incarnation.0),
            ("voters", "Members that vote", status.membership.voters().len() as u64),
            ("last_index", "The last entry of the log", status.last.index.0),
            ("durable_index", "The last entry on the disk", status.durable.0),
            ("commit_index", "The last entry known to be committed", status.commit.0),
            ("applied_index", "The last entry carried out", status.applied.0),
            ("snapshot_index", "The last entry in the snapshot", status.snapshot.index.0),
            ("base_index", "The last entry compacted away", status.base.index.0),
            ("pending_requests", "Requests without an answer", status.pending_requests),
            ("withheld_messages", "Messages that wait for the disk", status.withheld_messages),
            ("uncommitted_bytes", "Bytes of entries not committed", status.uncommitted_bytes),
            ("cached_bytes", "Bytes of the log in memory", status.cached_bytes),
            ("keys", "Keys in the store", keys as u64),
            ("sessions", "Sessions of clients", sessions as u64),
        ];
        for (name, help, value) in numbers {
            gauge(&mut registry, name, help, value);
        }
        register_peers(&mut registry, status);
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string takes everything");
        text
    }
}

fn register_peers(registry: &mut Registry, status: &Status) {
    let matched = Family::<Peer, Gauge<u64, AtomicU64>>::default();
    let round_trip = Family::<Peer, Gauge<f64, AtomicU64>>::default();
    for peer in &status.peers {
        let label = Peer { peer: peer.id.0 };
        matched.get_or_create(&label).set(peer.matched.0);
        if let Some(span) = peer.round_trip {
            round_trip.get_or_create(&label).set(driver::clock::duration(span).as_secs_f64());
        }
    }
    registry.register("peer_matched_index", "How much of the log a peer is known to hold", matched);
    let help = "How long the last heartbeat and its answer took";
    registry.register("peer_round_trip_seconds", help, round_trip);
    let rejections = Family::<Reason, Gauge<u64, AtomicU64>>::default();
    for reason in Rejection::ALL {
        let label = Reason { reason: format!("{reason:?}") };
        rejections.get_or_create(&label).set(status.rejections.count(reason));
    }
    registry.register("rejections", "Messages and receipts that were not believed", rejections);
}

impl Counted {
    fn register(&self, registry: &mut Registry) {
        let Self {
            leader_changes,
            elections,
            snapshots_installed,
            compactions,
            slow_heartbeats,
            connections,
            disconnections,
        } = self;
        registry.register("leader_changes", "Changes of the leader", leader_changes.clone());
        registry.register("elections", "Elections that this node began", elections.clone());
        let help = "Snapshots that came from a leader";
        registry.register("snapshots_installed", help, snapshots_installed.clone());
        registry.register("compactions", "Compactions of the log", compactions.clone());
        let help = "Heartbeats that took more than half the election timeout";
        registry.register("slow_heartbeats", help, slow_heartbeats.clone());
        registry.register("connections", "Connections made to a peer", connections.clone());
        let help = "Connections to a peer that broke";
        registry.register("disconnections", help, disconnections.clone());
    }

    async fn count(self, mut events: Receiver<Happened>) {
        loop {
            match events.recv().await {
                Ok(happened) => self.note(happened),
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "events were not counted");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn note(&self, happened: Happened) {
        match happened {
            Happened::Raft(Event::LeaderChanged { .. }) => drop(self.leader_changes.inc()),
            Happened::Raft(Event::RoleChanged {
                to: Role::PreCandidate | Role::Candidate, ..
            }) => {
                self.elections.inc();
            }
            Happened::Raft(Event::SnapshotInstalled { .. }) => drop(self.snapshots_installed.inc()),
            Happened::Raft(Event::Compacted { .. }) => drop(self.compactions.inc()),
            Happened::Raft(Event::HeartbeatSlow { peer, .. }) => {
                self.slow_heartbeats.get_or_create(&Peer { peer: peer.0 }).inc();
            }
            Happened::Connected(peer) => {
                self.connections.get_or_create(&Peer { peer: peer.0 }).inc();
            }
            Happened::Disconnected(peer) => {
                self.disconnections.get_or_create(&Peer { peer: peer.0 }).inc();
            }
            _ => {}
        }
    }
}

fn response(code: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, kind.try_into().expect("a constant header"));
    response
}
