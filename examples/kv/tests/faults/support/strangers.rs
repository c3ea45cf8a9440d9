//! What strangers do to ports: noise, frames cut off or too long, other versions and clusters, requests that never
//! end, and silence. None of it is believed, so nobody may suffer from it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use driver::transport::{Greeting, PROTOCOL_VERSION, Purpose};
use kv::protocol::{Ask, Freshness, Request};
use raft_core::{ClusterId, NodeId};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::wire::{as_client, as_node, greeting, heard, preface, reach, send};

/// Whom strangers visit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The node.
    pub(crate) node: NodeId,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it answers for its metrics, if it does.
    pub(crate) metrics: Option<SocketAddr>,
}

/// How often what was done.
pub(crate) type Deeds = BTreeMap<&'static str, u64>;

/// A stranger, who visits one node after the other.
#[derive(Debug)]
pub(crate) struct Stranger {
    pub(crate) dice: Dice,
    pub(crate) targets: Vec<Target>,
}

type Attack = (&'static str, Vec<u8>);

impl Stranger {
    /// Visits until a time.
    pub(crate) async fn visit(mut self, until: Instant) -> Deeds {
        let mut deeds = Deeds::new();
        while Instant::now() < until {
            let target = self.dice.pick(&self.targets);
            let metrics = target.metrics.filter(|_| self.dice.chance(20));
            let (name, bytes) = match metrics {
                Some(_) => self.http(),
                None => self.attack(target.node),
            };
            if let Some(mut stream) = reach(metrics.unwrap_or(target.address)).await {
                send(&mut stream, &bytes).await;
                // Some wait for what comes, others are gone at once.
                if self.dice.chance(50) {
                    heard(&mut stream, Duration::from_millis(self.dice.below(50))).await;
                }
                *deeds.entry(name).or_default() += 1;
            }
        }
        deeds
    }

    fn noise(&mut self, most: usize) -> Vec<u8> {
        let count = 1 + self.dice.place(most);
        self.dice.bytes(count)
    }

    fn attack(&mut self, node: NodeId) -> Attack {
        let other = NodeId(1 + node.0 % 3);
        let known = if self.dice.chance(50) { as_client() } else { as_node(other, node) };
        match self.dice.below(9) {
            0 => ("noise", self.noise(4_096)),
            1 => {
                let kept = self.dice.place(known.len());
                ("cut-off greeting", known[..kept].to_vec())
            }
            2 => ("noise after a greeting", [known, self.noise(4_096)].concat()),
            3 => {
                let length = self.dice.pick(&[u32::MAX, 32 * 1024 * 1024 + 1, 1_025, 1 << 31]);
                ("frame too long", [&length.to_le_bytes()[..], &self.noise(64)].concat())
            }
            4 => {
                // As long as may be, and never ended; in time it would have to be remembered.
                let length: u32 = 32 * 1024 * 1024;
                let begun = self.noise(64 * 1024);
                ("frame that never ends", [&known, &length.to_le_bytes()[..], &begun].concat())
            }
            5 => {
                let version = self.dice.pick(&[0, PROTOCOL_VERSION + 1, u16::MAX]);
                ("another version", [preface(version), self.noise(256)].concat())
            }
            6 => {
                let cluster = ClusterId(2 + self.dice.below(1_000));
                let purpose = if self.dice.chance(50) {
                    Purpose::Client
                } else {
                    Purpose::Peer { from: other, to: node, address: "h:1".to_owned() }
                };
                ("another cluster", greeting(&Greeting { cluster, purpose }))
            }
            7 => {
                let nobody = NodeId(100 + self.dice.below(1_000));
                ("another node", as_node(other, nobody))
            }
            _ => ("broken request", [as_client(), self.broken_request()].concat()),
        }
    }

    /// A request of a client with some bits turned, unless it then asks for something that clients may do to a
    /// cluster.
    fn broken_request(&mut self) -> Vec<u8> {
        let number = self.dice.below(u64::MAX);
        let ask = match self.dice.below(3) {
            0 => Ask::Command(self.noise(64).into()),
            1 => Ask::Get { key: self.noise(64).into(), freshness: Freshness::Linearizable },
            _ => Ask::Status,
        };
        let whole = postcard::to_stdvec(&Request { number, ask }).expect("plain data has bytes");
        let broken = turn_bits(&mut self.dice, &whole);
        let does_something = postcard::from_bytes::<Request>(&broken).is_ok_and(|request| {
            matches!(
                request.ask,
                Ask::Change(_) | Ask::Transfer(_) | Ask::Weaken(_) | Ask::Campaign
            )
        });
        super::wire::frame(if does_something { &whole } else { &broken })
    }

    fn http(&mut self) -> Attack {
        const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n";
        match self.dice.below(5) {
            0 => ("metrics: noise", self.noise(4_096)),
            1 => ("metrics: no end of the request", REQUEST.to_vec()),
            2 => ("metrics: asked and gone", [REQUEST, b"\r\n"].concat()),
            3 => {
                let long = [b"X: ".to_vec(), vec![b'a'; 200_000]].concat();
                ("metrics: long request", [REQUEST, &long].concat())
            }
            _ => {
                let body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
                ("metrics: long body", [&body[..], &self.noise(4_096)].concat())
            }
        }
    }
}

/// Turns one to eight bits of some bytes, or cuts them off, or makes them longer.
pub(crate) fn turn_bits(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut turned = bytes.to_vec();
    match dice.below(10) {
        0 => turned.truncate(dice.place(bytes.len() + 1)),
        1 => turned.extend(dice.bytes(8)),
        _ => {
            for _ in 0..=dice.below(8) {
                if !turned.is_empty() {
                    let at = dice.place(turned.len());
                    turned[at] ^= 1 << dice.below(8);
                }
            }
        }
    }
    turned
}

/// Connects to every port, so many times at once, and says nothing, for as long as the other side puts up with it.
pub(crate) async fn be_silent(targets: Vec<Target>, at_a_time: usize, until: Instant) -> Deeds {
    let ports = targets.iter().flat_map(|target| [Some(target.address), target.metrics]);
    let mut silent = JoinSet::new();
    for port in ports.flatten() {
        for _ in 0..at_a_time {
            silent.spawn(async move {
                let mut count = 0;
                while Instant::now() < until {
                    if let Some(mut stream) = reach(port).await {
                        count += 1;
                        heard(&mut stream, until - Instant::now()).await;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
                count
            });
        }
    }
    Deeds::from([("silence", silent.join_all().await.into_iter().sum())])
}
