//! Goal: a disk that holds any prefix of the writes of any run makes a node that works.

mod support;

use support::chaos::Chaos;

#[test]
fn smoke() {
    for seed in 0..300 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..600 {
            chaos.act();
        }
        chaos.recover();
    }
}
