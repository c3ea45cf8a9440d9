//! The command line.

use crate::Error;
use crate::bands;
use crate::mutant::Mutant;

pub(crate) const USAGE: &str = "\
Usage: cargo run --release -p raft-mutants -- [options]

  --only B01,B02   run only these mutants; no table is then written
  --bands N        run the first N of the three bands of seeds (default 3); if fewer, docs/MUTANTS.md is not written
  --specification  see what the specification alone catches, and write docs/SPECIFICATION.md; nothing is made smaller
  --explore        look for mutants in small scopes instead, and print the rows of the table in docs/EXPLORE.md
  --check          write neither docs/MUTANTS.md nor docs/SHRINKING.md
  --help           this text";

/// What is done with the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are printed, and written into both documents.
    Write,
    /// They are printed, and what was made smaller is written into its document.
    WriteShrunk,
    /// The specification alone has been checked: they are printed, and written into its document.
    WriteSpecification,
    /// They are printed.
    Check,
    /// Mutants are looked for in small scopes instead; the rows of a table are printed.
    Explore,
    /// There are none: only the usage is printed.
    Help,
}

/// What has to catch the mutants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    /// Every check.
    All,
    /// The specification alone.
    Specification,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// How many of the bands are run; at least one.
    pub(crate) bands: usize,
    /// What is checked.
    pub(crate) net: Net,
    /// The ids of the mutants to run; all if empty.
    only: Vec<String>,
}

impl Options {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Error> {
        let (mode, bands) = (Mode::Write, bands::ALL.len());
        let mut options = Self { mode, bands, net: Net::All, only: Vec::new() };
        while let Some(argument) = arguments.next() {
            let mut value = |name: &str| {
                arguments
                    .next()
                    .ok_or_else(|| Error::Usage(format!("{name} needs a value after it")))
            };
            match argument.as_str() {
                "--only" => options.only.extend(value("--only")?.split(',').map(str::to_owned)),
                "--bands" => options.bands = bands_from(&value("--bands")?)?,
                "--specification" => options.net = Net::Specification,
                "--explore" => options.mode = Mode::Explore,
                "--check" => options.mode = Mode::Check,
                "--help" | "-h" => options.mode = Mode::Help,
                _ => return Err(Error::Usage(format!("unknown argument `{argument}`"))),
            }
        }
        // A table of some mutants, or of some bands, would replace the whole one.
        if options.mode == Mode::Write && !options.only.is_empty() {
            options.mode = Mode::Check;
        } else if options.mode == Mode::Write && options.bands < bands::ALL.len() {
            // Only the first failing seed is made smaller, which is in the first band.
            options.mode = Mode::WriteShrunk;
        }
        if options.net == Net::Specification {
            options.mode = match options.mode {
                Mode::Write | Mode::WriteShrunk => Mode::WriteSpecification,
                other => other,
            };
        }
        Ok(options)
    }

    /// The mutants that were asked for.
    pub(crate) fn selected(&self, mut mutants: Vec<Mutant>) -> Result<Vec<Mutant>, Error> {
        let known = |id: &&String| mutants.iter().any(|mutant| mutant.id == **id);
        if let Some(unknown) = self.only.iter().find(|id| !known(id)) {
            let ids: Vec<&str> = mutants.iter().map(|mutant| mutant.id.as_str()).collect();
            return Err(Error::Usage(format!(
                "there is no mutant `{unknown}`: there are {}",
                ids.join(", ")
            )));
        }
        if !self.only.is_empty() {
            mutants.retain(|mutant| self.only.contains(&mutant.id));
        }
        Ok(mutants)
    }
}

/// A number of bands: one, two or three.
fn bands_from(value: &str) -> Result<usize, Error> {
    match value.parse() {
        Ok(count) if (1..=bands::ALL.len()).contains(&count) => Ok(count),
        _ => Err(Error::Usage(format!(
            "--bands is `{value}`: it must be from 1 to {}",
            bands::ALL.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    //! Goal: arguments mean what the usage says, and a part of the results never replaces the whole table.

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::parse(arguments.iter().map(|argument| (*argument).to_owned()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn everything_is_run_and_written_by_default() {
        let all = Options { mode: Mode::Write, bands: 3, net: Net::All, only: Vec::new() };
        assert_eq!(parse(&[]), Ok(all));
    }

    #[test]
    fn a_part_is_never_written() {
        assert_eq!(parse(&["--only", "B01"]).map(|options| options.mode), Ok(Mode::Check));
        assert_eq!(parse(&["--bands", "1"]).map(|options| options.mode), Ok(Mode::WriteShrunk));
        let mode = |arguments| parse(arguments).map(|options| options.mode);
        assert_eq!(mode(&["--specification"]), Ok(Mode::WriteSpecification));
        assert_eq!(mode(&["--specification", "--bands", "1"]), Ok(Mode::WriteSpecification));
        assert_eq!(mode(&["--specification", "--only", "B01"]), Ok(Mode::Check));
        assert_eq!(parse(&["--bands", "1", "--check"]).map(|it| it.mode), Ok(Mode::Check));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        assert!(parse(&["--bands", "4"]).is_err_and(|error| error.contains("from 1 to 3")));
        assert!(parse(&["--only"]).is_err_and(|error| error.contains("--only needs a value")));
        assert!(parse(&["--quick"]).is_err_and(|error| error.contains("`--quick`")));
    }
}
