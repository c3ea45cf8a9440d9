//! `check`: scenarios, each run and compared with what it says.

use super::arguments::CheckArguments;
use super::{BadUse, Outcome, files, print, say};
use crate::campaign::{Complaint, check_file, scenario_files};
use crate::machine::Machine;
use crate::raft::Raft;
use crate::report::printable;

/// What became of the files so far.
#[derive(Default)]
struct Tally {
    held: u64,
    differed: u64,
    unusable: u64,
}

/// Runs the scenarios of all files and folders that are named.
pub(super) fn check<R: Raft, M: Machine>(arguments: &CheckArguments) -> Result<Outcome, BadUse> {
    let mut tally = Tally::default();
    for named in &arguments.files {
        match scenario_files(named) {
            Err(complaint) => tally.complain(&complaint)?,
            Ok(files) => {
                for file in files {
                    match check_file::<R, M>(&file) {
                        Ok(()) => tally.hold(&file.display().to_string())?,
                        Err(complaint) => {
                            tally.complain(&complaint)?;
                            if let Complaint::Differs(_) = complaint {
                                print(&format!(
                                    "     see what happened: {} replay {}\n",
                                    files::invocation(),
                                    printable(&file.display().to_string())
                                ))?;
                            }
                        }
                    }
                }
            }
        }
    }
    tally.conclude()
}

impl Tally {
    fn hold(&mut self, file: &str) -> Result<(), BadUse> {
        self.held += 1;
        print(&format!("ok   {}\n", printable(file)))
    }

    fn complain(&mut self, complaint: &Complaint) -> Result<(), BadUse> {
        let mark = match complaint {
            Complaint::Unusable(_) => {
                self.unusable += 1;
                "BAD "
            }
            Complaint::Differs(_) => {
                self.differed += 1;
                "FAIL"
            }
        };
        print(&format!("{mark} {}\n", printable(&complaint.to_string())))
    }

    /// What differs prevails over what cannot be used: it may be a violation.
    fn conclude(&self) -> Result<Outcome, BadUse> {
        let Self { held, differed, unusable } = self;
        print(&format!("{held} ok, {differed} failed, {unusable} unusable\n"))?;
        let unread = format!(
            "{unusable} of {} could not be used: the lines that begin with BAD say why",
            held + differed + unusable
        );
        match (differed, unusable) {
            (0, 0) => Ok(Outcome::Clean),
            (0, _) => Err(BadUse(unread)),
            (_, 0) => Ok(Outcome::Violated),
            (_, _) => {
                say(&format!("note: {unread}"));
                Ok(Outcome::Violated)
            }
        }
    }
}
