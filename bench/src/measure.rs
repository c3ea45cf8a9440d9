//! What one contestant needs for an entry. Each measurement has a cluster of its own, whose election and first bursts
//! come before it and whose end comes after it.

use std::mem;
use std::time::Instant;

use raft_bench::allocations::{ARE_COUNTED, counted, uncounted};

use crate::contestants::Contestant;
use crate::workload::{Cluster, carry_out};

/// The bursts that come first, which find caches cold and buffers small.
const WARM_UP: u64 = 8;

/// A contestant, and what it is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) contestant: &'static Contestant,
    pub(crate) nodes: usize,
    pub(crate) size: usize,
    pub(crate) burst: u64,
}

impl Case {
    fn warm(&self) -> Box<dyn Cluster> {
        let mut cluster = (self.contestant.elected)(self.nodes);
        carry_out(&mut *cluster, self.burst, self.size, WARM_UP * self.burst);
        cluster
    }

    /// Nothing is measured here: the program is. The end of the cluster does not belong to it.
    pub(crate) fn carry_out(&self, entries: u64) {
        uncounted(|| {
            let mut cluster = self.warm();
            carry_out(&mut *cluster, self.burst, self.size, entries);
            mem::forget(cluster);
        });
    }

    /// Nanoseconds for each entry.
    #[expect(clippy::disallowed_methods, reason = "this is what is measured")]
    pub(crate) fn nanoseconds(&self, entries: u64) -> f64 {
        let mut cluster = self.warm();
        let began = Instant::now();
        uncounted(|| carry_out(&mut *cluster, self.burst, self.size, entries));
        began.elapsed().as_secs_f64() * 1e9 / float(entries)
    }

    /// Allocations, and their bytes, for each entry, if they are counted.
    pub(crate) fn allocations(&self, entries: u64) -> Option<(f64, f64)> {
        if !ARE_COUNTED {
            return None;
        }
        let mut cluster = self.warm();
        let all = counted(|| carry_out(&mut *cluster, self.burst, self.size, entries));
        Some((float(all.count) / float(entries), float(all.bytes) / float(entries)))
    }
}

/// The nanoseconds for an entry in each case, in each round. The cases take turns, so that whatever else the machine does
/// concerns all of them. One more round comes first, in which the heap becomes as large as it will be.
pub(crate) fn in_rounds(rounds: u32, cases: &[Case], entries: u64) -> Vec<Vec<f64>> {
    let round = |_| cases.iter().map(|case| case.nanoseconds(entries)).collect();
    (0..=rounds).map(round).skip(1).collect()
}

/// The middle one, or the mean of the two in the middle.
///
/// # Panics
/// When there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { values[middle - 1].midpoint(values[middle]) }
}

#[expect(clippy::cast_precision_loss, reason = "counts that no measurement is as exact as")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 9.0, 2.0]) - 3.0).abs() < 1e-9);
    }
}
