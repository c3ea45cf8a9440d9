//! Why a text is no scenario: the place, what is there, and what would fit.

use raft_core::Instant;

use crate::plan::PlanError;
use crate::units::time_text;

/// Why a text is no scenario, and where that shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1; just behind the last one where something is missing.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A word stands where another should.
    #[error("found `{found}`, expected {expected}{}", suggestion(*.meant))]
    Unexpected {
        /// The word.
        found: String,
        /// What would fit.
        expected: String,
        /// What may have been meant.
        meant: Option<&'static str>,
    },
    /// The line is not complete.
    #[error("the line ends here, expected {expected}")]
    Missing {
        /// What would fit.
        expected: String,
    },
    /// There is no line at all.
    #[error("the text holds no line: a scenario begins with `scenario 1`")]
    Empty,
    /// Something is said twice.
    #[error("line {first} has said this already: keep one of the two")]
    Repeated {
        /// Where it is said first.
        first: usize,
    },
    /// A line comes before the one that it builds on, or after one that builds on it.
    #[error("this comes {found}: {expected}")]
    Misplaced {
        /// Where it is.
        found: &'static str,
        /// Where it belongs, and why.
        expected: &'static str,
    },
    /// A time lies before that of the line before.
    #[error(
        "{} lies before {}, the time of the line before: put the lines in the order of time",
        time_text(at.0),
        time_text(before.0)
    )]
    Backwards {
        /// The time.
        at: Instant,
        /// The time of the line before.
        before: Instant,
    },
    /// A time that no run reaches.
    #[error(
        "this is later than time goes, which is some hundred thousand years: give an earlier time"
    )]
    TooLate,
    /// The lines can be read, but make no plan.
    #[error("{0}")]
    Plan(#[from] PlanError),
}

fn suggestion(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
}

/// The words, of those that would fit, that is closest to one that does not; none if they are far apart.
pub(super) fn closest(found: &str, words: &[&'static str]) -> Option<&'static str> {
    let near = words.iter().map(|word| (distance(found, word), *word));
    let far = match found.chars().count() {
        0 | 1 => 0,
        2..=4 => 1,
        _ => 2,
    };
    near.filter(|(distance, _)| *distance <= far).min().map(|(_, word)| word)
}

/// How many letters must be changed, added, left out or swapped with their neighbours to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) =
        (from.chars().take(40).collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for (i, letter) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in to.iter().enumerate() {
            let changed = rows[i][j] + usize::from(letter != other);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == to[j - 1] && from[i - 1] == *other {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a slip of the finger is recognized, and another word is not.
    #[test]
    fn slips_are_recognized() {
        let words = ["crash", "campaign", "cut", "client"];
        for (found, meant) in
            [("crsah", Some("crash")), ("campain", Some("campaign")), ("cute", Some("cut"))]
        {
            assert_eq!(closest(found, &words), meant, "{found}");
        }
        for found in ["reboot", "", "x", "c"] {
            assert_eq!(closest(found, &words), None, "{found}");
        }
    }
}
