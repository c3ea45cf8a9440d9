//! `replay --html FILE`: the run as a page, besides what is printed or instead of it.

use super::arguments::ReplayArguments;
use super::{BadUse, files, say};
use crate::campaign::{Named, Source};
use crate::page::{self, Page};
use crate::plan::{GENERATOR_VERSION, Plan};
use crate::story::Story;
use crate::verdict::Verdict;

/// What is left for standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// It is free.
    Free,
    /// The page is there.
    Taken,
}

/// Refuses what cannot be shown, and a file that certainly cannot be written.
pub(super) fn check(named: &Named, arguments: &ReplayArguments) -> Result<(), BadUse> {
    let Some(path) = &arguments.html else { return Ok(()) };
    let what = &arguments.what;
    match named {
        Named::Plan(_) => files::check_outputs(&[
            ("--record", arguments.record.as_deref()),
            ("--html", Some(path)),
        ]),
        Named::Recording(_) => Err(BadUse(format!(
            "--html shows a whole cluster, and `{what}` is the life of one node: leave --html out"
        ))),
        Named::Run(_) => Err(BadUse(format!(
            "--html is for seeds and plans, and `{what}` is a recorded run: replay its seed or plan"
        ))),
    }
}

/// Writes the page if it is asked for, and says where it is.
pub(super) fn write(
    story: &Story,
    plan: &Plan,
    verdict: &Verdict,
    arguments: &ReplayArguments,
) -> Result<Output, BadUse> {
    let Some(path) = &arguments.html else { return Ok(Output::Free) };
    let again = again(plan, &arguments.what);
    files::write(path, &page::write(&Page { story, plan, verdict, again: &again }))?;
    if files::is_standard_output(path) {
        return Ok(Output::Taken);
    }
    say(&format!("the page is in {}", path.display()));
    Ok(Output::Free)
}

/// The command that runs this again.
fn again(plan: &Plan, what: &Source) -> String {
    let invocation = files::invocation();
    match what {
        Source::Seed(seed) => {
            let profile = &plan.profile;
            format!(
                "{invocation} replay {seed} --profile {profile} --generator {GENERATOR_VERSION}"
            )
        }
        Source::File(path) => format!("{invocation} replay {}", path.display()),
    }
}
