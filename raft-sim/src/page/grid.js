// ---- Logs ------------------------------------------------------------------------------------------------------
// The logs side by side, aligned by index, around the end or what the event at the cursor speaks of.

const grid = { start: 0, isWide: false, isPinned: false };

function gridColumns() {
  const width = byId("panel").clientWidth - 104;
  return Math.max(4, Math.floor(width / (grid.isWide ? 88 : 37)));
}

/** Indexes that a text names, as in `i12@T3`. */
function indexesIn(text) {
  return [...text.matchAll(/\bi(\d+)\b/g)].map((match) => Number(match[1]));
}

function chooseStart(e, columns) {
  const ends = run.nodes.map((id) => lastAt(id, e));
  const end = Math.max(1, ...ends);
  const latest = Math.max(1, end - columns + 1);
  const named = e === records.violation ? [...indexesIn(run.violation?.witness || ""), ...indexesIn(run.text(e))] : indexesIn(run.text(e));
  const wanted = named.filter((index) => index > 0 && index <= end);
  return wanted.length ? Math.max(1, Math.min(latest, Math.max(...wanted) - 3)) : latest;
}

function showGrid() {
  const e = cursor.event;
  const columns = gridColumns();
  if (!grid.isPinned) grid.start = chooseStart(e, columns);
  const [low, high] = [grid.start, grid.start + columns - 1];
  const logs = run.nodes.map((id) => ({ id, cells: entriesAt(id, e, low, high), before: e > 0 ? entriesAt(id, e - 1, low, high) : [] }));
  const indexes = Array.from({ length: columns }, (_, place) => low + place);
  const named = new Set(e === records.violation ? indexesIn(run.violation?.witness || "") : indexesIn(run.text(e)));
  const heads = indexes.map((index) => element("span", { class: named.has(index) ? "named" : null }, index));
  fill(byId("grid"), gridControls(low, high, e),
    table("Logs at the cursor", ["", ...heads], logs.map((log) => gridRow(log, logs, indexes, e))));
  byId("grid").querySelector("table").className = grid.isWide ? "log wide" : "log";
}

function gridControls(low, high, e) {
  const move = (by) => () => {
    grid.isPinned = true;
    grid.start = Math.max(1, grid.start + by);
    showGrid();
  };
  const again = (change) => () => { change(); showGrid(); };
  return element("div", { class: "grid-controls" },
    button("◀", "Earlier entries", move(-(high - low))), button("▶", "Later entries", move(high - low)),
    button(grid.isPinned ? "Stays" : "Follows", "Whether the part that is shown follows the cursor", again(() => { grid.isPinned = !grid.isPinned; })),
    button(grid.isWide ? "Narrow" : "Texts", "Wide cells with the text of the entries", again(() => { grid.isWide = !grid.isWide; })),
    element("span", { class: "quiet" }, `i${low} to i${Math.min(high, Math.max(1, ...run.nodes.map((id) => lastAt(id, e))))}`));
}

/** Whether others have another entry at the same index. */
function diverges(cell, place, logs) {
  return logs.some(({ cells }) => {
    const other = cells[place];
    return other && !other.isCompacted && !cell.isCompacted && (other.term !== cell.term || (other.own && cell.own && other.own !== cell.own));
  });
}

function gridRow({ id, cells, before }, logs, indexes, e) {
  const standing = standingAt(id, e);
  const commit = stateAt(id, e)?.commit ?? 0;
  const end = lastAt(id, e);
  // A log that ends before what is shown says where.
  const hint = end < indexes[0] ? `‹ i${end}` : standing === "down" ? "disk" : "";
  const name = element("td", { class: standing === "down" ? "quiet" : null, title: `${nodeName(id)}'s log ends at i${end}` }, nodeName(id), hint ? element("small", {}, ` ${hint}`) : null);
  return [name, ...indexes.map((index, place) => gridCell(cells[place], before[place], {
    index, isCommit: index === commit, isCommitted: index <= commit, isDivergent: cells[place] && diverges(cells[place], place, logs), id,
  }))];
}

function gridCell(cell, before, { index, isCommit, isCommitted, isDivergent, id }) {
  const isChanged = !same(cell, before);
  const classes = ["cell", isCommit && "commit", isChanged && "changed", isDivergent && "divergent"];
  if (!cell) return element("td", { class: [...classes, "none"].filter(Boolean).join(" ") }, isChanged ? "✂" : "");
  if (cell.isCompacted) {
    return element("td", { class: "cell compacted", title: `${nodeName(id)} has compacted i${index} away` }, "▒");
  }
  const told = [`${nodeName(id)} i${index}@T${cell.term}: ${cell.text}${cell.own ? "" : " (not in its memory)"}`, cell.isOnDisk ? "on disk" : "not on disk yet",
    isCommitted ? "committed, as the node believes" : "not committed, as the node believes", isDivergent ? "another node has another entry here" : ""];
  return element("td", {
    class: [...classes, !cell.isOnDisk && "volatile"].filter(Boolean).join(" "),
    style: `--ground: var(--term-${cell.term === 0 ? "none" : cell.term % TERM_COLOURS}-soft)`,
    title: told.filter(Boolean).join("; "),
  }, element("b", {}, `T${cell.term}${isMembership(cell) ? "◆" : ""}`), grid.isWide ? element("i", {}, cell.text) : null);
}

function same(one, other) {
  if (!one || !other) return one === other || (!one && !other);
  return one.isCompacted === other.isCompacted && one.term === other.term && one.text === other.text && one.isOnDisk === other.isOnDisk;
}

cursor.listeners.push(showGrid);
