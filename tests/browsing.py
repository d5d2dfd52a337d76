"""What the tests in a real browser share: chromium, JupyterLab, and a bare page in which a widget is shown."""

import ast
import base64
import contextlib
import datetime
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
ARTEFACTS = ROOT / ".artefacts"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]  # fmt: skip
PATIENCE = 90
"""Seconds after which what has not come will not: a busy machine is slow, and waiting for a condition loses no time."""


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
    """A Jupyter server on `folder`, on a free port of this machine; yields a function from a notebook's name to a URL.

    That is the notebook's address in JupyterLab; with `page="notebooks"` in Notebook 7, `"voila/render"` in Voilà.
    """
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
    for attempt in range(3):
        port = free_port()
        with (home / "log.txt").open("w") as log:
            server = subprocess.Popen(
                [python, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
                 "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={token}",
                 f"--ServerApp.root_dir={folder}", "--LabApp.news_url=''",
                 "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                 "--ServerApp.terminals_enabled=False", "--LanguageServerManager.autodetect=False"],
                env=os.environ | settings, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        if is_up(server, f"http://127.0.0.1:{port}/api?token={token}"):
            break
        assert attempt < 2, (home / "log.txt").read_text()  # else somebody was quicker to take the port
    try:
        yield lambda name, page="lab/tree": f"http://127.0.0.1:{port}/{page}/{name}?token={token}&reset"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_up(server: subprocess.Popen, address: str) -> bool:
    """Wait until a server answers; False when it has ended instead."""
    until = time.monotonic() + 2 * PATIENCE
    while server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=2).close()
            return True
        if time.monotonic() > until:
            server.kill()
        time.sleep(0.1)
    return False


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


# ---- a notebook, in the pages that a Jupyter server serves ----


class Notebook:
    """A notebook open in JupyterLab, or in Notebook 7."""

    def __init__(self, page, address):
        self.page, self.errors = page, []
        origin = address[: address.index("/", len("http://"))]
        page.on("console", lambda m: self.note(m, origin))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.api = lambda path: origin + f"/api/{path}?" + address.split("?")[1]
        page.context.set_default_timeout(1000 * PATIENCE)
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(state="attached", timeout=120_000)
        self.until(self.is_connected, "no kernel is connected")  # a page calls a kernel idle before it is

    def until(self, true, otherwise):
        """Wait until something is true in Python, while the page goes on."""
        until = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < until, otherwise
            self.page.wait_for_timeout(100)

    def is_connected(self):
        with contextlib.suppress(OSError):  # a server that is just ending another kernel may fail to list them
            return any(kernel["connections"] and kernel["execution_state"] == "idle" for kernel in self.kernels())

    def note(self, message, origin):
        """Keep an error of the console; a badge's picture that no network brings is none."""
        elsewhere = message.text.startswith("Failed to load resource") and not message.location["url"].startswith(
            origin
        )
        if message.type == "error" and not elsewhere:
            self.errors.append(message.text)

    def kernels(self):
        with urllib.request.urlopen(self.api("kernels"), timeout=30) as answer:
            return json.load(answer)

    def shut_down(self):
        """End the kernels, so that the next notebook has the memory."""
        for kernel in self.kernels():
            request = urllib.request.Request(self.api(f"kernels/{kernel['id']}"), method="DELETE")
            urllib.request.urlopen(request, timeout=30).close()

    def command(self, menu, command):
        """Choose from JupyterLab's menu bar, by the command's name, which no version or shortcut changes."""
        self.page.locator(".lm-MenuBar-item").get_by_text(menu, exact=True).click()
        self.page.locator(f".lm-Menu-item[data-command='{command}']").click()

    def run_all(self, timeout=240):
        """Run all cells, and wait until the last has run."""
        until = time.monotonic() + timeout
        self.forget_prompts()
        self.command("Run", "runmenu:run-all")
        asked = time.monotonic()
        while not all(any(c.isdigit() for c in text) for text in self.prompts()):
            assert not self.failures(), self.failures()
            assert time.monotonic() < until, f"not run in {timeout} s: {self.prompts()}"
            if time.monotonic() > asked + 3 and not "".join(self.prompts()).strip("[]: "):
                self.command("Run", "runmenu:run-all")  # the kernel was not ready to be asked
                asked = time.monotonic()
            self.page.wait_for_timeout(100)

    def prompts(self):
        return self.page.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()

    def forget_prompts(self):
        """Empty the cells' prompts: a number there is from then on that of a new run."""
        self.page.locator(".jp-CodeCell .jp-InputPrompt").evaluate_all(
            "nodes => nodes.map((n) => (n.textContent = ''))"
        )

    def failures(self):
        """What the cells have written to the error stream, and their exceptions."""
        kinds = ("stderr", "error")
        found = [self.page.locator(f"[data-mime-type='application/vnd.jupyter.{kind}']") for kind in kinds]
        return [text for each in found for text in each.all_inner_texts()]

    def run(self, index):
        """Run one cell; returns what it has put out."""
        cell = self.page.locator(".jp-CodeCell").nth(index)
        self.forget_prompts()
        cell.locator(".jp-InputArea-prompt").click()
        self.command("Run", "notebook:run-cell")  # Ctrl+Enter would go to whatever has the focus
        self.page.wait_for_function(
            "i => /[0-9]/.test(document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[i].textContent)", arg=index
        )
        return cell.locator(".jp-OutputArea-output").all_inner_texts()

    def ask(self, folder, expression, code="", timeout=60):
        """Run code on the notebook's kernel from outside the page, like another cell; returns an expression's value.

        The value comes with the reply itself. What is printed comes by another channel, whose first messages a
        client that has just connected misses; and a heartbeat that is stopped before its thread has begun opens
        sockets until there are none left. So neither of the two is used.
        """
        from jupyter_client import BlockingKernelClient

        (kernel,) = self.kernels()
        client = BlockingKernelClient()
        client.load_connection_file(str(folder / ".jupyter-home/jupyter_runtime_dir" / f"kernel-{kernel['id']}.json"))
        client.start_channels(iopub=False, stdin=False, hb=False, control=False)
        try:
            reply = client.execute(
                code, user_expressions={"value": expression}, allow_stdin=False, store_history=False,
                reply=True, timeout=timeout,
            )["content"]  # fmt: skip
        finally:
            client.stop_channels()
            client.context.destroy(linger=0)  # a few dozen left open are more files than a process may have
        assert reply["status"] == "ok", reply
        value = reply["user_expressions"]["value"]
        assert value["status"] == "ok", value
        return ast.literal_eval(value["data"]["text/plain"])

    def lab(self, index=0):
        return OneLab(self.page.locator(".gan-lab").nth(index))


class OneLab:
    def __init__(self, root):
        self.root = root

    @property
    def step(self):
        return int(self.root.get_attribute("data-step"))

    def press(self, name):
        self.root.get_by_role("button", name=re.compile(rf"^\W*{name}$")).click()

    def picture(self):
        return self.root.locator(".gan-lab-stage[role=img]").evaluate("node => node.toDataURL()")

    def advances(self, seconds=PATIENCE):
        """Wait until it has taken more steps."""
        start, until = self.step, time.monotonic() + seconds
        while self.step == start:
            assert time.monotonic() < until, f"no step in {seconds} s"
            self.root.page.wait_for_timeout(50)

    def rests(self):
        """Wait until it takes no step for half a second; the kernel trains for 25 ms from frame to frame."""
        before, until = None, time.monotonic() + PATIENCE
        while self.step != before:
            assert time.monotonic() < until, "it goes on"
            before = self.step
            self.root.page.wait_for_timeout(500)


@pytest.fixture(scope="module")
def jupyter(browser, tmp_path_factory):
    """A folder, and the addresses of its notebooks on a server; asks for the browser first, which may be missing."""
    folder = tmp_path_factory.mktemp("jupyter")
    with jupyter_lab(folder) as address:
        yield folder, address


@pytest.fixture
def notebook(browser, jupyter, request):
    """Opens notebooks in JupyterLab; at the end a picture of each is kept, and their kernels end."""
    folder, address = jupyter
    opened = []

    def open_(source):
        """Open a copy of a notebook, or one made of the cells given."""
        name = f"{request.node.name}.ipynb"
        write_notebook(folder / name, *source) if isinstance(source, list) else shutil.copy(source, folder / name)
        page = browser.new_context(viewport={"width": 1280, "height": 1100}).new_page()
        opened.append(Notebook(page, address(name)))
        return opened[-1]

    ARTEFACTS.mkdir(exist_ok=True)
    yield open_
    for each in opened:
        each.page.screenshot(path=ARTEFACTS / f"{request.node.name}.png")
        each.page.context.close()
        each.shut_down()


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
  window.answered = 0;
  window.model = {
    state: unpack(state),
    get: (name) => model.state[name],
    on: (event, callback) => listeners.add([event, callback]),
    off: (event, callback) => listeners.forEach((pair) => pair[1] === callback && listeners.delete(pair)),
    send: (message) => {
      sent.push(JSON.parse(JSON.stringify(message)));
      const play = (answers) => {
        answers.forEach(([how, ...what]) => window[how](...what));
        window.answered += 1;
      };
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
        self.page, self.widget, self.errors, self.held = page, widget, [], False
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.evaluate(f"() => {{ {HARNESS} }}")

    def hold(self):
        """Stop the page's clock, before the start: from then on `passes` alone moves it, on a busy machine too."""
        self.held = True
        self.page.clock.install(time=datetime.datetime(2026, 1, 1))
        self.page.clock.pause_at(datetime.datetime(2026, 1, 1, 1))
        return self

    def passes(self, milliseconds):
        """Let some time pass in the page: pictures painted and timers gone off, in their order."""
        if self.held:
            return self.page.clock.run_for(milliseconds)
        self.page.evaluate("wait => new Promise((done) => setTimeout(done, wait))", milliseconds)

    def settles(self):
        """Let the page paint: what a press or an answer sets off has happened by then, or will not."""
        if self.held:
            return self.passes(60)
        self.page.evaluate("async () => { for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame); }")

    def rests(self):
        """Wait until the wired kernel has answered all that the page has sent, and the page has painted it."""
        rest = "answered === sent.length"
        self.wait(rest)
        self.settles()
        while not self.page.evaluate(rest):  # what was painted has led to the next question
            self.wait(rest)
            self.settles()

    def until(self, true):
        """Wait until something is true in Python, while the page goes on."""
        until = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < until, f"not true in {PATIENCE} s"
            self.passes(20)

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

    def wait(self, condition, arg=None):
        """Wait until a condition holds in the page; a clock that is held goes on until then, in small steps."""
        if not self.held:
            return self.page.wait_for_function(condition, arg=arg)
        self.until(lambda: self.page.evaluate(condition, arg))

    def press(self, name):
        self.page.get_by_role("button", name=name).click()

    def press_when(self, condition, button):
        """Press a button (a selector) in the very picture in which a condition comes true: later may be too late."""
        self.wait(
            f"([button]) => ({condition}) && (document.querySelector(button).click(), true)",
            [button],
        )


class ExplorerPage(Bare):
    """An explorer in a bare page, with hands: keys, a mouse, and eyes for numbers, sliders, grips and pictures."""

    state = ("setup", "picture")

    def answer(self, request=None, **values):
        """Send the scene of some values, as the kernel would."""
        self.widget._move(values, request)
        self.sync(picture=self.widget.picture)

    def asked(self):
        return [message for message in self.sent if message["type"] != "hello"]

    def slider(self, name):
        return self.page.locator(f".gan-explorer-control[data-name='{name}'] input")

    def value(self, name):
        return float(self.page.locator(f".gan-explorer-control[data-name='{name}']").get_attribute("data-value"))

    def number(self, name):
        return float(self.page.locator(f".gan-explorer-number[data-name='{name}']").get_attribute("data-value"))

    def wait_number(self, name, value):
        node = f"document.querySelector(\".gan-explorer-number[data-name='{name}']\")"
        self.wait(f"Math.abs({node}.dataset.value - {value}) < 1e-6")

    def wait_serial(self, serial):
        self.wait(f"document.querySelector('.gan-explorer').dataset.serial === '{serial}'")

    def picture(self, index=0):
        return self.page.locator("canvas").nth(index).evaluate("node => node.toDataURL()")

    def move(self, name, place):
        """Move a slider to a notch at once, as a hand does."""
        self.slider(name).evaluate(
            "(node, place) => { node.value = place; node.dispatchEvent(new Event('input', { bubbles: true })); }", place
        )

    @property
    def root(self):
        return self.page.locator(".gan-explorer")

    @property
    def status(self):
        return self.page.locator(".gan-explorer-status").inner_text()

    def expect(self, name, value):
        """Wait until a number on the page is this one."""
        self.wait(
            "([name, value]) => Math.abs(document.querySelector(`.gan-explorer-number[data-name='${name}']`)"
            ".dataset.value - value) <= 1e-6 * (1 + Math.abs(value))",
            [name, value],
        )

    def wait_answered(self):
        self.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")

    def press_at(self, name, *keys):
        """Press keys on a slider."""
        self.slider(name).focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.wait_answered()

    def pictures(self):
        """What each panel shows, as text that differs when the picture does."""
        return self.page.evaluate("[...document.querySelectorAll('.gan-explorer canvas')].map((c) => c.toDataURL())")

    def grip(self, name):
        """Middle of a grip, in pixels of the page."""
        box = self.page.locator(f".gan-explorer-grip[data-control='{name}']").bounding_box()
        return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])

    def drag(self, name, right, down=0.0):
        x, y = self.grip(name)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right, y + down, steps=6)
        self.page.mouse.up()
        self.wait_answered()  # other grips may follow

    def is_drawn(self, colour, place):
        """Whether the first panel has this colour, (red, green, blue), within 3 pixels of a place on the page."""
        return self.page.evaluate(
            """([colour, [x, y]]) => {
              const canvas = document.querySelector(".gan-explorer canvas");
              const box = canvas.getBoundingClientRect(), k = canvas.width / box.width;
              const [left, top] = [Math.round((x - box.left - 3) * k), Math.round((y - box.top - 3) * k)];
              const { data } = canvas.getContext("2d").getImageData(left, top, 7 * k, 7 * k);
              const hit = (i) => colour.every((c, j) => Math.abs(data[i + j] - c) < 24);
              for (let i = 0; i < data.length; i += 4) if (hit(i)) return true;
              return false;
            }""",
            [colour, [*map(float, place)]],
        )


# ---- fixtures of bare pages ----


@pytest.fixture
def pages(browser):
    """Opens widgets in bare pages, each in a context of its own; at the end none may have met an error."""
    made = []

    def open_(kind, widget, **context):
        made.append(kind(browser.new_context(**context).new_page(), widget))
        return made[-1]

    yield open_
    for each in made:
        each.page.context.close()
    assert [error for each in made for error in each.errors] == []


@pytest.fixture
def show(pages):
    """Shows an explorer in a wide and light page, with its own Python behind it."""
    context = {"viewport": {"width": 1100, "height": 900}, "color_scheme": "light"}
    return lambda view: pages(ExplorerPage, view, **context).wire().start()
