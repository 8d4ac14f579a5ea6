"""The factory head: standardized features, temperature folded in, spare rows, exemplars, and the
constants of learning from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.bundle.bundle import (
    LIMIT_MIN,
    HeadSizes,
    LearningConstants,
    SmootherConstants,
    Unknown,
)
from pipeline.bundle.interface import Interface, Output
from pipeline.core.types import Array
from pipeline.data import Windows, thin
from pipeline.head import LIMIT, CutScales, Head, HeadShape, Novelty, without_denormals
from pipeline.models import FloatHead
from pipeline.training import TrainedModel
from pipeline.training.calibration import (
    FALSE_REJECT,
    SMOOTHER_CHANGE,
    SMOOTHER_CHANGE_MOVING,
    WIDEN,
    Calibration,
    calibrate,
    fit_novelty,
    known_limit,
)

# A step makes this share of the correction that a window of average size asks for.
_RATE = 2.0
_RATE_CONVOLUTION = 0.3
# Of the distance to the factory parameters, what stays at each label.
_KEEP = 0.995
# Gradient steps per label, one in so many of them on a shipped exemplar.
_STEPS = 64
_REPLAY_EVERY = 4
# One in so many labels of an activity is kept to judge by.
_HOLD_EVERY = 6
# Mistakes of the factory head before the learned one may become active.
_EVIDENCE = 2


def learning_constants(features: Array, vectors: Array | None) -> LearningConstants:
    """Standardized features (N, F) of training windows, and what the pointwise convolution reads
    of them, (..., C), where the head has one."""
    return LearningConstants(
        rate=_per_size(_RATE, features),
        rate_convolution=0.0 if vectors is None else _per_size(_RATE_CONVOLUTION, vectors),
        keep=float(np.float32(_KEEP)),
        steps=_STEPS,
        replay_every=_REPLAY_EVERY,
        hold_every=_HOLD_EVERY,
        evidence=_EVIDENCE,
    )


def _per_size(step: float, vectors: Array) -> float:
    """The rate at which a step on a vector of average size, with its bias, changes what is computed
    of it by ``step`` times the gradient."""
    size = np.square(vectors, dtype=np.float64).sum(axis=-1).mean()
    return float(np.float32(step / (1.0 + size)))


# ---- factory head --------------------------------------------------------------------------------

# Keeps a feature that training subjects never moved from being blown up.
_STD_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Standardization:
    """Mean and standard deviation (F,) of the dense layer's features, float64: few labels go far
    where all features have zero mean and unit variance."""

    mean: Array
    std: Array

    def __call__(self, features: Array) -> Array:
        """(..., N) -> (..., N) float64, of the first N features."""
        n = features.shape[-1]
        return np.asarray((features - self.mean[:n]) / self.std[:n])


def standardization_of(features: Array) -> Standardization:
    """Of the training subjects' windows, features (M, F)."""
    features = np.asarray(features, np.float64)
    return Standardization(features.mean(axis=0), features.std(axis=0) + _STD_LEAST)


def head_sizes(head: FloatHead) -> dict[str, int]:
    """What bundle.json says of a head."""
    return {name: getattr(head, name) for name in HeadSizes.model_fields}


def shipped_head(
    head: FloatHead,
    outputs: Sequence[Output],
    standardization: Standardization,
    temperature: float,
    rows: int,
) -> Head:
    """The head after an extractor with these outputs, for ``rows`` activities, of which the K of
    the dense layer ship.

    Its logits are those of the dense layer on the features as they are, over ``temperature``: what
    standardizing does to the features, weights and bias take back.
    """
    activities, features = head.weights.shape
    shape = HeadShape(features, rows, **head_sizes(head))
    mean, std = standardization.mean, standardization.std
    weights = np.zeros((rows, features))
    bias = np.zeros(rows)
    weights[:activities] = head.weights * (std / temperature)
    bias[:activities] = (head.bias + head.weights @ mean) / temperature
    parts = [*head.convolutions, weights, bias]
    parameters = np.concatenate([without_denormals(part).ravel() for part in parts])
    return Head(shape, _scales(head, outputs, standardization), parameters, activities)


def _scales(
    head: FloatHead, outputs: Sequence[Output], standardization: Standardization
) -> CutScales:
    """Learned features leave the pointwise convolution in real units; frozen ones are int8."""
    frozen = outputs[:-1] if head.map_length else outputs
    sizes = [output.size for output in frozen]
    learned = head.filters
    step = np.append(np.repeat([o.scale for o in frozen], sizes), np.ones(learned))
    zero = np.append(np.repeat([o.zero_point for o in frozen], sizes), np.zeros(learned))
    scale = step / standardization.std
    offset = -(zero * step + standardization.mean) / standardization.std
    last = outputs[-1] if head.map_length else None
    return CutScales(
        without_denormals(scale),
        without_denormals(offset),
        last.scale if last else 1.0,
        last.zero_point if last else 0,
    )


# ---- exemplars -----------------------------------------------------------------------------------


def choose_exemplars(activities: Array, subjects: Array, each: int, seed: int) -> Array:
    """Of windows of these activities and subjects (N,), indices (E,) of up to ``each`` of every
    activity, one activity after the other and round again, so that whoever takes them in turn meets
    all. An activity with fewer windows is left out of the later rounds.

    Of different subjects as far as there are any: a second one of a subject only after one of
    everybody.
    """
    rng = np.random.default_rng(seed)
    turns = [_one_of_each(activities == k, subjects, rng) for k in range(activities.max() + 1)]
    chosen = [next(turn, None) for _ in range(each) for turn in turns]
    return np.asarray([i for i in chosen if i is not None], np.int64)


def _one_of_each(chosen: Array, subjects: Array, rng: np.random.Generator) -> Iterator[int]:
    """All the ``chosen``: one of each subject in random order, then a second, and so on."""
    mine = rng.permutation(np.flatnonzero(chosen))
    whose = subjects[mine]
    people = [mine[whose == person].tolist() for person in dict.fromkeys(whose.tolist())]
    for turn in range(max(map(len, people), default=0)):
        yield from (windows[turn] for windows in people if turn < len(windows))


# ---- head calibration ----------------------------------------------------------------------------


@dataclass(frozen=True)
class CalibratedHead:
    """The head with its temperature folded in, where known windows lie, and what bundle.json says
    of it all."""

    head: Head
    novelty: Novelty
    learning: LearningConstants
    calibration: Calibration
    unknown: Unknown
    smoother: SmootherConstants


_JUDGED_IN_TRAINING = 2_000


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a head is calibrated on. Of training windows: ``features`` float32 (N, F) as the network
    computes them, ``vectors`` (N, ..., C) that the learned pointwise convolution reads (None
    without one), activities and subjects (N,). Of validation windows: int8 (V, B) at the cut, and
    activities (V,)."""

    features: Array
    activities: Array
    subjects: Array
    cut: Array
    truth: Array
    vectors: Array | None = None


def evidence_of(
    trained: TrainedModel,
    cut: str,
    extractor: bytes,
    interface: Interface,
    training: Windows,
    validation: Windows,
) -> Evidence:
    """Run both networks on training and validation subjects' windows. Where nobody validates, the
    training subjects do: their windows say too little of how sure to be, and nothing of who was
    held out."""
    judged = validation
    if not len(validation):
        judged = training.subset(thin(training.subjects, training.y, _JUDGED_IN_TRAINING))
    return Evidence(
        features=trained.features(training.x),
        activities=training.y,
        subjects=training.subjects,
        cut=interface.run(extractor, judged.x),
        truth=judged.y,
        vectors=trained.pointwise_inputs(training.x) if trained.head(cut).filters else None,
    )


def calibrate_head(
    head: FloatHead,
    rows: int,
    outputs: Sequence[Output],
    evidence: Evidence,
    *,
    smoothing: bool = True,
    rejecting: bool = True,
) -> CalibratedHead:
    """The shipped form of ``head``, which follows an extractor with these outputs, and its
    thresholds, with room for ``rows`` activities: fitted on training subjects' windows, chosen on
    the validation subjects'.

    Without ``rejecting`` no window is ever unknown; without ``smoothing`` each stands for itself.
    """
    standardization = standardization_of(evidence.features)
    features = standardization(evidence.features)

    windows = evidence.cut
    x = shipped_head(head, outputs, standardization, 1.0, rows).features(windows)
    plain = x * standardization.std + standardization.mean
    found = calibrate(plain @ head.weights.T + head.bias, evidence.truth)
    shipped = shipped_head(head, outputs, standardization, found.temperature, rows)

    first = outputs[0]
    steps = first.scale / standardization.std[: first.size]
    novelty = fit_novelty(
        features[:, : first.size],
        evidence.activities,
        evidence.subjects,
        len(head.weights),
        steps,
    )
    distances = novelty.distance(x, shipped.predict(windows).argmax(axis=1))
    limit = max(known_limit(distances), LIMIT_MIN) if rejecting else float(LIMIT)
    return CalibratedHead(
        head=shipped,
        novelty=novelty,
        learning=learning_constants(features, evidence.vectors),
        calibration=found,
        unknown=Unknown(
            limit=limit,
            widen=WIDEN,
            false_reject_target=FALSE_REJECT if rejecting else 0.0,
            false_reject=round(float((distances > limit).mean()), 6),
        ),
        smoother=SmootherConstants(
            change=SMOOTHER_CHANGE if smoothing else 1.0,
            change_moving=SMOOTHER_CHANGE_MOVING if smoothing else 1.0,
        ),
    )
