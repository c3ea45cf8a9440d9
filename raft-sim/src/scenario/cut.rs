//! Which links are down, in words: `isolate leader`, `n1 n2 | n3`, `n1 -> n2`.
//!
//! A plan knows cuts of one link at a time. A line that cuts two groups apart stands for a fault for each of their links,
//! in order; such faults, where they follow one another, are one line again.

use raft_core::NodeId;

use super::error::{Problem, ScenarioError};
use super::values::{
    NODE, is_symbol, more_nodes, name_in, nodes_text, number, target, target_text, way, way_text,
};
use super::words::Words;
use crate::plan::{Cut, Fault, Target, TimedFault, Way};

/// How the sides of a link are told apart: messages go to neither, or not to where the arrow points.
const MARKS: [(&str, Way); 3] = [("|", Way::Both), ("->", Way::Outbound), ("<-", Way::Inbound)];

/// What a cut begins with, where it does not begin with a node.
#[derive(Clone, Copy)]
enum Shape {
    Isolate,
    Split,
    Bridge,
    Ring,
    Voters,
}

const SHAPES: [(&str, Shape); 5] = [
    ("isolate", Shape::Isolate),
    ("split", Shape::Split),
    ("bridge", Shape::Bridge),
    ("ring", Shape::Ring),
    ("voters", Shape::Voters),
];

/// Reads a cut that is one.
pub(super) fn read(words: &mut Words<'_>) -> Result<Cut, ScenarioError> {
    let (first, more) = read_groups(words)?;
    if more.is_empty() {
        return Ok(first);
    }
    Err(words.wrong_before(Problem::Misplaced {
        found: "where only one link can be cut",
        expected: "name one node on each side, or use `isolate` or `split`",
    }))
}

/// Reads a cut, which may be of the links between two groups: the first of these links, and the others.
pub(super) fn read_groups(words: &mut Words<'_>) -> Result<(Cut, Vec<Cut>), ScenarioError> {
    for (word, shape) in SHAPES {
        if words.accept(word) {
            return Ok((read_shape(words, shape)?, Vec::new()));
        }
    }
    let first = target(words)?;
    let more = if let Target::Node(_) = first { more_nodes(words) } else { Vec::new() };
    let way = words.choose(MARKS)?;
    if more.is_empty() && words.peek().is_some_and(is_symbol) {
        return Ok((Cut::Link { target: first, other: target(words)?, way }, Vec::new()));
    }
    let Target::Node(first) = first else {
        let cut = Cut::Link { target: first, other: target(words)?, way };
        return Ok((cut, Vec::new()));
    };
    let left: Vec<NodeId> = std::iter::once(first).chain(more).collect();
    let right = match more_nodes(words) {
        right if right.is_empty() => return Err(words.refuse(NODE)),
        right => right,
    };
    if left.len() + right.len() > 2 && !are_apart(&left, &right) {
        return Err(words.wrong_before(Problem::Misplaced {
            found: "in a cut that names a node twice",
            expected: "each node is in one of the two groups, once",
        }));
    }
    let mut links = links(&left, &right, way);
    let first = links.next().expect("each side has a node");
    Ok((first, links.collect()))
}

fn read_shape(words: &mut Words<'_>, shape: Shape) -> Result<Cut, ScenarioError> {
    Ok(match shape {
        Shape::Isolate => Cut::Isolate { target: target(words)?, way: way(words) },
        Shape::Split => {
            let target = target(words)?;
            words.require("size")?;
            Cut::Split { target, size: number(words)?, way: way(words) }
        }
        Shape::Bridge => Cut::Bridge { target: target(words)? },
        Shape::Ring => Cut::Ring,
        Shape::Voters => Cut::Voters { way: way(words) },
    })
}

/// Whether no node is named twice.
fn are_apart(left: &[NodeId], right: &[NodeId]) -> bool {
    let mut all: Vec<NodeId> = left.iter().chain(right).copied().collect();
    all.sort_unstable();
    all.windows(2).all(|pair| pair[0] != pair[1])
}

fn links(left: &[NodeId], right: &[NodeId], way: Way) -> impl Iterator<Item = Cut> {
    left.iter().flat_map(move |from| {
        right.iter().map(move |to| Cut::Link {
            target: Target::Node(*from),
            other: Target::Node(*to),
            way,
        })
    })
}

pub(super) fn text(cut: Cut) -> String {
    match cut {
        Cut::Isolate { target, way } => {
            format!("isolate {}{}", target_text(target), way_text(way))
        }
        Cut::Split { target, size, way } => {
            format!("split {} size {size}{}", target_text(target), way_text(way))
        }
        Cut::Link { target, other, way } => {
            format!("{} {} {}", target_text(target), name_in(&MARKS, way), target_text(other))
        }
        Cut::Bridge { target } => format!("bridge {}", target_text(target)),
        Cut::Ring => "ring".to_owned(),
        Cut::Voters { way } => format!("voters{}", way_text(way)),
    }
}

/// How many of the first of these faults are the links between two groups, and these groups in words. `breaks` says
/// before which of them a new line begins in any case.
pub(super) fn groups(
    faults: &[TimedFault],
    breaks: impl Fn(usize) -> bool,
) -> Option<(usize, String)> {
    let (at, first) = (faults.first()?.at, link_of(&faults.first()?.fault)?);
    let (mut left, mut right) = (vec![first.from], vec![first.to]);
    let alike = |number: usize| {
        let timed = faults.get(number).filter(|timed| timed.at == at && !breaks(number))?;
        let link = link_of(&timed.fault)?;
        (link.way == first.way && link.lasts == first.lasts).then_some((link.from, link.to))
    };
    while let Some((from, to)) = alike(right.len()) {
        let is_one_more = from == first.from && to != from && !right.contains(&to);
        if !is_one_more || first.from == first.to {
            break;
        }
        right.push(to);
    }
    let mut count = right.len();
    'rows: while let Some((from, _)) = alike(count) {
        if left.contains(&from) || right.contains(&from) || first.from == first.to {
            break;
        }
        for (place, to) in right.iter().enumerate() {
            if alike(count + place) != Some((from, *to)) {
                break 'rows;
            }
        }
        left.push(from);
        count += right.len();
    }
    let mark = name_in(&MARKS, first.way);
    (count > 1).then(|| (count, format!("{} {mark} {}", nodes_text(&left), nodes_text(&right))))
}

/// A cut of the link between two nodes that are named.
struct Link {
    from: NodeId,
    to: NodeId,
    way: Way,
    lasts: raft_core::Ticks,
}

fn link_of(fault: &Fault) -> Option<Link> {
    match fault {
        Fault::Cut {
            cut: Cut::Link { target: Target::Node(from), other: Target::Node(to), way },
            lasts,
        } => Some(Link { from: *from, to: *to, way: *way, lasts: *lasts }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::{Instant, Ticks};

    fn read_text(text: &str) -> Result<Vec<Cut>, String> {
        let mut words = Words::new(1, text);
        let read = read_groups(&mut words).and_then(|read| words.finish().map(|()| read));
        read.map(|(first, more)| std::iter::once(first).chain(more).collect())
            .map_err(|error| error.to_string())
    }

    /// Goal: two groups are a link for each pair, and these links are two groups again.
    #[test]
    fn groups_are_links_and_links_are_groups() {
        let cuts = read_text("n1 n2 <- n3 n4 n5").expect("it is a cut");
        assert_eq!(cuts.len(), 6);
        let timed = |cut| {
            let fault = Fault::Cut { cut, lasts: Ticks(7) };
            TimedFault { at: Instant(3), fault }
        };
        let mut faults: Vec<TimedFault> = cuts.into_iter().map(timed).collect();
        let told = |faults: &[TimedFault]| groups(faults, |_| false);
        assert_eq!(told(&faults), Some((6, "n1 n2 <- n3 n4 n5".to_owned())));
        assert_eq!(groups(&faults, |number| number == 3), Some((3, "n1 <- n3 n4 n5".to_owned())));
        faults.pop();
        assert_eq!(told(&faults), Some((3, "n1 <- n3 n4 n5".to_owned())));
        faults.truncate(1);
        assert_eq!(told(&faults), None);
    }

    /// Goal: what stands for one link stands for no more, and a node is on one side.
    #[test]
    fn odd_cuts_are_read_or_refused() {
        for text in
            ["leader | n2", "n1 -> anyone", "n1 | n1", "split follower size 2 inbound", "ring"]
        {
            let cuts = read_text(text).expect("it is a cut");
            assert_eq!(cuts.iter().map(|cut| super::text(*cut)).collect::<Vec<_>>(), [text]);
        }
        for text in ["n1 n1 | n2", "n1 n2 | n2", "leader n2 | n3", "n1 n2 | leader", "n1", "n1 |"] {
            assert!(read_text(text).is_err(), "{text}");
        }
        assert!(read(&mut Words::new(1, "n1 | n2 n3")).is_err());
    }
}
