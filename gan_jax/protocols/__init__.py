"""The name of a published experiment comes in; its settings beside a reduced form's, and what both score, go out.

The same GAN reaches 1 of 8 modes in one paper and 6.3 in another: the protocol is part of the result. `PROTOCOLS` holds
each with every number that decides it, `results` what the reduced form scored here, and the command

    python -m gan_jax.protocols pacgan_ring --packing 1 2 --seeds 5 [--full]

runs either form, shows the time left, and goes on where it was stopped.
"""

from .menu import PROTOCOLS
from .protocol import FORMS, Protocol
from .records import Cost, Published, Results, Run, read, write
from .settings import Settings
from .tables import Table

__all__ = [
    "FORMS",
    "PROTOCOLS",
    "Cost",
    "Protocol",
    "Published",
    "Results",
    "Run",
    "Settings",
    "Table",
    "read",
    "results",
    "write",
]


def results(name: str, form: str = "reduced") -> Results:
    """Load what is stored of a protocol: every seed's scores, with the command and the date that they were made by.

    Args:
        name: on the menu `PROTOCOLS`.
        form: "reduced" or "full".

    Returns:
        `Results`, which show themselves as a table beside the published rows and a perfect generator's score.

    Raises:
        UnknownName: no such protocol or form.

    >>> results("pacgan_ring").protocol
    'pacgan_ring'
    """
    return PROTOCOLS[name].results(form)
