// ---- Network and faults ----------------------------------------------------------------------------------------

function showNetwork() {
  const e = cursor.event;
  fill(byId("network"), element("p", {}, reachWords(e)),
    table("Links: from the row to the column", ["from \\ to", ...run.nodes.map(nodeName)], run.nodes.map((from) => linkRow(from, e))),
    faultList(e));
}

function linkRow(from, e) {
  const standing = standingAt(from, e);
  const isAway = standing === "down" || standing === "refused";
  const name = element("td", {}, nodeName(from), isAway ? element("small", {}, ` ${standing}`) : null);
  return [name, ...run.nodes.map((to) => {
    if (from === to) return element("td", { class: "quiet" }, "·");
    const isCut = isCutAt(from, to, e);
    const isNew = isCut !== isCutAt(from, to, e - 1);
    return element("td", { class: [isCut ? "bad" : "open", isNew && "changed"].filter(Boolean).join(" "),
      title: `${nodeName(from)} to ${nodeName(to)}: ${isCut ? "cut" : "open"}` }, isCut ? "✕ cut" : "open");
  })];
}

/** Nodes that can speak to each other in both directions, directly, as groups if they are such. */
function reachWords(e) {
  const away = run.nodes.filter((id) => ["down", "refused", undefined].includes(standingAt(id, e)));
  const up = run.nodes.filter((id) => !away.includes(id));
  const cuts = up.flatMap((from) => up.filter((to) => to !== from && isCutAt(from, to, e)).map((to) => `${nodeName(from)}→${nodeName(to)}`));
  const downWords = away.length ? ` Not running: ${nodeNames(away)}.` : "";
  if (!cuts.length) return `All that run reach each other.${downWords}`;
  const parts = components(up, e);
  const grouped = parts.length > 1 ? `Groups with no link both ways between them: ${parts.map((part) => `{${nodeNames(part)}}`).join(" ")}. ` : "";
  return `${grouped}Cut: ${cuts.join(", ")}.${downWords}`;
}

function components(nodes, e) {
  const rest = new Set(nodes);
  const parts = [];
  while (rest.size) {
    const part = [rest.values().next().value];
    rest.delete(part[0]);
    for (const one of part) {
      for (const other of [...rest]) {
        if (isCutAt(one, other, e) || isCutAt(other, one, e)) continue;
        rest.delete(other);
        part.push(other);
      }
    }
    parts.push(part.sort());
  }
  return parts;
}

function faultList(e) {
  // A crash is over at once; that the node is down is said elsewhere.
  const isCrash = (began) => /: (crash|lose-|power-loss)/.test(run.text(began));
  const goesOn = ({ began, ended }) => began <= e && (ended < 0 || ended > e) && !isCrash(began);
  const active = records.faults.filter(goesOn).slice(-8);
  const phase = records.phases.at(e);
  return [
    element("h3", {}, phase || "Faults and actions", active.length ? `: ${active.length} faults going on` : ": no fault goes on"),
    element("ul", { class: "lines" }, active.map(({ began }) => element("li", {}, eventLink(began)))),
  ];
}

function showSettings() {
  const lines = (value, path) => Object.entries(value ?? {}).flatMap(([key, inner]) =>
    (inner !== null && typeof inner === "object" && !Array.isArray(inner) ? lines(inner, `${path}${key}.`) : [[`${path}${key}`, JSON.stringify(inner)]]));
  fill(byId("settings"), table("Settings of the run", ["setting", "value"], lines(run.settings, "")));
}

cursor.listeners.push(showNetwork);
