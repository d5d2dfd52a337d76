"""Devices, a batch, a network and the line between devices come in; how fast training would be goes out, by a model.

Beside the model stand measured points, from `benchmarks/devices.py --write`.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import check_count
from .scene import Bars, Choice, Control, Curve, Dots, Handle, Level, Number, Panel, Real, Scene, Slider, shown
from .widget import Explorer
from .widget import open as open_explorer

HOP = 5e-6
"""Seconds before the first byte of a message arrives, on a fast line inside one rack."""

WAYS = {"strong": "one batch, shared by all", "weak": "a batch for each device"}


class StepTime(NamedTuple):
    """Where the time of a step goes, in seconds.

    Attributes:
        computing: on each device's part of the batch.
        sending: the gradients' bytes, in a ring all-reduce.
        waiting: for the first byte of each of its messages.
    """

    computing: float
    sending: float
    waiting: float

    @property
    def total(self) -> float:
        """Seconds in all: nothing overlaps."""
        return sum(self)


def step_time(
    devices: int,
    batch: Real,
    parameters: Real,
    *,
    uses: Real = 100.0,
    rate: Real = 100e12,
    bandwidth: Real = 50e9,
    hop: Real = HOP,
) -> StepTime:
    """Say how long a data-parallel step takes: each device computes its part, then all add up their gradients.

    Computing takes `6 uses parameters batch / devices / rate`: a product and a sum forward, two of each backward, for
    each use of a weight. A ring all-reduce has 2 (devices - 1) messages of 4 parameters / devices bytes from each
    device.

    Args:
        devices: how many.
        batch: samples in a step, over all devices.
        parameters: of both players.
        uses: how often a sample uses a weight: once in a dense layer, once a position in a convolution.
        rate: FLOP/s that one device really reaches.
        bandwidth: bytes a second from each device to the next.
        hop: seconds that a message takes besides.

    Returns:
        Its parts, a `StepTime`.

    Source: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations", section 3.

    >>> [round(1e3 * part, 3) for part in step_time(8, 1024, 10e6)]
    [7.68, 1.4, 0.07]
    """
    check_count(devices, "devices")
    messages = 2 * (devices - 1)
    return StepTime(
        6 * uses * parameters * batch / devices / rate,
        messages * 4 * parameters / devices / bandwidth,
        messages * hop,
    )


@functools.cache
def measured() -> dict[str, Any]:
    """Read what `benchmarks/devices.py` measured last: machine, command, and images a second on each mesh.

    >>> measured()["devices"][0]
    1
    """
    return json.loads(Path(__file__).with_name("scaling.json").read_text(encoding="utf-8"))


def _scene(values: Mapping[str, Any]) -> Scene:
    doublings, weak = int(values["doublings"]), values["way"] == "weak"
    most = 10

    def time(power: Real) -> StepTime:
        devices = int(2**power)
        batch = values["batch"] * (devices if weak else 1)
        network = values["millions"] * 1e6
        return step_time(devices, batch, network, uses=values["uses"], rate=values["tera"] * 1e12,
                         bandwidth=values["giga"] * 1e9)  # fmt: skip

    def images(power: Real) -> float:
        return values["batch"] * (2**power if weak else 1) / time(power).total

    powers = np.arange(most + 1)
    faster = np.log2([images(int(power)) / images(0) for power in powers])
    here, now = time(doublings), images(doublings)
    gain = now / images(0)
    efficiency = gain / 2**doublings
    found = measured()
    row = np.array([middle for middle, _, _ in found["as much for each" if weak else "one batch for all"]])
    at = np.log2(found["devices"])
    panels = [
        Panel(
            [
                Curve(powers, powers, "as many times faster", "quiet", dashed=True),
                Level(0.0, "one device"),
                Curve(powers, faster, "the model", "accent"),
                Dots(at, np.log2(row / row[0]), "measured, virtual devices", "real"),
                Handle(float(doublings), float(faster[doublings]), "doublings", colour="accent"),
            ],
            x=(0, most),
            y=(-3.5, most),
            title="Images a second, against one device",
            x_label="devices: 2 to the power of",
            y_label="times as many: 2 to the power of",
        ),
        Panel(
            [Bars(["computing", "sending", "waiting"], 1e3 * np.array(here), chosen=int(np.argmax(here)))],
            x=(0, 1.3e3 * max(here)),
            title="Where a step's time goes, in ms",
        ),
    ]
    devices = 2**doublings
    sent = 2 * (devices - 1) / devices * 4 * values["millions"]
    words = (
        f"{devices} devices, {WAYS[values['way']]}: {shown(now / 1e3)} thousand images a second, {shown(gain)} times "
        f"one device's; {shown(100 * efficiency)} % of what so many devices could do. Of a step of "
        f"{shown(1e3 * here.total)} ms, {shown(1e3 * here.computing)} ms are computing."
    )
    numbers = [
        Number("thousand images a second", now / 1e3),
        Number("times one device", gain, f"at most {devices}"),
        Number("efficiency in %", 100 * efficiency),
        Number("each device sends MB a step", sent, f"at most {shown(8 * values['millions'])}: 8 bytes a parameter"),
    ]
    return Scene(panels, numbers, words, _remark(devices, efficiency, here))


def _remark(devices: int, efficiency: float, time: StepTime) -> str:
    if devices == 1:
        return "One device sends nothing. Add devices: press Play, or drag the dot."
    if efficiency > 0.8:
        return "Most of the time is computing: more devices pay."
    if time.waiting > max(time.computing, time.sending):
        return "The messages are so small that their number counts: fewer devices, or a larger batch."
    if time.sending > time.computing:
        return "The gradients take longer to send than to compute: a faster line, or a larger batch on each device."
    return "Each device has little left to compute: the exchange does not get shorter with more of them."


def throughput() -> Explorer:
    """Open a live model of data-parallel training: images a second against devices.

    Move the number of devices, the batch, the network, each device's speed and the line between them, and see where a
    step's time goes. Two ways to use more devices: share one batch, or give each its own. The dots are measured on
    virtual devices that share two cores, where no device can add speed.

    Returns:
        An `Explorer`, a widget with a still picture where there is no front end.

    >>> live = throughput()
    >>> live.set("doublings", 0)
    >>> live.scene.number("times one device")
    1.0
    """
    controls: list[Control] = [
        Slider("doublings", "devices: 2 to the power of", 0, 10, 3, whole=True, play=True),
        Choice("way", "more devices mean", WAYS),
        Slider("batch", "batch (of all, or of each)", 16, 65_536, 1024, log=True, whole=True),
        Slider("millions", "parameters, in millions", 0.1, 1000, 10, log=True),
        Slider("uses", "times a sample uses each weight", 1, 1000, 100, log=True),
        Slider("tera", "each device computes, in TFLOP/s", 0.01, 400, 100, log=True),
        Slider("giga", "line between them, in GB/s", 0.1, 900, 50, log=True),
    ]
    return open_explorer(_scene, controls, title="How fast would it be on more devices?")
