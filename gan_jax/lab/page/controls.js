// What a hand moves: dials, which are a slider and a number that can be typed, and menus.

const NOTCHES = 240;

function scaleOf({ scale, low, high }) {
  const power = (p) => low * (high / low) ** p;
  const root = (value) => Math.log(value / low) / Math.log(high / low);
  const rounded = (value) => Number(value.toPrecision(3));
  const first = 1 / NOTCHES;
  switch (scale) {
    case "log":
      return { value: (p) => rounded(power(p)), place: root };
    case "log or 0":
      return {
        value: (p) => (p < first ? 0 : rounded(power((p - first) / (1 - first)))),
        place: (value) => (value <= 0 ? 0 : Math.max(first, first + (1 - first) * root(value))),
      };
    case "log or none":
      return {
        value: (p) => (p > 1 - first / 2 ? null : rounded(power(p / (1 - first)))),
        place: (value) => (value === null ? 1 : Math.min((1 - first) * root(value), 1 - first)),
      };
    case "near 1":
      return {
        value: (p) => Number((1 - rounded((1 - high) ** p)).toPrecision(6)),
        place: (value) => (value >= 1 ? 1 : Math.log(1 - value) / Math.log(1 - high)),
      };
    default:
      return { value: (p) => rounded(low + p * (high - low)), place: (value) => (value - low) / (high - low) };
  }
}

function shownNumber(value) {
  if (value === null) return "none";
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential().replace("e-", "e−");
  return Number(value.toPrecision(6)).toString();
}

function createDial(view, name, dial, send) {
  const { listen, say } = view;
  const scale = scaleOf(dial);
  const slider = element("input", { type: "range", min: "0", max: String(NOTCHES), step: "1", id: unique(name) });
  const number = element("input", { type: "text", inputMode: "decimal", class: "gan-lab-value" });
  number.spellcheck = false;
  const label = element("label", { htmlFor: slider.id });
  const node = element("div", { class: "gan-lab-dial" }, label, number, slider);
  node.dataset.name = name;
  let touched = -Infinity;
  let editing = false;
  let current;
  let idle;

  const show = (value) => {
    current = value;
    const text = value === null ? say("none") : shownNumber(value);
    number.value = text;
    slider.setAttribute("aria-valuetext", text);
    slider.style.setProperty("--place", slider.value / NOTCHES);
  };
  listen(slider, "input", () => {
    touched = performance.now();
    const value = scale.value(slider.value / NOTCHES);
    show(value);
    send(value);
  });
  const typed = () => {
    editing = false;
    const text = number.value.trim().replace("−", "-");
    const none = dial.scale === "log or none" && [say("none"), "none", "inf", "infinity", "∞"].includes(text.toLowerCase());
    if (text === shownNumber(current).replace("−", "-") || text === "") return show(current);
    send(none ? null : Number.isFinite(Number(text)) ? Number(text) : text);
  };
  listen(number, "input", () => (editing = true));
  listen(number, "change", typed);
  listen(number, "keydown", (event) => {
    if (event.key !== "Escape") return;
    editing = false;
    show(current);
    number.blur();
  });
  const title = () => {
    const help = say(`help_${name}`);
    const text = idle ? `${help} ${say("now", { reason: say(idle) })}` : help;
    if (node.title !== text) node.title = text;
  };

  return {
    node,
    relabel() {
      write(label, say(`dial_${name}`));
      number.setAttribute("aria-label", say("typed", { name: say(`dial_${name}`) }));
      title();
      if (current !== undefined) show(current);
    },
    disable(off) {
      if (slider.disabled !== off) slider.disabled = number.disabled = off;
    },
    release: () => (touched = -Infinity), // a refused value does not stay on the slider
    show(value, reason) {
      mark(node, "idle", Boolean(reason));
      idle = reason;
      title();
      // what the hand holds stays where the hand is until the kernel has had time to answer
      if (editing || performance.now() - touched < 400) return;
      if (value === current && number.value === (value === null ? say("none") : shownNumber(value))) return;
      slider.value = String(Math.round(NOTCHES * Math.min(Math.max(scale.place(value), 0), 1)));
      show(value);
    },
  };
}

// All dials that the lesson shows.
function createDials(view) {
  const { setup, driver } = view;
  const dials = {};
  const node = element("div", { class: "gan-lab-dials" });
  for (const [name, dial] of Object.entries(setup.dials).filter(([name]) => view.shows(name))) {
    dials[name] = createDial(view, name, dial, (value) => driver.set(name, value, view.everywhere()));
    node.append(dials[name].node);
  }
  const all = Object.entries(dials);
  return {
    node,
    relabel: () => all.forEach(([, dial]) => dial.relabel()),
    paint: (frame) => all.forEach(([name, dial]) => dial.show(frame.dials[name], frame.idle[name])),
    update(state) {
      if (state.notice?.kind === "error") all.forEach(([, dial]) => dial.release());
      all.forEach(([, dial]) => dial.disable(!driver.live));
    },
  };
}

// The menus of one section that the lesson shows.
function createMenus(view, section) {
  const { setup, driver, say, listen } = view;
  const names = Object.keys(setup.choices).filter((name) => setup.choices[name].section === section && view.shows(name));
  const menus = {};
  const node = element("div", { class: "gan-lab-menus" });
  for (const name of names) {
    const select = element("select", { id: unique(name) });
    const label = element("label", { htmlFor: select.id });
    listen(select, "change", () => driver.set(name, select.value, view.everywhere()));
    const box = element("div", {}, label, select);
    box.dataset.name = name;
    node.append(box);
    menus[name] = { select, label, box, entries: "" };
  }
  const fill = (name, entries) => {
    const { select, label, box } = menus[name];
    const text = JSON.stringify([entries, view.language()]);
    if (menus[name].entries === text) return;
    menus[name].entries = text;
    write(label, say(`choice_${name}`));
    box.title = say(setup.choices[name].afresh ? "begins_again" : "goes_on", { help: say(`help_${name}`) });
    const chosen = select.value;
    select.replaceChildren(
      ...entries.map(([value, text]) => element("option", { value }, view.has(`entry_${value}`) ? say(`entry_${value}`) : text)),
    );
    select.value = chosen;
  };
  const refresh = () => {
    for (const name of names) if (view.scene()) fill(name, view.scene().menus[name] ?? []);
  };
  return {
    node,
    empty: !names.length,
    relabel: refresh,
    paint(frame) {
      refresh();
      for (const name of names) {
        const { select, box } = menus[name];
        const off = !driver.live || frame.idle[name] === "idle_your_network";
        if (select.disabled !== off) select.disabled = off;
        mark(box, "idle", Boolean(frame.idle[name]));
        if (frame.idle[name] && box.title !== say(frame.idle[name])) box.title = say(frame.idle[name]);
        if (select.value !== frame.choices[name] && (document.activeElement !== select || !driver.state.playing)) select.value = frame.choices[name];
      }
    },
    update: () => {},
  };
}
