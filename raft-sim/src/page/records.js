// ---- Records ---------------------------------------------------------------------------------------------------
// One pass over the events keeps, for each thing that changes, when it changed and to what. What it was at any moment
// is then a binary search away, so that a step back costs what a step forward costs, however long the run is.

/** The values of one thing over time. */
class Record {
  events = [];
  values = [];

  add(event, value) {
    this.events.push(event);
    this.values.push(value);
  }

  /** The place of the last value at or before an event; -1 if there is none. */
  place(event) {
    return upperBound(this.events, event) - 1;
  }

  at(event) {
    return this.values[this.place(event)];
  }
}

/** How many of a rising list are at most `limit`. */
function upperBound(list, limit) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

const ROLES = ["follower", "pre-candidate", "candidate", "leader"];

const records = {
  nodes: new Map(run.nodes.map((id) => [id, {
    states: new Record(), members: new Record(), peers: new Record(), logs: new Record(), disk: new Record(),
    standing: new Record(), rail: new Record(), starts: [], write: null,
  }])),
  messages: new Map(),
  /** How messages ended: `{message, from, to, how}`, where `from` and `to` are events. */
  arrows: [],
  /** Writes: `{node, submitted, durable, ends}`, by events. */
  writes: [],
  operations: new Map(),
  cuts: new Map(),
  faults: [],
  phases: new Record(),
  /** What an entry does, by index and term, of those that some node had in memory when it was told. */
  texts: new Map(),
  /** By term: who voted for whom, and who was elected. */
  terms: new Map(),
  /** What is worth a label in the lanes, by event: `{tone, label}`. */
  notes: new Map(),
  interesting: [],
  violation: -1,
};

/** Whether a message is a sign of life, or says what is committed. */
const isFaint = (message) => message.name.startsWith("Heartbeat") || message.name === "Commit";

/** Whether an event is about such, of which there are many. */
function isHeartbeat(e) {
  const number = run.kind(e) === "sent" ? run.detail(e)[0] : messageOf(e);
  const message = number === undefined ? undefined : records.messages.get(number);
  return message !== undefined && isFaint(message);
}

/** The number of the message that an event is about. */
function messageOf(e) {
  const kind = run.kind(e);
  const isAbout = kind === "sent" || kind === "delivered" || kind === "lost" || kind === "duplicated" || kind === "malformed";
  return isAbout ? run.detail(e)[0] : undefined;
}

function readState([role, term, vote, leader, durable, commit, applied, last, lastTerm]) {
  return { role, term, vote, leader, durable, commit, applied, last, lastTerm };
}

function note(e, tone, label, isInteresting) {
  records.notes.set(e, { tone, label });
  if (isInteresting) records.interesting.push(e);
}

/** What a change of state says in the lanes, the greatest news first. */
function noteChange(e, before, after) {
  if (after.role === 3 && before.role !== 3) note(e, "leader", `L T${after.term}`, true);
  else if (after.commit > before.commit) note(e, "commit", `✓${after.commit}`, after.role === 3);
  else if (after.role === 2 && before.role !== 2) note(e, "candidate", `C T${after.term}`, true);
  else if (after.vote > 0 && (after.vote !== before.vote || after.term !== before.term)) {
    note(e, "vote", `→n${after.vote}`, false);
  } else if (after.term !== before.term) note(e, "term", `T${after.term}`, false);
  else if (after.role !== before.role) note(e, "term", after.role === 1 ? "pre" : "fol", false);
}

function term(number) {
  if (!records.terms.has(number)) records.terms.set(number, { votes: [], elected: [] });
  return records.terms.get(number);
}

function takeVote(e, id, before, after) {
  const isNew = after.vote > 0 && (!before || before.vote !== after.vote || before.term !== after.term);
  if (!isNew) return;
  const { votes } = term(after.term);
  // Started again, a node tells once more whom it has voted for.
  const earlier = votes.findLast((vote) => vote.node === id);
  if (earlier && earlier.for === after.vote) return;
  votes.push({ event: e, node: id, for: after.vote, last: after.last, lastTerm: after.lastTerm });
}

function takeState(e, id, after) {
  const record = records.nodes.get(id);
  const before = record.states.values.at(-1);
  takeVote(e, id, before, after);
  record.states.add(e, after);
  takeRail(e, record);
  return before;
}

/** The part of a node's lane that is drawn: it changes with the role, the term, and whether the node runs. */
function takeRail(e, record) {
  const standing = record.standing.values.at(-1) || "up";
  const { role, term: number } = record.states.values.at(-1) || { role: 0, term: 0 };
  const last = record.rail.values.at(-1);
  if (!last || last.standing !== standing || last.role !== role || last.term !== number) {
    record.rail.add(e, { standing, role, term: number });
  }
}

function stand(e, id, standing) {
  const record = records.nodes.get(id);
  record.standing.add(e, standing);
  takeRail(e, record);
}

function endWrite(e, record) {
  if (record.write) record.write.ends = e;
  record.write = null;
}

/** What each kind of event about one node adds; `d` is its detail. */
const TAKE_NODE = {
  started(e, id, d, record) {
    endWrite(e, record);
    record.starts.push(e);
    record.logs.add(e, { base: 0, first: 1, entries: [], event: e });
    record.disk.add(e, { last: d[7], until: e });
    stand(e, id, "up");
    takeState(e, id, readState(d));
    note(e, "start", "▲", e > run.nodes.length * 4);
  },
  "start-refused"(e, id) { stand(e, id, "refused"); note(e, "crash", "✕", true); },
  changed(e, id, d, record) {
    const after = readState(d);
    const before = takeState(e, id, after) || after;
    noteChange(e, before, after);
  },
  log(e, id, [base, first, entries], record) {
    const before = record.logs.values.at(-1);
    const isStart = before && before.entries.length === 0 && before.event === record.disk.values.at(-1)?.until;
    // What a node starts with is what its disk holds.
    if (isStart) record.disk.values.at(-1).until = e;
    const last = before ? before.first + before.entries.length / 2 - 1 : 0;
    if (before && first <= last) note(e, "truncated", `✂${first}`, true);
    record.logs.add(e, { base, first, entries, event: e });
    for (let place = 0; place < entries.length; place += 2) {
      const text = run.strings[entries[place + 1]];
      if (text) records.texts.set(`${first + place / 2}@${entries[place]}`, text);
    }
  },
  members(e, id, [voters, outgoing, learners], record) { record.members.add(e, { voters, outgoing, learners }); },
  peers(e, id, peers, record) { record.peers.add(e, peers); },
  submitted(e, id, d, record) {
    record.write = { node: id, submitted: e, durable: -1, ends: -1 };
    records.writes.push(record.write);
  },
  durable(e, id, [last], record) {
    if (record.write) record.write.durable = e;
    record.disk.add(e, { last, until: record.write ? record.write.submitted : e });
  },
  receipt(e, id, d, record) { endWrite(e, record); },
  crashed(e, id, [last], record) {
    endWrite(e, record);
    record.disk.add(e, { last, until: e });
    stand(e, id, "down");
    note(e, "crash", "✕", true);
  },
  paused(e, id) { stand(e, id, "paused"); note(e, "crash", "‖", true); },
  resumed(e, id) { stand(e, id, "up"); note(e, "start", "▲", true); },
  elected(e, id, [number]) {
    term(number).elected.push({ event: e, node: id });
    note(e, "leader", `★ T${number}`, true);
  },
};

function endMessage(e, how) {
  const message = records.messages.get(run.detail(e)[0]);
  if (!message) return;
  const isCopy = message.ends > 0;
  message.ends += 1;
  records.arrows.push({ message, from: message.sent, to: e, how: isCopy && how === "delivered" ? "copy" : how });
}

function cut(e, [from, to], isCut) {
  const link = `${from}>${to}`;
  if (!records.cuts.has(link)) records.cuts.set(link, new Record());
  records.cuts.get(link).add(e, isCut);
  const previous = records.interesting.at(-1);
  // One cut is many links: its first is enough to stop at.
  if (previous !== e - 1) records.interesting.push(e);
  else records.interesting[records.interesting.length - 1] = e;
}

/** What each kind of event that is of no single node adds. */
const TAKE_OTHER = {
  sent(e, [number, to, name, messageTerm]) {
    records.messages.set(number, { number, from: run.node[e], to, name: run.strings[name], term: messageTerm, sent: e, ends: 0 });
  },
  delivered(e) { endMessage(e, "delivered"); },
  lost(e) { endMessage(e, "lost"); },
  malformed(e) { endMessage(e, "malformed"); },
  "link-cut"(e, d) { cut(e, d, true); },
  "link-mended"(e, d) { cut(e, d, false); },
  "fault-began"(e, [number, nodes]) { records.faults.push({ number, nodes, began: e, ended: -1 }); },
  "fault-ended"(e, [number]) {
    const fault = records.faults.findLast((one) => one.number === number && one.ended < 0);
    if (fault) fault.ended = e;
  },
  phase(e) { records.phases.add(e, run.text(e)); records.interesting.push(e); },
  invoked(e, [op, client]) {
    records.operations.set(op, { op, client, node: run.node[e], called: e, ends: -1, fate: "open" });
  },
  answered(e, [op, done]) { endOperation(e, op, done ? "done" : "refused"); },
  "gave-up"(e, [op]) { endOperation(e, op, "given up"); },
  violated(e) { records.violation = e; records.interesting.push(e); },
};

function endOperation(e, op, fate) {
  const operation = records.operations.get(op);
  if (!operation || operation.ends >= 0) return;
  operation.ends = e;
  operation.fate = fate;
}

function takeEvents() {
  for (let e = 0; e < run.count; e += 1) {
    const kind = run.kind(e);
    const record = records.nodes.get(run.node[e]);
    if (TAKE_NODE[kind] && record) TAKE_NODE[kind](e, run.node[e], run.detail(e), record);
    else if (TAKE_OTHER[kind]) TAKE_OTHER[kind](e, run.detail(e));
  }
  for (const message of records.messages.values()) {
    if (message.ends === 0) records.arrows.push({ message, from: message.sent, to: run.count, how: "under way" });
  }
  // A run that panicked or was given up ends without a word of its own.
  if (run.violation && records.violation < 0) records.violation = run.count - 1;
}

takeEvents();
