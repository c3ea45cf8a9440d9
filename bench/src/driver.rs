//! The loop that every driver of `raft-core` has, over a disk and a machine that need no time.

use raft_core::{Apply, Effect, Effects, Envelope, Input, Instant, Node, Reply};

/// What a node reaches outside of itself.
pub trait Outside {
    /// Takes a message.
    fn send(&mut self, envelope: Envelope);

    /// Applies entries.
    fn apply(&mut self, _batch: &Apply) {}

    /// Takes an answer.
    fn answer(&mut self, _reply: Reply) {}
}

/// Carries out what a node asks for, and what follows from that. What is to be written or applied is so at once.
pub fn carry_out(node: &mut Node, now: Instant, effects: &mut Effects, outside: &mut impl Outside) {
    let mut was_fed = false;
    loop {
        let answer = match effects.pop() {
            Some(Effect::Send(envelope)) => {
                outside.send(envelope);
                continue;
            }
            Some(Effect::Persist(persist)) => Input::Persisted(persist.done()),
            Some(Effect::Apply(apply)) => {
                outside.apply(&apply);
                Input::Applied(apply.done())
            }
            Some(Effect::Restore(restore)) => Input::Applied(restore.done()),
            Some(Effect::Reply(reply)) => {
                outside.answer(reply);
                continue;
            }
            Some(_) => continue,
            None => break,
        };
        node.feed(now, answer, effects);
        was_fed = true;
    }
    if was_fed && node.deadline() <= now {
        node.step(now, Input::Tick, effects);
        carry_out(node, now, effects, outside);
    }
}
