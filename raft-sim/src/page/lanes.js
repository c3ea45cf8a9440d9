// ---- Lanes -----------------------------------------------------------------------------------------------------
// A column for each node, time downward, over the rows that are in sight. Only these are drawn.

const lanes = { canvas: byId("lanes"), width: 0, pitch: 0, rail: 0, first: 0, last: 0, top: 0, height: 0 };

/** Clients that wait at the same time are side by side; more than so many share the last place. */
const CLIENT_PLACES = 4;
const CLIENT_WIDTH = 9;

function placeClients() {
  const busyUntil = [];
  for (const operation of records.operations.values()) {
    const end = operation.ends < 0 ? Infinity : operation.ends;
    let place = busyUntil.findIndex((until) => until < operation.called);
    if (place < 0) place = Math.min(busyUntil.length, CLIENT_PLACES - 1);
    busyUntil[place] = Math.max(end, busyUntil[place] ?? 0);
    operation.place = place;
  }
  return busyUntil.length;
}

lanes.clients = placeClients();

/** How wide everything is follows from how many nodes there are. */
function measureLanes() {
  const count = run.nodes.length;
  lanes.pitch = count <= 3 ? 76 : count <= 5 ? 59 : 47;
  lanes.rail = Math.min(40, lanes.pitch - 17);
  lanes.clientsAt = count * lanes.pitch + 8;
  lanes.width = lanes.clientsAt + (lanes.clients ? lanes.clients * CLIENT_WIDTH + 10 : 0);
  document.documentElement.style.setProperty("--lanes", `${lanes.width}px`);
}

function laneX(id) {
  return (run.nodes.indexOf(id) + 0.5) * lanes.pitch;
}

/** The middle of an event's row, from the top of what is in sight. */
function eventY(e) {
  return rowOf(e) * ROW - lanes.top + ROW / 2;
}

function paintLanes(top, height) {
  Object.assign(lanes, { top, height, first: Math.floor(top / ROW), last: Math.ceil((top + height) / ROW) });
  const { canvas } = lanes;
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(lanes.width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(lanes.width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${lanes.width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, lanes.width, height);
  if (!filter.shown.length) return;
  lanes.from = filter.shown[Math.max(0, lanes.first - 1)];
  lanes.until = lanes.last + 1 < filter.shown.length ? filter.shown[lanes.last + 1] : run.count;
  run.nodes.forEach((id) => paintRail(context, id));
  records.writes.forEach((write) => paintWrite(context, write));
  paintCuts(context);
  records.operations.forEach((operation) => paintOperation(context, operation));
  records.arrows.forEach((arrow) => paintArrow(context, arrow));
  for (let row = Math.max(0, lanes.first); row < Math.min(filter.shown.length, lanes.last); row += 1) {
    paintMark(context, filter.shown[row], row * ROW - top + ROW / 2);
  }
}

/** Whether something that lasts from one event to another is in sight. */
function inSight(from, to) {
  return from <= lanes.until && (to < 0 || to >= lanes.from);
}

/** The stretches of a record that are in sight: `(value, y of its beginning, y of its end)`. */
function eachStretch(record, act) {
  const end = filter.shown.length * ROW - lanes.top;
  for (let place = Math.max(0, record.place(lanes.from)); place < record.events.length; place += 1) {
    if (record.events[place] > lanes.until) return;
    const y0 = eventY(record.events[place]) - ROW / 2;
    const y1 = place + 1 < record.events.length ? eventY(record.events[place + 1]) - ROW / 2 : end;
    if (y1 > y0) act(record.values[place], Math.max(-ROW, y0), Math.min(lanes.height + ROW, y1));
  }
}

function paintRail(context, id) {
  const x = laneX(id) - lanes.rail / 2;
  eachStretch(records.nodes.get(id).rail, (value, y0, y1) => {
    context.fillStyle = railStyle(context, value);
    context.fillRect(x, y0, lanes.rail, y1 - y0);
    if (value.role === 3 && value.standing !== "down" && value.standing !== "refused") {
      // A leader has thick edges besides its full colour.
      context.fillStyle = termColour(value.term, "strong");
      context.fillRect(x - 2, y0, 5, y1 - y0);
      context.fillRect(x + lanes.rail - 3, y0, 5, y1 - y0);
    }
    if (value.standing === "down" || value.standing === "refused") {
      line(context, x + lanes.rail / 2, y0, x + lanes.rail / 2, y1, colour("down-line"), 2, [3, 4]);
    }
  });
}

function railStyle(context, { standing, role, term: number }) {
  if (standing === "down" || standing === "refused") return hatched(context, colour("down"), colour("down-line"), 10);
  if (standing === "paused") return hatched(context, colour("paused"), colour("paused-line"), 6);
  const soft = termColour(number, "soft");
  if (role === 2) return hatched(context, soft, termColour(number, "strong"), 7);
  if (role === 1) return hatched(context, soft, termColour(number, "strong"), 14);
  return role === 3 ? termColour(number, "full") : soft;
}

/** A write is hollow until it is durable, and full until the node knows. */
function paintWrite(context, { node, submitted, durable, ends }) {
  if (!inSight(submitted, ends)) return;
  const x = laneX(node) - lanes.rail / 2 - 7;
  const y = (e) => (e < 0 ? lanes.height + ROW : Math.min(lanes.height + ROW, Math.max(-ROW, eventY(e))));
  const end = y(ends);
  const middle = durable >= 0 ? y(durable) : end;
  context.strokeStyle = colour("disk");
  context.lineWidth = 1.2;
  context.strokeRect(x, y(submitted), 3.5, Math.max(0, middle - y(submitted)));
  context.fillStyle = colour("disk");
  context.fillRect(x - 0.5, middle, 4.5, Math.max(durable >= 0 ? 3 : 0, end - middle));
}

/** A broken edge beside a node that is cut off from somebody, and a whole one if from all. */
function paintCuts(context) {
  for (const id of run.nodes) {
    eachStretch(cutsOf(id), (count, y0, y1) => {
      if (count === 0) return;
      const x = laneX(id) + lanes.rail / 2 + 5;
      const isAll = count === (run.nodes.length - 1) * 2;
      line(context, x, y0, x, y1, colour("bad"), isAll ? 3.5 : 2, isAll ? [] : [5, 4]);
    });
  }
}

/** How many directed links of a node are cut, over time. */
function cutsOf(id) {
  if (!cutsOf.made) cutsOf.made = countCuts();
  return cutsOf.made.get(id);
}

function countCuts() {
  const made = new Map(run.nodes.map((id) => [id, new Record()]));
  const open = new Set();
  const changes = [...records.cuts].flatMap(([link, record]) => record.events.map((event, place) => ({ event, link, isCut: record.values[place] })));
  changes.sort((one, other) => one.event - other.event);
  for (const { event, link, isCut } of changes) {
    if (isCut) open.add(link);
    else open.delete(link);
    for (const end of link.split(">").map(Number)) {
      made.get(end)?.add(event, [...open].filter((one) => one.split(">").map(Number).includes(end)).length);
    }
  }
  return made;
}

function paintOperation(context, operation) {
  const { called, ends, fate, place, node } = operation;
  if (!inSight(called, ends)) return;
  const x = lanes.clientsAt + place * CLIENT_WIDTH;
  const y0 = Math.max(-ROW, eventY(called));
  const y1 = ends < 0 ? lanes.height + ROW : Math.min(lanes.height + ROW, eventY(ends));
  const style = colour({ done: "good", refused: "quiet", "given up": "quiet", open: "client" }[fate]);
  const isChosen = cursor.event === called || cursor.event === ends;
  if (isChosen) line(context, laneX(node), eventY(cursor.event), x + 2, eventY(cursor.event), colour("chain"), 1.5);
  context.fillStyle = style;
  context.strokeStyle = style;
  if (fate === "done" || fate === "open") context.fillRect(x, y0, isChosen ? 7 : 5, Math.max(3, y1 - y0));
  else context.strokeRect(x + 0.5, y0, 4, Math.max(3, y1 - y0));
}

/** Whether an arrow is drawn: one of its ends has a row, and it is in sight. */
function paintArrow(context, arrow) {
  const { message, from, to, how } = arrow;
  if (!inSight(from, to) || !(isShown(from) || (to < run.count && isShown(to)))) return;
  const isChosen = cursor.chain.has(to) || (to === run.count && cursor.chain.has(from)) || cursor.event === from || cursor.event === to;
  const isLost = how === "lost";
  const [start, end] = [laneX(message.from), laneX(message.to)];
  if (!Number.isFinite(start) || !Number.isFinite(end)) return;
  const side = Math.sign(end - start);
  const x0 = start + side * (lanes.rail / 2 - 6);
  const [y0, y1] = [eventY(from), eventY(to)];
  const x1 = isLost ? start + (end - start) * 0.62 : end - side * (lanes.rail / 2 - 8);
  const style = colour(isChosen ? "chain" : isLost ? "bad" : isFaint(message) ? "faint" : "arrow");
  if (how === "under way") return paintUnderWay(context, x0, y0, x1);
  const dashes = { copy: [6, 4], malformed: [2, 3] }[how];
  line(context, x0, y0, x1, y1, style, isChosen ? 2.6 : 1.3, dashes);
  if (isLost) crossMark(context, x1, y1, style);
  else if (to < run.count) arrowHead(context, x0, y0, x1, y1, style);
}

/** Where the run ends before a message does, only its beginning is known. */
function paintUnderWay(context, x0, y0, x1) {
  const part = Math.sign(x1 - x0) * Math.min(34, Math.abs(x1 - x0) * 0.6);
  line(context, x0, y0, x0 + part, y0 + ROW * 0.8, colour("arrow"), 1.3, [2, 3]);
}

const NOTE_STYLES = {
  leader: ["note", "note-ink"], candidate: ["note-soft", "ink"], commit: ["good", "good-ink"], vote: ["note-soft", "ink"],
  term: ["note-soft", "ink"], truncated: ["warn", "warn-ink"], crash: ["bad", "bad-ink"], start: ["note-soft", "ink"],
};

function paintMark(context, e, y) {
  const x = laneX(run.node[e]);
  if (run.kind(e) === "link-cut" || run.kind(e) === "link-mended") return paintLink(context, e, y);
  if (run.node[e] === 0 && messageOf(e) !== undefined) return;
  if (run.node[e] === 0) {
    const isBad = run.kind(e) === "violated";
    return line(context, 0, y, lanes.width, y, colour(isBad ? "bad" : "quiet"), isBad ? 2 : 1, isBad ? [] : [2, 5]);
  }
  const noted = records.notes.get(e);
  if (noted) {
    const [ground, ink] = NOTE_STYLES[noted.tone];
    pill(context, x, y, noted.label, colour(ground), colour(ink));
  } else {
    context.fillStyle = colour("dot");
    context.beginPath();
    context.arc(x, y, run.kind(e) === "sent" || run.kind(e) === "delivered" ? 3.2 : 2.2, 0, 7);
    context.fill();
  }
  if (cursor.chain.has(e)) paintRing(context, x, y, e === cursor.event);
}

function paintRing(context, x, y, isCursor) {
  context.strokeStyle = colour("chain");
  context.lineWidth = isCursor ? 3 : 2;
  context.beginPath();
  context.roundRect(x - lanes.rail / 2 + 1, y - ROW / 2 + 1.5, lanes.rail - 2, ROW - 3, 6);
  context.stroke();
}

function paintLink(context, e, y) {
  const [from, to] = run.detail(e).map(laneX);
  const isCut = run.kind(e) === "link-cut";
  line(context, from, y, to, y, colour(isCut ? "bad" : "good"), 1.5, [3, 3]);
  arrowHead(context, from, y, to, y, colour(isCut ? "bad" : "good"));
  if (isCut) crossMark(context, (from + to) / 2, y, colour("bad"));
}

/** The heads of the columns: who each node is at the cursor. */
function showColumns() {
  const head = (id) => {
    const state = stateAt(id, cursor.event);
    const standing = standingAt(id, cursor.event);
    const roles = lanes.pitch > 50 ? ["", "pre", "cand", "LEAD"] : ["", "p", "C", "L"];
    const away = { down: "✕", refused: "✕", paused: "‖" }[standing];
    const role = away || (state ? roles[state.role] : "–");
    return element("span", { class: `head ${run.violation?.nodes.includes(id) ? "involved" : ""}`, style: `width:${lanes.pitch}px` },
      element("b", {}, nodeName(id)), element("small", {}, `${role} ${state ? `T${state.term}` : ""}`.trim()));
  };
  fill(byId("columns"), element("span", { class: "head time" }, "seconds"), run.nodes.map(head),
    lanes.clients ? element("span", { class: "head", style: `width:${lanes.width - lanes.clientsAt + 8}px` }, element("small", {}, lanes.clients > 3 ? "clients" : "")) : null,
    element("span", { class: "head text" }, `${grouped(filter.shown.length)} of ${grouped(run.count)} events`));
}
