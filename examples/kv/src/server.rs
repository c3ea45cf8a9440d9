//! Serves clients from a node.

use std::sync::Arc;

use bytes::Bytes;
use driver::transport::{Client, Connection, FrameError};
use driver::{Appended, Handle, RequestError, members};
use raft_core::session::SessionRequest;
use raft_core::{NodeId, Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::machine::Kv;
use crate::protocol::{Answer, Ask, Freshness, Problem, Request, Response};

/// So many requests of one connection are worked on at a time; more are not read.
const PIPELINED: usize = 256;
/// A scan answers no more pairs than this, nor many more bytes.
const MOST_PAIRS: u64 = 100_000;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Serves clients as long as they come.
pub async fn serve(handle: Handle<Kv>, mut clients: mpsc::Receiver<Client>) {
    while let Some(client) = clients.recv().await {
        let handle = handle.clone();
        tokio::spawn(async move {
            let Client { connection, .. } = client;
            if let Err(error) = converse(handle, connection).await {
                tracing::debug!(%error, "a client is gone");
            }
        });
    }
}

async fn converse(handle: Handle<Kv>, connection: Connection) -> Result<(), FrameError> {
    let Connection { mut reading, mut writing } = connection;
    // No more than there are permits: each is given back when its response was sent.
    let (responses, mut ready) = mpsc::unbounded_channel::<(Response, OwnedSemaphorePermit)>();
    let permits = Arc::new(Semaphore::new(PIPELINED));
    tokio::spawn(async move {
        let mut batch = Vec::new();
        while ready.recv_many(&mut batch, PIPELINED).await > 0 {
            for (response, _) in &batch {
                writing.add(response).await?;
            }
            writing.flush().await?;
            batch.clear();
        }
        Ok::<(), FrameError>(())
    });
    loop {
        let Request { number, ask } = reading.next().await?;
        let Ok(permit) = permits.clone().acquire_owned().await else { return Ok(()) };
        let (handle, responses) = (handle.clone(), responses.clone());
        // The client may have gone.
        let respond = move |answer| drop(responses.send((Response { number, answer }, permit)));
        match ask {
            Ask::Command(bytes) => command(handle, bytes, respond).await,
            ask => drop(tokio::spawn(async move { respond(answer(&handle, ask).await) })),
        }
    }
}

/// Most of what is asked are commands: they need no task of their own.
async fn command(
    handle: Handle<Kv>,
    bytes: Bytes,
    respond: impl FnOnce(Result<Answer, Problem>) + Send + 'static,
) {
    // Nothing is replicated that no replica could carry out.
    if let Err(error) = SessionRequest::decode(&bytes) {
        return respond(Err(Problem::Refused(error.to_string())));
    }
    let asked = handle.clone();
    let then = move |appended: Result<Appended, RequestError>| match appended {
        Ok(appended) => respond(replied(&appended.output)),
        Err(error) => {
            drop(tokio::spawn(async move { respond(Err(problem(&handle, error).await)) }));
        }
    };
    // A node that has stopped answers nobody; the connection is about to end.
    drop(asked.append_then(bytes, then).await);
}

fn replied(output: &[u8]) -> Result<Answer, Problem> {
    // The entry may have been applied before the node knew of the request.
    let lost = |_| Problem::Unknown("it was carried out, but its output is lost".to_owned());
    postcard::from_bytes(output).map(Answer::Replied).map_err(lost)
}

async fn answer(handle: &Handle<Kv>, ask: Ask) -> Result<Answer, Problem> {
    match ask {
        Ask::Command(_) => unreachable!("needs no task"),
        Ask::Get { key, freshness } => {
            let value = read(handle, freshness, move |kv| kv.get(&key)).await;
            value.map(Answer::Value)
        }
        Ask::Scan { from, to, most, freshness } => {
            let most = usize::try_from(most.min(MOST_PAIRS)).unwrap_or(usize::MAX);
            let look = move |kv: &Kv| within(kv.scan(&from, to.as_ref(), most));
            read(handle, freshness, look).await.map(Answer::Pairs)
        }
        Ask::Status => match handle.status().await {
            Ok(status) => Ok(Answer::Status(Box::new(status))),
            Err(error) => Err(problem(handle, error).await),
        },
        Ask::Change(change) => match members::change(handle, &change).await {
            Ok(()) => Ok(Answer::Done),
            Err(error) => Err(dispatch_problem(&error)),
        },
        Ask::Transfer(to) => done(handle, handle.transfer(to).await).await,
        Ask::Weaken(span) => {
            let span = driver::clock::duration(raft_core::Ticks(span));
            done(handle, handle.weaken(span).await).await
        }
        Ask::Campaign => done(handle, handle.campaign().await).await,
    }
}

async fn read<T: Send + 'static>(
    handle: &Handle<Kv>,
    freshness: Freshness,
    look: impl FnOnce(&Kv) -> T + Send + 'static,
) -> Result<T, Problem> {
    let read = match freshness {
        Freshness::Linearizable => handle.read(look).await,
        Freshness::Stale => handle.read_stale(look).await,
    };
    match read {
        Ok(value) => Ok(value),
        // A read that was not answered had no effect.
        Err(error) => Err(Problem::TryAgain { why: error.to_string(), leader: None }),
    }
}

async fn done(handle: &Handle<Kv>, done: Result<(), RequestError>) -> Result<Answer, Problem> {
    match done {
        Ok(()) => Ok(Answer::Done),
        Err(error) => Err(problem(handle, error).await),
    }
}

async fn problem(handle: &Handle<Kv>, error: RequestError) -> Problem {
    let why = error.to_string();
    match error {
        RequestError::Refused {
            refusal: Refusal::TooLarge | Refusal::NotAVoter | Refusal::NoMembership,
            ..
        } => Problem::Refused(why),
        RequestError::Refused { leader, .. } => {
            let leader = match leader {
                Some(leader) if leader != handle.id() => address(handle, leader).await,
                _ => None,
            };
            Problem::TryAgain { why, leader }
        }
        RequestError::Lost => Problem::TryAgain { why, leader: None },
        _ => Problem::Unknown(why),
    }
}

async fn address(handle: &Handle<Kv>, node: NodeId) -> Option<String> {
    let status = handle.status().await.ok()?;
    let context = status.membership.context(node)?;
    String::from_utf8(context.to_vec()).ok()
}

fn dispatch_problem(error: &driver::DispatchError) -> Problem {
    use driver::DispatchError;
    let why = error.to_string();
    match error {
        DispatchError::NoLeader | DispatchError::Call(driver::CallError::NotLeader { .. }) => {
            Problem::TryAgain { why, leader: None }
        }
        DispatchError::Call(_) => Problem::Refused(why),
        _ => Problem::Unknown(why),
    }
}

/// As many pairs as fit into an answer.
fn within(mut pairs: Vec<(Bytes, Bytes)>) -> Vec<(Bytes, Bytes)> {
    let mut bytes = 0;
    let fits = pairs.iter().take_while(|(key, value)| {
        bytes += key.len() + value.len();
        bytes <= MOST_BYTES
    });
    let count = fits.count().max(1);
    pairs.truncate(count);
    pairs
}
