// ---- Keys ------------------------------------------------------------------------------------------------------
// Everything can be done without a mouse.

function atSameNode(direction) {
  const id = nodeAtCursor();
  moveToNext(direction, (e) => nodesOf(e).includes(id));
}

function toCause() {
  const cause = run.because[cursor.event];
  if (cause >= 0) moveTo(cause);
  else notice("Nothing led to this.");
}

function focusWhy() {
  (byId("why").querySelector("button") || byId("panel")).focus();
}

const ACTS = {
  j: () => moveBy(1), ArrowDown: () => moveBy(1),
  k: () => moveBy(-1), ArrowUp: () => moveBy(-1),
  n: () => atSameNode(1), J: () => atSameNode(1),
  p: () => atSameNode(-1), K: () => atSameNode(-1),
  i: () => moveToInteresting(1), I: () => moveToInteresting(-1),
  b: toCause,
  v: moveToViolation,
  Home: () => moveBy(-Infinity), End: () => moveBy(Infinity),
  PageDown: () => moveBy(20), PageUp: () => moveBy(-20),
  "/": () => byId("query").select(),
  f: () => byId("filter-nodes").querySelector("button").focus(),
  h: () => toggle(filter.hidden, "heartbeats"),
  w: focusWhy,
  g: () => byId("goto-time").select(),
  c: () => copy(location.href.split("#")[0] + fragment(), "a link to this moment"),
  t: nextTheme,
  l: () => openDialog("legend"),
  "?": () => openDialog("help"),
};

/** Keys that lists and buttons have a use of their own for, outside the rows. */
const SCROLLING = new Set(["ArrowDown", "ArrowUp", "Home", "End", "PageDown", "PageUp"]);

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") return void rows.scroller.focus();
  if (event.target instanceof HTMLInputElement) return;
  const isInPanel = byId("panel").contains(event.target);
  if (isInPanel && SCROLLING.has(event.key)) return;
  const act = ACTS[event.key];
  if (!act) return;
  event.preventDefault();
  const wasInWhy = byId("why").contains(event.target);
  act();
  // The list of causes is made anew; who steps through it stays in it.
  if (wasInWhy && !document.activeElement?.closest("#why")) focusWhy();
}

function listenToKeys() {
  document.addEventListener("keydown", onKey);
  // A cause that is chosen in the list by the keyboard: its own causes follow.
  byId("event").addEventListener("click", (event) => {
    if (event.detail === 0 && event.target.closest(".event-link")) focusWhy();
  });
}
