"""Nothing of the people who judge a model reaches what it is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import quantize as quantization
from pipeline.core.errors import InputError
from pipeline.data import SCHEMES, Dataset, Windows, folds, split_subjects
from pipeline.data.source import UCI_PEOPLE
from pipeline.data.splits import OFFICIAL_TEST
from pipeline.training import Pretrained, TrainedModel, load_pretrained, train
from pipeline.training.pretrain import PretrainSettings
from pipeline.training.pretrained import PretrainedCard, pretrain_extractor
from pipeline.training.shipped import ExtractorName, shipped
from pipeline.training.task import Task, make_task
from pipeline.training.train import save_trained
from tests.support.conversion import remembered_conversions
from tests.support.synthetic import synthetic_task

SIDES = ("train", "validation", "test")


def _dataset() -> Dataset:
    """Twelve people, each with two recordings in two sessions, under the name and with the test
    people of a data set that has an official split."""
    dataset = synthetic_task(people=12, seconds=4.0).dataset
    official = iter(OFFICIAL_TEST[UCI_PEOPLE])
    others = iter(("subject01", "subject03", "subject05"))
    names = {
        person: next(official, None) or next(others) for person in sorted(set(dataset.subjects))
    }
    recordings = []
    for recording in dataset.recordings:
        who = names[recording.subject]
        middle = len(recording.samples) // 2
        halves = (slice(0, middle), slice(middle, None))
        for number, half in enumerate(halves):
            start = half.start
            segments = tuple(
                replace(s, start=s.start - start, stop=s.stop - start)
                for s in recording.segments
                if start <= s.start < start + middle
            )
            session = f"{who}/{number}"
            samples = np.ascontiguousarray(recording.samples[half])
            recordings.append(
                replace(recording, samples=samples, subject=who, session=session, segments=segments)
            )
    return replace(dataset, name="hapt", people=UCI_PEOPLE, recordings=tuple(recordings))


DATASET = _dataset()
SPLITS = [
    (scheme, fold, seed)
    for scheme in SCHEMES
    for fold in range(folds(DATASET, scheme))
    for seed in range(3)
]


def _sides(task: Task) -> dict[str, Windows]:
    windows = {side: task.windows.for_subjects(getattr(task.split, side)) for side in SIDES}
    # What pretraining draws from stands on the training side; recordings are numbered anew there.
    dense = task.dense_training_windows()
    people = set(task.split.pretrain)
    place = [i for i, r in enumerate(task.dataset.recordings) if r.subject in people]
    return {**windows, "dense": replace(dense, recording=np.array(place)[dense.recording])}


@pytest.mark.parametrize(("scheme", "fold", "seed"), SPLITS)
def test_no_person_session_recording_window_or_sample_is_on_two_sides(
    scheme: str, fold: int, seed: int
) -> None:
    task = make_task(DATASET, split_subjects(DATASET, scheme, fold=fold, seed=seed))
    sides = _sides(task)
    assert sum(len(sides[side]) for side in SIDES) == len(task.windows)
    # Every sample of every recording belongs to at most one side, so no two overlapping windows
    # can be on different ones.
    owner = [np.full(len(r.samples), -1) for r in DATASET.recordings]
    length = task.windows.x.shape[1]
    for number, name in enumerate(("dense", "train", "validation", "test")):
        side = max(0, number - 1)
        windows = sides[name]
        assert len(windows)
        for recording, start in zip(windows.recording, windows.start, strict=True):
            stretch = owner[recording][start : start + length]
            assert ((stretch == -1) | (stretch == side)).all()
            stretch[:] = side
    for field in ("subjects", "sessions", "recording"):
        found = [set(getattr(sides[side], field).tolist()) for side in SIDES]
        assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    assert set(sides["dense"].subjects.tolist()) <= set(task.split.pretrain)


def _pretrained(task: Task, folder: Path) -> Pretrained:
    settings = PretrainSettings(backbone="dscnn:k5:8s4-8s4", epochs=1, batch=32)
    pretrain_extractor(task, settings, 3, folder / "weights.npz")
    return load_pretrained(folder / "weights.npz")


def _trained(task: Task, pretrained: Pretrained) -> TrainedModel:
    return train(pretrained, task, 3)


@dataclass(frozen=True)
class Made:
    """All that comes of a task. ``bundle``: all of bundle.json but its figures."""

    pretrained: Pretrained
    trained: TrainedModel
    digest: str
    bundle: dict[str, object]

    @property
    def card(self) -> PretrainedCard:
        return self.pretrained.card


@pytest.fixture(scope="module")
def honest(small: Task, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return _made_from(small, tmp_path_factory.mktemp("honest"))


def _made_from(task: Task, folder: Path) -> Made:
    pretrained = _pretrained(task, folder)
    trained = _trained(task, pretrained)
    digest = save_trained(trained, folder / "trained").weights_sha256
    with remembered_conversions():
        bundle = quantization.quantize(trained, task, folder / "bundle")
    figures = {"model_id", "metrics"}
    return Made(pretrained, trained, digest, bundle.model_dump(exclude=figures))


class _Seen(Exception):
    """Carries the windows that the scales are made of."""


def _scaled_by(trained: TrainedModel, task: Task, folder: Path) -> bytes:
    def to_int8(_: object, representative: np.ndarray) -> bytes:
        raise _Seen(representative.tobytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantization, "to_float", lambda _: b"")
        patch.setattr(quantization, "to_int8", to_int8)
        with pytest.raises(_Seen) as seen:
            quantization.quantize(trained, task, folder / "never")
    return seen.value.args[0]


def _disturbed(task: Task, people: tuple[str, ...]) -> Task:
    """The same task, but these people's sensors went wild."""
    rng = np.random.default_rng(0)
    recordings = tuple(
        replace(
            r,
            samples=(r.samples * 40 + rng.normal(500, 90, r.samples.shape)).astype(np.float32),
        )
        if r.subject in people
        else r
        for r in task.dataset.recordings
    )
    return make_task(replace(task.dataset, recordings=recordings), task.split)


@pytest.fixture(scope="module")
def small() -> Task:
    return synthetic_task(people=5, seconds=9.0)


def test_a_test_person_s_samples_change_nothing_but_the_figures(
    small: Task, honest: Made, tmp_path: Path
) -> None:
    made = _made_from(_disturbed(small, small.split.test), tmp_path)
    assert (made.card, made.digest, made.bundle) == (honest.card, honest.digest, honest.bundle)


def test_a_validation_person_s_samples_change_no_weight_and_no_scale(
    small: Task, honest: Made, tmp_path: Path
) -> None:
    disturbed = _disturbed(small, small.split.validation)
    pretrained = _pretrained(disturbed, tmp_path)
    trained = _trained(disturbed, pretrained)
    assert (pretrained.card.mean, pretrained.card.std) == (honest.card.mean, honest.card.std)
    assert pretrained.card.weights_sha256 == honest.card.weights_sha256
    assert pretrained.card.validation_accuracy != honest.card.validation_accuracy
    assert save_trained(trained, tmp_path / "trained").weights_sha256 == honest.digest
    # Equal weights and equal windows to scale them by give equal scales.
    assert _scaled_by(trained, disturbed, tmp_path) == _scaled_by(honest.trained, small, tmp_path)


def test_a_training_person_s_samples_do_change_them(
    small: Task, honest: Made, tmp_path: Path
) -> None:
    card = _pretrained(_disturbed(small, small.split.train[:1]), tmp_path).card
    assert card.mean != honest.card.mean
    assert card.weights_sha256 != honest.card.weights_sha256


@pytest.mark.parametrize("side", ["validation", "test"])
def test_an_extractor_that_saw_somebody_who_judges_is_refused(
    small: Task, honest: Made, side: str
) -> None:
    split = small.split
    seen, judging = split.train[:1], getattr(split, side)
    train_now = tuple(sorted((*split.train[1:], *judging)))
    other = replace(split, pretrain=train_now, train=train_now, **{side: seen})
    with pytest.raises(InputError, match=f"pretrained on validation or test subjects.*{seen[0]}"):
        _trained(replace(small, split=other), honest.pretrained)


@pytest.mark.parametrize("name", shipped(), ids=lambda name: str(name.path(Path())))
def test_a_shipped_extractor_was_pretrained_on_the_people_of_its_split(name: ExtractorName) -> None:
    people = [f"subject{number:02d}" for number in range(1, 31)]  # of HAPT
    recordings = tuple(replace(DATASET.recordings[0], subject=person) for person in people)
    dataset = replace(DATASET, name=name.dataset, recordings=recordings)
    split = split_subjects(dataset, name.scheme, fold=name.fold, seed=name.seed)
    loaded = load_pretrained(name.path())
    assert (loaded.card.split, loaded.card.seed) == (split.name, name.seed)
    assert loaded.card.subjects == list(split.pretrain)
    assert loaded.card.validation_subjects == list(split.validation)
    assert not set(split.test) & {*loaded.card.subjects, *loaded.card.validation_subjects}
    assert all(np.isfinite(values).all() for values in loaded.arrays.values())
