//! What nodes have really said to each other, said again by somebody else: as it was, and with some bits turned.
//!
//! Without certificates anybody is believed to be the node that it says it is. What is said a second time does no harm,
//! but a message with another term or another index may: Raft trusts its members. So only that is sent here
//! which no node can believe, or which it has heard before.

use std::collections::BTreeSet;
use std::time::Duration;

use driver::packet::Packet;
use raft_core::{NodeId, WireVersion};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::dice::Dice;
use super::strangers::{Deeds, Target, turn_bits};
use super::wire::{CLUSTER, frame, frames, heard, reach, send};

/// What one node said to another, from the greeting on, frame by frame.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    from: NodeId,
    to: Target,
    frames: Vec<Vec<u8>>,
}

impl Conversation {
    /// Those that were overheard.
    pub(crate) fn all(cluster: &Cluster, targets: &[Target]) -> Vec<Self> {
        let mut all = Vec::new();
        for to in targets {
            for from in cluster.nodes().into_iter().filter(|id| *id != to.node) {
                let heard = cluster.network.heard((from, to.node));
                let conversations = heard.iter().map(|bytes| frames(bytes));
                let with_packets = conversations.filter(|frames| frames.len() > 2);
                all.extend(with_packets.map(|frames| Self { from, to: *to, frames }));
            }
        }
        all
    }

    /// Whether the node could take a frame for something new that the other one says.
    fn misleads(&self, frame: &[u8], said: &BTreeSet<&Vec<u8>>) -> bool {
        let Ok((packet, [])) = postcard::take_from_bytes::<Packet>(frame) else { return false };
        match packet {
            Packet::Raft(envelope) => {
                envelope.version == WireVersion::CURRENT
                    && envelope.cluster == CLUSTER
                    && (envelope.from, envelope.to) == (self.from, self.to.node)
                    && !said.contains(&frame.to_vec())
            }
            // The one function that nodes have here.
            Packet::Call { name, .. } => name == "change members",
            Packet::Message(_) | Packet::Answer { .. } => false,
        }
    }
}

/// Repeats conversations until a time: as they were, in another order, to somebody else, and with bits turned.
pub(crate) async fn repeat(all: Vec<Conversation>, mut dice: Dice, until: Instant) -> Deeds {
    let mut deeds = Deeds::new();
    while Instant::now() < until {
        let conversation = &all[dice.place(all.len())];
        let (greeting, packets) = conversation.frames.split_at(2);
        let said: BTreeSet<&Vec<u8>> = packets.iter().collect();
        let mut bytes: Vec<u8> = greeting.iter().flat_map(|bytes| frame(bytes)).collect();
        let mut target = conversation.to;
        let name = match dice.below(4) {
            0 => {
                bytes.extend(packets.iter().flat_map(|bytes| frame(bytes)));
                "a conversation again"
            }
            1 => {
                for _ in 0..100 {
                    bytes.extend(frame(&packets[dice.place(packets.len())]));
                }
                "a conversation in another order"
            }
            2 => {
                bytes = turn_bits(&mut dice, &bytes);
                target = all[dice.place(all.len())].to;
                "a greeting with bits turned"
            }
            _ => {
                // A frame that is none ends the connection: many connections, with a few packets each.
                for _ in 0..=dice.below(4) {
                    let packet = &packets[dice.place(packets.len())];
                    let turned = turn_bits(&mut dice, packet);
                    if !conversation.misleads(&turned, &said) {
                        bytes.extend(frame(&turned));
                    }
                }
                "packets with bits turned"
            }
        };
        if let Some(mut stream) = reach(target.address).await {
            send(&mut stream, &bytes).await;
            heard(&mut stream, Duration::from_millis(dice.below(20))).await;
            *deeds.entry(name).or_default() += 1;
        }
    }
    deeds
}
