"""fxcy.json: one row for each case of each network and pair of data sets, and what was published
of such (Fragkou, Katsaros 2023; Lygnos 2022)."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from pipeline.report.fields import Count, Share


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class FxcyRow(_Part):
    """A case: means over ``seeds`` on the target's test subjects, after the last epoch.

    ``worst_subject``: None where subjects are unknown.
    ``case``: last_dense, fc, fxc1, fxc2, ..., whole, scratch. ``sd``: of the accuracy over seeds
    (n - 1; None for one). ``loss``: cross-entropy, nats. ``accuracy_curve``, ``loss_curve``: after
    each epoch. ``energy_nj``: forward MACs of the trained layers, one window, x 3.2 pJ (the
    original's formula); ``training_energy_nj``: counted MACs of one training step on one window x
    3.2 pJ. ``epochs_to_fc``: until the best accuracy of case fc, mean over the ``seeds_to_fc`` that
    reach it; None where fewer than half do, or where fc was not run; ``faster_percent`` of fc's
    epochs are saved by that, ``less_energy_percent`` of fc's training energy. ``trained_layers``:
    of the extractor. ``device_bytes``: RAM that training takes on a device: where ``board_learns``,
    what the firmware's learner of this case takes with the labelled windows that it keeps unless
    stated otherwise; else trained parameters with gradients, and the activations that one backward
    pass needs, float32.
    """

    source: str
    target: str
    backbone: str
    case: str
    seeds: list[int]
    accuracy: Share
    accuracies: list[Share]
    sd: float | None
    loss: float
    macro_f1: Share
    worst_subject: str | None
    worst_subject_accuracy: Share | None
    accuracy_curve: list[Share]
    loss_curve: list[float]
    energy_nj: float
    training_energy_nj: float
    seeds_to_fc: Count
    epochs_to_fc: float | None
    faster_percent: float | None
    less_energy_percent: float | None
    trained_layers: Count
    trainable_parameters: Count
    device_bytes: Count
    board_learns: bool
    train_windows: Count
    test_windows: Count


class DeviceRow(_Part):
    """A case learned by the firmware's own learner from the same labelled windows, and by the same
    rule in TensorFlow, in float32: the fields that begin with ``tensorflow``. ``kept_windows``:
    labelled windows that the learner kept to learn from again, and ``kept_bytes`` its RAM with so
    many."""

    source: str
    target: str
    backbone: str
    case: str
    seeds: list[int]
    accuracy: Share
    accuracies: list[Share]
    sd: float | None
    macro_f1: Share
    worst_subject: str
    worst_subject_accuracy: Share
    tensorflow_accuracy: Share
    tensorflow_accuracies: list[Share]
    tensorflow_sd: float | None
    tensorflow_macro_f1: Share
    tensorflow_worst_subject: str
    tensorflow_worst_subject_accuracy: Share
    kept_windows: Count
    kept_bytes: Count


class PairInfo(_Part):
    """``source_accuracy``: of the source network on the source's own test subjects, by backbone."""

    source: str
    target: str
    target_split: str
    test_people: Count
    activities: list[str]
    source_accuracy: dict[str, Share]
    weights: dict[str, str]


class FxcyReport(_Part):
    """``epochs``: by backbone. ``seconds``: that all jobs took together, one after the other,
    whenever and by whichever worker they were done."""

    command: str
    date: str
    versions: dict[str, str]
    epochs: dict[str, Count]
    seconds: float
    pairs: list[PairInfo]
    rows: list[FxcyRow]
    device_rows: list[DeviceRow] = []
    notes: list[str] = []


class Published(NamedTuple):
    """FC against FxC1 as published: images, accuracy 0 to 1, nJ, percent faster."""

    network: str
    pair: str
    accuracy_fc: float
    accuracy_fxc1: float
    energy_fc_nj: float
    energy_fxc1_nj: float
    faster_percent: float


PUBLISHED = (
    Published("small CNN", "CIFAR-100 -> CIFAR-10", 0.695, 0.765, 844.9, 31097.5, 19.98),
    Published("EfficientNetB0", "ImageNet -> CIFAR-100", 0.745, 0.885, 510.0, 64735.2, 56.74),
    Published("EfficientNetB0", "ImageNet -> Intel scenes", 0.869, 0.922, 137.4, 64350.2, 39.38),
    Published("EfficientNetB2", "ImageNet -> CIFAR-100", 0.780, 0.911, 560.9, 78273.5, 60.81),
)
