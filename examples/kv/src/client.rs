//! A client: asks one server after the other until one answers, within the time it is given.
//!
//! Changes go through a session, so that one that is sent twice is carried out once (thesis §6.3).

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use driver::members;
use driver::transport::{ConnectError, Connection, FrameError, Greeting, Purpose, Tls, connect};
use raft_core::session::{Session, SessionRefusal, SessionReply, SessionRequest};
use raft_core::{ClusterId, NodeId, Status};
use tokio::time::{Instant, sleep, timeout_at};

use crate::machine::{Change, Command, Output};
use crate::protocol::{Answer, Ask, Freshness, Problem, Request, Response};

/// Where to ask, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers, one after the other.
    pub servers: Vec<String>,
    /// Which cluster is meant.
    pub cluster: ClusterId,
    /// The client's certificates.
    pub tls: Option<Tls>,
    /// How long an operation may take, all attempts together.
    pub patience: Duration,
    /// How long one server may take to answer before another one is asked.
    pub attempt: Duration,
    /// The most bytes of an answer.
    pub max_frame_bytes: usize,
}

impl Options {
    /// The usual ones.
    pub fn new(servers: Vec<String>) -> Self {
        Self {
            servers,
            cluster: ClusterId(1),
            tls: None,
            patience: Duration::from_secs(10),
            attempt: Duration::from_secs(2),
            max_frame_bytes: 32 * 1024 * 1024,
        }
    }
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No server was given.
    #[error("no server is given: name one at least")]
    NoServer,
    /// It was refused, and had no effect.
    #[error("refused: {0}")]
    Refused(String),
    /// It had no effect in the time that it was given.
    #[error("not done within {patience:?}, and without effect; last: {last}")]
    NotDone {
        /// How long was tried.
        patience: Duration,
        /// What came of the last attempt.
        last: String,
    },
    /// Nobody knows.
    #[error("it is not known whether this took effect; last: {last}")]
    Unknown {
        /// What came of the last attempt.
        last: String,
    },
    /// A server answered something else than what was asked.
    #[error("the server answered something else than what was asked: is it of the same version?")]
    Nonsense,
}

/// So many commands of a session may wait for an answer; this client has one.
const OUTSTANDING: NonZeroU64 = NonZeroU64::MIN;
/// How long to wait before the next attempt: twice as long after each, up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// A client. It does one thing at a time.
#[derive(Debug)]
pub struct Client {
    options: Options,
    /// The server that is asked first.
    next: usize,
    /// Where the leader is said to be.
    hint: Option<String>,
    connection: Option<Connection>,
    session: Option<Session>,
    number: u64,
}

/// What became of one attempt.
enum Attempt {
    Answer(Answer),
    /// No effect, now or later.
    Again(String),
    Refused(String),
    /// It may have had an effect.
    Unknown(String),
}

impl Client {
    /// A client that is not connected yet.
    pub fn new(options: Options) -> Self {
        Self { options, next: 0, hint: None, connection: None, session: None, number: 0 }
    }

    /// Sets a key.
    ///
    /// # Errors
    /// When it was not set, or nobody knows.
    pub async fn put(
        &mut self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<(), ClientError> {
        self.batch(vec![Change::Put { key: key.into(), value: value.into() }]).await
    }

    /// Removes a key.
    ///
    /// # Errors
    /// When it was not removed, or nobody knows.
    pub async fn delete(&mut self, key: impl Into<Bytes>) -> Result<(), ClientError> {
        self.batch(vec![Change::Delete { key: key.into() }]).await
    }

    /// Changes several keys at once: nobody sees some of the changes without the others.
    ///
    /// # Errors
    /// When nothing was changed, or nobody knows.
    pub async fn batch(&mut self, changes: Vec<Change>) -> Result<(), ClientError> {
        match self.command(&Command::Batch(changes)).await? {
            Output::Done => Ok(()),
            _ => Err(ClientError::Nonsense),
        }
    }

    /// Sets a key (or removes it, for `None`) if it holds what is expected. Answers what it holds instead if it
    /// does not.
    ///
    /// # Errors
    /// When it was not carried out, or nobody knows.
    pub async fn compare_and_set(
        &mut self,
        key: impl Into<Bytes>,
        expected: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<Result<(), Option<Bytes>>, ClientError> {
        let command = Command::CompareAndSet { key: key.into(), expected, value };
        match self.command(&command).await? {
            Output::Set => Ok(Ok(())),
            Output::Differs(held) => Ok(Err(held)),
            _ => Err(ClientError::Nonsense),
        }
    }

    /// What a key holds.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(
        &mut self,
        key: impl Into<Bytes>,
        freshness: Freshness,
    ) -> Result<Option<Bytes>, ClientError> {
        match self.ask(Ask::Get { key: key.into(), freshness }).await? {
            Answer::Value(value) => Ok(value),
            _ => Err(ClientError::Nonsense),
        }
    }

    /// Pairs in the order of their keys, from `from` on and before `to`, at most so many.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn scan(
        &mut self,
        from: impl Into<Bytes>,
        to: Option<Bytes>,
        most: u64,
        freshness: Freshness,
    ) -> Result<Vec<(Bytes, Bytes)>, ClientError> {
        match self.ask(Ask::Scan { from: from.into(), to, most, freshness }).await? {
            Answer::Pairs(pairs) => Ok(pairs),
            _ => Err(ClientError::Nonsense),
        }
    }

    /// The status of whichever server answers first.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn status(&mut self) -> Result<Status, ClientError> {
        match self.ask(Ask::Status).await? {
            Answer::Status(status) => Ok(*status),
            _ => Err(ClientError::Nonsense),
        }
    }

    /// Changes the members.
    ///
    /// # Errors
    /// When it was not carried out, or nobody knows.
    pub async fn change(&mut self, change: members::Change) -> Result<(), ClientError> {
        self.done(Ask::Change(change)).await
    }

    /// Hands the leadership to a node.
    ///
    /// # Errors
    /// When it was not handed over, or nobody knows.
    pub async fn transfer(&mut self, to: NodeId) -> Result<(), ClientError> {
        self.done(Ask::Transfer(to)).await
    }

    /// Keeps the server from standing for election for so long, or until it hears a leader.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn weaken(&mut self, span: Duration) -> Result<(), ClientError> {
        self.done(Ask::Weaken(driver::clock::ticks(span).0)).await
    }

    /// Makes the server stand for election.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn campaign(&mut self) -> Result<(), ClientError> {
        self.done(Ask::Campaign).await
    }

    /// Ends the session, so that the servers may forget it. It expires by itself if it is not ended.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn close(&mut self) -> Result<(), ClientError> {
        let Some(session) = self.session.take() else { return Ok(()) };
        let close = SessionRequest::Close { session: session.id() }.encode();
        self.ask(Ask::Command(close)).await.map(drop)
    }

    async fn done(&mut self, ask: Ask) -> Result<(), ClientError> {
        match self.ask(ask).await? {
            Answer::Done => Ok(()),
            _ => Err(ClientError::Nonsense),
        }
    }

    async fn command(&mut self, command: &Command) -> Result<Output, ClientError> {
        if self.session.is_none() {
            self.session = Some(self.open().await?);
        }
        let session = self.session.as_mut().expect("was opened");
        let (sequence, bytes) = session.submit(&command.encode()).expect("one at a time");
        let asked = self.ask(Ask::Command(bytes)).await;
        let session = self.session.as_mut().expect("is still there");
        session.answered(sequence);
        match asked? {
            Answer::Replied(SessionReply::Done(output)) => {
                Output::decode(&output).map_err(|_| ClientError::Nonsense)
            }
            Answer::Replied(SessionReply::Refused(refusal)) => {
                // It is not known what became of earlier attempts in a session that has expired.
                self.session = None;
                Err(match refusal {
                    SessionRefusal::Expired => ClientError::Unknown { last: refusal.to_string() },
                    other => ClientError::Refused(other.to_string()),
                })
            }
            _ => Err(ClientError::Nonsense),
        }
    }

    async fn open(&mut self) -> Result<Session, ClientError> {
        // One that is opened twice expires.
        match self.ask(Ask::Command(SessionRequest::Open.encode())).await? {
            Answer::Replied(SessionReply::Opened(id)) => {
                self.go_to_the_leader().await;
                Ok(Session::new(id, OUTSTANDING))
            }
            _ => Err(ClientError::Nonsense),
        }
    }

    /// Whoever writes much asks the leader: others would only pass it on. It does no harm if that does not work.
    async fn go_to_the_leader(&mut self) {
        let Ok(status) = self.status().await else { return };
        let leader = status.leader.filter(|leader| *leader != status.id);
        let address = leader.and_then(|leader| status.membership.context(leader));
        if let Some(address) = address.and_then(|address| String::from_utf8(address.to_vec()).ok())
        {
            self.connection = None;
            self.hint = Some(address);
        }
    }

    /// Asks until there is an answer.
    async fn ask(&mut self, ask: Ask) -> Result<Answer, ClientError> {
        let until = Instant::now() + self.options.patience;
        let (mut pause, mut is_unknown) = (PAUSES.0, false);
        let may_repeat = matches!(
            ask,
            Ask::Command(_) | Ask::Get { .. } | Ask::Scan { .. } | Ask::Status | Ask::Change(_)
        );
        loop {
            let last = match self.attempt(&ask, until).await? {
                Attempt::Answer(answer) => return Ok(answer),
                // An earlier attempt may have had an effect all the same.
                Attempt::Refused(last) if is_unknown => return Err(ClientError::Unknown { last }),
                Attempt::Refused(why) => return Err(ClientError::Refused(why)),
                Attempt::Again(why) => why,
                Attempt::Unknown(why) => {
                    is_unknown = true;
                    why
                }
            };
            if Instant::now() + pause >= until || (is_unknown && !may_repeat) {
                return Err(if is_unknown {
                    ClientError::Unknown { last }
                } else {
                    ClientError::NotDone { patience: self.options.patience, last }
                });
            }
            sleep(pause).await;
            pause = (2 * pause).min(PAUSES.1);
        }
    }

    async fn attempt(&mut self, ask: &Ask, until: Instant) -> Result<Attempt, ClientError> {
        let until = until.min(Instant::now() + self.options.attempt);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match timeout_at(until, self.reach()).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(why)) => return Ok(Attempt::Again(why)),
                Err(_) => return Ok(Attempt::Again("no connection in time".to_owned())),
            },
        };
        self.number += 1;
        let request = Request { number: self.number, ask: ask.clone() };
        // What was asked must not be heard twice by accident: on any trouble the connection is not used again.
        match timeout_at(until, exchange(&mut connection, &request)).await {
            Err(_) => {
                self.move_on();
                Ok(Attempt::Unknown("no answer in time".to_owned()))
            }
            Ok(Err(error)) => {
                self.move_on();
                Ok(Attempt::Unknown(error.to_string()))
            }
            Ok(Ok(answer)) => {
                self.connection = Some(connection);
                Ok(self.judge(answer))
            }
        }
    }

    fn judge(&mut self, answer: Result<Answer, Problem>) -> Attempt {
        match answer {
            Ok(answer) => Attempt::Answer(answer),
            Err(Problem::Refused(why)) => Attempt::Refused(why),
            Err(Problem::Unknown(why)) => Attempt::Unknown(why),
            Err(Problem::TryAgain { why, leader }) => {
                self.move_on();
                self.hint = leader;
                Attempt::Again(why)
            }
        }
    }

    /// Another server is asked next.
    fn move_on(&mut self) {
        self.connection = None;
        self.next = self.next.wrapping_add(1);
    }

    async fn reach(&mut self) -> Result<Connection, String> {
        let Options { servers, cluster, tls, max_frame_bytes, .. } = &self.options;
        let address = match self.hint.take() {
            Some(hint) => hint,
            None if servers.is_empty() => return Err(ClientError::NoServer.to_string()),
            None => servers[self.next % servers.len()].clone(),
        };
        let greeting = Greeting { cluster: *cluster, purpose: Purpose::Client };
        let reached = connect(&address, tls.as_ref(), &greeting, *max_frame_bytes).await;
        reached.map_err(|error: ConnectError| {
            self.next = self.next.wrapping_add(1);
            error.to_string()
        })
    }
}

async fn exchange(
    connection: &mut Connection,
    request: &Request,
) -> Result<Result<Answer, Problem>, FrameError> {
    connection.writing.send(request).await?;
    loop {
        let response: Response = connection.reading.next().await?;
        if response.number == request.number {
            return Ok(response.answer);
        }
    }
}
