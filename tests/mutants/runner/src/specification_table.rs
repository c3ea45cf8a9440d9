//! What the specification alone catches, as a table in `docs/SPECIFICATION.md`.

use std::fmt::Write as _;
use std::path::Path;

use crate::Error;
use crate::bands::Band;
use crate::simulate::Outcome;
use crate::table::{self, BEGIN, END, Row};

/// The results between their marks.
fn markdown(rows: &[Row], bands: &[Band]) -> String {
    let mut text = String::from(BEGIN);
    let departs = |outcome: &&Outcome| outcome.property() == Some("specification");
    let caught = rows.iter().filter(|row| row.outcomes.iter().any(|it| departs(&it))).count();
    let _ = writeln!(text, "\n{caught} of {} mutants depart from the specification.\n", rows.len());
    text.push_str("| mutant | violates | ");
    for band in bands {
        let _ = write!(text, "seeds {band} | ");
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---:|".repeat(bands.len()));
    text.push('\n');
    for Row { mutant, outcomes, .. } in rows {
        let _ = write!(text, "| {} | {} |", mutant.name, mutant.expects);
        for outcome in outcomes {
            let _ = match outcome {
                Outcome::Caught { property, seeds } if property == "specification" => {
                    write!(text, " {seeds} |")
                }
                Outcome::Caught { property, seeds } => write!(text, " {property} after {seeds} |"),
                Outcome::Missed => write!(text, " - |"),
            };
        }
        text.push('\n');
    }
    text.push('\n');
    text.push_str(END);
    text
}

/// Puts the results into the document.
pub(crate) fn write(document: &Path, rows: &[Row], bands: &[Band]) -> Result<(), Error> {
    table::put(document, &markdown(rows, bands))
}
