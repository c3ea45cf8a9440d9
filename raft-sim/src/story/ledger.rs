//! What clients asked and were told, for checkers of histories outside: Knossos, Porcupine and the like.
//!
//! Invariants: a process has one operation at a time. An operation whose fate its client does not learn stays open: its
//! process does nothing more, and the client goes on as another one. What is answered after its client has given up is told
//! all the same, since it is true. A command of a session is one operation however often it is sent.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use raft_core::session::SessionRequest;
use raft_core::{Instant, NodeId, Outcome};
use serde::{Deserialize, Serialize};

use crate::history::OpId;
use crate::machine::Machine;
use crate::plan::{CommandBytes, Plan};
use crate::served::{Told, told};
use crate::timeline::{answer, command_words};
use crate::world::{Trace, TraceEvent};

/// The history of a run, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    lines: Vec<Line>,
    /// The places of the invocations without an answer.
    open: Vec<usize>,
}

/// An operation begins, or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Who does it: one thing at a time.
    pub process: u32,
    /// Names the operation.
    pub op: u64,
    /// Whether it begins, or how it ends.
    #[serde(rename = "type")]
    pub step: Step,
    /// What kind of operation it is, in the first word that the machine has for it.
    pub f: String,
    /// With what, in the machine's other words; when it is done, with what came of it.
    pub value: String,
    /// When, in microseconds of simulated time.
    pub time: u64,
    /// The client: it is a new process after each operation whose fate it did not learn.
    pub client: u32,
    /// The node that is asked, or answers.
    pub node: NodeId,
    /// What is asked, in hexadecimal.
    pub command: CommandBytes,
    /// What the machine answered, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<CommandBytes>,
    /// Why it failed, or is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a line says of its operation, as Jepsen calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It begins.
    Invoke,
    /// It took effect.
    Ok,
    /// It never took effect, and never will.
    Fail,
    /// Nobody knows.
    Info,
}

/// Keeps the ledger of a run.
pub struct Clerk<M> {
    ledger: Arc<Mutex<Ledger>>,
    has_sessions: bool,
    /// How many numbers of processes the clients of the plan take up.
    clients: u32,
    processes: BTreeMap<u32, Process>,
    /// The invocation that an operation belongs to.
    begun: BTreeMap<OpId, usize>,
    /// The bytes of the invocations that are commands of sessions: sent again, they are the same operation.
    repeatable: BTreeMap<usize, Bytes>,
    machine: PhantomData<fn() -> M>,
}

/// A client at present.
#[derive(Clone, Copy, Debug)]
struct Process {
    number: u32,
    /// Its invocation, until that is answered.
    doing: Option<usize>,
}

impl Ledger {
    /// The lines, as they were written.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What happened until then.
    #[must_use]
    pub fn until(&self, until: Instant) -> Self {
        let count = self.lines.partition_point(|line| line.time <= until.0);
        let lines = self.lines[..count].to_vec();
        let mut open: Vec<usize> = Vec::new();
        for (place, line) in lines.iter().enumerate() {
            match line.step {
                Step::Invoke => open.push(place),
                _ => open.retain(|place| lines[*place].process != line.process),
            }
        }
        Self { lines, open }
    }

    /// The history, with a JSON object on each line. What is open at the end is said to be, at the end.
    ///
    /// # Panics
    /// Never: a line consists of numbers and texts.
    pub fn to_json_lines(&self) -> String {
        let end = self.lines.last().map_or(0, |line| line.time);
        let open = self.open.iter().map(|place| Line {
            step: Step::Info,
            time: end,
            error: Some("its client was never told".to_owned()),
            ..self.lines[*place].clone()
        });
        let mut text = String::new();
        for line in self.lines.iter().cloned().chain(open) {
            text += &serde_json::to_string(&line).expect("a line holds nothing that JSON cannot");
            text.push('\n');
        }
        text
    }
}

impl<M> Clerk<M> {
    /// A clerk for a run of a plan, and the ledger that it keeps.
    pub fn new(plan: &Plan) -> (Self, Arc<Mutex<Ledger>>) {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let listed = plan.operations.iter().map(|timed| timed.client + 1).max().unwrap_or(0);
        let clerk = Self {
            ledger: Arc::clone(&ledger),
            has_sessions: plan.workload.sessions > 0,
            // One more asks each node when everything is healed.
            clients: plan.workload.clients + listed + 1,
            processes: BTreeMap::new(),
            begun: BTreeMap::new(),
            repeatable: BTreeMap::new(),
            machine: PhantomData,
        };
        (clerk, ledger)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The invocation that a client repeats, if it does.
    fn repeats(&self, client: u32, command: &Bytes) -> Option<usize> {
        let doing = self.processes.get(&client)?.doing?;
        (self.repeatable.get(&doing)? == command).then_some(doing)
    }

    /// The process that a client is when it begins something: a new one if its last operation is open.
    fn process(&mut self, client: u32) -> &mut Process {
        let process =
            self.processes.entry(client).or_insert(Process { number: client, doing: None });
        if process.doing.take().is_some() {
            process.number += self.clients;
        }
        process
    }
}

impl<M: Machine> Clerk<M> {
    fn invoked(&mut self, at: Instant, op: OpId, client: u32, node: NodeId, command: &Bytes) {
        if let Some(place) = self.repeats(client, command) {
            self.begun.insert(op, place);
            return;
        }
        let place = self.ledger().lines.len();
        let request = if self.has_sessions { SessionRequest::decode(command).ok() } else { None };
        let command = match request {
            None => command.clone(),
            Some(SessionRequest::Do { command: own, .. }) => {
                self.repeatable.insert(place, command.clone());
                own
            }
            // Nothing that the machine hears of.
            Some(SessionRequest::Open | SessionRequest::Close { .. }) => return,
        };
        let process = self.process(client);
        process.doing = Some(place);
        let process = process.number;
        self.begun.insert(op, place);
        let (f, value) = parts(&command_words::<M>(false, &command, None));
        let (op, time, command) = (op.0, at.0, CommandBytes(command));
        let step = Step::Invoke;
        let line = Line {
            process,
            op,
            step,
            f,
            value,
            time,
            client,
            node,
            command,
            output: None,
            error: None,
        };
        let mut ledger = self.ledger();
        ledger.lines.push(line);
        ledger.open.push(place);
    }

    fn answered(
        &mut self,
        at: Instant,
        op: OpId,
        node: NodeId,
        outcome: Outcome,
        output: Option<&Bytes>,
    ) {
        let Some(place) = self.begun.get(&op).copied() else { return };
        let invoked = {
            let ledger = self.ledger();
            if !ledger.open.contains(&place) {
                return;
            }
            ledger.lines[place].clone()
        };
        let is_repeatable = self.repeatable.contains_key(&place);
        let (step, output) = match outcome {
            Outcome::Done { .. } | Outcome::Readable { .. } if is_repeatable => {
                match output.map(told) {
                    Some(Told::Output(output)) => (Step::Ok, Some(output)),
                    // It may have taken effect before.
                    _ => return,
                }
            }
            Outcome::Done { .. } | Outcome::Readable { .. } => (Step::Ok, output.cloned()),
            Outcome::Refused { .. } | Outcome::Lost { .. } if !is_repeatable => (Step::Fail, None),
            _ => return,
        };
        let error = (step == Step::Fail).then(|| answer(outcome));
        let value = match &output {
            Some(output) => parts(&command_words::<M>(false, &invoked.command.0, Some(output))).1,
            None => invoked.value.clone(),
        };
        let output = output.map(CommandBytes);
        let process = self.processes.get_mut(&invoked.client);
        if let Some(process) = process.filter(|process| process.doing == Some(place)) {
            process.doing = None;
        }
        let mut ledger = self.ledger();
        ledger.open.retain(|open| *open != place);
        ledger.lines.push(Line { step, value, time: at.0, node, output, error, ..invoked });
    }
}

impl<M: Machine> Trace for Clerk<M> {
    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        match event {
            TraceEvent::Invoked { op, client, node, command, .. } => {
                self.invoked(at, op, client, node, command);
            }
            TraceEvent::Answered { op, node, outcome, output } => {
                self.answered(at, op, node, outcome, output);
            }
            _ => {}
        }
    }
}

/// The first word of a text, and the others.
fn parts(text: &str) -> (String, String) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    (first.to_owned(), rest.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kv::Kv;
    use crate::plan::Profile;
    use crate::verdict::Verdict;
    use crate::world::run_traced;

    fn kept(plan: &Plan) -> (Ledger, Verdict) {
        let (mut clerk, ledger) = Clerk::<Kv>::new(plan);
        let verdict = run_traced::<raft_core::Node, Kv, _>(plan, &mut clerk);
        let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (ledger, verdict)
    }

    /// Checks that a history is well formed, and counts how its operations end.
    fn count(text: &str) -> BTreeMap<String, u64> {
        let mut doing: BTreeMap<u32, Line> = BTreeMap::new();
        let (mut retired, mut counts) = (BTreeSet::new(), BTreeMap::new());
        let mut before = 0;
        for line in text.lines() {
            let line: Line = serde_json::from_str(line).expect("a line of a history");
            assert!(line.time >= before, "{line:?}");
            before = line.time;
            *counts.entry(format!("{:?}", line.step)).or_default() += 1;
            assert!(!retired.contains(&line.process), "{line:?}");
            match line.step {
                Step::Invoke => {
                    assert_eq!(line.output, None);
                    let other = doing.insert(line.process, line);
                    assert_eq!(other, None, "one operation at a time");
                }
                Step::Ok | Step::Fail | Step::Info => {
                    let invoked = doing.remove(&line.process).expect("it was invoked");
                    let named =
                        |line: &Line| (line.op, line.f.clone(), line.command.clone(), line.client);
                    assert_eq!(named(&invoked), named(&line));
                    assert_eq!(line.output.is_some(), line.step == Step::Ok);
                    assert_eq!(line.error.is_some(), line.step != Step::Ok);
                    if line.step == Step::Info {
                        retired.insert(line.process);
                    }
                }
            }
        }
        assert!(doing.is_empty(), "{doing:?}");
        counts
    }

    /// Goal: each operation has an invocation and one end, a process one operation at a time; and as many are done as the
    /// verdict says.
    #[test]
    fn histories_are_well_formed() {
        let mut sessions = 0;
        for seed in 0..50 {
            let plan = Plan::generate(seed, Profile::Default);
            let (ledger, verdict) = kept(&plan);
            let counts = count(&ledger.to_json_lines());
            let of = |step: &str| counts.get(step).copied().unwrap_or_default();
            assert_eq!(of("Invoke"), of("Ok") + of("Fail") + of("Info"), "seed {seed}");
            let done = verdict.statistics.operations_committed;
            if plan.workload.sessions == 0 {
                assert_eq!(of("Ok"), done, "seed {seed}");
            } else {
                assert!((1..=done).contains(&of("Ok")), "seed {seed}");
                sessions += 1;
            }
            let half = Instant(verdict.statistics.simulated / 2);
            count(&ledger.until(half).to_json_lines());
        }
        assert!(sessions > 3, "{sessions}");
    }

    /// Goal: the machine's words are taken apart, and the bytes can be read back.
    #[test]
    fn lines_say_what_was_asked() {
        let (ledger, _) = kept(&Plan::generate(1, Profile::Default));
        let done = ledger.lines().iter().filter(|line| line.step == Step::Ok);
        let puts: Vec<&Line> = done.filter(|line| line.f == "put").collect();
        assert!(!puts.is_empty());
        for Line { value, command, output, .. } in puts {
            assert!(value.starts_with('k') && value.ends_with(" -> ok"), "{value}");
            assert_eq!(command.0.first(), Some(&2));
            assert_eq!(output.as_ref().map(CommandBytes::to_hex).as_deref(), Some("6f6b"));
        }
    }
}
