//! What a node may do in a step: restart, stand for election, learn of a later term, give a vote, win, append as a leader, take
//! entries or a snapshot as a follower, commit.
//!
//! Nothing, and several of these in a row, are allowed as well. Each is recognised by what it changes.

use raft_core::{LogIndex, LogPosition, Membership, NodeId, Role, Term};

use super::log::Log;
use super::node::Node;
use super::{Departure, Spec};
use crate::raft::{Claim, Facts, Raft, View};

type Allowed = Result<(), Departure>;

fn require(holds: bool, otherwise: impl FnOnce() -> Departure) -> Allowed {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Spec {
    /// Restart: a node knows what its disk holds, follows, and takes for committed what is.
    pub(super) fn restarted(&mut self, place: usize, view: &View) -> Allowed {
        let Node { id, term, vote, log, .. } = &self.nodes[place];
        let is_as_disk = (view.term, view.vote, view.last) == (*term, *vote, log.last());
        require(is_as_disk && view.role == Role::Follower, || {
            format!("{id} restarts with another term, vote or log than its disk holds")
        })?;
        require(self.committed.equals_up_to(log, view.commit), || {
            format!("{id} restarts with a commit index, {}, that is not known", view.commit)
        })?;
        self.nodes[place].commit = view.commit;
        Ok(())
    }

    /// What a step has changed, one thing after the other.
    pub(super) fn follow<R: Raft>(&mut self, place: usize, view: &View, raft: &R) -> Allowed {
        self.leave_office(place, view);
        self.follow_term(place, view)?;
        self.follow_vote(place, view)?;
        let commits = view.commit != self.nodes[place].commit;
        let before = commits.then(|| self.membership(place).clone());
        self.follow_log(place, view, raft)?;
        self.follow_role(place, view)?;
        if let Some(before) = before {
            self.follow_commit(place, view, &before)?;
        }
        let node = &mut self.nodes[place];
        (node.term, node.vote, node.role, node.commit) =
            (view.term, view.vote, view.role, view.commit);
        Ok(())
    }

    /// A leader's log is remembered: what it sent may still arrive.
    fn leave_office(&mut self, place: usize, view: &View) {
        let Node { term, role, log, .. } = &self.nodes[place];
        if *role == Role::Leader && view.term != *term {
            self.history.era(*term).left = Some(log.clone());
        }
    }

    /// Whether a node leads the term that it is in now, or did until the end of the step.
    fn leads(&self, place: usize, view: &View) -> bool {
        view.role == Role::Leader || self.nodes[place].leads(view.term)
    }

    /// The log of the leader of a term, up to the last that it appended.
    pub(super) fn leader_log(&self, term: Term) -> Option<&Log> {
        let era = self.history.of(term)?;
        let node = &self.nodes[self.place(era.leader?)?];
        if node.leads(term) { Some(&node.log) } else { era.left.as_ref() }
    }

    /// A term begins with a node that stands; others learn of it by a message.
    fn follow_term(&mut self, place: usize, view: &View) -> Allowed {
        let Node { id, term, heard, .. } = &self.nodes[place];
        let (id, term) = (*id, *term);
        require(view.term >= term, || format!("{id} went from {term} back to {}", view.term))?;
        if view.term == term {
            return Ok(());
        }
        let told = heard.filter(|heard| !matches!(heard.claim, Claim::AskPreVote { .. }));
        let told = told.map_or(Term::ZERO, |heard| heard.term);
        let stands = view.vote == Some(id) && Some(view.term) == term.max(told).next();
        require(stands || view.term == told, || {
            format!("{id} went from {term} to {}, of which nobody told it", view.term)
        })?;
        if stands {
            let stood = (id, self.nodes[place].log.last());
            self.history.era(view.term).stood.push(stood);
        }
        require(self.history.has(view.term), || {
            format!("{id} learnt of {}, which nobody has begun", view.term)
        })
    }

    /// One vote a term: for oneself as one stands, or for somebody who asked and whose log is no older (paper §5.4.1).
    fn follow_vote(&self, place: usize, view: &View) -> Allowed {
        let Node { id, term, vote, log, .. } = &self.nodes[place];
        let before = vote.filter(|_| *term == view.term);
        let Some(candidate) = view.vote.filter(|_| view.vote != before) else {
            return require(view.vote == before, || format!("{id} took its vote of {term} back"));
        };
        require(before.is_none(), || format!("{id} voted twice in {term}"))?;
        if candidate == *id {
            return require(view.term > *term, || {
                format!("{id} votes for itself in {term}, in which it does not stand")
            });
        }
        let own = log.last();
        let is_entitled = |(of, last): &(NodeId, LogPosition)| *of == candidate && *last >= own;
        let era = self.history.of(view.term);
        require(era.is_some_and(|era| era.asked.iter().any(is_entitled)), || {
            format!(
                "{id}, whose log ends at {own}, voted for {candidate} in {}, which has not asked for it with a log as \
                 good",
                view.term
            )
        })
    }

    fn follow_log<R: Raft>(&mut self, place: usize, view: &View, raft: &R) -> Allowed {
        self.install(place, view)?;
        let log = &mut self.nodes[place].log;
        let last = log.last_index();
        let kept = log.common(view.last.index, |index| raft.term(index));
        if (kept, kept) == (last, view.last.index) {
            return Ok(());
        }
        // The first that is removed, by its term.
        let removed = log.at(kept.next());
        log.take(kept, view.last.index, |index| (raft.term(index), raft.entry(index)));
        if self.leads(place, view) {
            self.append::<R>(place, view, kept, removed)?;
        } else {
            self.take_entries(place, view, kept, removed)?;
        }
        self.go_by(place, raft.membership())
    }

    /// The membership in force is the last in the log, committed or not (thesis §4.1).
    fn go_by(&self, place: usize, in_force: &Membership) -> Allowed {
        let Node { id, .. } = &self.nodes[place];
        require(**self.membership(place) == *in_force, || {
            format!("{id} goes by another membership than the last in its log")
        })
    }

    /// A snapshot of what is committed, which a leader has sent, takes the place of a log (paper §7).
    fn install(&mut self, place: usize, view: &View) -> Allowed {
        let Node { id, log, .. } = &self.nodes[place];
        if log.holds(view.base) {
            return Ok(());
        }
        require(self.committed.holds(view.base), || {
            format!("{id} begins its log after {}, which is not committed", view.base)
        })?;
        require(self.history.was_sent(view.base, view.term), || {
            format!("{id} begins its log after {}, but was sent no such snapshot", view.base)
        })?;
        self.nodes[place].log.begin_with(&self.committed, view.base.index);
        Ok(())
    }

    /// A leader adds entries of its term at the end, and removes none (paper Figure 3); memberships one after the other.
    fn append<R: Raft>(
        &self,
        place: usize,
        view: &View,
        kept: LogIndex,
        removed: Option<Term>,
    ) -> Allowed {
        let Node { id, log, .. } = &self.nodes[place];
        let first = kept.next();
        require(removed.is_none(), || {
            format!("{id} leads {} and removed {first} from its log", view.term)
        })?;
        require(log.at(first) == Some(view.term) && log.last().term == view.term, || {
            format!("{id} leads {} and appended entries of other terms at {first}", view.term)
        })?;
        for (before, (index, membership)) in log.memberships_after(kept) {
            let (since, before) = match before {
                Some((since, before)) => (*since, before),
                None => (LogIndex::ZERO, &self.initial),
            };
            let is_committed = since <= view.commit
                && (before.is_joint()
                    || R::may_change_early()
                    || log.at(view.commit) == Some(view.term));
            require(is_committed && may_follow(before, membership), || {
                format!(
                    "{id} changed the membership at {index}, before it might or to what may not follow"
                )
            })?;
        }
        Ok(())
    }

    /// A follower takes entries that its leader sent, where it holds the entry before them, and removes what contradicts
    /// them (paper §5.3).
    fn take_entries(
        &self,
        place: usize,
        view: &View,
        kept: LogIndex,
        removed: Option<Term>,
    ) -> Allowed {
        let Node { id, log, heard, .. } = &self.nodes[place];
        let wrong = |why: &str| format!("{id}'s log changed after {kept}, but {why}");
        let sent = heard.and_then(|heard| match heard {
            Facts { term, claim: Claim::Append { previous, entries, .. }, .. }
                if term == view.term =>
            {
                Some((previous, LogIndex(previous.index.0 + u64::from(entries))))
            }
            _ => None,
        });
        let Some((previous, last)) = sent else {
            return Err(wrong("it was sent no entries by the leader of its term"));
        };
        require(previous.index <= kept.max(log.base()) && log.holds(previous), || {
            wrong("it does not hold the entry before those that it was sent")
        })?;
        let Some(leaders) = self.leader_log(view.term) else {
            return Err(wrong("nobody leads its term"));
        };
        let taken = log.last_index();
        require(taken <= last && log.equals_up_to(leaders, taken), || {
            wrong("not to what it was sent")
        })?;
        require(removed.is_none() || leaders.at(kept.next()) != removed, || {
            wrong("what it removed does not contradict the leader's log")
        })
    }

    /// A candidate wins with the votes of a quorum, its own on its disk (paper §5.2), and nobody else leads the term.
    fn follow_role(&mut self, place: usize, view: &View) -> Allowed {
        let Node { id, term, role, log, disk, .. } = &self.nodes[place];
        let id = *id;
        if *role == Role::Leader && *term == view.term && view.role != Role::Leader {
            self.history.era(view.term).left = Some(log.clone());
            return Ok(());
        }
        if view.role != Role::Leader || (*role == Role::Leader && *term == view.term) {
            return Ok(());
        }
        let own = (disk.term, disk.vote) == (view.term, Some(id));
        let membership = self.membership(place).clone();
        let era = self.history.era(view.term);
        let votes = |voter| if voter == id { own } else { era.votes.contains(&(voter, id)) };
        require(membership.reached_by_quorum(votes) == Some(true), || {
            format!("{id} leads {} without the votes of a quorum", view.term)
        })?;
        let leader = *era.leader.get_or_insert(id);
        require(leader == id, || format!("{id} leads {}, which {leader} led", view.term))
    }

    /// A leader commits an entry of its term that a quorum holds on disk, and all before it (paper §5.4.2); others what a
    /// leader has told them, as far as they hold its log, or what a snapshot stands for.
    fn follow_commit(&mut self, place: usize, view: &View, before: &Membership) -> Allowed {
        let Node { id, log, commit, disk, .. } = &self.nodes[place];
        let (id, index) = (*id, view.commit);
        require(index > *commit, || format!("{id}'s commit index fell to {index}"))?;
        let known = index.min(self.committed.last_index());
        require(log.equals_up_to(&self.committed, known), || {
            format!("{id} commits {index}, and its log is not what is committed up to {known}")
        })?;
        let era = self.history.of(view.term);
        if !self.leads(place, view) {
            let told = era.map_or(LogIndex::ZERO, |era| era.told(id));
            let leaders = self.leader_log(view.term);
            let is_told = index <= told && leaders.is_some_and(|it| log.equals_up_to(it, index));
            let position = LogPosition::new(log.at(index).unwrap_or_default(), index);
            let is_installed = self.history.was_sent(position, view.term);
            return require(index == known && (is_told || is_installed), || {
                format!("{id} takes {index} for committed, which it was not told or does not hold")
            });
        }
        require(log.at(index) == Some(view.term), || {
            format!("{id} leads {} and commits {index}, of another term", view.term)
        })?;
        let holds = |voter: NodeId| {
            if voter == id {
                disk.log.equals_up_to(log, index)
            } else {
                era.is_some_and(|era| era.acknowledged(voter) >= index)
            }
        };
        let after = self.membership(place);
        let is_held = [before, after].map(|members| members.reached_by_quorum(holds));
        require(is_held.contains(&Some(true)), || {
            format!("{id} commits {index}, which no quorum has acknowledged")
        })?;
        if index > known {
            self.committed.extend(log, index);
        }
        Ok(())
    }
}

/// Whether any majority of the one shares a node with any of the other: into a joint membership of both, out of it, or
/// by one voter (thesis §4.2, §4.3).
fn may_follow(before: &Membership, next: &Membership) -> bool {
    match (before.is_joint(), next.is_joint()) {
        (true, true) => false,
        (true, false) => before.voters() == next.voters(),
        (false, true) => before.voters() == next.outgoing(),
        (false, false) => {
            let leave = before.voters().iter().filter(|id| !next.is_voter(**id)).count();
            let come = next.voters().iter().filter(|id| !before.is_voter(**id)).count();
            leave + come <= 1
        }
    }
}
