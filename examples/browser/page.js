// The page: starts and stops the workers, is the network between them, and shows what they say.

const MEMBERS = [1, 2, 3];
const MOST_LOG_LINES = 200;
const SEED = crypto.getRandomValues(new Uint32Array(1))[0];

const find = (selector, within = document) => within.querySelector(selector);
const nodes = new Map(MEMBERS.map((id) => [id, { id, card: card(id), worker: null, state: "stopped", status: null, answer: "" }]));
const callers = new Map(); // requests that are not answered: { node, done } by id
let lastRequest = 0;

function start(node) {
  const worker = new Worker("worker.js", { type: "module" });
  Object.assign(node, { worker, state: "starting", status: null });
  worker.onmessage = ({ data }) => { if (node.worker === worker) take(node, data); };
  worker.onerror = (event) => { if (node.worker === worker) stop(node, "failed", event.message || "its program cannot be loaded"); };
  worker.postMessage({ kind: "start", id: node.id, members: MEMBERS, seed: SEED });
  show(node);
}

// Whatever the worker was doing is gone, but for what its database has completed.
function stop(node, state, why) {
  node.worker.terminate();
  Object.assign(node, { worker: null, state, status: null });
  log(node, `${state}: ${why}`);
  for (const [id, caller] of callers) {
    if (caller.node === node) answer(id, { answer: "unknown", text: "the node was stopped" });
  }
  show(node);
}

function take(node, said) {
  if (said.kind === "send") deliver(node, said);
  else if (said.kind === "reply") answer(said.id, said);
  else if (said.kind === "event") log(node, said.text);
  else if (said.kind === "failed") stop(node, "failed", said.text);
  else if (said.kind === "status") {
    Object.assign(node, { state: said.status.role, status: said.status });
    show(node);
  }
}

// The network. It knows who speaks: a worker cannot speak as another.
function deliver(from, { to, message }) {
  const target = nodes.get(to);
  if (!target?.worker || isCut(from) || isCut(target)) return;
  target.worker.postMessage({ kind: "message", from: from.id, message });
}

const isCut = (node) => find(".cut", node.card).checked;

// Every request has one answer, also when its node is stopped.
function request(node, words) {
  return new Promise((done) => {
    if (!node.status) return done({ answer: "refused", text: `the node is ${node.state}` });
    lastRequest += 1;
    callers.set(lastRequest, { node, done });
    node.worker.postMessage({ ...words, id: lastRequest });
  });
}

function answer(id, reply) {
  callers.get(id)?.done(reply);
  callers.delete(id);
}

async function put(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const [key, value] = [form.get("key"), form.get("value")];
  find("#answer").textContent = `${key} = ${value}: …`;
  const reply = await request(nodes.get(Number(form.get("node"))), { kind: "put", key, value });
  find("#answer").textContent = `${key} = ${value}: ${reply.answer}, ${reply.text}`;
}

function readEverywhere() {
  for (const node of nodes.values()) {
    node.answer = "…";
    show(node);
    request(node, { kind: "read" }).then((reply) => {
      node.answer = reply.map ? words(reply.map) : `${reply.answer}: ${reply.text}`;
      show(node);
    });
  }
}

// Of two that think they lead, the one of the later term does.
function stopLeader() {
  const leaders = [...nodes.values()].filter((node) => node.state === "leader");
  const [leader] = leaders.sort((a, b) => b.status.term - a.status.term);
  if (leader) stop(leader, "stopped", "its worker was terminated");
}

// ----- what is seen -----

const words = (map) => Object.entries(map).map(([key, value]) => `${key} = ${value}`).join("\n") || "nothing";

function card(id) {
  const made = find("#node").content.cloneNode(true).firstElementChild;
  made.id = `n${id}`;
  find("h2", made).textContent = `n${id}`;
  find(".power", made).onclick = () => {
    const node = nodes.get(id);
    if (node.worker) stop(node, "stopped", "its worker was terminated");
    else start(node);
  };
  find(".cut", made).onchange = ({ target }) => {
    log(nodes.get(id), target.checked ? "cut off" : "connected again");
    show(nodes.get(id));
  };
  find("#nodes").append(made);
  find("#put select").append(new Option(`n${id}`, id));
  return made;
}

function show({ id, card, worker, state, status, answer }) {
  const set = (selector, text) => { find(selector, card).textContent = text; };
  card.className = `node ${state} ${find(".cut", card).checked ? "apart" : ""}`;
  set(".role", state);
  set(".term", status?.term ?? "–");
  set(".of", !status ? "–" : !status.leader ? "none known" : status.leader === id ? "itself" : `n${status.leader}`);
  set(".log", status ? `to ${status.last}, committed ${status.commit}, snapshot ${status.snapshot}` : "–");
  set(".map", status ? words(status.map) : "–");
  set(".read", answer);
  set(".power", worker ? "Stop its worker" : "Start from its database");
  find("#stop-leader").disabled = ![...nodes.values()].some((node) => node.state === "leader");
}

function log(node, text) {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString("en-GB")} n${node.id} ${text}`;
  find("#log").prepend(line);
  while (find("#log").childElementCount > MOST_LOG_LINES) find("#log").lastElementChild.remove();
}

find("#put").onsubmit = put;
find("#read").onclick = readEverywhere;
find("#stop-leader").onclick = stopLeader;
nodes.forEach(start);
