//! A bank under simulation: a state machine of your own, with something that must always hold of it, situations that a
//! campaign should meet, and a fault of its own. `docs/SIMULATION.md` puts a mistake into it, and finds that.
//!
//! `cargo run --release --example bank` runs a campaign; `-- replay 17` shows one run of it; `-- --help`
//! lists the rest. `tests/bank.rs` puts the same machine through a campaign inside a `#[test]`.

use std::fmt;
use std::process::ExitCode;

use bytes::Bytes;
use raft_core::LogPosition;
use raft_sim::draw::Draw;
use raft_sim::machine::{Machine, Mark};

/// How many accounts there are, and what each holds at first.
const ACCOUNTS: usize = 8;
const DEPOSIT: u64 = 100;

/// Accounts between which money moves. None is ever made or lost.
#[derive(Clone)]
pub(crate) struct Bank {
    balances: [u64; ACCOUNTS],
    /// The richest account, if somebody has asked since money moved. It follows from the balances, so it is in no snapshot
    /// and no digest.
    richest: Option<usize>,
    /// A bit for each of the marks that were met.
    marks: u64,
}

/// The marks, in the order of their bits.
const REFUSED: u64 = 0;
const EMPTIED: u64 = 1;
const TO_ITSELF: u64 = 2;

/// What a client can ask for.
enum Order {
    /// Move money, if there is enough.
    Transfer { from: usize, to: usize, amount: u64 },
    /// How much is there?
    Balance { account: usize },
    /// Which account holds most? The first of several.
    Richest,
}

impl Default for Bank {
    fn default() -> Self {
        Self { balances: [DEPOSIT; ACCOUNTS], richest: None, marks: 0 }
    }
}

impl Order {
    /// Commands are four bytes: what, from (or whose), to, how much.
    fn encode(&self) -> Bytes {
        let byte = |number: usize| u8::try_from(number).expect("there are fewer than 256 accounts");
        match *self {
            Self::Transfer { from, to, amount } => {
                let amount = u8::try_from(amount).expect("clients move less than 256");
                Bytes::copy_from_slice(&[b'T', byte(from), byte(to), amount])
            }
            Self::Balance { account } => Bytes::copy_from_slice(&[b'B', byte(account), 0, 0]),
            Self::Richest => Bytes::from_static(&[b'R', 0, 0, 0]),
        }
    }

    fn decode(command: &[u8]) -> Option<Self> {
        let account = |byte: u8| Some(usize::from(byte)).filter(|number| *number < ACCOUNTS);
        match *command {
            [b'T', from, to, amount] => Some(Self::Transfer {
                from: account(from)?,
                to: account(to)?,
                amount: u64::from(amount),
            }),
            [b'B', number, 0, 0] => Some(Self::Balance { account: account(number)? }),
            [b'R', 0, 0, 0] => Some(Self::Richest),
            _ => None,
        }
    }

    /// The order that a text of a scenario stands for.
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        match *words.as_slice() {
            ["move", amount, "from", from, "to", to] => Some(Self::Transfer {
                from: from.parse().ok()?,
                to: to.parse().ok()?,
                amount: amount.parse().ok()?,
            }),
            ["balance", "of", account] => Some(Self::Balance { account: account.parse().ok()? }),
            ["richest"] => Some(Self::Richest),
            _ => None,
        }
        .filter(Self::is_possible)
    }

    fn is_possible(&self) -> bool {
        match *self {
            Self::Transfer { from, to, amount } => {
                from < ACCOUNTS && to < ACCOUNTS && u8::try_from(amount).is_ok()
            }
            Self::Balance { account } => account < ACCOUNTS,
            Self::Richest => true,
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transfer { from, to, amount } => write!(f, "move {amount} from {from} to {to}"),
            Self::Balance { account } => write!(f, "balance of {account}"),
            Self::Richest => f.write_str("richest"),
        }
    }
}

impl Bank {
    fn carry_out(&mut self, order: &Order) -> u64 {
        match *order {
            Order::Transfer { from, to, amount } => self.transfer(from, to, amount),
            Order::Balance { account } => self.balances[account],
            Order::Richest => {
                let richest = self.richest.unwrap_or_else(|| self.find_richest());
                self.richest = Some(richest);
                richest as u64
            }
        }
    }

    fn transfer(&mut self, from: usize, to: usize, amount: u64) -> u64 {
        let moved = if self.balances[from] >= amount { amount } else { 0 };
        self.balances[from] -= moved;
        self.balances[to] += moved;
        self.richest = None;
        self.meet(REFUSED, moved < amount);
        self.meet(EMPTIED, self.balances[from] == 0);
        self.meet(TO_ITSELF, from == to);
        moved
    }

    fn find_richest(&self) -> usize {
        let most = self.balances.iter().max();
        self.balances.iter().position(|balance| Some(balance) == most).unwrap_or(0)
    }

    fn meet(&mut self, mark: u64, met: bool) {
        self.marks |= u64::from(met) << mark;
    }
}

impl Machine for Bank {
    const MARKS: &'static [Mark] = &[
        Mark { name: "transfer-refused", minimum_per_million: 200_000 },
        Mark { name: "account-emptied", minimum_per_million: 80_000 },
        Mark { name: "transfer-to-itself", minimum_per_million: 230_000 },
    ];

    /// What the bank remembers is lost, as when a process drops its caches.
    const FAULTS: &'static [&'static str] = &["forget"];

    fn apply(&mut self, _position: LogPosition, command: &Bytes) -> Bytes {
        match Order::decode(command) {
            Some(order) => Bytes::copy_from_slice(&self.carry_out(&order).to_le_bytes()),
            None => Bytes::from_static(b"not an order"),
        }
    }

    fn digest(&self) -> u64 {
        // FNV-1a over the balances; with so few there is nothing to keep up to date.
        self.balances.iter().fold(0xcbf2_9ce4_8422_2325, |digest, balance| {
            (digest ^ balance).wrapping_mul(0x0100_0000_01b3)
        })
    }

    fn snapshot(&self) -> Bytes {
        self.balances.iter().flat_map(|balance| balance.to_le_bytes()).collect()
    }

    fn restore(snapshot: &Bytes) -> Result<Self, String> {
        if snapshot.len() != ACCOUNTS * 8 {
            return Err(format!(
                "{ACCOUNTS} balances are {} bytes, not {}",
                ACCOUNTS * 8,
                snapshot.len()
            ));
        }
        let mut bank = Self::default();
        for (balance, bytes) in bank.balances.iter_mut().zip(snapshot.chunks_exact(8)) {
            *balance = u64::from_le_bytes(bytes.try_into().expect("the chunks are of eight bytes"));
        }
        Ok(bank)
    }

    fn invariant(&self) -> Result<(), String> {
        let (total, expected) = (self.balances.iter().sum::<u64>(), DEPOSIT * ACCOUNTS as u64);
        if total == expected {
            return Ok(());
        }
        Err(format!(
            "the accounts hold {total} together; money was made or lost, as they began with {expected}"
        ))
    }

    fn marks(&self) -> u64 {
        self.marks
    }

    fn suffer(&mut self, _forget: &str, _draw: &mut Draw) {
        self.richest = None;
    }

    fn query(&self, command: &Bytes) -> Option<Bytes> {
        match Order::decode(command)? {
            Order::Balance { account } => {
                Some(Bytes::copy_from_slice(&self.balances[account].to_le_bytes()))
            }
            // The second is remembered, so it changes something.
            Order::Transfer { .. } | Order::Richest => None,
        }
    }

    fn command(draw: &mut Draw) -> Bytes {
        let mut account =
            || usize::try_from(draw.below(ACCOUNTS as u64)).expect("it is below eight");
        let (from, to) = (account(), account());
        match draw.below(6) {
            0 => Order::Balance { account: from },
            1 => Order::Richest,
            _ => Order::Transfer { from, to, amount: draw.between(1, 50) },
        }
        .encode()
    }

    fn parse_command(text: &str) -> Option<Bytes> {
        Order::parse(text).map(|order| order.encode())
    }

    fn command_text(command: &Bytes) -> Option<String> {
        Order::decode(command).map(|order| order.to_string())
    }

    fn describe(command: &Bytes, output: Option<&Bytes>) -> String {
        let asked = Order::decode(command)
            .map_or_else(|| "not an order".to_owned(), |order| order.to_string());
        let answer = output.and_then(|output| output[..].try_into().ok()).map(u64::from_le_bytes);
        answer.map_or_else(|| asked.clone(), |answer| format!("{asked} -> {answer}"))
    }
}

fn main() -> ExitCode {
    raft_sim::command::main::<Bank>()
}
