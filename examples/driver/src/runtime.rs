//! A node under tokio: one task that owns it and does everything that does not wait, threads for what waits for the
//! disk, and connections to the other nodes.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    Bootstrap, ConfigError, Event, Input, Join, Membership, MembershipError, MembershipParts,
    NodeId, Outcome, RecordedStart, Request, RequestId, RestoreError, Settings, Start,
};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use crate::clock::Clock;
use crate::command::{
    Answering, Appended, Command, DispatchError, Look, OnAppended, RequestError, To, judged,
    recipients,
};
use crate::handle::{Handle, Happened, News};
use crate::job::Done;
use crate::lanes::{Finished, Lanes};
use crate::machine::Machine;
use crate::packet::{CallError, Packet};
use crate::recorder::{Record, Recorder};
use crate::replica::{LoadError, Replica, SnapshotPolicy, Todo};
use crate::store::{Identity, Store, StoreError};
use crate::transport::{Arrival, Hub, LinkEvent, Links, Origin};

/// How a node is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's settings; times are in microseconds ([`crate::clock::ticks`]).
    pub settings: Settings,
    /// What it does when its store is empty.
    pub founding: Founding,
    /// Where the other nodes reach it.
    pub address: String,
    /// Nodes that are reached elsewhere than where they say.
    pub routes: BTreeMap<NodeId, String>,
    /// When snapshots are taken.
    pub snapshots: SnapshotPolicy,
    /// Where to record what the node is told, if at all.
    pub record: Option<Record>,
}

/// What a node with an empty store does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Founding {
    /// Founds a cluster with these nodes, at these addresses; all of them with the same.
    Found(BTreeMap<NodeId, String>),
    /// Waits to be added to a cluster.
    Join,
}

/// Why a node was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The founders make no cluster.
    #[error(transparent)]
    Founders(#[from] MembershipError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store contradicts itself.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Nothing can be recorded there.
    #[error("the folder of recordings cannot be used: {0}")]
    Record(std::io::Error),
    /// The system has no threads left.
    #[error("no thread for the store: {0}")]
    Thread(#[from] std::io::Error),
}

/// Why a node stopped by itself. It may be started again from its store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// What the disk did not take, nobody knows: the node must not go on.
    #[error("the store failed, and the node with it: {0}")]
    Store(#[from] StoreError),
    /// The machine could not be restored.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// The task of a node: it ends with the node, and tells why.
pub type Running = JoinHandle<Result<(), Failure>>;

/// A function that other nodes can call.
pub type Function<M> = Arc<
    dyn Fn(Handle<M>, Bytes) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>>
        + Send
        + Sync,
>;

/// The functions that other nodes can call, by name.
pub struct Functions<M>(BTreeMap<String, Function<M>>);

impl<M> Functions<M> {
    /// None.
    pub fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// One more. It is given the handle of the node where it runs, and may ask and append there.
    #[must_use]
    pub fn with<F>(
        mut self,
        name: &str,
        function: impl Fn(Handle<M>, Bytes) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Bytes, String>> + Send + 'static,
    {
        let function: Function<M> =
            Arc::new(move |handle, arguments| Box::pin(function(handle, arguments)));
        self.0.insert(name.to_owned(), function);
        self
    }
}

impl<M> Default for Functions<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> std::fmt::Debug for Functions<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// So much is asked of a node before those who ask have to wait.
const INBOX: usize = 4_096;
/// So much is taken in before the time is read again and other things have their turn.
const BATCH: usize = 256;

/// Starts a node, or starts it again if its store is not empty.
///
/// # Errors
/// When the settings, the founders or the store are of no use.
pub fn start<M: Machine>(
    options: Options,
    store: &Arc<dyn Store>,
    machine: M,
    functions: Functions<M>,
    hub: &Hub,
) -> Result<(Handle<M>, Running), StartError> {
    let Options { settings, founding, address, routes, snapshots, record } = options;
    let (cluster, id) = (settings.cluster, settings.id);
    let config = settings.validate()?;
    store.claim(Identity { cluster, node: id })?;
    let start = match store.load()? {
        Some(restored) => restored.into(),
        None => founded(founding)?,
    };
    let clock = Clock::new();
    let now = clock.now();
    let recorder = match record {
        None => None,
        Some(record) => {
            let started = RecordedStart { settings, start: start.clone(), now };
            Some(Recorder::begin(&record, started).map_err(StartError::Record)?)
        }
    };
    let replica = Replica::new(config, start, machine, snapshots, recorder, now)?;
    let (finished, results) = mpsc::unbounded_channel();
    let lanes = Lanes::start(&format!("n{}", id.0), store, &finished)?;
    let max_frame_bytes = hub.limits().frame_bytes;
    let origin = Origin { cluster, node: id, address, tls: hub.tls().cloned(), max_frame_bytes };
    let links = Links::new(origin, routes);
    let (commands, inbox) = mpsc::channel(INBOX);
    let handle = Handle { commands, news: Arc::new(News::new()), id };
    let task = Task {
        replica,
        clock,
        lanes,
        connected: links.events(),
        links,
        weak: handle.commands.downgrade(),
        news: handle.news.clone(),
        functions: functions.0,
        waiting: BTreeMap::new(),
        next_request: 0,
        calls: BTreeMap::new(),
        next_call: 0,
        todo: Vec::new(),
    };
    let arrivals = hub.node(cluster, id);
    let ended = tokio::spawn(task.run(inbox, arrivals, results));
    Ok((handle, ended))
}

fn founded(founding: Founding) -> Result<Start, MembershipError> {
    let Founding::Found(founders) = founding else { return Ok(Join.into()) };
    let mut parts = MembershipParts::default();
    for (id, address) in founders {
        parts.voters.insert(id);
        parts.contexts.insert(id, Bytes::from(address));
    }
    Ok(Bootstrap { membership: Membership::try_from(parts)? }.into())
}

/// Who waits for a request.
enum Waiting<M> {
    Append(OnAppended),
    Look(Look<M>),
    Outcome(Answering<Outcome, RequestError>),
}

struct Task<M> {
    replica: Replica<M>,
    clock: Clock,
    lanes: Lanes,
    links: Links,
    connected: broadcast::Receiver<LinkEvent>,
    /// For the functions that others call here.
    weak: mpsc::WeakSender<Command<M>>,
    news: Arc<News>,
    functions: BTreeMap<String, Function<M>>,
    waiting: BTreeMap<RequestId, Waiting<M>>,
    next_request: u64,
    calls: BTreeMap<u64, Answering<Bytes, DispatchError>>,
    next_call: u64,
    todo: Vec<Todo>,
}

impl<M: Machine> Task<M> {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Command<M>>,
        mut arrivals: mpsc::Receiver<Arrival>,
        mut results: mpsc::UnboundedReceiver<Finished>,
    ) -> Result<(), Failure> {
        self.links.follow(self.replica.node().membership());
        let (mut commands, mut packets) = (Vec::new(), Vec::new());
        let ended = loop {
            let due = self.clock.wall(self.replica.node().deadline());
            tokio::select! {
                biased;
                // The lanes live as long as this task.
                Some(finished) = results.recv() => {
                    if let Err(failure) = self.finished(finished) {
                        break Err(failure);
                    }
                }
                // None arrive any more when another node of this name has taken its place in this process.
                count = arrivals.recv_many(&mut packets, BATCH) => {
                    if count == 0 {
                        break Ok(());
                    }
                    packets.drain(..).for_each(|arrival| self.arrived(arrival));
                }
                // None come any more when the last handle is gone.
                count = inbox.recv_many(&mut commands, BATCH) => {
                    if count == 0 || !commands.drain(..).all(|command| self.command(command)) {
                        break Ok(());
                    }
                }
                Ok(event) = self.connected.recv() => self.tell(match event {
                    LinkEvent::Connected(id) => Happened::Connected(id),
                    LinkEvent::Disconnected(id) => Happened::Disconnected(id),
                }),
                () = sleep_until(due) => {}
            }
            self.replica.settle(self.clock.now(), &mut self.todo);
            self.work_off();
        };
        if let Err(failure) = &ended {
            tracing::error!(%failure, "the node stops");
        }
        let Self { lanes, .. } = self;
        // What is being written is written before the store is closed.
        tokio::task::spawn_blocking(|| lanes.join()).await.unwrap_or_default();
        ended
    }

    fn feed(&mut self, input: Input) {
        self.replica.feed(self.clock.now(), input);
    }

    fn finished(&mut self, finished: Finished) -> Result<(), Failure> {
        let done: Done = finished?;
        Ok(self.replica.done(self.clock.now(), done)?)
    }

    fn work_off(&mut self) {
        let mut todo = std::mem::take(&mut self.todo);
        for item in todo.drain(..) {
            match item {
                Todo::Work(job) => self.lanes.take(job),
                Todo::Send(envelope) => self.links.send(envelope.to, Packet::Raft(envelope)),
                Todo::Answer(request, outcome, output) => self.answer(request, outcome, output),
                Todo::Committed(position, command) => {
                    // Nobody may be listening to this, nor to what happens.
                    drop(self.news.committed.send((position, command)));
                }
                Todo::Tell(event) => {
                    if matches!(
                        event,
                        Event::MembershipChanged { .. } | Event::SnapshotInstalled { .. }
                    ) {
                        self.links.follow(self.replica.node().membership());
                    }
                    self.tell(Happened::Raft(event));
                }
            }
        }
        self.todo = todo;
    }

    fn tell(&self, happened: Happened) {
        drop(self.news.happened.send(happened));
    }

    fn answer(&mut self, request: RequestId, outcome: Outcome, output: Option<Bytes>) {
        let Some(waiting) = self.waiting.remove(&request) else { return };
        let judged = judged(outcome);
        // Whoever waits may have gone.
        match waiting {
            Waiting::Look(look) => look(judged.map(|_| self.replica.machine())),
            Waiting::Outcome(answer) => drop(answer.send(judged)),
            Waiting::Append(then) => then(match judged {
                Ok(Outcome::Done { position }) => {
                    Ok(Appended { position, output: output.unwrap_or_default() })
                }
                Ok(_) => Err(RequestError::Unknown),
                Err(error) => Err(error),
            }),
        }
    }

    fn request(&mut self, make: impl FnOnce(RequestId) -> Request, waiting: Option<Waiting<M>>) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        if let Some(waiting) = waiting {
            self.waiting.insert(id, waiting);
        }
        self.feed(Input::Request(make(id)));
    }

    /// Whether the node goes on.
    fn command(&mut self, command: Command<M>) -> bool {
        match command {
            Command::Propose(command, answer) => {
                self.request(|id| Request::Propose { id, command }, answer.map(Waiting::Append));
            }
            Command::Read(look) => {
                self.request(|id| Request::Read { id }, Some(Waiting::Look(look)));
            }
            Command::ReadStale(look) => look(Ok(self.replica.machine())),
            Command::Ask(make, answer) => self.request(make, Some(Waiting::Outcome(answer))),
            Command::Status(answer) => drop(answer.send(self.replica.node().status())),
            Command::Campaign => self.feed(Input::Campaign),
            Command::Suppress(span) => self.feed(Input::Suppress(span)),
            Command::Send(to, message) => self.send(to, &message),
            Command::Call { to, name, arguments, answer } => self.call(to, name, arguments, answer),
            Command::Answered { to, number, result } => {
                self.links.send(to, Packet::Answer { number, result });
            }
            Command::Stop => return false,
        }
        true
    }

    fn send(&self, to: To, message: &Bytes) {
        let node = self.replica.node();
        for id in recipients(to, node.id(), node.leader(), node.membership()) {
            self.links.send(id, Packet::Message(message.clone()));
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        let Arrival { from, address, packet } = arrival;
        self.links.learn(from, &address);
        match packet {
            Packet::Raft(envelope) => self.feed(Input::Receive(envelope)),
            Packet::Message(message) => drop(self.news.messages.send((from, message))),
            Packet::Call { number, name, arguments, at_leader } => {
                self.called(from, number, &name, arguments, at_leader);
            }
            Packet::Answer { number, result } => {
                if let Some(answer) = self.calls.remove(&number) {
                    drop(answer.send(result.map_err(DispatchError::Call)));
                }
            }
        }
    }

    /// Another node calls a function here.
    fn called(&mut self, from: NodeId, number: u64, name: &str, arguments: Bytes, at_leader: bool) {
        let run = self.function(name, arguments, at_leader);
        match run {
            Err(error) => self.links.send(from, Packet::Answer { number, result: Err(error) }),
            Ok(run) => {
                let weak = self.weak.clone();
                tokio::spawn(async move {
                    let result = run.await;
                    if let Some(commands) = weak.upgrade() {
                        drop(commands.send(Command::Answered { to: from, number, result }).await);
                    }
                });
            }
        }
    }

    fn function(
        &self,
        name: &str,
        arguments: Bytes,
        at_leader: bool,
    ) -> Result<impl Future<Output = Result<Bytes, CallError>> + Send + use<M>, CallError> {
        let node = self.replica.node();
        if at_leader && node.leader() != Some(node.id()) {
            return Err(CallError::NotLeader { leader: node.leader() });
        }
        let unknown = || CallError::NoFunction { name: name.to_owned() };
        let function = self.functions.get(name).ok_or_else(unknown)?;
        let commands = self.weak.upgrade().ok_or_else(unknown)?;
        let handle = Handle { commands, news: self.news.clone(), id: node.id() };
        let run = function(handle, arguments);
        Ok(async move { run.await.map_err(CallError::Failed) })
    }

    /// A function is called through this node, here or elsewhere.
    fn call(
        &mut self,
        to: To,
        name: String,
        arguments: Bytes,
        answer: Answering<Bytes, DispatchError>,
    ) {
        let node = self.replica.node();
        let target = match to {
            To::Leader => node.leader(),
            To::Node(id) => Some(id),
            To::All | To::Followers => None,
        };
        match target {
            None => drop(answer.send(Err(DispatchError::NoLeader))),
            Some(id) if id == node.id() => {
                match self.function(&name, arguments, to == To::Leader) {
                    Err(error) => drop(answer.send(Err(error.into()))),
                    Ok(run) => drop(tokio::spawn(async move {
                        drop(answer.send(run.await.map_err(DispatchError::Call)));
                    })),
                }
            }
            Some(id) => {
                // Those that nobody waits for any more.
                self.calls.retain(|_, answer| !answer.is_closed());
                let number = self.next_call;
                self.next_call += 1;
                self.calls.insert(number, answer);
                let at_leader = to == To::Leader;
                self.links.send(id, Packet::Call { number, name, arguments, at_leader });
            }
        }
    }
}
