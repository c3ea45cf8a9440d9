// ---- What leaders count ----------------------------------------------------------------------------------------
// What each leader knows of its peers, beside what is so.

function showLeaders() {
  const e = cursor.event;
  const leading = run.nodes.filter((id) => isLeaderAt(id, e));
  const place = byId("leaders");
  if (!leading.length) return fill(place, element("p", { class: "quiet" }, "Nobody leads."));
  leading.sort((one, other) => stateAt(other, e).term - stateAt(one, e).term);
  fill(place, leading.map((id) => leaderPart(id, e)));
}

function leaderPart(id, e) {
  const state = stateAt(id, e);
  const peers = records.nodes.get(id).peers.at(e) || [];
  const before = new Map((records.nodes.get(id).peers.at(e - 1) || []).map((peer) => [peer[0], peer]));
  const members = membersAt(id, e);
  const rows = peers.map(([peer, matched, next, flow]) => [
    `${nodeName(peer)}${members?.learners.includes(peer) ? " (learner)" : ""}`,
    changing(`i${matched}`, before.has(peer) ? `i${before.get(peer)[1]}` : `i${matched}`),
    changing(`i${next}`, before.has(peer) ? `i${before.get(peer)[2]}` : `i${next}`), flow,
    agreementCell(id, peer, matched, e),
  ]);
  return [
    element("h3", {}, `${nodeName(id)} leads T${state.term}: commit i${state.commit}, last i${state.last}@T${state.lastTerm}, own disk i${diskEndAt(id, e)}`),
    rows.length ? table(`What ${nodeName(id)} knows of its peers`, ["peer", "match", "next", "flow", "of the leader's log, the peer's disk really has"], rows) : null,
    element("p", {}, countedWords(id, state, peers, e)),
  ];
}

/** How far a peer's disk really holds what the leader's log holds. */
function agreement(id, peer, e) {
  const end = Math.min(diskEndAt(peer, e), lastAt(id, e));
  const low = Math.max(1, end - 200);
  const [mine, theirs] = [entriesAt(id, e, low, end), entriesAt(peer, e, low, end)];
  for (let index = end; index >= low; index -= 1) {
    const [one, other] = [mine[index - low], theirs[index - low]];
    if (one && other && other.isOnDisk && (one.isCompacted || other.isCompacted || one.term === other.term)) return index;
  }
  return low > 1 ? low - 1 : 0;
}

function agreementCell(id, peer, matched, e) {
  const really = agreement(id, peer, e);
  const isLess = really < matched;
  return element("td", { class: isLess ? "bad" : null }, `i${really}${isLess ? " – less than match" : ""}`);
}

/** The highest index that the leader's own counting puts on a quorum. */
function countedWords(id, state, peers, e) {
  const members = membersAt(id, e);
  if (!members) return "";
  const matches = new Map([...peers.map(([peer, matched]) => [peer, matched]), [id, state.durable]]);
  const candidates = [...new Set(matches.values())].sort((one, other) => other - one);
  const counted = candidates.find((index) => isQuorum(members, [...matches].filter(([, matched]) => matched >= index).map(([node]) => node))) ?? 0;
  const entry = counted > 0 ? entryAt(id, e, counted) : null;
  const of = entry && !entry.isCompacted ? `@T${entry.term}${entry.term === state.term ? "" : " (an earlier term)"}` : "";
  const votes = (node) => members.voters.includes(node) || members.outgoing.includes(node);
  const who = [...matches].filter(([node, matched]) => matched >= counted && votes(node)).map(([node]) => node);
  return `A quorum of ${memberWords(members)}: by match, i${counted}${of} (at ${nodeNames(who)}).${beyondWords(id, state, counted, matches, e)}`;
}

/** A commit index beyond what a leader counts is one that it had before it led, or wrong. */
function beyondWords(id, { commit, term: number }, counted, matches, e) {
  if (commit <= counted) return "";
  const { states } = records.nodes.get(id);
  let place = states.place(e);
  while (place > 0 && states.values[place].role === 3 && states.values[place].term === number) place -= 1;
  const before = states.values[place].commit;
  if (before >= commit) return ` Its commit i${commit} is from before it led.`;
  const holders = [...matches].filter(([, matched]) => matched >= commit).map(([node]) => node);
  const counts = majorities(membersAt(id, e), holders).map(({ have, need, voters }) => `of ${nodeNames(voters)}: ${nodeNames(have)}, ${need} needed`);
  return ` Its commit i${commit} has gone beyond that (it was i${before} before it led). By match, i${commit} is held, ${counts.join("; ")}.`;
}

cursor.listeners.push(showLeaders);
