//! A mutant: a patch with a header that says which bug it is.
//!
//! ```text
//! # id: B01
//! # area: election
//! # bug: what the changed code does wrong
//! # expects: the properties that should catch it
//! # reference: where it was seen
//! diff --git a/raft-core/src/... b/raft-core/src/...
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// A known bug as a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// Its short name, unique: `B01`.
    pub(crate) id: String,
    /// The file's name without its ending: `B01-vote-twice`.
    pub(crate) name: String,
    /// The part of Raft that is broken.
    pub(crate) area: String,
    /// What the code does wrong, in a sentence.
    pub(crate) bug: String,
    /// The properties of which one should catch it.
    pub(crate) expects: String,
    /// Where it was seen.
    pub(crate) reference: String,
    /// The patch.
    pub(crate) path: PathBuf,
}

/// Every mutant in `folder`, in the order of their ids.
pub(crate) fn load(folder: &Path) -> Result<Vec<Mutant>, Error> {
    let cannot_list = || format!("cannot list {}", folder.display());
    let mut mutants = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::system(cannot_list()))? {
        let path = entry.map_err(Error::system(cannot_list()))?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            let text = fs::read_to_string(&path)
                .map_err(Error::system(format!("cannot read {}", path.display())))?;
            mutants.push(parse(path, &text)?);
        }
    }
    mutants.sort_by_key(|mutant| order(&mutant.id));
    match mutants.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => Err(Error::Mutant {
            name: pair[1].name.clone(),
            problem: format!("has the id of {}: give it its own", pair[0].name),
        }),
        None => Ok(mutants),
    }
}

/// Letters first, then by number: `B2` before `B10`, `B67` before `P6`.
fn order(id: &str) -> (String, u64) {
    let digits = id.find(|c: char| c.is_ascii_digit()).unwrap_or(id.len());
    let (letters, number) = id.split_at(digits);
    (letters.to_owned(), number.parse().unwrap_or(u64::MAX))
}

/// Reads a patch's header.
fn parse(path: PathBuf, text: &str) -> Result<Mutant, Error> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let field = |key: &str| {
        let mut header = text.lines().take_while(|line| line.starts_with('#'));
        let prefix = format!("# {key}: ");
        let value = header.find_map(|line| line.strip_prefix(prefix.as_str()));
        value.map(|value| value.trim().to_owned()).ok_or_else(|| Error::Mutant {
            name: name.clone(),
            problem: format!("its header has no line `# {key}: ...` before the diff"),
        })
    };
    let mutant = Mutant {
        id: field("id")?,
        area: field("area")?,
        bug: field("bug")?,
        expects: field("expects")?,
        reference: field("reference")?,
        name: name.clone(),
        path,
    };
    if name.split('-').next() != Some(mutant.id.as_str()) {
        let problem = format!("its header has the id {}: file and header must agree", mutant.id);
        return Err(Error::Mutant { name, problem });
    }
    Ok(mutant)
}

#[cfg(test)]
mod tests {
    //! Goal: a header that lacks something is refused with the name of what it lacks.

    use super::*;

    const HEADER: &str =
        "# id: B01\n# area: election\n# bug: b\n# expects: e\n# reference: r\ndiff --git\n";

    fn parsed(file: &str, text: &str) -> Result<Mutant, String> {
        parse(PathBuf::from(file), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_header_is_read() {
        let mutant = parsed("B01-vote-twice.patch", HEADER).expect("the header is whole");
        assert_eq!((mutant.id.as_str(), mutant.area.as_str()), ("B01", "election"));
        assert_eq!(mutant.name, "B01-vote-twice");
    }

    #[test]
    fn a_missing_line_is_named() {
        let text = HEADER.replace("# bug: b\n", "");
        assert!(parsed("B01-x.patch", &text).is_err_and(|error| error.contains("`# bug: ...`")));
    }

    #[test]
    fn a_file_of_another_name_is_refused() {
        assert!(parsed("B02-x.patch", HEADER).is_err_and(|error| error.contains("must agree")));
    }

    #[test]
    fn ids_are_ordered_by_number() {
        assert!(order("B2") < order("B10"));
        assert!(order("B67") < order("P6"));
    }
}
