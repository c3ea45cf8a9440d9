//! The results, as lines for the terminal and as a table in `docs/MUTANTS.md`.
//!
//! Invariant: only what stands between the two marks in the document is replaced.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Error;
use crate::bands::Band;
use crate::mutant::Mutant;
use crate::shrinking::Shrunk;
use crate::simulate::Outcome;

pub(crate) const BEGIN: &str = "<!-- results: written by raft-mutants -->\n";
pub(crate) const END: &str = "<!-- end of results -->\n";

/// What became of one mutant.
pub(crate) struct Row {
    pub(crate) mutant: Mutant,
    /// One for each band.
    pub(crate) outcomes: Vec<Outcome>,
    /// What its first failing seed was made smaller to.
    pub(crate) shrunk: Option<Shrunk>,
}

/// One mutant in one line, for the terminal.
pub(crate) fn line(mutant: &Mutant, outcomes: &[Outcome]) -> String {
    let bands: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Caught { property, seeds } => format!("{property} after {seeds}"),
            Outcome::Missed => "NOT CAUGHT".to_owned(),
        })
        .collect();
    format!("{:<32} {}", mutant.name, bands.join(" | "))
}

/// All mutants in one sentence.
pub(crate) fn summary(rows: &[Row]) -> String {
    let outcomes = || rows.iter().flat_map(|row| &row.outcomes);
    let mut seeds: Vec<u64> = outcomes().filter_map(Outcome::seeds).collect();
    seeds.sort_unstable();
    let total = outcomes().count();
    let counts = format!(
        "{} mutants, caught in {} of {total} runs (a mutant on a band of seeds)",
        rows.len(),
        seeds.len()
    );
    match (seeds.get(seeds.len() / 2), seeds.last()) {
        (Some(median), Some(most)) => {
            format!("{counts}; seeds until caught: median {median}, most {most}.")
        }
        _ => format!("{counts}."),
    }
}

impl Outcome {
    fn seeds(&self) -> Option<u64> {
        match self {
            Self::Caught { seeds, .. } => Some(*seeds),
            Self::Missed => None,
        }
    }

    pub(crate) fn property(&self) -> Option<&str> {
        match self {
            Self::Caught { property, .. } => Some(property),
            Self::Missed => None,
        }
    }
}

/// The results between their marks.
fn markdown(rows: &[Row], bands: &[Band]) -> String {
    let mut text = String::from(BEGIN);
    let titles: Vec<String> = bands.iter().map(|band| format!(" {band} |")).collect();
    let _ = writeln!(text, "\n{}\n", summary(rows));
    let _ =
        writeln!(text, "| mutant | area | bug | breaks | caught by |{} seen in |", titles.concat());
    let _ = writeln!(text, "|---|---|---|---|---|{}---|", "---:|".repeat(bands.len()));
    for Row { mutant, outcomes, .. } in rows {
        let properties: BTreeSet<&str> = outcomes.iter().filter_map(Outcome::property).collect();
        let properties: Vec<&str> = properties.into_iter().collect();
        let seeds: Vec<String> = outcomes
            .iter()
            .map(|outcome| {
                outcome
                    .seeds()
                    .map_or(" **not caught** |".to_owned(), |seeds| format!(" {seeds} |"))
            })
            .collect();
        let _ = writeln!(
            text,
            "| [{}](../tests/mutants/{}.patch) | {} | {} | {} | {} |{} {} |",
            mutant.id,
            mutant.name,
            mutant.area,
            mutant.bug.replace('|', "\\|"),
            mutant.expects,
            properties.join(", "),
            seeds.concat(),
            mutant.reference
        );
    }
    text.push('\n');
    text.push_str(END);
    text
}

/// Puts the results into the document.
pub(crate) fn write(document: &Path, rows: &[Row], bands: &[Band]) -> Result<(), Error> {
    put(document, &markdown(rows, bands))
}

/// Puts a text between the two marks in a document.
pub(crate) fn put(document: &Path, results: &str) -> Result<(), Error> {
    let name = document.display();
    let text =
        fs::read_to_string(document).map_err(Error::system(format!("cannot read {name}")))?;
    let replaced = replace(&text, results).ok_or_else(|| {
        Error::Document(format!("{name} has no lines `{}` and `{}`", BEGIN.trim(), END.trim()))
    })?;
    fs::write(document, replaced).map_err(Error::system(format!("cannot write {name}")))
}

/// The document with other results between its marks, if it has both.
fn replace(text: &str, results: &str) -> Option<String> {
    let begin = text.find(BEGIN)?;
    let end = begin + text[begin..].find(END)? + END.len();
    Some(format!("{}{results}{}", &text[..begin], &text[end..]))
}

#[cfg(test)]
mod tests {
    //! Goal: the table replaces the former one and nothing else, and the median is of all runs.

    use super::*;

    fn row(id: &str, outcomes: Vec<Outcome>) -> Row {
        let text = || String::from("x");
        let mutant = Mutant {
            id: id.to_owned(),
            name: format!("{id}-x"),
            area: text(),
            bug: "a | b".to_owned(),
            expects: text(),
            reference: text(),
            path: Path::new("x").to_owned(),
        };
        Row { mutant, outcomes, shrunk: None }
    }

    fn caught(seeds: u64) -> Outcome {
        Outcome::Caught { property: "liveness".to_owned(), seeds }
    }

    #[test]
    fn results_replace_results() {
        let before = format!("above\n{BEGIN}old\n{END}below\n");
        let rows = [row("B01", vec![caught(3), Outcome::Missed])];
        let bands = [Band { start: 0, end: 9 }, Band { start: 10, end: 19 }];
        let after = replace(&before, &markdown(&rows, &bands)).expect("both marks are there");
        assert!(
            after.starts_with(&format!("above\n{BEGIN}"))
                && after.ends_with(&format!("{END}below\n"))
        );
        assert!(!after.contains("old"));
        let line = "| [B01](../tests/mutants/B01-x.patch) | x | a \\| b | x | liveness | 3 | **not caught** | x |";
        assert!(after.contains(line), "{after}");
        assert_eq!(replace("no marks", "x"), None);
    }

    #[test]
    fn the_median_is_of_all_runs() {
        let rows = [row("B01", vec![caught(1), caught(900)]), row("B02", vec![caught(7)])];
        assert!(summary(&rows).contains("median 7, most 900"), "{}", summary(&rows));
    }
}
