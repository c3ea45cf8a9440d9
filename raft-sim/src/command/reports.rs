//! Where the report of a campaign goes, beside the terminal.

use std::io::{self, Write};
use std::path::Path;

use super::arguments::{MergeArguments, RunArguments};
use super::{BadUse, files, print};
use crate::campaign::Summary;
use crate::report::{self, Context};

/// The files of a report.
pub(super) struct Reports<'a> {
    json: Option<&'a Path>,
    junit: Option<&'a Path>,
    summary: Option<&'a Path>,
}

impl RunArguments {
    pub(super) fn reports(&self) -> Reports<'_> {
        let Self { json, junit, summary, .. } = self;
        Reports { json: json.as_deref(), junit: junit.as_deref(), summary: summary.as_deref() }
    }
}

impl MergeArguments {
    pub(super) fn reports(&self) -> Reports<'_> {
        let Self { json, junit, summary, .. } = self;
        Reports { json: json.as_deref(), junit: junit.as_deref(), summary: summary.as_deref() }
    }
}

impl Reports<'_> {
    /// Refuses files that cannot be written, before anything is done.
    pub(super) fn check(&self) -> Result<(), BadUse> {
        let Self { json, junit, summary } = *self;
        files::check_outputs(&[("--json", json), ("--junit", junit), ("--summary", summary)])
    }

    /// Prints the report, and writes it wherever it is to go.
    pub(super) fn write(&self, summary: &Summary, context: &Context) -> Result<(), BadUse> {
        let text = report::text(summary, context);
        let files = [self.json, self.junit, self.summary];
        if files.into_iter().flatten().any(files::is_standard_output) {
            // Standard output is for the machine that reads it. Nobody is left to be told if this fails.
            drop(io::stderr().write_all(text.as_bytes()));
        } else {
            print(&text)?;
        }
        if let Some(path) = self.junit {
            files::write(path, &report::junit(summary, context))?;
        }
        if let Some(path) = self.summary {
            files::append(path, &report::markdown(summary, context))?;
        }
        if let Some(path) = self.json {
            files::write(path, &report::json(summary, context))?;
        }
        Ok(())
    }
}
