// Eigenvalues of the game and D's reliability come in when they are asked for; two pictures with a sentence each go out.

const EIGEN_EVERY = 1000; // milliseconds between two reliability diagrams while the game goes on
const EIGEN_TICKS = [1, 10, 100, 1000, 10000];

// ---- what needs no page ----

// Evenly near 0, by powers of ten farther out: eigenvalues of one game lie between 0.01 and 1000.
const eigenBend = (value) => Math.asinh(value);

// Half the side of the plane: beyond the farthest eigenvalue, to a tick.
function eigenReach(values) {
  const farthest = Math.max(1, ...values.flat().map(Math.abs));
  return EIGEN_TICKS.find((tick) => tick >= 1.2 * farthest) ?? 2 * farthest;
}

// By what factor one step of plain gradient descent stretches the direction of an eigenvalue.
const eigenFactor = ([real, imaginary], rate) => Math.hypot(1 + rate * real, rate * imaginary);

// What the eigenvalues say, as the key of a sentence: they push away, they circle, or they settle.
function eigenVerdict(values, rate) {
  const rightmost = Math.max(...values.map(([real]) => real));
  if (rightmost > 1e-3) return "away";
  return values.some((value) => eigenFactor(value, rate) > 1 + 1e-9) ? "steps" : "rest";
}

// The circle in which one step of this rate shrinks, as points of the plane: centre -1 / rate, radius 1 / rate.
function eigenCircle(rate, n = 240) {
  return Array.from({ length: n + 1 }, (_, i) => {
    // points crowd where the circle touches 0, for the bent plane shows most of it there: 1 - cos = 2 sin^2
    const angle = Math.PI * (2 * i / n - 1) ** 5; // prettier-ignore
    return [(-2 * Math.sin(angle / 2) ** 2) / rate, Math.sin(angle) / rate];
  });
}

// ---- the part ----

function createEigen(view) {
  const { driver } = view;
  const say = (key, values) => view.say(`eigen.${key}`, values);
  let [palette, found, reliable, asked, frame] = [null, null, null, -Infinity, null];
  let waiting = false;

  const canvas = (name) => {
    const made = element("canvas", { class: `gan-lab-eigen-canvas gan-lab-eigen-${name}` });
    made.setAttribute("role", "img");
    return made;
  };
  const plane = canvas("plane");
  const diagram = canvas("diagram");
  const compute = element("button", { type: "button", class: "gan-lab-button gan-lab-eigen-compute" });
  const verdict = element("p", { class: "gan-lab-eigen-text" });
  verdict.setAttribute("role", "status");
  const explained = element("p", { class: "gan-lab-eigen-text" });
  const error = element("p", { class: "gan-lab-eigen-text" });
  const meaning = element("p", { class: "gan-lab-eigen-text" });
  const [spectrumSummary, reliabilitySummary] = [element("summary"), element("summary")];
  const spectrum = element("details", { class: "gan-lab-eigen-box" }, spectrumSummary, compute, plane, verdict, explained);
  const reliability = element("details", { class: "gan-lab-eigen-box" }, reliabilitySummary, diagram, error, meaning);
  const node = element("div", { class: "gan-lab-eigen" }, spectrum, reliability);

  const askSpectrum = () => {
    if (waiting) return;
    waiting = true;
    write(verdict, say("waiting"));
    driver.send({ type: "spectrum" });
  };
  const askReliability = () => {
    asked = performance.now();
    driver.send({ type: "reliability" });
  };
  view.listen(compute, "click", askSpectrum);
  view.listen(spectrum, "toggle", () => {
    if (spectrum.open && !found) askSpectrum();
    repaint();
  });
  view.listen(reliability, "toggle", () => {
    if (reliability.open) askReliability();
    repaint();
  });

  function repaint() {
    if (!palette) return;
    if (spectrum.open) paintPlane();
    if (reliability.open) paintDiagram();
  }

  function paintPlane() {
    plane.hidden = !found;
    if (!found) return;
    const { context, width, height } = fit(plane);
    if (!width) return;
    const reach = eigenBend(eigenReach(found.values));
    const [middleX, middleY] = [width / 2, height / 2];
    const scale = (Math.min(width, height) / 2 - 8) / reach;
    const x = (value) => middleX + eigenBend(value) * scale;
    const y = (value) => middleY - eigenBend(value) * scale;
    context.font = `11px ${getComputedStyle(plane).fontFamily}`;

    // left of the line the flow comes to rest
    context.fillStyle = palette.grid;
    context.fillRect(0, 0, middleX, height);
    context.strokeStyle = palette.grid;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, middleY);
    context.lineTo(width, middleY);
    context.stroke();
    context.fillStyle = palette.quiet;
    context.textBaseline = "top";
    for (const tick of EIGEN_TICKS.filter((tick) => eigenBend(tick) <= reach)) {
      for (const sign of [-1, 1]) {
        context.beginPath();
        context.moveTo(x(sign * tick), middleY - 3);
        context.lineTo(x(sign * tick), middleY + 3);
        context.moveTo(middleX - 3, y(sign * tick));
        context.lineTo(middleX + 3, y(sign * tick));
        context.strokeStyle = palette.quiet;
        context.stroke();
        if (eigenBend(tick) * scale < 26) continue; // too near to 0 to be read
        context.textAlign = "center";
        context.fillText(layersNumber(sign * tick), x(sign * tick), middleY + 5);
        context.textAlign = "left";
        context.fillText(`${layersNumber(sign * tick)}i`, middleX + 6, y(sign * tick) - 5);
      }
    }
    context.strokeStyle = palette.ink;
    context.lineWidth = 1.4;
    context.beginPath();
    context.moveTo(middleX, 0);
    context.lineTo(middleX, height);
    context.stroke();
    if (found.rate > 0) {
      context.setLineDash([5, 4]);
      context.beginPath();
      for (const [real, imaginary] of eigenCircle(found.rate)) context.lineTo(x(real), y(imaginary));
      context.stroke();
      context.setLineDash([]);
    }
    context.fillStyle = palette.quiet;
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.fillText(say("left"), 6, height - 6);
    context.textAlign = "right";
    context.fillText(say("right"), width - 6, height - 6);
    for (const [real, imaginary] of found.values) {
      const away = real > 1e-3;
      context.beginPath();
      if (away) context.rect(x(real) - 3.5, y(imaginary) - 3.5, 7, 7);
      else context.arc(x(real), y(imaginary), 4, 0, 2 * Math.PI);
      context.fillStyle = away ? palette.fake : palette.real;
      context.strokeStyle = palette.halo;
      context.lineWidth = 1.2;
      context.fill();
      context.stroke();
    }
  }

  function paintDiagram() {
    diagram.hidden = !reliable || Boolean(reliable.reason);
    if (diagram.hidden) return;
    const { context, width, height } = fit(diagram);
    if (!width) return;
    const box = { left: 40, right: width - 10, top: 10, bottom: height - 32 };
    const x = (value) => box.left + value * (box.right - box.left);
    const y = (value) => box.bottom - value * (box.bottom - box.top);
    context.font = `11px ${getComputedStyle(diagram).fontFamily}`;
    context.lineWidth = 1;
    for (const tick of [0, 0.5, 1]) {
      context.strokeStyle = palette.grid;
      context.beginPath();
      context.moveTo(x(0), y(tick));
      context.lineTo(x(1), y(tick));
      context.moveTo(x(tick), y(0));
      context.lineTo(x(tick), y(1));
      context.stroke();
      context.fillStyle = palette.quiet;
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(String(tick), box.left - 6, y(tick));
      context.textAlign = "center";
      context.textBaseline = "top";
      context.fillText(String(tick), x(tick), box.bottom + 4);
    }
    context.fillStyle = palette.ink;
    context.textAlign = "right";
    context.fillText(say("answer"), box.right, box.bottom + 17);
    context.save();
    context.translate(10, box.top);
    context.rotate(-Math.PI / 2);
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText(say("share"), 0, 0);
    context.restore();
    context.strokeStyle = palette.quiet;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(x(0), y(0));
    context.lineTo(x(1), y(1));
    context.stroke();
    context.setLineDash([]);
    const total = reliable.count.reduce((sum, count) => sum + count, 0);
    context.strokeStyle = context.fillStyle = palette.discriminator;
    context.lineWidth = 1.6;
    context.beginPath();
    reliable.answer.forEach((answer, i) => context.lineTo(x(answer), y(reliable.share[i])));
    context.stroke();
    reliable.answer.forEach((answer, i) => {
      context.beginPath();
      context.arc(x(answer), y(reliable.share[i]), 2 + 10 * Math.sqrt(reliable.count[i] / total), 0, 2 * Math.PI);
      context.globalAlpha = 0.75;
      context.fill();
      context.globalAlpha = 1;
    });
  }

  function showSpectrum() {
    if (!found) return;
    const { values, rightmost, rate, size, step, seconds, settled } = found;
    const n = layersNumber;
    const key = eigenVerdict(values, rate);
    const text = say(`verdict.${key}`, { rightmost: n(rightmost), step: step.toLocaleString("en") });
    write(verdict, settled ? text : `${text} ${say("unsettled")}`);
    write(explained, say("explained", { count: values.length, size: size.toLocaleString("en"), rate: n(rate), seconds: seconds.toFixed(1) }));
    plane.setAttribute("aria-label", say("plane.label", { rightmost: n(rightmost), values: values.slice(0, 6).map(([a, b]) => `${n(a)} ${b < 0 ? "−" : "+"} ${n(Math.abs(b))}i`).join(", ") })); // prettier-ignore
  }

  function showReliability() {
    if (!reliable) return;
    if (reliable.reason) {
      write(error, view.say(reliable.reason.key, reliable.reason.values));
      write(meaning, "");
      return;
    }
    const text = say("error", { error: layersNumber(reliable.error), floor: layersNumber(reliable.floor) });
    write(error, text);
    write(meaning, say("meaning"));
    diagram.setAttribute("aria-label", text);
  }

  function relabel() {
    write(spectrumSummary, say("spectrum"));
    write(reliabilitySummary, say("reliability"));
    write(compute, say("compute"));
    compute.title = say("compute.title");
    showSpectrum();
    showReliability();
    repaint();
  }

  node.hidden = !driver.live; // a replay has no kernel to ask
  const sizes = new ResizeObserver(repaint);
  sizes.observe(plane);
  sizes.observe(diagram);
  relabel();
  return {
    node,
    relabel,
    paint(painted, scene, colours) {
      const changed = palette !== colours;
      [frame, palette] = [painted, colours];
      if (reliability.open && performance.now() - asked > EIGEN_EVERY && frame.step !== reliable?.step) askReliability();
      if (changed) repaint();
    },
    told(message) {
      if (message.type === "spectrum") {
        [found, waiting] = [message, false];
        showSpectrum();
      } else if (message.type === "reliability") {
        reliable = message;
        showReliability();
      } else return;
      repaint();
    },
    update(state) {
      if (state.notice?.kind === "error") waiting = false;
    },
    stop() {
      sizes.disconnect();
    },
  };
}
