//! Three nodes as their workers see them, on the host: text in, text out, with databases of records and a network of
//! messages that are plain values. What a worker does in JavaScript is done here by `Worker`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use raft_browser::BrowserNode;
use serde_json::{Value, json};

const MEMBERS: [u32; 3] = [1, 2, 3];
/// How many steps a condition may take: many elections' worth.
const PATIENCE: usize = 20_000;

#[derive(Debug, Default)]
struct Worker {
    node: Option<BrowserNode>,
    /// By kind and number.
    database: BTreeMap<(String, u64), String>,
    /// By request.
    replies: BTreeMap<u32, Value>,
}

#[derive(Debug, Default)]
struct Cluster {
    now: u64,
    workers: BTreeMap<u32, Worker>,
    network: VecDeque<(u32, u32, String)>,
    cut: BTreeSet<u32>,
    requests: u32,
}

fn parsed(outputs: &str) -> Vec<Value> {
    serde_json::from_str(outputs).expect("outputs are a JSON array")
}

fn key(value: &Value) -> (String, u64) {
    let kind = value[0].as_str().expect("a key begins with its kind");
    (kind.to_owned(), value[1].as_u64().expect("a key ends with its number"))
}

fn number(output: &Value) -> u32 {
    output["number"].as_u64().and_then(|n| n.try_into().ok()).expect("the obligation has a number")
}

impl Worker {
    fn records(&self) -> String {
        self.records_between(&(String::new(), 0), &("~".to_owned(), 0))
    }

    fn records_between(&self, first: &(String, u64), last: &(String, u64)) -> String {
        json!(self.database.range(first..=last).collect::<Vec<_>>()).to_string()
    }

    fn carry_out(&mut self, operation: &Value) {
        if let Some(put) = operation["put"].as_array() {
            let text = put[1].as_str().expect("a record is text");
            self.database.insert(key(&put[0]), text.to_owned());
        } else {
            let range = key(&operation["delete"][0])..=key(&operation["delete"][1]);
            assert!(range.start() <= range.end(), "a database refuses such a range: {range:?}");
            self.database.retain(|key, _| !range.contains(key));
        }
    }

    fn status(&self) -> Value {
        let status = self.node.as_ref().map(BrowserNode::status);
        status.map_or(Value::Null, |text| serde_json::from_str(&text).expect("the status is JSON"))
    }
}

impl Cluster {
    fn started() -> Self {
        let mut cluster = Self { now: 1_000, ..Self::default() };
        for id in MEMBERS {
            cluster.start(id);
        }
        cluster
    }

    fn start(&mut self, id: u32) {
        let worker = self.workers.entry(id).or_default();
        let node = BrowserNode::new(id, &MEMBERS, 7, self.now, &worker.records());
        worker.node = Some(node.expect("the database is this node's and whole"));
    }

    fn stop(&mut self, id: u32) {
        self.worker(id).node = None;
    }

    fn worker(&mut self, id: u32) -> &mut Worker {
        self.workers.get_mut(&id).expect("it was started once")
    }

    /// Calls a node, and carries out what it asks for. A transaction is durable at once.
    fn call(&mut self, id: u32, ask: impl FnOnce(&mut BrowserNode, u64) -> String) {
        let now = self.now;
        let worker = self.workers.get_mut(&id).expect("it was started once");
        let Some(node) = &mut worker.node else { return };
        let mut outputs = VecDeque::from(parsed(&ask(node, now)));
        while let Some(output) = outputs.pop_front() {
            let more = match output["kind"].as_str() {
                Some("store") => {
                    let operations = output["operations"].as_array().expect("a list");
                    for operation in operations {
                        worker.carry_out(operation);
                    }
                    node_of(worker).stored(now, number(&output)).expect("it is waited for")
                }
                Some("load") => {
                    let index = |name: &str| output[name].as_u64().expect("an index");
                    let at = |name| ("log".to_owned(), index(name));
                    let records = worker.records_between(&at("first"), &at("last"));
                    let answer = node_of(worker).loaded(now, number(&output), &records);
                    answer.expect("it is waited for")
                }
                Some("send") => {
                    let to = output["to"].as_u64().and_then(|to| to.try_into().ok());
                    let message = output["message"].as_str().expect("a message is text");
                    self.network.push_back((id, to.expect("a member"), message.to_owned()));
                    continue;
                }
                Some("reply") => {
                    let request = output["id"].as_u64().and_then(|id| id.try_into().ok());
                    worker.replies.insert(request.expect("a number of ours"), output);
                    continue;
                }
                Some("event") => continue,
                other => panic!("no worker knows what to do with {other:?}"),
            };
            outputs.extend(parsed(&more));
        }
    }

    /// Delivers a message, or if there is none lets the next deadline come.
    fn turn(&mut self) {
        if let Some((from, to, message)) = self.network.pop_front() {
            if !self.cut.contains(&from) && !self.cut.contains(&to) {
                self.call(to, |node, now| node.receive(now, from, &message));
            }
            return;
        }
        let deadline = |id: &u32| self.workers[id].node.as_ref().map(BrowserNode::deadline);
        let next = MEMBERS.iter().filter_map(|id| deadline(id).map(|deadline| (deadline, *id)));
        let (deadline, id) = next.min().expect("somebody lives");
        self.now = self.now.max(deadline);
        self.call(id, BrowserNode::tick);
    }

    fn wait(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE {
            if is_so(self) {
                return;
            }
            self.turn();
        }
        let states: Vec<Value> = self.workers.values().map(Worker::status).collect();
        panic!("after {PATIENCE} turns it was still not so that {what}: {states:#?}");
    }

    /// The leader that those who are connected agree on.
    fn leader(&self) -> Option<u32> {
        let connected = MEMBERS.iter().filter(|id| !self.cut.contains(id));
        let states: Vec<Value> = connected.map(|id| self.workers[id].status()).collect();
        let alive = states.iter().filter(|status| !status.is_null());
        let said: Vec<_> = alive.map(|status| status["leader"].as_u64()).collect();
        let leader = said[0]?.try_into().ok()?;
        let is_led = said.iter().all(|leader| *leader == said[0]) && !self.cut.contains(&leader);
        (is_led && self.workers[&leader].status()["role"] == "leader").then_some(leader)
    }

    fn elected(&mut self) -> u32 {
        self.wait("one leads", |cluster| cluster.leader().is_some());
        self.leader().expect("it was waited for")
    }

    fn reply(&mut self, id: u32, ask: impl FnOnce(&mut BrowserNode, u64, u32) -> String) -> Value {
        self.requests += 1;
        let request = self.requests;
        self.call(id, |node, now| ask(node, now, request));
        self.wait("the request is answered", |c| c.workers[&id].replies.contains_key(&request));
        self.worker(id).replies.remove(&request).expect("it was waited for")
    }

    fn put(&mut self, at: u32, key: &str, value: &str) {
        let reply = self.reply(at, |node, now, id| node.propose(now, id, key, value));
        assert_eq!(reply["answer"], "done", "{reply}");
    }

    fn read(&mut self, at: u32) -> Value {
        self.reply(at, BrowserNode::read)
    }
}

fn node_of(worker: &mut Worker) -> &mut BrowserNode {
    worker.node.as_mut().expect("it is being called")
}

#[test]
fn what_is_put_at_one_is_read_at_all() {
    let mut cluster = Cluster::started();
    cluster.elected();
    for id in MEMBERS {
        cluster.put(id, &format!("from {id}"), "x");
    }
    for id in MEMBERS {
        let reply = cluster.read(id);
        assert_eq!(reply["answer"], "readable", "{reply}");
        assert_eq!(reply["map"], json!({ "from 1": "x", "from 2": "x", "from 3": "x" }));
    }
}

#[test]
fn a_stopped_leader_comes_back_from_its_database() {
    let mut cluster = Cluster::started();
    let first = cluster.elected();
    cluster.put(first, "before", "1");
    cluster.stop(first);
    cluster.cut.insert(first);
    let second = cluster.elected();
    assert_ne!(first, second);
    cluster.put(second, "meanwhile", "2");
    cluster.cut.remove(&first);
    cluster.start(first);
    cluster.elected();
    assert_eq!(cluster.read(first)["map"], json!({ "before": "1", "meanwhile": "2" }));
}

#[test]
fn a_leader_that_is_cut_off_answers_no_read() {
    let mut cluster = Cluster::started();
    let first = cluster.elected();
    cluster.cut.insert(first);
    let reply = cluster.read(first);
    assert_eq!(reply["answer"], "refused", "{reply}");
    assert!(reply["map"].is_null());
    assert_ne!(cluster.elected(), first);
}

#[test]
fn the_log_is_compacted_and_who_is_far_behind_gets_a_snapshot() {
    let mut cluster = Cluster::started();
    let leader = cluster.elected();
    let late = MEMBERS.into_iter().find(|id| *id != leader).expect("there are three");
    cluster.stop(late);
    for number in 0..500 {
        cluster.put(leader, &format!("k{}", number % 10), &number.to_string());
    }
    let holds =
        |c: &Cluster, id, index| c.workers[&id].database.contains_key(&("log".to_owned(), index));
    assert!(!holds(&cluster, leader, 300), "the log was compacted");
    let snapshots = cluster.worker(leader).database.keys().filter(|key| key.0 == "snapshot");
    assert_eq!(snapshots.count(), 1, "older ones are deleted");

    cluster.start(late);
    let is_level =
        |c: &Cluster| c.workers[&late].status()["map"] == c.workers[&leader].status()["map"];
    cluster.wait("the late one has all", is_level);
    assert!(cluster.worker(late).status()["snapshot"].as_u64() >= Some(400));
    assert!(!holds(&cluster, late, 300), "it never had that part of the log");
    let staged = cluster.worker(late).database.keys().find(|key| key.0 == "staged").cloned();
    assert_eq!(staged, None, "what is installed is staged no more");

    // A life that begins with a snapshot and a log after it.
    cluster.stop(late);
    cluster.start(late);
    cluster.wait("it has all again", is_level);
    cluster.elected();
    assert_eq!(cluster.read(late)["map"]["k9"], "499");
}

#[test]
fn nothing_is_said_before_it_is_durable() {
    let mut node = BrowserNode::new(1, &MEMBERS, 7, 1_000, "[]").expect("it founds a cluster");
    let (mut now, mut waiting) = (1_000, Vec::new());
    // The database takes its time: elections pass, and nobody hears of them.
    while now < 20_000 {
        for output in parsed(&node.tick(now)) {
            assert_ne!(output["kind"], "send", "{output}");
            waiting.extend((output["kind"] == "store").then(|| number(&output)));
        }
        now = node.deadline().clamp(now + 1, now + 1_000);
    }
    assert_eq!(waiting.len(), 1, "one write at a time");
    // The founding write is durable, then the hard state: now it may ask for votes.
    let mut heard = false;
    while let Some(number) = waiting.pop() {
        let outputs = parsed(&node.stored(now, number).expect("it is waited for"));
        heard |= outputs.iter().any(|output| output["kind"] == "send");
        let stores = outputs.iter().filter(|output| output["kind"] == "store");
        waiting.extend(stores.map(self::number));
    }
    assert!(heard, "what was withheld is sent when its write is durable");
}

#[test]
fn the_database_of_another_is_refused() {
    let mut cluster = Cluster::started();
    cluster.elected();
    let records = cluster.worker(1).records();
    let error = BrowserNode::new(2, &MEMBERS, 7, cluster.now, &records).expect_err("it is n1's");
    assert!(error.contains("belongs to n1") && error.contains("not to n2"), "{error}");
}

#[test]
fn a_log_with_a_gap_is_refused() {
    let mut cluster = Cluster::started();
    let leader = cluster.elected();
    for number in 0..5 {
        cluster.put(leader, "k", &number.to_string());
    }
    let worker = cluster.worker(leader);
    worker.database.remove(&("log".to_owned(), 3)).expect("there are more than three entries");
    let records = worker.records();
    let error = BrowserNode::new(leader, &MEMBERS, 7, cluster.now, &records);
    let error = error.expect_err("an entry is missing");
    assert!(error.contains("without a gap"), "{error}");
}

#[test]
fn what_is_not_from_its_connection_or_not_waited_for_changes_nothing() {
    let mut cluster = Cluster::started();
    let leader = cluster.elected();
    cluster.wait("a message is under way", |c| !c.network.is_empty());
    let (from, to, message) = cluster.network.pop_front().expect("it was waited for");
    let stranger = MEMBERS.into_iter().find(|id| *id != from).expect("there are three");
    let node = node_of(cluster.worker(to));
    let before = node.status();
    let said = node.receive(2_000_000, stranger, &message);
    assert!(said.contains("in the name of"), "{said}");
    assert!(node.receive(2_000_000, stranger, "hello").contains("no message"));
    assert_eq!(node.status(), before);

    let error = node_of(cluster.worker(leader)).stored(2_000_000, 999_999);
    assert!(error.expect_err("there is no such write").contains("999999"));
}
