"""What the tests in a real browser share: chromium, JupyterLab, and a bare page in which a widget is shown."""

import base64
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARTEFACTS = ROOT / ".artefacts"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]  # fmt: skip


def chromium_path() -> str | None:
    """Where there is a chromium: the one named by GAN_JAX_CHROMIUM, else the first on the path."""
    named = os.environ.get("GAN_JAX_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def chromium():
    """A headless browser, closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def jupyter_lab(folder: Path, python: str = sys.executable):
    """JupyterLab on `folder`, on a free port of this machine; yields a function from a notebook's name to its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token, home = secrets.token_hex(16), folder / ".jupyter-home"
    home.mkdir(exist_ok=True)
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR",
               "JUPYTERLAB_WORKSPACES_DIR")  # fmt: skip
    settings = {name: str(home / name.lower()) for name in folders}
    # a kernel named python3 from elsewhere on the machine must not be taken for this environment's
    settings |= {"JUPYTER_PREFER_ENV_PATH": "1", "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    quiet = home / "jupyterlab_settings_dir/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True, exist_ok=True)
    quiet.write_text('{"fetchNews": "false"}')
    log = (home / "log.txt").open("w")
    server = subprocess.Popen(
        [python, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0",
         "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
         "--LabApp.news_url=''", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
         "--ServerApp.terminals_enabled=False"],
        env=os.environ | settings, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(240):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=2).close()
                break
            assert server.poll() is None, (home / "log.txt").read_text()
            time.sleep(0.5)
        yield lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}?token={token}&reset"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells."""
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)


@pytest.fixture(scope="module")
def browser():
    if chromium_path() is None:
        line = "no browser: install chromium (Debian: apt-get install chromium) or name one in GAN_JAX_CHROMIUM"
        pytest.fail(line) if os.environ.get("CI") == "true" else pytest.skip(line)
    with chromium() as opened:
        yield opened


# ---- a widget's JavaScript alone, in a bare page ----

HARNESS = """
window.start = async ({ source, css, state, width }) => {
  document.body.style.margin = "0";
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const unpack = (value) => {
    if (Array.isArray(value)) return value.map(unpack);
    if (value === null || typeof value !== "object") return value;
    if ("bytes in base64" in value) return bytes(value["bytes in base64"]);
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unpack(inner)]));
  };
  const listeners = new Set();
  const emit = (name, ...what) => {
    for (const [event, callback] of [...listeners]) if (event === name) callback(...what);
  };
  window.sent = [];
  window.model = {
    state: unpack(state),
    get: (name) => model.state[name],
    on: (event, callback) => listeners.add([event, callback]),
    off: (event, callback) => listeners.forEach((pair) => pair[1] === callback && listeners.delete(pair)),
    send: (message) => {
      sent.push(JSON.parse(JSON.stringify(message)));
      const play = (answers) => answers.forEach(([how, ...what]) => window[how](...what));
      if (window.kernel) window.kernel(message).then(play);
    },
    listeners,
  };
  window.receive = (message, payload) => emit("msg:custom", message, payload ? [bytes(payload)] : []);
  window.sync = (changes) => {
    Object.assign(model.state, unpack(changes));
    for (const name of Object.keys(changes)) emit(`change:${name}`);
  };
  const { default: make } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  window.widget = await make();
  window.unplug = await widget.initialize({ model });
  window.show = async () => {
    const el = document.createElement("div");
    if (width) el.style.width = width + "px";
    document.body.append(el);
    return await widget.render({ model, el });
  };
  window.close_view = await show();
};
"""


def pack(value):
    """A widget's state as JSON, its bytes in base64, for `unpack` on the page."""
    if isinstance(value, bytes):
        return {"bytes in base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: pack(inner) for name, inner in value.items()}
    return [pack(inner) for inner in value] if isinstance(value, list | tuple) else value


class Bare:
    """A widget in a bare page. Its kernel is silent and the test answers in its place; `wire` connects a real one."""

    state: tuple[str, ...]  # the parts of it that the page sees

    def __init__(self, page, widget):
        self.page, self.widget, self.errors = page, widget, []
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.evaluate(f"() => {{ {HARNESS} }}")

    def start(self, width=None, **changes):
        """Show the widget, with some of its state changed."""
        state = {name: getattr(self.widget, name) for name in self.state} | changes
        settings = {"source": self.widget._esm, "css": self.widget._css, "state": pack(state), "width": width}
        self.page.evaluate("settings => start(settings)", settings)
        return self

    def wire(self):
        """Let the widget's own Python answer, as it does in a notebook, in the same process."""

        def kernel(message):
            answers = []
            self.widget.send = lambda content, buffers=None: answers.append(
                ["receive", content, base64.b64encode(buffers[0]).decode() if buffers else None]
            )
            follow = lambda change: answers.append(["sync", {change.name: pack(change.new)}])  # noqa: E731
            self.widget.observe(follow, self.state)
            try:
                self.widget._handle_custom_msg(message, [])
            finally:
                self.widget.unobserve(follow, self.state)
            return answers

        self.page.expose_function("kernel", kernel)
        return self

    def receive(self, **message):
        self.page.evaluate("m => receive(m)", message)

    def sync(self, **changes):
        """Change the model's state, as the kernel would."""
        self.page.evaluate("changes => sync(changes)", pack(changes))

    @property
    def sent(self):
        return self.page.evaluate("sent")

    def wait(self, condition):
        self.page.wait_for_function(condition, timeout=20_000)

    def press(self, name):
        self.page.get_by_role("button", name=name).click()
