"""One job: a case of a network learns a target with one seed, and is measured on its test subjects
after every epoch. Nothing is chosen by that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.experiments.fxcy.domains import Domain
from pipeline.experiments.fxcy.settings import (
    LAST_DENSE,
    SCRATCH,
    Learning,
    cases_by_depth,
    default_cases,
)
from pipeline.models import backbone as find_backbone
from pipeline.models.cases import convolutions, dense_layers, first_trained, trained_layers
from pipeline.models.graph import split_model
from pipeline.training.metrics import score

# Source networks were trained for longer than a case is, and the usual momentum of 0.99 or 0.999
# would not forget their statistics, or those of initialization, in so few steps.
_MOMENTUM = 0.9
_SENSORS = 128, 6  # samples and channels
# Variables of the layers that networks here consist of, and where their initializers are.
_INITIALIZERS = {
    "kernel": "kernel_initializer",
    "depthwise_kernel": "depthwise_initializer",
    "pointwise_kernel": "pointwise_initializer",
    "bias": "bias_initializer",
    "gamma": "gamma_initializer",
    "beta": "beta_initializer",
    "moving_mean": "moving_mean_initializer",
    "moving_variance": "moving_variance_initializer",
}
_PREDICT_BATCH = 128


@dataclass(frozen=True, eq=False)
class CaseNetwork:
    """``model``: the whole network, logits of the target's activities. ``frozen``: from network
    inputs to what ``learner`` reads (one tensor or several), None where everything learns; both
    share their layers with ``model``. ``extractor_layers``: what learns of the feature extractor,
    ``dense_layers``: what learns after it."""

    model: Any
    frozen: Any | None
    learner: Any
    extractor_layers: tuple[str, ...]
    dense_layers: tuple[str, ...]
    case: str

    @cached_property
    def trainer(self) -> Trainer:
        """Kept as long as the next job has the same network."""
        return Trainer(self.learner)

    @property
    def trained(self) -> tuple[str, ...]:
        """Names of all layers that learn."""
        return (*self.extractor_layers, *self.dense_layers)

    def start(self, arrays: dict[str, Array], seed: int) -> None:
        """Sets every variable to where the case begins: ``arrays``, the source network's, by name;
        dense layers that learn again, and with case scratch all layers, drawn with ``seed``."""
        rng = np.random.default_rng(seed)
        fresh = set(self.dense_layers)
        for layer in self.model.layers:
            if layer.name in fresh or self.case == SCRATCH:
                initialize(layer, rng)
                continue
            for variable in layer.weights:
                name = variable.name.removesuffix(":0")
                if name not in arrays or arrays[name].shape != tuple(variable.shape):
                    raise InputError(f"the source network has no weights for {name}; make it again")
                variable.assign(arrays[name])

    def frozen_outputs(self, inputs: Array) -> list[Array]:
        """Network inputs (N, ...) -> what the learner reads, float32."""
        if self.frozen is None:
            return [inputs]
        outputs = self.frozen.predict(inputs, batch_size=128, verbose=0)
        return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def initialize(layer: Any, rng: np.random.Generator) -> None:
    """Draws the layer's variables again, by their own initializers."""
    left = {variable.name for variable in layer.weights}
    for name, where in _INITIALIZERS.items():
        variable = getattr(layer, name, None)
        if variable is None or getattr(variable, "name", None) not in left:
            continue
        initializer = getattr(layer, where)
        config = initializer.get_config()
        if "seed" in config:
            config["seed"] = int(rng.integers(1 << 31))
        drawn = type(initializer).from_config(config)
        variable.assign(drawn(shape=variable.shape, dtype=variable.dtype))
        left.discard(variable.name)
    if left:
        raise AssertionError(f"{layer.name}: no initializer for {', '.join(sorted(left))}")


@lru_cache(maxsize=1)
def _whole_network(backbone: str, length: int, channels: int, activities: int) -> Any:
    """Kept from one job to the next: a deep network takes seconds to build."""
    import tf_keras

    tf_keras.backend.clear_session()
    return find_backbone(backbone).build(length, channels, activities, 0.0)


@lru_cache(maxsize=1)
def case_network(
    backbone: str, case: str, length: int, channels: int, activities: int
) -> CaseNetwork:
    """The network of ``case``; its variables hold whatever the last job left, so `start` it.

    Raises InputError for a case that the network does not have.
    """
    network = find_backbone(backbone)
    model = _whole_network(backbone, length, channels, activities)
    layers = trained_layers(model, network, case)
    dense = network.heads if case == LAST_DENSE else dense_layers(model)
    everything = convolutions(model)[0] in layers
    frozen, learner = None, model
    if not everything:
        frozen, learner = split_model(model, first_trained(model, network, case))
    for layer in learner.layers:
        layer.trainable = True
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = _MOMENTUM
        elif type(layer).__name__ == "Dropout":
            layer.rate = 0.0  # nothing random but order and initial values
    return CaseNetwork(model, frozen, learner, layers, tuple(dense), case)


def cases_of(backbone: str) -> tuple[str, ...]:
    """What is compared of ``backbone`` where no cases are asked for."""
    if ":" not in backbone and (listed := default_cases(backbone)):
        return listed  # without building the network, which takes seconds
    depth = len(convolutions(_whole_network(backbone, *_SENSORS, 2)))
    return default_cases(backbone, depth) or cases_by_depth(depth)


def check_case(backbone: str, case: str) -> None:
    """InputError for a case that the network does not have."""
    trained_layers(_whole_network(backbone, *_SENSORS, 2), find_backbone(backbone), case)


class Trainer:
    """Adam (Kingma, Ba 2015) on the cross-entropy of a learner's logits.

    A step is traced once and used for every seed of the case: tracing a deep network takes longer
    than a seed, and `fit` would set up its pipeline of data again in every epoch.
    """

    def __init__(self, learner: Any) -> None:
        import tensorflow as tf
        import tf_keras

        self._optimizer = optimizer = tf_keras.optimizers.Adam()
        variables = learner.trainable_variables
        optimizer.build(variables)
        loss_of = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        given = [tf.TensorSpec(entry.shape, entry.dtype) for entry in learner.inputs]

        def step(x: list[Any], y: Any) -> None:
            with tf.GradientTape() as tape:
                loss = loss_of(y, learner(x, training=True))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        self._step = tf.function(step, input_signature=[given, tf.TensorSpec([None], tf.int64)])
        self._call = tf.function(lambda x: learner(x, training=False), input_signature=[given])

    def restart(self, rate: float) -> None:
        """Forgets all moments."""
        for variable in self._optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype.as_numpy_dtype))
        self._optimizer.learning_rate = rate

    def epoch(self, x: Sequence[Array], y: Array, order: Array, batch: int) -> None:
        """One pass over the windows in ``order``: ``x`` (N, ...) each, ``y`` (N,) int64."""
        import tensorflow as tf

        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            self._step([tf.constant(values[chosen]) for values in x], tf.constant(y[chosen]))

    def logits(self, x: Sequence[Array]) -> Array:
        """(N, K)."""
        import tensorflow as tf

        parts = [
            self._call([tf.constant(values[at : at + _PREDICT_BATCH]) for values in x]).numpy()
            for at in range(0, len(x[0]), _PREDICT_BATCH)
        ]
        return np.concatenate(parts)


def learn(
    network: CaseNetwork,
    arrays: dict[str, Array],
    inputs: Callable[[Array], Array],
    target: Domain,
    learning: Learning,
    seed: int,
) -> dict[str, Any]:
    """Sets ``network`` to where its case begins and trains it on the target's training windows.

    ``arrays``: the source network's variables; ``inputs``: windows to network inputs. The frozen
    part is run once, which gives what freezing in place gives. ``seed`` draws the new layers and
    the order of the windows. The same arguments give the same figures on one machine.

    Returns, on the target's test subjects, accuracy, loss (cross-entropy, nats), macro_f1 and
    accuracy by subject after the last epoch, and accuracy_curve and loss_curve after each.
    """
    from pipeline.training.seeds import seed_everything

    seed_everything(seed)
    network.start(arrays, seed)
    given = network.frozen_outputs(inputs(target.train.x))
    asked = network.frozen_outputs(inputs(target.test.x))
    trainer = network.trainer
    trainer.restart(learning.rate)
    truth, rng = target.test.y, np.random.default_rng(seed)
    accuracies, losses = [], []
    logits = np.zeros((0, 0), np.float32)
    for _ in range(learning.epochs):
        trainer.epoch(given, target.train.y, rng.permutation(len(target.train)), learning.batch)
        logits = trainer.logits(asked)
        accuracies.append(round(float((logits.argmax(1) == truth).mean()), 6))
        losses.append(round(cross_entropy(logits, truth), 6))
    scores = score(target.test.y, logits.argmax(1), target.test.subjects, len(target.activities))
    return {
        "accuracy": accuracies[-1],
        "loss": losses[-1],
        "macro_f1": round(scores.macro_f1, 6),
        "subjects": {name: round(value, 6) for name, value in scores.subject_accuracy.items()},
        "accuracy_curve": accuracies,
        "loss_curve": losses,
    }


def cross_entropy(logits: Array, truth: Array) -> float:
    """Mean over windows, nats: logits (N, K) against numbers (N,)."""
    high = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(high, truth[:, None], axis=1)[:, 0]
    return float((np.log(np.exp(high).sum(axis=1)) - chosen).mean())
