//! `shrink`: a failing run made smaller, and written down.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::arguments::ShrinkArguments;
use super::{BadUse, Outcome, files, print};
use crate::machine::Machine;
use crate::raft::Raft;
use crate::report::printable;
use crate::scenario::Scenario;
use crate::shrink::{self, Effort, Ended, Progress, Shrunk, Size};
use crate::timeline::grouped;
use crate::violation::Violation;

/// Makes a failing run smaller and prints it.
pub(super) fn shrink<R, M>(arguments: &ShrinkArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    files::check_outputs(&[
        ("--output", arguments.output.as_deref()),
        ("--test", arguments.test.as_deref()),
        ("--json", arguments.json.as_deref()),
    ])?;
    let profile = super::run::profile(&arguments.profile)?;
    let plan = arguments.what.plan::<R, M>(profile, arguments.generator).map_err(BadUse)?;
    let mut effort = Effort { budget: arguments.time, ..Effort::default() };
    effort.jobs = arguments.jobs.unwrap_or(effort.jobs);
    let bar = bar();
    let shrunk = shrink::shrink::<R, M>(&plan, effort, |progress| show(&bar, progress));
    bar.finish_and_clear();
    let shrunk = shrunk.map_err(|error| BadUse(error.to_string()))?;
    let scenario = scenario(&arguments.what.to_string(), &shrunk);
    match (&arguments.output, &arguments.json) {
        (Some(path), _) => files::write(path, &scenario.write::<M>())?,
        // Standard output is for the machine that reads it.
        (None, Some(json)) if files::is_standard_output(json) => {}
        (None, _) => print(&scenario.write::<M>())?,
    }
    if let Some(path) = &arguments.test {
        let name = format!("{}_again", shrunk.violation.property.name().replace('-', "_"));
        files::write(path, &scenario.as_test::<M>(&name))?;
    }
    if let Some(path) = &arguments.json {
        files::write(path, &summary(&shrunk)?)?;
    }
    super::say(&told(&shrunk));
    Ok(Outcome::Violated)
}

/// What is left of a run, as a scenario that fails as long as the bug is there.
fn scenario(what: &str, shrunk: &Shrunk) -> Scenario {
    let Violation { property, witness, .. } = &shrunk.violation;
    let story = format!(
        "What `shrink` left of {what}. It violated {}:\n{}.",
        property.name(),
        printable(witness)
    );
    Scenario::of(shrunk.plan.clone()).with_story(&story)
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed} {pos} runs: {msg}");
    ProgressBar::new_spinner().with_style(style.expect("the template is a constant"))
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.runs);
    bar.set_message(format!("{}; {}", sized(progress.size), progress.trying));
}

fn sized(size: Size) -> String {
    let Size { lines, delivered, nodes, .. } = size;
    format!("{} lines, {} messages, {nodes} nodes", grouped(lines), grouped(delivered))
}

fn told(shrunk: &Shrunk) -> String {
    let Shrunk { violation, before, after, runs, ended, elapsed, .. } = shrunk;
    let why = match ended {
        Ended::Smallest => "nothing smaller was found",
        Ended::TimeUp => "the time was up (--time gives it more)",
    };
    format!(
        "from {} to {} in {} runs and {} ms; {why}; it violates {}: {}",
        sized(*before),
        sized(*after),
        grouped(*runs),
        elapsed.as_millis(),
        violation.property.name(),
        printable(&violation.witness)
    )
}

fn summary(shrunk: &Shrunk) -> Result<String, BadUse> {
    let Shrunk { plan, violation, before, after, runs, ended, elapsed } = shrunk;
    let document = json!({
        "seed": plan.seed,
        "violation": violation,
        "before": before,
        "after": after,
        "runs": runs,
        "smallest": *ended == Ended::Smallest,
        "milliseconds": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    });
    serde_json::to_string_pretty(&document)
        .map(|text| text + "\n")
        .map_err(|error| BadUse(format!("the summary cannot be written as JSON: {error}")))
}
