// ---- The verdict -----------------------------------------------------------------------------------------------
// What was found, before anything else.

function showVerdict() {
  const { violation } = run;
  document.title = violation ? `${violation.property}: seed ${run.seed}` : `clean: seed ${run.seed}`;
  const bar = byId("verdict");
  bar.className = violation ? "violated" : "clean";
  fill(bar, element("div", { class: "said" }, violation ? violatedWords(violation) : cleanWords()),
    element("div", { class: "controls" }, verdictControls(violation)));
}

function violatedWords({ property, witness, explain, at }) {
  return [
    element("h1", {}, element("span", { class: "badge" }, "✕ violated"), element("span", { id: "property" }, property),
      element("small", {}, `at ${seconds(at)} s · seed ${run.seed} · ${run.profile} · ${run.nodes.length} nodes`)),
    element("p", { id: "witness" }, witness),
    element("p", { id: "explain" }, "What must hold: ", explain),
  ];
}

function cleanWords() {
  return [
    element("h1", {}, element("span", { class: "badge" }, "✓ clean"), "Nothing was violated",
      element("small", {}, `seed ${run.seed} · ${run.profile} · ${run.nodes.length} nodes`)),
    element("p", { id: "witness" }, `All that is checked held through ${grouped(run.count)} events in ${seconds(run.at[run.count - 1] || 0)} s of simulated time.`),
  ];
}

function verdictControls(violation) {
  return [
    element("div", {},
      violation ? button("To the violation", "Key v", moveToViolation) : null,
      button("Copy link", "A link to this moment", () => copy(location.href.split("#")[0] + fragment(), "a link to this moment")),
      button("Legend", "Key l", () => openDialog("legend")),
      button("Keys", "Key ?", () => openDialog("help")),
      button(themeName(), "Light, dark, or as the system has it (key t)", nextTheme)),
    element("div", { class: "again" }, element("code", { id: "again", title: run.again }, run.again),
      button("Copy", "Copy the command that runs this again", () => copy(run.again, "the command"))),
  ];
}

const THEMES = ["auto", "light", "dark"];

const theme = { chosen: "auto", system: window.matchMedia("(prefers-color-scheme: dark)") };

function themeName() {
  return { auto: "◐ auto", light: "○ light", dark: "● dark" }[theme.chosen];
}

/** The style sheet knows light and dark; what the system has is asked here. */
function setTheme(name) {
  theme.chosen = THEMES.includes(name) ? name : "auto";
  const system = theme.system.matches ? "dark" : "light";
  document.documentElement.dataset.theme = theme.chosen === "auto" ? system : theme.chosen;
  forgetColours();
}

function nextTheme() {
  setTheme(THEMES[(THEMES.indexOf(theme.chosen) + 1) % THEMES.length]);
  memory.write("theme", theme.chosen);
  showVerdict();
  paintSoon();
}
