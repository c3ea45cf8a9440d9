//! Panics of the code under test, turned into values.
//!
//! A panic inside [`catch`] prints nothing: what it said and where is kept for the verdict. A panic
//! anywhere else is reported as it always was, also while simulations run on other threads.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// What a panic said, and where it was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panicked {
    pub(crate) message: String,
    pub(crate) location: String,
}

/// Whether this thread runs code whose panics are caught, and what the last one was.
enum Watch {
    Off,
    On(Option<Panicked>),
}

thread_local! {
    static WATCH: RefCell<Watch> = const { RefCell::new(Watch::Off) };
}

/// Runs `body`; if it panics, says how.
///
/// What `body` had borrowed is not to be used after a panic.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, Panicked> {
    install();
    let outer = WATCH.replace(Watch::On(None));
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    let seen = WATCH.replace(outer);
    result.map_err(|_| match seen {
        Watch::On(Some(panicked)) => panicked,
        Watch::On(None) | Watch::Off => Panicked {
            message: "a panic without a message".to_owned(),
            location: "an unknown place".to_owned(),
        },
    })
}

/// Puts our hook before the one that was there, once for the whole process.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let kept = WATCH.with_borrow_mut(|watch| match watch {
                Watch::On(slot) => {
                    *slot = Some(describe(info));
                    true
                }
                Watch::Off => false,
            });
            if !kept {
                previous(info);
            }
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> Panicked {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic whose payload is not text".to_owned());
    let location = info.location().map_or_else(
        || "an unknown place".to_owned(),
        |place| format!("{}:{}", place.file(), place.line()),
    );
    Panicked { message, location }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panic becomes its message and its place; what does not panic passes through.
    #[test]
    fn panics_become_values() {
        assert_eq!(catch(|| 7), Ok(7));
        let panicked = catch(|| -> u8 { panic!("the {} broke", "axle") }).expect_err("it panics");
        assert_eq!(panicked.message, "the axle broke");
        assert!(panicked.location.contains("panics.rs:"), "{}", panicked.location);
    }
}
