//! Clients: each does one operation after the other, on keys that it shares with all the others.
//!
//! A key is used for a while only, then others are in its place: so the operations on each are few enough to find
//! their order. Values are written once, so that a read tells which write it saw. Some clients are patient, others
//! give up soon, and do not know then what became of what they asked; some ask one node alone, as long as it does not
//! send them to another one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kv::client::{Client, Options};
use kv::protocol::Freshness;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::cluster::Cluster;
use super::dice::Dice;
use super::model::{Operation, Told, Verb};
use super::recorder::Recorder;

/// So many clients.
const CLIENTS: u32 = 8;
/// So many keys are in use at a time.
const SLOTS: usize = 3;
const KEYS: u64 = SLOTS as u64;
/// Each of them for so many operations.
const OPERATIONS: u64 = 200;
/// The key that is written once begins with this.
pub(crate) const ONCE: &str = "once-";
/// How long an operation waits at most, at patient clients and at others.
const PATIENCE: [Duration; 2] = [Duration::from_secs(3), Duration::from_millis(100)];
/// The longest time between two operations of a client, as a rule.
pub(crate) const PAUSE: Duration = Duration::from_millis(12);

/// What clients have in common.
#[derive(Debug)]
struct Shared {
    recorder: Arc<Recorder>,
    is_over: AtomicBool,
    operations: AtomicU64,
    pause: Duration,
    /// The value that was last seen or written of each key in use, as far as anybody here knows.
    seen: Mutex<[(u64, Option<Bytes>); SLOTS]>,
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Workload {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

impl Workload {
    /// Starts clients, which pause between operations.
    pub(crate) fn start(
        cluster: &Cluster,
        recorder: &Arc<Recorder>,
        seed: u64,
        pause: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            recorder: recorder.clone(),
            is_over: AtomicBool::new(false),
            operations: AtomicU64::new(0),
            pause,
            seen: Mutex::default(),
        });
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let nth = usize::try_from(number).expect("few");
            let mut options = cluster.client_options(PATIENCE[nth % PATIENCE.len()]);
            let first = nth % options.servers.len();
            options.servers.rotate_left(first);
            if nth % 4 == 3 {
                options.servers.truncate(1);
            }
            let dice = Dice::new(seed, 1 + u64::from(number));
            let worker = Worker { number, dice, shared: shared.clone(), options, written: 0 };
            clients.spawn(worker.work());
        }
        Self { shared, clients }
    }

    /// Waits until every client has an answer to what it asked last.
    ///
    /// # Panics
    /// When a client panicked.
    pub(crate) async fn stop(mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("clients do not panic");
        }
    }
}

struct Worker {
    number: u32,
    dice: Dice,
    shared: Arc<Shared>,
    options: Options,
    written: u64,
}

impl Worker {
    async fn work(mut self) {
        let mut client = Client::new(self.options.clone());
        while !self.shared.is_over.load(Ordering::Relaxed) {
            if self.dice.chance(15) {
                self.write_once(&mut client).await;
            } else {
                self.operate(&mut client).await;
            }
            if self.dice.chance(2) {
                // Somebody else, or the same after a restart: another connection, and another session.
                client = Client::new(self.options.clone());
            }
            sleep(self.dice.time(Duration::ZERO, self.shared.pause)).await;
        }
    }

    /// A value that nobody else writes, long now and then.
    fn value(&mut self) -> Bytes {
        self.written += 1;
        let mut value = format!("c{}-{}", self.number, self.written);
        if self.dice.chance(5) {
            let length = value.len() + self.dice.place(3_000);
            value = format!("{value:-<length$}");
        }
        value.into()
    }

    async fn write_once(&mut self, client: &mut Client) {
        let value = self.value();
        let key = Bytes::from(format!("{ONCE}{}-{}", self.number, self.written));
        let told = client.put(key.clone(), value.clone()).await;
        self.shared.recorder.told_once(key, value, told);
    }

    async fn operate(&mut self, client: &mut Client) {
        let key = self.shared.key(&mut self.dice);
        let verb = self.verb(key);
        let operation = Operation { key, verb: verb.clone() };
        let id = self.shared.recorder.asked(self.number, &operation);
        let name = Operation::name(key);
        let told = match verb.clone() {
            Verb::Get => client.get(name, Freshness::Linearizable).await.map(Told::Holds),
            Verb::Put(value) => client.put(name, value).await.map(|()| Told::Done),
            Verb::Delete => client.delete(name).await.map(|()| Told::Done),
            Verb::CompareAndSet { expected, value } => {
                let set = client.compare_and_set(name, expected, value).await;
                set.map(|set| set.map_or_else(Told::Differs, |()| Told::Done))
            }
        };
        if let Ok(told) = &told {
            self.shared.saw(key, &verb, told);
        }
        self.shared.recorder.told(id, &verb, told);
    }

    fn verb(&mut self, key: u64) -> Verb {
        match self.dice.below(100) {
            0..40 => Verb::Get,
            40..65 => Verb::Put(self.value()),
            65..92 => Verb::CompareAndSet {
                expected: self.shared.expected(key),
                value: if self.dice.chance(90) { Some(self.value()) } else { None },
            },
            _ => Verb::Delete,
        }
    }
}

impl Shared {
    /// A key that is in use now.
    fn key(&self, dice: &mut Dice) -> u64 {
        let operations = self.operations.fetch_add(1, Ordering::Relaxed);
        let generation = operations / (KEYS * OPERATIONS);
        generation * KEYS + dice.below(KEYS)
    }

    fn slot(key: u64) -> usize {
        usize::try_from(key % KEYS).expect("few keys")
    }

    /// What a key holds, at a guess.
    fn expected(&self, key: u64) -> Option<Bytes> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, value) = &seen[Self::slot(key)];
        value.clone().filter(|_| *of == key)
    }

    fn saw(&self, key: u64, verb: &Verb, told: &Told) {
        let value = match (verb, told) {
            (_, Told::Holds(value) | Told::Differs(value))
            | (Verb::CompareAndSet { value, .. }, _) => value.clone(),
            (Verb::Put(value), _) => Some(value.clone()),
            (Verb::Delete | Verb::Get, _) => None,
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)[Self::slot(key)] = (key, value);
    }
}
