"""Pruning and quantization-aware training with tensorflow-model-optimization (tf_keras only).

Both go on from a trained network for a few epochs at a small rate, on the same augmented windows
as its training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.errors import CheckFailed
from pipeline.core.types import Array
from pipeline.training.pretrain import one_cycle_optimizer
from pipeline.training.seeds import seed_everything

Draw = Callable[[np.random.Generator], tuple[Array, Array]]
"""One epoch's network inputs (N, ...) and activities (N,), drawn and augmented again."""

_PRUNED_BY = 0.6  # share of the steps after which the sparsity is reached; the rest mends
_PRUNING_EVERY = 10  # steps


@dataclass(frozen=True)
class FineTuning:
    """Adam under a one-cycle rate, without weight decay: it would pull at what pruning and fake
    quantization are balancing."""

    epochs: int
    peak_rate: float
    batch: int = 64
    smoothing: float = 0.1


def prune(
    model: Any, sparsity: float, draw: Draw, steps_per_epoch: int, plan: FineTuning, seed: int
) -> Any:
    """A copy of ``model`` in which the share ``sparsity`` of each convolution's and dense layer's
    smallest weights are 0 (polynomial schedule of Zhu & Gupta 2017), fine-tuned meanwhile.

    Depthwise kernels stay dense: the library does not prune them, and they are few.
    """
    import tensorflow_model_optimization as tfmot
    import tf_keras
    from tf_keras import layers

    seed_everything(seed)
    sparse = tfmot.sparsity.keras
    steps = plan.epochs * steps_per_epoch
    every = max(1, min(_PRUNING_EVERY, steps // 10))
    # A multiple, or the last update would fall short of the sparsity.
    end = max(1, round(_PRUNED_BY * steps / every)) * every
    schedule = sparse.PolynomialDecay(0.0, sparsity, begin_step=0, end_step=end, frequency=every)

    def wrap(layer: Any) -> Any:
        if _prunable(layer, layers):
            return sparse.prune_low_magnitude(layer, pruning_schedule=schedule)
        return layer

    pruned = tf_keras.models.clone_model(model, clone_function=wrap)
    # The clone's layers are those of the model, which must keep its weights.
    before = model.get_weights()
    try:
        _fine_tune(pruned, draw, steps_per_epoch, plan, seed, [sparse.UpdatePruningStep()])
        stripped = sparse.strip_pruning(pruned)
        copy = tf_keras.models.clone_model(stripped)
        copy.set_weights(stripped.get_weights())
    finally:
        model.set_weights(before)
    return copy


def quantization_aware(
    model: Any,
    draw: Draw,
    steps_per_epoch: int,
    plan: FineTuning,
    seed: int,
    *,
    keep_zeros: bool = False,
) -> Any:
    """``model`` with int8 weights and activations simulated (Jacob et al. 2018), fine-tuned, ready
    for `pipeline.bundle.convert.to_int8`. ``keep_zeros``: weights that are 0 stay 0.

    Raises CheckFailed for a network with layers that the library cannot quantize.
    """
    import tensorflow_model_optimization as tfmot

    seed_everything(seed)
    quantization = tfmot.quantization.keras
    try:
        if keep_zeros:
            annotated = quantization.quantize_annotate_model(model)
            aware = quantization.quantize_apply(
                annotated, tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
            )
        else:
            aware = quantization.quantize_model(model)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckFailed(f"tensorflow-model-optimization cannot quantize it: {reason}") from None
    _fine_tune(aware, draw, steps_per_epoch, plan, seed, [])
    return aware


def _prunable(layer: Any, layers: Any) -> bool:
    dense = (layers.DepthwiseConv2D,)
    return isinstance(layer, (layers.Conv2D, layers.Dense)) and not isinstance(layer, dense)


def _fine_tune(
    model: Any,
    draw: Draw,
    steps_per_epoch: int,
    plan: FineTuning,
    seed: int,
    callbacks: list[Any],
) -> None:
    import tf_keras

    rng = np.random.default_rng(seed)
    model.compile(
        one_cycle_optimizer(plan.epochs * steps_per_epoch, plan.peak_rate, 0.0),
        tf_keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=plan.smoothing),
    )
    activities = int(model.output_shape[-1])
    one_hot = np.eye(activities, dtype=np.float32)
    for _ in range(plan.epochs):
        x, y = draw(rng)
        kept = steps_per_epoch * plan.batch
        model.fit(
            x[:kept],
            one_hot[y[:kept]],
            batch_size=plan.batch,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
