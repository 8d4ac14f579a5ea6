"""Pretraining: the whole backbone, end to end, never on test subjects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.models import backbone
from pipeline.models.weights import model_arrays, set_model_arrays
from pipeline.training.augment import Augmentation, augment
from pipeline.training.inputs import KNEE, NetworkInput
from pipeline.training.metrics import score
from pipeline.training.seeds import seed_everything


def set_batch_statistics(model: Any, inputs: Array) -> None:
    """Sets mean and variance of every batch normalization of a tf_keras model, each after the
    ones before it, to those of ``inputs`` (N, T, 1, C): no running mean, so nothing depends on how
    long one has averaged. As many windows as fit into memory with one layer's outputs."""
    import tf_keras

    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            before = tf_keras.Model(model.input, layer.input)
            values = before.predict(inputs, batch_size=512, verbose=0)
            layer.moving_mean.assign(values.mean(axis=(0, 1, 2), dtype=np.float64))
            layer.moving_variance.assign(values.var(axis=(0, 1, 2), dtype=np.float64))


# ---- pretrain ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PretrainSettings:
    """Adam with decoupled weight decay under a one-cycle rate (Smith 2018), label smoothing
    (Szegedy et al. 2016)."""

    backbone: str = "dscnn"
    epochs: int = 30
    batch: int = 64
    peak_rate: float = 4e-3
    decay: float = 5e-3
    smoothing: float = 0.1
    dropout: float = 0.3
    knee: tuple[float, ...] = KNEE
    augmentation: Augmentation = field(default_factory=Augmentation)


def one_cycle(step: Array, steps: int, peak: float) -> Array:
    """Learning rate per step: a cosine up over 30 % of ``steps`` and a cosine down to 0."""
    rise = 0.3 * steps
    up = 0.5 - 0.5 * np.cos(np.pi * np.minimum(step / rise, 1.0))
    down = 0.5 + 0.5 * np.cos(np.pi * np.clip((step - rise) / (steps - rise), 0.0, 1.0))
    return np.maximum(peak * np.where(step < rise, up, down), peak * 1e-3)


def one_cycle_optimizer(steps: int, peak: float, decay: float) -> Any:
    """Adam under a one-cycle rate over ``steps``; weight decay spares biases and batch norms."""
    import tensorflow as tf
    import tf_keras

    rates = tf.constant(one_cycle(np.arange(steps + 1), steps, peak), tf.float32)

    class Rate(tf_keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            return tf.gather(rates, tf.minimum(tf.cast(step, tf.int32), steps))

        def get_config(self) -> dict[str, Any]:
            return {}

    optimizer = tf_keras.optimizers.AdamW(Rate(), weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def begin_with(model: Any, initial: dict[str, Array], heads: tuple[str, ...]) -> None:
    """Fills every variable of a tf_keras model for which ``initial`` has an array of its name and
    shape, but those of the layers ``heads``."""
    own = model_arrays(model)
    fitting = {
        name: values
        for name, values in initial.items()
        if name in own and own[name].shape == values.shape and name.split("/")[0] not in heads
    }
    set_model_arrays(model, {**own, **fitting}, "initial weights")


def pretrain(
    dense: Windows,
    per_epoch: int,
    validation: Windows,
    normalize: NetworkInput,
    settings: PretrainSettings,
    seed: int,
    on_epoch: Callable[[int, float], None] = lambda *_: None,
    initial: dict[str, Array] | None = None,
) -> Any:
    """Trains a backbone and returns the tf_keras model.

    ``dense``: training windows at a small hop, of which each epoch draws ``per_epoch`` (a random
    start within the segment). ``on_epoch(epoch, validation accuracy)`` is called as training goes
    on; validation subjects are only measured. ``initial``: arrays by variable name to start from,
    as far as the network has them in that shape; the classifier starts from random weights.
    """
    seed_everything(seed)
    import tf_keras

    rng = np.random.default_rng(seed)
    activities = len(dense.activities)
    network = backbone(settings.backbone)
    model = network.build(dense.x.shape[1], dense.x.shape[2], activities, settings.dropout)
    begin_with(model, initial or {}, network.heads)
    per_epoch = min(per_epoch, len(dense.y))
    steps_per_epoch = per_epoch // settings.batch
    steps = steps_per_epoch * settings.epochs
    model.compile(
        one_cycle_optimizer(steps, settings.peak_rate, settings.decay),
        tf_keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.smoothing
        ),
    )
    shown = normalize(validation.x)
    one_hot = np.eye(activities, dtype=np.float32)
    for epoch in range(settings.epochs):
        chosen = rng.permutation(len(dense.y))[: steps_per_epoch * settings.batch]
        x = augment(dense.x[chosen], rng, settings.augmentation)
        model.fit(
            normalize(x),
            one_hot[dense.y[chosen]],
            batch_size=settings.batch,
            shuffle=False,
            verbose=0,
        )
        logits = model.predict(shown, batch_size=512, verbose=0)
        scores = score(validation.y, logits.argmax(1), validation.subjects, activities)
        on_epoch(epoch + 1, scores.accuracy)
    return model
