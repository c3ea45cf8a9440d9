// ---- The run ---------------------------------------------------------------------------------------------------
// The events as columns of numbers, so that a hundred thousand of them are small and quick to look through. An event
// is named by its number everywhere.

const run = readRun(JSON.parse(byId("data").textContent));

function readRun(data) {
  const { events, kinds, patterns, strings } = data;
  const count = events.at.length;
  const at = new Float64Array(count);
  const because = new Int32Array(count);
  const firstNumber = new Uint32Array(count);
  const parts = patterns.map((pattern) => pattern.split("\u0001"));
  let now = 0;
  let numbers = 0;
  for (let e = 0; e < count; e += 1) {
    now += events.at[e];
    at[e] = now;
    because[e] = events.because[e] > 0 ? e - events.because[e] : -1;
    firstNumber[e] = numbers;
    numbers += parts[events.text[e]].length - 1;
  }
  const text = (e) => {
    const words = parts[events.text[e]];
    let told = words[0];
    for (let hole = 1; hole < words.length; hole += 1) told += events.numbers[firstNumber[e] + hole - 1] + words[hole];
    return told;
  };
  return {
    ...data.run, count, at, because, text, strings,
    node: Uint8Array.from(events.node),
    kind: (e) => kinds[events.kind[e]],
    detail: (e) => events.detail[e],
  };
}

/** A moment in seconds, to the microsecond. */
function seconds(microseconds) {
  return (microseconds / 1e6).toFixed(6);
}

/** A number with its thousands set apart. */
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

function nodeName(id) {
  return id > 0 ? `n${id}` : "nobody";
}

function nodeNames(ids) {
  return ids.length ? ids.map(nodeName).join(" ") : "nobody";
}
