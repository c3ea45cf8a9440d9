//! What a program has of its node: ask, read, watch, talk to the other nodes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use raft_core::{Event, LogPosition, Membership, NodeId, Outcome, Request, Status};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::ticks;
use crate::command::{Appended, Command, DispatchError, RequestError, To};

/// Something that happened at the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// In the protocol.
    Raft(Event),
    /// A connection to another node was made.
    Connected(NodeId),
    /// A connection to another node broke.
    Disconnected(NodeId),
}

/// What is told to all who want to hear it. Whoever does not keep up misses some, and learns how many.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) committed: broadcast::Sender<(LogPosition, Bytes)>,
    pub(crate) happened: broadcast::Sender<Happened>,
    pub(crate) messages: broadcast::Sender<(NodeId, Bytes)>,
}

impl News {
    pub(crate) fn new() -> Self {
        const KEPT: usize = 1_024;
        let (committed, happened, messages) = (
            broadcast::Sender::new(KEPT),
            broadcast::Sender::new(KEPT),
            broadcast::Sender::new(KEPT),
        );
        Self { committed, happened, messages }
    }
}

/// A node that runs. Copies are cheap. The node stops with [`Handle::stop`], or when the last copy is dropped.
pub struct Handle<M> {
    pub(crate) commands: mpsc::Sender<Command<M>>,
    pub(crate) news: Arc<News>,
    pub(crate) id: NodeId,
}

impl<M> Clone for Handle<M> {
    fn clone(&self) -> Self {
        let Self { commands, news, id } = self;
        Self { commands: commands.clone(), news: news.clone(), id: *id }
    }
}

impl<M> std::fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<M: Send + 'static> Handle<M> {
    /// The node's name.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Replicates a command, from whichever node, and gives what the machine *of this node* said when it was carried
    /// out here.
    ///
    /// # Errors
    /// When it was not carried out, or nobody knows.
    pub async fn append(&self, command: impl Into<Bytes>) -> Result<Appended, RequestError> {
        let (answer, answered) = oneshot::channel();
        // Whoever asked may have gone.
        let then = move |appended| drop(answer.send(appended));
        self.append_then(command, then).await?;
        answered.await.map_err(|_| RequestError::Stopped)?
    }

    /// Like [`Handle::append`], but returns as soon as the node has been asked, and calls `then` with what came of it. That
    /// runs on the node's own task: it must not wait for anything. It is never called when the node stops before.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn append_then(
        &self,
        command: impl Into<Bytes>,
        then: impl FnOnce(Result<Appended, RequestError>) + Send + 'static,
    ) -> Result<(), RequestError> {
        self.ask(Command::Propose(command.into(), Some(Box::new(then)))).await
    }

    /// Like [`Handle::append`], for no longer than this.
    ///
    /// # Errors
    /// When it was not carried out, or nobody knows.
    pub async fn append_within(
        &self,
        command: impl Into<Bytes>,
        longest: Duration,
    ) -> Result<Appended, RequestError> {
        timeout(longest, self.append(command)).await.map_err(|_| RequestError::TimedOut)?
    }

    /// Replicates a command, and does not wait to hear what becomes of it.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn append_and_forget(&self, command: impl Into<Bytes>) -> Result<(), RequestError> {
        self.ask(Command::Propose(command.into(), None)).await
    }

    /// Looks at the machine of this node when it holds all that was committed before now (linearizable).
    ///
    /// # Errors
    /// When no leader confirms that it still leads.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&M) -> T + Send + 'static,
    ) -> Result<T, RequestError> {
        self.look(look, Command::Read).await
    }

    /// Looks at the machine of this node as it is: it may be behind.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn read_stale<T: Send + 'static>(
        &self,
        look: impl FnOnce(&M) -> T + Send + 'static,
    ) -> Result<T, RequestError> {
        self.look(look, Command::ReadStale).await
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&M) -> T + Send + 'static,
        command: impl FnOnce(crate::command::Look<M>) -> Command<M>,
    ) -> Result<T, RequestError> {
        let (answer, answered) = oneshot::channel();
        let look = move |machine: Result<&M, RequestError>| {
            // Whoever asked may have gone.
            drop(answer.send(machine.map(look)));
        };
        self.ask(command(Box::new(look))).await?;
        answered.await.map_err(|_| RequestError::Stopped)?
    }

    /// Everything about the node that can be looked at.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn status(&self) -> Result<Status, RequestError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Status(answer)).await?;
        answered.await.map_err(|_| RequestError::Stopped)
    }

    /// Changes the members. The leader alone takes it.
    ///
    /// # Errors
    /// When it was not carried out, or nobody knows.
    pub async fn change_membership(&self, to: Arc<Membership>) -> Result<(), RequestError> {
        self.outcome(|id| Request::ChangeMembership { id, to }).await.map(drop)
    }

    /// Hands the leadership to another voter. The leader alone takes it.
    ///
    /// # Errors
    /// When it was not handed over, or nobody knows.
    pub async fn transfer(&self, to: NodeId) -> Result<(), RequestError> {
        self.outcome(move |id| Request::Transfer { id, to }).await.map(drop)
    }

    async fn outcome(
        &self,
        make: impl FnOnce(raft_core::RequestId) -> Request + Send + 'static,
    ) -> Result<Outcome, RequestError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Ask(Box::new(make), answer)).await?;
        answered.await.map_err(|_| RequestError::Stopped)?
    }

    /// Makes the node stand for election, as if it had not heard a leader for long. A leader that is heard is not
    /// deposed by it: use [`Handle::transfer`] for that.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn campaign(&self) -> Result<(), RequestError> {
        self.ask(Command::Campaign).await
    }

    /// Keeps the node from standing for election of its own accord for so long, or until it hears a leader.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn weaken(&self, span: Duration) -> Result<(), RequestError> {
        self.ask(Command::Suppress(ticks(span))).await
    }

    /// Runs a function at the leader, and gives its answer. Functions are registered when nodes are started.
    ///
    /// # Errors
    /// When it did not run, failed, or did not answer in time.
    pub async fn dispatch(
        &self,
        name: &str,
        arguments: impl Into<Bytes>,
        longest: Duration,
    ) -> Result<Bytes, DispatchError> {
        self.call(To::Leader, name, arguments, longest).await
    }

    /// Runs a function at one node, and gives its answer.
    ///
    /// # Errors
    /// When it did not run, failed, or did not answer in time.
    pub async fn call(
        &self,
        to: To,
        name: &str,
        arguments: impl Into<Bytes>,
        longest: Duration,
    ) -> Result<Bytes, DispatchError> {
        let (answer, answered) = oneshot::channel();
        let call = Command::Call { to, name: name.to_owned(), arguments: arguments.into(), answer };
        self.commands.send(call).await.map_err(|_| DispatchError::Stopped)?;
        let answered = timeout(longest, answered).await.map_err(|_| DispatchError::TimedOut)?;
        answered.map_err(|_| DispatchError::Stopped)?
    }

    /// Sends something of the application's own to other nodes. It may be lost.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn send(&self, to: To, message: impl Into<Bytes>) -> Result<(), RequestError> {
        self.ask(Command::Send(to, message.into())).await
    }

    /// What other nodes send to this one with [`Handle::send`], from now on.
    pub fn messages(&self) -> broadcast::Receiver<(NodeId, Bytes)> {
        self.news.messages.subscribe()
    }

    /// The commands that are carried out at this node, in the order of the log, from now on.
    pub fn committed(&self) -> broadcast::Receiver<(LogPosition, Bytes)> {
        self.news.committed.subscribe()
    }

    /// What happens at this node, from now on.
    pub fn events(&self) -> broadcast::Receiver<Happened> {
        self.news.happened.subscribe()
    }

    /// Stops the node: what was written is on its disk. The others notice that it is silent; to leave them for good,
    /// remove it first.
    pub fn stop(&self) -> impl Future<Output = ()> + use<M> {
        let commands = self.commands.clone();
        async move {
            // One that has stopped already need not be told.
            drop(commands.send(Command::Stop).await);
            commands.closed().await;
        }
    }

    async fn ask(&self, command: Command<M>) -> Result<(), RequestError> {
        self.commands.send(command).await.map_err(|_| RequestError::Stopped)
    }
}
