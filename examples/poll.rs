//! Three nodes on one thread, without async: a loop that polls sockets for readiness. `cargo run --example poll`.
//!
//! Each turn of the loop waits until a datagram has come, or until the earliest of the three deadlines, and then steps
//! the nodes that have input or are due. That is all a node needs, so it fits into whatever loop a program has already.
//!
//! Messages are UDP datagrams, which may be lost, repeated and reordered; some are thrown away here on purpose. The
//! settings keep each message small enough for one datagram: a leader batches no more than fits, and a command that is
//! too large is refused as `TooLarge`. (Snapshots have `max_chunk_bytes` for that; none is taken here.)
//!
//! Five values are put through each node, then all nodes are read, and must hold the same.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::{env, mem, path::Path, process, sync::LazyLock, time, time::Duration};

use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use raft_core::{
    Bootstrap, ClusterId, Effect, Effects, Envelope, Event, Input, Instant, Membership, Node,
    NodeId, Outcome, Persist, Refusal, Reply, Request, RequestId, Role, Settings, Ticks,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
type Map = BTreeMap<String, String>;

const MEMBERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
/// Each node throws away every so many-th of its datagrams, to show that it costs time and nothing else. The number is
/// odd, or all that is thrown away might be for the same one of the two peers.
const THROWN_AWAY: u64 = 5;
/// The most bytes of a message. Some systems send no larger datagrams unless they are told to.
const DATAGRAM: usize = 8 * 1024;
/// The most bytes of a command, and of a batch. As JSON, with what surrounds them, they may be six times as many.
const PAYLOAD: u64 = 1024;

/// A node and what it works with.
struct Member {
    node: Node,
    effects: Effects,
    socket: UdpSocket,
    addresses: BTreeMap<NodeId, SocketAddr>,
    disk: File,
    /// What is to be made durable at the end of the turn.
    write: Option<Persist>,
    map: Map,
    /// Requests that are to be made, for the first time or once more.
    waiting: Vec<Request>,
    /// Requests that were made and are not answered yet.
    asked: BTreeMap<RequestId, Request>,
    /// What the map held when it could be read.
    read: Option<Map>,
    datagrams: u64,
    retries: u64,
}

impl Member {
    fn new(id: NodeId, socket: UdpSocket, folder: &Path) -> Result<Self> {
        let settings = Settings {
            election_timeout: Ticks(300),
            heartbeat_interval: Ticks(50),
            // When the one datagram is lost with which a proposal is passed on, that shows after so long.
            request_timeout: Ticks(1_000),
            max_batch_bytes: PAYLOAD,
            max_command_bytes: PAYLOAD,
            ..Settings::new(ClusterId(1), id)
        };
        let membership = Membership::of_voters(MEMBERS)?;
        Ok(Self {
            node: Node::new(settings.validate()?, Bootstrap { membership }, now())?,
            effects: Effects::new(),
            socket,
            addresses: BTreeMap::new(),
            disk: File::create(folder.join(id.to_string()))?, // to last, sync the folder as well
            write: None,
            map: Map::new(),
            waiting: Vec::new(),
            asked: BTreeMap::new(),
            read: None,
            datagrams: 0,
            retries: 0,
        })
    }

    /// Takes every datagram there is: readiness is told once, and again only after the socket was found empty.
    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; DATAGRAM];
        loop {
            let (length, source) = match self.socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            // What is garbled, or does not come from where its sender lives, counts as lost.
            match serde_json::from_slice::<Envelope>(&buffer[..length]) {
                Ok(envelope) if self.addresses.get(&envelope.from) == Some(&source) => {
                    self.drive(Input::Receive(envelope))?;
                }
                _ => {}
            }
        }
    }

    /// Makes the requests that wait, as soon as there is a leader.
    fn ask(&mut self) -> Result<()> {
        if self.node.leader().is_some() {
            for request in mem::take(&mut self.waiting) {
                self.asked.insert(request.id(), request.clone());
                self.drive(Input::Request(request))?;
            }
        }
        Ok(())
    }

    /// Steps the node and does what it asks for. After an error it must not be stepped again.
    fn drive(&mut self, input: Input) -> Result<()> {
        self.node.step(now(), input, &mut self.effects);
        while let Some(effect) = self.effects.pop() {
            match effect {
                Effect::Persist(persist) => self.write = Some(persist),
                Effect::Apply(apply) => {
                    for command in apply.entries().filter_map(|entry| entry.command()) {
                        self.map.append(&mut serde_json::from_slice(command)?);
                    }
                    self.node.step(now(), Input::Applied(apply.done()), &mut self.effects);
                }
                Effect::Send(envelope) => self.send(&envelope)?,
                Effect::Reply(reply) => self.answered(reply),
                Effect::Event(Event::RoleChanged { to: Role::Leader, term, .. }) => {
                    println!("{} is elected in term {}.", self.node.id(), term.0);
                }
                Effect::Event(_) => {} // for logs and metrics
                other => unreachable!("a short log that is never restarted needs no {other:?}"),
            }
        }
        Ok(())
    }

    /// Makes durable what the turn has brought, with one sync. The loop waits meanwhile; where that is too long, a
    /// thread does this, and hands the receipt back through a channel and a `mio::Waker`.
    fn persist(&mut self) -> Result<()> {
        while let Some(persist) = self.write.take() {
            writeln!(self.disk, "{}", serde_json::to_string(persist.write())?)?;
            self.disk.sync_data()?;
            self.drive(Input::Persisted(persist.done()))?;
        }
        Ok(())
    }

    fn send(&mut self, envelope: &Envelope) -> Result<()> {
        let datagram = serde_json::to_vec(envelope)?;
        assert!(datagram.len() <= DATAGRAM, "the settings keep messages within {DATAGRAM} bytes");
        self.datagrams += 1;
        if self.datagrams % THROWN_AWAY != 0 {
            // What the system does not take is lost as well.
            _ = self.socket.send_to(&datagram, self.addresses[&envelope.to]);
        }
        Ok(())
    }

    fn answered(&mut self, Reply { request, outcome }: Reply) {
        let asked = self.asked.remove(&request).expect("each request is answered once");
        match outcome {
            Outcome::Done { .. } => {}
            Outcome::Readable { .. } => self.read = Some(self.map.clone()),
            Outcome::Refused { refusal: refusal @ Refusal::TooLarge, .. } => {
                println!("What fits into no datagram is refused: {refusal}.");
            }
            // There is another leader, or the fate is unknown because a datagram was lost. Asking again may put a value
            // twice, which does no harm; `raft_core::session` is for what may not be done twice.
            _ => {
                self.waiting.push(asked);
                self.retries += 1;
            }
        }
    }
}

/// Turns the loop until every request is answered.
fn answer_all(poll: &mut Poll, members: &mut [Member]) -> Result<()> {
    let mut events = Events::with_capacity(MEMBERS.len());
    while members.iter().any(|member| !member.waiting.is_empty() || !member.asked.is_empty()) {
        if now() > Instant(20_000) {
            let nodes: Vec<_> = members.iter().map(|it| it.node.status().to_string()).collect();
            return Err(format!("requests are not answered after 20 seconds: {nodes:?}").into());
        }
        let deadlines = members.iter().map(|member| member.node.deadline());
        let wait = deadlines.min().unwrap_or(Instant::NEVER).since(now()).0;
        // A second at the most, to see whether it takes too long.
        match poll.poll(&mut events, Some(Duration::from_millis(wait.min(1_000)))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        for event in &events {
            members[event.token().0].receive()?;
        }
        for member in &mut *members {
            if member.node.deadline() <= now() {
                // The leader may have been heard while the others wrote.
                member.receive()?;
                member.drive(Input::Tick)?;
            }
            member.ask()?;
            member.persist()?;
        }
    }
    Ok(())
}

fn run(folder: &Path) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut members = Vec::new();
    for (number, id) in MEMBERS.into_iter().enumerate() {
        let mut socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
        members.push(Member::new(id, socket, folder)?);
    }
    let mut addresses = BTreeMap::new();
    for member in &members {
        addresses.insert(member.node.id(), member.socket.local_addr()?);
    }
    println!("Three nodes on one thread listen at {:?}.", addresses.values());

    let mut expected = Map::new();
    for member in &mut members {
        member.addresses.clone_from(&addresses);
        for number in 1..=5 {
            let (key, value) = (format!("{}/{number}", member.node.id()), number.to_string());
            let command = serde_json::json!({ &key: &value }).to_string().into();
            member.waiting.push(Request::Propose { id: RequestId(number), command });
            expected.insert(key, value);
        }
    }
    let command = vec![b' '; DATAGRAM].into();
    members[0].waiting.push(Request::Propose { id: RequestId(6), command });
    answer_all(&mut poll, &mut members)?;
    println!("{} values are put after {} ms.", expected.len(), now());

    for member in &mut members {
        member.waiting.push(Request::Read { id: RequestId(7) });
    }
    answer_all(&mut poll, &mut members)?;
    for Member { node, read, datagrams, retries, .. } in &members {
        if read.as_ref() != Some(&expected) {
            return Err(format!("{} holds {read:?} instead of {expected:?}", node.id()).into());
        }
        let (id, lost) = (node.id(), datagrams / THROWN_AWAY);
        println!(
            "{id} holds them all. Datagrams lost: {lost} of {datagrams}. Asked again: {retries}."
        );
    }
    Ok(())
}

/// Milliseconds since the first call. On Linux they leave out suspension: for a real driver take `CLOCK_BOOTTIME`.
#[expect(clippy::disallowed_methods, reason = "a driver is where the time comes from")]
fn now() -> Instant {
    static START: LazyLock<time::Instant> = LazyLock::new(time::Instant::now);
    Instant(u64::try_from(START.elapsed().as_millis()).expect("it is soon over"))
}

fn main() -> Result<()> {
    let folder = env::temp_dir().join(format!("raft-poll-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = run(&folder);
    fs::remove_dir_all(&folder)?;
    outcome
}
