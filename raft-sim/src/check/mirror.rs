//! A log as the checks remember it: a term and a hash of the whole prefix for each entry.
//!
//! Two mirrors that are equal at an index are equal up to it, so that comparing logs costs a comparison of
//! two numbers. A mirror starts at index 1 and forgets nothing when its node compacts its log.

use std::sync::Arc;

use raft_core::{Entry, LogIndex, LogPosition, Membership, Payload, Term};

use crate::hash::chained;

/// What is remembered of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) term: Term,
    /// The hash of all entries up to this one.
    pub(crate) chain: u64,
    /// What all entries up to this one count against budgets of bytes.
    pub(crate) bytes: u64,
}

/// A remembered log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mirror {
    links: Vec<Link>,
    /// Where its terms begin, in log order. Terms never fall.
    terms: Vec<(Term, LogIndex)>,
    /// The memberships in it, in log order.
    memberships: Vec<Dated>,
}

/// A membership with the index of its entry.
type Dated = (LogIndex, Arc<Membership>);

/// The place of an index in a vector that starts at index 1.
pub(crate) fn place(index: LogIndex) -> Option<usize> {
    usize::try_from(index.0.checked_sub(1)?).ok()
}

impl Mirror {
    pub(crate) fn last_index(&self) -> LogIndex {
        LogIndex(self.links.len() as u64)
    }

    pub(crate) fn last(&self) -> LogPosition {
        LogPosition::new(self.links.last().copied().unwrap_or_default().term, self.last_index())
    }

    /// What is remembered of the entry at an index; of the beginning, at index 0.
    pub(crate) fn at(&self, index: LogIndex) -> Option<Link> {
        match place(index) {
            None => Some(Link::default()),
            Some(place) => self.links.get(place).copied(),
        }
    }

    /// Whether both reach `index` and are equal up to it.
    pub(crate) fn equals_up_to(&self, other: &Self, index: LogIndex) -> bool {
        self.at(index).is_some_and(|link| other.at(index) == Some(link))
    }

    /// What the entries after `index` count against budgets of bytes.
    pub(crate) fn bytes_after(&self, index: LogIndex) -> u64 {
        let all = self.links.last().copied().unwrap_or_default().bytes;
        self.at(index).map_or(0, |link| all - link.bytes)
    }

    /// The last entry of a term before `term`.
    pub(crate) fn last_before(&self, term: Term) -> LogIndex {
        let later = self.terms.iter().rev().take_while(|(begun, _)| *begun >= term);
        later.last().map_or(self.last_index(), |(_, first)| first.previous())
    }

    pub(crate) fn append(&mut self, entry: &Entry) -> Link {
        let previous = self.links.last().copied().unwrap_or_default();
        let link = Link {
            term: entry.term,
            chain: chained(previous.chain, entry.term, &entry.payload),
            bytes: previous.bytes + entry.size(),
        };
        self.links.push(link);
        if link.term != previous.term || self.links.len() == 1 {
            self.terms.push((link.term, self.last_index()));
        }
        if let Payload::Membership(membership) = &entry.payload {
            self.memberships.push((self.last_index(), membership.clone()));
        }
        link
    }

    /// Removes everything after `keep`.
    pub(crate) fn truncate(&mut self, keep: LogIndex) {
        self.links.truncate(place(keep.next()).unwrap_or(usize::MAX));
        self.terms.truncate(up_to(&self.terms, |(_, first)| *first, keep));
        self.memberships.truncate(up_to(&self.memberships, |(index, _)| *index, keep));
    }

    /// Becomes equal to `other`, at the cost of what differs.
    pub(crate) fn follow(&mut self, other: &Self) {
        let mut common = self.last_index().min(other.last_index());
        while !self.equals_up_to(other, common) {
            common = common.previous();
        }
        self.truncate(common);
        self.extend_from(other, common, other.last_index());
    }

    /// Takes over what `other` holds in `(after, through]`; both are equal up to `after`.
    pub(crate) fn extend_from(&mut self, other: &Self, after: LogIndex, through: LogIndex) {
        let place_after = |index: LogIndex| place(index.next()).unwrap_or(usize::MAX);
        self.links.extend_from_slice(&other.links[place_after(after)..place_after(through)]);
        let terms = |index| up_to(&other.terms, |(_, first)| *first, index);
        self.terms.extend_from_slice(&other.terms[terms(after)..terms(through)]);
        let members = |index| up_to(&other.memberships, |(at, _)| *at, index);
        self.memberships.extend_from_slice(&other.memberships[members(after)..members(through)]);
    }

    /// Begins like `other`, up to `index`: keeps the rest only if it goes on from there.
    pub(crate) fn begin_with(&mut self, other: &Self, index: LogIndex) {
        if self.equals_up_to(other, index) {
            return;
        }
        let mut common = LogIndex::ZERO;
        raise_agreement_up_to(&mut common, self, other, index);
        self.truncate(common);
        self.extend_from(other, common, index);
    }

    /// The memberships in `(after, through]`, each with the one before it, if that is in the log too.
    pub(crate) fn memberships_in(
        &self,
        after: LogIndex,
        through: LogIndex,
    ) -> impl Iterator<Item = (Option<&Dated>, &Dated)> {
        let place = |index| up_to(&self.memberships, |(at, _)| *at, index);
        (place(after)..place(through)).map(|this| {
            (this.checked_sub(1).map(|before| &self.memberships[before]), &self.memberships[this])
        })
    }

    /// The membership as of an index.
    pub(crate) fn membership_at(&self, index: LogIndex) -> Option<&Arc<Membership>> {
        let after = up_to(&self.memberships, |(at, _)| *at, index);
        after.checked_sub(1).map(|place| &self.memberships[place].1)
    }

    /// The last membership in the log, with its index.
    pub(crate) fn membership(&self) -> Option<&Dated> {
        self.memberships.last()
    }

    /// The last membership but one.
    pub(crate) fn membership_before(&self) -> Option<&Arc<Membership>> {
        let (_, before) = self.memberships.split_last()?;
        before.last().map(|(_, membership)| membership)
    }
}

/// How many of the items, in log order, lie at or before an index. Nearly always it is asked for the end of the log.
fn up_to<T>(items: &[T], at: impl Fn(&T) -> LogIndex, index: LogIndex) -> usize {
    items.len() - items.iter().rev().take_while(|item| at(item) > index).count()
}

/// The same, but not beyond `limit`.
fn raise_agreement_up_to(agreed: &mut LogIndex, log: &Mirror, other: &Mirror, limit: LogIndex) {
    while *agreed < limit && log.equals_up_to(other, agreed.next()) {
        *agreed = agreed.next();
    }
}

/// Moves `agreed`, an index up to which `log` equals `other`, as far up as it will go. Costs constant
/// time for each index gained.
pub(crate) fn raise_agreement(agreed: &mut LogIndex, log: &Mirror, other: &Mirror) {
    let top = log.last_index().min(other.last_index());
    if log.equals_up_to(other, top) {
        *agreed = top;
        return;
    }
    while log.equals_up_to(other, agreed.next()) {
        *agreed = agreed.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::NodeId;

    fn log(terms: &[u64]) -> Mirror {
        let mut mirror = Mirror::default();
        for term in terms {
            mirror.append(&Entry { term: Term(*term), payload: Payload::Blank });
        }
        mirror
    }

    /// Goal: equality at an index is equality up to it, and agreement is found however logs differ.
    #[test]
    fn agreement_is_the_common_prefix() {
        let cases: [(&[u64], &[u64], u64); 5] = [
            (&[], &[1], 0),
            (&[1, 1], &[1, 1, 2], 2),
            (&[1, 2], &[1, 3], 1),
            (&[2], &[1], 0),
            (&[1], &[1], 1),
        ];
        for (left, right, common) in cases {
            let (left, right) = (log(left), log(right));
            let mut agreed = LogIndex::ZERO;
            raise_agreement(&mut agreed, &left, &right);
            assert_eq!(agreed, LogIndex(common));
        }
        assert!(
            !log(&[1, 2, 3]).equals_up_to(&log(&[1, 1, 3]), LogIndex(3)),
            "same term, other prefix"
        );
    }

    /// Goal: following another log takes over its entries and memberships, whatever was there before.
    #[test]
    fn following_takes_over_entries_and_memberships() {
        let member = |node| {
            let membership = Membership::of_voters([NodeId(node)]).expect("one voter");
            Entry { term: Term(2), payload: Payload::Membership(Arc::new(membership)) }
        };
        let (mut left, mut right) = (log(&[1, 1]), log(&[1, 1]));
        left.append(&member(1));
        right.append(&member(2));
        right.append(&member(3));
        left.follow(&right);
        assert!(left.equals_up_to(&right, LogIndex(4)));
        assert_eq!(left.membership(), right.membership());
        assert_eq!(left.membership_before(), right.membership_before());
        left.follow(&log(&[1]));
        assert_eq!(
            (left.last(), left.membership()),
            (LogPosition::new(Term(1), LogIndex(1)), None)
        );
    }
}
