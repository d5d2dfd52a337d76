// The page's files have no imports and no exports: the browser gets them as one. This loads some of them in node, after
// explorer/page.js as there, and hands out what it is asked for by name:
//
//     const { scaleOf } = await load("controls.js", ["scaleOf"]);
//     const { createChart } = await load(["paint.js", "chart.js"], ["createChart"]);

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../../gan_jax/", import.meta.url));
const FOLDERS = ["lab/page", "explorer", "."];
let loads = 0;

function find(name) {
  const path = FOLDERS.map((folder) => join(PACKAGE, folder, name)).find(existsSync);
  if (path) return path;
  throw new Error(`no page file is named ${name}: it would lie in gan_jax/${FOLDERS.join("/, gan_jax/")}/`);
}

export async function load(files, names) {
  const asked = [files].flat();
  const sources = ["page.js", ...asked.filter((name) => name !== "page.js")].map((name) => readFileSync(find(name), "utf8"));
  // each load is a module of its own, with fresh top-level variables, named in stack traces by its files
  const end = `export { ${names.join(", ")} };\n//# sourceURL=page.js+${asked.join("+")}?${++loads}`;
  const module = await import(`data:text/javascript,${encodeURIComponent([...sources, end].join("\n"))}`);
  return Object.fromEntries(names.map((name) => [name, module[name]]));
}

// As little of a browser as a driver or a part needs to be made: elements that hold what they are given, a clock and
// animation frames that move when the test says so. `pretend()` puts it in place and returns the hands:
//
//     const page = pretend();
//     page.frame();       // one animation frame
//     page.wait(6000);    // as much time passes, with the intervals and timeouts that are due
export function pretend({ calm = false, dark = false } = {}) {
  let now = 0;
  let handles = 0;
  const frames = new Map();
  const timers = new Map();
  const timer = (again) => (callback, wait = 0, ...rest) => {
    timers.set(++handles, { callback: () => callback(...rest), wait, due: now + wait, again });
    return handles;
  };
  const forget = (handle) => timers.delete(handle);
  const globals = {
    document: {
      createElement: (tag) => new Node(tag),
      createTextNode: (text) => new Node("#text", text),
      documentElement: new Node("html"),
      body: new Node("body"),
      activeElement: null,
    },
    matchMedia: (query) => Object.assign(new EventTarget(), { matches: query.includes("motion") ? calm : dark }),
    requestAnimationFrame: (callback) => (frames.set(++handles, callback), handles),
    cancelAnimationFrame: (handle) => frames.delete(handle),
    setTimeout: timer(false),
    setInterval: timer(true),
    clearTimeout: forget,
    clearInterval: forget,
    performance: { now: () => now },
    getComputedStyle: () => ({ backgroundColor: dark ? "rgb(20, 20, 20)" : "rgb(255, 255, 255)", color: "", fontFamily: "sans-serif" }),
  };
  const before = Object.fromEntries(Object.keys(globals).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return {
    frame(milliseconds = 16) {
      now += milliseconds;
      const due = [...frames.values()];
      frames.clear();
      due.forEach((callback) => callback(now));
    },
    wait(milliseconds) {
      const end = now + milliseconds;
      for (;;) {
        const [handle, next] = [...timers].filter(([, each]) => each.due <= end).sort(([, a], [, b]) => a.due - b.due)[0] ?? [];
        if (!next) break;
        now = Math.max(now, next.due);
        if (next.again) next.due += Math.max(next.wait, 1);
        else timers.delete(handle);
        next.callback();
      }
      now = end;
    },
    get pending() {
      return frames.size + timers.size; // what would still run
    },
    restore() {
      for (const [name, old] of Object.entries(before)) {
        if (old) Object.defineProperty(globalThis, name, old);
        else delete globalThis[name];
      }
    },
  };
}

class Node extends EventTarget {
  constructor(tag, text = "") {
    super();
    Object.assign(this, { tag, children: [], dataset: {}, attributes: {}, className: "", hidden: false, own: text });
    this.style = { setProperty: (name, value) => (this.style[name] = value) };
  }
  append(...nodes) {
    this.children.push(...nodes.map((node) => (node instanceof Node ? node : new Node("#text", String(node)))));
  }
  replaceChildren(...nodes) {
    this.own = "";
    this.children = [];
    this.append(...nodes);
  }
  setAttribute(name, value) {
    this.attributes[name] = String(value);
  }
  getAttribute(name) {
    return this.attributes[name] ?? null;
  }
  get textContent() {
    return this.own + this.children.map((node) => node.textContent).join("");
  }
  set textContent(text) {
    this.replaceChildren();
    this.own = String(text);
  }
}
