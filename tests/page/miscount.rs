//! A machine that breaks its own promise, for the test of the page: `tests/page/test_page.py` needs a run that violates
//! something, with texts that would harm a page if they could.

use std::process::ExitCode;

use bytes::Bytes;
use raft_core::LogPosition;
use raft_sim::draw::Draw;
use raft_sim::machine::Machine;

/// It promises not to count further than this.
const LIMIT: u64 = 120;

/// Counts its commands.
#[derive(Clone, Default)]
struct Miscount {
    count: u64,
}

impl Machine for Miscount {
    fn apply(&mut self, _position: LogPosition, _command: &Bytes) -> Bytes {
        self.count += 1;
        Bytes::copy_from_slice(&self.count.to_le_bytes())
    }

    fn digest(&self) -> u64 {
        self.count
    }

    fn snapshot(&self) -> Bytes {
        Bytes::copy_from_slice(&self.count.to_le_bytes())
    }

    fn restore(snapshot: &Bytes) -> Result<Self, String> {
        let bytes = snapshot[..].try_into().map_err(|_| "it is not eight bytes".to_owned())?;
        Ok(Self { count: u64::from_le_bytes(bytes) })
    }

    fn invariant(&self) -> Result<(), String> {
        if self.count > LIMIT {
            return Err(format!("</script><b id=\"hurt\">the count is {}</b>", self.count));
        }
        Ok(())
    }

    fn command(draw: &mut Draw) -> Bytes {
        Bytes::copy_from_slice(&draw.bits().to_le_bytes())
    }

    fn describe(command: &Bytes, _output: Option<&Bytes>) -> String {
        let number = command.first().copied().unwrap_or_default();
        format!(
            "</script><img id=hurt src=x onerror=alert(1)><!--<script>\u{0}\u{1}\u{2028}'\"&lt; {number}"
        )
    }
}

fn main() -> ExitCode {
    raft_sim::command::main::<Miscount>()
}
