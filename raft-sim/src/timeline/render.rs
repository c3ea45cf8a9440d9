//! A timeline as text: the time, a column for each node, and what happened.
//!
//! A node's column shows its state in the rows that change it, and otherwise whether it runs, so that a
//! glance down the column tells the node's story.

use std::collections::BTreeMap;

use raft_core::{Instant, NodeId, Role};

use super::words::{grouped, put, seconds};
use super::{NodeState, Row, Standing, Timeline};
use crate::violation::Violation;

/// Which rows to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Nothing later than this.
    pub until: Option<Instant>,
    /// Only what concerns this node.
    pub node: Option<NodeId>,
    /// Only what concerns one of these, if any are named; every node keeps its column.
    pub involved: Vec<NodeId>,
    /// Only so many of the last rows.
    pub rows: Option<usize>,
}

/// The width of a node's column: `pre T12 1234/1240`.
const COLUMN: usize = 17;

/// How many rows before a violation tell what happened last: of the nodes that took part in it.
const WINDOW: usize = 40;

impl View {
    /// The rows that lead to a violation: the last ones of the nodes involved.
    pub fn around(violation: &Violation) -> Self {
        let involved = violation.nodes.clone();
        Self { rows: Some(WINDOW), involved, ..Self::default() }
    }

    fn shows(&self, row: &Row) -> bool {
        let concerns = |node: &NodeId| row.nodes.is_empty() || row.nodes.contains(node);
        self.until.is_none_or(|until| row.at <= until)
            && self.node.as_ref().is_none_or(concerns)
            && (self.involved.is_empty() || self.involved.iter().any(concerns))
    }

    /// What is said of rows that are left out before the first one.
    fn note(&self, left_out: usize) -> String {
        let rows = grouped(left_out as u64);
        if self.involved.is_empty() {
            return format!(
                "({rows} earlier rows are not shown: --all shows them, --until and --node choose others)\n"
            );
        }
        let names: Vec<String> = self.involved.iter().map(ToString::to_string).collect();
        let names = names.join(", ");
        format!(
            "(only rows of {names}, and not {rows} earlier ones of theirs: --all shows everything, --rows, --until and --node choose others)\n"
        )
    }
}

impl Timeline {
    /// The rows that a view shows, and how many of its rows are left out before them.
    fn selected(&self, view: &View) -> (usize, Vec<usize>) {
        let shown: Vec<usize> =
            (0..self.rows.len()).filter(|row| view.shows(&self.rows[*row])).collect();
        let left_out = view.rows.map_or(0, |rows| shown.len().saturating_sub(rows));
        (left_out, shown[left_out..].to_vec())
    }

    /// The part of a timeline that a view shows.
    #[must_use]
    pub fn viewed(&self, view: &View) -> Self {
        let (_, shown) = self.selected(view);
        let rows = shown.into_iter().map(|row| self.rows[row].clone()).collect();
        Self { nodes: self.nodes.clone(), rows }
    }

    /// The timeline as text.
    pub fn render(&self, view: &View) -> String {
        let (left_out, shown) = self.selected(view);
        let columns: Vec<NodeId> = self
            .nodes
            .iter()
            .copied()
            .filter(|id| view.node.is_none_or(|node| node == *id))
            .collect();
        let mut text = legend();
        if left_out > 0 || !view.involved.is_empty() {
            text.push_str(&view.note(left_out));
        }
        text.push_str(&heading(&columns));
        let mut states: BTreeMap<NodeId, NodeState> = BTreeMap::new();
        let mut shown = shown.into_iter().peekable();
        let first = shown.peek().copied().unwrap_or(0);
        for (number, row) in self.rows.iter().enumerate() {
            if let (Some(state), Some(node)) = (row.state, row.nodes.first()) {
                states.insert(*node, state);
            }
            if shown.peek() != Some(&number) {
                continue;
            }
            shown.next();
            // The first row shows where everybody stands.
            let fresh = |id: &NodeId| {
                number == first || (row.state.is_some() && row.nodes.first() == Some(id))
            };
            text.push_str(&line(row, &columns, &states, fresh));
        }
        text
    }
}

fn legend() -> String {
    "Columns: role, term, commit/last index in the rows that change them; | up, x down, = paused.\n"
        .to_owned()
}

fn heading(columns: &[NodeId]) -> String {
    let mut line = format!("{:>12}  ", "time");
    for id in columns {
        put(&mut line, format_args!("{:<COLUMN$}  ", id.to_string()));
    }
    format!("{}\n", line.trim_end())
}

fn line(
    row: &Row,
    columns: &[NodeId],
    states: &BTreeMap<NodeId, NodeState>,
    fresh: impl Fn(&NodeId) -> bool,
) -> String {
    let mut line = format!("{:>12}  ", seconds(row.at));
    for id in columns {
        let state = states.get(id).copied();
        let cell = match state {
            None => " ".to_owned(),
            Some(state) if fresh(id) => full(state),
            Some(state) => mark(state.standing).to_owned(),
        };
        put(&mut line, format_args!("{cell:<COLUMN$}  "));
    }
    line.push_str(&row.text);
    format!("{}\n", line.trim_end())
}

fn full(state: NodeState) -> String {
    if state.standing == Standing::Down {
        return "x down".to_owned();
    }
    let role = match state.role {
        Role::Follower => "fol",
        Role::PreCandidate => "pre",
        Role::Candidate => "can",
        Role::Leader => "LEAD",
    };
    let paused = if state.standing == Standing::Paused { "=" } else { "" };
    format!("{paused}{role} {} {}/{}", state.term, state.commit.0, state.last.0)
}

const fn mark(standing: Standing) -> &'static str {
    match standing {
        Standing::Up => "|",
        Standing::Down => "x",
        Standing::Paused => "=",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::violation::Property;
    use raft_core::{LogIndex, Term};

    fn row(at: u64, node: u64, text: &str, state: Option<NodeState>) -> Row {
        Row { at: Instant(at), nodes: vec![NodeId(node)], text: text.to_owned(), state }
    }

    fn sample() -> Timeline {
        let leader = NodeState {
            role: Role::Leader,
            term: Term(2),
            commit: LogIndex(3),
            last: LogIndex(4),
            standing: Standing::Up,
        };
        let down = NodeState { standing: Standing::Down, ..leader };
        Timeline {
            nodes: vec![NodeId(1), NodeId(2)],
            rows: vec![
                row(1_500, 1, "n1 starts", Some(NodeState::default())),
                row(1_500, 2, "n2 starts", Some(NodeState::default())),
                row(152_310, 1, "n1 leads", Some(leader)),
                row(200_000, 1, "n1 crashes", Some(down)),
                row(1_000_000, 2, "n2 times out", None),
            ],
        }
    }

    /// Each node has a column that shows its state where it changes.
    #[test]
    fn every_node_has_a_column() {
        let text = sample().render(&View::default());
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines[0], "        time  n1                 n2");
        assert_eq!(lines[3], "    0.152310  LEAD T2 3/4        |                  n1 leads");
        assert_eq!(lines[4], "    0.200000  x down             |                  n1 crashes");
        assert_eq!(lines[5], "    1.000000  x                  |                  n2 times out");
    }

    /// A view cuts by time and node, and says how much it leaves out.
    #[test]
    fn a_view_selects_rows() {
        let until = View { until: Some(Instant(152_310)), ..View::default() };
        assert_eq!(sample().viewed(&until).rows.len(), 3);
        let node = View { node: Some(NodeId(2)), ..View::default() };
        assert_eq!(sample().viewed(&node).rows.len(), 2);
        let violation = Violation::new(Property::Liveness, Instant(1_000_000), &[NodeId(1)], "");
        let around = View::around(&violation);
        assert_eq!(sample().viewed(&around).rows.len(), 3);
        let text = sample().render(&around);
        assert!(
            text.contains("(only rows of n1, and not 0 earlier") && text.contains("n2\n"),
            "{text}"
        );
        let last = View { rows: Some(1), ..View::default() };
        let text = sample().render(&last);
        assert!(text.contains("4 earlier rows"), "{text}");
        assert!(text.contains("1.000000  x down             fol T0 0/0"), "{text}");
    }
}
