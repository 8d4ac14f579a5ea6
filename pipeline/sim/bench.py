"""What a prediction and a label cost: of the bundle in a running board, and of any head shape."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from pipeline.board.client import Client
from pipeline.core.errors import ExternalError
from pipeline.core.types import Array
from pipeline.head import CutScales, Head, HeadShape, Learning
from pipeline.head.memory import RamParts, learning_memory
from pipeline.models.graph import nanojoules
from pipeline.sim.boards import NANO33BLE
from pipeline.sim.build import FirmwareImage
from pipeline.sim.cycles import Code, block_counter, model_cycles
from pipeline.sim.emulator import Target, exchange, launch
from pipeline.sim.network_cost import NetworkCost


@dataclass(frozen=True)
class Bench:
    """Counts in ``unit`` (instructions on the emulator), the largest of ``repeats``.

    prediction: engine and head; update: one labelled window, with an empty store at first. Bytes:
    the stack, and flash and RAM of the linked image. inference: the engine alone, layer by layer;
    learning: of each head there could be, with a full store; both None where no instructions are
    counted.
    """

    target: str
    unit: str
    model_id: str
    repeats: int
    engine: int
    head: int
    prediction: int
    update: int
    stack_used_bytes: int
    stack_size_bytes: int
    flash_bytes: int
    ram_bytes: int
    inference: NetworkCost | None = None
    learning: LearningCost | None = None

    def document(self) -> dict[str, object]:
        """For --json: the fields of ``learning`` among the others, null where it is None."""
        document = asdict(self)
        learning = document.pop("learning")
        empty = dict.fromkeys(field.name for field in fields(LearningCost))
        return {**document, **(learning or empty)}


def bench(target: Target, image: FirmwareImage) -> Bench:
    """Boots ``image``, streams ten seeded windows that move like a person, labels each.

    Nothing is saved. Raises ExternalError when the board answers no prediction.
    """
    rng = np.random.default_rng(0)
    engine, head, total, update = [], [], [], []
    with (
        tempfile.TemporaryDirectory(prefix="har-bench-") as scratch,
        launch(target, image.path, Path(scratch) / "flash.img") as emulator,
        Client.open(emulator.port) as client,
    ):
        hello = client.hello()
        gravity = np.array([1.0, 0, 0, 0, 0, 0])
        time_s = np.arange(hello.window)[:, None] / hello.rate_hz
        for i in range(10):
            swing = np.sin(2 * np.pi * rng.uniform(0.5, 3.0, 6) * time_s) * rng.uniform(0, 1, 6)
            samples = (swing + gravity).astype(np.float32)
            answer = client.stream(samples, restart=True)
            for prediction in answer.predictions:
                engine.append(prediction.engine_count)
                head.append(prediction.head_count)
                total.append(prediction.engine_count + prediction.head_count)
                label = i % len(hello.activities)
                update.append(client.label(prediction.end_index, label).update_count)
        status = client.status()
    if not total:
        raise ExternalError(f"the {target} board answered no prediction; try `har emulate`")
    return Bench(
        target=target,
        unit=hello.counter.name.lower(),
        model_id=hello.model_id.hex(),
        repeats=len(total),
        engine=max(engine),
        head=max(head),
        prediction=max(total),
        update=max(update),
        stack_used_bytes=status.stack_used,
        stack_size_bytes=status.stack_size,
        flash_bytes=image.sizes.flash_bytes,
        ram_bytes=image.sizes.ram_bytes,
    )


# ---- heads of any shape --------------------------------------------------------------------------

LABELS = 3  # the one that takes the most instructions counts

_REQUEST = struct.Struct("<4s16I4fi6I")
_SCALE = 1 / 74  # int8 numbers drawn evenly, times this, have unit variance
_ZERO_POINT = -128  # of a map after a ReLU
_RATE, _RATE_CONVOLUTION = 0.5, 0.1
_TIMEOUT_S = 120.0
_TIMEOUT_S_PER_MAC = 4e-7  # the emulated core does some 50 M instructions a second


@dataclass(frozen=True)
class HeadWorkload:
    """What a head is counted with: a factory head and windows int8 (N + L + E, B), those of the
    full store, those to label, and the shipped exemplars. Window i of each is of activity i % A.

    ``learning``: with rates that suit the head; ``capacity`` N, ``exemplars`` E.
    """

    head: Head
    learning: Learning
    windows: Array
    capacity: int
    exemplars: int


@dataclass(frozen=True)
class Counts:
    """Instructions of one prediction by the head, one gradient step, and one label; what stood in
    the store and in the head (CRC-32 of its parameters, after all labels)."""

    predict: int
    step: int
    update: int
    held: int
    crc: int


@dataclass(frozen=True)
class HeadCost:
    """What one head costs.

    Instructions: update, one labelled window with all its steps, judging included; step, one
    gradient step; predict, the head's part of one prediction. ``training_macs`` are those of the
    same update, see `training_macs`. ``flash_bytes``: factory parameters, scales and exemplars, and
    the learner's code. ``energy_uj``, of an update: its cycles by the model, for which a short run
    of the same code gives the cycles of an instruction, / clock x power of the board;
    ``energy_mac_nj``: its MACs x 3.2 pJ. ``estimates`` names what is not counted.
    """

    update_instructions: int
    step_instructions: int
    predict_instructions: int
    ram_bytes: int
    ram_parts: RamParts
    flash_bytes: int
    training_macs: int
    energy_uj: float
    energy_mac_nj: float
    estimates: tuple[str, ...] = ("energy_uj", "energy_mac_nj")


@dataclass(frozen=True)
class LearningCost:
    """``heads``: by cut. ``learning_ram_bytes``: of the bundle's own head, replay included.
    ``fc_64x6_step_instructions``: one step of a dense layer of 64 features and 6 activities."""

    heads: Mapping[str, HeadCost]
    learning_ram_bytes: int
    fc_64x6_step_instructions: int


def bench_heads(
    image: FirmwareImage,
    shapes: Mapping[str, HeadShape],
    own: str,
    shipped: int,
    learning: Learning,
    capacity: int,
    exemplars: int,
) -> LearningCost:
    """Counts learning with each of ``shapes``, of which ``own`` is the bundle's, for ``shipped``
    (K) activities, by ``image``, a `har_learner_bench`.

    Raises ExternalError when the emulator is missing or the learner stops.
    """
    code_bytes = image.map.flash_bytes_from(r"lib/head/har_\w+\.c\.o")
    small = random_workload(HeadShape(64, 6, 64), 6, learning, 6, 6)
    per_instruction = _cycles_per_instruction(image, small)
    heads = {}
    for cut, shape in shapes.items():
        workload = random_workload(shape, shipped, learning, capacity, exemplars)
        counts = count_learning(image, workload)
        macs = training_macs(shape, shipped, learning.steps)
        memory = learning_memory(shape, shipped, capacity, exemplars)
        seconds = NANO33BLE.seconds(counts.update * per_instruction)
        heads[cut] = HeadCost(
            update_instructions=counts.update,
            step_instructions=counts.step,
            predict_instructions=counts.predict,
            ram_bytes=memory.ram_bytes,
            ram_parts=memory.ram_parts,
            flash_bytes=memory.flash_bytes + memory.scale_flash_bytes + code_bytes,
            training_macs=macs,
            energy_uj=round(seconds * NANO33BLE.active_watts * 1e6, 3),
            energy_mac_nj=round(nanojoules(macs), 3),
        )
    return LearningCost(heads, heads[own].ram_bytes, count_learning(image, small).step)


def training_macs(shape: HeadShape, activities: int, steps: int) -> int:
    """Multiply-accumulates of ``steps`` gradient steps with ``activities`` (A) in use.

    Of one step, for a dense layer A x F, a pointwise convolution T' x M x C and a depthwise one
    T' x C x J: each forward, each for the gradient of its weights, and, back to the layer below,
    A x M for the learned features where there is a convolution and T' x M x C where there are two.
    Biases, ReLU, pooling and softmax are not counted, nor are the predictions that the guard
    judges by.
    """
    dense = activities * shape.features
    pointwise = shape.positions * shape.filters * shape.channels
    depthwise = shape.positions * shape.channels * shape.kernel
    back = activities * shape.filters + (pointwise if shape.kernel else 0)
    return steps * (2 * (dense + pointwise + depthwise) + back)


def random_workload(
    shape: HeadShape,
    shipped: int,
    learning: Learning,
    capacity: int,
    exemplars: int,
    *,
    seed: int = 0,
) -> HeadWorkload:
    """Seeded random parameters and windows, with the constants of ``learning`` but rates that keep
    such a head finite."""
    rng = np.random.default_rng(seed)
    taps, channels, features = max(shape.kernel, 1), max(shape.channels, 1), shape.features
    spread = (1 / taps, 0.0, (2 / channels) ** 0.5, 0.0, (1 / features) ** 0.5, 0.0)
    parameters = np.concatenate(
        [
            np.float32(size) * rng.standard_normal(layer, np.float32).ravel()
            for size, layer in zip(spread, shape.layers, strict=True)
        ]
    )
    scale = np.repeat(np.array([_SCALE, 1.0], np.float32), [shape.frozen, shape.filters])
    scales = CutScales(
        scale, np.zeros(features, np.float32), float(np.float32(_SCALE)), _ZERO_POINT
    )
    windows = rng.integers(
        -128, 128, (capacity + LABELS + exemplars, shape.window_bytes), dtype=np.int8
    )
    constants = replace(
        learning,
        rate=float(np.float32(_RATE / features)),
        rate_convolution=float(np.float32(_RATE_CONVOLUTION / channels)),
    )
    head = Head(shape, scales, parameters, shipped)
    return HeadWorkload(head, constants, windows, capacity, exemplars)


def _cycles_per_instruction(image: FirmwareImage, workload: HeadWorkload) -> float:
    """By the model, of all that `har_learner_bench` does with ``workload``."""
    with tempfile.TemporaryDirectory(prefix="har-cycles-") as scratch:
        counter = block_counter(image.path, "main", "har_mps2_exit", Path(scratch))
        count_learning(image, workload, counter.options)
        counted = model_cycles(counter.read(), Code(image.path.read_bytes()))
    return counted.cycles / counted.instructions


def count_learning(
    image: FirmwareImage, workload: HeadWorkload, options: tuple[str, ...] = ()
) -> Counts:
    """Runs `har_learner_bench` on ``workload``. ``options``: more of QEMU's. Raises ExternalError
    when it stops."""
    shape, scales, learning = workload.head.shape, workload.head.scales, workload.learning
    sizes = (shape.features, shape.rows, shape.frozen, shape.map_length, shape.channels)
    request = _REQUEST.pack(
        b"HARL",
        *(*sizes, shape.filters, shape.kernel, shape.stride, workload.head.factory_activities),
        *(workload.capacity, workload.exemplars, LABELS),
        *(learning.steps, learning.replay_every, learning.hold_every, learning.evidence),
        *(learning.rate, learning.rate_convolution, learning.keep),
        *(scales.map_scale, scales.map_zero_point),
        *(0, 0, 0, 0, 0, 0),
    )
    arrays = workload.head.anchor, scales.scale, scales.offset
    parts = np.split(workload.windows, [workload.capacity, workload.capacity + LABELS])
    blocks = [array.astype("<f4").tobytes() for array in arrays]
    blocks += [_padded(part.tobytes()) for part in parts]
    macs = LABELS * training_macs(shape, workload.head.factory_activities, learning.steps)
    answer = exchange(
        image.target,
        image.path,
        request + b"".join(blocks),
        _REQUEST.size,
        _TIMEOUT_S + _TIMEOUT_S_PER_MAC * macs,
        "the learner",
        "is this machine overloaded? Retry",
        options,
    )
    predict, step, update, learned, held, crc = _REQUEST.unpack(answer)[-6:]
    if not learned:
        raise ExternalError("no label was learned on the emulated board: are all in the holdout?")
    return Counts(predict=predict, step=step, update=update, held=held, crc=crc)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)
