// A hand's strokes over the stage come in; the cloud they will become is shown, and its points go to the kernel.

const DRAWING_POINTS = 256; // as many as data.drawn keeps
const DRAWING_SCALE = 0.02; // width of the noise, as a share of the window
const DRAWING_STEP = 0.04; // how far an arrow key moves, likewise
const DRAWING_STROKES = 200;

// ---- strokes as lists of [x, y] in the plane ----

function drawingLength(line) {
  let sum = 0;
  for (let i = 1; i < line.length; i++) sum += Math.hypot(line[i][0] - line[i - 1][0], line[i][1] - line[i - 1][1]);
  return sum;
}

// A tap is as long as a short stroke: a spiral, whose points at equal lengths fill a disc evenly.
function drawingBlob([x, y], scale) {
  return Array.from({ length: 60 }, (_, i) => {
    const [r, angle] = [(1.5 * scale * i) / 59, (5 * Math.PI * i) / 59];
    return [x + r * Math.cos(angle), y + r * Math.sin(angle)];
  });
}

function drawingInk(stroke, scale) {
  return drawingLength(stroke) < scale ? drawingBlob(stroke[Math.floor(stroke.length / 2)], scale) : stroke;
}

// The places on a line at these lengths from its beginning; the lengths must rise.
function drawingAlong(line, lengths) {
  const found = [];
  let [at, before, size] = [0, 0, 0];
  for (const length of lengths) {
    while (at < line.length - 1 && (at === 0 || before + size < length)) {
      before += size;
      at += 1;
      size = Math.hypot(line[at][0] - line[at - 1][0], line[at][1] - line[at - 1][1]);
    }
    const [[x0, y0], [x1, y1]] = [line[Math.max(at - 1, 0)], line[at]];
    const share = size ? Math.min(Math.max((length - before) / size, 0), 1) : 0;
    found.push([x0 + share * (x1 - x0), y0 + share * (y1 - y0)]);
  }
  return found;
}

// Whole numbers that sum to `total`, in proportion to the lengths, none of them 0.
function drawingShares(lengths, total) {
  const sum = lengths.reduce((a, b) => a + b, 0);
  const free = total - lengths.length;
  const exact = lengths.map((length) => (sum ? (free * length) / sum : free / lengths.length));
  const shares = exact.map((value) => 1 + Math.floor(value));
  const order = exact.map((value, i) => [value - Math.floor(value), i]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  const rest = total - shares.reduce((a, b) => a + b, 0);
  for (let i = 0; i < rest; i++) shares[order[i][1]] += 1;
  return shares;
}

// Points at equal lengths along all strokes, stroke by stroke, as x, y, x, y, ...: what the kernel is sent.
function drawingPoints(strokes, scale, total = DRAWING_POINTS) {
  const lines = strokes.map((stroke) => drawingInk(stroke, scale));
  const lengths = lines.map(drawingLength);
  const shares = drawingShares(lengths, total);
  const points = lines.flatMap((line, k) =>
    drawingAlong(line, Array.from({ length: shares[k] }, (_, i) => ((i + 0.5) / shares[k]) * lengths[k])),
  );
  return Float32Array.from(points.flat());
}

// Dots sprayed along the strokes, as the target's samples will lie. Each stroke has its own fixed noise, so that the
// dots that are there stay where they are while it grows.
function drawingCloud(strokes, scale) {
  const dots = [];
  strokes.forEach((stroke, k) => {
    const line = drawingInk(stroke, scale);
    const gap = scale / 5;
    const count = Math.max(1, Math.floor(drawingLength(line) / gap));
    const random = drawingNoise(k);
    for (const [x, y] of drawingAlong(line, Array.from({ length: count }, (_, i) => (i + 0.5) * gap))) {
      const [r, angle] = [scale * Math.sqrt(-2 * Math.log(1 - random())), 2 * Math.PI * random()];
      dots.push(x + r * Math.cos(angle), y + r * Math.sin(angle));
    }
  });
  return Float32Array.from(dots);
}

// Numbers in [0, 1), the same for the same seed.
function drawingNoise(seed) {
  let state = (2654435769 * (seed + 1)) >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  next();
  return next;
}

// Bytes as text: every front end's comm carries a string, while binary buffers towards the kernel are not everywhere.
function drawingText(numbers) {
  const bytes = new Uint8Array(numbers.length * 4);
  const writer = new DataView(bytes.buffer);
  numbers.forEach((value, i) => writer.setFloat32(4 * i, value, true));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

// ---- the pad ----

function createDrawing(view) {
  const { stage } = view;
  let strokes = [];
  let kept = []; // as they were when the pad was opened
  let active = null; // the pointer that draws: { id, type, stroke }
  let cursor = null; // of the keyboard, in the plane
  let line = null; // the stroke that Shift and the arrows draw
  let keys = false; // whether the keyboard was used last
  let palette = null;
  let tick;
  let news;

  const button = (name, press) => {
    const node = element("button", { type: "button", class: `gan-lab-button gan-lab-drawing-${name}` });
    view.listen(node, "click", press);
    return node;
  };
  const buttons = {
    open: button("open", () => open()),
    train: button("train", () => train()),
    undo: button("undo", () => undo()),
    clear: button("clear", () => clear()),
    cancel: button("cancel", () => cancel()),
  };
  const help = element("p", { class: "gan-lab-drawing-help", id: unique("drawing-help") });
  const tools = element("div", { class: "gan-lab-drawing-tools", hidden: true });
  tools.setAttribute("role", "group");
  tools.append(...["train", "undo", "clear", "cancel"].map((name) => buttons[name]), help);
  const told = element("div", { class: "gan-lab-hidden" });
  told.setAttribute("role", "status");
  const node = element("div", { class: "gan-lab-drawing" }, buttons.open, told);

  const canvas = element("canvas", { class: "gan-lab-drawing-canvas", tabIndex: 0 });
  canvas.setAttribute("role", "application"); // else a screen reader would keep the arrow keys
  canvas.setAttribute("aria-describedby", help.id);
  canvas.dataset.lmSuppressShortcuts = "true"; // else JupyterLab would take the arrow keys
  const invitation = element("p", { class: "gan-lab-drawing-invitation" });
  invitation.setAttribute("aria-hidden", "true");
  const pad = element("div", { class: "gan-lab-drawing-pad", hidden: true }, canvas, invitation);
  const sizes = new ResizeObserver(() => place());

  const isOpen = () => !pad.hidden;
  const side = () => Math.abs(stage.toPlane(stage.canvas.clientWidth, 0)[0] - stage.toPlane(0, 0)[0]);
  const scale = () => Number((DRAWING_SCALE * side()).toPrecision(2));

  function relabel() {
    for (const [name, each] of Object.entries(buttons)) {
      write(each, view.say(`drawing.${name}`));
      each.title = view.say(`drawing.${name}.title`);
    }
    write(help, view.say("drawing.help"));
    write(invitation, view.say("drawing.invitation"));
    canvas.setAttribute("aria-label", view.say("drawing.pad"));
    tools.setAttribute("aria-label", view.say("drawing.tools"));
  }

  // Said once the hand rests: a screen reader would else still speak of where the cursor was.
  function tell(key, values) {
    clearTimeout(news);
    news = setTimeout(() => write(told, view.say(key, values)), 150);
  }

  function tellCursor() {
    const [x, y] = cursor.map((value) => Number(value.toPrecision(2)).toString().replace("-", "−"));
    tell("drawing.at", { x, y });
  }

  function open() {
    if (!stage.place) return; // nothing is painted yet
    kept = strokes.slice();
    const { canvas: under } = stage;
    if (getComputedStyle(under.parentElement).position === "static") under.parentElement.classList.add("gan-lab-drawing-ground");
    under.after(pad);
    under.parentElement.after(tools); // beside what they act on, wherever the button stands
    pad.hidden = tools.hidden = false;
    buttons.open.hidden = true;
    node.dataset.open = "true";
    const [left, bottom] = stage.toPlane(0, under.clientHeight);
    const [right, top] = stage.toPlane(under.clientWidth, 0);
    cursor = [(left + right) / 2, (bottom + top) / 2];
    line = active = null;
    sizes.observe(under);
    place();
    changed();
    canvas.focus({ preventScroll: true });
  }

  function close() {
    const inside = [pad, tools].some((part) => part.contains(document.activeElement));
    sizes.disconnect();
    pad.hidden = tools.hidden = true;
    buttons.open.hidden = false;
    node.dataset.open = "false";
    if (inside) buttons.open.focus({ preventScroll: true });
  }

  function cancel() {
    strokes = kept;
    close();
    tell("drawing.cancelled");
  }

  function train() {
    if (!strokes.length) return tell("drawing.empty");
    const width = scale();
    const points = drawingText(drawingPoints(strokes, width));
    view.driver.send({ type: "draw", points, scale: width, everywhere: view.everywhere?.() ?? false });
    close();
    tell("drawing.sent");
    if (!view.driver.state.playing) view.driver.play?.();
  }

  function undo() {
    strokes = strokes.slice(0, -1);
    line = null;
    changed();
    tell("drawing.undone", { count: strokes.length });
  }

  function clear() {
    strokes = [];
    line = null;
    changed();
    tell("drawing.cleared");
  }

  function changed() {
    const none = !strokes.length;
    for (const name of ["train", "undo", "clear"]) {
      // not `disabled`, which would take the focus away from who has just pressed it
      buttons[name].setAttribute("aria-disabled", String(none));
    }
    invitation.hidden = !none || keys;
    node.dataset.strokes = strokes.length;
    repaint();
  }

  function place() {
    const { canvas: under } = stage;
    const box = { left: under.offsetLeft, top: under.offsetTop, width: under.clientWidth, height: under.clientHeight };
    for (const [name, value] of Object.entries(box)) pad.style[name] = `${value}px`;
    repaint();
  }

  function repaint() {
    if (tick !== undefined) return;
    tick = requestAnimationFrame(() => {
      tick = undefined;
      if (isOpen()) draw();
    });
  }

  function draw() {
    const { context, width } = fit(canvas);
    const colours = palette ?? view.palette();
    const dots = drawingCloud(strokes, scale());
    const radius = Math.max(1.2, width / 300);
    context.fillStyle = colours.real;
    context.globalAlpha = 0.75;
    context.beginPath();
    for (let i = 0; i < dots.length; i += 2) {
      const [x, y] = stage.toPixels(dots[i], dots[i + 1]);
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.fill();
    context.globalAlpha = 1;
    if (keys) drawCursor(context, colours);
  }

  function drawCursor(context, colours) {
    const [x, y] = stage.toPixels(...cursor);
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { // prettier-ignore
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
    for (const [strokeStyle, lineWidth] of [[colours.halo, 5], [colours.ink, 2]]) { // prettier-ignore
      Object.assign(context, { strokeStyle, lineWidth });
      context.stroke();
    }
  }

  function begin(stroke) {
    if (strokes.length >= DRAWING_STROKES) {
      tell("drawing.full", { count: DRAWING_STROKES });
      return false;
    }
    strokes = [...strokes, stroke];
    return true;
  }

  // ---- mouse, touch and pen ----

  // Where a pointer is in the plane, held within the picture: it is captured, and may leave.
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const within = (value, end) => Math.min(Math.max(value, 0), end);
    return stage.toPlane(within(event.clientX - box.left, box.width), within(event.clientY - box.top, box.height));
  };

  view.listen(canvas, "pointerdown", (event) => {
    // one hand draws at a time; a pen takes over from the palm that rests beside it
    if (event.button !== 0 || (active && !(event.pointerType === "pen" && active.type === "touch"))) return;
    event.preventDefault();
    if (active) strokes = strokes.filter((each) => each !== active.stroke);
    const stroke = [at(event)];
    if (!begin(stroke)) return;
    active = { id: event.pointerId, type: event.pointerType, stroke };
    line = null;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    keys = false;
    changed();
  });
  view.listen(canvas, "pointermove", (event) => {
    if (event.pointerId !== active?.id) return;
    // between two pictures a fast hand is at many places; some browsers answer with none
    const passed = event.getCoalescedEvents?.() ?? [];
    const least = side() / 1000;
    for (const each of passed.length ? passed : [event]) {
      const [place, last] = [at(each), active.stroke.at(-1)];
      if (Math.hypot(place[0] - last[0], place[1] - last[1]) > least) active.stroke.push(place);
    }
    repaint();
  });
  const lift = (event) => {
    if (event.pointerId !== active?.id) return;
    active = null;
    tell("drawing.strokes", { count: strokes.length });
  };
  view.listen(canvas, "pointerup", lift);
  view.listen(canvas, "pointercancel", lift);
  view.listen(canvas, "lostpointercapture", lift);
  view.listen(canvas, "contextmenu", (event) => event.preventDefault()); // a long press on a phone

  // ---- the keyboard ----

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  function move([dx, dy], draws) {
    const [box, step] = [canvas.getBoundingClientRect(), DRAWING_STEP * side()];
    const [x, y] = stage.toPixels(cursor[0] + dx * step, cursor[1] + dy * step);
    const next = stage.toPlane(Math.min(Math.max(x, 0), box.width), Math.min(Math.max(y, 0), box.height));
    if (draws) {
      if (!line && begin([cursor])) line = strokes.at(-1);
      line?.push(next);
    } else line = null;
    cursor = next;
    tellCursor();
  }

  function press(event) {
    if (event.key in ARROWS) move(ARROWS[event.key], event.shiftKey);
    else if (event.key === " ") {
      line = null;
      if (begin([cursor])) tell("drawing.strokes", { count: strokes.length });
    } else if (["Backspace", "Delete"].includes(event.key)) undo();
    else if (event.key === "Enter") train();
    else return false;
    return true;
  }

  view.listen(canvas, "keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.key === "Escape") return;
    keys = event.key !== "Enter";
    if (!press(event)) return;
    event.preventDefault();
    event.stopPropagation();
    changed();
  });
  for (const part of [pad, tools]) {
    view.listen(part, "keydown", (event) => {
      const undoes = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
      if (event.key !== "Escape" && !undoes) return;
      event.preventDefault();
      event.stopPropagation();
      if (undoes) undo();
      else cancel();
    });
  }
  view.listen(canvas, "focus", () => {
    keys = canvas.matches(":focus-visible"); // came by keyboard
    if (keys) tellCursor();
    changed();
  });

  relabel();
  return {
    node,
    relabel,
    paint(frame, scene, now) {
      palette = now;
      if (isOpen()) repaint();
    },
    stop() {
      cancelAnimationFrame(tick);
      clearTimeout(news);
      sizes.disconnect();
      pad.remove();
      tools.remove();
    },
  };
}
