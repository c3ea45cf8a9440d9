//! How it came to an event: the way back through what led to what.

use super::{Event, State, Story, What};
use crate::report::printable;
use crate::timeline::{grouped, put, seconds};

/// How many links of a chain are printed.
const LINKS: usize = 25;

impl Story {
    /// How it came to an event: its number, then what led to it, and so on, back to something that nothing led to (a
    /// timer, a client, a fault). What a step on that way showed of its node (a change of its state, an election) is part
    /// of it.
    pub fn why(&self, event: usize) -> Vec<usize> {
        let mut chain = vec![event];
        let mut effect = event;
        while let Some(because) = self.events.get(effect).and_then(|event| event.because) {
            let cause = because as usize;
            let shown = (cause + 1..effect).rev().filter(|number| self.shows(*number, because));
            chain.extend(shown);
            chain.push(cause);
            effect = cause;
        }
        chain
    }

    /// Whether an event shows what a step did to its node.
    fn shows(&self, number: usize, because: u32) -> bool {
        let event = &self.events[number];
        event.because == Some(because)
            && match event.what {
                What::Elected { .. } => true,
                What::Changed { state } => {
                    self.state_before(number).is_none_or(|before| differ(&before, &state))
                }
                _ => false,
            }
    }

    /// The state of an event's node before it.
    fn state_before(&self, number: usize) -> Option<State> {
        let node = self.events[number].node;
        let of = |event: &Event| match event.what {
            What::Started { state, .. } | What::Changed { state } if event.node == node => {
                Some(state)
            }
            _ => None,
        };
        self.events[..number].iter().rev().find_map(of)
    }

    /// How it came to what was violated, under a heading and before an empty line; nothing if nothing was.
    pub fn reasons(&self) -> String {
        self.violated().map_or_else(String::new, |event| {
            format!("How it came to that:\n{}\n", self.chain(event, LINKS))
        })
    }

    /// How it came to an event, a line for each link in the order of time: the last `links` of them, after a note of how
    /// many were left out.
    pub fn chain(&self, event: usize, links: usize) -> String {
        let chain = self.why(event);
        let left_out = chain.len().saturating_sub(links);
        let mut text = String::new();
        if left_out > 0 {
            let left_out = grouped(left_out as u64);
            put(&mut text, format_args!("      ({left_out} earlier links are left out)\n"));
        }
        for number in chain.into_iter().take(links).rev() {
            let Event { at, node, text: said, .. } = &self.events[number];
            let node = node.map_or_else(|| "-".to_owned(), |node| node.to_string());
            let at = seconds(*at);
            put(&mut text, format_args!("{at:>12}  {node:<3} {}\n", printable(said)));
        }
        text
    }
}

/// Whether two states differ in what others can notice.
fn differ(before: &State, after: &State) -> bool {
    let seen = |state: &State| {
        (state.role, state.term, state.vote, state.leader, state.commit, state.last)
    };
    seen(before) != seen(after)
}
