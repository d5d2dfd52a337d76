"""The notebook's stop button between cells: it pauses labs, in any version of Jupyter's kernel."""

import gc
import os
import signal
import sys
import time
import types

import pytest
from jupyter_client.manager import start_new_kernel

from gan_jax.lab import interrupts


class Paused:
    times = 0

    def interrupt(self):
        self.times += 1


@pytest.fixture
def kernel(monkeypatch):
    """A shell whose kernel runs a cell: it has put its own handler of the idle time by."""
    made = types.SimpleNamespace(saved_sigint_handler=signal.SIG_IGN)
    shell = types.SimpleNamespace(kernel=made)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    return made


def test_labs_are_paused_and_none_is_kept_alive(kernel):
    one, two = Paused(), Paused()
    interrupts.heed(one)
    interrupts.heed(two)
    assert kernel.saved_sigint_handler is not signal.SIG_IGN
    kernel.saved_sigint_handler(signal.SIGINT, None)
    assert (one.times, two.times) == (1, 1)
    del two
    gc.collect()
    kernel.saved_sigint_handler(signal.SIGINT, None)
    assert one.times == 2
    assert [lab for lab in interrupts._labs if isinstance(lab, Paused)] == [one]  # others may be open elsewhere


def test_without_a_kernel_nothing_is_changed(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    before = signal.getsignal(signal.SIGINT)
    interrupts.heed(Paused())
    monkeypatch.delitem(sys.modules, "IPython")
    interrupts.heed(Paused())
    assert signal.getsignal(signal.SIGINT) is before


CELL = """
from gan_jax.lab import interrupts

class Lab:
    times = 0
    def interrupt(self):
        self.times += 1

lab = Lab()
interrupts.heed(lab)
"""


def test_a_real_kernel_calls_it_between_cells_and_interrupts_cells_as_before(tmp_path):
    manager, client = start_new_kernel(cwd=str(tmp_path), env=os.environ | {"JAX_PLATFORMS": "cpu"})

    def run(code):
        return client.execute_interactive(code, timeout=60, output_hook=lambda _: None, allow_stdin=False)["content"]

    try:
        assert run(CELL)["status"] == "ok"
        time.sleep(0.3)
        manager.interrupt_kernel()
        time.sleep(0.5)
        assert run("assert lab.times == 1, lab.times")["status"] == "ok"
        started = client.execute("import time; time.sleep(30)")
        time.sleep(1)
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=20)
        assert reply["parent_header"]["msg_id"] == started
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        deadline = time.monotonic() + 30  # what is sent too soon after an error is answered with "aborted"
        while (
            status := run("assert lab.times == 1, lab.times")["status"]
        ) == "aborted" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert status == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
