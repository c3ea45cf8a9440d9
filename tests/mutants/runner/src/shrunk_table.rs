//! What was made smaller, as lines for the terminal and as a table in `docs/SHRINKING.md`.

use std::fmt::Write as _;
use std::path::Path;

use crate::Error;
use crate::shrinking::Shrunk;
use crate::table::{self, BEGIN, END, Row};

/// A failing run that was made smaller in one line, for the terminal.
pub(crate) fn line(shrunk: &Shrunk) -> String {
    let Shrunk { seed, property, before, after, milliseconds, .. } = shrunk;
    let mut line = format!(
        "    seed {seed} ({property}): {} lines and {} messages of {}, {milliseconds} ms",
        after.lines, after.delivered, before.delivered
    );
    for (name, trouble) in troubles(shrunk) {
        let _ = write!(line, "; {name} {trouble}");
    }
    line
}

/// Which scenarios are wrong, and how.
fn troubles(shrunk: &Shrunk) -> impl Iterator<Item = (&str, &str)> {
    let written = shrunk.trouble.as_deref().map(|trouble| ("the scenario", trouble));
    let by_hand = shrunk.by_hand.iter();
    written
        .into_iter()
        .chain(by_hand.filter_map(|(name, trouble)| Some((name.as_str(), trouble.as_deref()?))))
}

/// The median and the greatest of some numbers.
fn spread(rows: &[&Shrunk], number: impl Fn(&Shrunk) -> u64) -> (u64, u64) {
    let mut numbers: Vec<u64> = rows.iter().map(|shrunk| number(shrunk)).collect();
    numbers.sort_unstable();
    let median = numbers.get(numbers.len() / 2).copied().unwrap_or_default();
    (median, numbers.last().copied().unwrap_or_default())
}

/// All of them in a sentence.
pub(crate) fn summary(rows: &[Row]) -> String {
    let shrunk: Vec<&Shrunk> = rows.iter().filter_map(|row| row.shrunk.as_ref()).collect();
    let lines = spread(&shrunk, |it| it.after.lines);
    let messages = spread(&shrunk, |it| it.after.delivered);
    let time = spread(&shrunk, |it| it.milliseconds);
    let troubled = shrunk.iter().filter(|it| it.is_troubled()).count();
    let by_hand: usize = shrunk.iter().map(|it| it.by_hand.len()).sum();
    format!(
        "{} failing seeds made smaller: lines median {}, most {}; messages until the violation median {}, most {}; time \
         median {} ms, most {} ms. {by_hand} scenarios written by hand. Mutants with a scenario that does not fail on \
         the mutant alone: {troubled}.",
        shrunk.len(),
        lines.0,
        lines.1,
        messages.0,
        messages.1,
        time.0,
        time.1
    )
}

/// The results between their marks.
fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(BEGIN);
    let _ = writeln!(text, "\n{}\n", summary(rows));
    text.push_str("| mutant | seed | property | lines | messages | nodes | ms | on the mutant alone | by hand |\n");
    text.push_str("|---|---:|---|---:|---:|---:|---:|---|---|\n");
    for Row { mutant, shrunk, .. } in rows {
        let Some(shrunk) = shrunk else { continue };
        let Shrunk { seed, property, before, after, milliseconds, trouble, by_hand } = shrunk;
        let hand: Vec<String> = by_hand
            .iter()
            .map(|(name, trouble)| {
                let link = format!("[{name}](../tests/scenarios/{name})");
                trouble
                    .as_ref()
                    .map_or_else(|| link.clone(), |trouble| format!("{link}: **{trouble}**"))
            })
            .collect();
        let _ = writeln!(
            text,
            "| {} | {seed} | {property} | {} → {} | {} → {} | {} → {} | {milliseconds} | {} | {} |",
            mutant.id,
            before.lines,
            after.lines,
            before.delivered,
            after.delivered,
            before.nodes,
            after.nodes,
            trouble.as_ref().map_or_else(|| "fails".to_owned(), |trouble| format!("**{trouble}**")),
            hand.join(", ")
        );
    }
    text.push('\n');
    text.push_str(END);
    text
}

/// Puts the results into the document.
pub(crate) fn write(document: &Path, rows: &[Row]) -> Result<(), Error> {
    table::put(document, &markdown(rows))
}
