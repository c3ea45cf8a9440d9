//! What is tried, and in which order: the coarse before the fine.

mod explicit;
mod fates;
mod faults;
mod nodes;
mod time;
mod world;

use super::Ended;
use super::items;
use super::search::Search;
use crate::machine::Machine;
use crate::raft::Raft;

pub(super) use world::SETTINGS;

/// Tries everything until nothing helps any more.
pub(super) fn all<R: Raft + 'static, M: Machine + 'static>(search: &mut Search<'_, R, M>) -> Ended {
    search.enter("cut at the violation");
    search.cut();
    world::coarse(search);
    explicit::all(search);
    loop {
        let before = search.score();
        items::all(search);
        world::fine(search);
        nodes::all(search);
        time::shorten(search);
        fates::all(search);
        faults::weaken(search);
        time::round(search);
        if search.is_found_at_end() {
            search.end_sooner();
        }
        if !search.goes_on() {
            return Ended::TimeUp;
        }
        if search.score() == before {
            return Ended::Smallest;
        }
    }
}
