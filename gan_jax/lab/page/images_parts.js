// Parts of the view of images: how images are painted and picked, their nearest real ones, walks and the explorer.

// ---- logic without a page ----

// Grey or colour bytes, shape (n, height, width, channels), as red, green, blue and opacity of a strip of n images.
function imagePixels(bytes, channels) {
  const count = bytes.length / channels;
  const pixels = new Uint8ClampedArray(4 * count);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = bytes[i * channels + Math.min(c, channels - 1)];
    pixels[4 * i + 3] = 255;
  }
  return pixels;
}

// Where each of n images lies on a picture, with a gap between two: [x, y, width, height].
function imagePlaces(n, columns, width, height, gap) {
  const rows = Math.ceil(n / columns);
  const [w, h] = [(width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows];
  return Array.from({ length: n }, (_, i) => [(i % columns) * (w + gap), Math.floor(i / columns) * (h + gap), w, h]);
}

// The last two samples picked, the latest at the end; picking that one again puts it back.
function imagePicks(picks, i) {
  if (picks[picks.length - 1] === i) return picks.slice(0, -1);
  return [...picks.filter((pick) => pick !== i), i].slice(-2);
}

// Some of the stops of a walk, from the first to the last at equal distances.
function imageStops(stops, count) {
  return Array.from({ length: count }, (_, i) => Math.round((i * (stops - 1)) / (count - 1)));
}

// What a sample's distance says beside that of real images left out: the key of a sentence.
function imageVerdict(share) {
  if (share === null) return "images.alone";
  if (share <= 0.02) return "images.copied";
  return share > 0.95 ? "images.far" : "images.alike";
}

// Where distances lie on a scale that begins at 0 and holds them all, in percent.
function imageScale(distance, held) {
  const end = 1.1 * Math.max(distance, held.high, 1e-9);
  const place = (value) => (100 * value) / end;
  return { sample: place(distance), low: place(held.low), middle: place(held.middle), high: place(held.high) };
}

const imageNumber = (value) => Number(value.toPrecision(3)).toString();

// One question at a time: what is asked while an answer is awaited waits, and only the latest of it is asked.
function createAsking(send, patience = 20000) {
  let [serial, pending, since, next] = [0, null, 0, null];
  const go = (message) => {
    [pending, since, next] = [++serial, performance.now(), null];
    send({ ...message, asked: serial });
  };
  return {
    get waiting() {
      return pending !== null && performance.now() - since < patience;
    },
    ask(message) {
      if (this.waiting) next = message;
      else go(message);
    },
    // Whether this is the answer that was awaited.
    answered(message) {
      if (message.asked !== pending) return false;
      pending = null;
      if (next) go(next);
      return true;
    },
    release: () => (pending = next = null), // a refused question has no answer
  };
}

// ---- painting ----

const imageStrips = new WeakMap(); // one small canvas for each that is painted

// Paint images in rows; a frame goes around the one that is marked. Pixels stay squares where there is room for them.
function paintImages(canvas, bytes, [n, h, w, channels], columns, { gap = 2, marked = null, colour = "" } = {}) {
  const ratio = `${columns * w} / ${Math.ceil(n / columns) * h}`;
  if (canvas.style.aspectRatio !== ratio) canvas.style.aspectRatio = ratio;
  const { context, width, height } = fit(canvas);
  if (!width || !height || !n) return;
  if (!imageStrips.has(canvas)) imageStrips.set(canvas, element("canvas", {}));
  const strip = imageStrips.get(canvas);
  if (strip.width !== w || strip.height !== n * h) [strip.width, strip.height] = [w, n * h];
  strip.getContext("2d").putImageData(new ImageData(imagePixels(bytes, channels), w, n * h), 0, 0);
  imagePlaces(n, columns, width, height, gap).forEach(([x, y, wide, high], i) => {
    context.imageSmoothingEnabled = wide * (window.devicePixelRatio || 1) < 2 * w;
    context.drawImage(strip, 0, i * h, w, h, x, y, wide, high);
    if (i !== marked) return;
    context.lineWidth = 2;
    context.strokeStyle = colour;
    context.strokeRect(x + 1, y + 1, wide - 2, high - 2);
  });
}

// One of several images, or some of them, as bytes of their own.
function imagesAt(bytes, [, h, w, channels], indices) {
  const size = h * w * channels;
  const found = new Uint8Array(indices.length * size);
  indices.forEach((index, i) => found.set(bytes.subarray(index * size, (index + 1) * size), i * size));
  return found;
}

// ---- the samples, each a button to be picked: one of them is in the tab order, arrow keys move among them ----

function createSamples(view) {
  const canvas = element("canvas", { class: "gan-images-canvas" });
  const over = element("div", { class: "gan-images-over" });
  over.setAttribute("role", "group");
  const stage = element("div", { class: "gan-images-stage" }, canvas, over);
  const classes = element("div", { class: "gan-images-classes" });
  const node = element("div", { class: "gan-images-samples" }, classes, stage);
  const buttons = [];
  let at = 0;
  let columns = 1;

  const turn = (i) => {
    buttons[at].tabIndex = -1;
    at = i;
    buttons[at].tabIndex = 0;
  };
  view.listen(over, "keydown", (event) => {
    if (event.key === "Escape" && view.picks().length) view.clear();
    else {
      const to = gridMove(event.key, at, buttons.length, columns);
      if (to === null) return;
      turn(to);
      buttons[to].focus();
    }
    event.preventDefault();
    event.stopPropagation();
  });
  const make = (i) => {
    const button = element("button", { type: "button", tabIndex: i ? -1 : 0 });
    button.dataset.sample = i;
    view.listen(button, "click", () => {
      turn(i);
      view.pick(i);
    });
    return button;
  };

  return {
    node,
    canvas,
    relabel() {
      over.setAttribute("aria-label", view.say("images.grid"));
      this.mark();
    },
    mark() {
      const picks = view.picks();
      const told = view.scene()?.classes ?? [];
      buttons.forEach((button, i) => {
        const place = picks.indexOf(i);
        mark(button, "pick", place < 0 ? "" : picks.length < 2 || place === 1 ? "●" : "○");
        const pressed = String(place >= 0);
        if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
        const of = told.length ? view.say("images.sample_class", { i: i + 1, label: told[Math.floor(i / columns)] }) : view.say("images.sample", { i: i + 1 });
        if (button.getAttribute("aria-label") !== of) button.setAttribute("aria-label", of);
      });
    },
    refocus: () => buttons[at]?.focus(),
    paint(frame, scene) {
      const { images } = frame.shapes;
      columns = scene.columns;
      if (buttons.length !== images[0]) {
        over.style.setProperty("--columns", columns);
        buttons.splice(0, buttons.length, ...Array.from({ length: images[0] }, (_, i) => make(i)));
        at = 0;
        over.replaceChildren(...buttons);
        classes.replaceChildren(...scene.classes.map((label) => element("span", {}, String(label))));
        this.mark();
      }
      paintImages(canvas, frame.arrays.images, images, columns);
    },
  };
}

// ---- what hangs on a picked sample: its own image goes before, its answers come from the kernel ----

// What all of them share: a question that follows the picked samples and the training, and the answer to it.
function createPart(view, kind, question, paint) {
  const asking = createAsking((message) => view.driver.send({ type: kind, view: view.name, ...message }));
  let [answer, of, when, took] = [null, "", -Infinity, 0];
  const stale = () => of !== JSON.stringify([question(), view.moment()]);
  return {
    get answer() {
      return answer;
    },
    // Ask where something has changed; while it trains not more often than a picture is looked at, and than leaves the
    // most of the time to training.
    follow(patient = view.driver.state.playing) {
      const message = question();
      if (!message || !view.driver.state.frame || !stale()) return;
      if (patient && performance.now() - when < Math.max(1500, 6 * took)) return;
      [of, when] = [JSON.stringify([message, view.moment()]), performance.now()];
      asking.ask(message);
    },
    told(message, buffers) {
      if (message.type !== kind || message.view !== view.name || !asking.answered(message)) return;
      const frame = decode({ runs: [message], active: 0 }, buffers?.[0]);
      if (!frame) return;
      took = performance.now() - when;
      answer = { ...message, images: frame.arrays.images, shape: frame.shapes.images };
      paint(answer);
    },
    forget: () => ([answer, of] = [null, ""]),
    // Whether the answer for the samples picked has still to come.
    behind: () => Boolean(question()) && ["sample", "start", "end"].some((name) => answer?.[name] !== question()[name]),
    release: asking.release,
  };
}

// The real images nearest to the picked sample, in pixels and in features, with a scale of distances.
function createNearest(view) {
  const title = element("strong");
  title.dataset.key = "images.nearest";
  const own = element("canvas", { class: "gan-images-one" });
  own.setAttribute("role", "img");
  const searching = element("p", { class: "gan-images-note gan-images-searching" });
  searching.dataset.key = "images.searching";
  const list = element("div", { class: "gan-images-spaces" });
  const remark = element("p", { class: "gan-images-note" });
  remark.dataset.key = "images.nearest_note";
  const node = element("section", { class: "gan-images-part gan-images-nearest" }, title, element("div", { class: "gan-images-beside" }, own, element("div", {}, searching, list)), remark);
  const rows = new Map();

  const row = (space) => {
    const name = element("div", { class: "gan-images-space" });
    const strip = element("canvas", { class: "gan-images-strip" });
    strip.setAttribute("role", "img");
    const numbers = element("div", { class: "gan-images-numbers" });
    const [band, middle, sample] = [element("i"), element("b"), element("u")];
    const scale = element("div", { class: "gan-images-scale" }, band, middle, sample);
    scale.setAttribute("role", "img");
    const verdict = element("div", { class: "gan-images-verdict" });
    const box = element("div", { class: "gan-images-row" }, name, strip, numbers, scale, verdict);
    box.dataset.space = space;
    list.append(box);
    view.watch(strip);
    return { name, strip, numbers, band, middle, sample, scale, verdict, box };
  };

  function paint({ spaces, images, shape }) {
    const [, k, ...one] = shape;
    const size = images.length / spaces.length;
    spaces.forEach(({ space, distances, held, share, index, labels }, i) => {
      if (!rows.has(space)) rows.set(space, row(space));
      const { name, strip, numbers, band, middle, sample, scale, verdict, box } = rows.get(space);
      const title = space === "pixels" ? view.say("images.pixels") : view.say("images.features", { name: space });
      write(name, title);
      paintImages(strip, images.subarray(i * size, (i + 1) * size), [k, ...one], k);
      const shown = distances.map(imageNumber);
      numbers.style.setProperty("--columns", k);
      numbers.replaceChildren(...shown.map((text) => element("span", {}, text)));
      const told = index.map((n, j) => view.say(labels ? "images.neighbour_class" : "images.neighbour", { n, label: labels?.[j] ?? "", distance: shown[j] }));
      strip.setAttribute("aria-label", `${title}: ${told.join("; ")}`);
      strip.title = told.join("\n");
      scale.hidden = share === null;
      const at = imageScale(distances[0], held);
      [band.style.left, band.style.width] = [`${at.low}%`, `${at.high - at.low}%`];
      [middle.style.left, sample.style.left] = [`${at.middle}%`, `${at.sample}%`];
      const values = { low: imageNumber(held.low), middle: imageNumber(held.middle), high: imageNumber(held.high), distance: shown[0] };
      scale.setAttribute("aria-label", view.say("images.scale", values));
      scale.title = view.say("images.scale", values);
      const key = imageVerdict(share);
      mark(box, "verdict", key.split(".")[1]);
      write(verdict, view.say(key, { ...values, count: held.count }));
    });
  }

  const part = createPart(view, "nearest", () => (view.picked() === null ? null : { sample: view.picked() }), paint);
  view.watch(own);
  return {
    ...part,
    node,
    relabel: () => part.answer && paint(part.answer),
    paint(frame) {
      if (view.picked() === null) return;
      const [, ...one] = frame.shapes.images;
      paintImages(own, imagesAt(frame.arrays.images, frame.shapes.images, [view.picked()]), [1, ...one], 1);
      own.setAttribute("aria-label", view.say("images.sample", { i: view.picked() + 1 }));
      if (part.answer) paint(part.answer);
    },
  };
}

const WALK_SHOWN = 9;

// A line of images with the present one large before it.
function createLine(view, key) {
  const name = element("span", { class: "gan-images-space" });
  name.dataset.key = key;
  const large = element("canvas", { class: "gan-images-one" });
  const strip = element("canvas", { class: "gan-images-strip" });
  for (const canvas of [large, strip]) {
    canvas.setAttribute("role", "img");
    view.watch(canvas);
  }
  return {
    node: element("div", { class: "gan-images-line" }, large, element("div", {}, name, strip)),
    // images: those of all stops; place: the stop where a hand stands
    paint(images, shape, place) {
      const stops = imageStops(shape[0], WALK_SHOWN);
      const nearest = stops.reduce((best, stop, i) => (Math.abs(stop - place) < Math.abs(stops[best] - place) ? i : best), 0);
      paintImages(strip, imagesAt(images, shape, stops), [WALK_SHOWN, ...shape.slice(1)], WALK_SHOWN, { marked: nearest, colour: view.palette().fake });
      paintImages(large, imagesAt(images, shape, [place]), [1, ...shape.slice(1)], 1);
      const words = { place: place + 1, stops: shape[0], way: view.say(key) };
      strip.setAttribute("aria-label", view.say("images.strip", words));
      large.setAttribute("aria-label", view.say("images.at", words));
    },
  };
}

function createStops(view, key, stops, moved) {
  const slider = element("input", { type: "range", min: "0", max: String(stops - 1), step: "1", id: unique("stop") });
  const label = element("label", { htmlFor: slider.id });
  label.dataset.key = key;
  const value = element("output", { class: "gan-images-value" });
  view.listen(slider, "input", () => moved(Number(slider.value)));
  return {
    node: element("div", { class: "gan-lab-dial gan-images-stop" }, label, value, slider),
    show(place, text) {
      if (slider.value !== String(place)) slider.value = String(place);
      slider.style.setProperty("--place", place / (stops - 1));
      slider.setAttribute("aria-valuetext", text);
      write(value, text);
    },
  };
}

// From the sample picked before to the one picked last, straight and on the sphere.
function createWalk(view) {
  const stops = view.scene().stops;
  const title = element("strong");
  title.dataset.key = "images.walk";
  const hint = element("p", { class: "gan-images-note" });
  hint.dataset.key = "images.walk_hint";
  const classNote = element("p", { class: "gan-images-note" });
  classNote.dataset.key = "images.walk_class";
  const { classes, coded } = view.scene();
  const lines = [createLine(view, "images.straight"), createLine(view, "images.spherical")];
  let [place, way, timer] = [0, 1, null];
  const slider = createStops(view, "images.along", stops, (to) => {
    stop();
    place = to;
    repaint();
  });
  const play = view.button("images.stroll", () => (timer ? stop() : start()));
  const body = element("div", { class: "gan-images-body", hidden: true }, element("div", { class: "gan-images-hand" }, slider.node, play), ...lines.map(({ node }) => node));
  if (classes.length && !coded) body.append(classNote);
  const node = element("section", { class: "gan-images-part" }, title, hint, body);

  function start() {
    timer = setInterval(() => {
      if (place + way < 0 || place + way >= stops) way = -way;
      place += way;
      repaint();
    }, 90);
    label();
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    label();
  }
  const label = () => {
    play.dataset.key = timer ? "images.rest" : "images.stroll";
    write(play, view.say(play.dataset.key));
    play.setAttribute("aria-pressed", String(Boolean(timer)));
  };
  function repaint() {
    const answer = part.answer;
    slider.show(place, (place / (stops - 1)).toFixed(2));
    if (!answer) return;
    const [, ...shape] = answer.shape;
    const size = answer.images.length / 2;
    lines.forEach((line, i) => line.paint(answer.images.subarray(i * size, (i + 1) * size), shape, place));
  }
  const part = createPart(view, "walk", () => (view.picks().length < 2 ? null : { start: view.picks()[0], end: view.picks()[1] }), repaint);
  return {
    ...part,
    node,
    relabel: () => {
      label();
      repaint();
    },
    paint() {
      const two = view.picks().length === 2;
      if (!two && timer) stop();
      if (hint.hidden !== two) [hint.hidden, body.hidden] = [two, !two];
      repaint();
    },
    stop: () => clearInterval(timer),
  };
}

// Away from the picked sample along two directions of the latent space.
function createExplorer(view) {
  const { stops, reach, pairs, dim } = view.scene();
  const title = element("strong");
  title.dataset.key = "images.explore";
  const note = element("p", { class: "gan-images-note" });
  note.dataset.key = "images.explore_note";
  const middle = (stops - 1) / 2;
  const places = [middle, middle];
  let pair = 0;
  const far = (place) => ((place - middle) / middle) * reach;
  const lines = [createLine(view, "images.first_way"), createLine(view, "images.second_way")];
  const sliders = lines.map((_, i) =>
    createStops(view, i ? "images.second" : "images.first", stops, (to) => {
      places[i] = to;
      repaint();
      part.follow(false);
    }),
  );
  const turned = (next) => {
    pair = next;
    part.follow(false);
  };
  const other = view.button("images.other", () => turned(pair === null ? 0 : (pair + 1) % pairs));
  const last = view.button("images.last", () => turned(null));
  const back = view.button("images.back", () => {
    places.fill(middle);
    repaint();
    part.follow(false);
  });
  last.hidden = dim < 2;
  const node = element(
    "section",
    { class: "gan-images-part" },
    title,
    element("div", { class: "gan-images-hand" }, ...sliders.map(({ node }) => node)),
    ...lines.map(({ node }) => node),
    element("div", { class: "gan-images-hand" }, other, last, back),
    note,
  );

  function repaint() {
    sliders.forEach((slider, i) => slider.show(places[i], far(places[i]).toFixed(2).replace("-", "−")));
    const answer = part.answer;
    if (!answer) return;
    const [, ...shape] = answer.shape;
    const size = answer.images.length / 2;
    lines.forEach((line, i) => line.paint(answer.images.subarray(i * size, (i + 1) * size), shape, places[i]));
    last.setAttribute("aria-pressed", String(pair === null));
  }
  const question = () => (view.picked() === null ? null : { sample: view.picked(), s: far(places[0]), t: far(places[1]), pair });
  const part = createPart(view, "explore", question, repaint);
  return { ...part, node, relabel: repaint, paint: repaint };
}
