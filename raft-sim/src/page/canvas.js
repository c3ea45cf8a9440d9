// ---- Drawing ---------------------------------------------------------------------------------------------------
// Colours come from the style sheet, so that light and dark are one place; shapes and hatchings say the same as the
// colours do.

const ROW = 22;
const TERM_COLOURS = 8;

const palette = { colours: new Map(), patterns: new Map() };

function colour(name) {
  if (!palette.colours.has(name)) {
    palette.colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return palette.colours.get(name);
}

/** Light has become dark, or the other way round. */
function forgetColours() {
  palette.colours.clear();
  palette.patterns.clear();
}

function termColour(number, strength) {
  return colour(number === 0 ? `term-none-${strength}` : `term-${number % TERM_COLOURS}-${strength}`);
}

/** Diagonal lines on a ground. */
function hatched(context, ground, line, gap) {
  const key = `${ground} ${line} ${gap}`;
  if (!palette.patterns.has(key)) palette.patterns.set(key, context.createPattern(hatching(ground, line, gap), "repeat"));
  return palette.patterns.get(key);
}

function hatching(ground, line, gap) {
  const tile = document.createElement("canvas");
  tile.width = gap;
  tile.height = gap;
  const context = tile.getContext("2d");
  context.fillStyle = ground;
  context.fillRect(0, 0, gap, gap);
  context.strokeStyle = line;
  context.lineWidth = 1.6;
  context.beginPath();
  for (const shift of [-gap, 0, gap]) {
    context.moveTo(shift, gap);
    context.lineTo(shift + gap, 0);
  }
  context.stroke();
  return tile;
}

function line(context, x0, y0, x1, y1, style, width, dashes) {
  context.strokeStyle = style;
  context.lineWidth = width;
  context.setLineDash(dashes || []);
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
  context.setLineDash([]);
}

function arrowHead(context, x0, y0, x1, y1, style) {
  const angle = Math.atan2(y1 - y0, x1 - x0);
  context.fillStyle = style;
  context.beginPath();
  context.moveTo(x1, y1);
  for (const turn of [2.72, -2.72]) context.lineTo(x1 + 8 * Math.cos(angle + turn), y1 + 8 * Math.sin(angle + turn));
  context.fill();
}

function crossMark(context, x, y, style) {
  line(context, x - 4, y - 4, x + 4, y + 4, style, 2);
  line(context, x - 4, y + 4, x + 4, y - 4, style, 2);
}

/** A short text on a ground of its own. */
function pill(context, x, y, text, ground, ink) {
  context.font = `600 11px ${colour("font")}`;
  const width = Math.max(18, context.measureText(text).width + 8);
  context.fillStyle = ground;
  context.beginPath();
  context.roundRect(x - width / 2, y - 8, width, 16, 5);
  context.fill();
  context.fillStyle = ink;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + 0.5);
}
