// Numbers over the steps come in; lines with their names at the right ends, and what is best as dotted lines, go out.

// The last step that a frame knows of: back in time that is not the step that it shows.
const lastStep = (frame, series) => Math.max(frame.step, ...series.map(({ points }) => points[points.length - 2] ?? 0));

// series: [{ name, colour, points: Float32Array [step, value, ...], rough?, reference?: [value, text] }]
function paintChart(canvas, { title, note, series, log = false, from, to, at = null, palette }) {
  const { context, width, height } = fit(canvas);
  if (!width || !height) return;
  const font = getComputedStyle(canvas).fontFamily;
  context.font = `600 12px ${font}`;
  const names = series.map(({ name, points }) => `${name} ${points.length ? short(points[points.length - 1]) : ""}`);
  const widest = Math.max(60, ...names.map((text) => context.measureText(text).width));
  const box = { left: 40, right: width - Math.min(widest + 14, 0.42 * width), top: 16, bottom: height - 20 };
  const place = log ? (value) => Math.log10(Math.max(value, 1e-12)) : (value) => value;
  const [floor, ceiling] = chartRange(series, place, log);
  const y = (value) => box.bottom - ((place(value) - floor) / (ceiling - floor)) * (box.bottom - box.top);
  const x = (step) => box.left + ((step - from) / Math.max(to - from, 1)) * (box.right - box.left);
  context.font = `11px ${font}`;
  context.textBaseline = "middle";
  context.lineWidth = 1;

  // grid and its numbers
  context.textAlign = "right";
  for (const tick of ticks(floor, ceiling, 4)) {
    if (log && !Number.isInteger(tick)) continue;
    context.strokeStyle = palette.grid;
    const value = log ? 10 ** tick : tick;
    line(context, box.left, y(value), box.right, y(value));
    context.fillStyle = palette.quiet;
    context.fillText(log && tick < -2 ? `1e−${-tick}` : brief(value), box.left - 6, y(value));
  }
  context.textAlign = "left";
  context.fillText(from.toLocaleString("en"), box.left, height - 7);
  context.textAlign = "right";
  context.fillText(to.toLocaleString("en"), box.right, height - 7);

  if (at !== null && at < to) {
    context.strokeStyle = palette.quiet; // where the picture stands, on the way to the end
    line(context, x(at), box.top, x(at), box.bottom);
  }
  context.save();
  context.beginPath();
  context.rect(box.left, box.top - 4, box.right - box.left, box.bottom - box.top + 8);
  context.clip();
  const marks = [];
  for (const { name, colour, points, rough, reference, bold = true } of series) {
    context.strokeStyle = colour;
    if (reference) {
      context.globalAlpha = 0.8;
      context.lineWidth = 1;
      context.setLineDash([2, 4]);
      line(context, box.left, y(reference[0]), box.right, y(reference[0]));
      context.setLineDash([]);
      const mark = { at: y(reference[0]), text: reference[1], colour, bold: false };
      const same = marks.find(({ text, at }) => text === mark.text && Math.abs(at - mark.at) < 3);
      if (same) same.colour = palette.quiet;
      else marks.push(mark);
    }
    const n = points.length / 2;
    if (!n) continue;
    const values = rough ? smoothed(points, n) : Float64Array.from({ length: n }, (_, i) => points[2 * i + 1]);
    if (rough) {
      context.globalAlpha = 0.3;
      trace(context, n, (i) => x(points[2 * i]), (i) => y(points[2 * i + 1]));
    }
    context.globalAlpha = 1;
    context.lineWidth = 1.8;
    trace(context, n, (i) => x(points[2 * i]), (i) => y(values[i]));
    marks.push({ at: y(values[n - 1]), text: `${name} ${short(values[n - 1])}`, colour, bold });
  }
  context.restore();

  // names at the right ends, pushed apart
  context.textAlign = "left";
  for (const mark of apart(marks, box.top, box.bottom)) {
    context.font = `${mark.bold ? "600 12px" : "11px"} ${font}`;
    context.fillStyle = mark.colour;
    context.fillText(mark.text, box.right + 8, mark.at, width - box.right - 8);
  }
  context.font = `600 11px ${font}`;
  context.fillStyle = palette.ink;
  context.fillText(title, box.left, 6);
  const begins = box.left + (title ? context.measureText(title).width + 8 : 0);
  context.font = `11px ${font}`;
  context.fillStyle = palette.quiet;
  context.fillText(note, begins, 6, width - begins);
}

const brief = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");
const short = (value) => (Math.abs(value) >= 100 || (value !== 0 && Math.abs(value) < 0.01) ? brief(value) : value.toFixed(2).replace("-", "−"));

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function trace(context, n, x, y) {
  context.beginPath();
  for (let i = 0; i < n; i++) context.lineTo(x(i), y(i));
  context.stroke();
}

function smoothed(points, n) {
  const half = Math.max(1, Math.round(n / 60));
  const result = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const [from, to] = [Math.max(0, i - half), Math.min(n - 1, i + half)];
    let sum = 0;
    for (let j = from; j <= to; j++) sum += points[2 * j + 1];
    result[i] = sum / (to - from + 1);
  }
  return result;
}

// All but the wildest hundredth of the lines, and the reference values.
function chartRange(series, place = (value) => value, log = false) {
  const values = [];
  for (const { points } of series) {
    for (let i = 1; i < points.length; i += 2) if (Number.isFinite(points[i])) values.push(place(points[i]));
  }
  values.sort((a, b) => a - b);
  const marks = series.filter(({ reference }) => reference).map(({ reference }) => place(reference[0]));
  const inner = values.length ? [values[Math.floor(0.01 * values.length)], values[Math.ceil(0.99 * (values.length - 1))]] : [];
  const [low, high] = [Math.min(...inner, ...marks, Infinity), Math.max(...inner, ...marks, -Infinity)];
  if (!Number.isFinite(low)) return log ? [-3, 0] : [0, 2];
  const margin = 0.12 * Math.max(high - low, log ? 0.5 : 0.05 * Math.max(Math.abs(high), Math.abs(low)), 1e-6);
  return [low - margin, high + margin];
}

function ticks(low, high, about) {
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const unit = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const result = [];
  for (let i = Math.ceil(low / unit); i * unit <= high; i++) result.push(i * unit);
  return result;
}

function apart(marks, top, bottom) {
  const gap = 14;
  const sorted = [...marks].sort((a, b) => a.at - b.at);
  sorted.forEach((mark, i) => (mark.at = Math.max(mark.at, i ? sorted[i - 1].at + gap : top)));
  for (let i = sorted.length - 1; i >= 0; i--) {
    sorted[i].at = Math.min(sorted[i].at, i === sorted.length - 1 ? bottom : sorted[i + 1].at - gap);
  }
  return sorted;
}

// The curves of a frame's losses as series: bins of `span` steps, from step `first`.
function lossSeries(frame, palette) {
  const { curve } = frame.arrays;
  const n = curve.length / 2;
  const of = (which) => {
    const points = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) {
      points[2 * i] = frame.first + (i + 0.5) * frame.span;
      points[2 * i + 1] = curve[2 * i + which];
    }
    return points;
  };
  return [
    { name: "D", colour: palette.discriminator, points: of(0), rough: true, reference: frame.references[0] },
    { name: "G", colour: palette.generator, points: of(1), rough: true, reference: frame.references[1] },
  ];
}

// The measures of a chart as series; with several runs the first measure of each, in the run's colour.
function measureSeries(frame, names, view, palette) {
  const colours = [palette.generator, palette.real, palette.discriminator, palette.runs[3]];
  const one = (run, name, label, colour) => {
    const points = run.arrays[`track_${name}`];
    const told = run.measures?.[name];
    if (!points?.length || told?.reason) return null;
    const floor = told?.floor;
    return { name: label, colour, points, reference: floor === null || floor === undefined ? null : [floor, view.say("perfect")] };
  };
  const found =
    frame.all.length > 1
      ? frame.all.map((run, i) => one(run, names.find((name) => !run.measures?.[name]?.reason) ?? names[0], run.name, palette.runs[i]))
      : names.map((name, i) => one(frame, name, view.language() === "en" ? view.setup.measures[name] : view.say(`measures.${name}`), colours[i]));
  return found.filter(Boolean);
}
