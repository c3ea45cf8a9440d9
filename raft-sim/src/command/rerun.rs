//! Runs on record: `replay --record FILE` writes one, `replay FILE` holds this build against it.

use std::path::Path;

use super::arguments::{Format, ReplayArguments};
use super::{BadUse, Outcome, files, print, say};
use crate::campaign::Named;
use crate::machine::Machine;
use crate::raft::Raft;
use crate::report::printable;
use crate::rerun::{Guided, Strict, named};
use crate::run_file::RunFile;
use crate::timeline::{grouped, put};

/// Refuses what makes no sense of what is to be replayed, and a file that a run certainly cannot be recorded in.
pub(super) fn check_use(named: &Named, arguments: &ReplayArguments) -> Result<(), BadUse> {
    let (path, file) = (arguments.record.as_deref(), &arguments.what);
    let is_run = matches!(named, Named::Run(_));
    if arguments.guided && !is_run {
        return Err(BadUse(format!(
            "--guided is for a recorded run, and `{file}` is none: record one with --record FILE"
        )));
    }
    if path.is_some() && !matches!(named, Named::Plan(_)) {
        return Err(BadUse(format!(
            "--record is for seeds and plans: `{file}` is recorded already"
        )));
    }
    if is_run && arguments.format != Format::Text {
        return Err(BadUse(format!(
            "`{file}` is a recorded run: it is compared, and that is told as text; replay its seed or plan for \
             other formats"
        )));
    }
    if path.is_some_and(files::is_standard_output) {
        return Err(BadUse("--record needs a file: standard output is for the replay".to_owned()));
    }
    files::check_outputs(&[("--record", path)])
}

/// Writes a run on record, and says so.
pub(super) fn record(path: &Path, run: &RunFile) -> Result<(), BadUse> {
    files::write(path, &run.to_text())?;
    let (events, fates) = (grouped(run.marks.len() as u64), grouped(run.fates.len() as u64));
    say(&format!("recorded in {}: {events} events, the fates of {fates} messages", path.display()));
    Ok(())
}

/// Runs a run on record again, and says how like it is.
pub(super) fn rerun<R, M>(text: &str, arguments: &ReplayArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let file = &arguments.what;
    let run = RunFile::read(text).map_err(|error| BadUse(format!("`{file}`: {error}")))?;
    let limit = arguments.seed_time;
    let (told, is_met) = if arguments.guided {
        let guided = run.guided::<R, M>(limit);
        (guided_text(&run, &guided), run.is_met_by(&guided))
    } else {
        let strict = run.strict::<R, M>(limit);
        (strict_text(&strict), matches!(strict, Strict::Same { .. }))
    };
    print(&told)?;
    Ok(if is_met { Outcome::Clean } else { Outcome::Violated })
}

fn strict_text(strict: &Strict) -> String {
    match strict {
        Strict::Same { events } => format!("same: {} events\n", grouped(*events)),
        Strict::Differs(divergence) => format!(
            "differs from {}\n(--guided goes on from there, and says how much happens again)\n",
            printable(&divergence.to_string())
        ),
    }
}

fn guided_text(run: &RunFile, guided: &Guided) -> String {
    let (again, recorded) = (grouped(guided.again), grouped(guided.recorded));
    let mut text = format!(
        "guided: {again} of {recorded} recorded events happened again, in order at each node\n"
    );
    match &guided.divergence {
        None => text.push_str("same: nothing differs\n"),
        Some(divergence) => {
            let divergence = printable(&divergence.to_string());
            put(&mut text, format_args!("first difference: {divergence}\n"));
        }
    }
    let found = guided.violated.as_ref().map(|violation| violation.property);
    let (recorded, found) = (named(run.violated), named(found));
    if recorded == found {
        put(&mut text, format_args!("violated: {found}, as recorded\n"));
    } else {
        put(&mut text, format_args!("violated: {found}; recorded is {recorded}\n"));
    }
    text
}
