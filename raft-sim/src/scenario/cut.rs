//! Which links are down, in words: `n1 n2 | n3`, `n1 -> n2`, `isolate leader`.

use super::error::ScenarioError;
use super::values::{
    NODE, more_nodes, name_in, nodes_text, number, target, target_text, way, way_text,
};
use super::words::Words;
use crate::plan::{Cut, Nodes, Way};

/// How two groups are told apart: messages go to neither, or not to where the arrow points.
const MARKS: [(&str, Way); 3] = [("|", Way::Both), ("->", Way::Outbound), ("<-", Way::Inbound)];

/// A group of no nodes.
const NOBODY: &str = "nobody";

/// What a cut begins with, where it does not begin with a node.
#[derive(Clone, Copy)]
enum Shape {
    Isolate,
    Split,
    Link,
    Bridge,
    Ring,
    Voters,
}

const SHAPES: [(&str, Shape); 6] = [
    ("isolate", Shape::Isolate),
    ("split", Shape::Split),
    ("link", Shape::Link),
    ("bridge", Shape::Bridge),
    ("ring", Shape::Ring),
    ("voters", Shape::Voters),
];

pub(super) fn read(words: &mut Words<'_>) -> Result<Cut, ScenarioError> {
    for (word, shape) in SHAPES {
        if words.accept(word) {
            return read_shape(words, shape);
        }
    }
    let first = group(words)?;
    let way = words.choose(MARKS)?;
    Ok(Cut::Between { first, second: group(words)?, way })
}

fn read_shape(words: &mut Words<'_>, shape: Shape) -> Result<Cut, ScenarioError> {
    Ok(match shape {
        Shape::Isolate => Cut::Isolate { target: target(words)?, way: way(words) },
        Shape::Split => {
            let target = target(words)?;
            words.require("size")?;
            Cut::Split { target, size: number(words)?, way: way(words) }
        }
        Shape::Link => Cut::Link { target: target(words)?, other: target(words)?, way: way(words) },
        Shape::Bridge => Cut::Bridge { target: target(words)? },
        Shape::Ring => Cut::Ring,
        Shape::Voters => Cut::Voters { way: way(words) },
    })
}

fn group(words: &mut Words<'_>) -> Result<Nodes, ScenarioError> {
    if words.accept(NOBODY) {
        return Ok(Nodes::default());
    }
    let nodes = Nodes::of(more_nodes(words)).expect("a node that is read can be in a plan");
    if nodes.is_empty() { Err(words.refuse(NODE)) } else { Ok(nodes) }
}

fn group_text(nodes: Nodes) -> String {
    if nodes.is_empty() { NOBODY.to_owned() } else { nodes_text(&Vec::from(nodes)) }
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
            format!("link {} {}{}", target_text(target), target_text(other), way_text(way))
        }
        Cut::Between { first, second, way } => {
            format!("{} {} {}", group_text(first), name_in(&MARKS, way), group_text(second))
        }
        Cut::Bridge { target } => format!("bridge {}", target_text(target)),
        Cut::Ring => "ring".to_owned(),
        Cut::Voters { way } => format!("voters{}", way_text(way)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each shape is written as it is read, and a cut without an end is refused.
    #[test]
    fn cuts_survive() {
        let texts = [
            "n1 n2 | n3",
            "n1 -> n2",
            "nobody <- n2 n3",
            "link leader anyone inbound",
            "isolate n2",
            "split follower size 2 outbound",
            "bridge n3",
            "ring",
            "voters inbound",
        ];
        for told in texts {
            let mut words = Words::new(1, told);
            let cut = read(&mut words).expect("it is a cut");
            assert_eq!((text(cut).as_str(), words.finish()), (told, Ok(())));
        }
        for told in ["n1", "n1 |", "n1 n2 n3", "leader | n1", "link n1", "split n1 2"] {
            assert!(read(&mut Words::new(1, told)).is_err(), "{told}");
        }
    }
}
