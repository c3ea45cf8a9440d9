// ---- Why -------------------------------------------------------------------------------------------------------
// The event at the cursor in full, what led to it, and what it led to.

/** So many causes are listed before the rest is folded away. */
const CAUSES_SHOWN = 7;
const CONSEQUENCES_SHOWN = 6;

function eventLink(e, label) {
  return element("button", { type: "button", class: "event-link", title: run.text(e), click: () => moveTo(e) },
    element("span", { class: "time" }, seconds(run.at[e])), element("span", {}, label || run.text(e)));
}

function showEvent() {
  const e = cursor.event;
  const chain = causesOf(e).slice(1);
  fill(byId("event"),
    element("p", { class: "place" }, `Event ${grouped(e)} of ${grouped(run.count - 1)} · ${seconds(run.at[e])} s${phaseWords(e)}`,
      isShown(e) ? null : element("em", {}, " · hidden by the filter")),
    element("p", { id: "sentence", class: e === records.violation ? "bad" : null }, run.text(e)),
    factsOfEvent(e),
    element("div", { id: "why", role: "group", "aria-label": "Why" },
      element("h3", {}, chain.length ? `Because of (${chain.length})` : "Nothing led to this: it came from outside, or began by itself."),
      causeList(chain)),
    consequenceList(e));
}

function phaseWords(e) {
  const phase = records.phases.at(e);
  return phase ? ` · ${phase.toLowerCase()}` : "";
}

function causeList(chain) {
  const shown = chain.length > CAUSES_SHOWN + 1 ? chain.slice(0, CAUSES_SHOWN) : chain;
  const rest = chain.slice(shown.length);
  const items = (list) => list.map((cause) => element("li", {}, eventLink(cause)));
  return [
    element("ol", {}, items(shown)),
    rest.length ? element("details", {}, element("summary", {}, `${rest.length} more, to the first`), element("ol", {}, items(rest))) : null,
  ];
}

/** What an event led to. Causes come first, and most consequences soon after. */
function consequencesOf(e) {
  if (!consequencesOf.made) {
    consequencesOf.made = new Map();
    run.because.forEach((cause, event) => {
      if (cause < 0) return;
      if (!consequencesOf.made.has(cause)) consequencesOf.made.set(cause, []);
      consequencesOf.made.get(cause).push(event);
    });
  }
  return consequencesOf.made.get(e) || [];
}

function consequenceList(e) {
  const list = consequencesOf(e);
  if (!list.length) return null;
  const items = (some) => element("ol", {}, some.map((one) => element("li", {}, eventLink(one))));
  return element("details", { id: "consequences" }, element("summary", {}, `Led to (${list.length})`),
    items(list.slice(0, CONSEQUENCES_SHOWN * 5)));
}

/** Facts that decide, beside the sentence: what a voter had, who holds what is committed. */
function factsOfEvent(e) {
  const facts = [];
  const id = run.node[e];
  if (e === records.violation && run.violation) facts.push(...factsOfViolation(run.violation, e));
  else if (id && records.notes.get(e)?.tone === "commit") facts.push(commitFact(id, e));
  else if (id && records.notes.get(e)?.tone === "leader") facts.push(electionFact(stateAt(id, e).term, e));
  return facts.length ? element("ul", { id: "facts" }, facts.filter(Boolean).map((fact) => element("li", {}, fact))) : null;
}

/** What those who take part were, and what decides about a property of this kind. */
function factsOfViolation({ property, witness, nodes }, e) {
  const involved = [...new Set(nodes)].filter((id) => stateAt(id, e));
  const facts = involved.map((id) => nodeFact(id, e));
  if (/vote|election|candidate|campaign|leader/.test(property)) {
    const named = [...witness.matchAll(/\bT(\d+)\b/g)].map((match) => Number(match[1]));
    const numbers = named.length ? named : involved.map((id) => stateAt(id, e).term);
    facts.push(...[...new Set(numbers)].map((number) => electionFact(number, e)));
  }
  if (/configuration|change|voter|liveness|progress/.test(property)) facts.push(...involved.map((id) => membershipFact(id, e)));
  if (/commit|state-machine|completeness|linear|read|lease|client/.test(property)) {
    facts.push(...involved.map((id) => (stateAt(id, e).commit > 0 ? commitFact(id, e) : null)));
  }
  return facts;
}

function nodeFact(id, e) {
  const state = stateAt(id, e);
  const { role, term: number, last, lastTerm, commit } = state;
  const standing = standingAt(id, e);
  const who = standing === "up" ? ROLES[role] : standing;
  const members = membersAt(id, e);
  const force = members ? `; ${memberWords(members)} in force` : "";
  return `${nodeName(id)}: ${who} of T${number}, last entry i${last}@T${lastTerm}, on disk up to i${diskEndAt(id, e)}, commit i${commit}${force}.`;
}

/** What a node goes by, and what the last entry of its log says that it should go by. */
function membershipFact(id, e) {
  const [members, entry] = [membersAt(id, e), lastMembershipAt(id, e)];
  if (!members || !entry) return null;
  const { commit } = stateAt(id, e);
  return `${nodeName(id)} goes by ${memberWords(members)}; the last membership in its log is i${entry.index}@T${entry.term}, ${entry.index <= commit ? "committed" : "not committed"}: ${entry.text}.`;
}

/** Who really holds the last entry that a node believes committed. */
function commitFact(id, e) {
  const { commit } = stateAt(id, e);
  const entry = entryAt(id, e, commit);
  if (!entry || entry.isCompacted) return null;
  const { disk, memory: only } = holdersAt(e, commit, entry.term);
  const members = membersAt(id, e);
  const judged = members ? majorities(members, disk).map(({ have, need, voters }) =>
    `${have.length} of ${voters.length} voters, ${need} needed${have.length < need ? ": NOT a majority" : ""}`).join("; ") : "";
  return `${nodeName(id)} takes i${commit}@T${entry.term} as committed: on disk at ${nodeNames(disk)} (${judged})${only.length ? `, in memory only at ${nodeNames(only)}` : ""}.`;
}

function electionFact(number, e) {
  const { votes } = records.terms.get(number) || { votes: [] };
  const cast = votes.filter((vote) => vote.event <= e);
  if (!cast.length) return null;
  const words = cast.map((vote) => `${nodeName(vote.node)} for ${nodeName(vote.for)} (own last i${vote.last}@T${vote.lastTerm})`);
  return `Votes in T${number}: ${words.join(", ")}.`;
}

cursor.listeners.push(showEvent);
filter.listeners.push(showEvent);
