"""TensorFlow merged the sum of the stages' logits into one addition that took its operands in
whatever order their buffers were free: the same training gave one of two results."""

from __future__ import annotations

import numpy as np

from pipeline.experiments.fxcy.learn import Trainer
from pipeline.models import backbone
from pipeline.models.weights import model_arrays, set_model_arrays
from pipeline.training.seeds import seed_everything


def test_a_gradient_step_from_the_same_place_always_gives_the_same_bits() -> None:
    seed_everything(0)
    model = backbone("dscnn").build(128, 6, 7, 0.0)
    start, trainer, rng = model_arrays(model), Trainer(model), np.random.default_rng(0)
    x = rng.normal(size=(16, 128, 1, 6)).astype(np.float32)
    y = rng.integers(0, 7, 16)
    found = set()
    for _ in range(16):
        set_model_arrays(model, start, "start")
        trainer.restart(5e-3)
        trainer.epoch([x], y, np.arange(16), 16)
        found.add(b"".join(values.tobytes() for _, values in sorted(model_arrays(model).items())))
    assert len(found) == 1
