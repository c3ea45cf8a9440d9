//! Three nodes in one process, on threads and TCP: `cargo run --example quickstart`. A value is put and read, the
//! leader is killed, the others go on. `docs/GUIDE.md` has what is missing here: restarts, snapshots, other members.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::{collections::BTreeMap, env, process, sync::LazyLock, thread, time, time::Duration};

use raft_core::{Bootstrap, ClusterId, Effect, Effects, Envelope, Input, Instant, Membership};
use raft_core::{Node, NodeId, Outcome, Reply, Request, RequestId, Settings, Ticks};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Map = BTreeMap<String, String>;
/// How the program talks to a node: inputs (`None` stops it), and answers, with who leads and what its map holds.
type Client = (SyncSender<Option<Input>>, Receiver<(Reply, Option<NodeId>, Map)>);
const MEMBERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// A node, on a thread of its own: with a disk (a line of JSON for each write), a machine (the map), and connections.
struct Server {
    node: Node,
    effects: Effects,
    disk: File,
    map: Map,
    peers: BTreeMap<NodeId, (SocketAddr, Option<TcpStream>)>,
    client: Sender<(Reply, Option<NodeId>, Map)>,
}

impl Server {
    fn start(id: NodeId, listener: TcpListener, all: &[SocketAddr], disk: File) -> Result<Client> {
        let mut settings = Settings::new(ClusterId(1), id);
        (settings.election_timeout, settings.heartbeat_interval) = (Ticks(150), Ticks(30));
        let membership = Membership::of_voters(MEMBERS)?;
        let node = Node::new(settings.validate()?, Bootstrap { membership }, now())?;
        let peers = MEMBERS.into_iter().zip(all.iter().map(|address| (*address, None))).collect();
        let ((inbox, inputs), (client, answers)) = (sync_channel(1_000), channel());
        let mut this = Self { node, effects: Effects::new(), disk, map: Map::new(), peers, client };
        thread::spawn(move || {
            let mut next = Some(Input::Tick);
            while let Some(input) = next {
                this.drive(input).expect("a node whose disk works goes on");
                let wait = Duration::from_millis(this.node.deadline().since(now()).0);
                next = inputs.recv_timeout(wait).unwrap_or(Some(Input::Tick)); // at the deadline
            }
        });
        let owner = inbox.clone(); // a tick too many does no harm, and fails when the node is gone
        thread::spawn(move || {
            while let (Ok(()), Ok((peer, _))) = (owner.send(Some(Input::Tick)), listener.accept()) {
                let owner = owner.clone();
                thread::spawn(move || receive(peer, &owner));
            }
        });
        Ok((inbox, answers))
    }

    /// Steps the node and does what it asks for. After an error it must not be stepped again.
    fn drive(&mut self, input: Input) -> Result<()> {
        let Self { node, effects, disk, map, peers, client } = self;
        node.step(now(), input, effects);
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Persist(persist) => {
                    writeln!(disk, "{}", serde_json::to_string(persist.write())?)?;
                    disk.sync_data()?; // before the receipt, since others will rely on it
                    node.step(now(), Input::Persisted(persist.done()), effects);
                }
                Effect::Apply(apply) => {
                    for command in apply.entries().filter_map(|entry| entry.command()) {
                        map.append(&mut serde_json::from_slice(command)?);
                    }
                    node.step(now(), Input::Applied(apply.done()), effects);
                }
                // What cannot be sent is lost, as Raft allows. (Between machines: a queue and a thread a peer.)
                Effect::Send(envelope) => {
                    let line = serde_json::to_string(&envelope)? + "\n";
                    let (at, stream) = peers.get_mut(&envelope.to).ok_or("no such peer")?;
                    let new = || TcpStream::connect(*at).inspect(|s| _ = s.set_nodelay(true)).ok();
                    let open = stream.take().or_else(new);
                    *stream = open.filter(|mut stream| stream.write_all(line.as_bytes()).is_ok());
                }
                Effect::Reply(reply) => client.send((reply, node.leader(), map.clone()))?,
                Effect::Event(_) => {} // for logs and metrics
                other => unreachable!("a short log that is never restarted needs no {other:?}"),
            }
        }
        Ok(())
    }
}

/// Milliseconds since the first call. On Linux they leave out suspension: for a real driver take `CLOCK_BOOTTIME`.
#[expect(clippy::disallowed_methods, reason = "a driver is where the time comes from")]
fn now() -> Instant {
    static START: LazyLock<time::Instant> = LazyLock::new(time::Instant::now);
    Instant(u64::try_from(START.elapsed().as_millis()).expect("it is soon over"))
}

/// Hands on what a peer sends, until it or the node is gone.
fn receive(stream: TcpStream, inbox: &SyncSender<Option<Input>>) -> Result<()> {
    let mut peer = None; // whoever spoke first; between machines, whoever can prove it
    for line in BufReader::new(stream).lines() {
        let envelope: Envelope = serde_json::from_str(&line?)?;
        if *peer.get_or_insert(envelope.from) == envelope.from {
            inbox.send(Some(Input::Receive(envelope)))?;
        }
    }
    Ok(())
}

/// Asks until it is done. That may do a put twice; `raft_core::session` is for what may not be.
fn ask((inbox, answers): &Client, request: &Request) -> Result<(NodeId, Map)> {
    while now() < Instant(30_000) {
        inbox.send(Some(Input::Request(request.clone())))?;
        let Ok((reply, leader, map)) = answers.recv_timeout(Duration::from_secs(30)) else { break };
        match (reply.outcome, leader) {
            (Outcome::Done { .. } | Outcome::Readable { .. }, Some(id)) => return Ok((id, map)),
            _ => thread::sleep(Duration::from_millis(20)), // no leader is known yet, most likely
        }
    }
    Err(format!("nobody could do this within 30 seconds: {request:?}").into())
}

fn main() -> Result<()> {
    let folder = env::temp_dir().join(format!("raft-quickstart-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let mut nodes = BTreeMap::new();
    let listeners = MEMBERS.map(|_| TcpListener::bind("127.0.0.1:0").expect("some port is free"));
    let all = listeners.each_ref().map(|listener| listener.local_addr().expect("it is bound"));
    for (id, listener) in MEMBERS.into_iter().zip(listeners) {
        let disk = File::create(folder.join(id.to_string()))?; // to last, sync the folder as well
        nodes.insert(id, Server::start(id, listener, &all, disk)?);
    }
    println!("Three nodes listen at {all:?}; their disks are in {}.", folder.display());
    for value in ["blue", "green"] {
        let (id, node) = nodes.first_key_value().ok_or("all nodes were killed")?;
        let command = serde_json::json!({ "colour": value }).to_string().into();
        let (leader, _) = ask(node, &Request::Propose { id: RequestId(1), command })?;
        println!("{leader} leads. {id} was asked to put colour = {value}, and has applied it.");
        for (id, node) in &nodes {
            let (_, map) = ask(node, &Request::Read { id: RequestId(2) })?;
            println!("{id} was asked for the colour, and says {}.", map["colour"]);
            assert_eq!(map["colour"], value);
        }
        let (inbox, answers) = nodes.remove(&leader).ok_or("the leader is none of the nodes")?;
        inbox.send(None)?;
        answers.iter().for_each(drop); // until the thread has ended
        println!("{leader} was killed.");
    }
    Ok(fs::remove_dir_all(&folder)?)
}
