"""A lab comes in; from then on the notebook's stop button pauses it too, when no cell runs.

An interrupt is a signal, and Jupyter's kernel heeds it only while a cell runs. A lab trains between cells; and where
the page's messages have a thread of their own (JupyterLab 4.4 and newer), no signal reaches them at all. So the kernel
is given a handler for the time between cells. It pauses the labs, and disturbs nothing else.
"""

import signal
import sys
import threading
import weakref
from typing import Any

_labs: weakref.WeakSet[Any] = weakref.WeakSet()


def heed(lab: Any) -> None:
    """Pause a lab at every interrupt that comes while no cell runs.

    Args:
        lab: it has `interrupt()`, which must not wait for anything. It is forgotten when nothing else holds it.
    """
    _labs.add(lab)
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    kernel: Any = getattr(shell, "kernel", None)
    # while a cell runs, ipykernel keeps here the handler that it puts back at the cell's end
    if hasattr(kernel, "saved_sigint_handler") and threading.current_thread() is threading.main_thread():
        kernel.saved_sigint_handler = _pause


def _pause(number: int = signal.SIGINT, frame: Any = None) -> None:
    for lab in list(_labs):
        lab.interrupt()
