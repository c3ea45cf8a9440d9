//! The table: a row for each contestant, and for each mode what an entry costs.

use std::error::Error;

use raft_bench::allocations::ARE_COUNTED;

use crate::cli::Table;
use crate::contestants::{Contestant, OURS};
use crate::layout::aligned;
use crate::measure::{Case, in_rounds, median};
use crate::workload::Mode;
use crate::{instructions, machine};

/// What is measured in a mode.
const COLUMNS: [&str; 5] = ["ns", "ratio", "allocs", "bytes", "instr"];

/// What an entry costs a contestant in a mode.
struct Cost {
    nanoseconds: f64,
    /// To `raft-core` in the same rounds, when that takes part.
    ratio: Option<f64>,
    /// How many, and how many bytes.
    allocations: Option<(f64, f64)>,
    instructions: Option<f64>,
}

pub(crate) fn print(options: &Table) -> Result<(), Box<dyn Error>> {
    let contestants = options.contestants();
    println!("{}", machine::description(&contestants));
    println!(
        "Clusters of {}, commands of {} bytes, {} rounds of {} entries.",
        options.nodes, options.size, options.rounds, options.entries
    );
    println!("For each entry, all nodes together; the ratio is of the times, to {OURS}.");
    for contestant in options.left_out() {
        println!("{} takes no part: it cannot be a cluster of so few nodes.", contestant.name);
    }
    if !ARE_COUNTED {
        println!("Allocations are not counted: the program was built without.");
    }
    let count = !options.no_instructions && instructions::valgrind().is_some();
    if !count && !options.no_instructions {
        println!("Instructions are not counted: there is no valgrind.");
    }
    let modes = Mode::ALL.map(|mode| costs(&contestants, mode, options, count));
    let modes = modes.into_iter().collect::<Result<Vec<_>, _>>()?;
    println!();
    for row in rows(&contestants, &modes) {
        println!("{row}");
    }
    Ok(())
}

/// What an entry costs each contestant in a mode.
fn costs(
    contestants: &[&'static Contestant],
    mode: Mode,
    options: &Table,
    count: bool,
) -> Result<Vec<Cost>, Box<dyn Error>> {
    let (nodes, size, burst) = (options.nodes, options.size, mode.burst());
    let case = |contestant: &&'static Contestant| Case { contestant, nodes, size, burst };
    let cases: Vec<Case> = contestants.iter().map(case).collect();
    let times = in_rounds(options.rounds, &cases, options.entries);
    let ours = cases.iter().position(|case| case.contestant.name == OURS);
    let cost = |(place, case): (usize, &Case)| {
        let instructions = count.then(|| instructions::of_entry(case, mode)).transpose()?;
        let ratios = |ours: usize| times.iter().map(|round| round[place] / round[ours]).collect();
        Ok(Cost {
            nanoseconds: median(times.iter().map(|round| round[place]).collect()),
            ratio: ours.map(|ours| median(ratios(ours))),
            allocations: case.allocations(options.entries),
            instructions: instructions.map(|costs| costs.instructions),
        })
    };
    cases.iter().enumerate().map(cost).collect()
}

/// The lines of the table: two of heads, and one for each contestant.
fn rows(contestants: &[&Contestant], modes: &[Vec<Cost>]) -> Vec<String> {
    let blanks = || std::iter::repeat_n(String::new(), COLUMNS.len() - 1);
    let heads = Mode::ALL.iter().flat_map(|mode| {
        let head = format!("{} ({})", mode.name(), mode.burst());
        std::iter::once(head).chain(blanks())
    });
    let columns = Mode::ALL.iter().flat_map(|_| COLUMNS.map(str::to_owned));
    let mut table: Vec<Vec<String>> = vec![
        std::iter::once(String::new()).chain(heads).collect(),
        std::iter::once(String::new()).chain(columns).collect(),
    ];
    for (place, contestant) in contestants.iter().enumerate() {
        let costs = modes.iter().flat_map(|costs| cells(&costs[place]));
        table.push(std::iter::once(contestant.name.to_owned()).chain(costs).collect());
    }
    aligned(&table)
}

fn cells(cost: &Cost) -> [String; COLUMNS.len()] {
    let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    [
        format!("{:.0}", cost.nanoseconds),
        or_none(cost.ratio.map(|ratio| format!("{ratio:.2}"))),
        or_none(cost.allocations.map(|(count, _)| format!("{count:.2}"))),
        or_none(cost.allocations.map(|(_, bytes)| format!("{bytes:.0}"))),
        or_none(cost.instructions.map(|count| format!("{count:.0}"))),
    ]
}
