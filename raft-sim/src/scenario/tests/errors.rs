//! Goal: a text that is no scenario is refused with the place, what is there and what would fit; and no text does worse.

use proptest::prelude::*;

use super::{EVERY, Scenario};
use crate::kv::Kv;

/// The error of a text that begins with `scenario 1`, in line 1.
#[track_caller]
fn refused(line: &str, told: &str) {
    let text = format!("scenario 1\n{line}\n");
    let error = Scenario::read::<Kv>(&text).expect_err(line).to_string();
    assert!(error.contains(told), "`{line}` says: {error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn words_that_do_not_fit_are_named_with_those_that_do() {
    refused("nods 5", "line 2, column 1: found `nods`, expected `nodes`, `founders`, ");
    refused("nods 5", "; did you mean `nodes`?");
    refused("nodes 8", "line 2, column 7: found `8`, expected a number from 1 to 7");
    refused("nodes", "line 2, column 6: the line ends here, expected a number from 1 to 7");
    refused("nodes 3 4", "line 2, column 9: found `4`, expected the end of the line");
    refused("set prevote off", "did you mean `pre-vote`?");
    refused(
        "set pre-vote of",
        "column 14: found `of`, expected `on` or `off`; did you mean `off`?",
    );
    refused("network dely 1ms", "did you mean `delay`?");
    refused(
        "network delay 1",
        "found `1`, expected a time or a range of times, as in 20ms or 1ms..1.5s",
    );
    refused("network loss 1", "expected a share, as in 0.1%");
    refused("clock n2 5%", "expected a deviation, as in +5% or -0.1%");
    refused("+0ms crash n1 fro 3ms", "column 15: found `fro`, expected `at` or `for`");
    refused("+0ms crash n1 at nowhere for 3ms", "expected `now`, `submit`,");
    refused("+0ms crash n9 for 3ms", "expected `leader`, `follower`, `anyone` or a node, as in n2");
    refused("+0ms compaign n1", "did you mean `campaign`?");
    refused("+0ms client 1 asks n1: pit k3", "found `pit`, expected a command, as in `");
    refused("+0ms client 1 asks n1: 0x1", "or its bytes, as in `0x07ff`");
    refused("+0ms expect n1 commited 3", "did you mean `commit`?");
    refused("expect violation election-saftey", "did you mean `election-safety`?");
    refused("+0.5us campaign n1", "expected `at` or a time, as in +20ms, or `at 1.5s`");
}

#[test]
fn lines_that_stand_where_they_cannot_are_told_where_they_belong() {
    refused("campaign n1", "expected a time, as in +20ms, or `at 1.5s`, before an event");
    refused("expect n1 leader", "begins with when, as in `+20ms expect n1 leader`");
    refused(
        "+0ms campaign n1\nset pre-vote off",
        "line 3, column 1: this comes after the first event",
    );
    refused("expect clean\n+0ms campaign n1", "that line is the last");
    refused("2s campaign n1\n1s campaign n2", "1s lies before 2s, the time of the line before");
    refused("+1s campaign n1\n+0ms expect n1 leader", "this comes too late in its moment");
    refused("seed 1\nseed 1", "line 3, column 1: line 2 has said this already");
    refused("network loss 1% loss 1%", "column 17: line 2 has said this already");
    refused("set others priority 1", "`others n2 n3`");
    refused("others n1\nset priority 1", "line 3, column 5: this comes too late");
    refused("+1s end\n+1s end", "line 2 has said this already");
    refused("18446744073709s campaign n1\n+1s campaign n1", "this is later than time goes");
    let empty = Scenario::read::<Kv>("\n# nothing\n").expect_err("there is nothing");
    assert!(empty.to_string().contains("begins with `scenario 1`"), "{empty}");
    let other = Scenario::read::<Kv>("scenario 2\n").expect_err("another version");
    assert_eq!(other.to_string(), "line 1, column 10: found `2`, expected `1`");
}

/// A plan that cannot be run is refused with the line that made it so.
#[test]
fn impossible_plans_are_blamed_on_a_line() {
    refused("\n\nnodes 2\nfounders 3", "line 5, column 1: the plan's founders is 3");
    refused(
        "seed 1\nset max-chunk-bytes 1",
        "line 3, column 1: the plan's settings.max_chunk_bytes is 1",
    );
    refused(
        "seed 1\nset heartbeat-interval 90ms",
        "line 3, column 1: the plan's settings contradict",
    );
    refused("seed 1\nothers n1\nset others priority 9", "line 4, column 1: ");
    refused(
        "seed 1\nmachine latency 1s",
        "line 3, column 1: the plan's apply.latency.min is 1000000",
    );
    refused("seed 1\nclock n3 -60%", "line 3, column 1: the plan's clocks[2]");
    refused("seed 1\nclock n4 +1%", "line 3, column 1: the plan's clocks");
    refused("\n+0ms cut n1 n2 | n4 for 1s", "line 3, column 1: the plan's faults[0]");
    refused("\n+0ms transfer n4", "line 3, column 1: the plan's actions[0]");
    refused(
        "\n+0ms client 900 asks n1: get k1",
        "line 3, column 1: the plan's operations[0].client",
    );
    refused(
        "\nfate heartbeat from n1 to n5 term 1 nth 0 lost",
        "line 3, column 1: the plan's overrides[0]",
    );
    refused("\n+1ms heal", "line 3, column 1: the plan's heal_at");
    refused("\nworkload clients 900", "line 3, column 1: the plan's workload.clients");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is done to a text, it is a scenario or an error that points into it.
    #[test]
    fn no_text_does_worse(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = EVERY.as_bytes().to_vec();
        for (place, byte, edit) in edits {
            let at = place.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => {
                    let other = usize::from(byte).min(bytes.len() - 1);
                    bytes.swap(at, other);
                }
            }
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = Scenario::read::<Kv>(&text) {
            let line = text.lines().nth(error.line - 1).unwrap_or_default();
            prop_assert!(error.line <= text.lines().count().max(1), "{error}");
            prop_assert!((1..=line.chars().count() + 1).contains(&error.column), "{error}");
            let told = error.to_string();
            prop_assert!(!told.contains(char::is_control), "{told:?}");
        } else {
            let scenario = super::read(&text);
            let written = scenario.write::<Kv>();
            prop_assert_eq!(super::read(&written).write::<Kv>(), written);
        }
    }

    /// Nor any words at all.
    #[test]
    fn no_words_do_worse(line in "(\\+0ms |at 1s )?[a-z|,:#@.%0-9 -]{0,60}") {
        let text = format!("scenario 1\n{line}\n");
        drop(Scenario::read::<Kv>(&text));
    }
}
