"""What goes wrong around a lab in JupyterLab ends in a clear message, or needs none, and leaves nothing behind."""

import contextlib
import socket
import statistics
import threading
import time

import browsing
import pytest
from browsing import Notebook, OneLab, write_notebook

browser, jupyter, notebook = browsing.browser, browsing.jupyter, browsing.notebook

RULES = """
import threading
import jax.numpy as jnp
from gan_jax import lab, losses, nets
from gan_jax.train import Gan

def rules(**changes):
    return Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32, **changes)
""".strip()
SHOW = "live = lab.open(rules(), controls=['lr_g'])\nlive"


def opened(book):
    """Run all cells, and wait for the first lab's first picture."""
    book.run_all()
    book.page.locator(".gan-lab[data-step]").first.wait_for()
    return book.lab()


class Kernel:
    """What a notebook's kernel says of itself, asked past its page."""

    def __init__(self, book, folder):
        self.ask = lambda expression, code="": book.ask(folder, expression, code)
        self.before = self.threads()

    def threads(self):
        """Names of the threads that Python has started, without those that serve the page's messages."""
        # XLA's threads call back into Python for jax.debug.print; one that asks for its name stays listed as a dummy
        names = self.ask(
            "[thread.name for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)]"
        )
        return {name for name in names if not name.startswith("subshell")}

    def step(self, name="live"):
        return self.ask(f"int({name}.session.game.step)")

    def rests(self):
        """Wait until the lab takes no step for a second; no thread is there then that was not before."""
        before, until = None, time.monotonic() + browsing.PATIENCE
        while (now := self.step()) != before:  # it may have a request or two to finish
            assert time.monotonic() < until, f"it goes on, and is at step {now}"
            before = now
            time.sleep(1)
        assert self.threads() - self.before == set()


def says(live, text, seconds=browsing.PATIENCE):
    """Wait until the lab's status line says something; returns all of the line, as it stood then."""
    line = """([root, text]) => {
      const line = root.querySelector(".gan-lab-status").innerText;
      return line.toLowerCase().includes(text.toLowerCase()) && line;
    }"""
    # read at once: a second request under way would compile again, and say so, before it meets the same fault
    found = live.root.page.wait_for_function(line, arg=[live.root.element_handle(), text], timeout=1000 * seconds)
    return found.json_value()


def saved(book, folder):
    """Save the notebook, with the lab in a cell's output."""
    book.page.keyboard.press("Control+s")
    name = book.page.url.split("?")[0].split("/")[-1]
    written = lambda: "application/vnd.jupyter.widget-view+json" in (folder / name).read_text()  # noqa: E731
    book.until(written, f"{name} is not saved")


@pytest.mark.browser
def test_other_cells_run_while_it_trains_and_an_interrupt_stops_it(notebook, jupyter, capsys):
    book = notebook([RULES, SHOW])
    live = opened(book)
    kernel = Kernel(book, jupyter[0])

    def median_delay():
        """Seconds until another cell answers."""
        delays = []
        for i in range(15):
            start = time.perf_counter()
            assert kernel.ask(f"{i} ** 2") == i**2
            delays.append(time.perf_counter() - start)
        return statistics.median(delays)

    alone = median_delay()
    live.press("Play")
    live.advances()
    beside = median_delay()
    live.advances()
    with capsys.disabled():
        print(f"\nanother cell's answer takes {1e3 * beside:.0f} ms while the lab trains, {1e3 * alone:.0f} ms else")
    assert beside < 0.5 + 5 * alone  # a chunk takes 25 ms; the rest is the machine's other work
    assert live.root.get_attribute("data-playing") == "true"

    for _ in range(20):  # an interrupt between two chunks meets no work that it could stop
        book.command("Kernel", "kernelmenu:interrupt")
        with contextlib.suppress(Exception):
            says(live, "Press Play to go on", 3)
            break
    assert "Interrupted" in says(live, "Press Play to go on")
    assert live.root.get_attribute("data-playing") == "false"
    kernel.rests()
    live.press("Play")
    live.advances()
    assert book.errors == []


@pytest.mark.browser
def test_a_closed_view_and_cells_run_again_leave_nothing_that_runs(notebook, jupyter):
    book = notebook([RULES, SHOW])
    live = opened(book)
    kernel = Kernel(book, jupyter[0])
    live.press("Play")
    live.advances()
    book.page.locator(".jp-CodeCell").nth(1).locator(".jp-InputArea-prompt").click()
    book.command("Edit", "editmenu:clear-current")  # closes the view in mid-training
    live.root.wait_for(state="detached")
    kernel.rests()
    for _ in range(3):  # the same cell again and again, each time in mid-training
        book.run(1)
        book.page.locator(".gan-lab[data-step='0'][data-playing=false]").wait_for()
        book.lab().press("Play")
        book.lab().advances()
    book.run(1)
    book.page.locator(".gan-lab[data-step='0']").wait_for()
    book.until(lambda: book.page.locator(".gan-lab").count() == 1, "the old lab is still there")
    assert kernel.step() == 0
    kernel.rests()
    assert book.errors == []


@pytest.mark.browser
def test_a_page_closed_in_mid_training_leaves_the_kernel_idle_and_a_new_one_goes_on(notebook, jupyter, browser):
    book = notebook([RULES, SHOW])
    live = opened(book)
    kernel = Kernel(book, jupyter[0])
    saved(book, jupyter[0])  # else the next page knows nothing of the outputs
    live.press("Play")
    live.advances()
    address = book.page.url
    book.page.goto("about:blank")
    kernel.rests()
    state = lambda: [(each["execution_state"], each["connections"]) for each in book.kernels()]  # noqa: E731
    book.until(lambda: state() == [("idle", 0)], "the kernel has something to do")  # it is noted a moment later
    reached = kernel.step()
    book.page.goto(address)
    book.page.locator(".gan-lab[data-step]").first.wait_for()
    assert live.step == reached > 0
    live.press("Play")
    live.advances()
    live.press("Pause")
    kernel.rests()


@pytest.mark.browser
def test_a_notebook_in_two_tabs_trains_in_one_at_a_time(notebook, jupyter, browser):
    book = notebook([RULES, SHOW])
    one = opened(book)
    kernel = Kernel(book, jupyter[0])
    saved(book, jupyter[0])
    one.press("Play")
    one.advances()
    second = book.page.context.new_page()
    second.goto(book.page.url)
    second.locator(".gan-lab[data-step]").first.wait_for()
    two = OneLab(second.locator(".gan-lab").first)
    two.advances()  # it watches
    assert two.root.get_attribute("data-playing") == "false"
    two.press("Play")
    two.advances()
    book.page.wait_for_function("document.querySelector('.gan-lab').dataset.playing === 'false'")
    one.advances()  # and now the first one does
    one.press("Play")
    one.advances()
    second.wait_for_function("document.querySelector('.gan-lab').dataset.playing === 'false'")
    second.close()
    one.advances()
    one.press("Pause")
    kernel.rests()
    assert book.errors == []


LOSSES = [
    RULES,
    """
breaks = False

def penalised(real, fake):
    if breaks:
        raise RuntimeError("my own loss breaks")
    return losses.nonsaturating.discriminator(real, fake)

raising = losses.Loss(penalised, losses.nonsaturating.generator, "raising")
live = lab.open(rules(loss=raising), controls=["penalty"])
live
""".strip(),
    """
from jax import debug

def nothing(real, fake):
    return jnp.mean(jnp.log(-jnp.abs(fake) - 1))

empty = lab.open(rules(loss=losses.Loss(losses.nonsaturating.discriminator, nothing, "NaN")), controls=["loss"])
empty
""".strip(),
    """
def telling(real, fake):
    print("traced")
    debug.print("mean {}", jnp.mean(fake))
    return losses.nonsaturating.generator(real, fake)

loud = lab.open(rules(loss=losses.Loss(losses.nonsaturating.discriminator, telling, "loud")), controls=["lr_g"])
loud
""".strip(),
]


@pytest.mark.browser
def test_a_loss_that_raises_gives_nan_or_prints_is_named_and_nothing_freezes(notebook, jupyter):
    book = notebook(LOSSES)
    opened(book)
    book.page.locator(".gan-lab[data-step]").nth(2).wait_for()
    kernel = Kernel(book, jupyter[0])
    raising, empty, loud = map(book.lab, range(3))

    raising.press("Play")
    raising.advances()
    kernel.ask("breaks", "breaks = True")
    raising.root.get_by_label("Penalty on D").select_option("r1")  # compiles anew, and so meets the exception
    assert "RuntimeError" in says(raising, "my own loss breaks")
    assert raising.root.get_attribute("data-playing") == "false"
    kernel.ask("breaks", "breaks = False")
    raising.press("Play")
    raising.advances()
    raising.press("Pause")

    empty.press("Play")
    line = says(empty, "diverged")
    assert "loss" in line or "step" in line
    assert empty.root.get_attribute("data-playing") == "false"
    empty.root.get_by_label("Loss", exact=True).select_option("hinge")
    empty.press("Play")
    empty.advances()
    empty.press("Pause")

    loud.press("Play")
    loud.advances()
    loud.advances()
    assert kernel.ask("'still here'") == "still here"
    loud.press("Pause")
    kernel.rests()


@pytest.mark.browser
def test_a_loss_that_raises_at_once_shows_in_its_cell(notebook):
    code = "def mine(real, fake):\n    return my_typo(real)\n\n"
    book = notebook([RULES, f"{code}lab.open(rules(loss=losses.Loss(mine, mine, 'mine')))"])
    with contextlib.suppress(AssertionError):  # it says so when a cell fails before the last one has run
        book.run_all()
    book.page.get_by_text("NameError: name 'my_typo' is not defined").wait_for()
    assert book.page.locator(".gan-lab").count() == 0


class Wire:
    """A wire from the browser to a server on this machine, which can be cut and mended."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.target, self.whole = self.listener.getsockname()[1], port, True
        self.ends, self.carriers = [], [threading.Thread(target=self.accept)]
        self.carriers[0].start()

    def accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                here = self.listener.accept()[0]
                if not self.whole:
                    here.close()
                    continue
                there = socket.create_connection(("127.0.0.1", self.target))
                self.ends += [here, there]
                self.carriers += [
                    threading.Thread(target=self.carry, args=pair) for pair in ((here, there), (there, here))
                ]
                for thread in self.carriers[-2:]:
                    thread.start()

    def carry(self, a, b):
        with contextlib.suppress(OSError):
            while piece := a.recv(65536):
                b.sendall(piece)
        for each in (a, b):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.whole = False
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self.whole = True

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        for thread in self.carriers:
            thread.join(5)
        for end in self.ends:
            end.close()


@pytest.fixture
def wire(jupyter):
    made = Wire(int(jupyter[1]("x").split(":")[2].split("/")[0]))
    yield made
    made.close()


@pytest.mark.browser
def test_a_lost_connection_is_told_and_training_goes_on_when_it_is_back(browser, jupyter, wire):
    folder, address = jupyter
    write_notebook(folder / "wire.ipynb", RULES, SHOW)
    straight = address("wire.ipynb")
    port = straight.split(":")[2].split("/")[0]
    page = browser.new_context(viewport={"width": 1280, "height": 1100}).new_page()
    book = Notebook(page, straight.replace(f":{port}/", f":{wire.port}/"))
    through = book.api
    book.api = lambda path: through(path).replace(f":{wire.port}/", f":{port}/")
    try:
        live = opened(book)
        kernel = Kernel(book, folder)
        live.press("Play")
        live.advances()
        wire.cut()
        says(live, "has not answered")
        kernel.rests()
        reached = kernel.step()
        wire.mend()
        page.wait_for_function("reached => document.querySelector('.gan-lab').dataset.step > reached", arg=reached)
        live.advances()
        if page.locator(".jp-Dialog").count():  # JupyterLab's own word on the lost connection
            page.locator(".jp-Dialog button").last.click()
        live.press("Pause")
        kernel.rests()
    finally:
        page.context.close()
        book.shut_down()
