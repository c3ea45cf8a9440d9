//! Who belongs to the cluster: adding and removing nodes, from any node.
//!
//! A node that joins is a learner until it holds the log, and votes only then: a voter without the log counts in the
//! majority and cannot help to make one. Everything here may be asked twice.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use raft_core::{Membership, MembershipParts, NodeId, Refusal, Status};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::command::{DispatchError, RequestError};
use crate::handle::Handle;
use crate::runtime::Functions;

/// A node that lacks no more entries than this holds the log.
const CLOSE: u64 = 1_000;
/// How often to look again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long to wait for a node that is being added to come up to the others.
const PATIENCE: Duration = Duration::from_secs(60);

/// A change of the members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Adds a node, or notes another address for it.
    Add {
        /// Its name.
        node: NodeId,
        /// Where it is reached.
        address: String,
        /// Whether it shall vote.
        votes: bool,
    },
    /// Removes a node.
    Remove {
        /// Its name.
        node: NodeId,
    },
}

impl Change {
    fn encode(&self) -> Bytes {
        postcard::to_stdvec(self).expect("plain data has bytes").into()
    }
}

const FUNCTION: &str = "change members";

/// The function by which other nodes ask the leader for changes; register it at every node.
#[must_use]
pub fn with_changes<M: Send + 'static>(functions: Functions<M>) -> Functions<M> {
    functions.with(FUNCTION, |handle, arguments| async move {
        let change = postcard::from_bytes(&arguments).map_err(|error| error.to_string())?;
        carry_out(&handle, change).await.map_err(|error| error.to_string())?;
        Ok(Bytes::new())
    })
}

/// Changes the members, through whichever node.
///
/// # Errors
/// When the leader was not reached, or did not carry it out.
pub async fn change<M: Send + 'static>(
    handle: &Handle<M>,
    change: &Change,
) -> Result<(), DispatchError> {
    handle.dispatch(FUNCTION, change.encode(), PATIENCE + PATIENCE).await.map(drop)
}

/// Why the members were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The last voter cannot leave.
    #[error("node {} is the only voter: add another one before it leaves, or stop the cluster", .0.0)]
    LastVoter(NodeId),
    /// The node that was added did not come up to the others.
    #[error(
        "node {} was added and does not vote yet: it did not come up to the others within {} seconds. Is it started, and reached at its address? Add it again then",
        .0.0, PATIENCE.as_secs()
    )]
    Behind(NodeId),
}

/// Carries out a change at the leader.
async fn carry_out<M: Send + 'static>(
    handle: &Handle<M>,
    change: Change,
) -> Result<(), ChangeError> {
    match change {
        Change::Add { node, address, votes } => {
            let is_voter = handle.status().await?.membership.is_voter(node);
            let place = |parts: &mut MembershipParts| {
                if !parts.voters.contains(&node) {
                    parts.learners.insert(node);
                }
                parts.contexts.insert(node, Bytes::from(address.clone()));
            };
            alter(handle, place).await?;
            if votes && !is_voter {
                caught_up(handle, node).await?;
                let promote = |parts: &mut MembershipParts| {
                    parts.learners.remove(&node);
                    parts.voters.insert(node);
                };
                alter(handle, promote).await?;
            }
            Ok(())
        }
        Change::Remove { node } => {
            if handle.status().await?.membership.voters() == [node] {
                return Err(ChangeError::LastVoter(node));
            }
            let remove = |parts: &mut MembershipParts| {
                parts.voters.remove(&node);
                parts.learners.remove(&node);
                parts.contexts.remove(&node);
            };
            alter(handle, remove).await
        }
    }
}

/// Changes the members that there are. Waits while another change is under way.
async fn alter<M: Send + 'static>(
    handle: &Handle<M>,
    alter: impl Fn(&mut MembershipParts),
) -> Result<(), ChangeError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let Status { membership, .. } = handle.status().await?;
        if !membership.is_joint() {
            let mut parts = MembershipParts::from(Membership::clone(&membership));
            alter(&mut parts);
            let to =
                Membership::try_from(parts).expect("one node more or less, and one voter at least");
            if to == *membership {
                return Ok(());
            }
            match handle.change_membership(Arc::new(to)).await {
                Err(RequestError::Refused {
                    refusal: Refusal::ChangePending | Refusal::NotYetCommitted | Refusal::NotReady,
                    ..
                }) if Instant::now() < until => {}
                other => return Ok(other?),
            }
        }
        sleep(PAUSE).await;
    }
}

async fn caught_up<M: Send + 'static>(handle: &Handle<M>, node: NodeId) -> Result<(), ChangeError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = handle.status().await?;
        let peer = status.peers.iter().find(|peer| peer.id == node);
        if peer.is_some_and(|peer| {
            status.last.index.entries_since(peer.matched) <= CLOSE && peer.matched.0 > 0
        }) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(ChangeError::Behind(node));
        }
        sleep(PAUSE).await;
    }
}
