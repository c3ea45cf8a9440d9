//! What clients ask for, and what becomes of it: bare commands, whose fate may stay unknown, or commands of a session,
//! which are sent again until they are answered.

use std::num::NonZeroU64;

use bytes::Bytes;
use raft_core::session::{Session, SessionRequest};
use raft_core::{Instant, NodeId, Outcome};

use super::World;
use super::clients::{Choice, Client, Purpose, Wanted};
use super::trace::Trace;
use crate::coverage::Situation;
use crate::draw::{Domain, Draw};
use crate::history::OpId;
use crate::machine::Machine;
use crate::raft::Raft;
use crate::served::{Told, told};
use crate::violation::{Property, Violation};

/// How often in a million a client leaves its session behind instead of asking again.
const ABANDONED: u32 = 40_000;
/// How often in a million a client closes its session before it asks for something else.
const CLOSED: u32 = 20_000;

/// Whether an answer was what the client was after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Yes,
    /// There is something else to do first: to open a session.
    No,
}

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    /// What a client asks for next. `once` is the operation of the first attempt.
    pub(super) fn next_request(&mut self, number: u32, attempt: u32, once: OpId) -> Wanted {
        self.statistics.operations_begun += 1;
        let key = [number.into(), attempt.into()];
        let drawn = M::command(&mut Draw::new(self.plan.seed, Domain::Machine, &key));
        let load = &self.plan.workload;
        let has_sessions = load.sessions > 0;
        let reads = self.choice(number, Choice::Read).chance(load.read_per_million);
        if reads && M::default().query(&drawn).is_some() {
            if has_sessions {
                self.checks.invoked_once(Instant(self.now), once, number, &drawn);
            }
            return Wanted { bytes: drawn, purpose: Purpose::Read { once } };
        }
        if !has_sessions {
            return Wanted { bytes: drawn, purpose: Purpose::Command };
        }
        let closes = self.choice(number, Choice::Close).chance(CLOSED);
        let Some(session) = &mut self.clients[number as usize].session else {
            return Wanted { bytes: SessionRequest::Open.encode(), purpose: Purpose::Open };
        };
        if closes {
            let bytes = SessionRequest::Close { session: session.id() }.encode();
            return Wanted { bytes, purpose: Purpose::Close };
        }
        let (sequence, bytes) = session.submit(&drawn).expect("one command is outstanding at most");
        self.checks.invoked_once(Instant(self.now), once, number, &drawn);
        Wanted { bytes, purpose: Purpose::Do { sequence, once } }
    }

    /// The client will not hear what became of an attempt: with a session it sends the same again.
    pub(super) fn despair(&mut self, number: u32) {
        let abandons = self.choice(number, Choice::Abandon).chance(ABANDONED);
        let client = &mut self.clients[number as usize];
        match client.asks.as_ref().map(|asked| asked.purpose) {
            Some(Purpose::Do { .. }) if !abandons => self.checks.note(Situation::SessionRepeated),
            Some(Purpose::Open | Purpose::Close) if !abandons => {}
            Some(Purpose::Do { .. } | Purpose::Open | Purpose::Close) => {
                (client.asks, client.session) = (None, None);
            }
            Some(Purpose::Command | Purpose::Read { .. }) | None => client.asks = None,
        }
    }

    /// A client is told what came of what it asked for.
    pub(super) fn heard(
        &mut self,
        number: u32,
        outcome: Outcome,
        output: Option<&Bytes>,
    ) -> Result<Settled, Violation> {
        let at = Instant(self.now);
        let client = &mut self.clients[number as usize];
        let Some(Wanted { purpose, .. }) = client.asks.take() else { return Ok(Settled::Yes) };
        let given = || output.map_or_else(|| Told::Wrong("nothing".to_owned()), told);
        match purpose {
            Purpose::Command => Ok(Settled::Yes),
            Purpose::Read { once } => {
                if self.plan.workload.sessions > 0 {
                    self.checks.answered_once(at, once, outcome, output);
                }
                Ok(Settled::Yes)
            }
            Purpose::Do { sequence, once } => match given() {
                Told::Output(output) => {
                    if let Some(session) = &mut client.session {
                        session.answered(sequence);
                    }
                    self.checks.note(Situation::SessionUsed);
                    self.checks.answered_once(at, once, outcome, Some(&output));
                    Ok(Settled::Yes)
                }
                told => self.without_session(number, &told, &Told::Expired),
            },
            Purpose::Close => self.without_session(number, &given(), &Told::Closed),
            Purpose::Open => match given() {
                Told::Opened(id) => {
                    client.session = Some(Session::new(id, NonZeroU64::MIN));
                    Ok(Settled::No)
                }
                told => Err(self.wrongly_told(number, &told)),
            },
        }
    }

    /// The client has no session any more, if it was told what it may be told then.
    fn without_session(
        &mut self,
        number: u32,
        told: &Told,
        expected: &Told,
    ) -> Result<Settled, Violation> {
        if told != expected {
            return Err(self.wrongly_told(number, told));
        }
        if *told == Told::Expired {
            self.checks.note(Situation::SessionExpired);
        }
        self.clients[number as usize].session = None;
        Ok(Settled::No)
    }

    #[cold]
    fn wrongly_told(&self, number: u32, told: &Told) -> Violation {
        let witness = format!(
            "client {number}, which waits for each command of its session in turn, is told {told:?}"
        );
        Violation::new(Property::ExactlyOnce, Instant(self.now), &[] as &[NodeId], witness)
    }
}

impl Client {
    /// What the client asks for cannot be taken: it asks for something else.
    pub(super) fn forget(&mut self) {
        let asked = self.asks.take();
        if let (Some(Purpose::Do { sequence, .. }), Some(session)) =
            (asked.map(|asked| asked.purpose), &mut self.session)
        {
            session.answered(sequence);
        }
    }
}
