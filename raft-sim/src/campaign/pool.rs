//! Runs seeds on several threads, judges each result as it arrives, and hands the judgements back in the
//! order of the seeds.
//!
//! Invariants: tasks are begun in order and each is begun once; judgements are handed over in the order of
//! tasks whatever the number of threads, so what is made of them does not depend on it; no result waits
//! for another run before it is judged. A run over its time limit cannot be stopped, so it is left behind: its result is made up by the caller, its thread is
//! replaced and dies with the process, and whatever it still brings is thrown away.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::campaign::seeds::{Seeds, Shard};
use crate::campaign::wall;

/// What to run.
pub(crate) struct Work<T> {
    pub(crate) seeds: Seeds,
    pub(crate) shard: Shard,
    pub(crate) threads: NonZeroUsize,
    /// No seed is started after this long.
    pub(crate) budget: Option<Duration>,
    /// A run longer than this is given up.
    pub(crate) limit: Duration,
    /// One run. It must not panic.
    pub(crate) job: Arc<dyn Fn(u64) -> T + Send + Sync>,
}

/// One finished run.
pub(crate) struct Finished<T> {
    pub(crate) seed: u64,
    pub(crate) elapsed: Duration,
    /// Nothing when the run was given up.
    pub(crate) result: Option<T>,
}

/// Whether the caller wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appetite {
    More,
    Enough,
}

/// Why no more was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Every seed was.
    Exhausted,
    /// The time was up.
    TimeUp,
    /// The caller had enough.
    Enough,
}

struct Running {
    seed: u64,
    since: Instant,
}

struct State<T> {
    next: u64,
    closed: bool,
    running: BTreeMap<u64, Running>,
    /// Results with their tasks, in the order in which they came.
    arrived: Vec<(u64, Finished<T>)>,
}

struct Shared<T> {
    work: Work<T>,
    state: Mutex<State<T>>,
    changed: Condvar,
}

/// How often the caller's thread looks for overdue runs.
const PATROL: Duration = Duration::from_millis(50);

/// Runs everything. Each result is given to `judge` as soon as it is there, and what that makes of it to
/// `take` in the order of seeds; `tick` is called now and then.
pub(crate) fn run<T: Send + 'static, J>(
    work: Work<T>,
    mut judge: impl FnMut(Finished<T>) -> J,
    mut take: impl FnMut(J) -> Appetite,
    mut tick: impl FnMut(),
) -> Ended {
    let started = wall::now();
    let threads = work.threads.get();
    let state = State { next: 0, closed: false, running: BTreeMap::new(), arrived: Vec::new() };
    let shared = Arc::new(Shared { work, state: Mutex::new(state), changed: Condvar::new() });
    for _ in 0..threads {
        spawn(&shared);
    }
    let mut judged = BTreeMap::new();
    let mut handed = 0;
    let mut ended = Ended::Exhausted;
    loop {
        let mut state = shared.lock();
        if shared.work.budget.is_some_and(|budget| started.elapsed() >= budget) && !state.closed {
            state.closed = true;
            if shared.seed(state.next).is_some() {
                ended = Ended::TimeUp;
            }
        }
        give_up_overdue(&shared, &mut state);
        let arrived = std::mem::take(&mut state.arrived);
        let nothing_left = state.closed || shared.seed(state.next).is_none();
        let idle = nothing_left && state.running.is_empty();
        drop(state);
        judged.extend(arrived.into_iter().map(|(task, finished)| (task, judge(finished))));
        while let Some(judgement) = judged.remove(&handed) {
            handed += 1;
            if take(judgement) == Appetite::Enough {
                shared.lock().closed = true;
                return Ended::Enough;
            }
        }
        if idle {
            debug_assert!(judged.is_empty(), "every task before the last has been judged");
            return ended;
        }
        shared.wait();
        tick();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seed(&self, task: u64) -> Option<u64> {
        self.work.shard.seed(self.work.seeds, task)
    }

    /// Waits for a result, or until it is time to look for overdue runs.
    fn wait(&self) {
        let state = self.lock();
        if state.arrived.is_empty() {
            let waited = self.changed.wait_timeout(state, PATROL);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The next task, marked as running.
    fn begin(&self) -> Option<(u64, u64)> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let task = state.next;
        let seed = self.seed(task)?;
        state.next += 1;
        state.running.insert(task, Running { seed, since: wall::now() });
        Some((task, seed))
    }

    /// Files a result. Says whether this thread still has a place.
    fn end(&self, task: u64, result: T) -> Appetite {
        let mut state = self.lock();
        let Some(Running { seed, since }) = state.running.remove(&task) else {
            return Appetite::Enough;
        };
        let finished = Finished { seed, elapsed: since.elapsed(), result: Some(result) };
        state.arrived.push((task, finished));
        drop(state);
        self.changed.notify_one();
        Appetite::More
    }
}

fn spawn<T: Send + 'static>(shared: &Arc<Shared<T>>) {
    let shared = Arc::clone(shared);
    let body = move || {
        while let Some((task, seed)) = shared.begin() {
            let result = (shared.work.job)(seed);
            if shared.end(task, result) == Appetite::Enough {
                break;
            }
        }
    };
    let builder = thread::Builder::new().name("simulation".to_owned());
    drop(builder.spawn(body).expect("the system lets this process start one more thread"));
}

fn give_up_overdue<T: Send + 'static>(shared: &Arc<Shared<T>>, state: &mut State<T>) {
    let limit = shared.work.limit;
    let overdue: Vec<u64> = state
        .running
        .iter()
        .filter(|(_, running)| running.since.elapsed() > limit)
        .map(|(task, _)| *task)
        .collect();
    for task in overdue {
        if let Some(Running { seed, since }) = state.running.remove(&task) {
            state.arrived.push((task, Finished { seed, elapsed: since.elapsed(), result: None }));
            spawn(shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn work(
        count: u64,
        threads: usize,
        job: impl Fn(u64) -> u64 + Send + Sync + 'static,
    ) -> Work<u64> {
        Work {
            seeds: Seeds::new(0..count).expect("the band is not empty"),
            shard: Shard::WHOLE,
            threads: NonZeroUsize::new(threads).expect("there is a thread"),
            budget: None,
            limit: Duration::from_secs(60),
            job: Arc::new(job),
        }
    }

    fn uneven(seed: u64) -> u64 {
        thread::sleep(Duration::from_millis(seed % 5));
        seed * 10
    }

    fn as_it_is(finished: Finished<u64>) -> Finished<u64> {
        finished
    }

    /// Results come in the order of seeds however many threads there are.
    #[test]
    fn results_come_in_order() {
        for threads in [1, 4] {
            let mut seen = Vec::new();
            let take = |finished: Finished<u64>| {
                seen.push((finished.seed, finished.result));
                Appetite::More
            };
            assert_eq!(run(work(40, threads, uneven), as_it_is, take, || ()), Ended::Exhausted);
            let expected: Vec<_> = (0..40).map(|seed| (seed, Some(seed * 10))).collect();
            assert_eq!(seen, expected);
        }
    }

    /// A result is judged while an earlier seed still runs: here the first seed ends only when the second
    /// has been judged.
    #[test]
    fn no_result_waits_for_an_earlier_one() {
        let second_judged = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&second_judged);
        let job = move |seed| {
            while seed == 0 && !seen.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            seed
        };
        let judge = |finished: Finished<u64>| {
            second_judged.fetch_or(finished.seed == 1, Ordering::SeqCst);
            finished.result
        };
        let mut taken = Vec::new();
        let take = |result| {
            taken.push(result);
            Appetite::More
        };
        let work = Work { limit: Duration::from_secs(10), ..work(2, 2, job) };
        assert_eq!(run(work, judge, take, || ()), Ended::Exhausted);
        assert_eq!(taken, [Some(0), Some(1)], "the first was not given up");
    }

    /// Who has had enough gets nothing more.
    #[test]
    fn enough_is_enough() {
        let mut seen = Vec::new();
        let take = |finished: Finished<u64>| {
            seen.push(finished.seed);
            if seen.len() == 7 { Appetite::Enough } else { Appetite::More }
        };
        assert_eq!(run(work(40, 3, uneven), as_it_is, take, || ()), Ended::Enough);
        assert_eq!(seen, (0..7).collect::<Vec<u64>>());
    }

    /// A run that never ends is given up, and the rest goes on.
    #[test]
    fn an_endless_run_is_given_up() {
        let endless = |seed| {
            if seed == 3 {
                loop {
                    thread::sleep(Duration::from_millis(10));
                }
            }
            seed
        };
        let mut given_up = Vec::new();
        let mut count = 0;
        let take = |finished: Finished<u64>| {
            count += 1;
            if finished.result.is_none() {
                given_up.push(finished.seed);
            }
            Appetite::More
        };
        let work = Work { limit: Duration::from_millis(100), ..work(20, 1, endless) };
        assert_eq!(run(work, as_it_is, take, || ()), Ended::Exhausted);
        assert_eq!((given_up, count), (vec![3], 20));
    }

    /// When the time is up, what was started is finished and no more is.
    #[test]
    fn the_time_budget_ends_a_campaign() {
        let slow = |seed| {
            thread::sleep(Duration::from_millis(10));
            seed
        };
        let mut count = 0_u64;
        let take = |_: Finished<u64>| {
            count += 1;
            Appetite::More
        };
        let work = Work { budget: Some(Duration::from_millis(100)), ..work(1_000_000, 2, slow) };
        assert_eq!(run(work, as_it_is, take, || ()), Ended::TimeUp);
        assert!(count > 0 && count < 1_000, "{count}");
    }
}
