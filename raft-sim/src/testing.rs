//! A campaign inside a `#[test]`, for state machines of one's own.
//!
//! A failure ends the test with what was violated and the one line that runs exactly that seed again
//! through the same test. Variables of the environment steer it from outside:
//!
//! * `RAFT_SIM_REPLAY=17` (or the file of a plan or a scenario) runs only that, and prints what happened;
//!   `RAFT_SIM_HTML=FILE` with it writes the run as a page for a browser;
//! * `RAFT_SIM_SHRINK=17` (or such a file) makes it smaller, and prints what is left as a scenario;
//! * `RAFT_SIM_SEEDS=5000` (or `100..200`, or `fresh:1000`) replaces the seeds.

mod scenarios;

use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::thread;

use crate::campaign::{
    self, Campaign, Failure, SEED_LIMIT, SeedRequest, Seeds, Source, Summary, plan_of,
};
use crate::machine::Machine;
use crate::page::{self, Page};
use crate::plan::Profile;
use crate::raft::Raft;
use crate::report::printable;
use crate::scenario::Scenario;
use crate::shrink::{self, Effort};
use crate::story::Narrator;
use crate::timeline::{Recorder, View};
use crate::violation::Violation;

pub use scenarios::{scenario_text, scenarios};

/// The seeds of a test that names none: a second or two, if it is built with some optimization.
const SEEDS: Range<u64> = 0..200;
/// How many rows of a replay are printed.
const ROWS: usize = 200;

/// Runs the state machine `M` through 200 simulated clusters.
///
/// With `opt-level = 1` below `[profile.test]` that takes seconds; without, ten times as long.
///
/// ```no_run
/// # type Bank = raft_sim::kv::Kv;
/// #[test]
/// fn the_bank_conserves_money() {
///     raft_sim::check::<Bank>();
/// }
/// ```
///
/// # Panics
/// When something is violated, or nothing was committed in 20 runs or more. The message says what, and how to replay it.
pub fn check<M: Machine + 'static>() {
    Check::new().run::<M>();
}

/// A campaign for a test, with its settings.
///
/// ```no_run
/// # type Bank = raft_sim::kv::Kv;
/// raft_sim::Check::new().seeds(0..1_000).run::<Bank>();
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is checked until `run`"]
pub struct Check {
    seeds: Range<u64>,
    profile: Profile,
    jobs: Option<NonZeroUsize>,
    name: Option<String>,
}

/// What the environment asks for.
struct Wishes {
    seeds: Option<String>,
    replay: Option<String>,
    shrink: Option<String>,
    html: Option<PathBuf>,
}

impl Wishes {
    fn of_the_environment() -> Self {
        Self {
            seeds: std::env::var("RAFT_SIM_SEEDS").ok(),
            replay: std::env::var("RAFT_SIM_REPLAY").ok(),
            shrink: std::env::var("RAFT_SIM_SHRINK").ok(),
            html: std::env::var_os("RAFT_SIM_HTML").map(PathBuf::from),
        }
    }
}

impl Default for Check {
    fn default() -> Self {
        Self::new()
    }
}

impl Check {
    /// The first 200 seeds of the default profile, on every core.
    pub const fn new() -> Self {
        Self { seeds: SEEDS, profile: Profile::Default, jobs: None, name: None }
    }

    /// The seeds to run, unless `RAFT_SIM_SEEDS` names others.
    pub const fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// What kind of plans the seeds stand for.
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// How many seeds to run at a time; as many as there are cores unless set.
    pub const fn jobs(mut self, jobs: NonZeroUsize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// The test's name, for the line that replays a failure. It is found out without this, except when
    /// the harness runs tests on its main thread (`--test-threads=1`).
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Runs the campaign for a state machine on `raft-core`.
    ///
    /// # Panics
    /// When something is violated, or nothing was committed in 20 runs or more. The message says what, and how to replay it.
    pub fn run<M: Machine + 'static>(self) {
        self.run_on::<raft_core::Node, M>();
    }

    /// Runs the campaign for a state machine on another implementation of Raft.
    ///
    /// # Panics
    /// When something is violated, or nothing was committed in 20 runs or more. The message says what, and how to replay it.
    pub fn run_on<R: Raft + 'static, M: Machine + 'static>(self) {
        let wishes = Wishes::of_the_environment();
        if let Err(message) = self.carry_out::<R, M>(&wishes) {
            panic!("{message}");
        }
    }

    fn carry_out<R: Raft + 'static, M: Machine + 'static>(
        &self,
        wishes: &Wishes,
    ) -> Result<(), String> {
        if let Some(what) = &wishes.replay {
            return self.replay::<R, M>(what, wishes.html.as_deref());
        }
        if let Some(what) = &wishes.shrink {
            return self.shrink::<R, M>(what);
        }
        let summary = self.campaign(wishes)?.run::<R, M>(|_| ());
        if let Some(failure) = summary.failures.first() {
            return Err(self.complaint::<R, M>(&summary, failure));
        }
        if summary.idle() {
            return Err(format!(
                "{} simulated runs committed nothing, so they proved nothing: look at one with `{}`",
                summary.runs,
                self.replay_line(&summary.seeds.first().to_string())
            ));
        }
        Ok(())
    }

    fn campaign(&self, wishes: &Wishes) -> Result<Campaign, String> {
        let seeds = match &wishes.seeds {
            Some(text) => {
                let request: SeedRequest =
                    text.parse().map_err(|error| format!("RAFT_SIM_SEEDS={text}: {error}"))?;
                request.resolve()
            }
            None => Seeds::new(self.seeds.clone()).map_err(|error| error.to_string())?,
        };
        let mut campaign = Campaign::new(seeds);
        campaign.profile = self.profile;
        campaign.jobs = self.jobs.unwrap_or(campaign.jobs);
        // One failure is what the test reports, and the earlier it is known the better.
        campaign.max_failures = NonZeroU64::MIN;
        Ok(campaign)
    }

    /// Runs one seed or file, and prints what happened; also as a page, if a file is named for that.
    fn replay<R: Raft + 'static, M: Machine + 'static>(
        &self,
        what: &str,
        html: Option<&Path>,
    ) -> Result<(), String> {
        let source: Result<Source, String> = what.parse();
        let plan = source
            .and_then(|source| source.plan::<R, M>(self.profile, None))
            .map_err(|reason| format!("RAFT_SIM_REPLAY: {}", printable(&reason)))?;
        let (recorder, timeline) = Recorder::<M>::new(&plan);
        let (narrator, story) = Narrator::<M>::new(&plan);
        let guarded = campaign::replay::<R, M, _>(plan.clone(), (recorder, narrator), SEED_LIMIT);
        let mut timeline = timeline.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut story = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let verdict = guarded.verdict;
        if let Some(violation) = &verdict.violation {
            timeline.conclude(violation);
            story.conclude(violation);
        }
        println!("{}", timeline.render(&View { rows: Some(ROWS), ..View::default() }));
        print!("{}", story.reasons());
        println!("digest {:016x}", verdict.digest);
        if let Some(path) = html {
            let again = self.replay_line(what);
            let page = Page { story: &story, plan: &plan, verdict: &verdict, again: &again };
            fs::write(path, page::write(&page))
                .map_err(|error| format!("RAFT_SIM_HTML={}: {error}", path.display()))?;
            println!("the page is in {}", path.display());
        }
        match &verdict.violation {
            Some(violation) => Err(format!("{}\n{}", sentence(violation), self.again(what))),
            None => Ok(()),
        }
    }

    /// Makes a failing seed or file smaller, and prints what is left.
    fn shrink<R: Raft + 'static, M: Machine + 'static>(&self, what: &str) -> Result<(), String> {
        let source: Result<Source, String> = what.parse();
        let plan = source.and_then(|source| source.plan::<R, M>(self.profile, None));
        let plan = plan.map_err(|reason| format!("RAFT_SIM_SHRINK: {}", printable(&reason)))?;
        let mut effort = Effort::default();
        effort.jobs = self.jobs.unwrap_or(effort.jobs);
        let shrunk = shrink::shrink::<R, M>(&plan, effort, |_| ())
            .map_err(|error| format!("RAFT_SIM_SHRINK: {error}"))?;
        let scenario = Scenario::of(shrunk.plan).write::<M>();
        println!("{scenario}");
        let kept = kept(&format!("{}-{}.scenario", plan.profile, plan.seed), &scenario);
        let file = kept.map_or_else(|| what.to_owned(), |path| path.display().to_string());
        Err(format!("{}\n{}", sentence(&shrunk.violation), self.again(&file)))
    }

    /// What a failed campaign says.
    fn complaint<R: Raft, M: Machine>(&self, summary: &Summary, failure: &Failure) -> String {
        let kept = keep_plan::<R, M>(failure.seed, self.profile).map_or_else(String::new, |path| {
            format!("its plan is kept in {}, for RAFT_SIM_REPLAY=FILE\n", path.display())
        });
        format!(
            "seed {seed} violates {} (after {} clean runs)\n{}{kept}make it smaller with RAFT_SIM_SHRINK={seed}\n",
            sentence(&failure.violation),
            summary.runs - 1,
            self.again(&failure.seed.to_string()),
            seed = failure.seed
        )
    }

    fn again(&self, what: &str) -> String {
        format!("replay exactly this run with:\n\n    {}\n", self.replay_line(what))
    }

    /// The line that runs one seed or plan through this test.
    fn replay_line(&self, what: &str) -> String {
        let package = std::env::var("CARGO_PKG_NAME")
            .map_or_else(|_| String::new(), |package| format!(" -p {package}"));
        let name = self.test_name().map_or_else(String::new, |name| format!(" {name}"));
        format!("RAFT_SIM_REPLAY={what} cargo test{package}{name}")
    }

    /// The name of the test that runs on this thread, if it can be known.
    fn test_name(&self) -> Option<String> {
        let thread = thread::current();
        let from_thread = thread.name().filter(|name| *name != "main").map(str::to_owned);
        self.name.clone().or(from_thread)
    }
}

/// Writes the plan of a failing seed to a file: a later version may make another plan of the seed.
fn keep_plan<R: Raft, M: Machine>(seed: u64, profile: Profile) -> Option<PathBuf> {
    let plan = campaign::catch(|| plan_of::<R, M>(seed, profile)).ok()?;
    kept(&plan.file_name(), &plan.to_json())
}

/// Writes a file beside those of other failures.
fn kept(name: &str, text: &str) -> Option<PathBuf> {
    let folder = std::env::temp_dir().join("raft-sim-failures");
    let path = folder.join(name);
    fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text)).ok()?;
    Some(path)
}

fn sentence(violation: &Violation) -> String {
    let Violation { property, at, witness, .. } = violation;
    let at = crate::timeline::seconds(*at);
    let witness = printable(witness);
    format!("{} at {at} s of simulated time: {witness}\n({})", property.name(), property.explain())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;
    use bytes::Bytes;
    use raft_core::{LogPosition, Node};

    /// A counter with a mistake of choice.
    #[derive(Clone, Default)]
    struct Counter<const MISTAKE: u8> {
        count: u64,
    }

    const SOUND: u8 = 0;
    const GROWS: u8 = 1;
    const FORGETS: u8 = 2;
    const PANICS: u8 = 3;

    impl<const MISTAKE: u8> Machine for Counter<MISTAKE> {
        fn apply(&mut self, _position: LogPosition, _command: &Bytes) -> Bytes {
            self.count += 1;
            assert!(MISTAKE != PANICS || self.count < 10, "the counter ran over");
            Bytes::copy_from_slice(&self.count.to_le_bytes())
        }

        fn digest(&self) -> u64 {
            // A state that is not the same on every node: the address of a copy.
            let noise = if MISTAKE == FORGETS { std::ptr::from_ref(self).addr() as u64 } else { 0 };
            self.count ^ noise
        }

        fn snapshot(&self) -> Bytes {
            Bytes::copy_from_slice(&self.count.to_le_bytes())
        }

        fn restore(snapshot: &Bytes) -> Result<Self, String> {
            let bytes = snapshot[..].try_into().map_err(|_| "it is not eight bytes".to_owned())?;
            Ok(Self { count: u64::from_le_bytes(bytes) })
        }

        fn invariant(&self) -> Result<(), String> {
            if MISTAKE == GROWS && self.count > 20 {
                return Err(format!("the count is {}, above 20", self.count));
            }
            Ok(())
        }

        fn command(draw: &mut Draw) -> Bytes {
            Bytes::copy_from_slice(&draw.bits().to_le_bytes())
        }
    }

    fn outcome<const MISTAKE: u8>(wishes: &Wishes) -> Result<(), String> {
        let check = Check::new().seeds(0..12).named("counts");
        check.carry_out::<Node, Counter<MISTAKE>>(wishes)
    }

    const NO_WISHES: Wishes = Wishes { seeds: None, replay: None, shrink: None, html: None };

    fn wishes(seeds: Option<&str>, replay: Option<&str>) -> Wishes {
        let [seeds, replay] = [seeds, replay].map(|wish| wish.map(str::to_owned));
        Wishes { seeds, replay, shrink: None, html: None }
    }

    /// The seed in the line that a failure says to run.
    fn replayed(message: &str) -> &str {
        let (_, rest) = message.split_once("RAFT_SIM_REPLAY=").expect("there is a line to run");
        rest.split_whitespace().next().expect("the line names a seed")
    }

    /// Goal: the plan of a failing run is kept in a file that replays to the same failure.
    #[test]
    fn the_plan_of_a_failure_is_kept() {
        let message = outcome::<GROWS>(&NO_WISHES).expect_err("the machine is wrong");
        let (_, rest) = message.split_once("its plan is kept in ").expect("a file is named");
        let (file, _) = rest.split_once(',').expect("the sentence goes on");
        assert!(Path::new(file).is_file(), "{file}");
        let again = outcome::<GROWS>(&wishes(None, Some(file))).expect_err("the same failure");
        assert_eq!(replayed(&again), file);
    }

    /// Goal: a failing run can be looked at as a page, which says how to run it again.
    #[test]
    fn a_failure_can_be_a_page() {
        let message = outcome::<GROWS>(&NO_WISHES).expect_err("the machine is wrong");
        let name = format!("raft-sim-page-{}.html", std::process::id());
        let path = std::env::temp_dir().join(name);
        let replay = replayed(&message);
        let wishes = Wishes { html: Some(path.clone()), ..wishes(None, Some(replay)) };
        outcome::<GROWS>(&wishes).expect_err("the same failure");
        let page = fs::read_to_string(&path).expect("the page is written");
        fs::remove_file(&path).expect("the page is ours");
        assert!(page.contains("machine-invariant"), "it says what is violated");
        assert!(
            page.contains(&format!("RAFT_SIM_REPLAY={replay} ")),
            "it says how to run it again"
        );
        let nowhere = Wishes { html: Some("no/such/folder/a.html".into()), ..wishes };
        let message = outcome::<GROWS>(&nowhere).expect_err("there is no such folder");
        assert!(message.contains("RAFT_SIM_HTML=no/such/folder/a.html"), "{message}");
    }

    /// Goal: a machine without mistakes passes.
    #[test]
    fn a_sound_machine_passes() {
        assert_eq!(outcome::<SOUND>(&NO_WISHES), Ok(()));
    }

    /// Goal: each mistake fails the test, and the line that it prints replays the very same failure.
    #[test]
    fn a_mistake_is_found_and_replayed() {
        let cases = [
            ("machine-invariant", outcome::<GROWS> as fn(&Wishes) -> _),
            ("digests-agree", outcome::<FORGETS>),
            ("panic", outcome::<PANICS>),
        ];
        for (property, outcome) in cases {
            let message = outcome(&NO_WISHES).expect_err("the mistake is found");
            assert!(message.contains(property), "{property}: {message}");
            assert!(message.contains(" counts\n"), "the line names the test: {message}");
            let again =
                outcome(&wishes(None, Some(replayed(&message)))).expect_err("it fails again");
            assert!(again.contains(property), "{property}: {again}");
        }
    }

    /// Goal: what the environment asks for is used, and nonsense in it is named.
    #[test]
    fn the_environment_is_obeyed() {
        assert_eq!(outcome::<SOUND>(&wishes(Some("3..5"), None)), Ok(()));
        assert_eq!(outcome::<SOUND>(&wishes(None, Some("4"))), Ok(()));
        let message = outcome::<SOUND>(&wishes(Some("5..3"), None)).expect_err("no such range");
        assert!(message.contains("RAFT_SIM_SEEDS=5..3"), "{message}");
        let message =
            outcome::<SOUND>(&wishes(None, Some("nothing.json"))).expect_err("no such file");
        assert!(message.contains("nothing.json"), "{message}");
    }

    /// Goal: without a name given, the name is that of the thread, as the test harness sets it.
    #[test]
    fn the_test_is_named_after_its_thread() {
        let line = thread::Builder::new()
            .name("bank::conserves".to_owned())
            .spawn(|| Check::new().replay_line("17"))
            .expect("a thread starts")
            .join()
            .expect("it does not panic");
        assert!(line.starts_with("RAFT_SIM_REPLAY=17 cargo test"), "{line}");
        assert!(line.ends_with(" bank::conserves"), "{line}");
    }
}
