// What the page of every widget needs; it stands before the widget's own module, and the two are loaded as one.

function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children); // strings become text nodes, never markup
  // else an arrow on a slider would move JupyterLab to another cell, and two d's would delete one
  if (["button", "input", "select"].includes(tag)) node.dataset.lmSuppressShortcuts = "true";
  return node;
}

// Writing what stands there already would still cost the page a new layout.
const write = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

// Likewise for what the style sheet looks at: a value that stands there already is not set again.
const mark = (node, name, value) => {
  if (node.dataset[name] !== String(value)) node.dataset[name] = value;
};

let labels = 0; // ids tie labels to inputs; they only need to differ within the page
const unique = (name) => `gan-jax-${name}-${Date.now().toString(36)}-${++labels}`;

// The page is dark where what lies behind the widget is; where nothing is painted behind it, where its text is light.
function isDark(el) {
  const luminance = (color) => {
    const [r, g, b, alpha = 1] = (color.match(/[\d.]+/g) ?? []).map(Number);
    return alpha > 0.5 ? (0.299 * r + 0.587 * g + 0.114 * b) / 255 : null;
  };
  for (let node = el; node; node = node.parentElement) {
    const value = luminance(getComputedStyle(node).backgroundColor);
    if (value !== null) return value < 0.5;
  }
  const text = luminance(getComputedStyle(el).color);
  return text > 0.6 || (text === null && matchMedia("(prefers-color-scheme: dark)").matches);
}

// The root is told whether its page is light or dark, and painted anew when that or the theme's colours may have changed.
function followTheme(root, el, listen, repaint) {
  const look = () => {
    const theme = isDark(el) ? "dark" : "light";
    if (theme === root.dataset.theme) return;
    root.dataset.theme = theme;
    repaint();
  };
  const themes = new MutationObserver(() => {
    look();
    repaint();
  });
  for (const node of [document.documentElement, document.body]) themes.observe(node, { attributes: true });
  listen(matchMedia("(prefers-color-scheme: dark)"), "change", look);
  return { look, stop: () => themes.disconnect() };
}

// A canvas of this size on the page, empty, with a pixel of its own for each of the screen's.
function prepared(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
