//! The numbers of a summary, in rows.

use super::table::{Lean, Table, percentage};
use crate::campaign::Summary;
use crate::coverage::Standing;
use crate::timeline::grouped;

/// What happened, a row for each kind of thing.
pub(super) fn figures(summary: &Summary) -> Table {
    let mut table = Table::new([Lean::Left, Lean::Left]);
    for (name, value) in rows(summary) {
        table.row([name.to_owned(), value]);
    }
    table
}

fn rows(summary: &Summary) -> Vec<(&'static str, String)> {
    let Summary { statistics: all, medians, searches, .. } = summary;
    let simulated = all.simulated / 1_000;
    let ratio = simulated.checked_div(summary.wall_ms).unwrap_or(0);
    let mut rows = vec![
        ("seeds", seeds(summary)),
        ("wall time", wall(summary.wall_ms)),
        (
            "simulated time",
            format!("{} ({} times as fast as real time)", wall(simulated), grouped(ratio)),
        ),
        ("elections won", grouped(all.elections)),
        ("leader changes", with_median(all.leader_changes, medians.leader_changes)),
        ("terms", grouped(all.terms)),
        ("entries committed", grouped(all.commits)),
        ("client operations", with_median(all.operations_committed, medians.operations)),
        (
            "messages",
            format!(
                "{} sent, {} delivered, {} lost, {} duplicated",
                grouped(all.sent),
                grouped(all.delivered),
                grouped(all.lost),
                grouped(all.duplicated)
            ),
        ),
        ("disk writes", grouped(all.writes)),
        ("crashes", format!("{}, {} restarts", grouped(all.crashes), grouped(all.restarts))),
        ("faults", with_median(all.fault_count(), medians.faults)),
    ];
    let kinds: Vec<String> =
        all.faults.iter().map(|(kind, count)| format!("{kind} {}", grouped(*count))).collect();
    // Five to a row, so that the rows stay narrow.
    rows.extend(kinds.chunks(5).map(|some| ("", some.join(", "))));
    rows.push((
        "linear orders",
        format!(
            "{} histories searched, {} without an answer in the search's budget",
            grouped(searches.searched),
            grouped(searches.inconclusive)
        ),
    ));
    if searches.skipped > 0 {
        let skipped = grouped(searches.skipped);
        rows.push(("", format!("{skipped} not searched: the machine depends on positions")));
    }
    if let Some(slowest) = summary.slowest {
        rows.push(("slowest seed", format!("{} ({} ms)", slowest.seed, grouped(slowest.wall_ms))));
    }
    rows.push(("digest of all", format!("{:016x}", summary.digest)));
    rows
}

fn with_median(all: u64, median: u64) -> String {
    format!("{} (median {} a seed)", grouped(all), grouped(median))
}

fn seeds(summary: &Summary) -> String {
    let failed = summary.failures.len() as u64;
    let runs = grouped(summary.runs);
    if failed == 0 { runs } else { format!("{runs}, {failed} of them failed") }
}

/// The scorecard: every situation, how many runs it occurred in, and in how many it should have.
pub(super) fn scorecard(summary: &Summary) -> Table {
    let mut table = Table::new([Lean::Left, Lean::Right, Lean::Right, Lean::Right, Lean::Left]);
    table.row(["situation", "seeds", "share", "minimum", ""]);
    let mut row = |name: &str, seeds: u64, minimum_per_million: u32, standing: Standing| {
        let remark = match standing {
            Standing::Seen => "",
            Standing::TooRare => "too rare",
            Standing::Missing => "never",
        };
        table.row([
            name.to_owned(),
            grouped(seeds),
            percentage(seeds, summary.runs),
            percentage(u64::from(minimum_per_million), 1_000_000),
            remark.to_owned(),
        ]);
    };
    for score in &summary.coverage {
        row(score.situation.name(), score.seeds, score.minimum_per_million, score.standing);
    }
    for score in &summary.marks {
        row(&score.mark, score.seeds, score.minimum_per_million, score.standing);
    }
    table
}

/// A time in milliseconds, in a unit that fits.
pub(crate) fn wall(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        0..60 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} days", grouped(seconds / 86_400)),
    }
}
