//! Who stood, who won and who voted for whom, in every term of the run; which hashes logs had where.

use raft_core::{LogIndex, NodeId, Term};

use super::mirror::{Link, place};
use super::ordered::Ordered;

/// One term.
#[derive(Clone, Copy, Debug, Default)]
struct Election {
    leader: Option<NodeId>,
    /// A bit for the place of each node that asked for votes.
    candidates: u64,
}

/// Every term in which somebody stood or led.
#[derive(Debug, Default)]
pub(crate) struct Elections {
    terms: Ordered<Term, Election>,
    /// How many terms had a leader.
    pub(crate) won: u64,
    /// How many of them had another leader than the won term before.
    pub(crate) changes: u64,
    last_winner: Option<NodeId>,
}

/// Whether a claim to lead was news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The term had no leader until now; `Change::Other` if another node led before.
    First(Change),
    /// It is the leader of the term already.
    Again,
    /// The term has this other leader.
    Rival(NodeId),
}

/// Whether a new leader is another than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Same,
    Other,
}

impl Elections {
    pub(crate) fn stands(&mut self, term: Term, place: usize) {
        self.terms.or_insert(term, Election::default()).candidates |= 1 << (place % 64);
    }

    pub(crate) fn leads(&mut self, term: Term, node: NodeId) -> Claimed {
        let election = self.terms.or_insert(term, Election::default());
        match election.leader {
            Some(leader) if leader == node => Claimed::Again,
            Some(leader) => Claimed::Rival(leader),
            None => {
                election.leader = Some(node);
                self.won += 1;
                let before = self.last_winner.replace(node);
                if before.is_some_and(|before| before != node) {
                    self.changes += 1;
                    Claimed::First(Change::Other)
                } else {
                    Claimed::First(Change::Same)
                }
            }
        }
    }

    pub(crate) fn leader(&self, term: Term) -> Option<NodeId> {
        self.terms.get(term)?.leader
    }

    /// How many terms were over without a leader although two or more stood. The last term is not over.
    pub(crate) fn split_votes(&self) -> u64 {
        let over = self.terms.iter().rev().skip(1);
        over.filter(|(_, term)| term.leader.is_none() && term.candidates.count_ones() > 1).count()
            as u64
    }
}

/// Which hash logs had at each index and term: there may be only one (Log Matching).
#[derive(Debug, Default)]
pub(crate) struct KnownEntries {
    /// The first link seen at each index, and where further ones of other terms are.
    first: Vec<(Link, Option<usize>)>,
    more: Vec<(Link, Option<usize>)>,
}

impl KnownEntries {
    /// Whether no log ever had another prefix at this index and term. `index` is at most one beyond the
    /// greatest that was given before.
    pub(crate) fn matches(&mut self, index: LogIndex, link: Link) -> bool {
        let Some(place) = place(index) else { return true };
        let Some((mut known, mut next)) = self.first.get(place).copied() else {
            debug_assert!(place == self.first.len());
            self.first.push((link, None));
            return true;
        };
        let head = next;
        while known.term != link.term {
            let Some(place_of_next) = next else {
                self.more.push((link, head));
                self.first[place].1 = Some(self.more.len() - 1);
                return true;
            };
            (known, next) = self.more[place_of_next];
        }
        known.chain == link.chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: one leader a term, in whatever order terms are heard of; split votes are those of past terms.
    #[test]
    fn elections_remember_all_terms() {
        let (one, two) = (NodeId(1), NodeId(2));
        let mut elections = Elections::default();
        assert_eq!(elections.leads(Term(5), one), Claimed::First(Change::Same));
        assert_eq!(elections.leads(Term(5), one), Claimed::Again);
        assert_eq!(elections.leads(Term(3), two), Claimed::First(Change::Other));
        assert_eq!(elections.leads(Term(5), two), Claimed::Rival(one));
        for place in [0, 1, 1] {
            elections.stands(Term(7), place);
        }
        assert_eq!(elections.split_votes(), 0, "the last term may still be won");
        elections.stands(Term(8), 0);
        assert_eq!(elections.split_votes(), 1);
        assert_eq!((elections.won, elections.changes), (2, 1));
    }

    /// Goal: one prefix for each index and term, any number of terms at an index.
    #[test]
    fn an_index_and_a_term_have_one_prefix() {
        let link = |term, chain| Link { term: Term(term), chain, bytes: 0 };
        let mut known = KnownEntries::default();
        for (term, chain) in [(1, 10), (2, 20), (4, 40), (3, 30)] {
            assert!(known.matches(LogIndex(1), link(term, chain)));
            assert!(known.matches(LogIndex(1), link(term, chain)));
        }
        assert!(known.matches(LogIndex(2), link(1, 10)));
        for term in 1..5 {
            assert!(!known.matches(LogIndex(1), link(term, 99)));
        }
    }
}
