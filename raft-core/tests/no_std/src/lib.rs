//! A node of a cluster of one on a machine without an operating system: no std, an allocator of its own, a
//! panic handler of its own.
//!
//! It exists to be built. It uses the whole loop of a driver, so that all of the protocol is compiled
//! and not merely type-checked.

#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

use raft_core::{
    Bootstrap, ClusterId, Effect, Effects, Input, Instant, LogIndex, Membership, Node, NodeId,
    Request, RequestId, Settings,
};

const HEAP_BYTES: usize = 1 << 20;

/// Hands out memory and never takes it back.
struct Bump {
    heap: core::cell::UnsafeCell<[u8; HEAP_BYTES]>,
    used: AtomicUsize,
}

// SAFETY: every byte of `heap` is handed out once, because `used` only grows.
unsafe impl Sync for Bump {}

// SAFETY: blocks are aligned as asked, lie within the heap and do not overlap.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.heap.get() as usize;
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let offset = (start + used).next_multiple_of(layout.align()) - start;
            let end = offset.saturating_add(layout.size());
            if end > HEAP_BYTES {
                return core::ptr::null_mut();
            }
            match self.used.compare_exchange_weak(used, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return (start + offset) as *mut u8,
                Err(now) => used = now,
            }
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump =
    Bump { heap: core::cell::UnsafeCell::new([0; HEAP_BYTES]), used: AtomicUsize::new(0) };

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Founds a cluster of one, proposes a command, and says up to where the machine has applied: the blank
/// entry of the election and the command make 2. Zero if the node could not start.
#[unsafe(no_mangle)]
pub extern "C" fn applied_after_one_command() -> u64 {
    drive().map_or(0, |applied| applied.0)
}

/// The loop of a driver whose disk and machine answer at once.
fn drive() -> Option<LogIndex> {
    let config = Settings::new(ClusterId(1), NodeId(1)).validate().ok()?;
    let membership = Membership::of_voters([NodeId(1)]).ok()?;
    let mut now = Instant(0);
    let mut node = Node::new(config, Bootstrap { membership }, now).ok()?;
    let mut effects = Effects::new();
    let mut input = Input::Tick;
    for step in 0..100 {
        node.step(now, input, &mut effects);
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Persist(persist) => {
                    node.step(now, Input::Persisted(persist.done()), &mut effects);
                }
                Effect::Apply(apply) => node.step(now, Input::Applied(apply.done()), &mut effects),
                Effect::Restore(restore) => {
                    node.step(now, Input::Applied(restore.done()), &mut effects);
                }
                Effect::Fetch(fetch) => {
                    node.step(now, Input::Fetched(fetch.failed()), &mut effects);
                }
                Effect::ReadChunk(read) => {
                    node.step(now, Input::ChunkRead(read.failed()), &mut effects);
                }
                Effect::WriteChunk(write) => {
                    node.step(now, Input::ChunkWritten(write.failed()), &mut effects);
                }
                Effect::FetchSnapshot(fetch) => {
                    node.step(now, Input::ChunkWritten(fetch.failed()), &mut effects);
                }
                Effect::Send(_) | Effect::Reply(_) | Effect::Event(_) => {}
            }
        }
        now = now.max(node.deadline());
        input = Input::Tick;
        if step == 50 {
            let request = Request::Propose { id: RequestId(1), command: b"command"[..].into() };
            input = Input::Request(request);
        }
    }
    Some(node.status().applied)
}
