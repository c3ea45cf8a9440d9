//! The search: tries smaller plans, several at a time, and keeps what still fails in the same way.
//!
//! Invariant: of the plans that are tried together the first that will do is kept, however many threads try them.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant as Wall};

use bytes::Bytes;
use raft_core::{Instant, Role};

use super::gather::Gathered;
use super::measure::{Score, score, size};
use super::{Effort, Ended, Progress, Shrunk, Size};
use crate::campaign::{self, Guarded};
use crate::draw::{Domain, Draw};
use crate::machine::Machine;
use crate::plan::Plan;
use crate::raft::Raft;
use crate::scenario::Scenario;
use crate::violation::{Property, Violation};
use crate::world::{self, Trace, TraceEvent};

/// What must stay the same: what is violated, and what the nodes that take part are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Likeness {
    property: Property,
    roles: Vec<Role>,
    /// The place of a panic, or the broken invariant: these properties stand for many faults.
    cause: Option<String>,
}

impl Likeness {
    fn of(guarded: &Guarded) -> Option<Self> {
        let violation = guarded.verdict.violation.as_ref()?;
        let mut roles = violation.roles.clone();
        // The one that acted comes first; of the others the order means nothing.
        if let Some((_, others)) = roles.split_first_mut() {
            others.sort();
        }
        let is_broad = matches!(violation.property, Property::Panic | Property::Invariant);
        let cause = guarded.cause.clone().filter(|_| is_broad);
        Some(Self { property: violation.property, roles, cause })
    }

    /// Whether two violations are of one kind. One may be told with more nodes than the other, after the one that acted.
    fn is_like(&self, other: &Self) -> bool {
        let both = self.roles.len().min(other.roles.len());
        self.property == other.property
            && self.cause == other.cause
            && self.roles[..both] == other.roles[..both]
    }
}

/// A plan that fails as it should.
#[derive(Clone, Debug)]
struct Kept {
    plan: Plan,
    violation: Violation,
    size: Size,
    score: Score,
    /// How many events its run has.
    events: u64,
}

/// When in a run the violation is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// At the moment at which it happens.
    Inside,
    /// When the run is over, by looking at all of it.
    AtEnd,
}

/// What is done with plans of the Raft and the machine under test.
#[derive(Clone, Copy)]
pub(super) struct Bench {
    /// Runs a plan.
    pub(super) run: fn(&Plan, Duration) -> Guarded,
    /// Runs a plan, and watches what it draws.
    pub(super) gather: fn(&Plan) -> Gathered,
    /// How many lines a plan takes as a scenario.
    pub(super) lines: fn(&Plan) -> u64,
    /// Commands that are short when they are written down.
    pub(super) commands: fn() -> Vec<Bytes>,
}

impl Bench {
    pub(super) fn new<R: Raft + 'static, M: Machine + 'static>() -> Self {
        Self {
            run: campaign::run_within::<R, M>,
            gather: gather::<R, M>,
            lines: lines::<M>,
            commands: commands::<M>,
        }
    }

    fn told(self, plan: &Plan, size: Size) -> Size {
        Size { lines: (self.lines)(plan) + size.drawn, ..size }
    }
}

fn gather<R: Raft, M: Machine>(plan: &Plan) -> Gathered {
    let mut gathered = Gathered::default();
    let mut told = |at, event: TraceEvent<'_>| gathered.record(at, event);
    // Of a run that panics there is what was told until then.
    drop(campaign::catch(|| world::run_told::<R, M>(plan, &mut told)));
    gathered
}

fn lines<M: Machine>(plan: &Plan) -> u64 {
    let text = Scenario::of(plan.clone()).write::<M>();
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count() as u64
}

/// So many commands are drawn, and so many of the shortest kept.
const COMMANDS: (u64, usize) = (64, 8);

fn commands<M: Machine>() -> Vec<Bytes> {
    let drawn = (0..COMMANDS.0).map(|nth| M::command(&mut Draw::new(0, Domain::Machine, &[nth])));
    let text =
        |command: &Bytes| M::command_text(command).map_or(2 * command.len() + 2, |it| it.len());
    let mut commands: Vec<Bytes> = drawn.collect();
    commands.sort_by_key(|command| (text(command), command.clone()));
    commands.dedup();
    commands.truncate(COMMANDS.1);
    commands
}

/// An attempt that takes longer is given up: the code under test may do anything.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);

/// Runs plans, and says which will do.
struct Judge {
    bench: Bench,
    /// How many events the plan that was begun with may have.
    limit: u64,
    likeness: Likeness,
    found: Found,
    effort: Effort,
    began: Wall,
}

/// A search for a smaller plan.
pub(super) struct Search<'a> {
    judge: Judge,
    /// What was begun with.
    first: Kept,
    best: Kept,
    /// The smallest so far, while the search looks elsewhere.
    aside: Option<Kept>,
    /// Plans that did not fail alike, or were no smaller.
    tried: BTreeSet<u64>,
    runs: u64,
    /// How many runs the present pass may take.
    allowed: u64,
    trying: &'static str,
    tell: &'a mut dyn FnMut(Progress),
}

impl<'a> Search<'a> {
    /// A search that begins with a plan that has failed like that.
    pub(super) fn new(
        bench: Bench,
        plan: &Plan,
        first: &Guarded,
        effort: Effort,
        began: Wall,
        tell: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let likeness = Likeness::of(first).expect("only failing plans are made smaller");
        let violation = first.verdict.violation.clone().expect("a failing run violates something");
        let size = size(plan, &first.verdict.statistics);
        let score = score(plan, size);
        let events = first.verdict.statistics.events;
        let best = Kept { plan: plan.clone(), violation, size, score, events };
        let limit = plan.limits.events;
        let judge = Judge { bench, limit, likeness, found: Found::Inside, effort, began };
        Self {
            judge,
            first: best.clone(),
            best,
            aside: None,
            tried: BTreeSet::new(),
            runs: 1,
            allowed: u64::MAX,
            trying: "to begin",
            tell,
        }
    }

    /// The smallest plan so far.
    pub(super) fn plan(&self) -> &Plan {
        &self.best.plan
    }

    /// Its size.
    pub(super) fn size(&self) -> Size {
        self.best.size
    }

    /// How good it is.
    pub(super) fn score(&self) -> Score {
        self.best.score
    }

    /// When it fails.
    pub(super) fn fails_at(&self) -> Instant {
        self.best.violation.at
    }

    /// The size of a plan, with the lines that it takes when it is written down.
    pub(super) fn told(&self, plan: &Plan, size: Size) -> Size {
        self.judge.bench.told(plan, size)
    }

    /// Whether what is violated shows only after the healing.
    pub(super) fn is_about_time(&self) -> bool {
        matches!(self.judge.likeness.property, Property::Liveness | Property::SteadyProgress)
    }

    /// Whether it fails because it does not end.
    pub(super) fn is_endless(&self) -> bool {
        self.judge.is_endless()
    }

    /// Whether it fails only when all of it is looked at.
    pub(super) fn is_found_at_end(&self) -> bool {
        self.judge.found == Found::AtEnd
    }

    /// Whether time is left, to the search and to its present pass.
    pub(super) fn goes_on(&self) -> bool {
        self.judge.goes_on() && self.runs < self.allowed
    }

    /// So many runs, or fewer if they would take more than a twentieth of the time.
    pub(super) fn affordable(&self, runs: u64) -> u64 {
        // By the number of events, so that it is the same on every machine; one takes about a microsecond.
        let share = self.judge.effort.budget.as_micros() / 20;
        let most = u64::try_from(share / u128::from(self.best.events.max(1))).unwrap_or(runs);
        runs.min(most).max(2)
    }

    /// A pass that may take a twentieth of the time: while runs are long, others are to have their turn as well.
    pub(super) fn pass(&mut self, pass: impl FnOnce(&mut Self)) {
        self.allowed = self.runs + self.affordable(u64::MAX);
        pass(self);
        self.allowed = u64::MAX;
    }

    /// Says what is tried from now on.
    pub(super) fn enter(&mut self, trying: &'static str) {
        self.trying = trying;
        self.report();
    }

    fn report(&mut self) {
        let Self { runs, trying, .. } = *self;
        (self.tell)(Progress { runs, size: self.best.size, trying });
    }

    /// Commands that are short when they are written down.
    pub(super) fn commands(&self) -> Vec<Bytes> {
        (self.judge.bench.commands)()
    }

    /// What the smallest plan draws.
    pub(super) fn gather(&mut self) -> Gathered {
        self.runs += 1;
        (self.judge.bench.gather)(&self.best.plan)
    }

    /// Tries one plan.
    pub(super) fn attempt(&mut self, plan: Plan) -> bool {
        self.attempt_any(vec![plan]).is_some()
    }

    /// Tries plans, in the order in which they would be preferred, and keeps the first that is smaller and fails alike.
    /// Answers its place.
    pub(super) fn attempt_any(&mut self, plans: Vec<Plan>) -> Option<usize> {
        let (places, fresh): (Vec<usize>, Vec<Plan>) = self.fresh(plans).into_iter().unzip();
        if fresh.is_empty() || !self.goes_on() {
            return None;
        }
        let (kept, vain) = self.judge.first_smaller(&fresh, &self.best);
        // Later ones may have been run meanwhile, by as many threads as there are: nobody knows of them.
        let until = kept.as_ref().map_or(usize::MAX, |(place, _)| *place);
        let vain: Vec<usize> = vain.into_iter().filter(|place| *place < until).collect();
        self.runs += vain.len() as u64 + u64::from(kept.is_some());
        self.tried.extend(vain.into_iter().map(|place| fingerprint(&fresh[place])));
        let (place, kept) = kept?;
        self.best = kept;
        self.report();
        Some(places[place])
    }

    /// Tries plans and keeps the smallest of those that fail alike, if it is smaller.
    pub(super) fn attempt_best(&mut self, plans: Vec<Plan>) -> bool {
        let fresh = self.fresh(plans);
        let (judge, best) = (&self.judge, &self.best);
        let plans: Vec<Plan> = fresh.into_iter().map(|(_, plan)| plan).collect();
        let results = judge.each(&plans, |_, plan| Some(judge.smaller(plan, best)));
        self.runs += results.iter().flatten().count() as u64;
        let vain = plans.iter().zip(&results).filter(|(_, result)| matches!(result, Some(None)));
        self.tried.extend(vain.map(|(plan, _)| fingerprint(plan)));
        let smallest = results.into_iter().flatten().flatten().min_by_key(|kept| kept.score);
        let Some(kept) = smallest else { return false };
        self.best = kept;
        self.report();
        true
    }

    /// The plans that were not tried before, in order, with their places.
    fn fresh(&self, plans: Vec<Plan>) -> Vec<(usize, Plan)> {
        let tidy = plans.into_iter().map(|plan| tidied(plan, &self.best.plan)).enumerate();
        let is_fresh = |(_, plan): &(usize, Plan)| {
            *plan != self.best.plan && !self.tried.contains(&fingerprint(plan))
        };
        tidy.filter(is_fresh).collect()
    }

    /// Ends the run where it fails. What is found by looking at all of a run is found as early as possible.
    pub(super) fn cut(&mut self) {
        let cut = |plan: &Plan, at: u64| {
            let mut plan = Plan { ends_at: Some(Instant(at)), ..plan.clone() };
            tidy(&mut plan);
            plan
        };
        let at = self.best.violation.at.0;
        let whole = cut(&self.best.plan, at + 1);
        self.runs += 1;
        if let Some(kept) = self.judge.kept(whole) {
            self.best = kept;
            return;
        }
        self.judge.found = Found::AtEnd;
        self.end_sooner();
    }

    /// Keeps a plan if it fails alike, whether or not it is smaller.
    pub(super) fn adopt(&mut self, plan: Plan) -> bool {
        let plan = tidied(plan, &self.best.plan);
        if plan == self.best.plan || !self.goes_on() {
            return plan == self.best.plan;
        }
        self.runs += 1;
        let kept = self.judge.kept(plan);
        let adopted = kept.is_some();
        if let Some(kept) = kept {
            self.best = kept;
            self.report();
        }
        adopted
    }

    /// Begins again with the plan among these whose run is shortest, if one fails alike. The smallest plan so far is
    /// put aside.
    pub(super) fn begin_again(&mut self, plans: &[Plan]) -> bool {
        let plans: Vec<Plan> =
            plans.iter().map(|plan| tidied(plan.clone(), &self.best.plan)).collect();
        let runs = self.judge.each(&plans, |_, plan| Some(self.judge.kept(plan.clone())));
        self.runs += runs.iter().flatten().count() as u64;
        let alike = runs.into_iter().flatten().flatten();
        let shortest = alike.min_by_key(|kept| kept.size.delivered);
        let Some(kept) = shortest else { return false };
        self.aside = Some(std::mem::replace(&mut self.best, kept));
        true
    }

    /// Goes on with the smaller of the two plans. Whether that is the later one.
    pub(super) fn end_again(&mut self) -> bool {
        let Some(aside) = self.aside.take() else { return false };
        let is_smaller = self.best.score < aside.score;
        if !is_smaller {
            self.best = aside;
        }
        self.report();
        is_smaller
    }

    /// Looks for the earliest end at which a violation is found that is found at the end.
    pub(super) fn end_sooner(&mut self) {
        let (mut early, mut late) = (0, self.best.plan.ends_at.unwrap_or(self.best.violation.at).0);
        let began = self.best.plan.clone();
        while late - early > 1_000.max(late / 64) && self.goes_on() {
            let middle = early.midpoint(late);
            let mut plan = Plan { ends_at: Some(Instant(middle)), ..began.clone() };
            tidy(&mut plan);
            self.runs += 1;
            match self.judge.kept(plan) {
                Some(kept) if kept.score <= self.best.score || self.best.plan.ends_at.is_none() => {
                    late = middle;
                    self.best = kept;
                }
                Some(_) => late = middle,
                None => early = middle,
            }
        }
    }

    pub(super) fn into_shrunk(self, before: Size, ended: Ended, elapsed: Duration) -> Shrunk {
        let bench = self.judge.bench;
        let all = self.aside.into_iter().chain([self.best, self.first]);
        let smallest = all.min_by_key(|kept| kept.score);
        let Kept { plan, violation, size, .. } = smallest.expect("there is always one");
        let plan = Plan { profile: Plan::benign(0, 1).profile, ..plan };
        let after = bench.told(&plan, size);
        Shrunk { plan, violation, before, after, runs: self.runs, ended, elapsed }
    }
}

impl Judge {
    /// Whether runs fail because they do not end.
    fn is_endless(&self) -> bool {
        self.likeness.property == Property::EventBudget
    }

    fn goes_on(&self) -> bool {
        self.began.elapsed() < self.effort.budget
    }

    /// Does something with each of several plans, on several threads; the results are in the order of the plans. What
    /// time is too short for has none.
    fn each<T: Send>(
        &self,
        plans: &[Plan],
        work: impl Fn(usize, &Plan) -> Option<T> + Sync,
    ) -> Vec<Option<T>> {
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<T>>> = Mutex::new(plans.iter().map(|_| None).collect());
        let body = || {
            while let Some((place, plan)) = self.take(&next, plans) {
                let result = work(place, plan);
                results.lock().unwrap_or_else(PoisonError::into_inner)[place] = result;
            }
        };
        let jobs = self.effort.jobs.get().min(plans.len());
        if jobs <= 1 {
            body();
        } else {
            thread::scope(|scope| {
                for _ in 0..jobs {
                    scope.spawn(body);
                }
            });
        }
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next plan to run, while time is left.
    fn take<'p>(&self, next: &AtomicUsize, plans: &'p [Plan]) -> Option<(usize, &'p Plan)> {
        let place = next.fetch_add(1, Ordering::SeqCst);
        plans.get(place).filter(|_| self.goes_on()).map(|plan| (place, plan))
    }

    /// The first of the plans that will do, and its place; and the places of those that will not.
    fn first_smaller(&self, plans: &[Plan], best: &Kept) -> (Option<(usize, Kept)>, Vec<usize>) {
        let found = AtomicUsize::new(usize::MAX);
        let results = self.each(plans, |place, plan| {
            if place > found.load(Ordering::SeqCst) {
                return None;
            }
            let kept = self.smaller(plan, best);
            if kept.is_some() {
                found.fetch_min(place, Ordering::SeqCst);
            }
            Some(kept)
        });
        let failed = |(place, kept): (usize, &Option<Option<Kept>>)| {
            matches!(kept, Some(None)).then_some(place)
        };
        let vain = results.iter().enumerate().filter_map(failed).collect();
        let mut first = results.into_iter().enumerate();
        let first = first.find_map(|(place, kept)| Some((place, kept??)));
        (first, vain)
    }

    /// The plan as it is kept, if it fails alike and is smaller.
    fn smaller(&self, plan: &Plan, best: &Kept) -> Option<Kept> {
        let mut plan = plan.clone();
        if self.found == Found::Inside {
            // What is smaller may fail a little later.
            let slack = 2 * plan.settings.election_timeout.0;
            let end = plan.ends_at.map_or(0, |end| end.0).max(best.violation.at.0);
            end_at(&mut plan, end + slack);
        }
        self.kept(plan).filter(|kept| kept.score < best.score)
    }

    /// The plan as it is kept if it fails alike, however large it is.
    fn kept(&self, plan: Plan) -> Option<Kept> {
        let (plan, guarded) = self.alike(plan)?;
        let violation = guarded.verdict.violation?;
        let size = size(&plan, &guarded.verdict.statistics);
        let score = score(&plan, size);
        let events = guarded.verdict.statistics.events;
        Some(Kept { plan, violation, size, score, events })
    }

    /// Runs a plan. If it fails alike, it is cut there.
    fn alike(&self, mut plan: Plan) -> Option<(Plan, Guarded)> {
        if self.is_endless() {
            // A run without end need not go on for long to be seen to have none, but well longer than a sound one may:
            // that is estimated too high already.
            let enough = plan.events_needed() * 4 + 2_000;
            plan.limits.events = self.limit.min(enough);
        }
        plan.validate().ok()?;
        let guarded = (self.bench.run)(&plan, ATTEMPT_LIMIT);
        if !Likeness::of(&guarded)?.is_like(&self.likeness) {
            return None;
        }
        let at = guarded.verdict.violation.as_ref()?.at;
        if self.found == Found::Inside && plan.ends_at.is_some() {
            end_at(&mut plan, at.0 + 1);
            plan.validate().ok()?;
        }
        Some((plan, guarded))
    }
}

fn fingerprint(plan: &Plan) -> u64 {
    let mut hasher = DefaultHasher::new();
    plan.hash(&mut hasher);
    hasher.finish()
}

fn tidied(mut plan: Plan, like: &Plan) -> Plan {
    if plan.ends_at.is_none() {
        plan.ends_at = like.ends_at;
    }
    tidy(&mut plan);
    plan
}

/// Lets a run end at a time; one that was not healed by its end is not healed now either.
pub(super) fn end_at(plan: &mut Plan, end: u64) {
    if plan.ends_at.is_some_and(|before| plan.heal_at >= before) {
        plan.heal_at = Instant(end.max(2 * plan.settings.election_timeout.0));
    }
    plan.ends_at = Some(Instant(end));
    tidy(plan);
}

/// Puts lists in order, without what would come too late, and the healing where it says nothing.
pub(super) fn tidy(plan: &mut Plan) {
    plan.faults.sort_by_key(|timed| timed.at);
    plan.actions.sort_by_key(|timed| timed.at);
    plan.operations.sort_by_key(|timed| timed.at);
    let Some(end) = plan.ends_at else { return };
    plan.faults.retain(|timed| timed.at < end);
    plan.actions.retain(|timed| timed.at < end);
    plan.operations.retain(|timed| timed.at < end);
    if plan.heal_at >= end {
        plan.heal_at = Instant(end.0.max(2 * plan.settings.election_timeout.0));
    }
}
