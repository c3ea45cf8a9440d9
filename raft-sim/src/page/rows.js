// ---- Rows ------------------------------------------------------------------------------------------------------
// The events in sight as elements. All rows are of one height, so where a row is needs no measuring.

const rows = { scroller: byId("scroller"), space: byId("space"), made: new Map(), isDue: false };

/** Paints before the next frame, once, however often it is asked for. */
function paintSoon() {
  if (rows.isDue) return;
  rows.isDue = true;
  requestAnimationFrame(() => {
    rows.isDue = false;
    paint();
  });
}

function paint() {
  const { scrollTop, clientHeight } = rows.scroller;
  paintRows(scrollTop, clientHeight);
  paintLanes(scrollTop, clientHeight);
}

function paintRows(top, height) {
  rows.space.style.height = `${filter.shown.length * ROW}px`;
  const first = Math.max(0, Math.floor(top / ROW) - 4);
  const last = Math.min(filter.shown.length, Math.ceil((top + height) / ROW) + 4);
  const wanted = new Set(filter.shown.subarray(first, last));
  for (const [e, row] of rows.made) {
    if (wanted.has(e)) continue;
    row.remove();
    rows.made.delete(e);
  }
  for (let place = first; place < last; place += 1) {
    const e = filter.shown[place];
    if (!rows.made.has(e)) rows.made.set(e, makeRow(e));
    dressRow(rows.made.get(e), e, place);
  }
  if (isShown(cursor.event)) rows.scroller.setAttribute("aria-activedescendant", `row-${cursor.event}`);
  else rows.scroller.removeAttribute("aria-activedescendant");
}

function makeRow(e) {
  const text = run.text(e);
  const row = element("div", { role: "option", id: `row-${e}`, title: text, click: () => { moveTo(e); rows.scroller.focus(); } },
    element("span", { class: "time" }, seconds(run.at[e])),
    element("span", { class: "text" }, text));
  rows.space.append(row);
  return row;
}

function dressRow(row, e, place) {
  const isCursor = e === cursor.event;
  row.className = ["row", `of-${groups[e]}`, isCursor && "cursor", cursor.chain.has(e) && "chain",
    !isShown(cursor.event) && place === rowOf(cursor.event) && "after-cursor", e === records.violation && "violation", search.found.has(e) && "found"].filter(Boolean).join(" ");
  row.style.transform = `translateY(${place * ROW}px)`;
  row.setAttribute("aria-selected", String(isCursor));
  row.setAttribute("aria-posinset", String(place + 1));
  row.setAttribute("aria-setsize", String(filter.shown.length));
}

/** Scrolls so that the cursor is in sight, and a little of what surrounds it. */
function showCursor() {
  const { scroller } = rows;
  const y = rowOf(cursor.event) * ROW;
  const margin = Math.min(3 * ROW, scroller.clientHeight / 4);
  rows.space.style.height = `${filter.shown.length * ROW}px`;
  if (y < scroller.scrollTop || y + ROW > scroller.scrollTop + scroller.clientHeight) {
    const isFar = Math.abs(y - scroller.scrollTop - scroller.clientHeight / 2) > scroller.clientHeight;
    if (isFar) scroller.scrollTop = y - scroller.clientHeight * 0.7;
  }
  if (y < scroller.scrollTop + margin) scroller.scrollTop = y - margin;
  if (y + ROW > scroller.scrollTop + scroller.clientHeight - margin) scroller.scrollTop = y + ROW + margin - scroller.clientHeight;
  paintSoon();
}

rows.scroller.addEventListener("scroll", paintSoon, { passive: true });
new ResizeObserver(paintSoon).observe(rows.scroller);
cursor.listeners.push(showCursor, showColumns);
filter.listeners.push(showCursor, showColumns);
