//! Allocations, counted by the program's allocator if it was built to (feature `allocations`).

/// Whether they are counted.
pub const ARE_COUNTED: bool = cfg!(feature = "allocations");

/// What was allocated while something was done. Nothing, when it is not counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocations {
    /// How many there were.
    pub count: u64,
    /// How large they were together.
    pub bytes: u64,
    /// The bytes that were still allocated at the end: less than none, when more was freed.
    pub kept_bytes: i64,
}

#[cfg(feature = "allocations")]
mod counter {
    use super::Allocations;

    /// Counts while something is done.
    pub fn counted(work: impl FnOnce()) -> Allocations {
        let all = allocation_counter::measure(work);
        Allocations {
            count: all.count_total,
            bytes: all.bytes_total,
            kept_bytes: all.bytes_current,
        }
    }

    /// Does not count while something is done, since that takes time.
    pub fn uncounted(work: impl FnOnce()) {
        allocation_counter::opt_out(work);
    }
}

#[cfg(not(feature = "allocations"))]
mod counter {
    use super::Allocations;

    /// Does it, and counts nothing.
    pub fn counted(work: impl FnOnce()) -> Allocations {
        work();
        Allocations::default()
    }

    /// Does it.
    pub fn uncounted(work: impl FnOnce()) {
        work();
    }
}

pub use counter::{counted, uncounted};
