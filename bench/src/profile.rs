//! What callgrind writes: for each function, how many instructions it took itself and how often it was called.
//!
//! Invariant: the instructions of all functions add up to the total that callgrind states.

use std::collections::BTreeMap;

use crate::measure::float;

/// Where memory comes from.
const ALLOCATING: [&str; 6] =
    ["malloc", "calloc", "realloc", "memalign", "posix_memalign", "aligned_alloc"];

/// What one run of a program took.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Its instructions.
    pub(crate) total: u64,
    /// How often it asked for memory.
    pub(crate) allocations: u64,
    /// The instructions of each function itself.
    pub(crate) functions: BTreeMap<String, u64>,
}

impl Profile {
    /// Reads what callgrind writes without compression of names and positions.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut profile = Self::default();
        let mut total = None;
        let (mut function, mut callee) = (String::new(), "");
        let mut lines = text.lines().enumerate();
        while let Some((place, line)) = lines.next() {
            let wrong =
                || format!("line {} of what callgrind writes is not understood: {line}", place + 1);
            if let Some(name) = line.strip_prefix("fn=") {
                function = plain(name);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                callee = name;
            } else if let Some(calls) = line.strip_prefix("calls=") {
                if ALLOCATING.contains(&callee) {
                    profile.allocations += first_number(calls).ok_or_else(wrong)?;
                }
                // What the call took belongs to the callee.
                lines.next();
            } else if let Some(number) = line.strip_prefix("totals: ") {
                total = Some(first_number(number).ok_or_else(wrong)?);
            } else if line.starts_with(|first: char| first.is_ascii_digit()) {
                // The number of a source line, and what that took.
                let cost = line.split_once(' ').and_then(|(_, cost)| first_number(cost));
                *profile.functions.entry(function.clone()).or_default() +=
                    cost.ok_or_else(wrong)?;
            }
        }
        profile.total = profile.functions.values().sum();
        match total {
            Some(total) if total == profile.total => Ok(profile),
            total => Err(format!(
                "the instructions of callgrind's functions add up to {}, but it says {total:?}",
                profile.total
            )),
        }
    }

    /// What this took more than `less` did, for each of so many units.
    pub(crate) fn beyond(&self, less: &Self, units: u64) -> Costs {
        let each = |more: u64, less: u64| (float(more) - float(less)) / float(units);
        let mut pairs: BTreeMap<&String, (u64, u64)> = BTreeMap::new();
        for (name, count) in &self.functions {
            pairs.entry(name).or_default().0 = *count;
        }
        for (name, count) in &less.functions {
            pairs.entry(name).or_default().1 = *count;
        }
        let changed = pairs.into_iter().filter(|(_, (more, less))| more != less);
        Costs {
            instructions: each(self.total, less.total),
            allocations: each(self.allocations, less.allocations),
            functions: changed
                .map(|(name, (more, less))| (name.clone(), each(more, less)))
                .collect(),
        }
    }
}

/// What one unit takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Costs {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    /// The instructions of each function itself.
    pub(crate) functions: BTreeMap<String, f64>,
}

/// The name of a function, without the level of a recursion (`'2` at its end) and the hash of a build.
fn plain(name: &str) -> String {
    let name = match name.rsplit_once('\'') {
        Some((name, level)) if level.parse::<u32>().is_ok() => name,
        _ => name,
    };
    let is_hash = |end: &str| end.len() == 16 && end.chars().all(|c| c.is_ascii_hexdigit());
    match name.rsplit_once("::h") {
        Some((path, end)) if is_hash(end) => path.to_owned(),
        _ => name.to_owned(),
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Profile, plain};

    /// `main` takes 5 instructions and calls `work` twice, which takes 30 and asks for memory three times.
    const WRITTEN: &str = "\
# callgrind format
version: 1
positions: line
events: Ir
summary: 37

ob=/bin/program
fl=main.rs
fn=main
10 2
11 3
cfi=work.rs
cfn=work
calls=2 7
11 32

fl=work.rs
fn=work
7 10
fi=inlined.rs
99 20
cob=/lib/libc.so.6
cfi=malloc.c
cfn=malloc
calls=3 1
8 2

ob=/lib/libc.so.6
fl=malloc.c
fn=malloc
1 2

totals: 37
";

    fn functions(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn a_function_takes_what_it_does_itself() {
        let profile = Profile::parse(WRITTEN).expect("it is well formed");
        let functions = functions(&[("main", 5), ("work", 30), ("malloc", 2)]);
        assert_eq!(profile, Profile { total: 37, allocations: 3, functions });
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        for (whole, broken) in [("7 10\n", ""), ("totals: 37\n", ""), ("7 10\n", "7 ten\n")] {
            assert!(Profile::parse(&WRITTEN.replace(whole, broken)).is_err(), "{whole}");
        }
    }

    #[test]
    fn a_unit_takes_its_share_of_the_difference() {
        let less = Profile {
            total: 100,
            allocations: 4,
            functions: functions(&[("start", 70), ("work", 30)]),
        };
        let more = Profile {
            total: 190,
            allocations: 14,
            functions: functions(&[("start", 70), ("work", 110), ("rare", 10)]),
        };
        let costs = more.beyond(&less, 20);
        assert!((costs.instructions - 4.5).abs() < 1e-9);
        assert!((costs.allocations - 0.5).abs() < 1e-9);
        let expected: Vec<(String, f64)> = vec![("rare".to_owned(), 0.5), ("work".to_owned(), 4.0)];
        assert_eq!(costs.functions.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_do_not_change_from_build_to_build() {
        assert_eq!(
            plain("raft_core::node::Node::step::h0123456789abcdef"),
            "raft_core::node::Node::step"
        );
        assert_eq!(plain("raft_core::node::Node::step'2"), "raft_core::node::Node::step");
        assert_eq!(
            plain("core::fmt::<impl Debug for &'a T>::fmt"),
            "core::fmt::<impl Debug for &'a T>::fmt"
        );
        assert_eq!(plain("a::hand"), "a::hand");
    }
}
