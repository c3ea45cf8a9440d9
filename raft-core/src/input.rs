//! Everything that can happen to a node.

use crate::apply::Applied;
use crate::message::Envelope;
use crate::persist::Persisted;
use crate::request::Request;

/// One thing that happened, for [`Node::step`](crate::Node::step).
#[derive(Debug)]
pub enum Input {
    /// Nothing but time. Stepping with it early does no harm.
    Tick,
    /// A message arrived. It may be late, repeated, out of order, or a lie.
    Receive(Envelope),
    /// A write became durable.
    Persisted(Persisted),
    /// A batch was applied.
    Applied(Applied),
    /// A caller asks for something.
    Request(Request),
    /// Stand for election now, as if the election timeout had passed. Pre-vote and the stickiness of the
    /// other nodes still apply: as long as a majority hears the leader, asking does not depose it. (Without
    /// pre-vote the term is raised at once, and the leader learns of that.) Ignored by a leader and by
    /// nodes that may not campaign.
    Campaign,
}
