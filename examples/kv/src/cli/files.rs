//! How many files and connections the system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The store, the log, and the connections to other nodes take no more than this.
const OTHERS: u64 = 256;

/// Makes room for connections, as far as the system allows, and says so when it does not.
pub(super) fn make_room(connections: usize) {
    // As many again may not have said yet who they are.
    let needed = 2 * connections as u64 + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let allowed = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum });
    if raised.is_err() || allowed < needed {
        tracing::warn!(
            needed,
            allowed,
            "the system does not let this process have enough open files: raise its limit (ulimit -n), or lower --max-connections"
        );
    }
}
