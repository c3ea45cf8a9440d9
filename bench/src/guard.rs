//! The guard: counts the instructions of scenarios over `raft-core` alone, and compares them with a baseline that is
//! kept with the sources.

mod baseline;
mod compare;
mod report;
mod scenarios;
mod tools;

use std::error::Error;
use std::process::ExitCode;

use raft_bench::allocations::ARE_COUNTED;

use self::baseline::Baseline;
use self::compare::{Comparison, Verdict};
use crate::cli::Guard;
use crate::instructions;

pub(crate) use self::scenarios::names;

/// What the program ends with when there is no valgrind: nothing was measured, neither good nor bad.
const NOT_RUN: u8 = 3;

/// By how much more a scenario may take.
const TOLERANCE: f64 = 0.05;

/// Counts, and compares or writes.
pub(crate) fn run(options: &Guard) -> Result<ExitCode, Box<dyn Error>> {
    if ARE_COUNTED || cfg!(debug_assertions) {
        return Err(
            "this build counts allocations or checks assertions, which takes instructions: \
                    run `cargo run --release --no-default-features -- guard`"
                .into(),
        );
    }
    let Some(valgrind) = instructions::valgrind() else {
        println!(
            "NOT RUN: there is no valgrind, so no instructions were counted. Install it, and try again."
        );
        return Ok(ExitCode::from(NOT_RUN));
    };
    // A baseline that is written anew may be of any kind.
    let before = match Baseline::read(&options.baseline) {
        Err(_) if options.bless => Baseline::default(),
        read => read?,
    };
    let now = Baseline { tools: tools::present(valgrind), scenarios: scenarios::counted(options)? };
    let comparisons = before.compared_with(&now);
    report::print(&before, &now, &comparisons);
    if options.bless {
        now.write(&options.baseline)?;
        println!("\n{} is written anew.", options.baseline.display());
        return Ok(ExitCode::SUCCESS);
    }
    let gone = before.without(&names());
    report::print_verdict(&options.baseline, &comparisons, &gone);
    let fails = |comparison: &Comparison<'_>| comparison.verdict() >= Verdict::Unknown;
    let is_bad = comparisons.iter().any(fails) || !gone.is_empty();
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
