//! Obligations and receipts say what they are about.

use raft_core::{
    Bootstrap, ClusterId, Effect, Effects, Input, Instant, LogIndex, Membership, Node, NodeId,
    Request, RequestId, Settings, Term,
};

/// A batch names the request through which an entry came, and no other entry; its receipt says up to where it goes.
#[test]
fn a_batch_names_requests() {
    let config = Settings::new(ClusterId(1), NodeId(1)).validate().expect("they are the usual");
    let membership = Membership::of_voters([NodeId(1)]).expect("it has a voter");
    let mut node = Node::new(config, Bootstrap { membership }, Instant(0)).expect("a founder");
    let mut effects = Effects::new();
    let mut inputs = vec![Input::Campaign];
    let mut batches = Vec::new();
    let mut requests = (7..=8).map(RequestId);
    loop {
        while let Some(input) = inputs.pop() {
            assert!(effects.is_empty());
            node.step(Instant(0), input, &mut effects);
            let mut left = effects.len();
            while let Some(effect) = effects.pop() {
                left -= 1;
                assert_eq!((effects.len(), effects.is_empty()), (left, left == 0));
                match effect {
                    Effect::Persist(persist) => inputs.push(Input::Persisted(persist.done())),
                    Effect::Restore(restore) => inputs.push(Input::Applied(restore.done())),
                    Effect::Apply(apply) => {
                        let named = |entry: raft_core::Committed<'_>| entry.request;
                        let batch: Vec<_> = apply.entries().map(named).collect();
                        let (first, last) = (apply.first(), apply.last());
                        let receipt = apply.done();
                        assert_eq!(receipt.last(), last);
                        batches.push((first, last, batch));
                        inputs.push(Input::Applied(receipt));
                    }
                    _ => {}
                }
            }
        }
        let Some(id) = requests.next() else { break };
        inputs.push(Input::Request(Request::Propose { id, command: "command".into() }));
    }
    assert_eq!(node.status().term(), Term(1));
    let one = |index, request: Option<u64>| {
        (LogIndex(index), LogIndex(index), vec![request.map(RequestId)])
    };
    assert_eq!(batches, [one(1, None), one(2, Some(7)), one(3, Some(8))]);
}
