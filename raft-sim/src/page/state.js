// ---- The state at a moment -------------------------------------------------------------------------------------
// Everything that the panel shows, as it was after an event.

function stateAt(id, e) {
  return records.nodes.get(id).states.at(e);
}

/** `up`, `down`, `paused`, `refused`, or nothing before a node's first start. */
function standingAt(id, e) {
  return records.nodes.get(id).standing.at(e);
}

function membersAt(id, e) {
  return records.nodes.get(id).members.at(e);
}

function isLeaderAt(id, e) {
  const standing = standingAt(id, e);
  return stateAt(id, e)?.role === 3 && (standing === "up" || standing === "paused");
}

function isCutAt(from, to, e) {
  return records.cuts.get(`${from}>${to}`)?.at(e) === true;
}

/** What is on a node's disk of the log ends here, whatever the node believes. */
function diskEndAt(id, e) {
  return records.nodes.get(id).disk.at(e)?.last ?? 0;
}

function baseAt(id, e) {
  return records.nodes.get(id).logs.at(e)?.base ?? 0;
}

/** The last index of a node's log; of what its disk holds while it is down. */
function lastAt(id, e) {
  return isAwayAt(id, e) ? diskEndAt(id, e) : stateAt(id, e)?.last ?? 0;
}

/**
 * When a node tells what it has in memory, or, while it is down, on its disk. The disk of one that is down does not
 * change, so its next start tells what is there; if it does not start again, what it had in memory must do.
 */
function tellingMoment(id, e) {
  const { starts, disk } = records.nodes.get(id);
  const start = isAwayAt(id, e) ? starts[upperBound(starts, e)] : undefined;
  return start === undefined ? e : Math.max(start, disk.at(start).until);
}

function isAwayAt(id, e) {
  const standing = standingAt(id, e);
  return standing === "down" || standing === "refused";
}

/**
 * A node's entries from `low` to `high`: `{term, text, own, isOnDisk, since}`, `{isCompacted}`, or null where it has none.
 * `own` is the text as this node has it, if it has it in memory.
 *
 * Each change of the log says what it holds from some index on. Walking back from the last change, an earlier one
 * counts for what lies before all later ones.
 */
function entriesAt(id, e, low, high) {
  const { logs, disk } = records.nodes.get(id);
  const cells = new Array(Math.max(0, high - low + 1)).fill(null);
  const held = disk.at(e) || { last: 0, until: -1 };
  const end = Math.min(high, lastAt(id, e));
  const isAway = isAwayAt(id, e);
  let place = logs.place(tellingMoment(id, e));
  const base = place < 0 ? 0 : logs.values[place].base;
  for (let ceiling = end + 1; place >= 0 && ceiling > low; place -= 1) {
    const { first, entries, event } = logs.values[place];
    const beyond = Math.min(ceiling, first + entries.length / 2);
    for (let index = Math.max(first, low); index < beyond; index += 1) {
      const [number, own] = [entries[(index - first) * 2], run.strings[entries[(index - first) * 2 + 1]]];
      // A node that has just started has not read its entries; somebody has had them in memory.
      const text = own || records.texts.get(`${index}@${number}`) || "";
      cells[index - low] = { term: number, text, own, since: event, isOnDisk: isAway || (index <= held.last && event <= held.until) };
    }
    ceiling = Math.min(ceiling, first);
  }
  for (let index = low; index <= Math.min(base, high); index += 1) cells[index - low] = { isCompacted: true, isOnDisk: true };
  return cells;
}

function entryAt(id, e, index) {
  return entriesAt(id, e, index, index)[0];
}

/** Who has the entry of a term at an index, and where: `{disk, memory}`, lists of nodes. */
function holdersAt(e, index, number) {
  const holders = { disk: [], memory: [] };
  for (const id of run.nodes) {
    const entry = entryAt(id, e, index);
    if (!entry || (!entry.isCompacted && entry.term !== number)) continue;
    (entry.isOnDisk ? holders.disk : holders.memory).push(id);
  }
  return holders;
}

/** How many of some nodes make a majority of a list of voters: `{have, need, voters}`. */
function majority(voters, nodes) {
  return {
    have: voters.filter((voter) => nodes.includes(voter)),
    need: Math.floor(voters.length / 2) + 1,
    voters,
  };
}

/** The majorities that a membership asks for: one, or two while it is joint. */
function majorities(members, nodes) {
  const lists = members.outgoing.length ? [members.outgoing, members.voters] : [members.voters];
  return lists.map((voters) => majority(voters, nodes));
}

function isQuorum(members, nodes) {
  return majorities(members, nodes).every(({ have, need }) => have.length >= need);
}

/** Whether an entry changes the membership. */
function isMembership(entry) {
  return Boolean(entry?.text?.startsWith("voters "));
}

/** The last entry of a node's log that changes the membership, among its last few hundred: `{index, text}`. */
function lastMembershipAt(id, e) {
  const end = lastAt(id, e);
  const low = Math.max(1, end - 400);
  const cells = entriesAt(id, e, low, end);
  const place = cells.findLastIndex(isMembership);
  return place < 0 ? undefined : { index: low + place, ...cells[place] };
}

/** A membership in words. */
function memberWords({ voters, outgoing, learners }) {
  const voting = outgoing.length ? `joint: ${nodeNames(outgoing)} ⇒ ${nodeNames(voters)}` : `voters ${nodeNames(voters)}`;
  return learners.length ? `${voting}, learners ${nodeNames(learners)}` : voting;
}
