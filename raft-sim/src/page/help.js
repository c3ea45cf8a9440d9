// ---- Help ------------------------------------------------------------------------------------------------------

const KEYS = [
  ["j ↓ / k ↑", "next row / row before"],
  ["n / p", "next event of the same node / the one before (also Shift+J, Shift+K)"],
  ["i / I", "next event of note / the one before: elections, commits, crashes, cuts, truncations, the violation"],
  ["b", "to what led to this"],
  ["v", "to the violation"],
  ["Home End", "to the first row / the last"],
  ["PgUp PgDn", "twenty rows back / on"],
  ["/", "search; Enter and Shift+Enter go through what is found"],
  ["f", "to the filter; Space switches what is chosen"],
  ["h", "heartbeats on and off"],
  ["w", "to the list of causes; Tab goes on, Enter goes there"],
  ["g", "go to a time (1.5) or an event (#12)"],
  ["c", "copy a link to this moment"],
  ["t", "light or dark"],
  ["l", "legend"],
  ["?", "these keys"],
  ["Esc", "back to the rows"],
];

const LEGEND = [
  ["swatch follower", "Follower. The colour is the term: each has its own, and its number is written where it changes."],
  ["swatch candidate", "Candidate: hatched. A pre-candidate is hatched more widely."],
  ["swatch leader", "Leader: full colour, thick edges."],
  ["swatch down", "Down: crashed, or refused for its lost disk."],
  ["swatch paused", "Paused: it does nothing, and what arrives waits."],
  ["swatch cut", "Right of a lane: cut off from somebody (broken line) or from all (whole line)."],
  ["swatch disk", "Left of a lane: a write. Hollow until it is on the disk, full until the node has learnt that."],
  ["swatch arrow", "A message, from the row in which it leaves to the row in which it arrives. Broken: a second copy. Dotted: still under way at the end."],
  ["swatch lost", "A message that is lost, where it would have gone."],
  ["label", "✓12", "commits up to i12"],
  ["label", "→n2", "votes for n2"],
  ["label", "C T3", "stands for election in T3; L leads, ★ is elected"],
  ["label", "✂7", "its log from i7 on is replaced or removed"],
  ["label", "✕ ▲", "crashes; starts"],
  ["swatch client", "Right of the lanes: what clients wait for. Full: done or still waiting; hollow: refused or given up."],
  ["swatch chain", "The event at the cursor, and all that led to it."],
  ["swatch cell", "In the logs: an entry with its term. Line below: committed, as the node believes."],
  ["swatch cell volatile", "An entry that is not on the node's disk."],
  ["label", "T3◆", "An entry that changes the membership. ▒ is compacted away, ✂ has just gone."],
  ["swatch cell divergent", "Another node has another entry at that index."],
];

function legendLine([what, ...rest]) {
  const sample = what === "label" ? element("span", { class: "label" }, rest[0]) : element("span", { class: what }, what.startsWith("swatch cell") ? "T3" : "");
  return element("li", {}, sample, element("span", {}, what === "label" ? rest[1] : rest[0]));
}

function makeDialogs() {
  const close = () => button("Close", "Key Esc", ({ target }) => target.closest("dialog").close());
  fill(byId("help"), element("h2", {}, "Keys"),
    element("dl", {}, KEYS.map(([key, what]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, what)])), close());
  fill(byId("legend"), element("h2", {}, "Legend"),
    element("p", {}, "Each row is one event; time flows downward, and each node has a lane. i12@T3 is the entry of index 12 and term 3."),
    element("ul", { class: "legend" }, LEGEND.map(legendLine)), close());
}

function openDialog(name) {
  const dialog = byId(name);
  if (dialog.open) dialog.close();
  else dialog.showModal();
}
