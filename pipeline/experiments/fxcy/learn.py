"""One job: a case of a network learns a target with one seed, and is measured on its test subjects
after every epoch. Nothing is chosen by that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.types import Array
from pipeline.experiments.fxcy.domains import Domain
from pipeline.experiments.fxcy.networks import CaseNetwork
from pipeline.experiments.fxcy.settings import Learning
from pipeline.experiments.fxcy.trainer import Teacher
from pipeline.training.metrics import score


@dataclass(frozen=True)
class Learned:
    """On the target's test subjects: after the last epoch, and ``accuracy_curve`` and
    ``loss_curve`` (cross-entropy, nats) after each."""

    accuracy: float
    loss: float
    macro_f1: float
    subjects: dict[str, float]
    subject_windows: dict[str, int]
    accuracy_curve: list[float]
    loss_curve: list[float]
    seconds: float

    def document(self) -> dict[str, Any]:
        """JSON."""
        return dict(vars(self))


def learn(
    network: CaseNetwork,
    arrays: dict[str, Array],
    inputs: Callable[[Array], Array],
    target: Domain,
    learning: Learning,
    seed: int,
) -> Learned:
    """Sets ``network`` to where its case begins and trains it on the target's training windows.

    ``arrays``: the source network's variables; ``inputs``: windows to network inputs. The frozen
    part is run once, which gives what freezing in place gives. ``seed`` draws the new layers and
    the order of the windows. The same arguments give the same figures on one machine.
    """
    from pipeline.training.seeds import seed_everything

    began = time.monotonic()
    seed_everything(seed)
    network.start(arrays, seed)
    given = network.frozen_outputs(inputs(target.train.x))
    asked = network.frozen_outputs(inputs(target.test.x))
    teacher = Teacher.of(network)
    teacher.restart(learning.rate)
    truth, rng = target.test.y, np.random.default_rng(seed)
    accuracies, losses = [], []
    logits = np.zeros((0, 0), np.float32)
    for _ in range(learning.epochs):
        teacher.epoch(given, target.train.y, rng.permutation(len(target.train)), learning.batch)
        logits = teacher.logits(asked)
        accuracies.append(round(float((logits.argmax(1) == truth).mean()), 6))
        losses.append(round(cross_entropy(logits, truth), 6))
    scores = score(target.test.y, logits.argmax(1), target.test.subjects, len(target.activities))
    return Learned(
        accuracy=accuracies[-1],
        loss=losses[-1],
        macro_f1=round(scores.macro_f1, 6),
        subjects={name: round(value, 6) for name, value in scores.subject_accuracy.items()},
        subject_windows=scores.subject_windows,
        accuracy_curve=accuracies,
        loss_curve=losses,
        seconds=round(time.monotonic() - began, 3),
    )


def cross_entropy(logits: Array, truth: Array) -> float:
    """Mean over windows, nats: logits (N, K) against numbers (N,)."""
    high = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(high, truth[:, None], axis=1)[:, 0]
    return float((np.log(np.exp(high).sum(axis=1)) - chosen).mean())
