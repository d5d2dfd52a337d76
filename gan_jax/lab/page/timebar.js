// A run's timeline comes in with each frame; a bar to scrub through it goes out, with undo, branches and sharing.

const TIMEBAR_KEYS = { z: "undo", y: "redo" };
const TIMEBAR_EVERY = 200; // milliseconds between two looks of the bar while the game plays
const TIMEBAR_FAR = 10; // seconds of training that a way through time may take
const TIMEBAR_PATIENCE = 600; // milliseconds without an answer after which a drag asks again

// ---- what needs no page ----

// Of the steps whose state is at hand, in rising order, the one nearest to a step; of two the earlier.
function timebarNearest(keys, step) {
  let best = keys[0] ?? 0;
  for (const key of keys) if (Math.abs(key - step) < Math.abs(best - step)) best = key;
  return best;
}

// Where a step lies between the bar's ends, from 0 to 1.
function timebarPlace(step, { first, last }) {
  return last > first ? Math.min(Math.max((step - first) / (last - first), 0), 1) : 0;
}

// Marks that would lie closer than `gap` (a share of the bar) as one: [{ place, step, text, count }].
function timebarMarks(timeline, gap = 0.008) {
  const groups = [];
  for (const { step, text } of timeline.marks) {
    const place = timebarPlace(step, timeline);
    const last = groups.at(-1);
    if (last && place - last.place < gap) {
      last.text += `\n${timebarNumber(step)}: ${text}`;
      last.count += 1;
    } else groups.push({ place, step, text: `${timebarNumber(step)}: ${text}`, count: 1 });
  }
  return groups;
}

// What was changed last before a step, or at it.
function timebarSince(marks, step) {
  let found = null;
  for (const mark of marks) if (mark.step <= step) found = mark;
  return found;
}

// What a key press asks for: "undo", "redo" or null. Ctrl-Z where one types belongs to the text.
function timebarShortcut({ key, ctrlKey, metaKey, shiftKey, altKey }, target) {
  if (altKey || !(ctrlKey || metaKey)) return null;
  const types = target?.tagName === "TEXTAREA" || (target?.tagName === "INPUT" && ["text", "number"].includes(target.type));
  const what = types ? null : (TIMEBAR_KEYS[String(key).toLowerCase()] ?? null);
  return what === "undo" && shiftKey ? "redo" : what;
}

// The step; or, where training on to it from the last state at hand takes too long, a kept one near it. Never the one where
// the run stands: a press of an arrow key has to lead somewhere.
function timebarReach({ keys, at, pace }, step) {
  const from = Math.max(...[at, ...keys].filter((key) => key <= step));
  if (!pace || (step - from) * pace <= TIMEBAR_FAR) return step;
  const that = keys.filter((key) => (key - at) * (step - at) > 0);
  return that.length ? timebarNearest(that, step) : step;
}

const timebarNumber = (value) => value.toLocaleString("en");

// Asks for one step at a time: while an answer is under way only the last wish is remembered. An exact one is asked for
// again until it is reached, for the kernel goes a long way in pieces.
function timebarScrub(ask, now = () => performance.now()) {
  let asked = -Infinity;
  let busy = false;
  let wish = null; // what was asked for last
  let next = null;
  const go = (wanted) => {
    [busy, asked, wish, next] = [true, now(), wanted, null];
    ask(wanted);
  };
  const done = () => {
    [busy, wish] = [false, null];
    if (next) go(next);
  };
  return {
    to(step, exact) {
      if (busy && now() - asked < TIMEBAR_PATIENCE) next = { step, exact };
      else go({ step, exact });
    },
    // A frame has come: it may be the answer, or one from before.
    arrived({ at, goal }) {
      if (!busy) return;
      if (next || !wish.exact || at === wish.step) done();
      else if (goal === wish.step) go(wish);
    },
    get active() {
      return busy && now() - asked < 10 * TIMEBAR_PATIENCE;
    },
    stop() {
      [busy, wish, next] = [false, null, null];
    },
  };
}

// ---- the bar ----

function createTimebar(view) {
  const { driver, say } = view;
  const [shares, shows] = [view.shows("share"), view.shows("runs")];
  const strings = !view.setup.images; // a short string says too little of a GAN of images
  let timeline = null;
  let shown = -Infinity;
  let held = null; // the key state that a hand on the bar is shown
  let drawn = ""; // what the marks and the tabs were last made of
  let tabsDrawn = "";
  let notice = null; // of the driver, as it was seen last
  let waiting = null; // "code" or "string", asked for and not yet here

  const button = (name, press, extra = "") => {
    const node = element("button", { type: "button", class: `gan-lab-button gan-lab-timebar-${name} ${extra}` });
    view.listen(node, "click", () => node.getAttribute("aria-disabled") !== "true" && press());
    return node;
  };
  const ask = (message) => {
    driver.pause();
    driver.ask({ ...message, everywhere: view.everywhere() });
  };
  const scrub = timebarScrub((wish) => driver.ask({ type: "travel", ...wish, everywhere: view.everywhere() }));

  const slider = element("input", { type: "range", min: "0", max: "0", step: "1", value: "0", class: "gan-lab-timebar-slider", id: unique("timebar") });
  const label = element("label", { htmlFor: slider.id, class: "gan-lab-hidden" });
  const strip = element("div", { class: "gan-lab-timebar-marks" });
  strip.setAttribute("aria-hidden", "true"); // the slider says the same
  const said = element("div", { class: "gan-lab-timebar-said" });
  const buttons = {
    undo: button("undo", () => ask({ type: "undo" })),
    redo: button("redo", () => ask({ type: "redo" })),
    ...(shows && { branch: button("branch", () => ask({ type: "branch", step: timeline?.at ?? 0 })) }),
    end: button("end", () => travel(timeline.last)),
  };
  const tabs = element("div", { class: "gan-lab-timebar-tabs" });
  tabs.setAttribute("role", "group");
  const kept = element("div", { class: "gan-lab-timebar-kept" });

  const share = {
    code: button("code", () => want("code")),
    ...(strings && { string: button("string", () => want("string")) }),
  };
  const text = element("textarea", { class: "gan-lab-timebar-text", rows: 3, readOnly: true, hidden: true, spellcheck: false });
  const given = element("input", { type: "text", class: "gan-lab-timebar-given", id: unique("restore"), autocomplete: "off", spellcheck: false });
  const givenLabel = element("label", { htmlFor: given.id });
  const restore = button("restore", () => bring());
  const summary = element("summary", {});
  const copied = element("span", { class: "gan-lab-timebar-copied" });
  copied.setAttribute("role", "status");
  const sharing = element(
    "details",
    { class: "gan-lab-timebar-share" },
    summary,
    element("div", { class: "gan-lab-timebar-row" }, ...Object.values(share), copied),
    text,
    ...(strings ? [element("div", { class: "gan-lab-timebar-row" }, givenLabel, given, restore)] : []),
  );
  for (const field of [text, given, summary]) field.dataset.lmSuppressShortcuts = "true";

  const node = element(
    "div",
    { class: "gan-lab-timebar" },
    label,
    element("div", { class: "gan-lab-timebar-track" }, strip, slider),
    element("div", { class: "gan-lab-timebar-row" }, ...Object.values(buttons)),
    said,
    ...(shows ? [tabs] : []),
    kept,
    ...(shares ? [sharing] : []),
  );

  function travel(step) {
    driver.pause();
    scrub.to(timebarReach(timeline, step), true);
  }

  view.listen(slider, "input", () => {
    driver.pause();
    sayPlace(Number(slider.value));
    const key = timebarNearest(timeline.keys, Number(slider.value));
    if (held !== key) scrub.to(key, false);
    held = key;
  });
  view.listen(slider, "change", () => {
    held = null;
    travel(Number(slider.value));
  });
  view.listen(view.root, "keydown", (event) => {
    const what = timebarShortcut(event, event.target);
    if (!what) return;
    event.preventDefault();
    event.stopPropagation();
    if (timeline?.[what]) ask({ type: what });
  });

  function want(kind) {
    waiting = kind;
    write(copied, "");
    driver.ask({ type: kind });
  }

  async function hand(kind, content) {
    waiting = null;
    text.value = content;
    text.hidden = false;
    text.setAttribute("aria-label", say(`timebar.${kind}`));
    try {
      await navigator.clipboard.writeText(content);
      write(copied, say("timebar.copied"));
    } catch {
      text.focus({ preventScroll: true }); // a page without the right to copy leaves it to the hand
      text.select();
      write(copied, say("timebar.select"));
    }
  }

  function bring() {
    const content = given.value.trim();
    if (!content) return given.focus();
    driver.pause();
    driver.ask({ type: "restore", text: content });
    given.value = "";
  }
  view.listen(given, "keydown", (event) => event.key === "Enter" && bring());

  // ---- painting ----

  function sayPlace(step) {
    const since = timebarSince(timeline.marks, step);
    const values = { step: timebarNumber(step), last: timebarNumber(timeline.last), text: since?.text ?? "" };
    slider.setAttribute("aria-valuetext", say(since ? "timebar.since" : "timebar.at", values));
    slider.style.setProperty("--place", String(timebarPlace(step, timeline)));
    const goal = timeline.goal === null ? null : timebarNumber(timeline.goal);
    write(said, goal === null ? say(since ? "timebar.since" : "timebar.at", values) : say("timebar.going", { ...values, goal }));
  }

  function drawMarks() {
    const now = JSON.stringify([timeline.marks, timeline.first, timeline.last]);
    if (now === drawn) return;
    drawn = now;
    strip.replaceChildren(
      ...timebarMarks(timeline).map((mark) => {
        const tick = element("i", { title: mark.text, class: "gan-lab-timebar-mark" });
        tick.style.setProperty("--place", String(mark.place));
        return tick;
      }),
    );
  }

  function drawTabs(runs, active, palette) {
    const now = JSON.stringify([runs, active, timeline.kept, palette.runs]);
    if (now === tabsDrawn) return;
    tabsDrawn = now;
    tabs.hidden = runs.length < 2;
    tabs.replaceChildren(...(tabs.hidden ? [] : runs.map((name, i) => drawTab(name, i, i === active, palette.runs[i]))));
    kept.hidden = !timeline.kept.length;
    kept.replaceChildren(
      ...(timeline.kept.length ? [element("span", {}, say("timebar.kept"))] : []),
      ...timeline.kept.map(({ name, last }) => {
        const back = element("button", { type: "button", class: "gan-lab-button" }, say("timebar.way", { name, last: timebarNumber(last) }));
        back.title = say("timebar.way.title");
        back.addEventListener("click", () => ask({ type: "way", name }));
        return back;
      }),
    );
  }

  function drawTab(name, i, chosen, colour) {
    const pick = element("button", { type: "button", class: "gan-lab-timebar-pick" }, element("i", {}, String(i + 1)), name);
    pick.setAttribute("aria-pressed", String(chosen));
    pick.addEventListener("click", () => driver.ask({ type: "activate", run: i }));
    const close = element("button", { type: "button", class: "gan-lab-timebar-close", title: say("timebar.close", { name }) }, "×");
    close.setAttribute("aria-label", say("timebar.close", { name }));
    close.addEventListener("click", () => driver.ask({ type: "close", run: i }));
    const tab = element("span", { class: "gan-lab-timebar-tab" }, pick, close);
    tab.dataset.chosen = String(chosen);
    tab.style.setProperty("--run", colour);
    return tab;
  }

  function offer(name, what) {
    const node = buttons[name];
    node.setAttribute("aria-disabled", String(!what));
    const title = say(what ? `timebar.${name}.title` : `timebar.${name}.none`, { what: what ? named(what) : "" });
    if (node.title !== title) node.title = title;
  }

  const named = (what) => [`timebar.did_${what}`, `dial_${what}`, `choice_${what}`].map((key) => view.has(key) && say(key)).find(Boolean) || what;

  function relabel() {
    write(label, say("timebar.slider"));
    for (const [name, node] of Object.entries(buttons)) {
      write(node, say(`timebar.${name}`));
      if (view.has(`timebar.${name}.title`)) node.title = say(`timebar.${name}.title`);
    }
    for (const [name, node] of Object.entries(share)) {
      write(node, say(`timebar.${name}`));
      node.title = say(`timebar.${name}.title`);
    }
    tabs.setAttribute("aria-label", say("timebar.tabs"));
    write(summary, say(strings ? "timebar.share" : "timebar.share_code"));
    write(givenLabel, say("timebar.given"));
    write(restore, say("timebar.restore"));
    tabsDrawn = drawn = "";
    if (timeline) sayPlace(timeline.at);
  }

  relabel();
  return {
    node,
    relabel,
    paint(frame, scene, palette) {
      if (!frame.timeline) return;
      timeline = frame.timeline;
      // in play the bar only grows: a few times a second is soon enough
      const now = performance.now();
      if (driver.state.playing && timeline.goal === null && !scrub.active && now - shown < TIMEBAR_EVERY) return;
      shown = now;
      scrub.arrived(timeline);
      // a way that the kernel goes in pieces, whoever asked for it: a restored run begins with one
      if (timeline.goal !== null && !scrub.active && !driver.state.playing) scrub.to(timeline.goal, true);
      slider.min = String(timeline.first);
      slider.max = String(timeline.last);
      node.dataset.at = timeline.at;
      if (timeline.goal !== null) sayPlace(timeline.at);
      else if (held === null && !scrub.active) {
        slider.value = String(timeline.at);
        sayPlace(timeline.at);
      }
      slider.disabled = timeline.last <= timeline.first;
      drawMarks();
      drawTabs(frame.all.map((run) => run.name), frame.active, palette);
      offer("undo", timeline.undo);
      offer("redo", timeline.redo);
      buttons.end.hidden = timeline.at >= timeline.last;
    },
    update(state) {
      node.hidden = !driver.live;
      if (state.notice !== notice && state.notice?.kind === "error") scrub.stop();
      notice = state.notice;
    },
    told({ what, text: content }) {
      if (what === waiting) hand(what, content);
    },
    stop() {
      scrub.stop();
    },
  };
}
