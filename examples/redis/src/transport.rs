//! Messages from node to node, by way of a Redis.
//!
//! Each node listens on a channel of its own, `raft/<cluster>/<node>`, on one connection, and publishes to those of the others on
//! a second one. That is all Raft needs: it sends again what matters, so a message may be lost, late or repeated. Hence
//! nothing here waits for anybody. What cannot be taken at once (the queue is full, Redis is away, the node is busy) is
//! dropped, and after an outage nothing old is sent.
//!
//! **Redis does not say who published a message.** A node cannot check `Envelope::from`, as a transport with a connection for each
//! peer does: whoever may publish on `raft/*` can claim to be any member, vote in its name and bring the cluster down. So the
//! Redis must be protected: give the nodes a user of their own, and nobody else the right to these channels. The least such a
//! user needs is
//!
//! ```text
//! user raft on >PASSWORD resetchannels &raft/* -@all +publish +subscribe +unsubscribe +punsubscribe +ping
//! ```
//!
//! and its URL is `redis://raft:PASSWORD@host:port`, with characters that are special in URLs percent-encoded.

use std::convert::Infallible;
use std::io;
use std::iter;
use std::mem;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use raft_core::{ClusterId, Envelope, NodeId};
use redis::{Client, Connection, ConnectionInfo, ErrorKind, ProtocolVersion, RedisError};
use redis::{IntoConnectionInfo, ServerErrorKind};

use crate::frame::{self, FrameError};
use crate::outage::Outage;

/// How long Redis may take to connect, or to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// After so long without a message Redis is asked whether it is still there: a connection may be cut without a word.
const SILENCE: Duration = Duration::from_millis(500);
/// How many frames wait to be published at most.
const QUEUE: usize = 256;
/// How many frames are published before their answers are read.
const BATCH: usize = 32;

/// What the transport tells the node.
#[derive(Debug)]
pub enum Heard {
    /// A message for this node.
    Message(Envelope),
    /// Something else was published on its channel.
    Dropped(FrameError),
    /// Redis went away, or came back; for people.
    Notice(String),
}

/// Why there is no transport. None of the texts contains the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Not an address.
    #[error(
        "the URL of the Redis cannot be used ({reason}): write redis://user:password@host:port"
    )]
    Url {
        /// What is wrong with it.
        reason: RedisError,
    },
    /// The name or the password is wrong, or missing.
    #[error(
        "the Redis at {address} refuses the login ({reason}): put a user and a password that it knows into the URL, \
         redis://user:password@host:port"
    )]
    Login {
        /// Where the Redis is.
        address: String,
        /// In the words of the Redis.
        reason: RedisError,
    },
    /// The user may not do what is needed.
    #[error(
        "the Redis at {address} does not let this user publish and subscribe on {channel} ({reason}): give it the rules \
         resetchannels &raft/* +publish +subscribe +unsubscribe +punsubscribe +ping"
    )]
    Forbidden {
        /// Where the Redis is.
        address: String,
        /// The node's channel.
        channel: String,
        /// In the words of the Redis.
        reason: RedisError,
    },
    /// It does not answer.
    #[error("the Redis at {address} cannot be used ({reason}): start it, or correct the URL")]
    Unreachable {
        /// Where the Redis should be.
        address: String,
        /// Why.
        reason: RedisError,
    },
    /// The system gives no thread.
    #[error("no thread can be started: {0}")]
    Thread(#[from] io::Error),
}

/// A node's way to its peers. Dropping it ends both threads.
#[derive(Debug)]
pub struct Transport {
    /// `None` only while it is dropped.
    frames: Option<SyncSender<Frame>>,
    /// Never sent on: that it is gone says that it is over.
    running: Option<mpsc::Sender<Infallible>>,
    threads: Vec<JoinHandle<()>>,
}

/// Bytes, and the channel they are published on.
type Frame = (String, Vec<u8>);

impl Transport {
    /// Connects, and listens from then on. What is heard goes to `inbox`, or is lost when that is full.
    ///
    /// # Errors
    /// When Redis cannot be used *now*. Later it may go away and come back.
    pub fn start<E: From<Heard> + Send + 'static>(
        url: &str,
        (cluster, node): (ClusterId, NodeId),
        inbox: SyncSender<E>,
    ) -> Result<Self, TransportError> {
        let link = Link::new(url, cluster, node)?;
        // Whether this user may publish is better known now than when the first vote is lost. Nobody listens yet.
        let publishing = link.connect().and_then(|mut connection| {
            publish(&mut connection, &[(link.channel.clone(), Vec::new())])?;
            Ok(connection)
        });
        let publishing = publishing.map_err(|reason| link.explain(reason))?;
        let listening = link.subscribe().map_err(|reason| link.explain(reason))?;

        let (frames, waiting) = mpsc::sync_channel(QUEUE);
        let (running, stop) = mpsc::channel();
        let mut transport =
            Self { frames: Some(frames), running: Some(running), threads: Vec::new() };
        let address = link.address();
        let outage = |doing: &str| {
            let inbox = inbox.clone();
            let notify = move |notice: String| drop(inbox.try_send(Heard::Notice(notice).into()));
            Outage::none(format!("{doing} at the Redis at {address}"), notify)
        };
        let (sender, outage_of_sender, outage) =
            (link.clone(), outage("publish"), outage("listen"));
        transport.spawn(format!("{node} publishes"), move || {
            sender.publish_all(publishing, &waiting, outage_of_sender);
        })?;
        transport.spawn(format!("{node} listens"), move || {
            link.listen(listening, &Stop(stop), &inbox, outage);
        })?;
        Ok(transport)
    }

    /// Tries to deliver a message: it may be lost, without a word.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`], when it never can be delivered.
    pub fn send(&self, envelope: &Envelope) -> Result<(), FrameError> {
        let frame = (frame::channel(envelope.cluster, envelope.to), frame::encode(envelope)?);
        if let Some(frames) = &self.frames {
            // When the queue is full, Raft will send it again; when Redis is away, later is of no use.
            let _lost = frames.try_send(frame);
        }
        Ok(())
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(name).spawn(run)?);
        Ok(())
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.frames = None;
        self.running = None;
        for thread in mem::take(&mut self.threads) {
            // A thread that panicked has said so itself.
            let _panicked = thread.join();
        }
    }
}

/// Ends when the transport is dropped.
struct Stop(Receiver<Infallible>);

impl Stop {
    /// Waits, and breaks off when it is over.
    fn wait(&self, span: Duration) -> ControlFlow<()> {
        match self.0.recv_timeout(span) {
            Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
            Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(()),
            Ok(never) => match never {},
        }
    }
}

/// A way to Redis, for one node.
#[derive(Clone, Debug)]
struct Link {
    client: Client,
    cluster: ClusterId,
    node: NodeId,
    channel: String,
}

impl Link {
    fn new(url: &str, cluster: ClusterId, node: NodeId) -> Result<Self, TransportError> {
        let info = url.into_connection_info().and_then(|info: ConnectionInfo| {
            // Of the two protocols of Redis, the one in which messages are read without a callback.
            let login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
            let tcp = info.tcp_settings().clone().set_nodelay(true);
            Client::open(info.set_redis_settings(login).set_tcp_settings(tcp))
        });
        let client = info.map_err(|reason| TransportError::Url { reason })?;
        Ok(Self { client, cluster, node, channel: frame::channel(cluster, node) })
    }

    /// Where Redis is, without the login.
    fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Why the first connection failed, for people.
    fn explain(&self, reason: RedisError) -> TransportError {
        let address = self.address();
        let channel = self.channel.clone();
        match (reason.kind(), reason.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
                TransportError::Login { address, reason }
            }
            (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
                TransportError::Forbidden { address, channel, reason }
            }
            (ErrorKind::InvalidClientConfig, _) => TransportError::Url { reason },
            _ => TransportError::Unreachable { address, reason },
        }
    }

    fn connect(&self) -> Result<Connection, RedisError> {
        let connection = self.client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    /// A connection that listens on this node's channel.
    fn subscribe(&self) -> Result<Connection, RedisError> {
        let mut connection = self.connect()?;
        // As a plain command: `PubSub::subscribe` takes a refusal for a success.
        redis::cmd("SUBSCRIBE").arg(&self.channel).exec(&mut connection)?;
        connection.set_read_timeout(Some(SILENCE))?;
        Ok(connection)
    }

    // ----- the thread that publishes -----

    /// Publishes what comes, until nothing can come any more.
    fn publish_all(
        &self,
        connection: Connection,
        frames: &Receiver<Frame>,
        mut outage: Outage<impl Fn(String)>,
    ) {
        let mut connection = Some(connection);
        while let Ok(first) = frames.recv() {
            let batch: Vec<Frame> =
                iter::once(first).chain(frames.try_iter().take(BATCH - 1)).collect();
            match self.publish_on(&mut connection, &batch) {
                Ok(()) => outage.succeeded(),
                Err(reason) => {
                    connection = None;
                    thread::sleep(outage.failed(&reason));
                    // All of it is of the past, and Raft has said it again or has no more use for it.
                    frames.try_iter().take(QUEUE).for_each(drop);
                }
            }
        }
    }

    fn publish_on(
        &self,
        connection: &mut Option<Connection>,
        batch: &[Frame],
    ) -> Result<(), RedisError> {
        match connection {
            Some(connection) => publish(connection, batch),
            None => publish(connection.insert(self.connect()?), batch),
        }
    }

    // ----- the thread that listens -----

    /// Listens, and subscribes anew whenever the connection is lost, until it is over.
    fn listen<E: From<Heard>>(
        &self,
        connection: Connection,
        stop: &Stop,
        inbox: &SyncSender<E>,
        mut outage: Outage<impl Fn(String)>,
    ) {
        let mut subscribed = Ok(connection);
        loop {
            let ended = subscribed.and_then(|mut connection| {
                outage.succeeded();
                self.receive(&mut connection, stop, inbox)
            });
            let Err(reason) = ended else { return };
            if stop.wait(outage.failed(&reason)).is_break() {
                return;
            }
            subscribed = self.subscribe();
        }
    }

    /// Passes on what is published, until it is over or the connection is lost.
    fn receive<E: From<Heard>>(
        &self,
        connection: &mut Connection,
        stop: &Stop,
        inbox: &SyncSender<E>,
    ) -> Result<(), RedisError> {
        let mut messages = connection.as_pubsub();
        while stop.wait(Duration::ZERO).is_continue() {
            let heard = match messages.get_message() {
                Ok(message) => self.judge(message.get_payload_bytes()),
                Err(silence) if silence.is_timeout() => {
                    messages.ping::<()>()?;
                    continue;
                }
                Err(lost) => return Err(lost),
            };
            if let Err(TrySendError::Disconnected(_)) = inbox.try_send(heard.into()) {
                break;
            }
        }
        Ok(())
    }

    fn judge(&self, frame: &[u8]) -> Heard {
        match frame::decode(frame, self.cluster, self.node) {
            Ok(envelope) => Heard::Message(envelope),
            Err(error) => Heard::Dropped(error),
        }
    }
}

/// Publishes all frames, then reads all answers. (`Pipeline::query` would go on reading after the first that does not come.)
fn publish(connection: &mut Connection, batch: &[Frame]) -> Result<(), RedisError> {
    let mut pipeline = redis::pipe();
    for (channel, frame) in batch {
        pipeline.cmd("PUBLISH").arg(channel).arg(frame);
    }
    connection.send_packed_command(&pipeline.get_packed_pipeline())?;
    for _ in batch {
        connection.recv_response()?.extract_error()?;
    }
    Ok(())
}
