"""Pretraining of the whole backbone, with labels or without, never on test subjects."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.data import Recording, Windows
from pipeline.models import backbone
from pipeline.models.weights import model_arrays, set_model_arrays
from pipeline.training.augment import Augmentation, augment, varied_windows
from pipeline.training.inputs import KNEE, InputNormalization, NetworkInput, fit_normalization
from pipeline.training.metrics import score
from pipeline.training.seeds import seed_everything

_TAPS = 9
_DILATIONS = (1, 2, 4, 8, 14)
_STATISTICS_WINDOWS = 2048


@dataclass(frozen=True)
class DistillSettings:
    """``kernels`` per dilation in the bank; ``components`` of it that are regressed, the k-th
    weighted by 1 / (1 + k / ``falloff``)."""

    backbone: str = "dscnn"
    windows: int = 24_000
    steps: int = 1300
    batch: int = 256
    peak_rate: float = 4e-3
    decay: float = 5e-3
    kernels: int = 60
    components: int = 256
    falloff: float = 64.0

    @property
    def epochs(self) -> int:
        """Passes over the windows that make ``steps``, at least one."""
        return max(1, round(self.steps / (self.windows // self.batch)))


class RandomKernels:
    """A bank of random dilated convolutions over normalized windows (N, T, C).

    Of each kernel: the share of positive outputs, the mean of their positive part, the maximum.
    Every kernel reads a random choice of channels; its bias is a random quantile of its outputs on
    the windows it is made with.
    """

    def __init__(self, x: Array, kernels: int, rng: np.random.Generator) -> None:
        channels = x.shape[2]
        self._bank: list[tuple[int, Array, Array]] = []
        for dilation in _DILATIONS:
            if (_TAPS - 1) * dilation >= x.shape[1]:
                break
            weights = rng.normal(size=(_TAPS, channels, kernels))
            weights -= weights.mean(axis=0) * (rng.random(kernels) < 0.7)
            for kernel in range(kernels):
                read = rng.choice(channels, rng.integers(1, channels + 1), replace=False)
                weights[:, np.setdiff1d(np.arange(channels), read), kernel] = 0.0
                weights[..., kernel] /= np.sqrt(_TAPS * len(read))
            outputs = _convolve(x, weights.astype(np.float32), dilation)
            quantiles = rng.uniform(0.1, 0.9, kernels)
            bias = [np.quantile(outputs[..., k], q) for k, q in enumerate(quantiles)]
            self._bank.append((dilation, weights.astype(np.float32), np.array(bias, np.float32)))

    def __call__(self, x: Array) -> Array:
        """Windows (N, T, C) -> features float32 (N, 3 * kernels * dilations)."""
        return np.concatenate([self._few(x[i : i + 256]) for i in range(0, len(x), 256)])

    def _few(self, x: Array) -> Array:
        parts = []
        for dilation, weights, bias in self._bank:
            outputs = _convolve(x, weights, dilation) - bias  # (n, T', kernels)
            parts += [(outputs > 0).mean(1), np.maximum(outputs, 0).mean(1), outputs.max(1)]
        features: Array = np.concatenate(parts, axis=1).astype(np.float32)
        return features


def leading_components(features: Array, count: int) -> Array:
    """(N, F) -> the ``count`` components of largest variance, decorrelated, of variance 1,
    float32 (N, count): principal components of the standardized features."""
    z = (features - features.mean(0)) / (features.std(0) + 1e-4)
    variances, directions = np.linalg.eigh(z.T.astype(np.float64) @ z / len(z))
    largest = np.argsort(variances)[::-1][: min(count, len(variances))]
    components: Array = z @ (directions[:, largest] / np.sqrt(variances[largest] + 1e-9))
    return components.astype(np.float32)


def distill(
    recordings: Sequence[Recording],
    length: int,
    settings: DistillSettings,
    seed: int,
    on_epoch: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Any, InputNormalization]:
    """Trains a backbone on unlabelled recordings for windows of ``length`` samples.

    Returns the tf_keras model, its logits untrained, and the normalization of its inputs.
    ``on_epoch(epoch, epochs)``. Raises ValueError for recordings that are too short,
    InputError for a backbone that reads pictures.
    """
    network = backbone(settings.backbone)
    if network.image is not None:
        raise InputError(
            f"backbone {settings.backbone} reads pictures; distilling takes a network over samples"
        )
    seed_everything(seed)
    import tensorflow as tf
    import tf_keras

    rng = np.random.default_rng(seed)
    x = varied_windows(recordings, length, settings.windows, rng)
    normalize = fit_normalization(x)
    inputs = normalize(x)  # (N, T, 1, C)
    teacher = RandomKernels(inputs[:256, :, 0], settings.kernels, rng)
    targets = leading_components(teacher(inputs[:, :, 0]), settings.components)
    count = targets.shape[1]

    model = network.build(length, inputs.shape[3], 2, 0.0)
    features = tf_keras.layers.Concatenate()(network.extractor(model, "fc").outputs)
    scaled = tf_keras.layers.BatchNormalization(scale=False, center=False)(features)
    student = tf_keras.Model(
        model.input, tf_keras.layers.Dense(count, kernel_initializer="zeros")(scaled)
    )
    weights = 1.0 / (1.0 + np.arange(count) / settings.falloff)
    weights = tf.constant(weights / weights.mean(), tf.float32)

    per_epoch = len(x) // settings.batch
    epochs = settings.epochs
    steps = per_epoch * epochs
    optimizer = one_cycle_optimizer(steps, settings.peak_rate, settings.decay)
    student.compile(
        optimizer, lambda truth, said: tf.reduce_mean(weights * tf.square(said - truth), axis=1)
    )
    for epoch in range(epochs):
        chosen = rng.permutation(len(x))[: per_epoch * settings.batch]
        student.fit(
            inputs[chosen], targets[chosen], batch_size=settings.batch, shuffle=False, verbose=0
        )
        on_epoch(epoch + 1, epochs)
    set_batch_statistics(model, inputs[:_STATISTICS_WINDOWS])
    return model, normalize


def _convolve(x: Array, weights: Array, dilation: int) -> Array:
    """(N, T, C) by (taps, C, kernels) -> (N, T - (taps - 1) * dilation, kernels), valid."""
    length = x.shape[1] - (len(weights) - 1) * dilation
    taps = [x[:, k * dilation : k * dilation + length] for k in range(len(weights))]
    outputs: Array = np.concatenate(taps, axis=2) @ weights.reshape(-1, weights.shape[2])
    return outputs


# ---- batch statistics ----------------------------------------------------------------------------


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


# ---- with labels ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PretrainSettings:
    """Adam with decoupled weight decay under a one-cycle rate (Smith 2018), label smoothing
    (Szegedy et al. 2016).

    ``draws``: windows an epoch, drawn as `balance_weights` says; None for each of the training
    windows once. ``doubt``: subtracted from the classifier's scores of the ``doubted`` activities,
    which are rarer than they are drawn.
    """

    backbone: str = "dscnn"
    epochs: int = 30
    draws: int | None = None
    batch: int = 64
    peak_rate: float = 4e-3
    decay: float = 5e-3
    smoothing: float = 0.1
    dropout: float = 0.3
    knee: tuple[float, ...] = KNEE
    doubted: tuple[str, ...] = ()
    doubt: float = 0.0
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


def balance_weights(activities: Array, subjects: Array) -> Array:
    """The probabilities (N,) with which, of windows of these activities and subjects, each activity
    is drawn as often as another, within an activity each data set of a mixed one, and within that
    each subject."""
    origins = np.where(np.char.find(subjects, "/") < 0, "", np.char.partition(subjects, "/")[:, 0])
    weights = np.ones(len(activities))
    cell = np.zeros(len(activities), np.int64)
    for level in (activities, origins, subjects):
        parent, number = cell, np.unique(level, return_inverse=True)[1]
        pairs, cell = np.unique(np.stack([parent, number]), axis=1, return_inverse=True)
        cell = cell.ravel()
        weights /= np.bincount(pairs[0])[parent]
    weights /= np.bincount(cell)[cell]
    probabilities: Array = weights / weights.sum()
    return probabilities


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
    on; validation subjects are only measured, and without any the accuracy is NaN. ``initial``:
    arrays by variable name to start from, as far as the network has them in that shape; the
    classifier starts from random weights.
    """
    seed_everything(seed)
    import tf_keras

    rng = np.random.default_rng(seed)
    activities = len(dense.activities)
    network = backbone(settings.backbone)
    model = network.build(dense.x.shape[1], dense.x.shape[2], activities, settings.dropout)
    begin_with(model, initial or {}, network.heads)
    per_epoch = settings.draws or min(per_epoch, len(dense.y))
    weights = balance_weights(dense.y, dense.subjects) if settings.draws else None
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
        count = steps_per_epoch * settings.batch
        if weights is None:
            chosen = rng.permutation(len(dense.y))[:count]
        else:
            chosen = rng.choice(len(dense.y), count, p=weights)
        x = augment(dense.x[chosen], rng, settings.augmentation)
        model.fit(
            normalize(x),
            one_hot[dense.y[chosen]],
            batch_size=settings.batch,
            shuffle=False,
            verbose=0,
        )
        accuracy = math.nan
        if len(validation):
            logits = model.predict(shown, batch_size=512, verbose=0)
            said = logits.argmax(1)
            accuracy = score(validation.y, said, validation.subjects, activities).accuracy
        on_epoch(epoch + 1, accuracy)
    return model
