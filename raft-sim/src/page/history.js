// ---- Clients ---------------------------------------------------------------------------------------------------
// Operations around the cursor as bars from call to return, with what was asked and answered.

const OPERATIONS_SHOWN = 9;

const operationsByCall = [...records.operations.values()];

/** Those that wait at the cursor, and of the others those that ended last before it. */
function operationsAround(e) {
  const called = operationsByCall.filter((operation) => operation.called <= e);
  const open = called.filter(({ ends }) => ends < 0 || ends >= e).slice(-OPERATIONS_SHOWN);
  const ended = called.filter(({ ends }) => ends >= 0 && ends < e).sort((one, other) => one.ends - other.ends);
  const room = Math.max(3, OPERATIONS_SHOWN - open.length);
  return [...ended.slice(-room), ...open].sort((one, other) => one.called - other.called);
}

/** What was asked: the sentence without who asked whom. */
function askedWords({ called }) {
  return run.text(called).replace(/^client \d+ asks n\d+: /, "").replace(/ \(op \d+\)$/, "");
}

function answeredWords({ ends, fate }) {
  if (ends < 0) return "never answered";
  return fate === "given up" ? "waits no longer" : run.text(ends).replace(/^n\d+ answers op \d+: /, "");
}

function showHistory() {
  const e = cursor.event;
  const shown = operationsAround(e);
  const place = byId("history");
  if (!shown.length) return fill(place, element("p", { class: "quiet" }, "No client has asked for anything yet."));
  const from = run.at[shown[0].called];
  const until = Math.max(...shown.map(({ ends }) => run.at[ends < 0 ? run.count - 1 : ends]), run.at[e]);
  // One that waits for very long must not squeeze the others.
  const beyond = Math.min(until, run.at[e] + (run.at[e] - from) / 2 + 1);
  const share = (at) => `${(100 * Math.min(1, (at - from) / Math.max(1, beyond - from))).toFixed(2)}%`;
  fill(place, element("div", { class: "history", role: "list" }, shown.map((operation) => operationRow(operation, e, share))),
    element("p", { class: "quiet" }, `From ${seconds(from)} s; the line is the cursor.`));
}

function operationRow(operation, e, share) {
  const { op, client, node, called, ends, fate } = operation;
  const isFuture = ends < 0 || ends > e;
  const words = isFuture ? "waits" : answeredWords(operation);
  const [start, end] = [share(run.at[called]), share(run.at[ends < 0 ? run.count - 1 : ends])];
  const target = isFuture || e === ends ? called : ends;
  return element("div", { role: "listitem", class: `operation ${fate.replace(" ", "-")} ${e === called || e === ends ? "changed" : ""}` },
    element("button", { type: "button", class: "plain who", title: `Operation ${op}: ${run.text(called)}`, click: () => moveTo(target) }, `c${client}→${nodeName(node)}`),
    element("span", { class: "track", "aria-hidden": "true" },
      element("span", { class: `bar ${ends < 0 ? "open" : ""}`, style: `left:${start};width:calc(${end} - ${start})` }),
      element("span", { class: "now", style: `left:${share(run.at[e])}` })),
    element("span", { class: "asked", title: `${askedWords(operation)}: ${answeredWords(operation)}` }, askedWords(operation),
      element("span", { class: "quiet" }, ` · ${words}`)));
}

cursor.listeners.push(showHistory);
