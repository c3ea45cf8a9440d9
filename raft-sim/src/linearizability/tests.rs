//! Known histories, and agreement with a checker that tries every order.

use super::*;
use crate::history::Route;
use crate::kv::{Command, Kv};
use proptest::prelude::*;
use raft_core::{Instant, LogIndex, NodeId, Term};

const NODE: NodeId = NodeId(1);
const BUDGET: u64 = 100_000;

/// What a client was told.
#[derive(Clone, Debug)]
enum Told {
    Output(Bytes),
    Unknown,
    Lost,
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn put(value: &'static str) -> Command {
    Command::Put { key: 0, value: text(value) }
}

fn cas(expected: &'static str, value: &'static str) -> Command {
    Command::CompareAndSet { key: 0, expected: text(expected), value: text(value) }
}

const GET: Command = Command::Get { key: 0 };

fn invoke(history: &mut History, id: u64, command: &Command) {
    history.invoke(Instant(0), OpId(id), 0, NODE, Route::Leader, &command.encode());
}

fn answer(history: &mut History, id: u64, told: &Told) {
    let position = LogPosition::new(Term(1), LogIndex(1));
    let (outcome, output) = match told {
        Told::Output(output) => (Outcome::Done { position }, Some(output)),
        Told::Unknown => (Outcome::Unknown, None),
        Told::Lost => (Outcome::Lost { position }, None),
    };
    history.answer(Instant(0), OpId(id), NODE, outcome, output).expect("invoked and unanswered");
}

/// One after the other.
fn sequential(steps: &[(Command, &'static str)]) -> History {
    let mut history = History::default();
    for (id, (command, output)) in (0..).zip(steps) {
        invoke(&mut history, id, command);
        answer(&mut history, id, &Told::Output(text(output)));
    }
    history
}

fn finding(history: &History) -> Finding {
    check::<Kv>(history, BUDGET).0
}

/// Goal: a read of the latest write is legal, a stale read is not, and the stuck operation is named.
#[test]
fn a_stale_read_is_found() {
    let fresh = sequential(&[(put("a"), "ok"), (put("b"), "ok"), (GET, "b")]);
    assert_eq!(finding(&fresh), Finding::Linearizable);
    let stale = sequential(&[(put("a"), "ok"), (put("b"), "ok"), (GET, "a"), (GET, "b")]);
    let stuck = Stuck { operation: OpId(2), placed: 2, of: 4 };
    assert_eq!(finding(&stale), Finding::Violated(stuck));
}

/// Goal: two compare-and-sets cannot both replace the same value; a lost update shows.
#[test]
fn a_lost_update_is_found() {
    let mut history = sequential(&[(put("a"), "ok")]);
    for (id, value) in [(1, "b"), (2, "c")] {
        invoke(&mut history, id, &cas("a", value));
    }
    for id in [1, 2] {
        answer(&mut history, id, &Told::Output(text("set")));
    }
    assert!(matches!(finding(&history), Finding::Violated(_)));
    let lost = sequential(&[(put("a"), "ok"), (cas("a", "b"), "set"), (GET, "a")]);
    assert!(matches!(finding(&lost), Finding::Violated(_)));
}

/// Goal: concurrent operations may take either order, but all readers must see the same one.
#[test]
fn readers_agree_on_one_order() {
    let concurrent = |first: &'static str, second: &'static str| {
        let mut history = History::default();
        invoke(&mut history, 0, &put("a"));
        invoke(&mut history, 1, &put("b"));
        for (id, seen) in [(2, first), (3, second)] {
            invoke(&mut history, id, &GET);
            answer(&mut history, id, &Told::Output(text(seen)));
        }
        answer(&mut history, 0, &Told::Output(text("ok")));
        answer(&mut history, 1, &Told::Output(text("ok")));
        invoke(&mut history, 4, &GET);
        answer(&mut history, 4, &Told::Output(text(second)));
        finding(&history)
    };
    assert_eq!(concurrent("a", "b"), Finding::Linearizable);
    assert_eq!(concurrent("b", "a"), Finding::Linearizable);
    let mut history = sequential(&[(put("a"), "ok"), (put("b"), "ok")]);
    invoke(&mut history, 2, &GET);
    invoke(&mut history, 3, &GET);
    answer(&mut history, 2, &Told::Output(text("b")));
    answer(&mut history, 3, &Told::Output(text("a")));
    assert!(matches!(finding(&history), Finding::Violated(_)));
}

/// Goal: an operation of unknown fate may take effect late, once, or never; a lost one never.
#[test]
fn unknown_operations_may_take_effect_late_once_or_never() {
    let after = |told: Option<Told>, reads: &[&'static str]| {
        let mut history = sequential(&[(put("a"), "ok")]);
        invoke(&mut history, 1, &put("b"));
        if let Some(told) = told {
            answer(&mut history, 1, &told);
        }
        for (id, read) in (2..).zip(reads) {
            invoke(&mut history, id, &GET);
            answer(&mut history, id, &Told::Output(text(read)));
        }
        finding(&history)
    };
    for unknown in [None, Some(Told::Unknown)] {
        assert_eq!(after(unknown.clone(), &["a", "a"]), Finding::Linearizable);
        assert_eq!(after(unknown.clone(), &["a", "b"]), Finding::Linearizable);
        assert_eq!(after(unknown.clone(), &["b", "b"]), Finding::Linearizable);
        assert!(matches!(after(unknown, &["b", "a"]), Finding::Violated(_)));
    }
    assert_eq!(after(Some(Told::Lost), &["a", "a"]), Finding::Linearizable);
    assert!(matches!(after(Some(Told::Lost), &["a", "b"]), Finding::Violated(_)));
}

/// Goal: an unknown operation that was called after a read cannot explain it.
#[test]
fn an_unknown_operation_takes_no_effect_before_its_call() {
    let mut history = History::default();
    invoke(&mut history, 0, &GET);
    answer(&mut history, 0, &Told::Output(text("b")));
    invoke(&mut history, 1, &put("b"));
    assert!(matches!(finding(&history), Finding::Violated(_)));
}

/// Goal: a search that runs out of budget says so, and is counted.
#[test]
fn a_small_budget_is_inconclusive() {
    let history = sequential(&[(put("a"), "ok"), (put("b"), "ok"), (GET, "b")]);
    let (finding, searches) = check::<Kv>(&history, 2);
    assert_eq!(finding, Finding::Inconclusive);
    assert_eq!(searches, Searches { searched: 1, inconclusive: 1, states: 2, skipped: 0 });
    assert_eq!(check::<Kv>(&History::default(), 0).0, Finding::Linearizable);
}

/// Whether some order of the operations is legal, by trying all of them.
fn brute_force(history: &History) -> bool {
    fn extend(left: &[&Operation], state: &Kv) -> bool {
        let returned = |operation: &&Operation| operation.fate() == Fate::Done;
        if !left.iter().any(returned) {
            return true;
        }
        let first_return = left.iter().filter(|operation| returned(operation));
        let deadline =
            first_return.filter_map(|operation| Some(operation.answer.as_ref()?.order)).min();
        left.iter().enumerate().any(|(place, operation)| {
            if deadline.is_some_and(|deadline| operation.call > deadline) {
                return false;
            }
            let mut next = state.clone();
            let output = next.apply(LogPosition::ZERO, &operation.command);
            let told = operation.answer.as_ref().and_then(|answer| answer.output.as_ref());
            let mut rest = left.to_vec();
            rest.remove(place);
            told.is_none_or(|told| *told == output) && extend(&rest, &next)
        })
    }
    let parts = history.operations().iter().filter(|operation| operation.fate() != Fate::Never);
    extend(&parts.collect::<Vec<_>>(), &Kv::default())
}

/// A random command on two keys, with a plausible or implausible output.
fn any_step() -> impl Strategy<Value = (Command, Told)> {
    let value = || prop_oneof![Just(text("a")), Just(text("b"))];
    let key = 0..2_u8;
    let command =
        (key, value(), value(), 0..4_u8).prop_map(|(key, value, other, kind)| match kind {
            0 => Command::Put { key, value },
            1 => Command::Append { key, value },
            2 => Command::CompareAndSet { key, expected: other, value },
            _ => Command::Get { key },
        });
    (command, 0..10_u8, prop_oneof![Just(""), Just("a"), Just("b"), Just("ab")], 1..3_u32).prop_map(
        |(command, fate, seen, length)| {
            let output = match (&command, fate) {
                (_, 0) => return (command, Told::Lost),
                (_, 1 | 2) => return (command, Told::Unknown),
                (Command::Put { .. }, _) => text("ok"),
                (Command::Append { .. }, _) => Bytes::copy_from_slice(&length.to_le_bytes()),
                (Command::CompareAndSet { .. }, 3..7) => text("set"),
                (Command::CompareAndSet { .. }, _) => text("not set"),
                _ => text(seen),
            };
            (command, Told::Output(output))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Goal: on small histories the search agrees with trying every order.
    #[test]
    fn the_search_agrees_with_brute_force(
        steps in proptest::collection::vec((any_step(), 0..4_u64), 1..7),
    ) {
        let mut history = History::default();
        let mut waiting: Vec<(u64, u64, Told)> = Vec::new();
        for (now, ((command, told), duration)) in (0..).zip(steps) {
            waiting.sort_by_key(|(due, id, _)| (*due, *id));
            while waiting.first().is_some_and(|(due, _, _)| *due <= now) {
                let (_, id, told) = waiting.remove(0);
                answer(&mut history, id, &told);
            }
            invoke(&mut history, now, &command);
            waiting.push((now + 1 + duration, now, told));
        }
        for (_, id, told) in waiting {
            answer(&mut history, id, &told);
        }
        let expected = brute_force(&history);
        match finding(&history) {
            Finding::Linearizable => prop_assert!(expected),
            Finding::Violated(_) => prop_assert!(!expected),
            Finding::Inconclusive | Finding::Skipped => {
                prop_assert!(false, "six operations fit into the budget");
            }
        }
    }
}
