//! One scenario, then and now.

use super::TOLERANCE;
use super::baseline::LEAST_PART;
use crate::profile::Costs;

/// Allocations are counted exactly, but a buffer that grows now and then is part of none.
const ALLOCATIONS_GRAIN: f64 = 0.02;

/// A scenario and what it took, if that is known, and takes.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    pub(crate) name: &'a str,
    pub(crate) before: Option<&'a Costs>,
    pub(crate) now: &'a Costs,
}

/// What is to be said of a scenario, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// It takes so much less that the baseline is no guard any more.
    Better,
    /// It takes about as much as before.
    Same,
    /// The baseline does not say what it took.
    Unknown,
    /// It takes more instructions than it may, or more allocations.
    Worse,
}

/// What a function takes in a scenario, then and now. One that the baseline does not name took nothing, or nearly so.
#[derive(Debug, PartialEq)]
pub(crate) struct FunctionChange<'a> {
    pub(crate) name: &'a str,
    pub(crate) before: f64,
    pub(crate) now: f64,
}

impl FunctionChange<'_> {
    pub(crate) fn change(&self) -> f64 {
        self.now - self.before
    }
}

impl Comparison<'_> {
    pub(crate) fn verdict(&self) -> Verdict {
        let Some(before) = self.before else { return Verdict::Unknown };
        let most = before.instructions * (1.0 + TOLERANCE);
        let most_allocations = before.allocations * (1.0 + TOLERANCE) + ALLOCATIONS_GRAIN;
        if self.now.instructions > most || self.now.allocations > most_allocations {
            Verdict::Worse
        } else if self.now.instructions < before.instructions * (1.0 - TOLERANCE) {
            Verdict::Better
        } else {
            Verdict::Same
        }
    }

    /// How much more it takes, in parts of what it took.
    pub(crate) fn growth(&self) -> Option<f64> {
        let before = self.before?.instructions;
        (before > 0.0).then(|| self.now.instructions / before - 1.0)
    }

    /// The functions whose own cost changed most, those first; and at the end all the others together, as one.
    pub(crate) fn functions(&self, most: usize) -> Vec<FunctionChange<'_>> {
        let Some(before) = self.before else { return Vec::new() };
        let least = before.instructions * LEAST_PART;
        let written = before.functions.iter().map(|(name, before)| {
            let now = self.now.functions.get(name).copied().unwrap_or(0.0);
            FunctionChange { name, before: *before, now }
        });
        let new = self.now.functions.iter().filter(|(name, now)| {
            // A small one may have been as small before.
            **now >= least && !before.functions.contains_key(*name)
        });
        let new = new.map(|(name, now)| FunctionChange { name, before: 0.0, now: *now });
        let mut changes: Vec<FunctionChange<'_>> = written.chain(new).collect();
        changes.retain(|change| change.change().abs() >= least / 2.0);
        changes.sort_by(|a, b| b.change().abs().total_cmp(&a.change().abs()));
        changes.truncate(most);
        let (shown_before, shown_now) = changes
            .iter()
            .fold((0.0, 0.0), |(before, now), change| (before + change.before, now + change.now));
        changes.push(FunctionChange {
            name: "all others",
            before: before.instructions - shown_before,
            now: self.now.instructions - shown_now,
        });
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Verdict};
    use crate::profile::Costs;

    fn costs(instructions: f64, functions: &[(&str, f64)]) -> Costs {
        let functions = functions.iter().map(|(name, cost)| ((*name).to_owned(), *cost)).collect();
        Costs { instructions, allocations: 2.0, functions }
    }

    fn verdict(before: Option<&Costs>, now: &Costs) -> Verdict {
        Comparison { name: "tick", before, now }.verdict()
    }

    #[test]
    fn five_in_a_hundred_may_be_more() {
        let before = costs(1_000.0, &[]);
        let verdict_of = |instructions| verdict(Some(&before), &costs(instructions, &[]));
        assert_eq!(verdict_of(1_049.0), Verdict::Same);
        assert_eq!(verdict_of(1_051.0), Verdict::Worse);
        assert_eq!(verdict_of(951.0), Verdict::Same);
        assert_eq!(verdict_of(949.0), Verdict::Better);
        assert_eq!(verdict(None, &before), Verdict::Unknown);
    }

    #[test]
    fn one_more_allocation_is_too_many() {
        let before = costs(1_000.0, &[]);
        let with =
            |allocations| verdict(Some(&before), &Costs { allocations, ..costs(900.0, &[]) });
        assert_eq!(
            (with(2.1), with(2.2), with(3.0)),
            (Verdict::Better, Verdict::Worse, Verdict::Worse)
        );
        let none = Costs { allocations: 0.0, ..before.clone() };
        let now = Costs { allocations: 0.1, ..before.clone() };
        assert_eq!(verdict(Some(&none), &now), Verdict::Worse);
    }

    /// What is said of functions adds up to what is said of the scenario.
    #[test]
    fn what_changed_most_comes_first() {
        let written = [("same", 500.0), ("grew", 200.0), ("shrank", 100.0), ("less", 50.0)];
        let before = costs(1_000.0, &written);
        let after = [
            ("same", 500.5),
            ("grew", 300.0),
            ("shrank", 50.0),
            ("less", 40.0),
            ("new", 80.0),
            ("small", 1.9),
        ];
        let now = costs(1_130.0, &after);
        let comparison = Comparison { name: "tick", before: Some(&before), now: &now };
        let seen = |most| {
            let changes = comparison.functions(most);
            changes.iter().map(|f| (f.name.to_owned(), f.before, f.now)).collect::<Vec<_>>()
        };
        let row = |name: &str, before, now| (name.to_owned(), before, now);
        let mut expected = vec![
            row("grew", 200.0, 300.0),
            row("new", 0.0, 80.0),
            row("shrank", 100.0, 50.0),
            row("all others", 700.0, 700.0),
        ];
        assert_eq!(seen(3), expected);
        expected.truncate(3);
        expected.extend([row("less", 50.0, 40.0), row("all others", 650.0, 660.0)]);
        assert_eq!(seen(12), expected, "not what is as before, or too small to be told");
        let growth = comparison.growth().expect("it took something");
        assert!((growth - 0.13).abs() < 1e-9);
    }
}
