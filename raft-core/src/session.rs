//! Exactly-once commands (thesis §6.3): sessions as a wrapper around the user's state machine.
//!
//! A request whose reply was lost has to be sent again, and may then stand in the log twice. A client that
//! wants its command to take effect once opens a session, numbers its commands, and sends the *same bytes* again until
//! it has an answer. [`Sessions`], beside the machine on every replica, runs a command the first time it
//! comes by and gives the remembered output to every copy after that. [`Node`](crate::Node) knows nothing of
//! this: to it, a [`SessionRequest`] is a command like any other.
//!
//! ```
//! use raft_core::session::{Session, SessionLimits, SessionReply, SessionRequest, Sessions};
//! use raft_core::{LogIndex, LogPosition, Term};
//!
//! // On every replica: a machine that counts, and the table beside it.
//! let limits = SessionLimits::default();
//! let (mut count, mut sessions) = (0_u64, Sessions::new(limits));
//! let mut apply = |index: u64, bytes: &bytes::Bytes| {
//!     let position = LogPosition::new(Term(1), LogIndex(index));
//!     sessions.apply(position, bytes, |command| {
//!         count += command.len() as u64;
//!         count.to_string().into()
//!     })
//! };
//!
//! // The client opens a session, through a proposal like any other.
//! let SessionReply::Opened(id) = apply(1, &SessionRequest::Open.encode()) else { panic!("opened") };
//! let mut session = Session::new(id, limits.max_outstanding);
//!
//! // Its command comes to stand in the log twice, because the first reply was lost.
//! let (sequence, bytes) = session.submit(b"four").expect("nothing is outstanding");
//! assert_eq!(apply(2, &bytes), SessionReply::Done("4".into()));
//! assert_eq!(apply(3, &bytes), SessionReply::Done("4".into()));
//! session.answered(sequence);
//! assert_eq!(count, 4);
//! ```
//!
//! # The rules
//!
//! * Everything is decided by the log: which session a command belongs to, what it is answered, and what
//!   expires. Replicas that applied the same prefix hold equal tables. [`SessionLimits`] are a part of that.
//! * A session is named by the log position of the request that opened it. (A counter in the table would name two
//!   sessions alike after a [`Force`](crate::Force) that lost the entry of the first.)
//! * Several commands of a session may be outstanding at once. They take effect in the order of the log, whatever their
//!   numbers; a client that wants an order waits for an answer before it goes on. With each command it
//!   says which is the lowest it still waits for. Outputs before that are forgotten, copies before that refused,
//!   and what is [`SessionLimits::max_outstanding`] or more beyond it has to wait.
//! * When there are too many sessions, the one expires that has not been used for longest, in entries of the log. Its
//!   commands are refused from then on, never run again. So a client whose session expired cannot know what
//!   became of the commands that were outstanding. An idle client loses nothing: it opens another session.
//!   Choose [`SessionLimits::max_sessions`] well above the number of clients that are active at once.
//! * Committed bytes that are no request change nothing and are refused. A request of another version is such
//!   bytes: upgrade all replicas before the first client sends the new one. [`SessionRequest::decode`] tells at the
//!   door, before anything is proposed.
//!
//! # Alternatives that lost
//!
//! * **Expiry by time.** It needs a time that travels in the log, and somebody to vouch for it: a client whose
//!   clock runs ahead would expire everybody, and the leader cannot stamp commands that the core does not
//!   interpret. It also needs keep-alives, which are entries of the log. It would free the memory of clients that vanished
//!   sooner; a bound on the memory was wanted, and that a number of sessions gives.
//! * **Refusing to open when the table is full.** Clients that vanish never close, and nobody could ever open again.
//! * **One command at a time** (only the last output is remembered). Simpler, but a client would wait a round
//!   trip for each command, or open many sessions.
//! * **The node's address as the session.** It is reused; and a client may move between nodes.

mod client;
mod codec;
mod request;
mod stored;
mod table;

use crate::types::LogPosition;

pub use client::Session;
pub use codec::DecodeError;
pub use request::SessionRequest;
pub use table::{SessionLimits, SessionRefusal, SessionReply, Sessions};

/// Names a session, for ever: the position of the entry that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionId(pub LogPosition);

/// Numbers the commands of a session, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sequence(pub u64);

impl Sequence {
    /// The number of the first command.
    pub const FIRST: Self = Self(1);
}
