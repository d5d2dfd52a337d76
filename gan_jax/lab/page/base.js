// What every page of the lab has: its texts in the chosen language, its listeners, keys in a grid, and the inputs of seed,
// speed and language.

const SPEEDS = [
  ["speed_full", null],
  ["speed_100", 100],
  ["speed_10", 10],
  ["speed_1", 1],
];

// The text of a key with its {parts} filled in; a key that no file knows is shown as it is, and a test finds it.
function fillIn(texts, key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function readScene(model) {
  const runs = model.get("scene")?.runs;
  if (!runs?.length) return null;
  return runs.map((run) => {
    const { real } = run;
    const bytes = new Uint8Array(real.buffer ?? real, real.byteOffset ?? 0, real.byteLength).slice();
    return { ...run, real: new Float32Array(bytes.buffer) };
  });
}

// Where a key moves the focus among `count` pictures in rows of `columns`; null for a key that moves nothing.
function gridMove(key, place, count, columns) {
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in moves)) return null;
  const to = place + moves[key];
  return to < 0 || to >= count ? place : to;
}

const LANGUAGE_NAMES = { en: "English", zh: "中文" };

function createBase(driver, model) {
  const setup = model.get("setup");
  const aborter = new AbortController();
  const root = element("div", { class: "gan-page gan-lab" });
  root.setAttribute("role", "group");
  const own = (navigator.language ?? "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  let language = setup.language ?? own;

  const listen = (target, event, handler, options = {}) =>
    target.addEventListener(event, handler, { signal: aborter.signal, ...options });
  const shows = (name) => setup.controls.includes(name);

  const seed = element("input", { type: "number", min: "0", max: "2147483647", step: "1", value: "0", class: "gan-lab-seed" });
  const readSeed = () => (shows("seed") && seed.value !== "" ? Number(seed.value) : null);
  listen(seed, "keydown", (event) => event.key === "Enter" && driver.reset(readSeed()));

  const speed = element("select", {}, ...SPEEDS.map(([key]) => element("option", { value: key })));
  for (const option of speed.options) option.dataset.key = option.value;
  listen(speed, "change", () => driver.setSpeed(SPEEDS.find(([key]) => key === speed.value)[1]));

  return {
    model,
    setup,
    driver,
    root,
    listen,
    shows,
    has: (key) => key in setup.words[language],
    say: (key, values) => fillIn(setup.words[language], key, values),
    language: () => language,
    palette: () => PALETTES[root.dataset.theme],
    button(key, press, extra = "") {
      const node = element("button", { type: "button", class: `gan-lab-button ${extra}` });
      node.dataset.key = key;
      listen(node, "click", press);
      return node;
    },
    seed,
    readSeed,
    speed,
    // The menu of languages; `changed` writes all texts anew.
    languages(changed) {
      const menu = element("select", {}, ...Object.entries(LANGUAGE_NAMES).map(([value, text]) => element("option", { value }, text)));
      menu.setAttribute("aria-label", "Language 语言");
      menu.value = language;
      listen(menu, "change", () => {
        language = menu.value;
        changed();
      });
      return menu;
    },
    unlisten: () => aborter.abort(),
  };
}
