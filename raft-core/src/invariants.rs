//! What must hold of a node between steps. Checked after every step in builds with debug assertions, and
//! by the simulator after every step in any build. `docs/INVARIANTS.md` explains each by its number.

use crate::replica::Replica;
use crate::role::RoleState;

/// The first invariant that does not hold, in words.
pub(crate) fn check(replica: &Replica, role: &RoleState) -> Result<(), &'static str> {
    let log = &replica.log;
    let [base, durable, submitted, last] = log.marks();
    require(
        base <= durable && durable <= submitted && submitted <= last,
        "INV-11: base <= durable <= submitted <= last",
    )?;
    require(base <= log.commit() && log.commit() <= last, "INV-4: base <= commit <= last")?;
    require(
        log.last().term <= replica.term(),
        "INV-12: no entry is of a later term than the node's",
    )?;
    let machine = &replica.machine;
    require(
        machine.applied <= machine.handed && machine.handed <= log.commit(),
        "INV-8: applied <= handed <= commit",
    )?;
    require(log.cached_first() <= durable.next(), "INV-20: what is not durable is in memory")?;
    require(
        replica.snapshot.position.index >= base,
        "INV-19: the log begins at or before the snapshot",
    )?;
    let limit = replica.config.max_pending_requests;
    require(replica.pending.len() as u64 <= limit, "INV-13: pending requests are bounded")?;
    let is_follower = matches!(role, RoleState::Follower(_));
    require(
        is_follower || !replica.lane.is_installing(),
        "INV-21: a node that installs a snapshot follows",
    )?;
    match role {
        RoleState::Follower(_) => Ok(()),
        RoleState::PreCandidate(_) => {
            require(replica.is_electable(), "INV-14: only voters campaign")
        }
        RoleState::Candidate(_) => {
            require(replica.is_electable(), "INV-14: only voters campaign")?;
            require(
                replica.hard_state.vote == Some(replica.id()),
                "INV-15: a candidate votes for itself",
            )
        }
        RoleState::Leader(leader) => {
            require(
                replica.hard_state.vote == Some(replica.id()),
                "INV-15: a leader voted for itself",
            )?;
            require(
                replica.is_hard_state_durable(),
                "INV-16: a leader's term and vote are durable",
            )?;
            require(
                log.last().term == replica.term(),
                "INV-17: a leader has an entry of its own term",
            )?;
            let (messages, _) = leader.max_inflight();
            require(messages <= replica.config.max_inflight_messages, "INV-18: windows are kept")
        }
    }
}

fn require(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}
