// ---- Search ----------------------------------------------------------------------------------------------------

const search = { words: "", found: new Set(), list: [] };

/** Finds the rows with all the words of a text, in any order and case. */
function find(text) {
  search.words = text.trim();
  const words = search.words.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (e) => {
    const told = run.text(e).toLowerCase();
    return words.every((word) => told.includes(word));
  };
  search.list = words.length ? [...filter.shown].filter(matches) : [];
  search.found = new Set(search.list);
  sayFound();
  paintSoon();
}

function sayFound() {
  const { words, list, found } = search;
  const place = found.has(cursor.event) ? `${grouped(upperBound(list, cursor.event))} of ` : "";
  byId("found").textContent = words ? `${place}${grouped(list.length)} rows` : "";
}

/** Goes to the next row that was found, or the one before, and round at the end. */
function moveToFound(direction) {
  const { list } = search;
  if (!list.length) return notice(search.words ? "No row that is shown has these words." : "Write what to look for.");
  const place = direction > 0 ? upperBound(list, cursor.event) : upperBound(list, cursor.event - 1) - 1;
  moveTo(list[(place + list.length) % list.length]);
}

function listenToSearch() {
  let timer;
  byId("query").addEventListener("input", ({ target }) => {
    clearTimeout(timer);
    timer = setTimeout(() => find(target.value), 120);
  });
  byId("search").addEventListener("submit", (event) => event.preventDefault());
  byId("query").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    clearTimeout(timer);
    if (event.target.value.trim() !== search.words) find(event.target.value);
    moveToFound(event.shiftKey ? -1 : 1);
  });
  byId("goto").addEventListener("submit", (event) => {
    event.preventDefault();
    moveToWritten(byId("goto-time").value);
  });
  cursor.listeners.push(sayFound);
  filter.listeners.push(() => { if (search.words) find(search.words); });
}
