//! Where the report of a campaign goes, beside the terminal.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::{BadUse, files, print};
use crate::campaign::Summary;
use crate::report::{self, Context, Vacuity};

/// What every command takes that reports on a campaign.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Do not fail for situations that occurred too rarely or never (they are judged from 100 seeds on)
    #[arg(long)]
    allow_vacuous: bool,
    /// Write the summary as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FILE",
        help = "Write the failures as a JUnit report; `-` is standard output"
    )]
    junit: Option<PathBuf>,
    /// Append the summary as Markdown (for a CI job's summary page); `-` is standard output
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

impl ReportArguments {
    /// Refuses files that cannot be written, before anything is done.
    pub(super) fn check(&self) -> Result<(), BadUse> {
        files::check_outputs(&[
            ("--json", self.json.as_deref()),
            ("--junit", self.junit.as_deref()),
            ("--summary", self.summary.as_deref()),
        ])
    }

    /// What becomes of situations that occurred too rarely or never.
    pub(super) fn vacuity(&self) -> Vacuity {
        if self.allow_vacuous { Vacuity::Mentioned } else { Vacuity::Fails }
    }

    /// Prints the report, and writes it wherever it is to go.
    pub(super) fn write(&self, summary: &Summary, context: &Context) -> Result<(), BadUse> {
        let text = report::text(summary, context);
        let files = [&self.json, &self.junit, &self.summary];
        if files.into_iter().flatten().any(|path| files::is_standard_output(path)) {
            // Standard output is for the machine that reads it. Nobody is left to be told if this fails.
            drop(io::stderr().write_all(text.as_bytes()));
        } else {
            print(&text)?;
        }
        if let Some(path) = &self.junit {
            files::write(path, &report::junit(summary, context))?;
        }
        if let Some(path) = &self.summary {
            files::append(path, &report::markdown(summary, context))?;
        }
        if let Some(path) = &self.json {
            files::write(path, &report::json(summary, context))?;
        }
        Ok(())
    }
}
