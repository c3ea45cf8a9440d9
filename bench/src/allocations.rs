//! Allocations, counted by the program's allocator if it was built to (feature `allocations`).

/// Whether they are counted.
pub(crate) const ARE_COUNTED: bool = cfg!(feature = "allocations");

/// How many there were, and how large they were together. None, when they are not counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allocations {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

#[cfg(feature = "allocations")]
mod counter {
    use super::Allocations;

    /// Counts while something is done.
    pub(crate) fn counted(work: impl FnOnce()) -> Allocations {
        let all = allocation_counter::measure(work);
        Allocations { count: all.count_total, bytes: all.bytes_total }
    }

    /// Does not count while something is done, since that takes time.
    pub(crate) fn uncounted(work: impl FnOnce()) {
        allocation_counter::opt_out(work);
    }
}

#[cfg(not(feature = "allocations"))]
mod counter {
    use super::Allocations;

    pub(crate) fn counted(work: impl FnOnce()) -> Allocations {
        work();
        Allocations::default()
    }

    pub(crate) fn uncounted(work: impl FnOnce()) {
        work();
    }
}

pub(crate) use counter::{counted, uncounted};
