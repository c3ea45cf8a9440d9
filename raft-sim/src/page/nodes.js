// ---- Nodes -----------------------------------------------------------------------------------------------------
// Everybody's state at the cursor, and which membership each has in force.

const ROLE_MARKS = ["", "◌ ", "◍ ", "● "];

function showNodes() {
  const e = cursor.event;
  const heads = ["", "role", "term", "vote", "leader", "commit", "applied", "durable", "last"];
  fill(byId("nodes"), table("Nodes at the cursor", heads, run.nodes.map((id) => nodeRow(id, e))), membershipLines(e));
}

/** A cell that says whether the event at the cursor changed it. */
function changing(now, before) {
  return element("td", { class: now === before || now === "" ? null : "changed", title: now === before ? null : `was ${before}` }, now);
}

function nodeRow(id, e) {
  const [now, before] = [nodeWords(id, e), nodeWords(id, e - 1)];
  const isInvolved = run.violation?.nodes.includes(id);
  const name = element("td", { class: isInvolved ? "involved" : null, title: isInvolved ? "Takes part in the violation" : null }, nodeName(id));
  const cells = now.map((word, place) => changing(word, before[place] ?? word));
  const state = stateAt(id, e);
  if (state) cells[1].style.background = `var(--term-${state.term === 0 ? "none" : state.term % TERM_COLOURS}-soft)`;
  return [name, ...cells];
}

function nodeWords(id, e) {
  const state = e < 0 ? undefined : stateAt(id, e);
  const standing = e < 0 ? undefined : standingAt(id, e);
  if (!state) return ["not started", "", "", "", "", "", "", ""];
  const disk = diskEndAt(id, e);
  if (isAwayAt(id, e)) {
    const { term: number, vote } = stateAt(id, tellingMoment(id, e));
    return [`✕ ${standing}`, `T${number}`, vote ? nodeName(vote) : "–", "", "", "", `disk ${disk}`, ""];
  }
  const { role, term: number, vote, leader, commit, applied, durable, last, lastTerm } = state;
  const who = standing === "paused" ? `‖ ${ROLES[role]}` : ROLE_MARKS[role] + ROLES[role];
  return [who, `T${number}`, vote ? nodeName(vote) : "–", leader ? nodeName(leader) : "–", String(commit), String(applied),
    durable === disk ? String(durable) : `${durable} (disk ${disk})`, `${last}@T${lastTerm}`];
}

/** Nodes with the same membership in force are named together, so that a disagreement is seen. */
function membershipLines(e) {
  const holders = new Map();
  for (const id of run.nodes) {
    const members = membersAt(id, e);
    if (!members || standingAt(id, e) === "down") continue;
    const words = memberWords(members);
    holders.set(words, [...(holders.get(words) || []), id]);
  }
  const changed = run.kind(e) === "members" ? run.node[e] : 0;
  return element("ul", { class: "lines", "aria-label": "Memberships in force" }, [...holders].map(([words, ids]) =>
    element("li", { class: ids.includes(changed) ? "changed" : null },
      holders.size === 1 ? "All have in force: " : `${nodeNames(ids)}: `, words)));
}

cursor.listeners.push(showNodes);
