// Beginnings come in by name; the run that is chosen begins with one, and a sentence says what to watch.

function createPresets(view) {
  const { setup, driver, say } = view;
  const select = element("select", { id: unique("preset") });
  const label = element("label", { htmlFor: select.id });
  const watch = element("p", { class: "gan-lab-preset-watch", hidden: true });
  watch.setAttribute("aria-live", "polite");
  const node = element("div", { class: "gan-lab-presets" }, element("div", { class: "gan-lab-inline" }, label, select), watch);
  let taken = setup.preset ?? "";

  view.listen(select, "change", () => {
    taken = select.value;
    if (taken) {
      const { layers, chart } = setup.presets[taken];
      view.layers = new Set(["real", ...layers]);
      view.charts = new Set([chart]);
      driver.pause();
      driver.ask({ type: "preset", name: taken });
      driver.look?.();
    }
    show();
  });

  function show() {
    watch.hidden = !taken;
    if (!taken) return;
    const mark = say(setup.presets[taken].works ? "presets.works" : "presets.fails");
    watch.replaceChildren(element("strong", {}, `${mark}. `), `${say("presets.watch")}: ${say(`presets.${taken}.watch`)}`);
    watch.dataset.works = setup.presets[taken].works;
  }

  return {
    node,
    relabel() {
      write(label, say("presets.label"));
      const groups = [true, false].map((works) => {
        const names = Object.keys(setup.presets).filter((name) => setup.presets[name].works === works);
        const options = names.map((value) => element("option", { value }, say(`presets.${value}.title`)));
        return element("optgroup", { label: say(works ? "presets.works" : "presets.fails") }, ...options);
      });
      select.replaceChildren(element("option", { value: "" }, say("presets.own")), ...groups);
      select.value = taken;
      show();
    },
    update: () => (select.disabled = !driver.live),
  };
}
