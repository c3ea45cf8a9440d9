//! What becomes of each message.
//!
//! A fate is drawn by what the message is: its link, its kind, the sender's term, and how many of its
//! kind went before it. One more message of another kind, on another link or in another term changes no
//! other fate.
//!
//! Invariant: within a fate every question has a draw of its own, so making one profile value milder
//! does not change the answers to the others.

use raft_core::{Term, Ticks};

use crate::draw::{Domain, Draw};
use crate::plan::{Fate, Network, Override};
use crate::raft::Facts;

/// Whether the network may do what its profile says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Messages are lost, slow and repeated as the profile and the plan's list say.
    Rough,
    /// Every message arrives once, and soon, listed or not.
    Fair {
        /// The longest a message travels.
        longest: u64,
    },
}

/// How many kinds of messages there may be.
const KINDS: usize = 32;

/// Links are numbered by sender and receiver, eight receivers a sender.
pub(crate) const fn link(from: usize, to: usize) -> usize {
    from * 8 + to
}

/// The messages of one kind on one link in the current term.
#[derive(Clone, Debug)]
struct Series {
    term: Option<Term>,
    count: u64,
    draws: Draw,
}

/// The source of fates for one run.
#[derive(Debug)]
pub(crate) struct Fates {
    seed: u64,
    profile: Network,
    series: Vec<Series>,
    /// Sorted by [`key`].
    listed: Vec<Override>,
}

/// The questions whose answers make up a fate, each with a range of bits of its own.
const CHANCE_BITS: u32 = 21;

fn chance(word: u64, question: u32, per_million: u32) -> bool {
    let bits = (word >> (question * CHANCE_BITS)) & ((1 << CHANCE_BITS) - 1);
    bits * 1_000_000 < u64::from(per_million) << CHANCE_BITS
}

fn key(item: &Override) -> (u64, u64, u8, Term, u64) {
    (item.from.0, item.to.0, item.kind.number(), item.term, item.nth)
}

impl Fates {
    pub(crate) fn new(seed: u64, nodes: usize, profile: Network, overrides: &[Override]) -> Self {
        let mut listed = overrides.to_vec();
        listed.sort_by_key(key);
        let unused = Series { term: None, count: 0, draws: Draw::new(seed, Domain::Message, &[]) };
        Self { seed, profile, series: vec![unused; nodes * 8 * KINDS], listed }
    }

    /// The fate of the next message of this kind on this link in this term, and how many went before it.
    pub(crate) fn next(&mut self, facts: &Facts, link: usize, weather: Weather) -> (u64, Fate) {
        let kind = usize::from(facts.kind) % KINDS;
        let series = &mut self.series[link * KINDS + kind];
        if series.term != Some(facts.term) {
            let key = [link as u64, u64::from(facts.kind), facts.term.0];
            *series = Series {
                term: Some(facts.term),
                count: 0,
                draws: Draw::new(self.seed, Domain::Message, &key),
            };
        }
        let nth = series.count;
        series.count += 1;
        let mut draws = series.draws.fork(nth);
        let listed = self.listed(facts, nth, weather);
        let fate = listed.unwrap_or_else(|| match weather {
            Weather::Rough => rough(&self.profile, &mut draws),
            Weather::Fair { longest } => {
                draws.bits();
                Fate::Once { delay: Ticks(self.profile.delay.capped(longest).draw(&mut draws)) }
            }
        });
        (nth, fate)
    }

    /// Whether a message has a fate that the plan lists.
    pub(crate) fn lists(&self, facts: &Facts, nth: u64, weather: Weather) -> bool {
        self.listed(facts, nth, weather).is_some()
    }

    /// The listed fate of a message. In fair weather only one that is fair counts.
    fn listed(&self, facts: &Facts, nth: u64, weather: Weather) -> Option<Fate> {
        if self.listed.is_empty() {
            return None;
        }
        let wanted = (facts.from.0, facts.to.0, facts.kind, facts.term, nth);
        let found = self.listed.binary_search_by_key(&wanted, key).ok()?;
        let fate = self.listed[found].fate;
        let counts = match (weather, fate) {
            (Weather::Rough, _) => true,
            (Weather::Fair { longest }, Fate::Once { delay }) => delay.0 <= longest,
            (Weather::Fair { .. }, _) => false,
        };
        counts.then_some(fate)
    }
}

fn rough(profile: &Network, draws: &mut Draw) -> Fate {
    let word = draws.bits();
    if chance(word, 0, profile.loss_per_million) {
        return Fate::Lost;
    }
    let span =
        if chance(word, 1, profile.slow.per_million) { profile.slow.takes } else { profile.delay };
    let delay = Ticks(span.draw(draws));
    if chance(word, 2, profile.duplicate_per_million) {
        // A copy may be as late as the slowest message.
        let late = profile.slow.per_million > 0 && word >> 63 == 1;
        let again = if late { profile.slow.takes } else { profile.delay };
        return Fate::Twice { delay, again: Ticks(again.draw(&mut draws.fork(0))) };
    }
    Fate::Once { delay }
}

#[cfg(test)]
mod tests {
    use raft_core::NodeId;

    use super::*;
    use crate::plan::{MessageKind, Order, Rare, Span};
    use crate::raft::Claim;

    fn profile() -> Network {
        Network {
            gather: Ticks(0),
            leave: Span::exactly(0),
            delay: Span::new(100, 100_000),
            slow: Rare { per_million: 50_000, takes: Span::new(100_000, 900_000) },
            loss_per_million: 200_000,
            duplicate_per_million: 100_000,
            malformed_per_million: 0,
            order: Order::Any,
        }
    }

    fn facts(kind: MessageKind, term: u64) -> Facts {
        let kind = kind.number();
        Facts {
            from: NodeId(1),
            to: NodeId(2),
            term: Term(term),
            kind,
            name: "",
            claim: Claim::Nothing,
        }
    }

    fn series(fates: &mut Fates, facts: &Facts, link: usize) -> Vec<Fate> {
        (0..200).map(|_| fates.next(facts, link, Weather::Rough).1).collect()
    }

    /// Every part of the key tells fates apart, and the same key gives the same fates.
    #[test]
    fn fates_differ_by_key_and_by_nothing_else() {
        let votes = facts(MessageKind::RequestVote, 3);
        let fresh = |seed, facts: &Facts, link| {
            series(&mut Fates::new(seed, 3, profile(), &[]), facts, link)
        };
        let first = fresh(1, &votes, link(0, 1));
        assert_eq!(first, fresh(1, &votes, link(0, 1)));
        assert_ne!(first, fresh(2, &votes, link(0, 1)));
        assert_ne!(first, fresh(1, &votes, link(0, 2)));
        assert_ne!(first, fresh(1, &facts(MessageKind::RequestVote, 4), link(0, 1)));
        assert_ne!(first, fresh(1, &facts(MessageKind::VoteReply, 3), link(0, 1)));
        assert!(first.contains(&Fate::Lost));
        assert!(first.iter().any(|fate| matches!(fate, Fate::Twice { .. })));
    }

    /// Another kind of message in between changes no fate: what replay across versions rests on.
    #[test]
    fn one_more_message_kind_changes_no_other_fate() {
        let votes = facts(MessageKind::RequestVote, 3);
        let alone = series(&mut Fates::new(1, 3, profile(), &[]), &votes, link(0, 1));
        let mut fates = Fates::new(1, 3, profile(), &[]);
        let mut mixed = Vec::new();
        for _ in 0..200 {
            fates.next(&facts(MessageKind::StaleTerm, 3), link(0, 1), Weather::Rough);
            mixed.push(fates.next(&votes, link(0, 1), Weather::Rough).1);
            fates.next(&votes, link(0, 2), Weather::Rough);
        }
        assert_eq!(alone, mixed);
    }

    /// Without loss the messages that arrived before arrive as before.
    #[test]
    fn a_milder_profile_keeps_the_other_answers() {
        let votes = facts(MessageKind::RequestVote, 3);
        let harsh = series(&mut Fates::new(1, 3, profile(), &[]), &votes, link(0, 1));
        let mild = Network { loss_per_million: 0, ..profile() };
        let mild = series(&mut Fates::new(1, 3, mild, &[]), &votes, link(0, 1));
        for (harsh, mild) in harsh.iter().zip(&mild) {
            assert!(*harsh == Fate::Lost || harsh == mild);
        }
    }

    /// A listed fate holds for the message it names and for no other.
    #[test]
    fn overrides_name_one_message() {
        let votes = facts(MessageKind::RequestVote, 3);
        let fate = Fate::Once { delay: Ticks(7) };
        let listed = Override {
            from: NodeId(1),
            to: NodeId(2),
            kind: MessageKind::RequestVote,
            term: Term(3),
            nth: 5,
            fate,
        };
        let drawn = series(&mut Fates::new(1, 3, profile(), &[]), &votes, link(0, 1));
        let steered = series(&mut Fates::new(1, 3, profile(), &[listed]), &votes, link(0, 1));
        assert_eq!(steered[5], fate);
        for (nth, (drawn, steered)) in drawn.iter().zip(&steered).enumerate() {
            assert!(nth == 5 || drawn == steered);
        }
    }

    /// In fair weather everything arrives once, and soon, and a listed fate counts if it is so.
    #[test]
    fn fair_weather_is_fair() {
        let fates = [1, 4_321, 5_001].map(|delay| Fate::Once { delay: Ticks(delay) });
        let others = [Fate::Lost, Fate::Twice { delay: Ticks(1), again: Ticks(1) }];
        let (from, to, kind, term) = (NodeId(1), NodeId(2), MessageKind::Heartbeat, Term(1));
        let listed = (0..).zip(fates.into_iter().chain(others));
        let listed = listed.map(|(nth, fate)| Override { from, to, kind, term, nth, fate });
        let listed: Vec<Override> = listed.collect();
        let mut fates = Fates::new(1, 3, profile(), &listed);
        for place in 0..200 {
            let facts = facts(kind, 1);
            let (_, fate) = fates.next(&facts, 1, Weather::Fair { longest: 5_000 });
            assert!(matches!(fate, Fate::Once { delay } if delay.0 <= 5_000));
            let is_listed = listed.get(place).is_some_and(|listed| listed.fate == fate);
            assert_eq!(is_listed, place < 2, "{place}: {fate:?}");
        }
    }
}
