//! A campaign's [`Summary`] for readers: people at a terminal, programs, a CI job's page.

mod figures;
mod json;
mod junit;
mod markdown;
mod table;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::campaign::{Failure, Group, Summary};
use crate::plan::Profile;
use crate::timeline::seconds;

pub use json::json;
pub use junit::junit;
pub use markdown::markdown;
pub use text::text;

use table::{Lean, Table};

/// What a report says besides the summary.
#[derive(Clone, Debug)]
pub struct Context {
    /// How this program is run, up to its own arguments: `cargo run --release -p raft-sim --`.
    pub invocation: String,
    /// The files in which the plans of failing runs are, by seed.
    pub plans: BTreeMap<u64, PathBuf>,
    /// Whether a campaign that did not cover what it should is a failed one.
    pub vacuity: Vacuity,
}

/// What to do about a campaign that did not cover what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacuity {
    /// It has failed.
    Fails,
    /// Say so.
    Mentioned,
}

/// What came of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing was violated, and enough was covered.
    Clean,
    /// Something was violated.
    Violated,
    /// Nothing was violated, and nothing was committed either.
    Idle,
    /// Nothing was violated, and too little was covered.
    Vacuous,
}

impl Judgement {
    /// The stable name, for files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Violated => "violated",
            Self::Idle => "idle",
            Self::Vacuous => "vacuous",
        }
    }
}

impl Context {
    /// What came of a campaign: every form of the report says the same.
    pub fn judge(&self, summary: &Summary) -> Judgement {
        if !summary.clean() {
            Judgement::Violated
        } else if summary.idle() {
            Judgement::Idle
        } else if self.vacuity == Vacuity::Fails && !vacuous(summary).is_empty() {
            Judgement::Vacuous
        } else {
            Judgement::Clean
        }
    }

    /// The command that runs a seed of a campaign again, under the same limit of time.
    pub fn replay_line(&self, summary: &Summary, seed: u64) -> String {
        let Self { invocation, .. } = self;
        let (profile, generator) = (summary.profile.name(), summary.generator);
        let limit = wall_option(summary.seed_limit_ms);
        format!(
            "{invocation} replay {seed} --profile {profile} --generator {generator} --seed-time {limit}"
        )
    }

    /// The command that makes the plan of a seed smaller.
    fn shrink_line(&self, summary: &Summary, seed: u64) -> String {
        let profile = match summary.profile {
            Profile::Default => String::new(),
            other => format!(" --profile {}", other.name()),
        };
        format!("{} shrink {seed}{profile}", self.invocation)
    }

    /// The first failure of a group, and what there is to say about it: a line each.
    fn group_lines(&self, summary: &Summary, group: &Group) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(failure) = first_of(summary, group) else { return lines };
        let violation = &failure.violation;
        let who: Vec<String> = violation.nodes.iter().map(ToString::to_string).collect();
        let who = if who.is_empty() { String::new() } else { format!(", {}", who.join(" and ")) };
        lines.push(format!(
            "{} (at {} s{who}): {}",
            violation.property.name(),
            seconds(violation.at),
            violation.witness
        ));
        lines.push(format!("  means:  {}", violation.property.explain()));
        let others = match group.seeds.len() {
            1 => String::new(),
            count => format!(" (and {} more like it: {})", count - 1, some_of(&group.seeds[1..])),
        };
        lines.push(format!("  seed:   {}{others}", failure.seed));
        if let Some(path) = self.plans.get(&failure.seed) {
            lines.push(format!("  plan:   {}", path.display()));
        }
        lines.push(format!("  replay: {}", self.replay_line(summary, failure.seed)));
        lines.push(format!("  make it smaller: {}", self.shrink_line(summary, failure.seed)));
        lines.iter().map(|line| printable(line)).collect()
    }
}

fn first_of<'a>(summary: &'a Summary, group: &Group) -> Option<&'a Failure> {
    let seed = *group.seeds.first()?;
    summary.failures.iter().find(|failure| failure.seed == seed)
}

/// A time limit as the command line takes it. None is below a millisecond there.
fn wall_option(milliseconds: u64) -> String {
    match milliseconds {
        0 => "1ms".to_owned(),
        whole if whole % 1_000 == 0 => format!("{}s", whole / 1_000),
        part => format!("{part}ms"),
    }
}

/// A text on one line, for a terminal: a character that would move the cursor, colour the screen or end
/// the line is written as Rust writes it (`\r`, `\u{1b}`). What names a file, or what a machine or a
/// panic said, may hold any.
pub(crate) fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// The situations and marks that a campaign has failed for, by name.
fn vacuous(summary: &Summary) -> Vec<&str> {
    let situations = summary.vacuous().map(|score| score.situation.name());
    situations.chain(summary.vacuous_marks().map(|score| score.mark.as_str())).collect()
}

/// The first few of many seeds.
fn some_of(seeds: &[u64]) -> String {
    let mut text = seeds.iter().take(5).map(u64::to_string).collect::<Vec<_>>().join(", ");
    if seeds.len() > 5 {
        text.push_str(", ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use raft_core::{Instant, NodeId};

    use super::*;
    use crate::campaign::{BUSY_RUNS, COMMON, COMMON_RUNS, Campaign, Seeds, TELLING_RUNS};
    use crate::coverage::{Score, Situation};
    use crate::kv::Kv;
    use crate::plan::Profile;
    use crate::violation::{Property, Violation};

    /// A summary of a few real runs, to which a failure has been added.
    fn failed() -> Summary {
        let seeds = Seeds::new(0..2).expect("the band is not empty");
        let jobs = NonZeroUsize::MIN;
        let mut summary =
            Campaign { jobs, ..Campaign::new(seeds) }.run::<raft_core::Node, Kv>(|_| ());
        let nodes = [NodeId(1), NodeId(3)];
        let witness = "n1 and n3 both lead T2 <at once>";
        let violation =
            Violation::new(Property::ElectionSafety, Instant(1_500_000), &nodes, witness);
        for seed in [1, 7] {
            let (violation, cause) = (violation.clone(), "n# and n#".to_owned());
            summary.failures.push(Failure { seed, digest: 9, violation, cause });
        }
        let cause = "n# and n#".to_owned();
        summary.groups.push(Group { property: Property::ElectionSafety, cause, seeds: vec![1, 7] });
        summary
    }

    fn context() -> Context {
        Context {
            invocation: "raft-sim".to_owned(),
            plans: BTreeMap::from([(1, PathBuf::from("failures/default-1.json"))]),
            vacuity: Vacuity::Mentioned,
        }
    }

    /// Goal: every form of the report says what was violated, by whom, when, and how to replay it.
    #[test]
    fn a_failure_is_told_in_full() {
        let (summary, context) = (failed(), context());
        let generator = summary.generator;
        let replay =
            format!("raft-sim replay 1 --profile default --generator {generator} --seed-time 60s");
        let said = text(&summary, &context);
        assert!(said.contains(&format!("  replay: {replay}\n")), "{said}");
        assert!(said.ends_with("  make it smaller: raft-sim shrink 1\n"), "{said}");
        let page = markdown(&summary, &context);
        let plain = "election-safety (at 1.500000 s, n1 and n3): n1 and n3 both lead T2 <at once>";
        for form in [&said, &page] {
            for part in [plain, "default-1.json", "1 more like it: 7", &replay] {
                assert!(form.contains(part), "{part} is missing: {form}");
            }
        }
        let junit = junit(&summary, &context);
        assert!(junit.contains("failures=\"1\"") && junit.contains("&lt;at once&gt;"), "{junit}");
        let json: serde_json::Value =
            serde_json::from_str(&json(&summary, &context)).expect("JSON");
        assert_eq!(json["verdict"], "violated");
        assert_eq!(json["failures"][0]["violation"]["property"], "election-safety");
        assert_eq!(json["failures"][0]["replay"], replay);
        assert_eq!(json["failures"][0]["plan"], "failures/default-1.json");
    }

    /// Goal: a campaign that did not cover what it should has failed only where that is asked for.
    #[test]
    fn vacuity_is_judged_as_asked() {
        let mut summary = failed();
        (summary.failures, summary.groups) = (Vec::new(), Vec::new());
        summary.runs = TELLING_RUNS;
        for score in &mut summary.coverage {
            (score.seeds, score.demanded) = (0, 1);
        }
        let mut context = context();
        assert_eq!(context.judge(&summary), Judgement::Clean);
        assert!(text(&summary, &context).contains("\nclean: "));
        context.vacuity = Vacuity::Fails;
        assert_eq!(context.judge(&summary), Judgement::Vacuous);
        let said = text(&summary, &context);
        assert!(said.contains("\nvacuous: ") && said.contains("split-vote"), "{said}");
        assert!(markdown(&summary, &context).contains("**Vacuous**"));
        assert!(junit(&summary, &context).contains("failures=\"1\""));
    }

    /// Goal: the more runs, the more must have occurred in them; nothing is asked of other profiles.
    #[test]
    fn what_must_occur_depends_on_the_number_of_runs() {
        let mut summary = failed();
        (summary.failures, summary.groups) = (Vec::new(), Vec::new());
        for score in &mut summary.coverage {
            (score.seeds, score.demanded) = (5, 5);
        }
        // What is up to the machine is not judged.
        let machine = |score: &&mut Score| score.situation == Situation::OversizeEntry;
        let oversize = summary.coverage.iter_mut().find(machine).expect("it is on the scorecard");
        (oversize.seeds, oversize.demanded) = (0, COMMON);
        // Common and never seen; common and seen once; rare and never seen.
        for (place, seeds, demanded) in [(0, 0, COMMON), (1, 1, COMMON), (2, 0, COMMON - 1)] {
            (summary.coverage[place].seeds, summary.coverage[place].demanded) = (seeds, demanded);
        }
        let context = Context { vacuity: Vacuity::Fails, ..context() };
        let mut lacking = |runs| {
            summary.runs = runs;
            assert_eq!(
                context.judge(&summary) == Judgement::Vacuous,
                !vacuous(&summary).is_empty()
            );
            summary.vacuous().count()
        };
        let counts =
            [COMMON_RUNS - 1, COMMON_RUNS, TELLING_RUNS - 1, TELLING_RUNS].map(&mut lacking);
        assert_eq!(counts, [0, 1, 1, 3]);
        summary.profile = Profile::Calm;
        assert_eq!(context.judge(&summary), Judgement::Clean);
    }

    /// Goal: runs in which nothing was committed prove nothing, and every form of the report says so,
    /// whatever else is accepted.
    #[test]
    fn idle_runs_are_not_clean() {
        let mut summary = failed();
        (summary.failures, summary.groups) = (Vec::new(), Vec::new());
        (summary.runs, summary.statistics.operations_committed) = (BUSY_RUNS, 0);
        let context = context();
        assert_eq!(context.judge(&summary), Judgement::Idle);
        assert!(text(&summary, &context).contains("\nidle: "));
        assert!(markdown(&summary, &context).contains("**Idle**"));
        assert!(junit(&summary, &context).contains("failures=\"1\""));
        assert!(json(&summary, &context).contains("\"verdict\": \"idle\""));
        summary.runs -= 1;
        assert_eq!(context.judge(&summary), Judgement::Clean);
    }

    /// Goal: a limit is printed as it is read, and what a file or a machine said cannot steer a terminal.
    #[test]
    fn lines_are_lines() {
        assert_eq!([0, 1, 1_500, 90_000].map(wall_option), ["1ms", "1ms", "1500ms", "90s"]);
        let text = "C:\\plan\r\u{1b}[31m\n\u{9b}\u{e9}";
        assert_eq!(printable(text), "C:\\plan\\r\\u{1b}[31m\\n\\u{9b}\u{e9}");
        let mut summary = failed();
        summary.failures[0].violation.witness = "the\rmachine\nsaid".to_owned();
        assert!(super::text(&summary, &context()).contains("the\\rmachine\\nsaid"));
    }
}
