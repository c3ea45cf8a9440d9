// ---- Filter ----------------------------------------------------------------------------------------------------
// Which events have a row. The violation always has one.

const GROUPS = [
  { id: "state", label: "State", title: "Starts, terms, roles, votes, logs, memberships, commits" },
  { id: "messages", label: "Messages", title: "All messages but signs of life" },
  { id: "heartbeats", label: "Heartbeats", title: "Signs of life from leaders, their answers, what is committed, and timers" },
  { id: "peers", label: "Peers", title: "What leaders know of their peers" },
  { id: "disk", label: "Disk", title: "Writes: handed over, durable, acknowledged" },
  { id: "machine", label: "Machine", title: "Entries applied, snapshots, what drivers do" },
  { id: "clients", label: "Clients", title: "What clients ask and are answered" },
  { id: "faults", label: "Faults", title: "Crashes, pauses, cuts, faults, phases, the operator" },
];

const GROUP_OF_KIND = {
  started: "state", changed: "state", log: "state", members: "state", elected: "state", said: "state",
  sent: "messages", duplicated: "messages", lost: "messages", delivered: "messages", malformed: "messages",
  due: "heartbeats", peers: "peers",
  submitted: "disk", durable: "disk", receipt: "disk",
  applied: "machine", reported: "machine", driver: "machine",
  invoked: "clients", answered: "clients", "gave-up": "clients",
  violated: "violation",
};

function groupOf(e) {
  if (isHeartbeat(e)) return "heartbeats";
  return GROUP_OF_KIND[run.kind(e)] || "faults";
}

const groups = Array.from({ length: run.count }, (_, e) => groupOf(e));

const filter = {
  /** Groups that have no rows. */
  hidden: new Set(),
  /** Nodes that have rows; all, if it is empty. */
  nodes: new Set(),
  /** The events that have rows. */
  shown: new Int32Array(0),
  listeners: [],
};

/** The nodes that an event concerns; none for what concerns all. */
function nodesOf(e) {
  const d = run.detail(e);
  const kind = run.kind(e);
  if (kind === "link-cut" || kind === "link-mended") return d;
  const message = records.messages.get(messageOf(e));
  if (message) return [message.from, message.to];
  return run.node[e] > 0 ? [run.node[e]] : [];
}

function passes(e) {
  if (groups[e] === "violation" || e === records.violation) return true;
  if (filter.hidden.has(groups[e])) return false;
  if (filter.nodes.size === 0) return true;
  const nodes = nodesOf(e);
  return nodes.length === 0 || nodes.some((id) => filter.nodes.has(id));
}

function refilter() {
  filter.shown = Int32Array.from(Array.from({ length: run.count }, (_, e) => e).filter(passes));
  for (const listener of filter.listeners) listener();
}

/** The row of an event, or of the first event after it that has one. */
function rowOf(e) {
  return upperBound(filter.shown, e - 1);
}

function isShown(e) {
  return filter.shown[rowOf(e)] === e;
}

/** Where much is said only to be alive, it is hidden at first. */
function hideChatter() {
  const count = (group) => groups.filter((one) => one === group).length;
  // Of these properties they are what it is about.
  const matter = run.violation && /read|lease|commit-known|stale|liveness|progress/.test(run.violation.property);
  if (!matter && count("heartbeats") > run.count / 10) filter.hidden.add("heartbeats");
  if (count("peers") > run.count / 20) filter.hidden.add("peers");
}

function toggle(set, value) {
  if (!set.delete(value)) set.add(value);
  refilter();
}

function filterChip(label, title, isOn, act) {
  return element("button", { type: "button", class: "chip", title, "aria-pressed": String(isOn), click: act }, label);
}

function showFilter() {
  const focused = document.activeElement?.dataset?.chip;
  const chip = (name, ...rest) => {
    const made = filterChip(...rest);
    made.dataset.chip = name;
    return made;
  };
  fill(byId("filter-nodes"), run.nodes.map((id) => chip(`node ${id}`, nodeName(id), `Only what concerns ${nodeName(id)}`,
    filter.nodes.has(id), () => toggle(filter.nodes, id))));
  fill(byId("filter-kinds"), GROUPS.map(({ id, label, title }) => chip(id, label, title,
    !filter.hidden.has(id), () => toggle(filter.hidden, id))));
  if (focused) document.querySelector(`[data-chip="${focused}"]`)?.focus();
}

filter.listeners.push(showFilter);
