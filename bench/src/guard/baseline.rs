//! The baseline: a file of lines with tabs, so that a change to it can be read.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::compare::Comparison;
use super::tools::Tools;
use crate::profile::Costs;

/// Functions with a smaller part of a scenario are left out: it is not known what they took.
pub(crate) const LEAST_PART: f64 = 0.002;

const HEAD: &str = "\
# What `guard` compares with, and what `guard --bless` writes. Instructions and allocations are for each unit: an entry
# of the workload, or a step. Functions have what they take themselves, without what they call.
#
# with      tool      its version
# scenario  name      instructions  allocations
# function  scenario  instructions  name
";

/// What scenarios took, and with which tools that was counted.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    pub(crate) tools: Tools,
    pub(crate) scenarios: Vec<(String, Costs)>,
}

impl Baseline {
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| {
            format!(
                "the baseline {} cannot be read: {error}. `guard --bless` writes one",
                file.display()
            )
        })?;
        Self::parse(&text).map_err(|error| format!("{}:{error}", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), String> {
        fs::write(file, self.text())
            .map_err(|error| format!("the baseline {} cannot be written: {error}", file.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut baseline = Self::default();
        for (place, line) in text.lines().enumerate() {
            let wrong = |what: &str| format!("{}: {what}: {line}", place + 1);
            let number = |text: &str| {
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                number.ok_or_else(|| wrong(&format!("`{text}` is no number")))
            };
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                [empty] if empty.is_empty() || empty.starts_with('#') => {}
                ["with", tool, version] => {
                    baseline.tools.insert(tool.to_owned(), version.to_owned());
                }
                ["scenario", name, instructions, allocations] => {
                    let (instructions, allocations) = (number(instructions)?, number(allocations)?);
                    let costs = Costs { instructions, allocations, ..Costs::default() };
                    baseline.scenarios.push((name.to_owned(), costs));
                }
                ["function", scenario, instructions, name] => match baseline.scenarios.last_mut() {
                    Some((last, costs)) if last == scenario => {
                        costs.functions.insert(name.to_owned(), number(instructions)?);
                    }
                    _ => return Err(wrong("a function belongs below its scenario")),
                },
                _ => return Err(wrong("expected a line as at the head of the file")),
            }
        }
        Ok(baseline)
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (tool, version) in &self.tools {
            let _ = writeln!(text, "with\t{tool}\t{version}");
        }
        for (name, costs) in &self.scenarios {
            let Costs { instructions, allocations, functions } = costs;
            let _ = writeln!(text, "scenario\t{name}\t{instructions:.1}\t{allocations:.2}");
            let is_large = |(_, cost): &(&String, &f64)| **cost >= LEAST_PART * instructions;
            let mut functions: Vec<(&String, &f64)> = functions.iter().filter(is_large).collect();
            functions.sort_by(|a, b| b.1.total_cmp(a.1));
            for (function, cost) in functions {
                let _ = writeln!(text, "function\t{name}\t{cost:.1}\t{function}");
            }
        }
        text
    }

    fn costs(&self, name: &str) -> Option<&Costs> {
        self.scenarios.iter().find(|(scenario, _)| scenario == name).map(|(_, costs)| costs)
    }

    /// What was counted now, beside what is written here.
    pub(crate) fn compared_with<'a>(&'a self, now: &'a Self) -> Vec<Comparison<'a>> {
        let compare =
            |(name, now): &'a (String, Costs)| Comparison { name, before: self.costs(name), now };
        now.scenarios.iter().map(compare).collect()
    }

    /// The scenarios that are written here but do not exist.
    pub(crate) fn without(&self, names: &[&str]) -> Vec<&str> {
        let written = self.scenarios.iter().map(|(name, _)| name.as_str());
        written.filter(|name| !names.contains(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Baseline;
    use crate::guard::names;
    use crate::profile::Costs;

    fn baseline() -> Baseline {
        let functions = [("raft_core::step", 90.0), ("<A as B>::c", 9.5), ("rare", 0.1)];
        let functions = functions.map(|(name, cost)| (name.to_owned(), cost)).into();
        let tools = [("compiler".to_owned(), "rustc 1.85.0 (4d91de4e4 2025-02-17)".to_owned())];
        Baseline {
            tools: tools.into(),
            scenarios: vec![
                ("tick".to_owned(), Costs { instructions: 100.0, allocations: 0.25, functions }),
                ("vote".to_owned(), Costs { instructions: 7.5, ..Costs::default() }),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut written = baseline();
        let text = written.text();
        assert!(
            text.contains("scenario\ttick\t100.0\t0.25\nfunction\ttick\t90.0\traft_core::step\n"),
            "{text}"
        );
        // All but what is too small to be written.
        written.scenarios[0].1.functions.remove("rare");
        assert_eq!(Baseline::parse(&text), Ok(written));
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        for (line, what) in [
            ("scenario\ttick\tmany\t0", "`many` is no number"),
            ("scenario\ttick\tNaN\t0", "`NaN` is no number"),
            ("scenario\ttick\t5", "expected a line"),
            ("function\ttick\t5\tstep", "belongs below its scenario"),
        ] {
            let error = Baseline::parse(&format!("# a remark\n{line}\n")).expect_err(line);
            assert!(error.starts_with("2: ") && error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_scenario_that_is_gone_is_found() {
        assert_eq!(baseline().without(&["vote", "append"]), ["tick"]);
    }

    #[test]
    fn the_baseline_of_this_repository_has_all_scenarios() {
        let written = Baseline::parse(include_str!("../../baseline.tsv")).expect("it can be read");
        let expected = names();
        let scenarios: Vec<&str> =
            written.scenarios.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(scenarios, expected, "`guard --bless` writes it anew");
        for (name, costs) in &written.scenarios {
            let sum: f64 = costs.functions.values().sum();
            assert!(
                sum > 0.8 * costs.instructions && sum < 1.01 * costs.instructions,
                "{name}: {sum}"
            );
        }
        assert!(written.tools["compiler"].starts_with("rustc "));
    }
}
