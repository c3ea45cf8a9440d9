//! A bank under simulation: a state machine of your own, with something that must always hold of it.
//!
//! `cargo run --release --example bank` runs a campaign; `-- replay 17` shows one run of it; `-- --help`
//! lists the rest. `tests/bank.rs` puts the same machine through a campaign inside a `#[test]`.

use std::process::ExitCode;

use bytes::Bytes;
use raft_core::LogPosition;
use raft_sim::draw::Draw;
use raft_sim::machine::Machine;

/// How many accounts there are, and what each holds at first.
const ACCOUNTS: usize = 8;
const DEPOSIT: u64 = 100;

/// Accounts between which money moves. None is ever made or lost.
#[derive(Clone)]
pub(crate) struct Bank {
    balances: [u64; ACCOUNTS],
}

/// What a client can ask for.
enum Order {
    /// Move money, if there is enough.
    Transfer { from: usize, to: usize, amount: u64 },
    /// How much is there?
    Balance { account: usize },
}

impl Default for Bank {
    fn default() -> Self {
        Self { balances: [DEPOSIT; ACCOUNTS] }
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
            _ => None,
        }
    }
}

impl Bank {
    fn carry_out(&mut self, order: &Order) -> u64 {
        match *order {
            Order::Transfer { from, to, amount } => {
                let moved = if self.balances[from] >= amount { amount } else { 0 };
                self.balances[from] -= moved;
                self.balances[to] += moved;
                moved
            }
            Order::Balance { account } => self.balances[account],
        }
    }
}

impl Machine for Bank {
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

    fn command(draw: &mut Draw) -> Bytes {
        let mut account =
            || usize::try_from(draw.below(ACCOUNTS as u64)).expect("it is below eight");
        let (from, to) = (account(), account());
        match draw.below(4) {
            0 => Order::Balance { account: from },
            _ => Order::Transfer { from, to, amount: draw.between(1, 50) },
        }
        .encode()
    }

    fn describe(command: &Bytes, output: Option<&Bytes>) -> String {
        let asked = match Order::decode(command) {
            Some(Order::Transfer { from, to, amount }) => {
                format!("move {amount} from {from} to {to}")
            }
            Some(Order::Balance { account }) => format!("balance of {account}"),
            None => "not an order".to_owned(),
        };
        let answer = output.and_then(|output| output[..].try_into().ok()).map(u64::from_le_bytes);
        answer.map_or_else(|| asked.clone(), |answer| format!("{asked} -> {answer}"))
    }
}

fn main() -> ExitCode {
    raft_sim::command::main::<Bank>()
}
