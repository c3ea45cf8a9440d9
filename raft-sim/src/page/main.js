// ---- The page --------------------------------------------------------------------------------------------------

function open() {
  setTheme(memory.read("theme") || "auto");
  theme.system.addEventListener("change", () => { setTheme(theme.chosen); paintSoon(); });
  measureLanes();
  hideChatter();
  const asked = readAddress();
  showVerdict();
  showSettings();
  makeDialogs();
  listenToSearch();
  listenToKeys();
  window.addEventListener("hashchange", () => { const e = readAddress(); refilter(); if (e !== undefined) moveTo(e); });
  window.addEventListener("resize", showGrid);
  cursor.event = asked ?? Math.max(0, records.violation);
  refilter();
  moveTo(cursor.event);
  rows.scroller.focus({ preventScroll: true });
}

open();
