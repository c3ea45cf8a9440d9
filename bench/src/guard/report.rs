//! What the guard says: a table of all scenarios, and for those that take too much, which functions do.

use std::path::Path;

use super::TOLERANCE;
use super::baseline::Baseline;
use super::compare::{Comparison, Verdict};
use super::tools;
use crate::layout::aligned;

/// How many functions are shown of a scenario.
const FUNCTIONS: usize = 12;

/// With what was counted, the table, and the functions.
pub(crate) fn print(before: &Baseline, now: &Baseline, comparisons: &[Comparison<'_>]) {
    println!("Instructions for each entry of the workload or step, counted with");
    for (tool, version) in &now.tools {
        println!("  {tool:<10} {version}");
    }
    let differences = tools::differences(&before.tools, &now.tools);
    if !before.tools.is_empty() && !differences.is_empty() {
        println!("The baseline was made otherwise, which may be all there is to a difference:");
        for difference in differences {
            println!("  {difference}");
        }
        println!("Look at the functions, then write it anew with `guard --bless`.");
    }
    println!("\n{}", table(comparisons).join("\n"));
    for comparison in comparisons.iter().filter(|one| one.verdict() == Verdict::Worse) {
        println!("\n{}, function by function (what each takes itself):", comparison.name);
        println!("{}", functions(comparison).join("\n"));
    }
}

/// What is to be done.
pub(crate) fn print_verdict(file: &Path, comparisons: &[Comparison<'_>], gone: &[&str]) {
    let percent = TOLERANCE * 100.0;
    let of = |verdict| {
        let names = comparisons.iter().filter(|one| one.verdict() == verdict).map(|one| one.name);
        names.collect::<Vec<_>>()
    };
    println!();
    let (worse, better, unknown) = (of(Verdict::Worse), of(Verdict::Better), of(Verdict::Unknown));
    if !worse.is_empty() {
        println!(
            "FAILED: {} of {} take over {percent} % more than {}, or more allocations: {}. If that is worth it, \
             `guard --bless` writes the baseline anew; say why with the change.",
            worse.len(),
            comparisons.len(),
            file.display(),
            worse.join(", ")
        );
    }
    if !unknown.is_empty() {
        println!("FAILED: the baseline lacks {}. `guard --bless` adds it.", unknown.join(", "));
    }
    if !gone.is_empty() {
        println!(
            "FAILED: the baseline has {}, which is no scenario. `guard --bless` removes it.",
            gone.join(", ")
        );
    }
    if !better.is_empty() {
        println!(
            "Over {percent} % less: {}. `guard --bless` makes sure that it stays so.",
            better.join(", ")
        );
    }
    if worse.is_empty() && unknown.is_empty() && gone.is_empty() {
        println!("Nothing takes over {percent} % more than the baseline.");
    }
}

fn table(comparisons: &[Comparison<'_>]) -> Vec<String> {
    let head = ["scenario", "baseline", "now", "change", "allocs: baseline", "now", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for comparison in comparisons {
        let Comparison { name, before, now } = comparison;
        let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        let verdict = match comparison.verdict() {
            Verdict::Better => "better",
            Verdict::Same => "",
            Verdict::Unknown => "UNKNOWN",
            Verdict::Worse => "WORSE",
        };
        rows.push(vec![
            (*name).to_owned(),
            or_none(before.map(|before| format!("{:.1}", before.instructions))),
            format!("{:.1}", now.instructions),
            or_none(comparison.growth().map(percent)),
            or_none(before.map(|before| format!("{:.2}", before.allocations))),
            format!("{:.2}", now.allocations),
            verdict.to_owned(),
        ]);
    }
    aligned(&rows)
}

fn percent(part: f64) -> String {
    // No -0.0.
    let rounded = (part * 1_000.0).round() / 10.0 + 0.0;
    format!("{rounded:+.1} %")
}

fn functions(comparison: &Comparison<'_>) -> Vec<String> {
    let head = ["change", "baseline", "now"];
    let mut rows = vec![head.map(|cell| format!("{cell:>9}")).join(" ") + "  function"];
    for function in comparison.functions(FUNCTIONS) {
        let (change, name) = (function.change(), function.name);
        rows.push(format!("{change:>+9.1} {:>9.1} {:>9.1}  {name}", function.before, function.now));
    }
    rows
}
