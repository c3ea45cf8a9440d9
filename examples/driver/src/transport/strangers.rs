//! Connections that have not said yet who they are.
//!
//! They do not take the place of anybody who has: whoever connects and says nothing keeps nobody out. There are no more
//! than so many; when one more comes, the one goes that has been silent for longest.

use std::collections::VecDeque;

use tokio::task::AbortHandle;

/// The tasks that wait for greetings, the oldest first.
#[derive(Debug)]
pub(super) struct Strangers {
    most: usize,
    tasks: VecDeque<AbortHandle>,
}

impl Strangers {
    /// None yet, and never more than this.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), tasks: VecDeque::new() }
    }

    /// One more.
    pub(super) fn add(&mut self, task: AbortHandle) {
        if self.tasks.len() >= self.most {
            self.tasks.retain(|task| !task.is_finished());
        }
        if self.tasks.len() >= self.most
            && let Some(oldest) = self.tasks.pop_front()
        {
            oldest.abort();
        }
        self.tasks.push_back(task);
    }
}
