// ---- Elections -------------------------------------------------------------------------------------------------
// Who voted for whom in the latest terms, and with what last entry: what decides whether a vote was right.

const TERMS_SHOWN = 3;

function showElections() {
  const e = cursor.event;
  const current = Math.max(0, ...run.nodes.map((id) => stateAt(id, e)?.term ?? 0));
  const numbers = [...records.terms.keys()].filter((number) => number <= current && records.terms.get(number).votes.some((vote) => vote.event <= e));
  const shown = numbers.sort((one, other) => other - one).slice(0, TERMS_SHOWN);
  const place = byId("elections");
  if (!shown.length) return fill(place, element("p", { class: "quiet" }, "Nobody has voted yet."));
  place.className = run.nodes.length > 5 ? "narrow" : "";
  fill(place, table("Votes by term", ["", ...run.nodes.map(nodeName), "elected"], shown.map((number) => electionRow(number, e))),
    element("p", { class: "quiet" }, "For whom each voted, and its own last entry then."));
}

function electionRow(number, e) {
  const { votes, elected } = records.terms.get(number);
  const winners = elected.filter((one) => one.event <= e).map((one) => one.node);
  const head = element("td", { style: `background: var(--term-${number % TERM_COLOURS}-soft)` }, `T${number}`);
  return [head, ...run.nodes.map((id) => voteCell(votes.filter((vote) => vote.node === id && vote.event <= e), e)),
    element("td", { class: winners.length > 1 ? "bad" : null }, winners.length ? winners.map(nodeName).join(", ") : "–")];
}

function voteCell(votes, e) {
  if (!votes.length) return element("td", { class: "quiet" }, "–");
  const isTwice = new Set(votes.map((vote) => vote.for)).size > 1;
  return element("td", { class: [isTwice && "bad", votes.some((vote) => vote.event === e) && "changed"].filter(Boolean).join(" ") || null },
    votes.map((vote) => element("button", { type: "button", class: "plain", title: run.text(vote.event), click: () => moveTo(vote.event) },
      `→${nodeName(vote.for)}`, element("small", {}, ` ${vote.last}@T${vote.lastTerm}`))));
}

cursor.listeners.push(showElections);
