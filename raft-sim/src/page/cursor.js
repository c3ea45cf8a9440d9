// ---- The cursor ------------------------------------------------------------------------------------------------
// One event is looked at; everything on the page follows it. The address of the page keeps it, and the filter.

const cursor = {
  event: 0,
  /** The chain of causes of that event, itself included. */
  chain: new Set(),
  listeners: [],
};

/** What led to an event, and to that, to the first that nothing led to. */
function causesOf(e) {
  const chain = [];
  for (let at = e; at >= 0 && chain.length < 10_000; at = run.because[at]) chain.push(at);
  return chain;
}

function moveTo(e) {
  if (run.count === 0) return;
  cursor.event = Math.max(0, Math.min(run.count - 1, e));
  cursor.chain = new Set(causesOf(cursor.event));
  for (const listener of cursor.listeners) listener();
  keepInAddress();
}

/** Moves by rows. */
function moveBy(rows) {
  const row = rowOf(cursor.event);
  // Between two rows, forward is the next one.
  const start = rows > 0 && !isShown(cursor.event) ? row - 1 : row;
  const next = Math.max(0, Math.min(filter.shown.length - 1, start + rows));
  if (filter.shown.length) moveTo(filter.shown[next]);
}

/** The node that "the same node" means. */
function nodeAtCursor() {
  return nodesOf(cursor.event)[0] ?? run.nodes[0];
}

/** Moves to the next row, forward or back, whose event is wanted. */
function moveToNext(direction, isWanted) {
  let row = rowOf(cursor.event);
  if (direction > 0 && !isShown(cursor.event)) row -= 1;
  for (row += direction; row >= 0 && row < filter.shown.length; row += direction) {
    if (isWanted(filter.shown[row])) return moveTo(filter.shown[row]);
  }
  notice(direction > 0 ? "Nothing more after this." : "Nothing before this.");
}

function moveToInteresting(direction) {
  const list = records.interesting;
  const place = direction > 0 ? upperBound(list, cursor.event) : upperBound(list, cursor.event - 1) - 1;
  if (place >= 0 && place < list.length) moveTo(list[place]);
  else notice(direction > 0 ? "Nothing more of note after this." : "Nothing of note before this.");
}

function moveToViolation() {
  if (records.violation >= 0) moveTo(records.violation);
  else notice("Nothing is violated in this run.");
}

/** `12` and `1.5` are seconds, `#12` is an event. */
function moveToWritten(text) {
  const words = text.trim().match(/^(#?)(\d+(?:\.\d+)?)\s*s?$/);
  if (!words) return notice("Write seconds, as in 1.5, or the number of an event, as in #12.");
  if (words[1]) return moveTo(Math.floor(Number(words[2])));
  moveTo(Math.max(0, upperBound(run.at, Number(words[2]) * 1e6 - 0.5)));
}

/** The part of the address after `#`, for this moment. */
function fragment() {
  const parts = [`e=${cursor.event}`, `hide=${[...filter.hidden].join(",")}`];
  if (filter.nodes.size) parts.push(`nodes=${[...filter.nodes].join(",")}`);
  return `#${parts.join("&")}`;
}

/** Browsers take a new address only so often, so it follows when the cursor rests. */
function keepInAddress() {
  clearTimeout(keepInAddress.timer);
  keepInAddress.timer = setTimeout(() => history.replaceState(null, "", fragment()), 300);
}

function readAddress() {
  const wishes = new URLSearchParams(location.hash.slice(1));
  const list = (name) => (wishes.get(name) || "").split(",").filter(Boolean);
  if (wishes.has("hide")) filter.hidden = new Set(list("hide").filter((id) => GROUPS.some((group) => group.id === id)));
  if (wishes.has("nodes")) filter.nodes = new Set(list("nodes").map(Number).filter((id) => run.nodes.includes(id)));
  const e = Number.parseInt(wishes.get("e"), 10);
  return Number.isInteger(e) ? e : undefined;
}

filter.listeners.push(keepInAddress);
