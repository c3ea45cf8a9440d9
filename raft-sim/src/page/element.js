// ---- Elements --------------------------------------------------------------------------------------------------
// Texts of a run only ever become text nodes and attributes: nothing on this page parses markup.

function byId(id) {
  return document.getElementById(id);
}

/** An element with attributes (functions are listeners) and children (texts, elements, lists of them, or nothing). */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** Puts other children into an element. */
function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

function button(label, title, act) {
  return element("button", { type: "button", title, click: act }, label);
}

/** A table of heads and rows; a row is a list of cells, and a cell a text or an element `td`. */
function table(label, heads, rows) {
  const cell = (content) => (content instanceof HTMLTableCellElement ? content : element("td", {}, content));
  return element("table", { "aria-label": label },
    element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map(cell)))));
}

/** Says something for a moment, also to those who listen. */
function notice(text) {
  const place = byId("notice");
  place.textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { place.textContent = ""; }, 2500);
}

/** Copies a text. A file that was opened from a disk may have no clipboard: then the old way, and then a prompt. */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return void window.prompt(`Copy ${what}:`, text);
  }
  notice(`Copied ${what}.`);
}

/** What is remembered from page to page, where the browser allows it. */
const memory = {
  read(key) {
    try { return localStorage.getItem(`raft-sim ${key}`); } catch { return null; }
  },
  write(key, value) {
    try { localStorage.setItem(`raft-sim ${key}`, value); } catch { /* It is a convenience only. */ }
  },
};
