"""What a prediction and a label cost on a board, counted by the board itself."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from pipeline.board.client import Client
from pipeline.core.errors import ExternalError
from pipeline.sim.build import FirmwareImage
from pipeline.sim.emulator import Target, launch
from pipeline.sim.head_bench import LearningCost


@dataclass(frozen=True)
class Bench:
    """Counts in ``unit`` (instructions on the emulator), the largest of ``repeats``.

    inference: engine and head of one prediction; update: one labelled window, with an empty store
    at first. Bytes: the stack, and flash and RAM of the linked image. learning: of each head there
    could be, with a full store; None where no instructions are counted.
    """

    target: str
    unit: str
    model_id: str
    repeats: int
    engine: int
    head: int
    inference: int
    update: int
    stack_used_bytes: int
    stack_size_bytes: int
    flash_bytes: int
    ram_bytes: int
    learning: LearningCost | None = None

    def document(self) -> dict[str, object]:
        """For --json: the fields of ``learning`` among the others, null where it is None."""
        document = asdict(self)
        learning = document.pop("learning")
        empty = dict.fromkeys(field.name for field in fields(LearningCost))
        return {**document, **(learning or empty)}


def bench(target: Target, image: FirmwareImage, *, repeats: int = 10, seed: int = 0) -> Bench:
    """Boots ``image``, streams a seeded signal that moves like a person, labels each window.

    Nothing is saved. Raises ExternalError when the board answers no prediction.
    """
    rng = np.random.default_rng(seed)
    engine, head, total, update = [], [], [], []
    with (
        tempfile.TemporaryDirectory(prefix="har-bench-") as scratch,
        launch(target, image.path, Path(scratch) / "flash.img") as emulator,
        Client.open(emulator.port) as client,
    ):
        hello = client.hello()
        gravity = np.array([1.0, 0, 0, 0, 0, 0])
        time_s = np.arange(hello.window)[:, None] / hello.rate_hz
        for i in range(repeats):
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
        inference=max(total),
        update=max(update),
        stack_used_bytes=status.stack_used,
        stack_size_bytes=status.stack_size,
        flash_bytes=image.sizes.flash_bytes,
        ram_bytes=image.sizes.ram_bytes,
    )
