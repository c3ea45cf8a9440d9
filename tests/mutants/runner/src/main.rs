//! Puts known bugs into a copy of raft-core, one at a time, and checks that the simulator catches each.
//!
//! `cargo run --release -p raft-mutants` applies every patch in `tests/mutants/`, builds the ordinary
//! `raft-sim` command from the result, runs it with default settings on three disjoint bands of
//! seeds, and writes what it found into `docs/MUTANTS.md`. The first failing seed of each is then made smaller by
//! `raft-sim shrink`, and what is left is checked with the mutant and without it: `docs/SHRINKING.md`. Exit status: 0
//! when every mutant was caught in every band and every scenario fails on its mutant alone, 1 when one was or did not, 2
//! when something else went wrong.
//!
//! Invariant: the sources of the workspace are never written to; mutants live in `target/mutants/`.

mod bands;
mod exploring;
mod mutant;
mod options;
mod shrinking;
mod shrunk_table;
mod simulate;
mod specification_table;
mod table;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::bands::Band;
use crate::mutant::Mutant;
use crate::options::{Mode, Net, Options};
use crate::shrinking::{Commands, Shrunk};
use crate::simulate::Outcome;
use crate::table::Row;
use crate::tree::Tree;

/// What can go wrong other than a mutant that is not caught.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The command line makes no sense.
    #[error("{0}\n{usage}", usage = options::USAGE)]
    Usage(String),
    /// A file or program could not be used.
    #[error("{what}: {source}")]
    System {
        what: String,
        #[source]
        source: std::io::Error,
    },
    /// A mutant is not what it should be: its header, its patch, or its build.
    #[error("mutant {name}: {problem}")]
    Mutant { name: String, problem: String },
    /// The table's place in the document is not marked.
    #[error("{0}")]
    Document(String),
}

impl Error {
    /// Turns an I/O error into one that says what was being done.
    fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}

/// The root of the repository, two folders above `tests/mutants/runner`.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(3).expect("the runner lies three folders below the root");
    root.to_owned()
}

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Error> {
    if options.mode == Mode::Help {
        println!("{}", options::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let root = repository();
    let mutants = options.selected(mutant::load(&root.join("tests/mutants"))?)?;
    let bands = &bands::ALL[..options.bands];
    let tree = Tree::new(&root)?;
    if options.mode == Mode::Explore {
        return explore(&tree, &mutants);
    }
    let core = tree.core()?;
    let mut rows = Vec::with_capacity(mutants.len());
    for mutant in mutants {
        let (outcomes, shrunk) = match options.net {
            Net::All => judge(&tree, &core, &mutant, bands)?,
            Net::Specification => (specify(&tree, &mutant, bands)?, None),
        };
        println!("{}", table::line(&mutant, &outcomes));
        if let Some(shrunk) = &shrunk {
            println!("{}", shrunk_table::line(shrunk));
        }
        rows.push(Row { mutant, outcomes, shrunk });
    }
    println!("{}", table::summary(&rows));
    if options.net == Net::All {
        println!("{}", shrunk_table::summary(&rows));
    }
    if options.mode == Mode::Write {
        table::write(&root.join("docs/MUTANTS.md"), &rows, bands)?;
    }
    if matches!(options.mode, Mode::Write | Mode::WriteShrunk) {
        shrunk_table::write(&root.join("docs/SHRINKING.md"), &rows)?;
    }
    if options.mode == Mode::WriteSpecification {
        specification_table::write(&root.join("docs/SPECIFICATION.md"), &rows, bands)?;
    }
    if options.net == Net::Specification {
        return Ok(ExitCode::SUCCESS);
    }
    let missed = rows.iter().any(|row| row.outcomes.contains(&Outcome::Missed));
    let troubled = rows.iter().filter_map(|row| row.shrunk.as_ref()).any(Shrunk::is_troubled);
    Ok(if missed || troubled { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Builds one mutant, and runs it on every band with the specification as the only check.
fn specify(tree: &Tree, mutant: &Mutant, bands: &[Band]) -> Result<Vec<Outcome>, Error> {
    tree.reset()?;
    tree.apply(mutant)?;
    let command = tree.build(mutant)?;
    simulate::all(&command, mutant, bands, Net::Specification)
}

/// Builds each mutant and looks for it in small scopes; prints the rows of the table in `docs/EXPLORE.md`.
fn explore(tree: &Tree, mutants: &[Mutant]) -> Result<ExitCode, Error> {
    for mutant in mutants {
        tree.reset()?;
        tree.apply(mutant)?;
        let command = tree.build(mutant)?;
        let found = exploring::explore(&command, mutant)?;
        println!("{}", exploring::row(mutant, found.as_ref()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds one mutant, runs it on every band, and makes its first failing seed smaller.
fn judge(
    tree: &Tree,
    core: &Path,
    mutant: &Mutant,
    bands: &[Band],
) -> Result<(Vec<Outcome>, Option<Shrunk>), Error> {
    tree.reset()?;
    tree.apply(mutant)?;
    let command = tree.build(mutant)?;
    let outcomes = simulate::all(&command, mutant, bands, Net::All)?;
    let first = bands.iter().zip(&outcomes).find_map(|(band, outcome)| match outcome {
        Outcome::Caught { seeds, .. } => Some(band.seed_at(*seeds)),
        Outcome::Missed => None,
    });
    let commands = Commands { mutant: &command, core };
    let Some(seed) = first else { return Ok((outcomes, None)) };
    let by_hand = shrinking::by_hand(&repository().join("tests/scenarios"), mutant)?;
    let shrunk = shrinking::shrink(commands, mutant, seed)?;
    Ok((outcomes, Some(shrunk.with(commands, &by_hand)?)))
}
