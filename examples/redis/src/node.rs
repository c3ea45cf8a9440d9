//! The loop around a [`raft_core::Node`]: one thread, one queue of what happens, and effects carried out as they come.
//!
//! What is slow here (the disk) is waited for: while a write is synced nothing else happens at this node. A driver that must do
//! more at a time carries out effects on other threads, and steps with the receipts when they arrive.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use raft_core::{
    Apply, Bootstrap, ClusterId, ConfigError, Effect, Effects, Event, Input, Membership,
    MembershipError, Node, NodeId, Outcome, Refusal, Reply, Request, RequestId, RestoreError,
    Settings, Start, Status,
};

use crate::clock;
use crate::disk::{Disk, DiskError, Identity};
use crate::store::{Command, Store};
use crate::transport::{Heard, Transport, TransportError};

/// How many events wait for the node at most. Messages beyond that are lost, callers wait.
const INBOX: usize = 1024;

/// The settings of a node whose messages fit into a [frame](crate::frame), and whose windows into the buffer that Redis keeps
/// for a subscriber (`client-output-buffer-limit pubsub`, 8 MB).
pub fn settings(cluster: ClusterId, node: NodeId) -> Settings {
    Settings {
        max_command_bytes: 64 * 1024,
        max_batch_bytes: 256 * 1024,
        max_inflight_bytes: 1024 * 1024,
        ..Settings::new(cluster, node)
    }
}

/// What a node needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// `redis://user:password@host:port`.
    pub redis: String,
    /// See [`settings`].
    pub settings: Settings,
    /// The founding members; not used once the disk names them.
    pub members: Vec<NodeId>,
    /// The folder of this node's disk.
    pub data: PathBuf,
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody founds the cluster.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The disk cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The disk contradicts itself, or this node is no member.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Redis cannot be used.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The system gives no thread.
    #[error("no thread can be started: {0}")]
    Thread(#[from] io::Error),
}

/// The one answer to a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The value is in force; the one before.
    Put(Option<String>),
    /// The value now.
    Got(Option<String>),
    /// It had no effect, and will have none.
    Refused(Refusal),
    /// Another entry was committed in its place: it had no effect, and will have none.
    Lost,
    /// It may have had an effect, or may yet.
    Unknown,
    /// The node has stopped. What was asked just before may have an effect.
    Stopped,
}

/// A node as an operator sees it.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// What Raft says.
    pub raft: Status,
    /// How many frames were dropped because they were no message for this node.
    pub dropped_frames: u64,
}

/// A node that runs, for its callers. Dropping it stops it.
#[derive(Debug)]
pub struct RunningNode {
    events: SyncSender<Happened>,
    /// `None` when it was waited for.
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl RunningNode {
    /// Starts a node from its disk, or founds the cluster with the other members when the disk is empty.
    ///
    /// # Errors
    /// What has to be put right first.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        let (events, inbox) = mpsc::sync_channel(INBOX);
        let driver = Driver::new(options, events.clone())?;
        let name = options.settings.id.to_string();
        let thread = thread::Builder::new().name(name).spawn(move || driver.run(&inbox))?;
        Ok(Self { events, thread: Some(thread) })
    }

    /// Sets a value, and waits until that is committed and applied here.
    pub fn put(&self, key: &str, value: &str) -> Answer {
        let command = Command::Put { key: key.to_owned(), value: value.to_owned() };
        self.ask(|answer| Happened::Put { command, answer }).unwrap_or(Answer::Stopped)
    }

    /// Reads a value linearizably: everything that was put before somewhere, and answered, is seen.
    pub fn get(&self, key: &str) -> Answer {
        let key = key.to_owned();
        self.ask(|answer| Happened::Get { key, answer }).unwrap_or(Answer::Stopped)
    }

    /// How the node is; `None` when it has stopped.
    pub fn status(&self) -> Option<NodeStatus> {
        self.ask(Happened::Status)
    }

    /// Stops the node, and says why it had stopped before, if it had.
    ///
    /// # Errors
    /// When a write failed. A node that is started from the disk anew may go on.
    pub fn stop(mut self) -> io::Result<()> {
        self.join()
    }

    /// Asks the loop, and waits for the answer: `None` when there is no loop any more.
    fn ask<A>(&self, event: impl FnOnce(Sender<A>) -> Happened) -> Option<A> {
        let (sender, answer) = mpsc::channel();
        self.events.send(event(sender)).ok()?;
        answer.recv().ok()
    }

    fn join(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        // When nobody listens any more, it has stopped already.
        let _stopped = self.events.send(Happened::Stop);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the node panicked")))
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        // Who wants to know why it stopped calls `stop`; it was also printed.
        let _why = self.join();
    }
}

/// What the loop waits for, beside its deadline.
#[derive(Debug)]
enum Happened {
    Heard(Heard),
    Put { command: Command, answer: Sender<Answer> },
    Get { key: String, answer: Sender<Answer> },
    Status(Sender<NodeStatus>),
    Stop,
}

impl From<Heard> for Happened {
    fn from(heard: Heard) -> Self {
        Self::Heard(heard)
    }
}

/// A caller who waits for an answer.
#[derive(Debug)]
enum Waiting {
    /// With the machine's output, once the command was applied.
    Put { answer: Sender<Answer>, previous: Option<String> },
    /// With the key that will be read.
    Get { answer: Sender<Answer>, key: String },
}

/// A node and all that belongs to it.
#[derive(Debug)]
struct Driver {
    node: Node,
    effects: Effects,
    disk: Disk,
    transport: Transport,
    store: Store,
    waiting: BTreeMap<RequestId, Waiting>,
    requests: u64,
    dropped_frames: u64,
}

impl Driver {
    /// The disk comes first: what it says decides how the node starts, and whether it may.
    fn new(options: &Options, events: SyncSender<Happened>) -> Result<Self, StartError> {
        let config = options.settings.validate()?;
        let (cluster, id) = (config.cluster, config.id);
        let mut disk = Disk::open(&options.data, Identity { cluster, node: id })?;
        if disk.torn_bytes() > 0 {
            notice(id, format_args!("removed {} bytes of a torn write", disk.torn_bytes()));
        }
        let start = match disk.restored()? {
            Some(restored) => Start::Restart(restored),
            None => Start::Bootstrap(Bootstrap {
                membership: Membership::of_voters(options.members.iter().copied())?,
            }),
        };
        Ok(Self {
            node: Node::new(config, start, clock::now())?,
            effects: Effects::new(),
            disk,
            transport: Transport::start(&options.redis, (cluster, id), events)?,
            store: Store::default(),
            waiting: BTreeMap::new(),
            requests: 0,
            dropped_frames: 0,
        })
    }

    /// Runs until it is told to stop, or a write fails: then nobody knows what is on the disk, and the node is dropped.
    fn run(mut self, inbox: &Receiver<Happened>) -> io::Result<()> {
        loop {
            let input = match inbox.recv_timeout(self.patience()) {
                Ok(Happened::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(happened) => self.input(happened),
                Err(RecvTimeoutError::Timeout) => Input::Tick,
            };
            if let Err(error) = self.step(input) {
                notice(self.node.id(), format_args!("stopped: {error}"));
                return Err(error);
            }
        }
    }

    /// How long nothing needs to be done, unless something happens.
    fn patience(&self) -> Duration {
        Duration::from_millis(self.node.deadline().since(clock::now()).0)
    }

    /// What happened, for the node. What does not concern it is a tick, so that it gets its time however much of that comes.
    fn input(&mut self, happened: Happened) -> Input {
        match happened {
            Happened::Heard(Heard::Message(envelope)) => return Input::Receive(envelope),
            Happened::Heard(Heard::Dropped(_)) => self.dropped_frames += 1,
            Happened::Heard(Heard::Notice(text)) => notice(self.node.id(), text),
            Happened::Put { command, answer } => {
                let id = self.wait(Waiting::Put { answer, previous: None });
                return Input::Request(Request::Propose { id, command: command.encode() });
            }
            Happened::Get { key, answer } => {
                let id = self.wait(Waiting::Get { answer, key });
                return Input::Request(Request::Read { id });
            }
            Happened::Status(answer) => {
                let dropped_frames = self.dropped_frames;
                let status = NodeStatus { raft: self.node.status(), dropped_frames };
                // Who has gone needs no answer; so below.
                let _gone = answer.send(status);
            }
            Happened::Stop => {}
        }
        Input::Tick
    }

    fn wait(&mut self, caller: Waiting) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.waiting.insert(id, caller);
        id
    }

    /// Steps the node, and carries out what it asks for, until it asks for nothing more.
    fn step(&mut self, input: Input) -> io::Result<()> {
        let mut input = Some(input);
        loop {
            if let Some(input) = input.take() {
                // The time is read after the input has arrived.
                self.node.step(clock::now(), input, &mut self.effects);
            }
            let Some(effect) = self.effects.pop() else { return Ok(()) };
            input = self.carry_out(effect)?;
        }
    }

    /// Does one thing that the node asked for. Gives the receipt, where there is one.
    fn carry_out(&mut self, effect: Effect) -> io::Result<Option<Input>> {
        let receipt = match effect {
            Effect::Persist(persist) => {
                self.disk.write(persist.write())?;
                Input::Persisted(persist.done())
            }
            Effect::Apply(apply) => {
                self.apply(&apply);
                Input::Applied(apply.done())
            }
            Effect::Fetch(fetch) => {
                let read = self.disk.read(fetch.first(), fetch.last(), fetch.max_bytes());
                Input::Fetched(match read {
                    Ok(entries) => fetch.done(entries),
                    Err(error) => {
                        notice(self.node.id(), format_args!("the log cannot be read: {error}"));
                        fetch.failed()
                    }
                })
            }
            // Nobody takes snapshots here, so a peer that sends one is another program, and gets nowhere.
            Effect::ReadChunk(read) => Input::ChunkRead(read.failed()),
            Effect::WriteChunk(write) => Input::ChunkWritten(write.failed()),
            Effect::FetchSnapshot(fetch) => Input::ChunkWritten(fetch.failed()),
            Effect::Restore(restore) => {
                let position = restore.snapshot().position;
                let error = format!("the snapshot at {position} is to be loaded, but none is kept");
                return Err(io::Error::other(error));
            }
            Effect::Send(envelope) => {
                if let Err(error) = self.transport.send(&envelope) {
                    notice(self.node.id(), error);
                }
                return Ok(None);
            }
            Effect::Reply(reply) => {
                self.reply(reply);
                return Ok(None);
            }
            Effect::Event(Event::LeaderChanged { leader, term }) => {
                match leader {
                    Some(leader) => notice(self.node.id(), format_args!("{leader} leads {term}")),
                    None => notice(self.node.id(), format_args!("no leader in {term}")),
                }
                return Ok(None);
            }
            Effect::Event(_) => return Ok(None),
        };
        Ok(Some(receipt))
    }

    /// Applies commands in order, and keeps the output for the caller whose reply will follow.
    fn apply(&mut self, apply: &Apply) {
        for entry in apply.entries() {
            let Some(command) = entry.command() else { continue };
            let output = self.store.apply(command);
            let caller = entry.request.and_then(|request| self.waiting.get_mut(&request));
            if let Some(Waiting::Put { previous, .. }) = caller {
                *previous = output;
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        let Some(caller) = self.waiting.remove(&reply.request) else { return };
        let (sender, success) = match caller {
            Waiting::Put { answer, previous } => (answer, Answer::Put(previous)),
            Waiting::Get { answer, key } => (answer, Answer::Got(self.store.get(&key).cloned())),
        };
        let answer = match reply.outcome {
            Outcome::Done { .. } | Outcome::Readable { .. } => success,
            Outcome::Refused { refusal, .. } => Answer::Refused(refusal),
            Outcome::Lost { .. } => Answer::Lost,
            // Nobody asks for a transfer here.
            Outcome::Unknown | Outcome::Transferred { .. } => Answer::Unknown,
        };
        let _gone = sender.send(answer);
    }
}

/// Something for the person at the terminal.
fn notice(node: NodeId, text: impl fmt::Display) {
    eprintln!("{node}: {text}");
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(None) => f.write_str("done, it is new"),
            Self::Put(Some(previous)) => write!(f, "done, it was {previous}"),
            Self::Got(None) => f.write_str("there is no such key"),
            Self::Got(Some(value)) => f.write_str(value),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Lost => f.write_str("lost to another leader, without effect: try again"),
            Self::Unknown => f.write_str("unknown: it may have been done, or may be yet"),
            Self::Stopped => f.write_str("the node has stopped"),
        }
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { raft, dropped_frames } = self;
        let leader = raft.leader.map_or("nobody".to_owned(), |leader| leader.to_string());
        let rejected = raft.rejections.total();
        write!(
            f,
            "{raft}; {leader} leads; dropped {dropped_frames} frames, rejected {rejected} messages"
        )
    }
}
