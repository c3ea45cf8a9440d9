// One Raft node. The WebAssembly decides; this worker has the database, the timer and the clock.

import init, { BrowserNode } from "./raft_browser.js";

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

let node; // undefined until it has been restored, and again when it has failed
let database;
let timer;

// Milliseconds that do not fall while this worker lives. They do not count the time of a computer that sleeps on
// every system: leases, which would rest on that, are off.
const now = () => BigInt(Math.floor(performance.timeOrigin + performance.now()));

addEventListener("message", ({ data }) => {
  if (data.kind === "start") start(data); // what goes wrong in promises ends below
  else if (!node) return; // a message that is lost; the page sends no requests before it has seen a status
  else if (data.kind === "message") carryOut(node.receive(now(), data.from, data.message));
  else if (data.kind === "put") carryOut(node.propose(now(), data.id, data.key, data.value));
  else if (data.kind === "read") carryOut(node.read(now(), data.id));
});
addEventListener("error", (event) => fail(event.message));
addEventListener("unhandledrejection", (event) => { event.preventDefault(); fail(event.reason); });

async function start({ id, members, seed }) {
  const name = `raft-browser-n${id}`;
  await owned(name);
  await init();
  database = await opened(name);
  database.onclose = () => fail("the browser closed the database");
  await synced();
  node = new BrowserNode(id, members, seed, now(), await records());
  carryOut("[]");
}

// A database belongs to one node at a time: in this worker and in those of other tabs. The lock ends with the worker.
function owned(name) {
  if (!navigator.locks) throw new Error("the browser gives a lock only to a page that comes by https or from this computer");
  return new Promise((owns) => {
    const waits = setTimeout(() => postMessage({ kind: "event", text: "waits for its database: is the page open in another tab?" }), 2000);
    const untilTheEnd = () => { clearTimeout(waits); owns(); return new Promise(() => {}); };
    navigator.locks.request(name, untilTheEnd);
  });
}

function opened(name) {
  return new Promise((done, failed) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => ["records", "lives"].forEach((store) => request.result.createObjectStore(store));
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(`the database cannot be opened: ${request.error}`);
  });
}

// What the node asks for, in order. Then the timer is set for when it wants to be stepped next.
function carryOut(outputs) {
  for (const output of JSON.parse(outputs)) {
    if (output.kind === "store") store(output);
    else if (output.kind === "load") load(output);
    else postMessage(output);
  }
  const wait = Number(node.deadline() - now());
  clearTimeout(timer);
  timer = setTimeout(() => carryOut(node.tick(now())), Math.min(Math.max(wait, 0), LONGEST_TIMEOUT_MS));
  postMessage({ kind: "status", status: JSON.parse(node.status()) });
}

function committed(transaction, otherwise) {
  return new Promise((done, failed) => {
    transaction.oncomplete = done;
    transaction.onabort = () => failed(`${otherwise}: ${transaction.error ?? "it was aborted"}`);
  });
}

// A browser that crashed may have left what can be read and is not on the disk yet. A write of our own takes it along.
function synced() {
  const transaction = database.transaction("lives", "readwrite", { durability: "strict" });
  transaction.objectStore("lives").put(Date.now(), "last");
  return committed(transaction, "the database cannot be written");
}

// One transaction for each write, which is in the database as a whole or not at all. Transactions on one store are
// carried out in the order in which they were made. The receipt is given when it is complete, and never if it fails.
async function store({ number, operations }) {
  const transaction = database.transaction("records", "readwrite", { durability: "strict" });
  const objects = transaction.objectStore("records");
  for (const { put, delete: range } of operations) {
    if (put) objects.put(put[1], put[0]);
    else objects.delete(IDBKeyRange.bound(...range));
  }
  await committed(transaction, "a write failed");
  if (node) carryOut(node.stored(now(), number));
}

async function load({ number, first, last }) {
  const text = await records(IDBKeyRange.bound(["log", first], ["log", last]));
  if (node) carryOut(node.loaded(now(), number, text));
}

// The records in a range, or all. They wait for the writes before them, also for those of a worker that was stopped.
async function records(range) {
  const transaction = database.transaction("records");
  const keys = transaction.objectStore("records").getAllKeys(range);
  const values = transaction.objectStore("records").getAll(range);
  await committed(transaction, "the database cannot be read");
  return JSON.stringify(keys.result.map((key, at) => [key, values.result[at]]));
}

// Nobody knows what the database holds after a write that failed: this life of the node is over.
function fail(reason) {
  node = undefined;
  clearTimeout(timer);
  postMessage({ kind: "failed", text: String(reason) });
  close();
}
